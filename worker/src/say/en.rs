//! The sentences in English. [`super::es`] says the same in Spanish, in the same order.

use super::amount;
use crate::domain::reason::{
    IgnoreReason, NotReady, ParkReason, PendingReason, Problem, RecordReason,
};
use crate::domain::state::Status;

pub(super) fn status(status: &Status) -> String {
    match status {
        Status::Received => "In the log; about to be looked at.".to_owned(),
        Status::Reconciled => "In Odoo.".to_owned(),
        Status::Canceled { transaction } => format!("Cancelled in Odoo: {transaction}."),
        Status::Refunded(refund) => {
            format!("In Odoo: {} went back, {}.", refund.amount, refund.transaction)
        }
        Status::Failed { transaction } => format!("Set to error in Odoo: {transaction}."),
        Status::Registered(registration) => {
            format!("In Odoo: {} ({}).", registration.record, registration.state)
        }
        Status::Pending { reason, .. } => pending(reason),
        Status::Parked(reason) => parked(reason),
        Status::Ignored(IgnoreReason::OtherEnvironment { live }) => {
            let said = match live {
                Some(true) => "a live event",
                Some(false) => "a test event",
                None => "an event that does not say live or test",
            };
            format!(
                "Not of this account's environment: {said}. Nothing to do, unless the account is set up wrong."
            )
        }
        Status::Ignored(IgnoreReason::ByHand { by, why }) => {
            format!("Closed by {by}: {}", super::closed(why))
        }
        Status::Recorded(RecordReason::NothingToDo) => {
            "Stored; this type asks for nothing in Odoo.".to_owned()
        }
        Status::Recorded(RecordReason::BeforeBookFrom { book_from }) => {
            format!("Paid before book_from ({book_from}); stored, not booked.")
        }
        Status::Recorded(RecordReason::ToldBefore) => "Another event told the same.".to_owned(),
        Status::Recorded(RecordReason::NothingToCancel) => {
            "Canceled before it was paid; Odoo has no transaction of it to cancel.".to_owned()
        }
        Status::Recorded(RecordReason::NothingToConfirm) => {
            "Odoo has no open transaction of this payment; nothing to confirm.".to_owned()
        }
        Status::Recorded(RecordReason::PaymentNotBooked) => {
            "Its payment is not this account's to book, so neither is what went back.".to_owned()
        }
        Status::Recorded(RecordReason::BookedElsewhere { name }) => {
            format!("The same payment is booked as {name}.")
        }
        Status::Recorded(RecordReason::Overtaken { status }) => {
            format!(
                "Told canceled, but Ventipay shows the checkout as {status} by now; nothing was cancelled."
            )
        }
    }
}

pub(super) fn pending(reason: &PendingReason) -> String {
    match reason {
        PendingReason::NoMatch { looked_for } => {
            format!(
                "No order in Odoo matches{} yet. It is looked for again by itself; if it stays, check the connector, or choose the order with `concilia-worker match`.",
                values(looked_for)
            )
        }
        PendingReason::NoTransaction { looked_for } => {
            format!(
                "Odoo has no transaction{} of this checkout yet. It is looked for again by itself; if it stays, check the mode and reference_keys.",
                values(looked_for)
            )
        }
        PendingReason::NoInvoiceYet { order } => {
            format!("Order {order} has no posted invoice yet, and this account waits for one.")
        }
        PendingReason::NotPaidYet { status } => {
            format!(
                "Ventipay shows the checkout as {status}, not paid; it is asked again by itself."
            )
        }
        PendingReason::NotCanceledYet { status } => {
            format!(
                "Ventipay shows the checkout as {status}, not canceled; it is asked again by itself."
            )
        }
        PendingReason::NoInvoice { looked_for } => {
            format!(
                "No posted customer invoice in Odoo matches{} yet. It is looked for again by itself; make it, with one of these as its reference, or set subscription_invoices.",
                values(looked_for)
            )
        }
        PendingReason::NoCustomer => "Odoo has no customer with this RUT, e-mail or id yet. It is looked for again by itself; make the contact, or set customers=create.".to_owned(),
        PendingReason::NotBookedYet => {
            "Its payment is not in Odoo yet; it goes on by itself once that is.".to_owned()
        }
        PendingReason::NotRefundedYet { status } => {
            format!(
                "Ventipay shows {status} refunded, less than was told; it is asked again by itself."
            )
        }
        PendingReason::Changed { what } => {
            format!("Odoo changed while booking ({what}); it is looked at again by itself.")
        }
        PendingReason::OdooUnavailable => {
            "Odoo does not answer; it is tried again by itself.".to_owned()
        }
        PendingReason::VentipayUnavailable => {
            "Ventipay does not answer; it is tried again by itself.".to_owned()
        }
        PendingReason::OnlyThis { trouble } => {
            format!("For this event alone, though all others go on: {}", pending(trouble))
        }
        PendingReason::NotReady { why } => not_ready(why),
    }
}

fn not_ready(why: &NotReady) -> String {
    match why {
        NotReady::NoOdoo => "The account has no Odoo: set accounts.NAME.odoo.url, database and key.".to_owned(),
        NotReady::Denied => "Odoo refused the bot: check odoo.login and odoo.key, then run `concilia-worker odoo setup`.".to_owned(),
        NotReady::ActionMissing => "Concilia's actions are missing in Odoo: run `concilia-worker odoo setup`.".to_owned(),
        NotReady::ActionDiffers => "Concilia's actions in Odoo are not this version's, or were edited: run `concilia-worker odoo setup`.".to_owned(),
        NotReady::NoProvider => "Odoo has no Ventipay provider with a clearing account for this company: run `concilia-worker odoo setup`.".to_owned(),
        NotReady::ProviderDisabled => "The Ventipay provider is disabled in Odoo: enable it (or set it to test) there.".to_owned(),
        NotReady::ProviderDiffers { state } => {
            format!(
                "The Ventipay provider in Odoo is in state {state}, which is not this account's environment: correct accounts.NAME.environment, or run `concilia-worker odoo setup`."
            )
        }
        NotReady::NoAccount => {
            "This account is not in the configuration: add it again, and what waits goes on."
                .to_owned()
        }
        NotReady::UnknownField { field } => {
            format!("sale.order has no field {field}: correct accounts.NAME.custom_field.")
        }
        NotReady::VentipayDenied => "Ventipay refused the API key: set accounts.NAME.ventipay.key to a current one.".to_owned(),
        NotReady::OtherDatabase { known, answering } => {
            format!("Another Odoo database answers ({answering}) than the one this account books into ({known}): correct odoo.url and odoo.database, or, if it really moved, run `concilia-worker settings set NAME database={answering}`.")
        }
        NotReady::NoModels => "Concilia's own models are missing in Odoo: run `concilia-worker odoo setup`.".to_owned(),
        NotReady::Misconfigured { detail } => {
            format!("Odoo answered an error that somebody must put right: {detail}")
        }
    }
}

fn parked(reason: &ParkReason) -> String {
    match reason {
        ParkReason::Unreadable { problem } => {
            format!("The signed body does not read ({}). Look at it in Ventipay's dashboard.", self::problem(problem))
        }
        ParkReason::AmountMismatch { paid, expected, document } => {
            format!("Paid {paid}, but {document} asks for {}. Correct the document, refund the difference, or book it all the same with `concilia-worker accept`.", amount(expected, *paid))
        }
        ParkReason::CurrencyMismatch { paid, expected, document } => {
            format!("Paid {paid}, but {document} is in {expected}. Book it by hand or correct the document.")
        }
        ParkReason::Ambiguous { value, orders } => {
            format!("Several orders match {value}: {}. Choose one with `concilia-worker match`, or set a domain that keeps the shops apart.", orders.join(", "))
        }
        ParkReason::AlreadyPaid { document, by } => {
            format!("{document} is already paid by other means ({by}). Check for a double payment; then close it with `concilia-worker ignore`, refund it, or book it as credit with `concilia-worker accept`.")
        }
        ParkReason::NameTaken { document, by } => {
            format!("Odoo's transaction {document} stands where this payment's would ({by}). If it is this payment, close this with `concilia-worker ignore`; if the customer paid twice, refund one.")
        }
        ParkReason::OrderCancelled { order } => {
            format!("Order {order} is cancelled. Refund the payment or reopen the order.")
        }
        ParkReason::OtherCompany { document } => {
            format!("{document} belongs to another company. Check odoo.company_id of this account.")
        }
        ParkReason::BookedDifferently { paid, booked } => {
            format!("Paid {paid}, but Odoo holds {booked} under this checkout. Correct it in Odoo.")
        }
        ParkReason::ContradictedByVentipay { told, answered } => {
            format!("The event says {told}, Ventipay's API says {answered}. Ask Ventipay which is right.")
        }
        ParkReason::Refunded => "Refunded before it was booked. Check in Ventipay how much is left, and book that by hand.".to_owned(),
        ParkReason::Disputed => "Disputed before it was booked. Answer the dispute, then book or close it.".to_owned(),
        ParkReason::NotPayable { status } => {
            format!("Ventipay shows the checkout as {status}. Ask Ventipay before booking anything.")
        }
        ParkReason::LateAndUnverifiable { late_s } => {
            format!("Signed {late_s} s away from its receipt, and there is no API key to ask whether it still holds. Set ventipay.key, or check it in the dashboard.")
        }
        ParkReason::RefusedByOdoo { why, detail } if detail.is_empty() => {
            format!("Odoo's booking action refused it ({why}). Look at the order and the provider in Odoo.")
        }
        ParkReason::RefusedByOdoo { detail, .. } => format!("Odoo refused to book it: {detail}"),
        ParkReason::RetriesExhausted { attempts, waiting_for } => {
            format!("Tried {attempts} times. Last: {}", pending(waiting_for))
        }
        ParkReason::TransactionMismatch { paid, expected, document } => {
            format!("Paid {paid}, but Odoo's transaction {document} is of {}. Refund the payment, or choose the order it is for with `concilia-worker match`.", amount(expected, *paid))
        }
        ParkReason::CanceledAfterPayment { document } => {
            format!("Canceled at Ventipay, though it was paid ({document}). Nothing was undone: ask Ventipay where the money is, then correct Odoo and close it with `concilia-worker ignore`.")
        }
        ParkReason::AmbiguousCustomer => "More than one customer in Odoo has this RUT or e-mail. Merge or correct them, then `concilia-worker retry`.".to_owned(),
        ParkReason::CardUnclear => "The event does not show the card's last four digits. Nothing is lost: the card works at Ventipay; close this with `concilia-worker ignore`.".to_owned(),
        ParkReason::RefundUnclear => "Money went back, but neither the event nor Ventipay says how much in all. See the dashboard, book it by hand, then close it with `concilia-worker ignore`.".to_owned(),
        ParkReason::RefundAbovePayment { refunded, booked } => {
            format!("Ventipay says that {refunded} went back in all, but only {booked} was booked. Ask Ventipay, then correct Odoo and close it with `concilia-worker ignore`.")
        }
        ParkReason::ContradictingFacts { known, told } => {
            format!("Known: {known}. Told now: {told}. The two contradict each other: ask Ventipay which holds, correct Odoo if need be, and close it with `concilia-worker ignore`.")
        }
        ParkReason::RoundingLost { paid, currency, document } => {
            format!("Paid {paid}, which {currency} cannot hold exactly; {document} is in {currency}. Book it by hand, or use CLF (`concilia-worker settings set NAME uf=CLF`).")
        }
        ParkReason::InvoiceNotPosted { document } => {
            format!("{document} is not posted, and confirming the payment would post it. Post or remove it in Odoo, then `concilia-worker retry`.")
        }
        ParkReason::PayloadErased => "Its payload was erased before it could be matched. Book it by hand.".to_owned(),
    }
}

fn values(looked_for: &[String]) -> String {
    if looked_for.is_empty() { String::new() } else { format!(" {}", looked_for.join(", ")) }
}

fn problem(problem: &Problem) -> String {
    match problem {
        Problem::NotUtf8 => "not UTF-8 text".to_owned(),
        Problem::NotJson => "not JSON".to_owned(),
        Problem::DuplicateKey { key } => format!("the key {key} stands in it twice"),
        Problem::Field { path } => format!("{path} is missing or not as documented"),
        Problem::UnknownCurrency { code } => format!("unknown currency {code}"),
    }
}
