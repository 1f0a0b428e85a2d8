"""What record.py touches beyond fake_env.py: records of our own, activities, customers, saved cards.

What it is: fields and methods that are added to the pretended Odoo. What it did was compared with real servers of 17, 18 and
19: an external id made by two callers at once is a serialization failure for the second (`_load_records`), a done activity is
gone on 17 and 18 and archived on 19, an archived card cannot be brought back on 17.
What it is not: WORLD and AFTER (world_record.py).
"""

BOT = 2  # who runs the actions
_COMMON = {"x_name": "char", "x_account": "char", "x_company_id": "many2one res.company", "x_revision": "integer",
           "x_currency_id": "many2one res.currency", "x_amount": "monetary"}
KINDS = {
    "event": {"x_type": "char", "x_status": "selection", "x_mode": "selection", "x_result": "text", "x_reason": "char",
              "x_live": "boolean", "x_received_at": "datetime", "x_checkout_id": "many2one x_ventipay_checkout",
              "x_console_url": "char", "x_payload": "text"},
    "checkout": {"x_status": "selection", "x_disputed": "boolean", "x_refunded_amount": "monetary",
                 "x_booked_amount": "monetary", "x_paid_at": "datetime", "x_transaction_id": "many2one payment.transaction",
                 "x_payment_id": "many2one account.payment", "x_order_id": "many2one sale.order",
                 "x_invoice_id": "many2one account.move", "x_partner_id": "many2one res.partner"},
    "dispute": {"x_state": "selection", "x_reason": "char", "x_deadline": "datetime",
                "x_checkout_id": "many2one x_ventipay_checkout", "x_transaction_id": "many2one payment.transaction",
                "x_invoice_id": "many2one account.move", "x_partner_id": "many2one res.partner"},
    "subscription": {"x_state": "selection", "x_partner_id": "many2one res.partner", "x_period_start": "datetime",
                     "x_period_end": "datetime", "x_renewals": "integer", "x_reason": "char",
                     "x_invoice_ids": "many2many account.move"}}
OWN = {f"x_ventipay_{kind}": {**_COMMON, **fields} for kind, fields in KINDS.items()}
SELECTIONS = {
    ("event", "x_status"): "received reconciled pending parked ignored recorded", ("event", "x_mode"): "A B",
    ("checkout", "x_status"): "unpaid paid partially_refunded refunded canceled",
    ("dispute", "x_state"): "needs_response under_review won lost charge_refunded",
    ("subscription", "x_state"): "incomplete trialing active past_due suspended unpaid canceled"}
FIELDS = {
    **OWN,
    "res.partner": {"name": "char", "vat": "char", "email": "char", "email_normalized": "char", "active": "boolean",
                    "parent_id": "many2one res.partner", "commercial_partner_id": "many2one res.partner",
                    "company_id": "many2one res.company", "country_id": "many2one res.country",
                    "l10n_latam_identification_type_id": "many2one l10n_latam.identification.type",
                    "l10n_cl_sii_taxpayer_type": "selection"},
    "res.country": {"name": "char"}, "l10n_latam.identification.type": {"name": "char"},
    "mail.activity": {"res_model": "char", "res_id": "integer", "user_id": "many2one res.users", "create_uid": "integer",
                      "summary": "char", "note": "html", "date_deadline": "date", "active": "boolean"},
    "payment.token": {"provider_id": "many2one payment.provider", "payment_method_id": "many2one payment.method",
                      "partner_id": "many2one res.partner", "provider_ref": "char", "payment_details": "char",
                      "active": "boolean"}}
# Odoo's own records by external id, as (model, id).
REFS = {"account.group_account_manager": ("res.groups", 1), "base.cl": ("res.country", 1),
        "l10n_cl.it_RUT": ("l10n_latam.identification.type", 1)}
TOUCH_NAME = "UPDATE ir_model_data SET write_date = write_date WHERE id = %s"
BY_RUT = ("SELECT id FROM res_partner WHERE active AND"
          " ltrim(regexp_replace(upper(vat), '[^0-9K]', '', 'g'), '0') = %s")


def commercial(database, row):
    return row["parent_id"] or row["id"]


def computed(database, model, row, name):
    """The fields of these models that follow from others; None for all others."""
    if (model, name) == ("res.partner", "commercial_partner_id"):
        return commercial(database, row)
    if (model, name) == ("res.partner", "email_normalized"):
        return (row["email"] or "").lower()
    return None


def touched(database, model, ids):
    """Whether others wrote one of the rows since the snapshot."""
    led = [(row["model"], row["res_id"]) for row in database.tables["ir.model.data"].values()
           if row["name"] in database.touched.get("names", [])]
    return any((model, each) in led for each in ids)


def execute(database, words, parameters):
    """The statements of record.py: (known, rows), or "touched" when somebody else wrote the row."""
    if words == TOUCH_NAME:
        row = database.tables["ir.model.data"][parameters[0]]
        return "touched" if row["name"] in database.touched.get("names", []) else []
    if words == BY_RUT:
        return [(row["id"],) for row in database.tables["res.partner"].values()
                if row["active"] and "".join(each for each in (row["vat"] or "").upper() if each in "0123456789K")
                .lstrip("0") == parameters[0]]
    return None


def load_records(records, rows, serialization, user_error):
    assert records._su and len(rows) == 1 and rows[0]["noupdate"] is True
    database, model = records._database, records._name
    module, name = rows[0]["xml_id"].split(".", 1)
    assert module == "concilia"
    if any(each["name"] == name for each in database.unseen["ir.model.data"]):
        raise serialization
    names = [row for row in database.tables["ir.model.data"].values() if row["name"] == name]
    database.fault("make", name)
    made = database.insert(model, {**defaults(model), **stored(records, {}, rows[0]["values"], user_error)})
    if names:  # what it led to is gone
        names[0].update(model=model, res_id=made)
    else:
        database.insert("ir.model.data", {"module": module, "name": name, "model": model, "res_id": made, "noupdate": True})
    return records._with([made])


def defaults(model):
    if model == "res.partner":
        return {**dict.fromkeys(FIELDS[model], False), "active": True}
    return {"active": True} if "active" in FIELDS[model] else {}


def write(records, values, serialization, user_error):
    database, model = records._database, records._name
    if touched(database, model, records.ids):
        raise serialization
    row = records._table[records.id]
    if model == "payment.token" and values.get("active") and not row["active"] and database.series == 17:
        raise user_error("A token cannot be unarchived once it has been archived.")
    row.update(stored(records, row, values, user_error))


def stored(records, row, values, user_error):
    unknown = set(values) - set(records._fields)
    assert not unknown, f"{records._name} has no {unknown}"
    new = {}
    for name, value in values.items():
        allowed = SELECTIONS.get((records._name.rpartition("_")[2], name))
        if allowed and value and value not in allowed.split():
            raise user_error(f"Wrong value for {records._name}.{name}: {value!r}")
        if records._fields[name].type == "many2many":
            value = list(dict.fromkeys([*row.get(name, []), *[command[1] for command in value if command[0] == 4]]))
        # Odoo wraps what an html field is given.
        new[name] = f"<p>{value}</p>" if records._fields[name].type == "html" else value
    return new


def schedule(records, kind, date_deadline, summary, note, user_id):
    assert kind in ("mail.mail_activity_data_warning", "mail.mail_activity_data_todo")
    records._database.fault("activity", summary)
    records._database.insert("mail.activity", {
        "res_model": records._name, "res_id": records.id, "user_id": user_id, "create_uid": records.env.uid,
        "summary": summary, "note": f"<p>{note}</p>", "date_deadline": date_deadline, "active": True,
        "type": kind.rpartition("_")[2]})


def feedback(activities, feedback):
    for each in activities.ids:
        activities._database.feedbacks.append(feedback)
        if activities._database.series == 19:
            activities._table[each]["active"] = False
        else:
            del activities._table[each]


METHODS = {**{(model, "activity_schedule"): schedule for model in OWN if model != "x_ventipay_event"},
           ("mail.activity", "action_feedback"): feedback}
