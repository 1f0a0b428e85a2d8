# Concilia, server action "invoice": makes the customer invoice of a subscription's paid invoice, of which Odoo has none,
# each exactly once. It enters no payment.
# Not here: whether one is to be made, and its payment (book.py). Contract: worker/actions/README.md.
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


LIVE_PAYMENT = ('posted', 'in_process', 'paid')  # 17 says posted, 18 and 19 the other two
request = env.context['concilia']
if request['protocol'] != 3 or len(request['items']) > 100:
    raise UserError('Concilia: this action speaks protocol 3, with at most 100 items a call.')
_row, provider = named('provider_company_%d' % request['company_id'], 'payment.provider')
provider = provider.filtered(lambda found: found.company_id.id == request['company_id'])
database = env['ir.config_parameter'].sudo().get_param('database.uuid')
# -- end of what is the same --
# -- the same in book.py and refund.py, letter by letter (a test compares them) --
NAME_LETTERS = set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.')
DIGITS = set('0123456789')
RUN_AGAIN = ('40001', '40P01', '55P03')  # serialization failure, deadlock, lock not available: Odoo repeats the call
# Nothing the item is to blame for: connection, resources, an operator or a timeout, system; an aborted transaction.
WEATHER_CLASSES, ABORTED = ('08', '53', '57', '58'), '25P02'
UNIQUE_VIOLATION = '23505'


def units(amount):
    # '2.50' -> 250; 0 for what is no plain decimal number. Amounts of one currency compare exactly as such integers.
    digits = amount.replace('.', '', 1)
    return int(digits) if digits and set(digits) <= DIGITS else 0


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
company, RUT_LETTERS = request['company_id'], set('0123456789K')


def result(name, status, why=False, detail=False, invoice=False):
    return {'name': name, 'status': status, 'why': why, 'detail': detail, 'invoice': invoice}


def known_as(name, model):
    row, record = named(name, model)
    if row and row.model != model:
        raise UserError('The name %s leads to a record of another model.' % name)
    return record


def make(name, model, values):
    # Of two callers at once the second meets a serialization failure here, and Odoo runs it again (_load_records).
    return env[model].sudo()._load_records([{'xml_id': 'concilia.' + name, 'values': values, 'noupdate': True}])


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


def make_fence(item, currency, products):
    if not provider:
        return 'no_provider'
    if not currency:
        return 'currency'
    if not units(item['amount']) or text(float(item['amount']), currency) != item['amount']:
        return 'amount'
    if len(products) != 1:
        return 'ambiguous_product' if products else 'no_product'
    return customer_fence(item['customer'])


def make_invoice(item):
    name = item['name']
    if not is_name(name, 'made-invoice-'):
        return result(name, 'refused', 'name')
    row, move = named(name, 'account.move')
    if row and not move:
        raise UserError('The name %s leads to an invoice that is gone.' % name)
    if move:
        return result(name, 'already', invoice=invoice_row(move))
    currency = env['res.currency'].sudo().search([('name', '=', item['currency'])], limit=1)  # an active one
    products = env['product.product'].sudo().with_company(company).search(
        [('default_code', '=', item['product']), ('company_id', 'in', [False, company])], limit=2)
    why = make_fence(item, currency, products)
    if why:
        return result(name, 'refused', why)
    by, partner = find_customer(item['customer'])
    if not partner:
        return result(name, 'ambiguous_customer' if by == 'ambiguous' else 'no_customer')
    amount = float(item['amount'])
    move = env['account.move'].sudo().with_company(company).create({
        'move_type': 'out_invoice', 'company_id': company, 'partner_id': partner.id, 'currency_id': currency.id,
        'invoice_date': item['date'], 'ref': item['id'],
        'invoice_line_ids': [Command.create({'product_id': products.id, 'quantity': 1, 'price_unit': amount})]})
    env['ir.model.data'].sudo().create({'module': 'concilia', 'name': name, 'model': 'account.move', 'res_id': move.id,
                                        'noupdate': True})
    line = move.invoice_line_ids
    if text(move.amount_total, currency) != item['amount'] and line.price_total:
        # What was paid has the taxes in it, the price may not.
        move.write({'invoice_line_ids': [Command.update(line.id, {'price_unit': amount * line.price_unit / line.price_total})]})
    # Some sums with tax cannot be reached in whole pesos (odoo-api-2.md 1.3).
    if text(move.amount_total, currency) != item['amount']:
        raise UserError('An invoice of %s %s cannot be made with the taxes of %s.'
                        % (item['amount'], item['currency'], products.display_name))
    if item['post']:
        move.action_post()
    env.flush_all()
    return result(name, 'made', invoice=invoice_row(move))


def perform(item):
    return make_invoice(item) if item['kind'] == 'make_invoice' else result(item['name'], 'refused', 'kind')


# In the order of the names: two batches at once then wait for each other instead of deadlocking.
work = sorted(range(len(request['items'])), key=lambda place: request['items'][place]['name'])
answers = {place: isolated(request['items'][place]) for place in work}
action = {'type': 'ir.actions.act_window_close', 'infos': {'concilia': {
    'protocol': 3, 'action': 'invoice', 'version': VERSION, 'database': database,
    'items': [answers[place] for place in sorted(answers)]}}}
