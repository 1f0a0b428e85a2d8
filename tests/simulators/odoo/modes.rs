//! The worker's client against the simulated Odoo: transactions of Odoo's own, both modes at
//! once, invoices that come later, news; and that what was done is not written twice.

use std::time::Duration;

use concilia_shared::config::Transport;
use concilia_shared::money::{Currency, Money};
use concilia_tests::odoo::faults::{Operation, Point};
use concilia_tests::odoo::fixtures::{self, Invoice, NewOrder};
use concilia_tests::odoo::models::payment;
use concilia_tests::odoo::{Series, SimOdoo, SimOdooOptions, seed};
use concilia_tests::scenario::cases::Key;
use concilia_tests::scenario::odoo::OdooSim;
use concilia_worker::domain::event::Booking;
use concilia_worker::domain::name::PaymentName;
use concilia_worker::domain::observe::{
    Accepted, Book, Cancel, Candidate, Command, Confirm, InOdoo, Lookup, NewsQuery, Outcome, Probe,
    Reference,
};
use concilia_worker::odoo::Odoo;
use concilia_worker::odoo::client::Client;
use serde_json::json;

use super::worker::{endpoint, set_up};

const ALL: [Series; 3] = [Series::V17, Series::V18, Series::V19];
const PATIENCE: Duration = Duration::from_secs(20);

async fn ready(series: Series) -> (SimOdoo, Client) {
    let options = SimOdooOptions { control: true, ..SimOdooOptions::new(series) };
    let odoo = SimOdoo::start(options).await.unwrap();
    set_up(&odoo, Transport::Jsonrpc).await;
    assert!(odoo.add_key("concilia", "bot-key"));
    let bot = endpoint(&odoo, Transport::Auto, "concilia", "bot-key");
    let client = Client::new(bot, seed::COMPANY).unwrap();
    (odoo, client)
}

fn name(id: &str) -> PaymentName {
    PaymentName::parse(id).unwrap()
}

async fn look(client: &Client, id: &str, reference: &str) -> InOdoo {
    let lookup = Lookup {
        names: vec![name(id)],
        carried: vec![id.to_owned()],
        references: vec![Reference {
            path: "metadata.reference".to_owned(),
            value: reference.to_owned(),
        }],
        probes: vec![Probe {
            path: "external_id".to_owned(),
            field: "client_order_ref".to_owned(),
            value: "1001".to_owned(),
        }],
        ..Lookup::default()
    };
    client.observe(&[lookup]).await.unwrap().remove(0)
}

async fn candidate(client: &Client, id: &str, reference: &str) -> Candidate {
    look(client, id, reference).await.candidates.remove(0)
}

fn confirm(id: &str, candidate: &Candidate) -> Command {
    Command::Confirm(Box::new(Confirm {
        names: vec![name(id)],
        amount: Money::from_decimal(&candidate.transaction.amount, Currency::Clp).unwrap(),
        date: "2026-11-22".parse().unwrap(),
        currency: "CLP".to_owned(),
        candidate: candidate.clone(),
        accepted: Accepted::default(),
    }))
}

fn cancel(id: &str, candidate: &Candidate) -> Command {
    Command::Cancel(Box::new(Cancel {
        name: name(id),
        id: candidate.id,
        reference: candidate.transaction.reference.clone(),
        state: candidate.transaction.state.clone(),
        message: "Canceled at Ventipay.".to_owned(),
    }))
}

fn book(id: &str, seen: &InOdoo) -> Command {
    let order = seen.probes[0].orders[0].clone();
    let posted = order.invoices.iter().filter(|invoice| invoice.state == "posted");
    Command::Book(Box::new(Book {
        names: vec![name(id)],
        amount: Money::from_decimal(&order.total, Currency::Clp).unwrap(),
        date: "2026-11-22".parse().unwrap(),
        currency: "CLP".to_owned(),
        invoices: posted.map(|invoice| (invoice.id, invoice.residual.clone())).collect(),
        confirm: false,
        accepted: Accepted::default(),
        order,
    }))
}

async fn perform(client: &Client, command: &Command) -> Outcome {
    client.perform(std::slice::from_ref(command)).await.unwrap().remove(0)
}

async fn booked(client: &Client, command: &Command) -> Booking {
    match perform(client, command).await {
        Outcome::Booked(booking) => booking,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_portal_payment_is_confirmed_once_and_a_replay_writes_nothing() {
    for series in ALL {
        let (odoo, client) = ready(series).await;
        odoo.add_order(&NewOrder::pesos(15_990, "1001").invoiced(Invoice::Posted));
        let (id, reference) = odoo.portal_transaction("FAC 000001");
        assert_eq!(reference, "FAC 000001");
        assert_eq!(odoo.portal_transaction("FAC 000001").1, "FAC 000001-1");
        let found = candidate(&client, "chk_1", &reference).await;
        assert_eq!((found.id, found.transaction.state.as_str()), (id, "draft"));

        let command = confirm("chk_1", &found);
        let booking = booked(&client, &command).await;
        assert_eq!(
            (booking.credit.as_deref(), booking.invoices[0].residual.as_str()),
            (Some("0"), "0")
        );
        let written = odoo.counters();
        assert_eq!(written.rows["account.payment"], 1);
        assert_eq!(perform(&client, &command).await, Outcome::Already(booking.clone()));
        let cancelled = perform(&client, &cancel("chk_1", &found)).await;
        assert_eq!(cancelled, Outcome::Already(booking.clone()));
        let complete = Command::Complete { name: name("chk_1") };
        assert_eq!(perform(&client, &complete).await, Outcome::Already(booking));
        let now = odoo.counters();
        assert_eq!((now.writes, now.rows), (written.writes, written.rows), "{series:?}");
        assert_eq!(odoo.payments().len(), 1);
    }
}

#[tokio::test]
async fn eight_effects_of_both_modes_for_one_name_make_one_payment() {
    for series in ALL {
        let (odoo, client) = ready(series).await;
        odoo.add_order(&NewOrder::pesos(15_990, "1001").invoiced(Invoice::Posted));
        let (_, reference) = odoo.portal_transaction("FAC 000001");
        let seen = look(&client, "chk_1", &reference).await;
        let commands = [confirm("chk_1", &seen.candidates[0]), book("chk_1", &seen)];
        // All eight take their snapshot before the first one acts.
        let hold = odoo.hold_next(Operation::Book, Point::Before, "all", 8);
        let calls = (0..8).map(|number| perform(&client, &commands[number % 2]));
        let release = async {
            assert!(hold.arrived(8, PATIENCE).await, "{} of 8 arrived", hold.count());
            hold.release();
        };
        let (outcomes, ()) = tokio::join!(futures_util::future::join_all(calls), release);
        let done = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Booked(_)));
        assert_eq!(done.count(), 1, "{series:?}: {outcomes:?}");
        assert!(
            outcomes.iter().all(|outcome| matches!(
                outcome,
                Outcome::Booked(_) | Outcome::Already(_) | Outcome::Again
            )),
            "{series:?}: {outcomes:?}"
        );
        assert_eq!(odoo.payments().len(), 1);
        for command in &commands {
            assert!(matches!(perform(&client, command).await, Outcome::Already(_)));
        }
    }
}

#[tokio::test]
async fn two_checkouts_that_race_for_one_invoice_pay_it_once() {
    for series in ALL {
        let (odoo, client) = ready(series).await;
        odoo.add_order(&NewOrder::pesos(15_990, "1001").invoiced(Invoice::Posted));
        let (_, reference) = odoo.portal_transaction("FAC 000001");
        let seen = look(&client, "chk_1", &reference).await;
        let commands = [confirm("chk_1", &seen.candidates[0]), book("chk_2", &seen)];
        let hold = odoo.hold_next(Operation::Book, Point::Before, "both", 2);
        let calls = commands.iter().map(|command| perform(&client, command));
        let release = async {
            assert!(hold.arrived(2, PATIENCE).await, "{} of 2 arrived", hold.count());
            hold.release();
        };
        let (outcomes, ()) = tokio::join!(futures_util::future::join_all(calls), release);
        let lost = Outcome::Changed { what: "invoices".to_owned() };
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == lost).count(), 1, "{outcomes:?}");
        assert_eq!(odoo.payments().len(), 1, "{series:?}");
    }
}

#[tokio::test]
async fn what_is_cancelled_enters_nothing_and_can_still_be_confirmed() {
    for series in ALL {
        let (odoo, client) = ready(series).await;
        let made = odoo.add_order(&NewOrder::pesos(15_990, "1001"));
        let (_, reference) = odoo.portal_transaction(&made.name);
        // Odoo's own cron passes over the draft first: 18 and 19 mark it.
        odoo.edit(payment::run_cron);
        let found = candidate(&client, "chk_1", &reference).await;
        let canceled = Outcome::Canceled { transaction: reference.clone() };
        assert_eq!(perform(&client, &cancel("chk_1", &found)).await, canceled);
        let written = odoo.counters().writes;
        assert_eq!(perform(&client, &cancel("chk_1", &found)).await, canceled);
        assert_eq!(odoo.counters().writes, written, "cancelled twice");
        odoo.edit(payment::run_cron);
        assert!(odoo.payments().is_empty(), "{series:?}");

        let found = candidate(&client, "chk_1", &reference).await;
        booked(&client, &confirm("chk_1", &found)).await;
        odoo.edit(payment::run_cron);
        assert_eq!(odoo.payments().len(), 1, "{series:?}");
        assert_eq!(odoo.look(fixtures::mails), 1);
    }
}

#[tokio::test]
async fn written_done_without_taking_the_mark_off_a_draft_is_ignored_by_18_and_19() {
    for series in ALL {
        let (odoo, _) = ready(series).await;
        let made = odoo.add_order(&NewOrder::pesos(15_990, "1001"));
        let (id, _) = odoo.portal_transaction(&made.name);
        odoo.edit(payment::run_cron);
        odoo.edit(|tx| tx.update("payment.transaction", id, |row| row.set("state", "done")))
            .unwrap();
        odoo.edit(payment::run_cron);
        let entered = usize::from(series == Series::V17);
        assert_eq!(odoo.payments().len(), entered, "{series:?}");
    }
}

#[tokio::test]
async fn a_draft_that_is_posted_later_is_told_as_news_and_completed() {
    for series in ALL {
        let (odoo, client) = ready(series).await;
        let made = odoo.add_order(&NewOrder::pesos(15_990, "1001").invoiced(Invoice::Draft));
        let seen = look(&client, "chk_1", "").await;
        let booking = booked(&client, &book("chk_1", &seen)).await;
        assert_eq!((booking.credit.as_deref(), booking.invoices.len()), (Some("15990"), 0));
        let query = NewsQuery {
            since: "2026-01-01T00:00:00Z".parse().unwrap(),
            fields: vec!["client_order_ref".to_owned()],
            domain: None,
        };
        assert!(client.news(&query).await.unwrap().credits.is_empty());

        let control = OdooSim::new(&odoo.url()).unwrap();
        control.post_draft(made.invoice.unwrap()).await.unwrap();
        let news = client.news(&query).await.unwrap();
        assert_eq!(news.credits, [name("chk_1")], "{series:?}");
        for value in [made.name.as_str(), "1001", "chk_1"] {
            assert!(news.values.iter().any(|told| told == value), "{news:?}");
        }
        assert!(!news.more && news.until.is_some());
        let complete = Command::Complete { name: name("chk_1") };
        let booking = booked(&client, &complete).await;
        assert_eq!(
            (booking.credit.as_deref(), booking.invoices[0].residual.as_str()),
            (Some("0"), "0")
        );
        let written = control.writes().await.unwrap();
        assert_eq!(perform(&client, &complete).await, Outcome::Already(booking));
        assert_eq!(control.writes().await.unwrap(), written, "a replay wrote something");
        assert!(client.news(&query).await.unwrap().credits.is_empty());
        assert_eq!(odoo.payments().len(), 1);
    }
}

/// `odoo-api-2.md` 4.2: 18 and 19 leave the final invoice unpaid once the down payment's is.
#[tokio::test]
async fn the_invoice_after_a_down_payment_is_completed_where_odoo_leaves_it_unpaid() {
    for series in ALL {
        let (odoo, client) = ready(series).await;
        let control = OdooSim::new(&odoo.url()).unwrap();
        let key = Key { field: Some("client_order_ref"), value: "1001".to_owned() };
        let order = control.order(&key, Money::new(10_000, Currency::Clp), false).await.unwrap();
        let down = control.draft(&order.name, Some(3_000)).await.unwrap();
        control.post_draft(down).await.unwrap();
        let seen = look(&client, "chk_1", "").await;
        let booking = booked(&client, &book("chk_1", &seen)).await;
        assert_eq!(booking.credit.as_deref(), Some("7000"));
        let last = control.invoice(&order.name).await.unwrap();
        let world = control.world().await.unwrap();
        let left_alone = series != Series::V17;
        let expected = if left_alone { "not_paid" } else { "paid" };
        assert_eq!(world.invoices[&last].payment_state, expected, "{series:?}");
        let complete = Command::Complete { name: name("chk_1") };
        let outcome = perform(&client, &complete).await;
        assert_eq!(matches!(outcome, Outcome::Booked(_)), left_alone, "{outcome:?}");
        let world = control.world().await.unwrap();
        assert_eq!(world.invoices[&last].payment_state, "paid", "{series:?}");
        assert_eq!(odoo.payments()[0].credit, "0");
    }
}

#[tokio::test]
async fn a_portal_payment_is_begun_and_changed_over_the_control_routes() {
    let (odoo, client) = ready(Series::V19).await;
    let control = OdooSim::new(&odoo.url()).unwrap();
    let key = Key { field: None, value: String::new() };
    let order = control.order(&key, Money::new(5_000, Currency::Clp), false).await.unwrap();
    let (id, reference) = control.portal_amount(&order.name, Some(1_000)).await.unwrap();
    assert_eq!(reference, order.name);
    assert_eq!(control.portal_transaction(&order.name).await.unwrap().1, format!("{reference}-1"));
    let pending = json!({"state": "pending", "provider_reference": "chk_1"});
    control.change_transaction(&reference, &pending).await.unwrap();
    let found = candidate(&client, "chk_1", "nothing").await;
    assert_eq!((found.id, found.found_by.as_str()), (id, "checkout"));
    assert_eq!((found.transaction.amount.as_str(), &*found.transaction.state), ("1000", "pending"));
    assert!(control.portal_transaction("S99999").await.is_err());
}
