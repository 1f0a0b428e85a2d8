# Concilia, server action "observe": tells what this Odoo holds about the names and orders asked for. Writes nothing.
# Not here: any judgement. What the answer means is decided outside. Contract: worker/actions/README.md.
# Odoo's safe_eval runs this text: no imports, no `with`, no two underscores, and inside a function no lambda or
# comprehension may use the function's own variables (closures are forbidden).
VERSION = '1'
# -- the same in observe.py and book.py, letter by letter (a test compares them) --
def named(name, model):
    # Not env.ref(): that is cached, and raises when the record is gone. Gives the row and its record, each perhaps empty.
    row = env['ir.model.data'].sudo().search([('module', '=', 'concilia'), ('name', '=', name)], limit=1)
    return row, env[model].sudo().browse(row.res_id if row.model == model else []).exists()


def text(amount, currency):
    # Amounts leave as decimal text, never as floats; + 0.0 turns -0.0 into 0.0.
    return '%.*f' % (currency.decimal_places, amount + 0.0)


def invoice_row(move):
    # 18 and 19 know payments without a journal entry, which are matched but not reconciled; count both kinds once.
    payments = move._get_reconciled_payments()
    if 'matched_payment_ids' in move._fields:
        payments |= move.matched_payment_ids
    return {'id': move.id, 'name': move.name if move.name and move.name != '/' else False,
            'type': move.move_type, 'state': move.state, 'payment_state': move.payment_state,
            'company_id': move.company_id.id, 'currency': move.currency_id.name,
            'total': text(move.amount_total, move.currency_id), 'residual': text(move.amount_residual, move.currency_id),
            'payments': len(payments.filtered(lambda payment: payment.state in LIVE_PAYMENT))}


def booking_row(tx):
    payment = tx.payment_id
    return {'transaction': tx.reference, 'state': tx.state, 'amount': text(tx.amount, tx.currency_id),
            'currency': tx.currency_id.name, 'company_id': tx.company_id.id, 'payment': payment.name or False,
            'date': str(payment.date) if payment.date else False, 'orders': tx.sale_order_ids.sorted('id').mapped('name'),
            'invoices': [invoice_row(move) for move in tx.invoice_ids.sorted('id')]}


LIVE_PAYMENT = ('posted', 'in_process', 'paid')  # 17 says posted, 18 and 19 the other two
request = env.context['concilia']
if request['protocol'] != 1 or len(request['items']) > 100:
    raise UserError('Concilia: this action speaks protocol 1, with at most 100 items a call.')
_row, provider = named('provider_company_%d' % request['company_id'], 'payment.provider')
provider = provider.filtered(lambda found: found.company_id.id == request['company_id'])
# Without a method line that has a payment account Odoo enters no journal entry (or none at all).
method = provider.with_context(active_test=False).payment_method_ids[:1]
lines = env['account.payment.method.line'].sudo().search([('payment_provider_id', 'in', provider.ids)])
ready = bool(method and lines.filtered(lambda line: line.payment_type == 'inbound' and line.payment_account_id))
database = env['ir.config_parameter'].sudo().get_param('database.uuid')
# -- end of what is the same --


OURS = env['ir.model.data'].sudo().search([('module', '=', 'concilia'), ('model', '=', 'payment.provider')]).mapped('res_id')


def transaction_row(tx):
    return {'reference': tx.reference, 'provider_reference': tx.provider_reference or False,
            'ours': tx.provider_id.id in OURS, 'state': tx.state, 'amount': text(tx.amount, tx.currency_id),
            'currency': tx.currency_id.name, 'company_id': tx.company_id.id}


def order_row(order):
    paid = order.transaction_ids.filtered(lambda tx: tx.state in ('authorized', 'done')).sorted('id')
    return {'id': order.id, 'name': order.name, 'state': order.state, 'company_id': order.company_id.id,
            'currency': order.currency_id.name, 'total': text(order.amount_total, order.currency_id),
            'transactions': [transaction_row(tx) for tx in paid],
            'invoices': [invoice_row(move) for move in order.invoice_ids.sorted('id')]}


def probe_row(probe):
    orders = env['sale.order'].sudo()
    field = orders._fields.get(probe['field'])
    known = bool(field) and field.type in ('char', 'text') and bool(field.store or field.search)
    # An empty value would find every order whose field is empty.
    if known and probe['value']:
        orders = orders.search(request['domain'] + [('company_id', '=', request['company_id']),
                                                    (probe['field'], '=', probe['value'])], limit=5, order='id')
    return {'field': probe['field'], 'value': probe['value'], 'unknown_field': not known,
            'orders': [order_row(order) for order in orders]}


def item_row(item):
    _row, booked = named(item['name'], 'payment.transaction')
    others = env['payment.transaction'].sudo().search(
        ['|', ('reference', '=', item['name']), ('provider_reference', '=', item['name']),
         ('id', 'not in', booked.ids)], limit=20, order='id')
    return {'name': item['name'], 'booked': booking_row(booked) if booked else False,
            'transactions': [transaction_row(tx) for tx in others],
            'probes': [probe_row(probe) for probe in item['probes']]}


# The texts as they are stored, so that an action edited by hand is noticed.
env.cr.execute("""
    SELECT d.name, encode(sha256(convert_to(btrim(s.code, %s), 'UTF8')), 'hex')
      FROM ir_model_data d JOIN ir_act_server s ON s.id = d.res_id
     WHERE d.module = 'concilia' AND d.model = 'ir.actions.server' AND d.name IN ('action_observe', 'action_book')
""", (' \n\r\t',))
stored = dict(env.cr.fetchall())
action = {'type': 'ir.actions.act_window_close', 'infos': {'concilia': {
    'protocol': 1, 'action': 'observe', 'version': VERSION, 'database': database,
    'actions': {'observe': stored.get('action_observe', False), 'book': stored.get('action_book', False)},
    'provider': {'id': provider.id, 'state': provider.state, 'ready': ready} if provider else False,
    'items': [item_row(item) for item in request['items']]}}}
