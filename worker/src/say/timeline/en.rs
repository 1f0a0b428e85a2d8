//! The facts in English. [`super::es`] says the same in Spanish, in the same order.

use concilia_shared::money::Money;

use super::{documents, parked_for, went_back};
use crate::domain::event::{Event, Matched, SettingChange, System, WebhookReceived};
use crate::domain::fact::{Fact, PaymentResult};
use crate::domain::state::Status;
use crate::say::{Lang, closed, pending, status, when};

pub(super) fn sentence(event: &Event) -> String {
    match event {
        Event::WebhookReceived(told) => received(told),
        Event::PayloadConflicted { body_hash, .. } => format!(
            "The same id came again with another body ({}…); the first one counts.",
            body_hash.get(..12).unwrap_or(body_hash)
        ),
        Event::Recorded { reason, .. } => {
            format!("Recorded: {}", status(&Status::Recorded(reason.clone()), Lang::En))
        }
        Event::Ignored { reason, .. } => {
            format!("Ignored: {}", status(&Status::Ignored(reason.clone()), Lang::En))
        }
        Event::Pended { reason, attempt, due_at, .. } => format!(
            "Waits (tries used: {attempt}, next at {}): {}",
            when::moment(*due_at),
            pending(reason, Lang::En)
        ),
        Event::Parked { reason, .. } => {
            format!("Parked: {}", status(&Status::Parked(reason.clone()), Lang::En))
        }
        Event::Booked { booking, matched: Some(matched), mode, .. } => format!(
            "Booked{}: {}. {}",
            mode.map(|mode| format!(" in mode {}", mode.word())).unwrap_or_default(),
            documents(booking),
            found(matched)
        ),
        Event::Booked { booking, matched: None, .. } => {
            format!("Found in Odoo, booked before: {}.", documents(booking))
        }
        Event::TransactionCanceled { transaction, .. } => {
            format!("Cancelled the transaction {transaction} in Odoo.")
        }
        Event::TransactionFailed { transaction, .. } => {
            format!("Set the transaction {transaction} to error in Odoo.")
        }
        Event::Refunded { refund, .. } => format!("Booked what went back: {}.", went_back(refund)),
        Event::InvoiceMade { invoice, .. } => {
            format!("Made the invoice {invoice} in Odoo, which had none.")
        }
        Event::Registered { registration, .. } => {
            format!("Wrote {} ({}) in Odoo.", registration.record, registration.state)
        }
        Event::CreditFound { .. } => {
            "Saw open credit of the payment beside an open invoice of its order.".to_owned()
        }
        Event::Completed { booking, .. } => {
            format!("Gave the open credit to the invoices: {}.", documents(booking))
        }
        Event::RetryRequested { by, .. } => format!("{by} asked that it be tried now."),
        Event::MatchChosen { order, by, why, .. } => {
            format!("{by} chose order {order}: {}", closed(why))
        }
        Event::DifferenceAccepted { accepted, by, why, .. } => format!(
            "{by} accepted it all the same ({}): {}",
            parked_for(accepted, Lang::En),
            closed(why)
        ),
        Event::Held { .. } => {
            "Read again from the broker: nothing is done until a person releases it.".to_owned()
        }
        Event::Released { by, .. } => format!("{by} released it."),
        Event::SettingsChanged { by, why, changes } => {
            let changes: Vec<String> = changes.iter().map(change).collect();
            let changes =
                if changes.is_empty() { "no setting".to_owned() } else { changes.join(", ") };
            match why {
                Some(why) => format!("{by} changed {changes}: {}", closed(why)),
                None => format!("{by} changed {changes}."),
            }
        }
        Event::AccountPaused { by, why } => format!("{by} paused the account: {}", closed(why)),
        Event::AccountResumed { by } => format!("{by} let the account go on."),
        Event::OutageBegan { system, reason } => {
            format!("Outage of {} began: {}", name(*system), pending(reason, Lang::En))
        }
        Event::OutageEnded { system } => format!("Outage of {} ended.", name(*system)),
        Event::DatabaseSeen { database } => {
            format!("Odoo database {database} seen for the first time; the account books into it.")
        }
    }
}

fn received(told: &WebhookReceived) -> String {
    let kind = told.event_type.as_deref().unwrap_or("an event without a type");
    let late = told.late_s.map(|late_s| format!(" It came {late_s} s late.")).unwrap_or_default();
    let said = match &told.fact {
        Fact::CheckoutPaid(paid) => {
            let mut said = format!("{kind}: {} paid, {}", paid.amount, paid.checkout);
            if let Some(at) = paid.paid_at {
                said.extend([", on ", &when::moment(at)]);
            }
            if paid.refunded {
                said.push_str(", refunded since");
            }
            if paid.disputed {
                said.push_str(", disputed");
            }
            said
        }
        Fact::CheckoutCanceled(canceled) => format!("{kind}: {} canceled", canceled.checkout),
        Fact::CheckoutRefunded(refunded) => {
            let amount = amount(refunded.refunded);
            format!("{kind}: {amount} of {} refunded in all", refunded.checkout)
        }
        Fact::PaymentTold(payment) => {
            let names: Vec<String> = payment.names().iter().map(ToString::to_string).collect();
            let (amount, names) = (amount(payment.amount), names.join(", "));
            let result = match payment.result {
                PaymentResult::Succeeded => "taken",
                PaymentResult::Failed => "refused",
            };
            format!("{kind}: {amount} {result}, {names}")
        }
        Fact::DisputeTold(dispute) => {
            let about = dispute.names().first().map(|name| format!(" of {name}"));
            let (amount, about) = (amount(dispute.amount), about.unwrap_or_default());
            format!("{kind}: dispute {}{about} over {amount}", dispute.dispute)
        }
        Fact::SubscriptionTold(told) => {
            format!("{kind}: subscription {} is {}", told.subscription, told.state.as_str())
        }
        Fact::InvoiceTold(invoice) => {
            let amount = amount(invoice.amount);
            format!(
                "{kind}: invoice {} over {amount} is {}",
                invoice.invoice,
                invoice.state.as_str()
            )
        }
        Fact::CardEnrolled(card) => format!("{kind}: card {} enrolled", card.card()),
        Fact::Other => format!("{kind}, which asks for nothing in Odoo"),
        Fact::Unreadable { .. } => "a signed body that does not read".to_owned(),
    };
    format!("Told {said}.{late}")
}

fn amount(told: Option<Money>) -> String {
    told.map_or_else(|| "an unnamed amount".to_owned(), |amount| amount.to_string())
}

fn found(matched: &Matched) -> String {
    let Matched { path, field, value } = matched;
    format!("Found by {path} = {value} in {field}.")
}

fn change(change: &SettingChange) -> String {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    format!("{} from {} to {}", change.key, shown(&change.from), shown(&change.to))
}

fn name(system: System) -> &'static str {
    match system {
        System::Odoo => "Odoo",
        System::Ventipay => "Ventipay",
    }
}
