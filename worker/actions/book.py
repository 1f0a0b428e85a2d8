# Concilia, server action "book": enters payments that were decided upon outside, each exactly once.
# Not here: any policy. Here are the fences that hold whoever calls, and the effect. Contract: worker/actions/README.md.
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
NAME_LETTERS = set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_')
DIGITS = set('0123456789')
RUN_AGAIN = ('40001', '40P01', '55P03')  # serialization failure, deadlock, lock not available: Odoo repeats the call
# Nothing the item is to blame for: connection, resources, an operator or a timeout, system; an aborted transaction.
WEATHER_CLASSES, ABORTED = ('08', '53', '57', '58'), '25P02'
UNIQUE_VIOLATION = '23505'


def result(name, status, why=False, detail=False, booking=False):
    return {'name': name, 'status': status, 'why': why, 'detail': detail, 'booking': booking}


def units(amount):
    # '2.50' -> 250; 0 for what is no plain decimal number. Amounts of one currency compare exactly as such integers.
    digits = amount.replace('.', '', 1)
    return int(digits) if digits and set(digits) <= DIGITS else 0


def posted_invoices(order):
    return order.invoice_ids.filtered(lambda move: move.state == 'posted' and move.move_type == 'out_invoice').sorted('id')


def provider_fence():
    if not provider:
        return 'no_provider'
    if provider.state not in ('enabled', 'test'):
        return 'provider_disabled'
    return False if ready else 'not_ready'


def order_fence(item, order):
    # What was decided upon must still be so. (status, why), or False when nothing stands in the way.
    wanted, currency = item['order'], order.currency_id
    if not order:
        return 'changed', 'order_gone'
    if order.name != wanted['name']:
        return 'changed', 'order_name'
    if order.company_id.id != request['company_id']:
        return 'changed', 'company'
    if currency.name != item['currency']:
        return 'changed', 'currency'
    if not currency.active:
        return 'refused', 'inactive_currency'
    if text(order.amount_total, currency) != wanted['total']:
        return 'changed', 'order_total'
    if order.state != wanted['state'] or order.state == 'cancel':
        return 'changed', 'order_state'
    if order.transaction_ids.filtered(lambda tx: tx.state in ('authorized', 'done')):
        return 'changed', 'order_paid'
    if text(float(item['amount']), currency) != item['amount']:
        return 'refused', 'amount'  # not written with the currency's decimals
    if units(item['amount']) > units(wanted['total']):
        return 'refused', 'above_document'
    return invoices_fence(item, order)


def invoices_fence(item, order):
    invoices = posted_invoices(order)
    if invoices.filtered(lambda move: move.company_id.id != request['company_id']):
        return 'changed', 'company'
    found = [(move.id, text(move.amount_residual, move.currency_id)) for move in invoices]
    decided = [(row['id'], row['residual']) for row in item['invoices']]
    return False if found == sorted(decided) else ('changed', 'invoices')


def enter(item, order):
    # Two bookings of one order must not pass the fences side by side: Odoo reads from a snapshot, so the second is
    # stopped only by a row both write. It gets a serialization failure, Odoo runs it again, and it sees the first.
    env.cr.execute('UPDATE sale_order SET write_date = write_date WHERE id = %s', (order.id,))
    if item['confirm'] and order.state in ('draft', 'sent'):
        order.action_confirm()
        if order.state != 'sale':
            raise UserError('The quotation %s was not confirmed.' % order.name)
    unpaid = posted_invoices(order).filtered(lambda move: move.amount_residual)
    tx = env['payment.transaction'].sudo().create({
        'provider_id': provider.id, 'payment_method_id': method.id, 'operation': 'online_redirect', 'state': 'done',
        'reference': item['name'], 'provider_reference': item['name'], 'amount': float(item['amount']),
        'currency_id': order.currency_id.id, 'partner_id': order.partner_invoice_id.id,
        'last_state_change': datetime.datetime.now(), 'invoice_ids': [Command.set(unpaid.ids)]})
    env['ir.model.data'].sudo().create({'module': 'concilia', 'name': item['name'], 'model': 'payment.transaction',
                                        'res_id': tx.id, 'noupdate': True})
    # default_date: the day it was paid, not the day it is booked.
    dated = tx.with_context(default_date=item['date'])
    if 'memo' in env['account.payment']._fields:
        dated._post_process()
    else:
        dated._finalize_post_processing()  # 17, whose payments have no memo yet, calls it so
    # Linked only now: post-processing a transaction that has an order would write to the customer.
    tx.write({'sale_order_ids': [Command.set(order.ids)]})
    env.flush_all()  # what the database has against it, it says now
    payment = tx.payment_id
    if not payment.move_id or payment.payment_type != 'inbound':
        raise UserError('Odoo made no entry for %s.' % item['name'])
    if [text(row.amount, row.currency_id) for row in tx] + [text(row.amount, row.currency_id) for row in payment] \
            != [item['amount'], item['amount']]:
        raise UserError('Odoo stored another amount for %s.' % item['name'])
    return tx


def book(item):
    name = item['name']
    if name[:4] != 'chk_' or not 4 < len(name) <= 128 or not set(name) <= NAME_LETTERS:
        return result(name, 'refused', 'name')
    row, known = named(name, 'payment.transaction')
    if known:
        return result(name, 'already', booking=booking_row(known))
    if row:
        raise UserError('The name %s leads to a transaction that is gone.' % name)
    # Somebody else's transaction of this name. A reference is unique in every state; creating ours would fail for ever.
    if env['payment.transaction'].sudo().search([
            '|', ('reference', '=', name), '&', ('provider_reference', '=', name),
            ('state', 'not in', ('cancel', 'error'))], limit=1):
        return result(name, 'changed', 'other_transaction')
    why = provider_fence()
    if why or not units(item['amount']):
        return result(name, 'refused', why or 'amount')
    order = env['sale.order'].sudo().with_company(request['company_id']).browse(item['order']['id']).exists()
    stopped = order_fence(item, order)
    if stopped:
        return result(name, stopped[0], stopped[1])
    return result(name, 'booked', booking=booking_row(enter(item, order)))


def isolated(item):
    # A savepoint an item: what fails leaves nothing, and the others stay.
    savepoint = env.cr.savepoint()
    try:
        answer = book(item)
        savepoint.close(rollback=False)
        return answer
    except Exception as error:
        savepoint.close(rollback=True)
        code = ''
        try:
            code = error.pgcode or ''
        except Exception:
            code = ''
        if code in RUN_AGAIN or code[:2] in WEATHER_CLASSES or code == ABORTED:
            raise error
        # Of a database error only the first line: the next ones quote the row.
        detail = str(error).split('\n')[0] if code else str(error)
        # Another module's unique constraint is no race for our name, and may refuse for ever.
        if code == UNIQUE_VIOLATION and ('payment_transaction_reference_uniq' in detail
                                         or 'ir_model_data_module_name_uniq_index' in detail):
            return result(item['name'], 'again', 'race')
        return result(item['name'], 'failed', 'odoo', detail[:500])


# Worked in the order of the orders' ids: two batches at once then wait for each other instead of deadlocking.
# Answered in the order asked.
work = sorted(range(len(request['items'])), key=lambda place: request['items'][place]['order']['id'])
answers = {place: isolated(request['items'][place]) for place in work}
action = {'type': 'ir.actions.act_window_close', 'infos': {'concilia': {
    'protocol': 1, 'action': 'book', 'version': VERSION, 'database': database,
    'items': [answers[place] for place in sorted(answers)]}}}
