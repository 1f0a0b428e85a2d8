"""Turns the WORLD of a case into a pretended Odoo, and a pretended Odoo into the rows AFTER speaks of.

What it is not: the behaviour (fake_env.py) or the comparison (run.py). The format is in README.md.
"""
import datetime

import world_record
from fake_env import (INCOME, LONG_AGO, OTHER_RECEIVABLE, RECEIVABLE, Database, complete_transaction, enter_entry,
                      enter_line, enter_lines)

CURRENCIES = [{"name": "CLP"}, {"name": "UF", "decimals": 2}, {"name": "USD", "decimals": 2},
              {"name": "CLF", "decimals": 4, "active": False}]
PROVIDERS = [{"id": 7, "company_id": 1}, {"id": 8, "company_id": 2}]
MANAGERS = [{"id": 11, "companies": [1, 2]}]
NOWHERE = 999999  # the id an external id has when its record is gone


def load(world, series, sha256):
    """A database holding `world`; `sha256` maps the actions' names to what their stored texts hash to."""
    database = Database(series, world.get("today", "2026-11-23"), world.get("now", "2026-11-23 15:00:00"))
    database.insert("ir.config_parameter", {"key": "database.uuid", "value": world.get("database", "db-uuid")})
    for partner in ("Cliente de prueba", "Otro cliente"):
        database.insert("res.partner", {"name": partner, "vat": False, "email": False, "active": True, "parent_id": False,
                                        "company_id": False})
    for kind in ("asset_receivable", "asset_receivable", "income", "asset_current"):
        database.insert("account.account", {"account_type": kind})
    for name in world.get("actions", list(sha256)):
        action = database.insert("ir.actions.server", {"sha256": sha256[name]})
        _name(database, f"action_{name}", "ir.actions.server", action)
    database.insert("account.journal", {"name": "Ventas"})
    for row in world.get("companies", [{"id": 1}, {"id": 2}]):
        database.insert("res.company", row)
    for row in world.get("currencies", CURRENCIES):
        database.insert("res.currency", {"name": row["name"], "decimal_places": row.get("decimals", 0),
                                         "active": row.get("active", True)})
    for row in world.get("providers", PROVIDERS):
        _provider(database, row)
    managers = [database.insert("res.users", {"id": row["id"], "active": row.get("active", True),
                                              "share": row.get("share", False), "company_ids": row.get("companies", [1])})
                for row in world.get("managers", MANAGERS)]
    database.insert("res.groups", {"id": 1, "users": managers, "all_user_ids": managers})
    for name in world.get("order_fields", []):
        database.fields["sale.order"][name] = database.fields["sale.order"]["origin"]
    for row in world.get("products", []):
        database.insert("product.product", {
            "id": row["id"], "default_code": row["code"], "display_name": f"[{row['code']}] Plan",
            "company_id": row.get("company_id", False), "tax_ids": _taxes(database, row.get("tax", 0))})
    world_record.load(database, world)
    add(database, world)
    return database


def add(database, rows):
    """Orders, invoices, transactions and names, in that order; a row that exists is replaced."""
    for row in rows.get("orders", []):
        _order(database, row)
    for row in rows.get("invoices", []):
        _invoice(database, row)
    for row in rows.get("transactions", []):
        _transaction(database, row)
    for row in rows.get("names", []):
        found = [tx["id"] for tx in database.tables["payment.transaction"].values() if tx["reference"] == row["transaction"]]
        _name(database, row["name"], "payment.transaction", found[0] if found else NOWHERE)
    world_record.add(database, rows, lambda *named: _name(database, *named))


def hide(database, others):
    """What others commit after the snapshot: unseen, but known to the unique constraints and to a touched row."""
    database.unseen = {
        "payment.transaction": [{"reference": row["reference"]} for row in others.get("transactions", [])],
        "ir.model.data": [{"module": "concilia", "name": row["name"]} for row in others.get("names", [])]
        + world_record.names(others)}
    database.touched = {"orders": others.get("touched", []), "transactions": others.get("touched_transactions", []),
                        "invoices": others.get("touched_invoices", []), "partners": others.get("touched_partners", []),
                        "names": others.get("touched_names", [])}


def after(database):
    """Every table AFTER can speak of."""
    tables = database.tables
    names = {model: {row["id"]: row["name"] for row in tables[model].values()}
             for model in ("res.currency", "account.move", "account.payment")}
    decimals = {row["id"]: row["decimal_places"] for row in tables["res.currency"].values()}
    txs = tables["payment.transaction"].values()
    references = {tx["id"]: tx["reference"] for tx in txs}
    payments = tables["account.payment"].values()
    return {
        **world_record.after(database),
        "mails": database.mails,
        "payments": [{
            "name": row["name"], "amount": _text(row["amount"], decimals[row["currency_id"]]),
            "currency": names["res.currency"][row["currency_id"]], "date": str(row["date"]),
            "company_id": row["company_id"], "transaction": row["transaction"], "type": row["payment_type"],
            "credit": _text(row["left"], decimals[row["currency_id"]]),
            "invoices": sorted(names["account.move"][each] for each in row["invoices"])}
            for row in payments if row["transaction"]],
        "invoices": [{
            "id": row["id"], "type": row["move_type"], "state": row["state"], "payment_state": row["payment_state"],
            "total": _text(row["amount_total"], decimals[row["currency_id"]]), "reverses": row.get("reversed_entry_id", False),
            "residual": _text(row["amount_residual"], decimals[row["currency_id"]]),
            "payments": sum(row["id"] in pay["invoices"] for pay in payments)}
            for row in tables["account.move"].values() if row["move_type"] != "entry"],
        "orders": [{
            "id": row["id"], "state": row["state"],
            "transactions": sorted(tx["reference"] for tx in txs if row["id"] in tx["sale_order_ids"])}
            for row in tables["sale.order"].values()],
        "transactions": [{
            "reference": tx["reference"], "provider_reference": tx["provider_reference"], "state": tx["state"],
            "amount": _text(tx["amount"], decimals[tx["currency_id"]]),
            "currency": names["res.currency"][tx["currency_id"]], "provider": tx["provider_id"],
            "operation": tx["operation"], "source": references.get(tx["source_transaction_id"], False),
            "company_id": tx["company_id"], "payment": names["account.payment"].get(tx["payment_id"], False),
            "state_message": tx["state_message"], "is_post_processed": tx["is_post_processed"],
            "orders": sorted(tx["sale_order_ids"]), "invoices": sorted(tx["invoice_ids"])} for tx in txs],
        "activities": [{"model": row["res_model"], "record": row["res_id"], "user": row["user_id"], "summary": row["summary"],
                        "note": row["note"], "deadline": row["date_deadline"]} for row in tables["mail.activity"].values()],
        "names": [{"name": row["name"], "transaction": references.get(row["res_id"], False)}
                  for row in tables["ir.model.data"].values() if row["model"] == "payment.transaction"],
    }


def _text(amount, decimals):
    return f"{amount:.{decimals}f}"


def _currency(database, row):
    name = row.get("currency", "CLP")
    return next(each["id"] for each in database.tables["res.currency"].values() if each["name"] == name)


def _name(database, name, model, res_id):
    known = [row for row in database.tables["ir.model.data"].values() if row["name"] == name]
    values = {"module": "concilia", "name": name, "model": model, "res_id": res_id}
    database.insert("ir.model.data", {**values, "id": known[0]["id"]} if known else values)


def _provider(database, row):
    company, ready = row.get("company_id", 1), row.get("ready", True)
    method = database.insert("payment.method", {"name": "VentiPay"})
    database.insert("payment.provider", {"id": row["id"], "state": row.get("state", "test"), "company_id": company,
                                         "payment_method_ids": [method]})
    database.insert("account.payment.method.line", {"payment_provider_id": row["id"], "payment_type": "inbound",
                                                    "payment_account_id": 1101 if ready else False})
    if row.get("ours", True):
        _name(database, f"provider_company_{row.get('named_for', company)}", "payment.provider", row["id"])


def _order(database, row):
    columns = {"id", "name", "company_id", "state", "currency", "total", "written"}
    database.insert("sale.order", {
        "id": row["id"], "name": row["name"], "company_id": row.get("company_id", 1), "state": row.get("state", "sale"),
        "currency_id": _currency(database, row), "amount_total": float(row["total"]), "partner_invoice_id": 1,
        "write_date": row.get("written", LONG_AGO),
        **{name: value for name, value in row.items() if name not in columns}})
    if not any(line["order_id"] == row["id"] for line in database.tables["sale.order.line"].values()):
        database.insert("sale.order.line", {"order_id": row["id"]})


def _invoice(database, row):
    state = row.get("payment_state", "not_paid")
    residual = row.get("residual", "0" if state in ("paid", "reversed") else row["total"])
    database.insert("account.move", {
        "id": row["id"], "name": row["name"], "order": row.get("order"), "move_type": row.get("type", "out_invoice"),
        "state": row.get("state", "posted"), "payment_state": state, "company_id": row.get("company_id", 1),
        "currency_id": _currency(database, row), "amount_total": float(row["total"]), "amount_residual": float(residual),
        "invoice_date": row.get("date", database.today), "write_date": row.get("written", LONG_AGO),
        "commercial_partner_id": row.get("partner", 1), "partner_id": row.get("partner", 1), "journal_id": 1,
        "reversed_entry_id": row.get("reverses", False), "ref": row.get("ref", False),
        "payment_reference": row.get("payment_reference", False)})
    if not any(line["move_id"] == row["id"] for line in database.tables["account.move.line"].values()):
        receivable = OTHER_RECEIVABLE if row.get("other_account") else RECEIVABLE
        enter_lines(database, row["id"], (receivable,), row.get("partner", 1))
        for line in row.get("lines", [{"price": row["total"]}]):
            enter_line(database, row["id"], INCOME, row.get("partner", 1), float(line["price"]), line.get("quantity", 1),
                       line.get("discount", 0), _taxes(database, line.get("tax", 0)))
    for column, payment in (("payments", {"invoices": [row["id"]]}), ("unentered_payments", {"matched": [row["id"]]}),
                            ("cancelled_payments", {"matched": [row["id"]], "state": "canceled"})):
        for _each in range(row.get(column, 0)):
            _payment(database, {"amount": 0.0, "currency_id": _currency(database, row), **payment})


def _taxes(database, percent):
    known = [tax["id"] for tax in database.tables["account.tax"].values() if tax["amount"] == percent]
    return (known or [database.insert("account.tax", {"amount": percent})]) if percent else []


def _transaction(database, row):
    sources = [tx["id"] for tx in database.tables["payment.transaction"].values() if tx["reference"] == row.get("source")]
    tx = {"id": row["id"], "reference": row["reference"], "provider_reference": row.get("provider_reference", False),
          "provider_id": row.get("provider", 7), "state": row.get("state", "done"), "amount": float(row["amount"]),
          "currency_id": _currency(database, row), "sale_order_ids": row.get("orders", []),
          "invoice_ids": row.get("invoices", []), "write_date": row.get("written", LONG_AGO),
          "operation": row.get("operation", "online_redirect"), "source_transaction_id": sources[0] if sources else False,
          "is_post_processed": row.get("is_post_processed", False), "state_message": row.get("state_message", False)}
    complete_transaction(database, tx)
    if row.get("payment"):
        tx["payment_id"] = _payment(database, {
            "name": row["payment"], "amount": abs(tx["amount"]), "currency_id": tx["currency_id"],
            "payment_type": "inbound" if tx["amount"] > 0 else "outbound",
            "company_id": tx["company_id"], "invoices": tx["invoice_ids"], "transaction": tx["reference"],
            "date": row.get("date", database.today), "left": float(row.get("credit", "0")),
            "move_id": enter_entry(database, row["payment"], 1, OTHER_RECEIVABLE if row.get("other_account") else RECEIVABLE), **row.get("payment_is", {})})
    tx["company_id"] = row.get("company_id", tx["company_id"])
    database.insert("payment.transaction", tx)


def _payment(database, row):
    defaults = {"name": False, "state": "posted" if database.series == 17 else "paid", "company_id": 1, "invoices": [],
                "matched": [], "payment_type": "inbound", "move_id": False, "left": 0.0, "transaction": False, "date": database.today}
    row = {**defaults, **row}
    row["date"] = datetime.date.fromisoformat(row["date"])
    return database.insert("account.payment", row)
