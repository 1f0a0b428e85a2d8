//! Payment providers, methods, method lines, and transactions with their post-processing.
//!
//! Facts: `odoo-api.md` 2 and 10, `odoo-api-2.md` 3 and 4. Not here: the payment itself
//! ([`super::accounting`]).

use serde_json::{Value as Json, json};

use super::accounting::{self, Payment};
use super::{decimals, default_company, display_name};
use crate::odoo::errors::{Outcome, Raise};
use crate::odoo::fields::Series;
use crate::odoo::value::{Id, Record, Value};
use crate::odoo::world::Tx;

/// The simulator's own table: mails a customer would have been sent.
pub const MAIL: &str = "sim.mail";

/// Defaults of a new provider. Its journal computes to the company's bank (captures `2_08`).
pub fn prepare_provider(tx: &mut Tx<'_>, record: &mut Record) {
    record.fill("code", "none");
    record.fill("state", "disabled");
    record.fill("is_published", false);
    if tx.series() != Series::V17 {
        record.fill("support_refund", "none");
    }
    let company = default_company(tx);
    record.fill("company_id", Value::Ref(company));
    let bank = tx.world_journal("bank", record.reference("company_id").unwrap_or(company));
    if let Some(journal) = bank {
        record.fill("journal_id", Value::Ref(journal));
    }
}

/// A custom provider in use needs its mode (captures `2_04`).
pub fn check_provider(record: &Record) -> Outcome<()> {
    let in_use = matches!(record.text("state"), "test" | "enabled");
    if in_use && record.text("code") == "custom" && record.text("custom_mode").is_empty() {
        return Err(Raise::validation("The following fields must be filled: Custom Mode"));
    }
    Ok(())
}

fn is_disabled(tx: &Tx<'_>, provider: Id) -> bool {
    tx.get("payment.provider", provider).is_none_or(|row| row.text("state") == "disabled")
}

/// No method is activated that no enabled provider offered before.
pub fn method_written(tx: &Tx<'_>, id: Id, before: &Record) -> Outcome<()> {
    let activated = !before.flag("active") && tx.record("payment.method", id)?.flag("active");
    if !activated || before.references("provider_ids").iter().any(|one| !is_disabled(tx, *one)) {
        return Ok(());
    }
    Err(Raise::user(
        "This payment method needs a partner in crime; you should enable a payment provider \
         supporting this method first.",
    ))
}

/// Disabling a provider archives its methods (`odoo-api.md` 3) that no other enabled one
/// offers.
pub fn provider_written(tx: &mut Tx<'_>, id: Id, before: &Record) -> Outcome<()> {
    let now = tx.record("payment.provider", id)?;
    if now.text("state") == "disabled" && before.text("state") != "disabled" {
        for method in tx.ids_where("payment.method", |row| row.leads_to("provider_ids", id)) {
            let offers = tx.record("payment.method", method)?.references("provider_ids").to_vec();
            if offers.iter().all(|provider| is_disabled(tx, *provider)) {
                tx.update("payment.method", method, |row| row.set("active", false))?;
            }
        }
    }
    Ok(())
}

/// Defaults of a new payment method.
pub fn prepare_method(record: &mut Record) {
    record.fill("active", true);
    record.fill("is_primary", true);
    record.fill("support_refund", "none");
    record.fill("support_manual_capture", "none");
    record.fill("support_tokenization", false);
}

/// Defaults of a new method line: its kind is the method's.
pub fn prepare_method_line(tx: &mut Tx<'_>, record: &mut Record) -> Outcome<()> {
    let Some(method) = record.reference("payment_method_id") else {
        return Ok(());
    };
    let method = tx.record("account.payment.method", method)?;
    record.set("code", method.text("code"));
    record.set("payment_type", method.text("payment_type"));
    record.fill("name", method.text("name"));
    let journal = record.reference("journal_id");
    let company = journal.and_then(|id| tx.get("account.journal", id)?.reference("company_id"));
    if let (Some(journal), Some(company)) = (journal, company) {
        record.set("company_id", Value::Ref(company));
        record.set(&format!("sim_{}_journal", method.text("payment_type")), Value::Ref(journal));
    }
    Ok(())
}

/// A line of a provider that is in use cannot go; one that payments were entered by only leaves
/// its journal.
pub fn unlink_method_line(tx: &mut Tx<'_>, id: Id) -> Outcome<bool> {
    let line = tx.record("account.payment.method.line", id)?;
    let provider =
        line.reference("payment_provider_id").and_then(|id| tx.get("payment.provider", id));
    if let Some(active) = provider.filter(|row| row.text("state") != "disabled") {
        return Err(Raise::user(format!(
            "You can't delete a payment method that is linked to a provider in the enabled or test state.\n\
             Linked providers(s): {}",
            active.text("name")
        )));
    }
    let used = |row: &Record| row.reference("payment_method_line_id") == Some(id);
    if tx.tables().find("account.payment", used).is_none() {
        return Ok(true);
    }
    tx.update("account.payment.method.line", id, |row| {
        for field in ["journal_id", "sim_inbound_journal", "sim_outbound_journal"] {
            row.clear(field);
        }
    })?;
    Ok(false)
}

/// Defaults of a new transaction.
pub fn prepare_transaction(tx: &mut Tx<'_>, record: &mut Record) -> Outcome<()> {
    if let Some(provider) = record.reference("provider_id") {
        let provider = tx.record("payment.provider", provider)?;
        record.set("provider_code", provider.text("code"));
        if let Some(company) = provider.reference("company_id") {
            record.set("company_id", Value::Ref(company));
        }
    }
    record.fill("state", "draft");
    record.fill("is_post_processed", false);
    if !record.has("reference") {
        let reference = format!("tx-{}", tx.world.next("payment.transaction reference"));
        record.set("reference", reference);
    }
    let now = tx.caller.now.clone();
    record.fill("last_state_change", now);
    let partner = record.reference("partner_id").and_then(|id| tx.get("res.partner", id));
    if let Some(name) = partner.map(|row| row.text("name").to_owned()) {
        record.set("partner_name", name);
    }
    let places = decimals(tx, record.reference("currency_id"));
    record.set("amount", record.amount("amount").rounded(places));
    Ok(())
}

/// `_post_process` (17: `_finalize_post_processing`): enters the payment of a done transaction.
///
/// A transaction that has its payment gets no second one. Linked drafts are posted first; an
/// order that is linked already means a mail to the customer.
pub fn post_process(tx: &mut Tx<'_>, id: Id, date: Option<&str>) -> Outcome<()> {
    let transaction = tx.record("payment.transaction", id)?;
    if transaction.text("state") != "done" || transaction.reference("payment_id").is_some() {
        return tx.update("payment.transaction", id, |row| row.set("is_post_processed", true));
    }
    let confirms = confirms_a_quotation(tx, id)?;
    for order in transaction.references("sale_order_ids").to_vec() {
        if confirms {
            super::sale::action_confirm(tx, &[order])?;
        }
        write_to_customer(tx, id, order)?;
    }
    let invoices = transaction.references("invoice_ids").to_vec();
    for invoice in &invoices {
        if tx.record("account.move", *invoice)?.text("state") == "draft" {
            accounting::action_post(tx, &[*invoice])?;
        }
    }
    let payment = accounting::enter_payment(tx, payment_of(tx, id, &transaction, date)?)?;
    accounting::reconcile(tx, payment, &invoices)?;
    accounting::settle_state(tx, payment)?;
    tx.update("payment.transaction", id, |row| {
        row.set("payment_id", Value::Ref(payment));
        row.set("is_post_processed", true);
    })
}

/// Whether post-processing a done transaction confirms its order: the one order it has is a
/// quotation, and is paid in full.
pub fn confirms_a_quotation(tx: &Tx<'_>, id: Id) -> Outcome<bool> {
    let [order] = tx.record("payment.transaction", id)?.references("sale_order_ids").to_vec()[..]
    else {
        return Ok(false);
    };
    let row = tx.record("sale.order", order)?;
    let quotation = matches!(row.text("state"), "draft" | "sent");
    Ok(quotation && super::sale::amount_paid(tx, order) >= row.amount("amount_total"))
}

/// `_set_canceled` (also of what failed) and `_set_error`.
pub fn set_state(tx: &mut Tx<'_>, id: Id, state: &str, message: &str) -> Outcome<()> {
    tx.update("payment.transaction", id, |row| {
        row.set("state", state);
        row.set("state_message", message);
    })
}

fn write_to_customer(tx: &mut Tx<'_>, transaction: Id, order: Id) -> Outcome<()> {
    let mail = Record::default()
        .with("transaction", Value::Ref(transaction))
        .with("order", Value::Ref(order));
    tx.insert(MAIL, mail).map(|_| ())
}

fn payment_of(tx: &Tx<'_>, id: Id, transaction: &Record, date: Option<&str>) -> Outcome<Payment> {
    let provider = transaction.reference("provider_id");
    let line = tx.tables().find("account.payment.method.line", |row| {
        provider.is_some() && row.reference("payment_provider_id") == provider
    });
    let Some((line, row)) = line else {
        return Err(Raise::validation("Please define a payment method line on your payment."));
    };
    let currency = transaction.reference("currency_id");
    if let Some(money) = currency.and_then(|id| tx.get("res.currency", id))
        && !money.flag("active")
    {
        return Err(Raise::user(format!(
            "You cannot validate a document with an inactive currency: {}",
            money.text("name")
        )));
    }
    Ok(Payment {
        amount: transaction.amount("amount"),
        currency,
        partner: transaction.reference("partner_id"),
        journal: row.reference("journal_id").unwrap_or_default(),
        line,
        memo: memo(tx, transaction),
        date: date.unwrap_or(&tx.caller.today).to_owned(),
        transaction: Some(id),
        invoices: transaction.references("invoice_ids").to_vec(),
    })
}

/// `<reference> - <partner> - <provider's reference>`; 19 leaves the partner out.
fn memo(tx: &Tx<'_>, transaction: &Record) -> String {
    let partner = transaction.reference("partner_id").and_then(|id| tx.get("res.partner", id));
    let partner = partner.map_or_else(String::new, |row| display_name(tx, "res.partner", row));
    let mut parts = vec![transaction.text("reference")];
    if tx.series() != Series::V19 {
        parts.push(&partner);
    }
    parts.push(transaction.text("provider_reference"));
    parts.join(" - ")
}

/// The cron "Payment: Post-process transactions": an error is logged and swallowed.
///
/// 18 and 19 also pass over drafts and mark them: written done without taking the mark off,
/// such a transaction is ignored for ever (`odoo-api.md` 2).
pub fn run_cron(tx: &mut Tx<'_>) -> Json {
    let drafts_too = tx.series() != Series::V17;
    let waiting = tx.ids_where("payment.transaction", |row| {
        (drafts_too || row.text("state") == "done") && !row.flag("is_post_processed")
    });
    for id in waiting {
        let point = tx.savepoint();
        if post_process(tx, id, None).is_err() {
            tx.rollback_to(point);
        }
    }
    json!(true)
}
