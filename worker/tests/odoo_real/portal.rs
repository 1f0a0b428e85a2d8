//! Mode A: transactions Odoo makes itself, from its own portal; and what both modes share:
//! races for one payment, invoices that come later, news.

use std::collections::BTreeSet;

use concilia_shared::money::{Currency, Money};
use concilia_worker::domain::observe::{
    Accepted, Cancel, Candidate, Command, Confirm, InOdoo, NewsQuery, Outcome,
};
use concilia_worker::odoo::client::Client;
use concilia_worker::odoo::transport::{Args, Endpoint};
use concilia_worker::odoo::{Odoo, OdooError};
use jiff::Timestamp;
use serde_json::json;

use crate::shop::{DAY, Shop, call, observe_one, perform_one, write};

pub(crate) async fn all(shop: &Shop<'_>, client: &Client, bot: &Endpoint) {
    let begun = client_clock(client).await;
    confirms_a_portal_payment_of_an_invoice_once(shop, client).await;
    confirms_a_portal_payment_of_an_order(shop, client).await;
    confirms_a_quotation_or_leaves_no_trace(shop, client).await;
    cancels_and_confirms_what_was_cancelled(shop, client).await;
    books_once_when_both_modes_race_for_one_name(shop, bot).await;
    pays_an_invoice_once_when_two_names_race_for_it(shop, bot).await;
    completes_a_booking_whose_invoice_was_posted_later(shop, client, begun).await;
    tells_what_changed(shop, client, begun).await;
    works_for_a_customer_without_an_address(shop, client).await;
}

/// When nothing has been written yet.
const FAR: &str = "2100-01-01T00:00:00Z";

/// Where the news begin.
async fn client_clock(client: &Client) -> Timestamp {
    let query = NewsQuery { since: FAR.parse().unwrap(), fields: Vec::new(), domain: None };
    client.news(&query).await.unwrap().until.unwrap()
}

async fn candidate(shop: &Shop<'_>, client: &Client, case: &str, reference: &str) -> Candidate {
    let mut seen: Vec<InOdoo> = client.observe(&[shop.called(case, reference)]).await.unwrap();
    let mut candidates = seen.remove(0).candidates;
    assert_eq!(candidates.len(), 1, "{candidates:?}");
    candidates.remove(0)
}

fn confirm(shop: &Shop<'_>, case: &str, candidate: &Candidate, pesos: i64) -> Command {
    Command::Confirm(Box::new(Confirm {
        names: vec![shop.name(case)],
        amount: Money::new(pesos, Currency::Clp),
        date: DAY.parse().unwrap(),
        currency: "CLP".to_owned(),
        candidate: candidate.clone(),
        accepted: Accepted::default(),
    }))
}

async fn confirms_a_portal_payment_of_an_invoice_once(shop: &Shop<'_>, client: &Client) {
    let order = shop.order("portal", 12_345).await;
    let invoice = shop.invoice(order).await;
    let reference = shop.portal("account.move", invoice, 12_345).await;
    let found = candidate(shop, client, "portal", &reference).await;
    assert_eq!(found.found_by, "metadata.reference");
    assert!(found.transaction.ours);
    assert_eq!((found.transaction.state.as_str(), found.invoices[0].id), ("draft", invoice));

    let less = perform_one(client, &confirm(shop, "portal", &found, 12_344)).await;
    assert_eq!(less, Outcome::Changed { what: "amount".to_owned() });
    let command = confirm(shop, "portal", &found, 12_345);
    let outcome = perform_one(client, &command).await;
    let Outcome::Booked(booking) = &outcome else { panic!("{outcome:?}") };
    assert_eq!((booking.transaction.as_str(), booking.date), (&*reference, DAY.parse().ok()));
    assert_eq!(booking.credit.as_deref(), Some("0"));
    assert_eq!(shop.payment_state(invoice).await, ("paid".to_owned(), json!(0.0)));
    let row = shop.transaction(&reference).await;
    assert_eq!((&row["state"], &row["is_post_processed"]), (&json!("done"), &json!(true)));

    assert_eq!(perform_one(client, &command).await, Outcome::Already(booking.clone()));
    let seen = client.observe(&[shop.called("portal", &reference)]).await.unwrap();
    assert_eq!((seen[0].booked.as_ref(), seen[0].candidates.len()), (Some(booking), 0));
    let other = perform_one(client, &confirm(shop, "portal-other", &found, 12_345)).await;
    assert_eq!(other, Outcome::Changed { what: "transaction_done".to_owned() });
}

async fn confirms_a_portal_payment_of_an_order(shop: &Shop<'_>, client: &Client) {
    let order = shop.order("portal-order", 8_000).await;
    let reference = shop.portal("sale.order", order, 8_000).await;
    let found = candidate(shop, client, "portal-order", &reference).await;
    assert_eq!((found.orders[0].id, found.orders[0].transactions.len()), (order, 0));
    let outcome = perform_one(client, &confirm(shop, "portal-order", &found, 8_000)).await;
    let Outcome::Booked(booking) = &outcome else { panic!("{outcome:?}") };
    assert_eq!(booking.credit.as_deref(), Some("8000"));
    let invoice = shop.invoice(order).await;
    assert_eq!(shop.payment_state(invoice).await, ("paid".to_owned(), json!(0.0)));
    // A second payment of the same order is one too many.
    let second = shop.portal("sale.order", order, 8_000).await;
    assert_ne!(second, reference);
    let found = candidate(shop, client, "portal-second", &second).await;
    let outcome = perform_one(client, &confirm(shop, "portal-second", &found, 8_000)).await;
    assert_eq!(outcome, Outcome::Changed { what: "order_paid".to_owned() });
}

/// Confirming makes Odoo confirm the quotation and mail it as a PDF: where that fails, nothing
/// of it may stay.
async fn confirms_a_quotation_or_leaves_no_trace(shop: &Shop<'_>, client: &Client) {
    let order = shop.quotation("portal-quotation", 6_000).await;
    call(shop.admin, "sale.order", "action_quotation_sent", Args::on(&[order])).await;
    let reference = shop.portal("sale.order", order, 6_000).await;
    let found = candidate(shop, client, "portal-quotation", &reference).await;
    let outcome = perform_one(client, &confirm(shop, "portal-quotation", &found, 6_000)).await;
    let args = Args::on(&[order]).with("fields", json!(["state"]));
    let state = call(shop.admin, "sale.order", "read", args).await[0]["state"].clone();
    let row = shop.transaction(&reference).await;
    match outcome {
        Outcome::Booked(_) => assert_eq!((&row["state"], state), (&json!("done"), json!("sale"))),
        Outcome::Refused { why, detail } => {
            eprintln!("a quotation is not confirmed here: {detail}");
            assert_eq!(why, "odoo");
            assert_eq!((&row["state"], state), (&json!("draft"), json!("sent")));
            assert_eq!(row["provider_reference"], json!(false));
        }
        other => panic!("{other:?}"),
    }
}

async fn cancels_and_confirms_what_was_cancelled(shop: &Shop<'_>, client: &Client) {
    let order = shop.order("cancel", 4_000).await;
    let invoice = shop.invoice(order).await;
    let reference = shop.portal("account.move", invoice, 4_000).await;
    let found = candidate(shop, client, "cancel", &reference).await;
    let cancel = |state: &str| {
        Command::Cancel(Box::new(Cancel {
            name: shop.name("cancel"),
            id: found.id,
            reference: reference.clone(),
            state: state.to_owned(),
            message: "Canceled at Ventipay.".to_owned(),
        }))
    };
    let elsewhere = perform_one(client, &cancel("pending")).await;
    assert_eq!(elsewhere, Outcome::Changed { what: "transaction_state".to_owned() });
    let canceled = Outcome::Canceled { transaction: reference.clone() };
    assert_eq!(perform_one(client, &cancel("draft")).await, canceled);
    assert_eq!(perform_one(client, &cancel("draft")).await, canceled);
    assert_eq!(shop.transaction(&reference).await["state"], "cancel");

    let again = candidate(shop, client, "cancel", &reference).await;
    let outcome = perform_one(client, &confirm(shop, "cancel", &again, 4_000)).await;
    assert!(matches!(outcome, Outcome::Booked(_)), "{outcome:?}");
    assert_eq!(shop.payment_state(invoice).await, ("paid".to_owned(), json!(0.0)));
    let outcome = perform_one(client, &cancel("draft")).await;
    assert!(matches!(outcome, Outcome::Already(_)), "{outcome:?}");

    let failed = shop.order("cancel-failed", 4_100).await;
    let reference = shop.portal("sale.order", failed, 4_100).await;
    let id = candidate(shop, client, "cancel-failed", &reference).await.id;
    let args = Args::on(&[id]).with("vals", json!({"state": "error"}));
    call(shop.admin, "payment.transaction", "write", args).await;
    let cancel = Command::Cancel(Box::new(Cancel {
        name: shop.name("cancel-failed"),
        id,
        reference: reference.clone(),
        state: "error".to_owned(),
        message: "Canceled at Ventipay.".to_owned(),
    }));
    let canceled = Outcome::Canceled { transaction: reference.clone() };
    assert_eq!(perform_one(client, &cancel).await, canceled);
}

/// How many of these were booked; none may be anything but a loser of a race.
async fn race(bot: &Endpoint, commands: Vec<Command>) -> usize {
    let client = Client::new(bot.clone(), 1).unwrap();
    client.ping().await.unwrap();
    let tries = commands.iter().map(|command| client.perform(std::slice::from_ref(command)));
    let mut booked = 0;
    for outcome in futures_util::future::join_all(tries).await {
        match outcome.map(|mut outcomes| outcomes.remove(0)) {
            Ok(Outcome::Booked(_)) => booked += 1,
            Ok(Outcome::Already(_) | Outcome::Again | Outcome::Changed { .. })
            | Err(OdooError::Unknown { .. }) => {}
            Ok(other) => panic!("{other:?}"),
            Err(other) => panic!("{other}"),
        }
    }
    booked
}

async fn books_once_when_both_modes_race_for_one_name(shop: &Shop<'_>, bot: &Endpoint) {
    let client = Client::new(bot.clone(), 1).unwrap();
    let id = shop.order("both", 3_000).await;
    let invoice = shop.invoice(id).await;
    let reference = shop.portal("account.move", invoice, 3_000).await;
    let found = candidate(shop, &client, "both", &reference).await;
    let (_, order) = observe_one(&client, shop.lookup("both")).await;
    let book = shop.book("both", &order.unwrap(), 3_000);
    let confirm = confirm(shop, "both", &found, 3_000);
    let commands = (0..8).map(|n| if n % 2 == 0 { book.clone() } else { confirm.clone() });
    assert_eq!(race(bot, commands.collect()).await, 1);
    for command in [&book, &confirm] {
        let again = perform_one(&client, command).await;
        assert!(matches!(again, Outcome::Already(_)), "{again:?}");
    }
    assert_eq!(payments_of(shop, id).await, 1);
}

async fn pays_an_invoice_once_when_two_names_race_for_it(shop: &Shop<'_>, bot: &Endpoint) {
    let client = Client::new(bot.clone(), 1).unwrap();
    let id = shop.order("twice", 2_000).await;
    let invoice = shop.invoice(id).await;
    let reference = shop.portal("account.move", invoice, 2_000).await;
    let found = candidate(shop, &client, "twice-a", &reference).await;
    let (_, order) = observe_one(&client, shop.lookup("twice")).await;
    let commands =
        vec![confirm(shop, "twice-a", &found, 2_000), shop.book("twice-b", &order.unwrap(), 2_000)];
    assert_eq!(race(bot, commands).await, 1);
    assert_eq!(payments_of(shop, id).await, 1);
}

/// Payments the invoices of an order are matched with.
async fn payments_of(shop: &Shop<'_>, order: i64) -> u32 {
    let name = Args::on(&[order]).with("fields", json!(["invoice_ids"]));
    let row = call(shop.admin, "sale.order", "read", name).await;
    let lines =
        json!([["move_id", "in", row[0]["invoice_ids"]], ["matched_credit_ids", "!=", false]]);
    let args = Args::none().with("domain", lines).with("fields", json!(["matched_credit_ids"]));
    let lines = call(shop.admin, "account.move.line", "search_read", args).await;
    let count = |line: &serde_json::Value| line["matched_credit_ids"].as_array().unwrap().len();
    let total: usize = lines.as_array().unwrap().iter().map(count).sum();
    u32::try_from(total).unwrap()
}

/// A draft of the order's invoice that was there before the payment is posted afterwards: Odoo
/// leaves it unpaid beside the credit.
async fn completes_a_booking_whose_invoice_was_posted_later(
    shop: &Shop<'_>,
    client: &Client,
    begun: Timestamp,
) {
    let id = shop.order("complete", 9_000).await;
    let invoice = shop.draft(id).await;
    let (_, order) = observe_one(client, shop.lookup("complete")).await;
    let outcome = perform_one(client, &shop.book("complete", &order.unwrap(), 9_000)).await;
    let Outcome::Booked(booking) = &outcome else { panic!("{outcome:?}") };
    assert_eq!((booking.credit.as_deref(), booking.invoices.len()), (Some("9000"), 0));
    let complete = Command::Complete { name: shop.name("complete") };
    let nothing = perform_one(client, &complete).await;
    assert_eq!(nothing, Outcome::Already(booking.clone()));
    let query = NewsQuery { since: begun, fields: Vec::new(), domain: None };
    let news = client.news(&query).await.unwrap();
    assert!(!news.credits.contains(&shop.name("complete")), "{news:?}");

    shop.post(invoice).await;
    assert_eq!(shop.payment_state(invoice).await.0, "not_paid");
    let news = client.news(&query).await.unwrap();
    assert!(news.credits.contains(&shop.name("complete")), "{news:?}");
    let outcome = perform_one(client, &complete).await;
    let Outcome::Booked(booking) = &outcome else { panic!("{outcome:?}") };
    assert_eq!(booking.credit.as_deref(), Some("0"));
    assert_eq!(booking.invoices[0].residual, "0");
    assert_eq!(shop.payment_state(invoice).await, ("paid".to_owned(), json!(0.0)));
    assert_eq!(perform_one(client, &complete).await, Outcome::Already(booking.clone()));
    let news = client.news(&query).await.unwrap();
    assert!(!news.credits.contains(&shop.name("complete")), "{news:?}");
    let nobody = Command::Complete { name: shop.name("nobody") };
    let outcome = perform_one(client, &nobody).await;
    assert_eq!(outcome, Outcome::Changed { what: "not_booked".to_owned() });
}

async fn tells_what_changed(shop: &Shop<'_>, client: &Client, begun: Timestamp) {
    let order = shop.order("news", 1_000).await;
    let reference = shop.portal("sale.order", order, 1_000).await;
    let fields = vec!["client_order_ref".to_owned(), "x_no_such_field".to_owned()];
    let query = NewsQuery { since: begun, fields, domain: None };
    let news = client.news(&query).await.unwrap();
    let told: BTreeSet<&str> = news.values.iter().map(String::as_str).collect();
    assert_eq!(told.len(), news.values.len(), "something is told twice");
    assert!(told.contains(reference.as_str()), "{news:?}");
    assert!(told.contains(shop.reference("news").as_str()), "{news:?}");
    assert!(!news.more && news.until.unwrap() >= begun, "{news:?}");

    let mine = json!([["client_order_ref", "=", shop.reference("news")]]).to_string();
    let narrowed = NewsQuery { domain: Some(mine), ..query.clone() };
    let news = client.news(&narrowed).await.unwrap();
    assert!(news.values.contains(&shop.reference("news")), "{news:?}");
    assert!(!news.values.contains(&shop.reference("complete")), "{news:?}");
    let later = NewsQuery { since: FAR.parse().unwrap(), ..query };
    assert_eq!(client.news(&later).await.unwrap().values, Vec::<String>::new());
}

/// 17 and 18 refuse messages by somebody without an e-mail address (`odoo-api-2.md` 1.1); what
/// Odoo notes on a document is written in the customer's name.
async fn works_for_a_customer_without_an_address(shop: &Shop<'_>, client: &Client) {
    write(shop.admin, "res.partner", shop.partner, json!({"email": false})).await;
    let invoice = shop.invoice(shop.order("nobody-a", 1_100).await).await;
    let reference = shop.portal("account.move", invoice, 1_100).await;
    let found = candidate(shop, client, "nobody-a", &reference).await;
    let cancel = Command::Cancel(Box::new(Cancel {
        name: shop.name("nobody-a"),
        id: found.id,
        reference: reference.clone(),
        state: "draft".to_owned(),
        message: "Canceled at Ventipay.".to_owned(),
    }));
    let canceled = Outcome::Canceled { transaction: reference.clone() };
    let after = perform_one(client, &cancel).await;
    let found = candidate(shop, client, "nobody-a", &reference).await;
    let confirmed = perform_one(client, &confirm(shop, "nobody-a", &found, 1_100)).await;
    shop.invoice(shop.order("nobody-b", 1_200).await).await;
    let (_, order) = observe_one(client, shop.lookup("nobody-b")).await;
    let booked = perform_one(client, &shop.book("nobody-b", &order.unwrap(), 1_200)).await;
    let address = json!({"email": "cliente@example.com"});
    write(shop.admin, "res.partner", shop.partner, address).await;
    assert_eq!(after, canceled);
    assert!(matches!(confirmed, Outcome::Booked(_)), "{confirmed:?}");
    assert!(matches!(booked, Outcome::Booked(_)), "{booked:?}");
}
