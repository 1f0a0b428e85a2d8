# Concilia, server action "record": writes what the log holds into records of our own (events, checkouts, disputes,
# subscriptions), tells people by activities, and keeps customers' saved cards. It enters no money.
# Not here: what is to be told to whom; that is decided outside. Contract: worker/actions/README.md.
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


request = env.context['concilia']
if request['protocol'] != 3 or len(request['items']) > 100:
    raise UserError('Concilia: this action speaks protocol 3, with at most 100 items a call.')
_row, provider = named('provider_company_%d' % request['company_id'], 'payment.provider')
provider = provider.filtered(lambda found: found.company_id.id == request['company_id'])
method = provider.with_context(active_test=False).payment_method_ids[:1]
database = env['ir.config_parameter'].sudo().get_param('database.uuid')
# -- end of what is the same --
company = request['company_id']
NAME_LETTERS = set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.')
DIGITS, RUT_LETTERS = set('0123456789'), set('0123456789K')
RUN_AGAIN = ('40001', '40P01', '55P03')  # serialization failure, deadlock, lock not available: Odoo repeats the call
# Nothing the item is to blame for: connection, resources, an operator or a timeout, system; an aborted transaction.
WEATHER_CLASSES, ABORTED = ('08', '53', '57', '58'), '25P02'
UNIQUE_VIOLATION = '23505'
PREFIX = 'x_ventipay_'
AMOUNTS = ('amount', 'refunded_amount', 'booked_amount')
# What may be written of each kind as it is given, and what is resolved here.
VALUES = {
    'event': ('type', 'status', 'mode', 'result', 'reason', 'live', 'received_at', 'amount', 'currency', 'console_url',
              'payload'),
    'checkout': ('status', 'disputed', 'amount', 'refunded_amount', 'booked_amount', 'currency', 'paid_at'),
    'dispute': ('state', 'amount', 'currency', 'reason', 'deadline'),
    'subscription': ('state', 'amount', 'currency', 'period_start', 'period_end', 'renewals', 'reason')}
LINKS = {'event': ('checkout',), 'checkout': ('transaction', 'payment', 'order', 'invoice', 'partner'),
         'dispute': ('checkout', 'transaction', 'invoice', 'partner'), 'subscription': ('partner', 'invoices')}
CARD_KEYS = set(['kind', 'name', 'provider_ref', 'last4', 'brand', 'active', 'customer'])
BRAND_LETTERS = set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ -')
ACTIVITY_TYPES = {'warning': 'mail.mail_activity_data_warning', 'todo': 'mail.mail_activity_data_todo'}
known, customers = {}, {}  # records by name, and what was found of a customer; both are of this call only


def result(name, status, why=False, detail=False, transaction=False, customer=False, partner=False, opened=0, closed=0):
    return {'name': name, 'status': status, 'why': why, 'detail': detail, 'transaction': transaction,
            'customer': customer, 'partner': partner, 'opened': opened, 'closed': closed}


# -- names: one search for a whole call, one a model for what still exists --
def names_of(item):
    names = [item['name']] + list(item.get('of') or [])
    if item.get('checkout'):
        names.append('checkout-' + item['checkout'])
    if item.get('customer') and item['customer']['id']:
        names.append('customer-' + item['customer']['id'])
    for activity in item.get('activities') or []:
        names.append(flag_name(item, activity))
    return names


def remember():
    names, places = [], {}
    for item in request['items']:
        names += names_of(item)
    known.clear()
    customers.clear()
    for row in env['ir.model.data'].sudo().search([('module', '=', 'concilia'), ('name', 'in', names)]):
        if row.model in env:
            places.setdefault(row.model, []).append((row.name, row.res_id))
    for model, pairs in places.items():
        by_id = {}
        for record in env[model].sudo().browse(list(set([pair[1] for pair in pairs]))).exists():
            by_id[record.id] = record
        for name, res_id in pairs:
            if res_id in by_id:
                known[name] = by_id[res_id]


def known_as(name, model):
    record = known.get(name)
    if record and record._name != model:
        raise UserError('The name %s leads to a record of another model.' % name)
    return record or env[model].sudo().browse()


def make(name, model, values):
    # Of two callers at once the second meets a serialization failure here, and Odoo runs it again (_load_records).
    # Only what is new goes this way: for what is there it would empty the caches of every worker of Odoo.
    known[name] = env[model].sudo()._load_records([{'xml_id': 'concilia.' + name, 'values': values, 'noupdate': True}])
    return known[name]


def is_name(text, prefix):
    return text[:len(prefix)] == prefix and len(prefix) < len(text) <= 128 and set(text) <= NAME_LETTERS


# -- the same in record.py and invoice.py, letter by letter (a test compares them): customers --
def is_rut(rut):
    # Modulo 11 over the digits, from the last, by 2 to 7 and again.
    digits, check = rut[:-2], rut[-1:]
    if rut[-2:-1] != '-' or not 1 <= len(digits) <= 9 or not set(digits) <= DIGITS:
        return False
    rest = 11 - sum([int(digit) * (2 + place % 6) for place, digit in enumerate(digits[::-1])]) % 11
    return check == {10: 'K', 11: '0'}.get(rest, str(rest))


def compact(vat):
    return ''.join([letter for letter in (vat or '').upper() if letter in RUT_LETTERS]).lstrip('0')


def rut_forms(rut):
    # As people and Odoo's own forms write it: 12345678-5, 123456785, 12.345.678-5, each also after CL.
    digits, check = rut[:-2], rut[-1:]
    dotted = ('%s.%s.%s' % (digits[:-6], digits[-6:-3], digits[-3:])).lstrip('.')
    forms = []
    for letter in set([check, check.lower()]):
        for form in (digits + '-' + letter, digits + letter, dotted + '-' + letter):
            forms += [form, 'CL' + form, 'cl' + form]
    return forms


def partners_where(domain):
    return env['res.partner'].sudo().search(domain + [('company_id', 'in', [False, company])], order='id')


def partners_by_rut(rut, thoroughly):
    # A contact carries the RUT of its company: the customer is the company.
    if not thoroughly:
        return partners_where([('vat', 'in', rut_forms(rut))]).commercial_partner_id
    # However it was typed. Slower, for no index serves it: only before a customer is made.
    env.cr.execute("SELECT id FROM res_partner WHERE active AND"
                   " ltrim(regexp_replace(upper(vat), '[^0-9K]', '', 'g'), '0') = %s", (compact(rut),))
    return partners_where([('id', 'in', [row[0] for row in env.cr.fetchall()])]).commercial_partner_id


def partners_by_email(email, rut):
    found = partners_where([('email_normalized', '=', email.lower())])
    for partner in found:
        # Somebody who has another RUT is somebody else, whatever the address.
        if rut and partner.vat and compact(partner.vat) != compact(rut):
            found -= partner
    found = found.filtered(lambda partner: partner == partner.commercial_partner_id) or found
    return found.commercial_partner_id if len(found) > 1 else found


def candidates(customer, by):
    rut, email = customer['rut'], customer['email']
    if by == 'rut' and rut:
        return partners_by_rut(rut, False)
    if by == 'email' and email:
        return partners_by_email(email, rut)
    if by == 'typed' and rut and customer['create']:
        return partners_by_rut(rut, True)
    return known_as('customer-%s' % customer['id'] if by == 'id' else '', 'res.partner')


def find_customer(customer):
    # ('rut' | 'email' | 'id' | 'created' | 'none' | 'ambiguous', partner)
    for by in ('rut', 'email', 'id', 'typed'):
        found = candidates(customer, by)
        if len(found) > 1:
            return 'ambiguous', found[:0]
        if found:
            return 'rut' if by == 'typed' else by, found
    if customer['create'] and customer['id']:
        return 'created', create_customer(customer)
    return 'none', env['res.partner'].sudo().browse()


def create_customer(customer):
    # Two callers who both found nobody must not both create: a row both write, which nothing else hangs on.
    env.cr.execute('UPDATE ir_model_data SET write_date = write_date WHERE id = %s', (_row.id,))
    values = {'name': customer['name'] or customer['email'] or customer['id'], 'email': customer['email']}
    if customer['rut']:
        values.update({'vat': customer['rut'], 'country_id': env.ref('base.cl').id})
        kind = env.ref('l10n_cl.it_RUT', raise_if_not_found=False)
        if kind:
            # '3': end consumer. Without type and taxpayer type no invoice of theirs can be posted.
            values.update({'l10n_latam_identification_type_id': kind.id, 'l10n_cl_sii_taxpayer_type': '3'})
    return make('customer-' + customer['id'], 'res.partner', values)


def customer_fence(customer):
    if customer['id'] and not is_name('customer-' + customer['id'], 'customer-'):
        return 'customer'
    if customer['rut'] and not is_rut(customer['rut']):
        return 'rut'  # nobody is found or made by a number that is wrong
    return 'no_provider' if customer['create'] and not _row else False
# -- end of what record.py and invoice.py share --


def customer_of(item):
    customer = item.get('customer')
    if not customer:
        return False, env['res.partner'].sudo().browse()
    key = (customer['id'], customer['rut'], customer['email'], customer['create'])
    if key not in customers:
        found = find_customer(customer)
        if found[0] == 'created':
            customers.clear()  # whoever was not found before may be this one
        customers[key] = found
    return customers[key]


# -- records of our own --
def own_fence(item, kind):
    # (status, why), or False when nothing stands in the way.
    if PREFIX + kind not in env:
        return 'refused', 'no_models'
    if item['revision'] < 1:
        return 'refused', 'revision'
    if item.get('checkout') and not is_name('checkout-' + item['checkout'], 'checkout-'):
        return 'refused', 'checkout'
    if not set(item['values']) <= set(VALUES[kind]):
        return 'refused', 'values'
    for activity in item.get('activities') or []:
        if kind == 'event' or activity['open'] and (
                activity['type'] not in ACTIVITY_TYPES or not is_name(activity['key'], '') or not activity['summary']):
            return 'refused', 'activities'
    why = item.get('customer') and customer_fence(item['customer'])
    return ('refused', why) if why else False


def plain_values(item, kind):
    # The fields as they are written, or (status, why).
    given, values = item['values'], {}
    currency = env['res.currency'].sudo().with_context(active_test=False)
    if given.get('currency'):
        currency = currency.search([('name', '=', given['currency'])], limit=1)
    for name in given:
        if name == 'currency':
            values['x_currency_id'] = currency.id
        elif name in AMOUNTS and given[name]:
            whole, _dot, rest = given[name].partition('.')
            if not whole or not set(whole + rest) <= DIGITS:
                return 'refused', 'amount'
            if not currency:
                return 'refused', 'currency'
            if len(rest.rstrip('0')) > currency.decimal_places:
                return 'refused', 'amount'  # Odoo would round it
            values['x_' + name] = float(given[name])
        else:
            values['x_' + name] = given[name]
    return ('refused', 'currency') if given.get('currency') and not currency else values


def transactions_of(item):
    # In the order of the names given; several names may lead to one.
    txs = env['payment.transaction'].sudo().browse()
    for name in item.get('of') or []:
        txs |= known_as(name, 'payment.transaction')
    return txs.filtered(lambda tx: tx.company_id.id == company)


def invoices_of(tx):
    later = tx.sale_order_ids.invoice_ids.filtered(lambda move: move.state == 'posted' and move.move_type == 'out_invoice')
    return (tx.invoice_ids | later).filtered(lambda move: move.company_id.id == company).sorted('id')


def checkout_of(item):
    # A bare record, when nothing of the checkout was told yet: revision 0, so that whatever comes is newer.
    name = 'checkout-%s' % item['checkout']
    return known_as(name, PREFIX + 'checkout') or make(name, PREFIX + 'checkout', {
        'x_name': item['checkout'], 'x_account': item['account'], 'x_company_id': company, 'x_revision': 0})


def link_values(item, kind, txs, partner):
    # What is not known (yet) stays as it stands.
    tx = txs[:1]
    found = {'transaction': tx, 'payment': tx.payment_id, 'order': tx.sale_order_ids.sorted('id')[:1],
             'invoice': invoices_of(tx)[:1], 'partner': partner or tx.partner_id}
    values = {}
    for link in LINKS[kind]:
        if link == 'checkout' and item.get('checkout'):
            values['x_checkout_id'] = checkout_of(item).id
        elif link == 'invoices':
            values['x_invoice_ids'] = [Command.link(move.id) for move in invoices_of(txs)]
        elif found.get(link):
            values['x_%s_id' % link] = found[link].id
    return values


def own(item, kind):
    name, model = item['name'], PREFIX + kind
    stopped = own_fence(item, kind)
    if stopped:
        return result(name, stopped[0], stopped[1])
    record = known_as(name, model)
    if record and record.x_company_id.id != company:
        return result(name, 'changed', 'company')
    if record and record.x_revision >= item['revision']:
        return result(name, 'same')
    values = plain_values(item, kind)
    if not isinstance(values, dict):
        return result(name, values[0], values[1])
    by, partner = customer_of(item)
    txs = transactions_of(item)
    values.update(link_values(item, kind, txs, partner))
    values['x_revision'] = item['revision']
    if record:
        record.write(values)
    else:
        values.update({'x_name': item['id'], 'x_account': item['account'], 'x_company_id': company})
        record = make(name, model, values)
    env.flush_all()  # the row is ours now: who works on it at the same time is run again, and sees what we did
    opened, closed = 0, 0
    for activity in item.get('activities') or []:
        if activity['open']:
            opened += open_activity(item, record, activity)
        else:
            closed += close_activities(record, activity)
    return result(name, 'done', transaction=txs[:1].reference, customer=by, partner=partner.id, opened=opened, closed=closed)


def subscription_invoice(item):
    # The invoices of its payments, nothing else of it: a bare record, when nothing of the subscription was told yet.
    name, model = item['name'], PREFIX + 'subscription'
    if model not in env:
        return result(name, 'refused', 'no_models')
    record = known_as(name, model)
    if record and record.x_company_id.id != company:
        return result(name, 'changed', 'company')
    txs = transactions_of(item)
    moves = invoices_of(txs) - record.x_invoice_ids
    if not moves:
        return result(name, 'same', transaction=txs[:1].reference)
    if not record:
        record = make(name, model, {'x_name': item['id'], 'x_account': item['account'], 'x_company_id': company,
                                    'x_revision': 0})
    record.write({'x_invoice_ids': [Command.link(move.id) for move in moves]})
    env.flush_all()
    return result(name, 'done', transaction=txs[:1].reference)


# -- activities: ours are those the bot made --
def flag_name(item, activity):
    # That it was opened once: a person's "done" leaves nothing behind on 17 and 18, and must not bring it back.
    return '%s-told-%s' % (item['name'], activity.get('key'))


def managers():
    group = env.ref('account.group_account_manager').sudo()
    users = group.all_user_ids if 'all_user_ids' in group._fields else group.users
    return users.filtered(lambda user: user.active and not user.share and company in user.company_ids.ids).sorted('id')


def open_activity(item, record, activity):
    if known_as(flag_name(item, activity), record._name):
        return 0
    note = activity['note'] or ''
    for letter, written in (('&', '&amp;'), ('<', '&lt;'), ('>', '&gt;'), ('\n', '<br/>')):
        note = note.replace(letter, written)
    users = managers()
    for user in users:
        there = env['mail.activity'].sudo().search([
            ('res_model', '=', record._name), ('res_id', '=', record.id), ('user_id', '=', user.id),
            ('create_uid', '=', env.uid), ('summary', '=', activity['summary'])], limit=1)
        if there:
            there.write({'date_deadline': activity['deadline'], 'note': note})
        else:
            record.activity_schedule(ACTIVITY_TYPES[activity['type']], date_deadline=activity['deadline'],
                                     summary=activity['summary'], note=note, user_id=user.id)
    if users:
        env['ir.model.data'].sudo().create({'module': 'concilia', 'name': flag_name(item, activity),
                                            'model': record._name, 'res_id': record.id, 'noupdate': True})
        known[flag_name(item, activity)] = record
    return len(users)


def close_activities(record, activity):
    domain = [('res_model', '=', record._name), ('res_id', '=', record.id), ('create_uid', '=', env.uid)]
    if activity.get('summary'):
        domain.append(('summary', '=', activity['summary']))
    ours = env['mail.activity'].sudo().search(domain, order='id')
    count = len(ours)
    if ours:
        ours.action_feedback(feedback=activity.get('note') or False)
    return count


# -- cards: the last four digits and the brand, nothing else --
def card_fence(item):
    if not set(item) <= CARD_KEYS:
        return 'card_data'
    if len(item['last4']) != 4 or not set(item['last4']) <= DIGITS:
        return 'last4'
    if item['brand'] and (len(item['brand']) > 32 or not set(item['brand']) <= BRAND_LETTERS):
        return 'brand'
    # An id of Ventipay's has a prefix of letters; the number of a card has none.
    if not is_name(item['provider_ref'], '') or not item['provider_ref'].partition('_')[0].isalpha():
        return 'provider_ref'
    if not provider:
        return 'no_provider'
    return customer_fence(item['customer']) if method else 'not_ready'


def card(item):
    name, why = item['name'], card_fence(item)
    if why:
        return result(name, 'refused', why)
    token = known_as(name, 'payment.token')
    if token and token.provider_id.company_id.id != company:
        return result(name, 'changed', 'company')
    by, partner = customer_of(item)
    if not token and not partner:
        return result(name, 'ambiguous_customer' if by == 'ambiguous' else 'no_customer', customer=by)
    if token and partner and partner.commercial_partner_id != token.partner_id.commercial_partner_id:
        return result(name, 'changed', 'partner', customer=by, partner=partner.id)
    details = '%s %s' % (item['last4'], item['brand']) if item['brand'] else item['last4']
    if not token:
        make(name, 'payment.token', {
            'provider_id': provider.id, 'payment_method_id': method.id, 'partner_id': partner.id,
            'provider_ref': item['provider_ref'], 'payment_details': details, 'active': item['active']})
        return result(name, 'done', customer=by, partner=partner.id)
    values = {}
    if token.payment_details != details:
        values['payment_details'] = details
    if token.active != item['active']:
        values['active'] = item['active']
    if not values:
        return result(name, 'same', customer=by, partner=token.partner_id.id)
    token.write(values)
    return result(name, 'done', customer=by, partner=token.partner_id.id)


def perform(item):
    kind = item['kind']
    if kind not in VALUES and kind not in ('card', 'subscription_invoice'):
        return result(item['name'], 'refused', 'kind')
    if not is_name(item['name'], kind.partition('_')[0] + '-'):
        return result(item['name'], 'refused', 'name')
    if kind == 'subscription_invoice':
        return subscription_invoice(item)
    return card(item) if kind == 'card' else own(item, kind)


def isolated(item):
    # A savepoint an item: what fails leaves nothing, and the others stay.
    savepoint = env.cr.savepoint()
    try:
        answer = perform(item)
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
        remember()  # what the item made is gone
        # Of a database error only the first line: the next ones quote the row.
        detail = str(error).split('\n')[0] if code else str(error)
        if code == UNIQUE_VIOLATION and 'ir_model_data_module_name_uniq_index' in detail:
            return result(item['name'], 'again', 'race')
        return result(item['name'], 'failed', 'odoo', detail[:500])


def turn(place):
    # In the order of the names: two batches at once then wait for each other instead of deadlocking. Cards last: their
    # customer may be made by another item.
    return request['items'][place]['kind'] == 'card', request['items'][place]['name']


remember()
work = sorted(range(len(request['items'])), key=turn)
answers = {place: isolated(request['items'][place]) for place in work}
action = {'type': 'ir.actions.act_window_close', 'infos': {'concilia': {
    'protocol': 3, 'action': 'record', 'version': VERSION, 'database': database,
    'items': [answers[place] for place in sorted(answers)]}}}
