"""WORLD and AFTER of a case, as far as record.py is concerned: records of our own, activities, customers, saved cards.

What it is not: the behaviour (fake_record.py), or the rest of the world (world.py). The format is in README.md.
"""
from fake_record import BOT, KINDS, OWN

PERSON = 77  # somebody who makes an activity by hand


def load(database, world):
    """What every world has, and whether the models of our own are there."""
    database.feedbacks = []
    database.models = set(database.tables) - (set() if world.get("own_models", True) else set(OWN))
    database.insert("res.country", {"name": "Chile"})
    database.insert("l10n_latam.identification.type", {"name": "RUT"})


def add(database, rows, name):
    """Customers, records of our own, activities and cards; `name` gives a record its external id."""
    for row in rows.get("partners", []):
        database.insert("res.partner", {
            "id": row["id"], "name": row.get("name", "Cliente"), "vat": row.get("vat", False), "email": row.get("email", False),
            "parent_id": row.get("parent", False), "company_id": row.get("company_id", False),
            "active": row.get("active", True), "country_id": False, "l10n_latam_identification_type_id": False,
            "l10n_cl_sii_taxpayer_type": False})
        if row.get("called"):
            name(row["called"], "res.partner", row["id"])
    for row in rows.get("records", []):
        _record(database, row, name)
    for row in rows.get("tokens", []):
        made = database.insert("payment.token", {
            "provider_id": row.get("provider", 7), "payment_method_id": 1, "partner_id": row["partner"],
            "provider_ref": row["provider_ref"], "payment_details": row["details"], "active": row.get("active", False)})
        name(f"card-{row['provider_ref']}", "payment.token", made)
    for row in rows.get("activities", []):
        model, record = _led(database, row["record"])
        database.insert("mail.activity", {
            "res_model": model, "res_id": record, "user_id": row["user"], "summary": row["summary"],
            "create_uid": BOT if row.get("by", "bot") == "bot" else PERSON, "note": f"<p>{row.get('note', '')}</p>",
            "date_deadline": row.get("deadline", "2026-11-24"), "active": True, "type": row.get("type", "todo")})


def _record(database, row, name):
    kind, model = row["kind"], f"x_ventipay_{row['kind']}"
    called = row.get("name", f"{kind}-{row['id']}")
    if not row.get("gone"):
        known = {"kind", "id", "name", "revision", "company_id", "gone"}
        made = database.insert(model, {
            "x_name": row["id"], "x_account": "main", "x_company_id": row.get("company_id", 1),
            "x_revision": row.get("revision", 1), **{f"x_{key}": value for key, value in row.items() if key not in known}})
    name(called, model, 999999 if row.get("gone") else made)


def _led(database, name):
    row = next(each for each in database.tables["ir.model.data"].values() if each["name"] == name)
    return row["model"], row["res_id"]


def names(others):
    """The external ids that others make."""
    made = [row.get("name", f"{row['kind']}-{row['id']}") for row in others.get("records", [])]
    made += [row["called"] for row in others.get("partners", []) if row.get("called")]
    made += [f"card-{row['provider_ref']}" for row in others.get("tokens", [])]
    return [{"module": "concilia", "name": name} for name in made]


def after(database):
    """The tables AFTER can speak of."""
    tables, names = database.tables, {}
    for row in tables["ir.model.data"].values():
        names.setdefault((row["model"], row["res_id"]), row["name"])
    users_name = lambda row: names.get((row["res_model"], row["res_id"]), False)  # noqa: E731
    return {
        "records": [_row(database, kind, row) for kind in KINDS for row in tables[f"x_ventipay_{kind}"].values()],
        "told": [{"record": users_name(row), "user": row["user_id"], "type": row["type"], "summary": row["summary"],
                        "note": row["note"], "deadline": row["date_deadline"]}
                       for row in tables["mail.activity"].values() if row.get("active")],
        "feedbacks": [{"text": text} for text in database.feedbacks],
        "partners": [{"name": row["name"], "vat": row.get("vat", False), "email": row.get("email", False),
                      "country": "Chile" if row.get("country_id") else False,
                      "identification": "RUT" if row.get("l10n_latam_identification_type_id") else False,
                      "taxpayer": row.get("l10n_cl_sii_taxpayer_type", False)}
                     for row in tables["res.partner"].values() if row["id"] > 99 or names.get(("res.partner", row["id"]))],
        "tokens": [{"provider_ref": row["provider_ref"], "details": row["payment_details"], "active": row["active"],
                    "partner": row["partner_id"]} for row in tables["payment.token"].values()],
        "own_names": [{"name": row["name"], "model": row["model"]} for row in tables["ir.model.data"].values()
                      if row["model"] in OWN or row["model"] in ("res.partner", "payment.token")],
    }


def _row(database, kind, row):
    tables = database.tables
    currency = tables["res.currency"].get(row.get("x_currency_id"))
    shown = {"kind": kind, "currency": currency["name"] if currency else False}
    names = {"transaction": ("payment.transaction", "reference"), "payment": ("account.payment", "name"),
             "order": ("sale.order", "name"), "invoice": ("account.move", "name"),
             "checkout": ("x_ventipay_checkout", "x_name")}
    for field, type_of in OWN[f"x_ventipay_{kind}"].items():
        value, key = row.get(field, False), field[2:]
        if type_of == "monetary":
            shown[key] = f"{value or 0.0:.{currency['decimal_places'] if currency else 0}f}"
        elif key.endswith("_id") and key[:-3] in names:
            model, label = names[key[:-3]]
            shown[key[:-3]] = tables[model][value][label] if value else False
        elif key == "invoice_ids":
            shown["invoices"] = sorted(tables["account.move"][each]["name"] for each in value or [])
        elif key not in ("currency_id",):
            shown[{"name": "id", "partner_id": "partner"}.get(key, key)] = value or (0 if type_of == "integer" else False)
    return shown
