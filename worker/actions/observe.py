# Concilia, server action "observe": tells what this Odoo holds about the names and orders asked for, and what changed
# lately. Writes nothing.
# Not here: any judgement. What the answer means is decided outside. Contract: worker/actions/README.md.
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


OURS = env['ir.model.data'].sudo().search([('module', '=', 'concilia'), ('model', '=', 'payment.provider')]).mapped('res_id')
ACTIONS = ('observe', 'book', 'refund', 'record', 'invoice')
MOST_CANDIDATES, MOST_VALUES, MOST_CREDITS = 20, 1000, 50


def transaction_row(tx):
    return {'reference': tx.reference, 'provider_reference': tx.provider_reference or False,
            'ours': tx.provider_id.id in OURS, 'state': tx.state, 'amount': text(tx.amount, tx.currency_id),
            'currency': tx.currency_id.name, 'company_id': tx.company_id.id}


def paid_rows(txs):
    return [transaction_row(tx) for tx in txs.filtered(lambda tx: tx.state in ('authorized', 'done')).sorted('id')]


def order_row(order):
    return {'id': order.id, 'name': order.name, 'state': order.state, 'company_id': order.company_id.id,
            'currency': order.currency_id.name, 'total': text(order.amount_total, order.currency_id),
            'transactions': paid_rows(order.transaction_ids),
            'invoices': [invoice_row(move) for move in order.invoice_ids.sorted('id')]}


def searchable(name):
    field = env['sale.order']._fields.get(name)
    return bool(field) and field.type in ('char', 'text') and bool(field.store or field.search)


def probe_row(probe, domain):
    orders, known = env['sale.order'].sudo(), searchable(probe['field'])
    # An empty value would find every order whose field is empty.
    if known and probe['value']:
        orders = orders.search(domain + [('company_id', '=', request['company_id']),
                                         (probe['field'], '=', probe['value'])], limit=5, order='id')
    return {'field': probe['field'], 'value': probe['value'], 'unknown_field': not known,
            'orders': [order_row(order) for order in orders]}


def invoice_probe_row(probe):
    # Customer invoices of whatever state; an empty value would find every invoice without one.
    moves, rows = env['account.move'].sudo(), []
    if probe['field'] in ('name', 'ref', 'payment_reference') and probe['value']:
        moves = moves.search([('company_id', '=', request['company_id']), ('move_type', '=', 'out_invoice'),
                              (probe['field'], '=', probe['value'])], limit=5, order='id')
    for move in moves:
        row = invoice_row(move)
        row.update({'partner': move.partner_id.name or False, 'transactions': paid_rows(move.transaction_ids)})
        rows.append(row)
    return {'field': probe['field'], 'value': probe['value'], 'invoices': rows}


def candidate_rows(item, booked):
    # Those that carry an id of the payment's first, then those called as asked, in the order asked; each once.
    txs = env['payment.transaction'].sudo()
    found = {}
    for tx in txs.search([('provider_id', 'in', OURS), ('provider_reference', 'in', carried(item))],
                         limit=MOST_CANDIDATES + 1, order='id'):
        found[tx.id] = (tx, 'checkout')
    values = [reference['value'] for reference in item['references']]
    called = {}
    for tx in txs.search([('reference', 'in', values)], order='id'):
        called[tx.reference] = tx  # references are unique
    for place in range(len(values)):
        tx = called.get(values[place])
        if tx:
            found.setdefault(tx.id, (tx, place))
    rows = []
    for tx, found_by in found.values():
        if tx.id not in booked.ids and len(rows) < MOST_CANDIDATES:
            row = transaction_row(tx)
            row.update({'id': tx.id, 'found_by': found_by,
                        'orders': [order_row(order) for order in tx.sale_order_ids.sorted('id')],
                        'invoices': [invoice_row(move) for move in tx.invoice_ids.sorted('id')]})
            rows.append(row)
    return rows


def carried(item):
    return item.get('carried') or [item['name']]


def item_row(item):
    names = [item['name']] + item.get('aliases', [])
    found, booked, _gone = held(names)
    others = env['payment.transaction'].sudo().search(
        ['|', ('reference', 'in', names), ('provider_reference', 'in', carried(item)),
         ('id', 'not in', booked.ids)], limit=20, order='id')
    probes = []
    for probe in item['probes']:
        probes.append(probe_row(probe, item['domain']))
    return {'name': item['name'], 'booked': booking_row(found, booked) if booked else False,
            'transactions': [transaction_row(tx) for tx in others], 'candidates': candidate_rows(item, booked),
            'probes': probes, 'invoices': [invoice_probe_row(probe) for probe in item.get('invoice_probes', [])]}


def order_values(order):
    values = [order.name]
    for field in request['news']['fields']:
        if searchable(field) and order[field]:
            values.append(order[field])
    return values


def changed(model, domain):
    # What was written since, oldest first, one more than is told; and the moment up to which it is whole.
    found = env[model].sudo().search(domain + [('write_date', '>=', request['news']['since'])],
                                     limit=MOST_VALUES + 1, order='write_date, id')
    return found, str(found[-1].write_date) if len(found) > MOST_VALUES else '9999'


def changes():
    # (moment, values) of orders, of our transactions, and of orders whose invoices were written (posted, above all).
    company = ('company_id', '=', request['company_id'])
    wanted = request['news']['domain'] + [company, ('state', '!=', 'cancel')]
    orders, whole = changed('sale.order', wanted)
    txs, whole_txs = changed('payment.transaction', [('provider_id', 'in', provider.ids)])
    moves, whole_moves = changed('account.move', [company, ('move_type', '=', 'out_invoice'), ('state', '=', 'posted')])
    invoiced = env['sale.order'].sudo().search(wanted + [('id', 'in', moves.line_ids.sale_line_ids.order_id.ids)])
    rows = [(str(order.write_date), order_values(order)) for order in orders]
    rows += [(str(tx.write_date), [tx.reference]) for tx in txs]
    for move in moves:
        for order in move.line_ids.sale_line_ids.order_id & invoiced:
            rows.append((str(move.write_date), order_values(order)))
    return sorted(rows), min(whole, whole_txs, whole_moves)


def credit_names():
    # Odoo brings a payment and a later invoice of its order together, but not always. Newest first: what can never be
    # brought together must not stand in front of the rest.
    txs = env['payment.transaction'].sudo().search(
        [('provider_id', 'in', provider.ids), ('state', '=', 'done'), ('payment_id.is_reconciled', '=', False),
         ('sale_order_ids.order_line.invoice_lines.move_id', 'any',
          [('state', '=', 'posted'), ('move_type', '=', 'out_invoice'), ('amount_residual', '>', 0)])],
        limit=4 * MOST_CREDITS, order='id desc').filtered(lambda tx: owed(tx))
    names = env['ir.model.data'].sudo().search(
        [('module', '=', 'concilia'), ('model', '=', 'payment.transaction'), ('res_id', 'in', txs.ids)],
        limit=MOST_CREDITS, order='id desc')
    return names.mapped('name')


def news_row(since):
    rows, whole = changes()
    values, last, more = {}, since, False
    for moment, names in rows:
        # What was told before costs nothing; at least one row is told, so that the caller gets on.
        if moment > whole or (values and len(values) + len(names) > MOST_VALUES):
            more = True
            break
        values.update(dict.fromkeys(names))
        last = moment[:19]
    if not more:
        last = str(env.cr.now())[:19]  # the clock write_date is told by
    elif last <= since:
        # More changed within one second than one answer holds: the rest of that second is passed over.
        last = str(datetime.datetime.fromisoformat(since) + datetime.timedelta(seconds=1))
    return {'until': last, 'values': list(values), 'credits': credit_names(), 'more': more}


# The texts as they are stored, so that an action edited by hand is noticed.
env.cr.execute("""
    SELECT d.name, encode(sha256(convert_to(btrim(s.code, %s), 'UTF8')), 'hex')
      FROM ir_model_data d JOIN ir_act_server s ON s.id = d.res_id
     WHERE d.module = 'concilia' AND d.model = 'ir.actions.server' AND d.name IN %s
""", (' \n\r\t', tuple(['action_' + name for name in ACTIONS])))
stored = dict(env.cr.fetchall())
action = {'type': 'ir.actions.act_window_close', 'infos': {'concilia': {
    'protocol': 3, 'action': 'observe', 'version': VERSION, 'database': database,
    'actions': {name: stored.get('action_' + name, False) for name in ACTIONS},
    'provider': {'id': provider.id, 'state': provider.state, 'ready': ready} if provider else False,
    'items': [item_row(item) for item in request['items']],
    'news': news_row(request['news']['since']) if request.get('news') else False}}}
