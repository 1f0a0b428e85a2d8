# Concilia, server action "refund": gives back what was paid, each part exactly once: an outbound payment of its own, matched
# with what the payment it undoes has left, and a reminder (or a draft) of the credit note for people.
# Not here: any policy, and no credit note is ever posted. Contract: worker/actions/README.md.
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
CREDIT_NOTES = ('activity', 'draft', 'none')  # none: nobody is reminded, as of what a lost dispute took back


def result(name, status, why=False, detail=False, booking=False, refund=False):
    return {'name': name, 'status': status, 'why': why, 'detail': detail, 'booking': booking, 'refund': refund}


def sources_of(item):
    return [item['of']] + item.get('aliases_of', [])


def good_refund_name(item):
    # One refund of a payment follows a sum given back before, or is a dispute's.
    name, after, dispute = item['name'], item['of'] + '-refund-after-', item['of'] + '-dispute-'
    if name.startswith(after):
        return set(name[len(after):]) <= DIGITS and len(name) > len(after)
    return name.startswith(dispute) and len(name) > len(dispute)


def refund_row(child):
    note = child.invoice_ids.filtered(lambda move: move.move_type == 'out_refund')[:1]
    payment = child.payment_id
    return {'transaction': child.reference, 'amount': text(-child.amount, child.currency_id), 'payment': payment.name or False,
            'date': str(payment.date) if payment.date else False, 'credit_note': (note.name or '/') if note else False}


def refund_fence(item, source):
    # What was decided upon must still be so. (status, why), or False when nothing stands in the way.
    currency = source.currency_id
    if not source:
        return 'changed', 'not_booked'
    if source.company_id.id != request['company_id']:
        return 'changed', 'company'
    if provider_fence():
        return 'refused', provider_fence()
    if source.provider_id.id != provider.id:
        return 'refused', 'other_provider'
    if source.state != 'done':
        return 'changed', 'transaction_state'
    if currency.name != item['currency']:
        return 'changed', 'currency'
    if not currency.active:
        return 'refused', 'inactive_currency'
    if not units(item['amount']) or text(float(item['amount']), currency) != item['amount']:
        return 'refused', 'amount'
    given = text(-sum(refunds(source).mapped('amount')), currency)
    if given != item['after']:
        return 'changed', 'refunds'
    if units(given) + units(item['amount']) > units(text(source.amount, currency)):
        return 'refused', 'above_payment'
    return ('changed', 'other_transaction') if taken([item['name']], env['payment.transaction']) else False


def enter(item, source, notes):
    child = env['payment.transaction'].sudo().create({
        'provider_id': source.provider_id.id, 'payment_method_id': source.payment_method_id.id, 'operation': 'refund',
        'state': 'done', 'source_transaction_id': source.id, 'reference': item['name'], 'provider_reference': item['name'],
        'amount': -float(item['amount']), 'currency_id': source.currency_id.id, 'partner_id': source.partner_id.id,
        'last_state_change': datetime.datetime.now(), 'invoice_ids': [Command.set(notes.ids)]})
    claim([item['name']], child)
    post_process(item, child)
    check_entered(item, child, 'outbound')
    return child


def give_back_credit(source, child):
    # What was paid and not yet invoiced is the customer's credit: given back, no later invoice may be paid from it.
    for line in open_lines(child):
        for credit in open_lines(source):
            if (credit.account_id, credit.partner_id) == (line.account_id, line.partner_id) and not line.reconciled:
                (credit | line).reconcile()


# -- the credit note: what is there, a draft, or a reminder --
def posted_note(item, moves):
    # People may have been quicker: one that has just this amount left.
    notes = env['account.move'].sudo().with_company(request['company_id'])
    for note in notes.search([('reversed_entry_id', 'in', moves.ids), ('state', '=', 'posted')], order='id'):
        if note.currency_id.name == item['currency'] and text(note.amount_residual, note.currency_id) == item['amount']:
            return note
    return notes


def made_note(item, move):
    wizard = env['account.move.reversal'].sudo().with_company(request['company_id']).with_context(
        active_model='account.move', active_ids=move.ids, active_id=move.id).create(
        {'reason': item['summary'], 'journal_id': move.journal_id.id})
    made = wizard.reverse_moves() if 'memo' not in env['account.payment']._fields else wizard.refund_moves()
    note = env['account.move'].sudo().browse(made['res_id'])
    if text(note.amount_total, note.currency_id) != item['amount']:
        lines = note.invoice_line_ids.filtered(lambda line: line.display_type == 'product')
        kept, taxes = lines[:1], {tuple(line.tax_ids.ids) for line in lines}
        if len(taxes) != 1 or not kept.price_total:
            return False  # which of them is given back, a person knows
        price = float(item['amount']) * kept.price_unit * kept.quantity * (100 - kept.discount) / 100 / kept.price_total
        note.write({'invoice_line_ids': [Command.update(kept.id, {'quantity': 1, 'discount': 0, 'price_unit': price})]
                    + [Command.delete(line.id) for line in note.invoice_line_ids - kept]})
    env.flush_all()
    # Some sums with tax cannot be reached in whole pesos (odoo-api-2.md 1.3).
    return note if note.state == 'draft' and text(note.amount_total, note.currency_id) == item['amount'] else False


def draft_note(item, move):
    # A draft, or nothing of it: that it cannot be had is no reason not to book the refund.
    savepoint = env.cr.savepoint()
    try:
        note = made_note(item, move)
        savepoint.close(rollback=not note)
        return note
    except Exception as error:
        savepoint.close(rollback=True)
        if nobody_to_blame(pgcode(error)):
            raise error
        return False


def remind(item, record):
    # Every accountant in charge once; by what it is about, whoever was reminded before.
    touch(record)
    note = item['note'].replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')
    group = env.ref('account.group_account_manager').sudo()
    users = group.all_user_ids if 'all_user_ids' in group._fields else group.users
    company, open_ones = env['res.company'].sudo().browse(request['company_id']), env['mail.activity'].sudo().search(
        [('res_model', '=', record._name), ('res_id', '=', record.id), ('summary', '=', item['summary'])])
    for user in users.filtered(lambda user: user.active and not user.share).sorted('id'):
        if company in user.company_ids and user not in open_ones.user_id:
            # quick_update: no mail to each of them; a mail that fails must not undo the money.
            record.with_context(mail_activity_quick_update=True).activity_schedule(
                'mail.mail_activity_data_todo', date_deadline=datetime.date.fromisoformat(item['deadline']),
                summary=item['summary'], note=note, user_id=user.id)


def refund(item):
    found, source, _gone = held(sources_of(item))
    stopped = refund_fence(item, source)
    if stopped:
        return result(item['name'], stopped[0], stopped[1])
    touch(source)
    credit, moves = open_lines(source), posted(source.invoice_ids | order_invoices(source))
    notes = env['account.move'] if credit else posted_note(item, moves)
    child = enter(item, source, notes)
    give_back_credit(source, child)
    untouched = not credit and not notes
    if item['credit_note'] == 'draft' and untouched and len(moves) == 1:
        notes = draft_note(item, moves) or notes
    # Linked only now: Odoo would post a draft, and write to the customer of an order. A credit note that is posted later
    # takes the refund it is linked with.
    child.write({'sale_order_ids': [Command.set(source.sale_order_ids.ids)],
                 'invoice_ids': [Command.set((source.invoice_ids | notes).ids)]})
    if not notes and item['credit_note'] != 'none':
        remind(item, moves[:1] or source.sale_order_ids.sorted('id')[:1] or source.partner_id)
    env.flush_all()
    return result(item['name'], 'booked', booking=booking_row(found, source), refund=refund_row(child))


def perform(item):
    name = item['name']
    if item['kind'] != 'refund':
        return result(name, 'refused', 'kind')
    if not all([good_name(own) for own in sources_of(item) + [name]]) or not good_refund_name(item):
        return result(name, 'refused', 'name')
    if item['credit_note'] not in CREDIT_NOTES:
        return result(name, 'refused', 'credit_note')
    _found, known, gone = held([name])
    if gone:
        raise UserError('The name %s leads to a transaction that is gone.' % name)
    if known:
        source = known.source_transaction_id
        return result(name, 'already', booking=booking_row(held(sources_of(item))[0], source) if source else False,
                      refund=refund_row(known))
    return refund(item)


# Worked in the order of the payments' names: two batches at once then wait for each other instead of deadlocking.
# Answered in the order asked.
work = sorted(range(len(request['items'])), key=lambda place: request['items'][place]['of'])
answers = {place: isolated(request['items'][place]) for place in work}
action = {'type': 'ir.actions.act_window_close', 'infos': {'concilia': {
    'protocol': 3, 'action': 'refund', 'version': VERSION, 'database': database,
    'items': [answers[place] for place in sorted(answers)]}}}
