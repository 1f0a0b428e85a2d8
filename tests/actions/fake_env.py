"""A small pretended Odoo: records, unique constraints, savepoints, and the post-processing of a transaction.

What it is: as much of `env` as worker/actions/*.py touch, for the series 17, 18 and 19, filled from the WORLD of a case
(README.md in this folder). A field, method or SQL statement it does not know is an error: the actions may use only what was
seen on real servers.
What it is not: an Odoo. Nothing is computed that no case needs.
Read next: run.py; worker/actions/README.md.
"""
import copy
import datetime
import math
import re

import fake_record

# Fields by model; "many2one model" and so on; a leading number is the first series that has the field, one after dots the
# last.
FIELDS = {
    "ir.model.data": {"module": "char", "name": "char", "model": "char", "res_id": "integer", "noupdate": "boolean"},
    "ir.config_parameter": {"key": "char", "value": "text"},
    "ir.actions.server": {"name": "char", "code": "text"},
    "res.company": {"name": "char"},
    "res.partner": {"name": "char"},
    "res.groups": {"users": "..18 many2many res.users", "all_user_ids": "19 many2many res.users"},
    "res.users": {"active": "boolean", "share": "boolean", "company_ids": "many2many res.company"},
    "mail.activity": {"res_model": "char", "res_id": "integer", "summary": "char", "note": "html",
                      "user_id": "many2one res.users", "date_deadline": "date"},
    "account.account": {"account_type": "selection"},
    "res.currency": {"name": "char", "decimal_places": "integer", "active": "boolean"},
    "payment.method": {"name": "char"},
    "payment.provider": {"state": "selection", "company_id": "many2one res.company",
                         "payment_method_ids": "many2many payment.method"},
    "account.payment.method.line": {"payment_provider_id": "many2one payment.provider", "payment_type": "selection",
                                    "payment_account_id": "integer"},
    "sale.order": {"name": "char", "state": "selection", "company_id": "many2one res.company", "amount_total": "monetary",
                   "currency_id": "many2one res.currency", "partner_invoice_id": "many2one res.partner",
                   "client_order_ref": "char", "origin": "char", "invoice_ids": "many2many account.move",
                   "transaction_ids": "many2many payment.transaction", "write_date": "datetime",
                   "order_line": "one2many sale.order.line"},
    "sale.order.line": {"order_id": "many2one sale.order", "invoice_lines": "many2many account.move.line"},
    "account.move": {"name": "char", "move_type": "selection", "state": "selection", "payment_state": "selection",
                     "company_id": "many2one res.company", "currency_id": "many2one res.currency",
                     "amount_total": "monetary", "amount_residual": "monetary",
                     "invoice_date": "date", "write_date": "datetime", "line_ids": "one2many account.move.line",
                     "commercial_partner_id": "many2one res.partner", "partner_id": "many2one res.partner",
                     "reversed_entry_id": "many2one account.move", "invoice_line_ids": "one2many account.move.line",
                     "transaction_ids": "many2many payment.transaction", "journal_id": "many2one account.journal",
                     "ref": "char", "payment_reference": "char",
                     "matched_payment_ids": "18 many2many account.payment"},
    "account.move.line": {"move_id": "many2one account.move", "account_id": "many2one account.account",
                          "partner_id": "many2one res.partner", "parent_state": "selection", "reconciled": "boolean",
                          "amount_residual_currency": "monetary", "sale_line_ids": "many2many sale.order.line",
                          "display_type": "selection", "quantity": "float", "price_unit": "float", "discount": "float",
                          "price_total": "monetary", "tax_ids": "many2many account.tax"},
    "account.journal": {"name": "char"},
    "product.product": {"default_code": "char", "display_name": "char", "company_id": "many2one res.company",
                        "tax_ids": "many2many account.tax"},
    "account.tax": {"amount": "float"},
    "account.move.reversal": {"reason": "char", "journal_id": "many2one account.journal"},
    "account.payment": {"name": "char", "state": "selection", "date": "date", "amount": "monetary",
                        "currency_id": "many2one res.currency", "company_id": "many2one res.company",
                        "payment_type": "selection", "move_id": "many2one account.move", "memo": "18 char",
                        "is_reconciled": "boolean"},
    "payment.transaction": {"reference": "char", "provider_reference": "char", "state": "selection", "amount": "monetary",
                            "currency_id": "many2one res.currency", "company_id": "many2one res.company",
                            "provider_id": "many2one payment.provider", "payment_method_id": "many2one payment.method",
                            "operation": "selection", "partner_id": "many2one res.partner",
                            "last_state_change": "datetime", "payment_id": "many2one account.payment",
                            "invoice_ids": "many2many account.move", "sale_order_ids": "many2many sale.order",
                            "source_transaction_id": "many2one payment.transaction",
                            "child_transaction_ids": "one2many payment.transaction",
                            "is_post_processed": "boolean", "state_message": "text", "write_date": "datetime"},
}
FIELDS.update(fake_record.FIELDS)
UNIQUE = {"payment.transaction": ("reference",), "ir.model.data": ("module", "name")}
CONSTRAINTS = {"payment.transaction": "payment_transaction_reference_uniq",
               "ir.model.data": "ir_model_data_module_name_uniq_index"}
EMPTY = {"integer": 0, "monetary": 0.0, "float": 0.0}
TOUCH = {"UPDATE sale_order SET write_date = write_date WHERE id = %s": "orders",
         "UPDATE account_move SET write_date = write_date WHERE id = %s": "invoices",
         "UPDATE res_partner SET write_date = write_date WHERE id = %s": "partners",
         "UPDATE payment_transaction SET write_date = write_date WHERE id = %s": "transactions"}
# What `tx.write` may be given, by what it is for.
WRITES = [("link", {"sale_order_ids"}), ("link", {"sale_order_ids", "invoice_ids"}),
          ("done", {"state", "provider_reference", "last_state_change", "is_post_processed", "state_message"})]
RECEIVABLE, OTHER_RECEIVABLE, INCOME, OUTSTANDING = 1, 2, 3, 4  # ids of accounts
HASH_ACTIONS = ("SELECT d.name, encode(sha256(convert_to(btrim(s.code, %s), 'UTF8')), 'hex')"
                " FROM ir_model_data d JOIN ir_act_server s ON s.id = d.res_id"
                " WHERE d.module = 'concilia' AND d.model = 'ir.actions.server'"
                " AND d.name IN %s")
OPERATIONS = {"online_redirect", "online_direct", "online_token", "offline", "validation", "refund"}


class UserError(Exception):
    """A sentence of Odoo's for people."""


class DatabaseError(Exception):
    """What psycopg2 raises: a message and a five-letter code."""

    def __init__(self, message, pgcode):
        super().__init__(message)
        self.pgcode = pgcode


def serialization_failure():
    return DatabaseError("could not serialize access due to concurrent update", "40001")


class Command:
    """The x2many commands the actions use."""

    @staticmethod
    def set(ids):
        return (6, 0, list(ids))

    @staticmethod
    def link(record):
        return (4, record, 0)

    @staticmethod
    def create(values):
        return (0, 0, values)

    @staticmethod
    def update(row, values):
        return (1, row, values)

    @staticmethod
    def delete(row):
        return (2, row, 0)


def known_in(series, kind):
    if kind.startswith(".."):
        return series <= int(kind[2:4])
    return not kind[0].isdigit() or int(kind[:2]) <= series


class Field:
    """What `_fields` tells of a field."""

    def __init__(self, kind):
        self.type = kind.split()[0]
        self.comodel = kind.split()[1] if " " in kind else None
        self.store, self.search = True, None


class Database:
    """The tables, what others have committed unseen, and the faults to inject."""

    def __init__(self, series, today, now):
        self.series, self.today, self.now = series, today, now
        self.tables = {model: {} for model in FIELDS}
        self.models, self.feedbacks = set(FIELDS), []
        self.fields = {model: {name: Field(re.sub(r"^(\.\.)?\d+ ", "", kind)) for name, kind in fields.items()
                               if known_in(series, kind)} for model, fields in FIELDS.items()}
        self.mails = 0
        self.unseen = {"payment.transaction": [], "ir.model.data": []}
        self.touched, self.faults = {"orders": [], "transactions": [], "invoices": [], "partners": []}, []

    def insert(self, model, values):
        """A new row; its id unless `values` brings one."""
        row = dict(values)
        row.setdefault("id", max(self.tables[model], default=0) + 1)
        self.tables[model][row["id"]] = row
        return row["id"]

    def fault(self, step, item):
        """Raises what the case wants to happen at this step, or gives the fault that changes what it does."""
        for fault in self.faults:
            if fault["at"] == step and fault.get("item", item) == item:
                if "message" not in fault:
                    return fault
                if fault.get("pgcode"):
                    raise DatabaseError(fault["message"], fault["pgcode"])
                raise UserError(fault["message"])
        return {}


class Savepoint:
    """An object to close, as `env.cr.savepoint()` gives it."""

    def __init__(self, database):
        self.database, self.closed = database, False
        self.saved = copy.deepcopy((database.tables, database.mails))

    def close(self, *, rollback):
        if not self.closed and rollback:
            self.database.tables, self.database.mails = self.saved
        self.closed = True


class Cursor:
    """The statements the actions send, savepoints, and the clock of the transaction."""

    def __init__(self, database):
        self.database, self.rows, self.savepoints = database, [], []

    def savepoint(self):
        self.savepoints.append(Savepoint(self.database))
        return self.savepoints[-1]

    def fetchall(self):
        return self.rows

    def now(self):
        return datetime.datetime.fromisoformat(self.database.now)

    def execute(self, statement, parameters):
        words = " ".join(statement.split())
        rows = fake_record.execute(self.database, words, parameters)
        if rows == "touched":
            raise serialization_failure()
        if rows is not None:
            self.rows = rows
        elif words in TOUCH:
            if parameters[0] in self.database.touched[TOUCH[words]]:
                raise serialization_failure()
        elif words == HASH_ACTIONS and parameters[0] == " \n\r\t":
            tables = self.database.tables
            self.rows = [(row["name"], tables["ir.actions.server"][row["res_id"]]["sha256"])
                         for row in tables["ir.model.data"].values()
                         if row["model"] == "ir.actions.server" and row["name"] in parameters[1]]
        else:
            raise AssertionError(f"unknown SQL: {words}")


class Env:
    """`env` of a user who may read and write nothing by himself."""

    def __init__(self, database, context):
        self.database, self.context, self.cr = database, context, Cursor(database)
        self.uid = fake_record.BOT

    def __getitem__(self, model):
        return Records(self, model, (), False, self.context)

    def __contains__(self, model):
        return model in self.database.models

    def ref(self, name, raise_if_not_found=True):
        model, record = fake_record.REFS[name]
        return self[model].browse([record])

    def flush_all(self):
        """Nothing is held back here."""


class Records:
    """A recordset."""

    def __init__(self, env, model, ids, su, context):
        self.env, self._name, self.ids, self._su, self._context = env, model, list(ids), su, context
        self._database = env.database
        self._fields = env.database.fields[model]

    # -- sets --
    def _with(self, ids):
        return Records(self.env, self._name, ids, self._su, self._context)

    def __iter__(self):
        return iter([self._with([each]) for each in self.ids])

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, key):
        if isinstance(key, str):
            return getattr(self, key)
        return self._with(self.ids[key] if isinstance(key, slice) else [self.ids[key]])

    def __or__(self, other):
        assert self._name == other._name
        return self._with(dict.fromkeys(self.ids + other.ids))

    def __sub__(self, other):
        return self._with([each for each in self.ids if each not in other.ids])

    def __and__(self, other):
        return self._with([each for each in self.ids if each in other.ids])

    def __hash__(self):
        return hash((self._name, tuple(self.ids)))

    def __eq__(self, other):
        return isinstance(other, Records) and (self._name, set(self.ids)) == (other._name, set(other.ids))

    def __contains__(self, other):
        return set(other.ids) <= set(self.ids)

    def filtered(self, keep):
        return self._with([each.id for each in self if keep(each)])

    def sorted(self, key):
        return self._with([each.id for each in sorted(self, key=key if callable(key) else lambda each: getattr(each, key))])

    def mapped(self, name):
        return [getattr(each, name) for each in self]

    # -- environment --
    def sudo(self):
        return Records(self.env, self._name, self.ids, True, self._context)

    def with_context(self, **values):
        return Records(self.env, self._name, self.ids, self._su, {**self._context, **values})

    def with_company(self, company_id):
        return self.with_context(allowed_company_ids=[company_id])

    def browse(self, ids=()):
        return self._with(ids if isinstance(ids, (list, tuple)) else [ids] if ids else [])

    def exists(self):
        return self._with([each for each in self.ids if each in self._table])

    @property
    def _table(self):
        if not self._su:
            raise AssertionError(f"{self._name} is touched without sudo")
        return self._database.tables[self._name]

    # -- fields --
    def __getattr__(self, name):
        if name == "id":
            return self.ids[0] if self.ids else False
        method = METHODS.get((self._name, name))
        if method and (not isinstance(method, tuple) or self._database.series in method[1]):
            call = method[0] if isinstance(method, tuple) else method
            return lambda *args, **kwargs: call(self, *args, **kwargs)
        field = self._fields.get(name)
        if field is None:
            raise AttributeError(f"{self._name} of {self._database.series} has no {name}")
        table = self._table
        if field.comodel:
            # Newest first, as Odoo has it: who wants another order must ask for it.
            related = [each for row in self.ids for each in sorted(self._related(table[row], name), reverse=True)]
            return Records(self.env, field.comodel, dict.fromkeys(related), self._su, self._context)
        if len(self.ids) > 1:
            raise ValueError(f"Expected singleton: {self._name}{tuple(self.ids)}")
        value = computed(self._database, self._name, table[self.ids[0]], name) if self.ids else None
        return EMPTY.get(field.type, False) if value in (None, "") else value

    def _related(self, row, name):
        tables = self._database.tables
        if (self._name, name) == ("sale.order", "invoice_ids"):
            return [move["id"] for move in tables["account.move"].values() if move.get("order") == row["id"]]
        if (self._name, name) == ("sale.order", "transaction_ids"):
            return [tx["id"] for tx in tables["payment.transaction"].values() if row["id"] in tx["sale_order_ids"]]
        if (self._name, name) == ("account.move", "transaction_ids"):
            return [tx["id"] for tx in tables["payment.transaction"].values() if row["id"] in tx["invoice_ids"]]
        if (self._name, name) == ("account.move", "invoice_line_ids"):
            return [line["id"] for line in lines_of(self._database, row["id"]) if line["account_id"] == INCOME]
        if (self._name, name) == ("account.move", "matched_payment_ids"):
            return [pay["id"] for pay in tables["account.payment"].values() if row["id"] in pay["invoices"] + pay["matched"]]
        if (self._name, name) in LINKS:
            comodel, column = LINKS[(self._name, name)]
            return [each["id"] for each in tables[comodel].values() if each.get(column) == row["id"]]
        if (self._name, name) == ("account.move.line", "sale_line_ids"):
            order = tables["account.move"][row["move_id"]].get("order") if row["account_id"] == INCOME else None
            return [each["id"] for each in tables["sale.order.line"].values() if order and each["order_id"] == order]
        if (self._name, name) == ("sale.order.line", "invoice_lines"):
            moves = [each["id"] for each in tables["account.move"].values() if each.get("order") == row["order_id"]]
            return [each["id"] for each in tables["account.move.line"].values()
                    if each["move_id"] in moves and each["account_id"] == INCOME]
        value = computed(self._database, self._name, row, name)
        return value if isinstance(value, list) else [value] if value else []

    # -- rows --
    def search(self, domain, limit=None, order="id"):
        found = [row for row in self._table.values() if self._holds(row, domain)]
        if "active" in self._fields and self._context.get("active_test", True):
            found = [row for row in found if row.get("active", True)]
        keys = {"id": lambda row: row["id"], "id desc": lambda row: -row["id"],
                "write_date, id": lambda row: (row["write_date"], row["id"])}
        return self._with([row["id"] for row in sorted(found, key=keys[order])][:limit])

    def search_count(self, domain):
        return len(self.search(domain))

    def _holds(self, row, domain):
        stack = []
        for term in reversed(domain):
            if term == "!":
                stack.append(not stack.pop())
            elif term in ("|", "&"):
                one, two = stack.pop(), stack.pop()
                stack.append(one or two if term == "|" else one and two)
            else:
                stack.append(self._term(row, *term))
        return all(stack)

    def _term(self, row, name, operator, value):
        if "." in name or operator == "any":
            first, _dot, rest = name.partition(".")
            related = getattr(self._with([row["id"]]), first)
            return any(related._holds(related._table[each], [(rest, operator, value)] if rest else value)
                       for each in related.ids)
        if name != "id" and name not in self._fields:
            raise ValueError(f"Invalid field {self._name}.{name}")
        held = computed(self._database, self._name, row, name)
        held = False if held in (None, "") else held
        return {"=": lambda: not held if value == "" else held == value, "!=": lambda: held != value, "in": lambda: held in value,
                "not in": lambda: held not in value, ">": lambda: held > value, ">=": lambda: str(held) >= value,
                "ilike": lambda: value.lower() in str(held or "").lower()}[operator]()

    def create(self, values):
        unknown = set(values) - set(self._fields)
        assert not unknown, f"{self._name} has no {unknown}"
        if self._name == "account.move":
            return self._with([create_invoice(self._database, values)])
        if self._name == "account.move.reversal":
            return self._with([self._database.insert(self._name, dict(values))])
        step = {"payment.transaction": "create", "ir.model.data": "name"}[self._name]
        fault = self._database.fault(step, values.get("reference", values.get("name")))
        row = {name: self._stored(name, value) for name, value in values.items()}
        assert self._name != "ir.model.data" or row["noupdate"] is True
        if self._name == "payment.transaction":
            assert row["operation"] in OPERATIONS and (row["operation"] == "refund") == (row["amount"] < 0)
            row["amount"] = float(fault.get("stores", row["amount"]))
            complete_transaction(self._database, row)
        key = [row[name] for name in UNIQUE[self._name]]
        for other in [*self._table.values(), *self._database.unseen[self._name]]:
            if [other[name] for name in UNIQUE[self._name]] == key:
                raise DatabaseError(f'duplicate key value violates unique constraint "{CONSTRAINTS[self._name]}"\n'
                                    f"DETAIL:  Key {key} already exists.", "23505")
        return self._with([self._database.insert(self._name, row)])

    def write(self, values):
        if self._name in fake_record.FIELDS:
            return fake_record.write(self, values, serialization_failure(), UserError)
        if self._name == "account.move":
            return write_lines(self._database, self.id, values)
        step = next(step for step, names in WRITES if names == set(values))
        assert self._name == "payment.transaction"
        self._database.fault(step, self.reference)
        self._table[self.id].update({name: self._stored(name, value) for name, value in values.items()})

    def _stored(self, name, value):
        return value[0][2] if self._fields[name].type == "many2many" else value


# -- what Odoo does by itself --
LONG_AGO = "2026-11-01 12:00:00"
LINKS = {("account.move", "line_ids"): ("account.move.line", "move_id"),
         ("payment.transaction", "child_transaction_ids"): ("payment.transaction", "source_transaction_id"),
         ("sale.order", "order_line"): ("sale.order.line", "order_id")}


def computed(database, model, row, name):
    """The value of a field, also of those that follow from others."""
    tables = database.tables
    value = fake_record.computed(database, model, row, name)
    if value is not None:
        return value
    if (model, name) == ("account.payment", "is_reconciled"):
        return not row["left"]
    if model == "account.move.line":
        move = tables["account.move"][row["move_id"]]
        if name == "parent_state":
            return move["state"]
        payment = next((pay for pay in tables["account.payment"].values() if pay["move_id"] == move["id"]), None)
        receivable = row["account_id"] in (RECEIVABLE, OTHER_RECEIVABLE)
        if name == "display_type":
            return "product" if row["account_id"] == INCOME else "payment_term"
        if name == "price_total":
            return sum(line_amounts(database, move, row))
        sign = -1 if payment and payment["payment_type"] == "inbound" else 1
        left = 1.0 if not receivable else sign * payment["left"] if payment else move["amount_residual"]
        if name == "reconciled":
            return not left
        if name == "amount_residual_currency":
            return left
    return row.get(name)


def enter_lines(database, move, accounts, partner):
    for account in accounts:
        enter_line(database, move, account, partner)


def enter_line(database, move, account, partner, price=0.0, quantity=1.0, discount=0.0, taxes=()):
    database.insert("account.move.line", {"move_id": move, "account_id": account, "partner_id": partner, "price_unit": price,
                                          "quantity": quantity, "discount": discount, "tax_ids": list(taxes)})


def lines_of(database, move):
    return [line for line in database.tables["account.move.line"].values() if line["move_id"] == move]


def line_amounts(database, move, line):
    """Without taxes and the tax: 17 taxes the rounded sum, 18 and 19 the exact one."""
    decimals = database.tables["res.currency"][move["currency_id"]]["decimal_places"]
    exact = line["price_unit"] * line["quantity"] * (100 - line["discount"]) / 100
    net = half_up(exact, decimals)
    percent = sum(database.tables["account.tax"][each]["amount"] for each in line["tax_ids"])
    return net, half_up((net if database.series == 17 else exact) * percent / 100, decimals)


def half_up(amount, decimals):
    step = 10 ** decimals
    return math.floor(amount * step + 0.5 + 1e-9) / step


def write_lines(database, move_id, values):
    """Lines of a draft are changed or deleted; its total follows."""
    move = database.tables["account.move"][move_id]
    assert set(values) == {"invoice_line_ids"} and move["state"] == "draft"
    for command, line, changes in values["invoice_line_ids"]:
        if command == 2:
            del database.tables["account.move.line"][line]
        else:
            assert command == 1 and set(changes) <= {"quantity", "discount", "price_unit"}
            changes["price_unit"] = half_up(changes["price_unit"], 2)  # the precision of prices
            database.tables["account.move.line"][line].update(changes)
    lines = [line for line in lines_of(database, move_id) if line["account_id"] == INCOME]
    move["amount_total"] = move["amount_residual"] = sum(sum(line_amounts(database, move, line)) for line in lines)


def create_invoice(database, values):
    """A draft customer invoice of one line of a product, with its taxes."""
    (command, _zero, line), = values.pop("invoice_line_ids")
    assert command == 0 and set(line) == {"product_id", "quantity", "price_unit"} and values["move_type"] == "out_invoice"
    database.fault("create_invoice", values["ref"])
    # 17 names the first draft of its kind at once.
    name = False if database.series != 17 else "/" if last_invoice(database) else "FAC 000001"
    move = database.insert("account.move", {
        "name": name, "state": "draft", "payment_state": "not_paid", "amount_total": 0.0,
        "amount_residual": 0.0, "write_date": LONG_AGO, "journal_id": 1, "commercial_partner_id": values["partner_id"],
        "reversed_entry_id": False, "payment_reference": False, **values})
    taxes = database.tables["product.product"][line["product_id"]]["tax_ids"]
    enter_line(database, move, RECEIVABLE, values["partner_id"])
    enter_line(database, move, INCOME, values["partner_id"], line["price_unit"], line["quantity"], 0.0, taxes)
    made = max(database.tables["account.move.line"])
    write_lines(database, move, {"invoice_line_ids": [(1, made, {"price_unit": line["price_unit"]})]})
    return move


def post_invoice(moves):
    row = moves._table[moves.id]
    moves._database.fault("post", row["ref"])
    named = row["name"] and row["name"] != "/"
    row.update(state="posted", name=row["name"] if named else f"FAC {last_invoice(moves._database) + 1:06}")


def last_invoice(database):
    rows = database.tables["account.move"].values()
    return max([int(each["name"][4:]) for each in rows if str(each["name"]).startswith("FAC ")], default=0)


def reverse_moves(wizards):
    """A draft credit note of the one invoice in the context."""
    database, move_id, = wizards._database, wizards._context["active_ids"][0]
    move = database.tables["account.move"][move_id]
    database.fault("draft", move["name"])
    assert wizards._context["active_model"] == "account.move" and len(wizards._context["active_ids"]) == 1
    assert wizards._context["allowed_company_ids"] == [move["company_id"]]
    note = database.insert("account.move", {
        **{name: value for name, value in move.items() if name != "id"}, "name": False if database.series != 17 else "/",
        "move_type": "out_refund", "state": "draft", "payment_state": "not_paid", "amount_residual": move["amount_total"],
        "reversed_entry_id": move_id})
    for line in lines_of(database, move_id):
        database.insert("account.move.line", {**{name: value for name, value in line.items() if name != "id"},
                                              "move_id": note})
    return {"type": "ir.actions.act_window", "res_model": "account.move", "res_id": note}


def schedule_activity(records, kind, date_deadline=None, summary="", note="", user_id=False):
    """One for a user; with `quick_update` he is not written to."""
    database = records._database
    database.fault("remind", None)
    assert kind == "mail.mail_activity_data_todo" and records._context.get("mail_activity_quick_update")
    database.insert("mail.activity", {"res_model": records._name, "res_id": records.id, "summary": summary, "note": note,
                                      "user_id": user_id, "date_deadline": str(date_deadline)})


def reconcile_lines(lines):
    """What two payments have left is set off, an incoming one against an outgoing one."""
    database = lines._database
    in_company(lines)
    database.fault("give_back", None)
    rows = [database.tables["account.move.line"][each] for each in lines.ids]
    if len({row["account_id"] for row in rows}) > 1:
        raise UserError("Entries are not from the same account.")
    moves = [row["move_id"] for row in rows]
    payments = {pay["payment_type"]: pay for pay in database.tables["account.payment"].values() if pay["move_id"] in moves}
    if len(payments) == 2:
        part = min(pay["left"] for pay in payments.values())
        for pay in payments.values():
            pay["left"] = round(pay["left"] - part, 6)


def in_company(records):
    """17 and 18 reconcile nothing as a user of another company unless told the company."""
    tables, move = records._database.tables, records._table[records.ids[0]].get("move_id", records.ids[0])
    entries = [*(pay for pay in tables["account.payment"].values() if pay["move_id"] == move), tables["account.move"][move]]
    assert entries[0]["company_id"] in records._context.get("allowed_company_ids", []), "reconciled outside of its company"


def complete_transaction(database, row):
    provider = database.tables["payment.provider"][row["provider_id"]]
    decimals = database.tables["res.currency"][row["currency_id"]]["decimal_places"]
    for name, value in (("sale_order_ids", []), ("operation", "online_redirect"), ("source_transaction_id", False),
                        ("is_post_processed", False), ("state_message", False), ("partner_id", 1),
                        ("write_date", LONG_AGO)):
        row.setdefault(name, value)
    row.update(company_id=provider["company_id"], amount=round(row["amount"], decimals), payment_id=False)


def action_confirm(orders):
    if not orders._database.fault("confirm", None):
        orders._table[orders.id]["state"] = "sale"


def reconciled_payments(moves):
    found = [pay["id"] for pay in moves._database.tables["account.payment"].values() if moves.id in pay["invoices"]]
    return Records(moves.env, "account.payment", found, moves._su, moves._context)


def post_process(transactions):
    database, tx = transactions._database, transactions._table[transactions.id]
    fault = database.fault("post_process", tx["reference"])
    currency = database.tables["res.currency"][tx["currency_id"]]
    if not currency["active"]:
        raise UserError(f"You cannot validate a document with an inactive currency: {currency['name']}")
    tx["is_post_processed"] = True
    if tx["state"] != "done" or tx["payment_id"] or fault:
        return
    confirm_paid_quotation(database, tx)
    database.mails += len(tx["sale_order_ids"])
    date = datetime.date.fromisoformat(transactions._context.get("default_date", database.today))
    tx["payment_id"] = enter_payment(database, tx, date, next_payment_name(database, date.year, tx["company_id"]))


def confirm_paid_quotation(database, tx):
    """One linked quotation becomes an order when it is paid in full; the mail about it may fail."""
    orders = [database.tables["sale.order"][each] for each in tx["sale_order_ids"]]
    if len(orders) == 1 and orders[0]["state"] in ("draft", "sent"):
        database.fault("mail", tx["reference"])
        paid = sum(each["amount"] for each in database.tables["payment.transaction"].values()
                   if orders[0]["id"] in each["sale_order_ids"] and each["state"] in ("authorized", "done"))
        if paid >= orders[0]["amount_total"]:
            orders[0]["state"] = "sale"


def set_canceled(transactions, state_message=None, extra_allowed_states=()):
    row = transactions._table[transactions.id]
    fault = transactions._database.fault("cancel", row["reference"])
    if row["state"] in ("draft", "pending", "authorized", *extra_allowed_states) and not fault:
        row.update(state="cancel", state_message=state_message)


def set_error(transactions, state_message):
    row = transactions._table[transactions.id]
    fault = transactions._database.fault("fail", row["reference"])
    if row["state"] in ("draft", "pending", "authorized") and not fault:
        row.update(state="error", state_message=state_message)


def next_payment_name(database, year, company):
    # Each company has a bank journal of its own, which counts for itself.
    prefix = f"PBNK1/{year}/"
    taken = [int(pay["name"][len(prefix):]) for pay in database.tables["account.payment"].values()
             if pay["name"] and pay["name"].startswith(prefix) and pay["company_id"] == company]
    return f"{prefix}{max(taken, default=0) + 1:05}"


def enter_payment(database, tx, date, name):
    entry = enter_entry(database, name, tx["partner_id"])
    row = database.insert("account.payment", {
        "name": name, "state": "posted", "date": date, "amount": abs(tx["amount"]), "currency_id": tx["currency_id"],
        "company_id": tx["company_id"], "payment_type": "inbound" if tx["amount"] > 0 else "outbound", "move_id": entry,
        "invoices": [], "matched": list(tx["invoice_ids"]), "transaction": tx["reference"], "left": abs(tx["amount"])})
    payment = database.tables["account.payment"][row]
    moves = [database.tables["account.move"][each] for each in tx["invoice_ids"]]
    for move in sorted(moves, key=lambda move: (move["amount_residual"], move["id"])):
        move["state"] = "posted"
        reconcile(payment, move)
    if database.series != 17:
        payment["state"] = "in_process" if payment["left"] else "paid"
    return row


def enter_entry(database, name, partner, receivable=RECEIVABLE):
    """A payment's journal entry: what the customer no longer owes, and where the money is."""
    entry = database.insert("account.move", {"name": name, "move_type": "entry", "state": "posted", "write_date": LONG_AGO})
    enter_lines(database, entry, (receivable, OUTSTANDING), partner)
    return entry


def reconcile(payment, move):
    part = min(payment["left"], move["amount_residual"])
    same = all(move[name] == payment[name] for name in ("company_id", "currency_id"))
    same &= (move["move_type"] == "out_refund") == (payment["payment_type"] == "outbound")
    if part > 0 and same:
        payment["left"] = round(payment["left"] - part, 6)
        move["amount_residual"] = round(move["amount_residual"] - part, 6)
        move["payment_state"] = "partial" if move["amount_residual"] else "paid"
        payment["invoices"].append(move["id"])


def assign_outstanding(moves, line_id):
    tables = moves._database.tables
    in_company(moves)
    moves._database.fault("assign", None)
    line = tables["account.move.line"][line_id]
    payment = next(pay for pay in tables["account.payment"].values() if pay["move_id"] == line["move_id"])
    accounts = [each["account_id"] for each in tables["account.move.line"].values() if each["move_id"] == moves.id]
    if line["account_id"] not in accounts:
        raise UserError("Entries are not from the same account.")
    reconcile(payment, tables["account.move"][moves.id])


def load_records(records, rows):
    return fake_record.load_records(records, rows, serialization_failure(), UserError)


METHODS = {
    **fake_record.METHODS,
    **{(model, "_load_records"): load_records for model in fake_record.FIELDS},
    ("sale.order", "action_confirm"): action_confirm,
    ("account.move", "_get_reconciled_payments"): reconciled_payments,
    ("account.move", "action_post"): post_invoice,
    ("account.move", "js_assign_outstanding_line"): assign_outstanding,
    ("account.move", "activity_schedule"): schedule_activity,
    ("sale.order", "activity_schedule"): schedule_activity,
    ("res.partner", "activity_schedule"): schedule_activity,
    ("account.move.line", "reconcile"): reconcile_lines,
    ("account.move.reversal", "reverse_moves"): (reverse_moves, (17,)),
    ("account.move.reversal", "refund_moves"): (reverse_moves, (18, 19)),
    ("payment.transaction", "_set_canceled"): set_canceled,
    ("payment.transaction", "_set_error"): set_error,
    ("payment.transaction", "_post_process"): (post_process, (18, 19)),
    ("payment.transaction", "_finalize_post_processing"): (post_process, (17,)),
    ("ir.config_parameter", "get_param"): lambda records, key: next(
        (row["value"] for row in records._table.values() if row["key"] == key), False),
}
