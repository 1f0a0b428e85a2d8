//! What each model adds to the generic part: defaults, checks, computed fields, consequences.
//!
//! [`base`] (users, actions, external ids), [`company`] (a new one and its journals), [`sale`]
//! (orders, invoicing wizard), [`accounting`] (invoices, payments, reconciliation),
//! [`credit_note`] and [`refund`] (reversals, activities), `closed` (accounts and periods), `terms` (early-payment
//! discounts), [`payment`] (providers, transactions and their post-processing), [`portal`]
//! (payments a customer begins). This file only sends each hook to the right one.

pub mod accounting;
pub mod base;
mod closed;
pub mod company;
pub mod credit_note;
pub mod payment;
pub mod portal;
pub mod refund;
pub mod sale;
pub mod technical;
mod terms;

use super::errors::{Outcome, Raise};
use super::fields::Series;
use super::value::{Id, Record, Value};
use super::world::Tx;

/// Fills in what a new record was not given.
pub fn prepare(tx: &mut Tx<'_>, model: &str, record: &mut Record) -> Outcome<()> {
    match model {
        "sale.order" => sale::prepare_order(tx, record),
        "sale.order.line" | "account.move.line" => sale::prepare_line(tx, model, record),
        "account.move" => accounting::prepare_move(tx, record),
        "account.account" | "account.journal" => accounting::prepare_account(tx, model, record),
        "account.payment.register" => return accounting::prepare_register(tx, record),
        "account.move.reversal" => return credit_note::prepare_reversal(tx, record),
        "res.company" => return company::prepare(tx, record),
        "account.payment.method.line" => return payment::prepare_method_line(tx, record),
        "payment.provider" => payment::prepare_provider(tx, record),
        "payment.method" => payment::prepare_method(record),
        "payment.transaction" => return payment::prepare_transaction(tx, record),
        "res.users" => return base::prepare_user(tx, record),
        "ir.actions.server" => base::prepare_action(tx, record),
        "ir.model.data" => record.fill("noupdate", false),
        "ir.model"
        | "ir.model.fields"
        | "ir.ui.view"
        | "ir.ui.menu"
        | "ir.actions.act_window"
        | "ir.model.access"
        | "ir.rule" => technical::prepare(tx, model, record),
        _ => base::prepare_other(tx, model, record),
    }
    Ok(())
}

/// Refuses what Odoo's constraints refuse, before anything is stored.
pub fn check(tx: &Tx<'_>, model: &str, record: &Record) -> Outcome<()> {
    match model {
        "ir.actions.server" => base::check_action(record),
        "res.partner" => base::check_partner(tx, record),
        "payment.provider" => payment::check_provider(record),
        _ => technical::check(tx, model, record),
    }
}

/// What follows from a new record.
pub fn created(tx: &mut Tx<'_>, model: &str, id: Id) -> Outcome<()> {
    match model {
        "sale.order" => sale::total_order(tx, id),
        "account.move" => accounting::total_move(tx, id),
        "res.users" => base::user_written(tx, id),
        "res.company" => company::created(tx, id),
        _ => Ok(()),
    }
}

/// What follows from a changed record.
pub fn written(tx: &mut Tx<'_>, model: &str, id: Id, before: &Record) -> Outcome<()> {
    match model {
        "sale.order" => sale::total_order(tx, id),
        "account.move" => accounting::total_move(tx, id),
        "sale.order.line" => match before.reference("order_id") {
            Some(order) => sale::total_order(tx, order),
            None => Ok(()),
        },
        "payment.provider" => payment::provider_written(tx, id, before),
        "res.users" => base::user_written(tx, id),
        "payment.method" => payment::method_written(tx, id, before),
        "res.company" => closed::check_lock(tx, id, before),
        _ => Ok(()),
    }
}

/// What must be so before a record is deleted, and what goes with it. `false`: it stays, as
/// payment method lines do that payments were entered by.
pub fn unlinking(tx: &mut Tx<'_>, model: &str, id: Id) -> Outcome<bool> {
    match model {
        "account.payment.method.line" => payment::unlink_method_line(tx, id),
        _ => technical::unlinking(tx, model, id).map(|()| true),
    }
}

/// A field that is not stored: `None` when it is, `Some(None)` when it holds nothing.
pub fn computed(tx: &Tx<'_>, model: &str, id: Id, name: &str) -> Option<Option<Value>> {
    match (model, name) {
        ("ir.model.data", "complete_name") => {
            let row = tx.get(model, id)?;
            let full = format!("{}.{}", row.text("module"), row.text("name"));
            Some(Some(Value::Text(full)))
        }
        ("res.groups", "full_name") => {
            Some(tx.get(model, id).map(|row| display_name(tx, model, row).into()))
        }
        (
            "account.payment",
            "reconciled_invoice_ids" | "is_reconciled" | "is_matched" | "outstanding_account_id",
        ) => Some(accounting::computed_payment(tx, id, name)),
        ("sale.order", "invoice_status") => Some(Some(sale::invoice_status(tx, id).into())),
        ("sale.order", "amount_paid") => Some(Some(sale::amount_paid(tx, id).into())),
        ("ir.rule", "global") => {
            Some(tx.get(model, id).map(|row| row.references("groups").is_empty().into()))
        }
        ("account.move", "access_url") => Some(Some(format!("/my/invoices/{id}").into())),
        _ => technical::translated(tx, model, id, name).map(Some),
    }
}

/// What people see of a record.
pub fn display_name(tx: &Tx<'_>, model: &str, row: &Record) -> String {
    let name = row.text("name");
    match model {
        "payment.transaction" => row.text("reference").to_owned(),
        "ir.model.data" => format!("{}.{name}", row.text("module")),
        "ir.config_parameter" => row.text("key").to_owned(),
        "account.account" if tx.series() != Series::V19 => format!("{} {name}", row.text("code")),
        "account.payment.method.line" if tx.series() != Series::V17 => {
            let journal = row.reference("journal_id").and_then(|id| tx.get("account.journal", id));
            journal.map_or_else(
                || name.to_owned(),
                |journal| format!("{name} ({})", journal.text("name")),
            )
        }
        "account.move" => match (name, row.text("ref")) {
            ("" | "/", _) => "Draft Invoice".to_owned(),
            (name, "") => name.to_owned(),
            (name, memo) => format!("{name} ({memo})"),
        },
        "l10n_latam.document.type" => format!("({}) {name}", row.text("code")),
        "res.groups" if tx.series() == Series::V18 && !row.text("sim_category").is_empty() => {
            format!("{} / {name}", row.text("sim_category"))
        }
        "ir.model.fields" => row.text("field_description").to_owned(),
        _ if model.starts_with("x_") => row.text("x_name").to_owned(),
        _ => name.to_owned(),
    }
}

/// The order of records when the caller asks for none.
pub fn default_order(model: &str) -> &'static str {
    match model {
        "sale.order" => "date_order desc, id desc",
        "account.move" => "date desc, name desc, id desc",
        "account.payment" => "date desc, name desc",
        "payment.transaction" => "id desc",
        "res.partner" | "res.users" => "name, id",
        "account.journal" => "sequence, type, code",
        "account.account" => "code",
        "ir.model.data" => "module, model, name",
        _ => "id",
    }
}

/// A required field was left out (`2_71_missing_pm` of the captures).
pub fn missing_required(series: Series, model: &str, label: &str, field: &str) -> Raise {
    let title = field.trim_end_matches("_ids").trim_end_matches("_id");
    let capital = |word: &str| {
        word.get(..1).map_or_else(String::new, str::to_uppercase) + word.get(1..).unwrap_or("")
    };
    let words: Vec<String> = title.split('_').map(capital).collect();
    let words = words.join(" ");
    Raise::validation(if series == Series::V19 {
        format!(
            "The operation cannot be completed: Missing required value for the field '{words}' ({field}).\n\
             Model: '{label}' ({model})\n- create/update: a mandatory field is not set\n\
             - delete: another model requires the record being deleted, you can archive it instead\n"
        )
    } else {
        format!(
            "The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n\
             - Delete: another model requires the record being deleted. If possible, archive it instead.\n\n\
             Model: {label} ({model})\nField: {words} ({field})\n"
        )
    })
}

/// The company a new record is of: the one the caller names, else the caller's own.
pub fn default_company(tx: &Tx<'_>) -> Id {
    let allowed = tx.caller.context.get("allowed_company_ids");
    let named = allowed.and_then(|ids| ids.get(0)).and_then(serde_json::Value::as_i64);
    let own = || tx.get("res.users", tx.caller.uid).and_then(|user| user.reference("company_id"));
    named.or_else(own).unwrap_or(1)
}

/// A company's own currency.
pub fn company_currency(tx: &Tx<'_>, company: Id) -> Option<Id> {
    tx.get("res.company", company)?.reference("currency_id")
}

/// How many decimals a currency has.
pub fn decimals(tx: &Tx<'_>, currency: Option<Id>) -> usize {
    let row = currency.and_then(|id| tx.get("res.currency", id));
    row.map_or(0, |row| usize::try_from(row.int("decimal_places")).unwrap_or(0))
}
