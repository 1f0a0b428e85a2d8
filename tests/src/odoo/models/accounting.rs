//! Invoices and payments: posting, registering, reconciling.
//!
//! Facts: `odoo-api.md` 1, `odoo-api-2.md` 4. There are no journal items: an invoice keeps its
//! residual, and a table of matches says which payment paid how much of which invoice.
//! Not here: payment transactions ([`super::payment`]).

use serde_json::{Value as Json, json};

use super::{closed, company_currency, decimals, default_company, terms};
use crate::odoo::errors::{Outcome, Raise};
use crate::odoo::fields::Series;
use crate::odoo::value::{Amount, Id, Record, Value};
use crate::odoo::world::Tx;

/// The simulator's own table: how much of an invoice a payment paid.
pub const MATCH: &str = "sim.match";

/// Defaults of a new invoice or entry.
pub fn prepare_move(tx: &mut Tx<'_>, record: &mut Record) {
    record.fill("move_type", "entry");
    record.fill("state", "draft");
    record.fill("payment_state", "not_paid");
    record.fill("auto_post", "no");
    let today = tx.caller.today.clone();
    record.fill("date", today);
    // An entry is of its journal's company, whoever makes it.
    let journal = record.reference("journal_id").and_then(|id| tx.get("account.journal", id));
    if let Some(company) = journal.and_then(|journal| journal.reference("company_id")) {
        record.fill("company_id", Value::Ref(company));
    }
    if !record.has("company_id") {
        record.set("company_id", Value::Ref(default_company(tx)));
    }
    let company = record.reference("company_id").unwrap_or(1);
    if let Some(currency) = company_currency(tx, company) {
        record.fill("currency_id", Value::Ref(currency));
    }
    let sales = tx.world_journal("sale", company);
    if let Some(journal) = sales {
        record.fill("journal_id", Value::Ref(journal));
    }
    let documents = uses_documents(tx, record);
    record.set("l10n_latam_use_documents", documents);
    if documents && record.text("move_type") == "out_invoice" {
        record.fill("l10n_latam_document_type_id", Value::Ref(1));
    }
    if tx.series() == Series::V17 {
        record.fill("name", "/");
        name_first_draft(tx, record);
    }
}

/// 17 numbers a draft at once when it is the first of its kind (`odoo-api.md` 1).
fn name_first_draft(tx: &mut Tx<'_>, record: &mut Record) {
    let invoice = record.text("move_type") == "out_invoice" && record.text("name") == "/";
    let name = next_move_name(tx, record);
    if invoice && name.ends_with("00001") {
        record.set("name", name);
    }
}

/// Defaults of a new account or journal.
pub fn prepare_account(tx: &mut Tx<'_>, model: &str, record: &mut Record) {
    let company = default_company(tx);
    if model == "account.account" && tx.series() != Series::V17 {
        record.fill("company_ids", vec![company]);
    } else {
        record.fill("company_id", Value::Ref(company));
    }
    if model == "account.journal" {
        record.fill("l10n_latam_use_documents", record.text("type") == "sale");
    } else {
        record.fill("reconcile", false);
    }
    record.fill("active", true);
}

impl Tx<'_> {
    /// The first journal of a type in a company.
    pub fn world_journal(&self, kind: &str, company: Id) -> Option<Id> {
        let fits =
            |row: &Record| row.text("type") == kind && row.reference("company_id") == Some(company);
        self.tables().find("account.journal", fits).map(|(id, _)| id)
    }
}

fn uses_documents(tx: &Tx<'_>, record: &Record) -> bool {
    let journal = record.reference("journal_id").and_then(|id| tx.get("account.journal", id));
    journal.is_some_and(|journal| journal.flag("l10n_latam_use_documents"))
}

/// Adds a draft's lines up. A move without lines keeps the total it was given.
pub fn total_move(tx: &mut Tx<'_>, id: Id) -> Outcome<()> {
    let lines = tx.ids_where("account.move.line", |line| line.reference("move_id") == Some(id));
    let record = tx.record("account.move", id)?;
    if lines.is_empty() || record.text("state") != "draft" {
        return Ok(());
    }
    let places = decimals(tx, record.reference("currency_id"));
    let (untaxed, tax) =
        super::sale::total_lines(tx, "account.move.line", &lines, "quantity", places)?;
    tx.update("account.move", id, |row| {
        row.set("amount_untaxed", untaxed);
        row.set("amount_tax", tax);
        row.set("amount_total", untaxed + tax);
        row.set("amount_residual", untaxed + tax);
    })
}

/// `action_post`: numbers drafts and lets the payments of their orders pay them.
pub fn action_post(tx: &mut Tx<'_>, ids: &[Id]) -> Outcome<Json> {
    for id in ids {
        let invoice = tx.record("account.move", *id)?;
        if invoice.text("state") != "draft" {
            return Err(Raise::user(format!(
                "The entry {} (id {id}) must be in draft.",
                invoice.text("name")
            )));
        }
        check_chilean_customer(tx, &invoice)?;
        let name = match invoice.text("name") {
            "" | "/" => next_move_name(tx, &invoice),
            name => name.to_owned(),
        };
        let today = tx.caller.today.clone();
        tx.update("account.move", *id, |row| {
            row.set("state", "posted");
            row.fill("invoice_date", today.as_str());
            row.fill("invoice_date_due", today.as_str());
            row.set("amount_residual", row.amount("amount_total"));
            row.set("payment_reference", name.as_str());
            if let Some((_, number)) = name.split_once(' ') {
                row.set("l10n_latam_document_number", number);
            }
            row.set("name", name);
        })?;
        pay_from_orders(tx, *id)?;
        super::credit_note::settle(tx, *id)?;
    }
    Ok(json!(false))
}

/// `button_draft` and `button_cancel`.
pub fn set_state(tx: &mut Tx<'_>, ids: &[Id], state: &str) -> Outcome<Json> {
    for id in ids {
        tx.update("account.move", *id, |row| row.set("state", state))?;
    }
    Ok(json!(false))
}

/// `l10n_cl` wants a tax payer type and a RUT for most documents (`odoo-api.md` 1).
fn check_chilean_customer(tx: &Tx<'_>, invoice: &Record) -> Outcome<()> {
    let code = document_code(tx, invoice);
    if code.is_empty() || ["35", "38", "39", "41"].contains(&code.as_str()) {
        return Ok(());
    }
    let Some(partner) = invoice.reference("partner_id").and_then(|id| tx.get("res.partner", id))
    else {
        return Ok(());
    };
    if partner.text("vat").is_empty() || partner.text("l10n_cl_sii_taxpayer_type").is_empty() {
        return Err(Raise::validation(
            "Tax payer type and vat number are mandatory for this type of document. \
             Please set the current tax payer type of this customer",
        ));
    }
    Ok(())
}

fn document_code(tx: &Tx<'_>, invoice: &Record) -> String {
    if !uses_documents(tx, invoice) || invoice.text("move_type") == "entry" {
        return String::new();
    }
    let kind = invoice.reference("l10n_latam_document_type_id");
    let row = kind.and_then(|id| tx.get("l10n_latam.document.type", id));
    row.map_or_else(String::new, |row| row.text("code").to_owned())
}

fn next_move_name(tx: &mut Tx<'_>, invoice: &Record) -> String {
    let company = invoice.reference("company_id");
    let prefix = match document_code(tx, invoice).as_str() {
        "" => {
            let journal =
                invoice.reference("journal_id").and_then(|id| tx.get("account.journal", id));
            let code = journal.map_or_else(|| "MISC".to_owned(), |row| row.text("code").to_owned());
            let year: String = invoice.text("date").chars().take(4).collect();
            let prefix = format!("{code}/{year}/");
            let number = last_number(tx, "account.move", &prefix, company) + 1;
            return format!("{prefix}{number:05}");
        }
        "39" => "BEL ",
        "61" => "N/C ",
        "34" => "FNA ",
        _ => "FAC ",
    };
    let number = last_number(tx, "account.move", prefix, company) + 1;
    format!("{prefix}{number:06}")
}

/// The highest number that follows a prefix in a company's names: each counts for itself;
/// without a company, in all names.
fn last_number(tx: &Tx<'_>, model: &str, prefix: &str, company: Option<Id>) -> u64 {
    let seen = tx.rows(model).chain(tx.world.committed.rows(model));
    let of_company =
        seen.filter(|(_, row)| company.is_none() || row.reference("company_id") == company);
    of_company
        .filter_map(|(_, row)| row.text("name").strip_prefix(prefix)?.parse().ok())
        .max()
        .unwrap_or(0)
}

/// On posting, payments of the transactions it took over from its order pay the invoice. 18 and
/// 19 pass over payments that are `paid`, though credit may be left (`odoo-api-2.md` 4.2).
fn pay_from_orders(tx: &mut Tx<'_>, invoice: Id) -> Outcome<()> {
    let record = tx.record("account.move", invoice)?;
    if !matches!(record.text("move_type"), "out_invoice" | "out_refund") {
        return Ok(());
    }
    // Those that were linked when it was made: a draft from before the payment knows of none.
    let open = if tx.series() == Series::V17 { "posted" } else { "in_process" };
    let payments: Vec<Id> = tx
        .rows("payment.transaction")
        .filter(|(_, row)| row.text("state") == "done" && row.leads_to("invoice_ids", invoice))
        .filter_map(|(_, row)| row.reference("payment_id"))
        .filter(|id| tx.get("account.payment", *id).is_some_and(|row| row.text("state") == open))
        .collect();
    for payment in payments {
        reconcile(tx, payment, &[invoice])?;
        // 18 leaves the state behind (same section); 19 brings it up to date.
        if tx.series() == Series::V19 {
            settle_state(tx, payment)?;
        }
    }
    Ok(())
}

/// What a payment has not yet paid with.
pub fn credit(tx: &Tx<'_>, payment: Id) -> Amount {
    let amount = tx.get("account.payment", payment).map_or(Amount(0), |row| row.amount("amount"));
    let matches = tx.rows(MATCH).filter(|(_, row)| row.reference("payment") == Some(payment));
    amount - matches.map(|(_, row)| row.amount("amount")).sum()
}

/// Lets a payment pay invoices, the lowest residual first, as far as it goes.
pub fn reconcile(tx: &mut Tx<'_>, payment: Id, invoices: &[Id]) -> Outcome<()> {
    let money = tx.record("account.payment", payment)?;
    let mut order: Vec<(Amount, Id)> = Vec::new();
    for id in invoices {
        let invoice = tx.record("account.move", *id)?;
        let same = |field: &str| invoice.reference(field) == money.reference(field);
        // What goes out pays what is owed to the customer, a credit note.
        let owed = invoice.text("move_type") == "out_refund";
        let fits = owed == (money.text("payment_type") == "outbound");
        if fits && same("currency_id") && same("company_id") && invoice.text("state") != "cancel" {
            order.push((invoice.amount("amount_residual"), *id));
        }
    }
    order.sort_unstable();
    for (residual, id) in order {
        let paid = credit(tx, payment).min(residual);
        if !paid.is_positive() {
            continue;
        }
        let row = Record::default()
            .with("payment", Value::Ref(payment))
            .with("move", Value::Ref(id))
            .with("amount", paid);
        tx.insert(MATCH, row)?;
        let invoice = tx.record("account.move", id)?;
        let left = residual - paid - terms::written_off(tx, &invoice, paid, money.text("date"));
        tx.update("account.move", id, |row| {
            row.set("amount_residual", left);
            row.set("payment_state", if left.is_positive() { "partial" } else { "paid" });
        })?;
    }
    Ok(())
}

/// Sets off what an incoming and an outgoing payment have left. On 18 and 19 their states stay.
pub fn set_off(tx: &mut Tx<'_>, one: Id, other: Id) -> Outcome<()> {
    let part = credit(tx, one).min(credit(tx, other));
    let entry = |tx: &Tx<'_>, payment: Id| {
        tx.get("account.payment", payment).and_then(|row| row.reference("move_id"))
    };
    for (payment, against) in [(one, other), (other, one)] {
        let mut row = Record::default().with("payment", Value::Ref(payment)).with("amount", part);
        if let Some(entry) = entry(tx, against) {
            row.set("move", Value::Ref(entry));
        }
        tx.insert(MATCH, row)?;
    }
    Ok(())
}

/// 18 and 19: a payment whose invoices are all paid, that is used up, or that went straight to
/// a bank account, is `paid`.
pub fn settle_state(tx: &mut Tx<'_>, payment: Id) -> Outcome<()> {
    if tx.series() == Series::V17 {
        return Ok(());
    }
    let matched = matched_invoices(tx, payment);
    let paid = |id: &Id| {
        let invoice = tx.get("account.move", *id);
        invoice.is_some_and(|row| row.text("payment_state") == "paid")
    };
    let used_up = || !credit(tx, payment).is_positive();
    let row = tx.record("account.payment", payment)?;
    let in_bank = outstanding_account(tx, &row).is_some_and(|account| is_bank(tx, account));
    let settled = in_bank || (!matched.is_empty() && (matched.iter().all(paid) || used_up()));
    let state = if settled { "paid" } else { "in_process" };
    tx.update("account.payment", payment, |row| row.set("state", state))
}

fn matched_invoices(tx: &Tx<'_>, payment: Id) -> Vec<Id> {
    let rows = tx.rows(MATCH).filter(|(_, row)| row.reference("payment") == Some(payment));
    rows.filter_map(|(_, row)| row.reference("move")).collect()
}

/// Payments an invoice is matched with: reconciled, and on 18 and 19 also linked.
pub fn payments_of_invoice(tx: &Tx<'_>, invoice: Id) -> Vec<Id> {
    let mut ids: Vec<Id> = tx
        .rows(MATCH)
        .filter(|(_, row)| row.reference("move") == Some(invoice))
        .filter_map(|(_, row)| row.reference("payment"))
        .collect();
    if tx.series() != Series::V17 {
        ids.extend(
            tx.ids_where("account.payment", |row| row.references("invoice_ids").contains(&invoice)),
        );
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Computed fields of a payment.
pub fn computed_payment(tx: &Tx<'_>, id: Id, name: &str) -> Option<Value> {
    let payment = tx.get("account.payment", id)?;
    Some(match name {
        "reconciled_invoice_ids" => {
            let mut invoices = matched_invoices(tx, id);
            invoices.retain(|id| {
                tx.get("account.move", *id).is_some_and(|row| row.text("move_type") != "entry")
            });
            if tx.series() != Series::V17 {
                invoices.extend(payment.references("invoice_ids"));
            }
            invoices.sort_unstable();
            invoices.dedup();
            Value::Refs(invoices)
        }
        "is_reconciled" => Value::Bool(!credit(tx, id).is_positive()),
        "is_matched" => Value::Bool(
            outstanding_account(tx, payment).is_some_and(|account| is_bank(tx, account)),
        ),
        _ => Value::Ref(outstanding_account(tx, payment)?),
    })
}

fn is_bank(tx: &Tx<'_>, account: Id) -> bool {
    tx.get("account.account", account).is_some_and(|row| row.text("account_type") == "asset_cash")
}

/// Where the money sits: the method line's account, else the chart's Outstanding Receipts.
fn outstanding_account(tx: &Tx<'_>, payment: &Record) -> Option<Id> {
    let line = payment.reference("payment_method_line_id");
    let own = line
        .and_then(|id| tx.get("account.payment.method.line", id)?.reference("payment_account_id"));
    let chart = || {
        let found =
            tx.tables().find("account.account", |row| row.text("name") == "Outstanding Receipts");
        found.map(|(id, _)| id)
    };
    own.or_else(chart)
}

/// A payment to be entered.
#[derive(Debug)]
pub struct Payment {
    /// Amount in the currency.
    pub amount: Amount,
    /// Currency.
    pub currency: Option<Id>,
    /// Customer.
    pub partner: Option<Id>,
    /// Bank journal.
    pub journal: Id,
    /// Method line.
    pub line: Id,
    /// Text of the payment.
    pub memo: String,
    /// Day it was paid.
    pub date: String,
    /// Transaction it comes from.
    pub transaction: Option<Id>,
    /// Invoices it is for.
    pub invoices: Vec<Id>,
}

/// Enters a payment and its journal entry, not yet reconciled.
pub fn enter_payment(tx: &mut Tx<'_>, mut payment: Payment) -> Outcome<Id> {
    let journal = tx.record("account.journal", payment.journal)?;
    closed::check_account(tx, payment.line)?;
    let entry_date = closed::outside_the_lock(tx, journal.reference("company_id"), &payment.date);
    if tx.series() == Series::V17 {
        payment.date.clone_from(&entry_date);
    }
    let year: String = payment.date.chars().take(4).collect();
    let prefix = format!("P{}/{year}/", journal.text("code"));
    // Each company's journal counts for itself, though codes may be alike.
    let company = journal.reference("company_id");
    let number = last_number(tx, "account.payment", &prefix, company) + 1;
    let name = format!("{prefix}{number:05}");
    let memo_field = tx.series().memo_field();
    let mut row = Record::default()
        .with("name", name.as_str())
        .with("state", if tx.series() == Series::V17 { "posted" } else { "in_process" })
        .with("amount", Amount(payment.amount.0.abs()))
        .with("payment_type", if payment.amount.0 < 0 { "outbound" } else { "inbound" })
        .with("partner_type", "customer")
        .with("journal_id", Value::Ref(payment.journal))
        .with("payment_method_line_id", Value::Ref(payment.line))
        .with("destination_account_id", Value::Ref(4))
        .with("date", payment.date.as_str())
        .with("invoice_ids", payment.invoices)
        .with(memo_field, payment.memo.as_str());
    for (field, id) in [
        ("currency_id", payment.currency),
        ("partner_id", payment.partner),
        ("company_id", journal.reference("company_id")),
        ("payment_transaction_id", payment.transaction),
    ] {
        if let Some(id) = id {
            row.set(field, Value::Ref(id));
        }
    }
    let mut entry = Record::default()
        .with("name", name)
        .with("ref", payment.memo)
        .with("state", "posted")
        .with("journal_id", Value::Ref(payment.journal))
        .with("date", entry_date);
    prepare_move(tx, &mut entry);
    let entry = tx.insert("account.move", entry)?;
    row.set("move_id", Value::Ref(entry));
    tx.insert("account.payment", row)
}

/// `account.payment.register.create`: what is left to pay on the invoices of the context.
pub fn prepare_register(tx: &mut Tx<'_>, wizard: &mut Record) -> Outcome<()> {
    let invoices = active_ids(tx);
    let mut residual = Amount(0);
    for id in &invoices {
        let invoice = tx.record("account.move", *id)?;
        if tx.series() == Series::V17 && invoice.text("state") != "posted" {
            return Err(Raise::user("You can only register payment for posted journal entries."));
        }
        residual = residual + invoice.amount("amount_residual");
        if let Some(currency) = invoice.reference("currency_id") {
            wizard.set("currency_id", Value::Ref(currency));
        }
    }
    if !residual.is_positive() {
        return Err(Raise::user(if tx.series() == Series::V19 {
            "There's nothing left to pay for the selected journal items, so no payment registration is necessary. \
             You've got your finances under control like a boss!"
        } else {
            "You can't register a payment because there is nothing left to pay on the selected journal items."
        }));
    }
    wizard.fill("amount", residual);
    wizard.set("payment_difference", residual - wizard.amount("amount"));
    wizard.fill("payment_difference_handling", "open");
    wizard.set("can_edit_wizard", true);
    let today = tx.caller.today.clone();
    wizard.fill("payment_date", today);
    let bank = tx.world_journal("bank", default_company(tx));
    if let Some(journal) = bank {
        wizard.fill("journal_id", Value::Ref(journal));
    }
    let journal = wizard.reference("journal_id");
    let line = tx.tables().find("account.payment.method.line", |row| {
        row.reference("journal_id") == journal && row.text("payment_type") == "inbound"
    });
    if let Some((line, _)) = line {
        wizard.fill("payment_method_line_id", Value::Ref(line));
    }
    wizard.set("sim_invoices", invoices);
    Ok(())
}

/// `action_create_payments`.
pub fn create_payments(tx: &mut Tx<'_>, wizards: &[Id]) -> Outcome<Json> {
    let mut last = None;
    for wizard in wizards {
        let wizard = tx.record("account.payment.register", *wizard)?;
        let invoices = wizard.references("sim_invoices").to_vec();
        let first = invoices.first().copied().unwrap_or_default();
        let payment = Payment {
            amount: wizard.amount("amount"),
            currency: wizard.reference("currency_id"),
            partner: tx.record("account.move", first)?.reference("partner_id"),
            journal: wizard.reference("journal_id").unwrap_or_default(),
            line: wizard.reference("payment_method_line_id").unwrap_or_default(),
            memo: wizard.text("communication").to_owned(),
            date: wizard.text("payment_date").to_owned(),
            transaction: None,
            invoices: invoices.clone(),
        };
        let id = enter_payment(tx, payment)?;
        // A draft is passed over by 18, and paid by 19 (`odoo-api.md` 1).
        let mut payable = invoices;
        if tx.series() == Series::V18 {
            payable.retain(|one| {
                let invoice = tx.get("account.move", *one);
                invoice.is_some_and(|row| row.text("state") == "posted")
            });
        }
        reconcile(tx, id, &payable)?;
        settle_state(tx, id)?;
        last = Some(id);
    }
    Ok(json!({
        "name": "Payments", "type": "ir.actions.act_window", "res_model": "account.payment",
        "context": {"create": false}, "view_mode": "form", "res_id": last,
    }))
}

/// The records a wizard is about.
pub(super) fn active_ids(tx: &Tx<'_>) -> Vec<Id> {
    let ids = tx.caller.context.get("active_ids").and_then(Json::as_array);
    ids.into_iter().flatten().filter_map(Json::as_i64).collect()
}
