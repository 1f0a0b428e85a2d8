# Concilia, server action "book": carries out what was decided upon outside, each effect exactly once: it books payments
# of orders and invoices, confirms, cancels and fails transactions of Odoo's own, and completes bookings whose invoices
# came later.
# Not here: any policy. Here are the fences that hold whoever calls, and the effects. Contract: worker/actions/README.md.
# Odoo's safe_eval runs this text: no imports, no `with`, no two underscores, and inside a function no lambda or
# comprehension may use the function's own variables (closures are forbidden).
VERSION = '3'
# -- the same in every action, letter by letter (a test compares them) --
def named(name, model):
    # Not env.ref(): that is cached, and raises when the record is gone. Gives the row and its record, each perhaps empty.
    row = env['ir.model.data'].sudo().search([('module', '=', 'concilia'), ('name', '=', name)], limit=1)
    # In the company asked for, whichever the bot is of: 17 and 18 reconcile nothing of a company that is not the caller's.
    records = env[model].sudo().with_company(request['company_id'])
    return row, records.browse(row.res_id if row.model == model else []).exists()


def held(names):
    # A payment may have several names: the first that leads to a transaction, that transaction, and names that lead nowhere.
    gone = []
    for name in names:
        row, tx = named(name, 'payment.transaction')
        if tx:
            return name, tx, []
        gone += [name] if row else []
    return names[0], env['payment.transaction'].sudo().with_company(request['company_id']), gone


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


def order_invoices(tx):
    # Also those that were made, or posted, after the payment.
    return tx.sale_order_ids.invoice_ids.filtered(lambda move: move.state == 'posted' and move.move_type == 'out_invoice')


def open_lines(tx):
    # Of the payment's own entry: what no invoice has used up yet is the customer's credit.
    return tx.payment_id.move_id.line_ids.filtered(
        lambda line: line.account_id.account_type == 'asset_receivable' and line.parent_state == 'posted'
        and not line.reconciled)


def owed(tx):
    # (invoice, line): what of its open credit which invoice of its own orders could take, oldest invoice first.
    found = []
    for move in order_invoices(tx).sorted(lambda move: (str(move.invoice_date), move.id)):
        takes = move.line_ids.filtered(
            lambda line: line.account_id.account_type == 'asset_receivable' and not line.reconciled)
        same = (move.company_id, move.currency_id) == (tx.company_id, tx.payment_id.currency_id)
        if same and move.amount_residual > 0 and move.payment_state in ('not_paid', 'partial'):
            for line in open_lines(tx):
                if line.account_id in takes.account_id and line.partner_id == move.commercial_partner_id:
                    found.append((move, line))
    return found


def refunds(tx):
    # Whoever made them.
    return tx.child_transaction_ids.filtered(lambda child: child.operation == 'refund' and child.state == 'done').sorted('id')


def booking_row(name, tx):
    payment, given = tx.payment_id, refunds(tx)
    credit = -sum(open_lines(tx).mapped('amount_residual_currency'))
    return {'name': name, 'transaction': tx.reference, 'provider_reference': tx.provider_reference or False,
            'state': tx.state, 'amount': text(tx.amount, tx.currency_id), 'currency': tx.currency_id.name,
            'company_id': tx.company_id.id, 'payment': payment.name or False,
            'date': str(payment.date) if payment.date else False, 'orders': tx.sale_order_ids.sorted('id').mapped('name'),
            'invoices': [invoice_row(move) for move in (tx.invoice_ids | order_invoices(tx)).sorted('id')],
            'credit': text(credit, payment.currency_id) if payment.move_id else False,
            'refunded': text(-sum(given.mapped('amount')), tx.currency_id),
            'refunds': [{'transaction': child.reference, 'amount': text(-child.amount, child.currency_id),
                         'payment': child.payment_id.name or False,
                         'date': str(child.payment_id.date) if child.payment_id.date else False} for child in given]}


LIVE_PAYMENT = ('posted', 'in_process', 'paid')  # 17 says posted, 18 and 19 the other two
request = env.context['concilia']
if request['protocol'] != 3 or len(request['items']) > 100:
    raise UserError('Concilia: this action speaks protocol 3, with at most 100 items a call.')
_row, provider = named('provider_company_%d' % request['company_id'], 'payment.provider')
provider = provider.filtered(lambda found: found.company_id.id == request['company_id'])
# Without a method line that has a payment account Odoo enters no journal entry (or none at all).
method = provider.with_context(active_test=False).payment_method_ids[:1]
lines = env['account.payment.method.line'].sudo().search([('payment_provider_id', 'in', provider.ids)])
ready = bool(method and lines.filtered(lambda line: line.payment_type == 'inbound' and line.payment_account_id))
database = env['ir.config_parameter'].sudo().get_param('database.uuid')
# -- end of what is the same --
# -- the same in book.py and refund.py, letter by letter (a test compares them) --
NAME_LETTERS = set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.')
NAME_BEGINNINGS = ('chk_', 'payment-', 'charge-', 'invoice-')
DIGITS = set('0123456789')
RUN_AGAIN = ('40001', '40P01', '55P03')  # serialization failure, deadlock, lock not available: Odoo repeats the call
# Nothing the item is to blame for: connection, resources, an operator or a timeout, system; an aborted transaction.
WEATHER_CLASSES, ABORTED = ('08', '53', '57', '58'), '25P02'
UNIQUE_VIOLATION = '23505'


def good_name(name):
    tail = name[4:] if name.startswith('chk_') else name.partition('-')[2]
    return bool(tail) and name.startswith(NAME_BEGINNINGS) and len(name) <= 128 and set(name) <= NAME_LETTERS


def units(amount):
    # '2.50' -> 250; 0 for what is no plain decimal number. Amounts of one currency compare exactly as such integers.
    digits = amount.replace('.', '', 1)
    return int(digits) if digits and set(digits) <= DIGITS else 0


def touch(record):
    # Two effects on one record must not pass the fences side by side: Odoo reads from a snapshot, so the second is
    # stopped only by a row both write. It gets a serialization failure, Odoo runs it again, and it sees the first.
    tables = {'sale.order': 'UPDATE sale_order SET write_date = write_date WHERE id = %s',
              'account.move': 'UPDATE account_move SET write_date = write_date WHERE id = %s',
              'res.partner': 'UPDATE res_partner SET write_date = write_date WHERE id = %s',
              'payment.transaction': 'UPDATE payment_transaction SET write_date = write_date WHERE id = %s'}
    env.cr.execute(tables[record._name], (record.id,))


def posted(moves):
    return moves.filtered(lambda move: move.state == 'posted' and move.move_type == 'out_invoice').sorted('id')


def provider_fence():
    if not provider:
        return 'no_provider'
    if provider.state not in ('enabled', 'test'):
        return 'provider_disabled'
    return False if ready else 'not_ready'


def ventipay_id(name):
    # What Ventipay calls it: chk_1 of chk_1, pay_1 of payment-pay_1.
    return name if name.startswith('chk_') else name.split('-', 1)[1]


def taken(names, own):
    # Somebody else's transaction of such a name. A reference is unique in every state; creating ours would fail for ever.
    ids = [ventipay_id(name) for name in names]
    return env['payment.transaction'].sudo().search([
        ('id', 'not in', own.ids), '|', ('reference', 'in', names), '&', ('provider_reference', 'in', ids),
        ('state', 'not in', ('cancel', 'error'))], limit=1)


def claim(names, tx):
    # In one order, whoever calls a payment by which name first: two at once then wait instead of deadlocking.
    for name in sorted(set(names)):
        env['ir.model.data'].sudo().create({'module': 'concilia', 'name': name, 'model': 'payment.transaction',
                                            'res_id': tx.id, 'noupdate': True})


def post_process(item, tx):
    # default_date: the day it happened, not the day it is booked.
    dated = tx.with_context(default_date=item['date'])
    if 'memo' in env['account.payment']._fields:
        dated._post_process()
    else:
        dated._finalize_post_processing()  # 17, whose payments have no memo yet, calls it so


def check_entered(item, tx, direction):
    env.flush_all()  # what the database has against it, it says now
    payment, sign = tx.payment_id, 1 if direction == 'inbound' else -1
    if not payment.move_id or payment.payment_type != direction or payment.state not in LIVE_PAYMENT:
        raise UserError('Odoo made no entry for %s.' % item['name'])
    if text(sign * tx.amount, tx.currency_id) != item['amount'] or text(payment.amount, payment.currency_id) != item['amount']:
        raise UserError('Odoo stored another amount for %s.' % item['name'])


def pgcode(error):
    try:
        return error.pgcode or ''
    except Exception:
        return ''


def nobody_to_blame(code):
    return code in RUN_AGAIN or code[:2] in WEATHER_CLASSES or code == ABORTED


def isolated(item):
    # A savepoint an item: what fails leaves nothing, and the others stay.
    savepoint = env.cr.savepoint()
    try:
        answer = perform(item)
        savepoint.close(rollback=False)
        return answer
    except Exception as error:
        savepoint.close(rollback=True)
        code = pgcode(error)
        if nobody_to_blame(code):
            raise error
        # Of a database error only the first line: the next ones quote the row.
        detail = str(error).split('\n')[0] if code else str(error)
        # Another module's unique constraint is no race for our name, and may refuse for ever.
        if code == UNIQUE_VIOLATION and ('payment_transaction_reference_uniq' in detail
                                         or 'ir_model_data_module_name_uniq_index' in detail):
            return result(item['name'], 'again', 'race')
        return result(item['name'], 'failed', 'odoo', detail[:500])
# -- end of what book.py and refund.py share --
PAID, OPEN = ('authorized', 'done'), ('draft', 'pending', 'cancel', 'error')


def result(name, status, why=False, detail=False, booking=False, transaction=False):
    return {'name': name, 'status': status, 'why': why, 'detail': detail, 'booking': booking, 'transaction': transaction}


def names_of(item):
    return [item['name']] + item.get('aliases', [])


def signed_units(amount):
    return -units(amount[1:]) if amount[:1] == '-' else units(amount)


def same_invoices(invoices, decided):
    found = [(move.id, text(move.amount_residual, move.currency_id)) for move in invoices]
    return found == sorted([(row['id'], row['residual']) for row in decided])


# -- book: a payment for an order of an external shop --
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
    if 'paid' not in item['accepted'] and order.transaction_ids.filtered(lambda tx: tx.state in PAID):
        return 'changed', 'order_paid'
    if text(float(item['amount']), currency) != item['amount']:
        return 'refused', 'amount'  # not written with the currency's decimals
    if 'amount' not in item['accepted'] and units(item['amount']) > units(wanted['total']):
        return 'refused', 'above_document'
    invoices = posted(order.invoice_ids)
    if invoices.filtered(lambda move: move.company_id.id != request['company_id']):
        return 'changed', 'company'
    return False if same_invoices(invoices, item['invoices']) else ('changed', 'invoices')


def enter(item, partner, invoices, orders):
    tx = env['payment.transaction'].sudo().create({
        'provider_id': provider.id, 'payment_method_id': method.id, 'operation': 'online_redirect', 'state': 'done',
        'reference': item['name'], 'provider_reference': ventipay_id(item['name']), 'amount': float(item['amount']),
        'currency_id': (orders or invoices).currency_id.id, 'partner_id': partner.id,
        'last_state_change': datetime.datetime.now(), 'invoice_ids': [Command.set(invoices.ids)]})
    claim(names_of(item), tx)
    post_process(item, tx)
    # Linked only now: post-processing a transaction that has an order would write to the customer.
    tx.write({'sale_order_ids': [Command.set(orders.ids)]})
    check_entered(item, tx, 'inbound')
    return result(item['name'], 'booked', booking=booking_row(item['name'], tx))


def book(item):
    name = item['name']
    if taken(names_of(item), env['payment.transaction']):
        return result(name, 'changed', 'other_transaction')
    why = provider_fence()
    if why or not units(item['amount']):
        return result(name, 'refused', why or 'amount')
    order = env['sale.order'].sudo().with_company(request['company_id']).browse(item['order']['id']).exists()
    stopped = order_fence(item, order)
    if stopped:
        return result(name, stopped[0], stopped[1])
    touch(order)
    if item['confirm'] and order.state in ('draft', 'sent'):
        order.action_confirm()
        if order.state != 'sale':
            raise UserError('The quotation %s was not confirmed.' % order.name)
    unpaid = posted(order.invoice_ids).filtered(lambda move: move.amount_residual)
    return enter(item, order.partner_invoice_id, unpaid, order)


# -- pay_invoice: a payment for a customer invoice that is there --
def invoice_fence(item, move):
    wanted, currency = item['invoice'], move.currency_id
    if not move or move.move_type != 'out_invoice':
        return 'changed', 'invoice_gone'
    if move.name != wanted['name']:
        return 'changed', 'invoice_name'
    if move.company_id.id != request['company_id']:
        return 'changed', 'company'
    if currency.name != item['currency']:
        return 'changed', 'currency'
    if not currency.active:
        return 'refused', 'inactive_currency'
    if move.state != wanted['state'] or move.state != 'posted':
        return 'changed', 'invoice_state'  # Odoo would post a draft by itself
    if text(move.amount_total, currency) != wanted['total']:
        return 'changed', 'invoice_total'
    if text(move.amount_residual, currency) != wanted['residual']:
        return 'changed', 'invoice_residual'
    # 18 and 19 leave the residual as it is for payments without an entry: only the state tells.
    if 'paid' not in item['accepted'] and move.payment_state not in ('not_paid', 'partial'):
        return 'changed', 'invoice_paid'
    if text(float(item['amount']), currency) != item['amount']:
        return 'refused', 'amount'
    if not item['accepted'] and units(item['amount']) > units(wanted['residual']):
        return 'refused', 'above_document'
    return False


def pay_invoice(item):
    name = item['name']
    if taken(names_of(item), env['payment.transaction']):
        return result(name, 'changed', 'other_transaction')
    why = provider_fence()
    if why or not units(item['amount']):
        return result(name, 'refused', why or 'amount')
    move = env['account.move'].sudo().with_company(request['company_id']).browse(item['invoice']['id']).exists()
    stopped = invoice_fence(item, move)
    if stopped:
        return result(name, stopped[0], stopped[1])
    touch(move)
    orders = move.line_ids.sale_line_ids.order_id.sorted('id')
    for order in orders:
        touch(order)
    return enter(item, move.partner_id, move, orders)


# -- confirm, cancel and fail: a transaction of Odoo's own making --
def transaction_fence(item, tx, why):
    # `why`: what the kind of effect has against the provider. (status, why), or False.
    if not tx:
        return 'changed', 'transaction_gone'
    if tx.reference != item['transaction']['reference']:
        return 'changed', 'transaction_reference'
    if why:
        return 'refused', why
    if tx.provider_id.id != provider.id:
        return 'refused', 'other_provider'
    if tx.company_id.id != request['company_id']:
        return 'changed', 'company'
    return False


def confirm_fence(item, tx):
    currency, state = tx.currency_id, tx.state
    if currency.name != item['currency']:
        return 'changed', 'currency'
    if not currency.active:
        return 'refused', 'inactive_currency'
    if not units(item['amount']):
        return 'refused', 'amount'
    if text(tx.amount, currency) != item['amount']:
        return 'changed', 'amount'
    if state in PAID:
        return 'changed', 'transaction_done'
    if state != item['transaction']['state'] or state not in OPEN:
        return 'changed', 'transaction_state'
    if taken(names_of(item), tx):
        return 'changed', 'other_transaction'
    return linked_invoices_fence(item, tx) or linked_orders_fence(item, tx)


def linked_invoices_fence(item, tx):
    invoices = tx.invoice_ids.sorted('id')
    if invoices.filtered(lambda move: move.company_id.id != request['company_id']):
        return 'changed', 'company'
    if invoices.filtered(lambda move: move.state != 'posted' or move.move_type != 'out_invoice'):
        return 'changed', 'invoices'  # Odoo would post a draft by itself
    if invoices and invoices.currency_id != tx.currency_id:
        return 'changed', 'currency'
    if not same_invoices(invoices, item['invoices']):
        return 'changed', 'invoices'
    left = sum([units(text(move.amount_residual, move.currency_id)) for move in invoices])
    if invoices and 'paid' not in item['accepted'] and left < units(item['amount']):
        return 'refused', 'above_document'
    return False


def linked_orders_fence(item, tx):
    orders, wanted = tx.sale_order_ids.sorted('id'), {}
    for row in item['orders']:
        wanted[row['id']] = row
    if orders.ids != sorted(wanted):
        return 'changed', 'orders'
    for order in orders:
        if order.company_id.id != request['company_id']:
            return 'changed', 'company'
        if order.currency_id != tx.currency_id:
            return 'changed', 'currency'
        if order.name != wanted[order.id]['name']:
            return 'changed', 'order_name'
        if order.state != wanted[order.id]['state'] or order.state == 'cancel':
            return 'changed', 'order_state'
        total = text(order.amount_total, order.currency_id)
        if total != wanted[order.id]['total']:
            return 'changed', 'order_total'
        paid = order.transaction_ids.filtered(lambda other: other.state in PAID)  # this one is not
        if 'paid' in item['accepted'] or not paid:
            continue
        sums = sum([signed_units(text(other.amount, other.currency_id)) for other in paid])
        # Amounts of two currencies do not add up: that is for a person to see.
        if paid.currency_id != order.currency_id or sums + units(item['amount']) > units(total):
            return 'changed', 'order_paid'
    return False


def confirm(item, tx):
    name = item['name']
    stopped = transaction_fence(item, tx, provider_fence()) or confirm_fence(item, tx)
    if stopped:
        return result(name, stopped[0], stopped[1])
    touch(tx)
    for order in tx.sale_order_ids.sorted('id'):
        touch(order)
    claim(names_of(item), tx)
    # Without is_post_processed 18 and 19 pass over what they have seen as a draft before.
    tx.write({'state': 'done', 'provider_reference': ventipay_id(name), 'last_state_change': datetime.datetime.now(),
              'is_post_processed': False, 'state_message': False})
    post_process(item, tx)
    check_entered(item, tx, 'inbound')
    return result(name, 'booked', booking=booking_row(name, tx))


def give_up(item, tx):
    # cancel, fail: of what is not paid.
    name, kind = item['name'], item['kind']
    state, status = ('cancel', 'canceled') if kind == 'cancel' else ('error', 'errored')
    stopped = transaction_fence(item, tx, False if provider else 'no_provider')
    if stopped:
        return result(name, stopped[0], stopped[1])
    if tx.state == state:
        return result(name, status, transaction=tx.reference)
    if tx.state in PAID:
        return result(name, 'changed', 'transaction_done')
    if tx.state != item['transaction']['state'] or (kind == 'fail' and tx.state == 'cancel'):
        return result(name, 'changed', 'transaction_state')
    if tx.provider_reference and tx.provider_reference not in [ventipay_id(own) for own in names_of(item)]:
        return result(name, 'changed', 'other_checkout')
    touch(tx)
    if kind == 'cancel':
        tx._set_canceled(state_message=item['message'], extra_allowed_states=('error',))
    else:
        tx._set_error(item['message'])
    env.flush_all()
    if tx.state != state:
        raise UserError('Odoo did not %s %s.' % (kind, tx.reference))
    return result(name, status, transaction=tx.reference)


# -- complete: the open credit of a booking, for invoices of its own orders that came later --
def complete(name, found, tx):
    if not tx:
        return result(name, 'changed', 'not_booked')
    if tx.company_id.id != request['company_id']:
        return result(name, 'changed', 'company')
    pairs = owed(tx)
    if not pairs:
        return result(name, 'already', booking=booking_row(found, tx))
    touch(tx)
    for move, line in pairs:
        if not line.reconciled and move.amount_residual > 0:
            move.js_assign_outstanding_line(line.id)
    env.flush_all()
    return result(name, 'booked', booking=booking_row(found, tx))


def perform(item):
    name, kind = item['name'], item['kind']
    if not all([good_name(own) for own in names_of(item)]):
        return result(name, 'refused', 'name')
    found, known, gone = held(names_of(item))
    if kind == 'complete':
        return complete(name, found, known)
    if known:
        return result(name, 'already', booking=booking_row(found, known))
    if gone:
        raise UserError('The name %s leads to a transaction that is gone.' % gone[0])
    if kind == 'book':
        return book(item)
    if kind == 'pay_invoice':
        return pay_invoice(item)
    if kind not in ('confirm', 'cancel', 'fail'):
        return result(name, 'refused', 'kind')
    txs = env['payment.transaction'].sudo().with_company(request['company_id'])
    tx = txs.browse(item['transaction']['id']).exists()
    return confirm(item, tx) if kind == 'confirm' else give_up(item, tx)


def first_order(item):
    orders = [item['order']] if 'order' in item else item.get('orders', [])
    return min([order['id'] for order in orders], default=0)


# Worked in the order of the orders' ids: two batches at once then wait for each other instead of deadlocking.
# Answered in the order asked.
work = sorted(range(len(request['items'])), key=lambda place: first_order(request['items'][place]))
answers = {place: isolated(request['items'][place]) for place in work}
action = {'type': 'ir.actions.act_window_close', 'infos': {'concilia': {
    'protocol': 3, 'action': 'book', 'version': VERSION, 'database': database,
    'items': [answers[place] for place in sorted(answers)]}}}
