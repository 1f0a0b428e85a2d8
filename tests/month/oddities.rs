//! Sixty oddities as a table: what each is, where its event must rest, and why.
//!
//! How each comes about is in [`plant`](self) (one function each, below the table); what it does
//! to the sums is written down where it happens. Not here: the ordinary ([`crate::traffic`]).

mod documents;
mod objects;
mod tellings;

use concilia_shared::money::{Currency, Money};
use jiff::{SignedDuration, Timestamp};
use rand::RngExt;

use crate::expect::Odd;
use crate::world::{Account, Month, START};

/// One oddity. `plant` gets a key that nothing else carries, and answers the id of its event.
struct Oddity {
    what: &'static str,
    status: &'static str,
    reason: &'static str,
    plant: fn(&mut Month, &str) -> String,
}

const fn odd(
    what: &'static str,
    (status, reason): (&'static str, &'static str),
    plant: fn(&mut Month, &str) -> String,
) -> Oddity {
    Oddity { what, status, reason, plant }
}

const fn parked(
    reason: &'static str,
    what: &'static str,
    plant: fn(&mut Month, &str) -> String,
) -> Oddity {
    odd(what, ("parked", reason), plant)
}

const fn pending(
    reason: &'static str,
    what: &'static str,
    plant: fn(&mut Month, &str) -> String,
) -> Oddity {
    odd(what, ("pending", reason), plant)
}

const fn recorded(
    reason: &'static str,
    what: &'static str,
    plant: fn(&mut Month, &str) -> String,
) -> Oddity {
    odd(what, ("recorded", reason), plant)
}

/// How many there are.
const COUNT: usize = 60;

#[rustfmt::skip]
const TABLE: [Oddity; COUNT] = [
    parked("amount_mismatch", "paid less than the order", documents::paid_less),
    parked("amount_mismatch", "paid more than the order", documents::paid_more),
    parked("amount_mismatch", "the invoice asks for more than the order", documents::invoice_asks_more),
    parked("currency_mismatch", "an order in dollars", documents::in_dollars),
    parked("currency_mismatch", "an order in UF, paid in pesos", documents::in_uf),
    parked("rounding_lost", "an amount Odoo's UF cannot hold", documents::uf_not_exact),
    parked("ambiguous", "two orders of one number", documents::two_orders),
    odd("the same number in another shop", ("reconciled", ""), documents::same_number_elsewhere),
    pending("no_match", "a number only another shop has", documents::only_elsewhere),
    pending("no_match", "an order that never comes", documents::no_order),
    pending("no_match", "a payment that names no order", documents::no_key),
    parked("order_cancelled", "a cancelled order", documents::cancelled),
    parked("order_cancelled", "a cancelled order of the outlet", documents::cancelled_outlet),
    parked("already_paid", "an invoice paid by hand", documents::paid_by_hand),
    parked("already_paid", "a second checkout of a paid order", documents::second_checkout),
    parked("already_paid", "the same in the outlet", documents::second_checkout_outlet),
    odd("a quotation that is paid", ("reconciled", ""), documents::quotation),
    parked("name_taken", "a transaction of the portal done by hand", documents::done_by_hand),
    pending("no_match", "a transaction of another provider", documents::another_provider),
    parked("name_taken", "another transaction called as the checkout", documents::called_alike),
    parked("transaction_mismatch", "less than its transaction", documents::transaction_differs),
    parked("invoice_not_posted", "the transaction's invoice is a draft again", documents::draft_again),
    parked("already_paid", "the transaction's invoice is paid meanwhile", documents::paid_meanwhile),
    parked("order_cancelled", "the transaction's order is cancelled", documents::order_gone),
    parked("other_company", "booked in another company", documents::another_company),
    odd("a live payment told to a test account", ("ignored", "other_environment"), tellings::live_in_test),
    odd("a test payment told to a live account", ("ignored", "other_environment"), tellings::test_in_live),
    parked("unreadable", "not JSON", tellings::not_json),
    parked("unreadable", "not UTF-8", tellings::not_utf8),
    parked("unreadable", "one key twice", tellings::duplicate_key),
    parked("unreadable", "an amount that is text", tellings::amount_as_text),
    parked("unreadable", "an unknown currency", tellings::unknown_currency),
    parked("unreadable", "neither live nor test", tellings::no_live),
    odd("another body under the same id", ("reconciled", ""), tellings::second_body),
    parked("late_and_unverifiable", "late, and nobody to ask", tellings::late_without_key),
    parked("contradicted_by_ventipay", "Ventipay now says another amount", tellings::contradicted),
    parked("contradicted_by_ventipay", "told again with another amount", tellings::told_otherwise),
    parked("not_payable", "Ventipay now says canceled", tellings::canceled_since),
    pending("not_paid_yet", "Ventipay now says unpaid", tellings::unpaid_since),
    parked("not_payable", "a checkout Ventipay does not know", tellings::unknown_checkout),
    parked("disputed", "disputed before it is booked", tellings::disputed_before),
    recorded("before_book_from", "paid before the account begins", tellings::before_book_from),
    recorded("payment_not_booked", "a refund of such a payment", tellings::refund_before_book_from),
    parked("refund_above_payment", "more goes back than was paid", tellings::refund_above),
    parked("refund_unclear", "a refund that names no amount", tellings::refund_unclear),
    pending("not_booked_yet", "a refund of a payment nobody tells", tellings::refund_of_untold),
    parked("contradicted_by_ventipay", "a refund Ventipay never shows", tellings::refund_not_shown),
    parked("canceled_after_payment", "canceled after it was paid", tellings::canceled_after),
    recorded("overtaken", "canceled, while Ventipay says paid", tellings::canceled_but_paid),
    parked("transaction_mismatch", "a charge of another amount", objects::charge_differs),
    recorded("nothing_to_confirm", "a charge of nothing Odoo knows", objects::charge_of_nothing),
    parked("contradicting_facts", "a dispute won, then lost", objects::won_then_lost),
    recorded("overtaken", "a dispute told lost that is won", objects::lost_but_won),
    recorded("overtaken", "a subscription told active after its end", objects::active_after_end),
    pending("no_invoice", "a paid invoice Odoo has not", objects::no_invoice),
    parked("ambiguous", "a paid invoice Odoo has twice", objects::two_invoices),
    parked("amount_mismatch", "a paid invoice of another amount", objects::invoice_differs),
    parked("card_unclear", "a card without digits", objects::card_without_digits),
    pending("no_customer", "a customer whose RUT is wrong", objects::wrong_rut),
    parked("ambiguous_customer", "two customers of one RUT", objects::two_customers),
];

/// Plans each at a time of its own, early enough that all of it comes to rest.
pub(crate) fn plant(month: &mut Month) {
    let start: Timestamp = START.parse().unwrap();
    for (number, oddity) in TABLE.iter().enumerate() {
        let at = start + SignedDuration::from_mins(month.dice.random_range(60..20 * 24 * 60));
        month.at(at, move |month| {
            let event = (oddity.plant)(month, &format!("odd-{number}"));
            let reason = Some(oddity.reason).filter(|reason| !reason.is_empty());
            let odd = Odd { what: oddity.what, status: oddity.status, reason };
            let before = month.expected.odd.insert(event, odd);
            assert_eq!(before, None, "two oddities of one event");
        });
    }
}

const TIENDA: Account = Account::Tienda;
const OUTLET: Account = Account::Outlet;

fn clp(minor: i64) -> Money {
    Money::new(minor, Currency::Clp)
}

/// What an order of the oddities is of.
const TOTAL: i64 = 12_000;

/// Somebody pays for the order of this key, and it is told.
fn paid(month: &mut Month, account: Account, amount: Money, key: &str) -> String {
    let paid = month.pay(account, amount, "external_id", key);
    month.arrives(account, &paid.event);
    paid.event
}

/// An order in the field all shops use.
fn order(month: &Month, account: Account, key: &str) -> concilia_tests::odoo::fixtures::MadeOrder {
    month.order(account, clp(TOTAL), "client_order_ref", key)
}
