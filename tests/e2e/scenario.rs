//! The ordinary day: every kind of webhook ends where it should, whatever the connector.

use concilia_tests::harness::config::{ACCOUNTS, WITHOUT_KEY};
use concilia_tests::harness::http::{Row, event, signed};
use concilia_tests::harness::shop::Payment;
use concilia_tests::harness::system::{Options, System};
use serde_json::json;

crate::on!(
    sqlite_odoo_17_jsonrpc, sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc, postgres_odoo_19_json2:
    every_webhook_ends_where_it_should
);

async fn every_webhook_ends_where_it_should(options: Options) {
    let system = System::start(options).await;
    let again = system.set_up_odoo().await;
    assert!(again.contains("Everything was as it must be."), "{again}");
    let with_invoice = payments_with_an_invoice(&system).await;
    for payment in &with_invoice {
        let row = system.rests_as(&payment.event, "reconciled").await;
        paid_the_invoice(&row);
    }
    a_fresh_payment_costs_two_calls(&system).await;
    a_payment_before_its_invoice(&system).await;
    a_duplicate_is_told_so(&system, &with_invoice[0]).await;
    what_is_not_genuine_is_refused(&system).await;
    what_is_late_is_kept(&system).await;
    what_needs_a_person_is_parked(&system).await;
    what_asks_for_nothing_is_recorded(&system).await;
    an_order_that_arrives_late_is_booked_by_a_retry(&system).await;
    the_sums_are_these(&system).await;
    system.finish().await;
}

async fn payments_with_an_invoice(system: &System) -> Vec<Payment> {
    let mut payments = Vec::new();
    for (account, connector, field) in ACCOUNTS {
        let order = system.shop.order(15_990, field, &format!("INVOICED-{account}"));
        system.shop.invoice(&order);
        let payment = match connector {
            // The official plugin sends no external_id.
            "woocommerce" => system.pay_with(15_990, "metadata", json!({"wp_order_id": order.key})),
            _ => system.pay(15_990, &order.key),
        };
        system.received(Some(account), payment.body.clone()).await;
        payments.push(payment);
    }
    payments
}

fn paid_the_invoice(row: &Row) {
    let booking = row.odoo.as_ref().unwrap();
    assert_eq!(booking.amount.minor, 15_990);
    let [invoice] = booking.invoices.as_slice() else { panic!("{booking:?}") };
    assert!(["paid", "in_payment"].contains(&invoice.payment_state.as_str()), "{booking:?}");
    assert_eq!(invoice.residual, "0", "{booking:?}");
}

/// One to observe, one to book, once the connection stands.
async fn a_fresh_payment_costs_two_calls(system: &System) {
    let order = system.shop.order(1_990, "name", "TWO-CALLS");
    let payment = system.pay(1_990, &order.key);
    let (before, _) = system.shop.calls();
    let answer = system.received(None, payment.body.clone()).await;
    assert_eq!(answer.body["id"], payment.event.as_str(), "the default account is the first");
    system.rests_as(&payment.event, "reconciled").await;
    assert_eq!(system.shop.calls().0 - before, 2);
}

async fn a_payment_before_its_invoice(system: &System) {
    let order = system.shop.order(20_000, "name", "BEFORE-ITS-INVOICE");
    let payment = system.pay_and_tell(20_000, &order.key);
    let row = system.rests_as(&payment.event, "reconciled").await;
    let booking = row.odoo.unwrap();
    assert!(booking.invoices.is_empty() && booking.orders == [order.key.clone()], "{booking:?}");
    let invoice = system.shop.invoice(&order);
    let state = system.shop.payment_state(invoice);
    assert!(["paid", "in_payment"].contains(&state.as_str()), "the credit pays it: {state}");
}

async fn a_duplicate_is_told_so(system: &System, payment: &Payment) {
    let before = system.events().await;
    let answer = system.received(Some(ACCOUNTS[0].0), payment.body.clone()).await;
    assert_eq!(answer.body["duplicate"], true);
    assert_eq!(system.events().await, before);
}

async fn what_is_not_genuine_is_refused(system: &System) {
    let order = system.shop.order(1_000, "name", "FORGED");
    let payment = system.pay(1_000, &order.key);
    let body = payment.body.clone();
    let forged = concilia_tests::harness::http::signed_by("whs_forged", &body, 0);
    let answer = system.post(None, &[&forged], body.clone()).await.unwrap();
    assert_eq!((answer.status, &answer.body["error"]), (401, &json!("not_accepted")));
    let answer = system.post(None, &[], body.clone()).await.unwrap();
    assert_eq!(answer.status, 400);
    let answer = system.post(Some("nobody"), &[&signed(&body, 0)], body).await.unwrap();
    assert_eq!(answer.status, 404);
    assert!(!system.shop.booked().contains_key(&payment.checkout));
}

async fn what_is_late_is_kept(system: &System) {
    for (account, status) in [(ACCOUNTS[0].0, "reconciled"), (WITHOUT_KEY, "parked")] {
        let order = system.shop.order(3_000, "name", &format!("LATE-{account}"));
        let payment = system.pay(3_000, &order.key);
        let header = signed(&payment.body, 400);
        let answer = system.post(Some(account), &[&header], payment.body.clone()).await.unwrap();
        assert_eq!(answer.status, 200);
        let row = system.rests_as(&payment.event, status).await;
        assert!(row.late_s.is_some_and(|late_s| late_s >= 400), "{row:?}");
        if status == "parked" {
            assert_eq!(row.reason.as_deref(), Some("late_and_unverifiable"));
        }
    }
}

async fn what_needs_a_person_is_parked(system: &System) {
    let order = system.shop.order(5_000, "name", "MISMATCH");
    let payment = system.pay(4_999, &order.key);
    system.received(None, payment.body.clone()).await;
    let row = system.rests_as(&payment.event, "parked").await;
    assert_eq!(row.reason.as_deref(), Some("amount_mismatch"));

    system.received(None, "signed, and no JSON").await;
    let unread = system.parked_unread(1).await;
    assert_eq!(unread[0].reason.as_deref(), Some("unreadable"));

    // Ventipay's API says another amount than the signed body.
    let order = system.shop.order(6_000, "name", "CONTRADICTED");
    let payment = system.pay(6_000, &order.key);
    let fields = json!({"amount": 5_000});
    system.ventipay.edit(&payment.checkout, fields.as_object().unwrap()).unwrap();
    system.received(None, payment.body.clone()).await;
    let row = system.rests_as(&payment.event, "parked").await;
    assert_eq!(row.reason.as_deref(), Some("contradicted_by_ventipay"));
}

async fn what_asks_for_nothing_is_recorded(system: &System) {
    let created = event("evt_created", "checkout.created", json!({"id": "chk_created"}));
    system.received(None, created).await;
    let row = system.rests_as("evt_created", "recorded").await;
    assert_eq!(row.reason.as_deref(), Some("nothing_to_do"));

    let order = system.shop.order(7_000, "name", "LIVE");
    let live = json!({"data": {"amount": 7_000, "currency": "clp", "external_id": order.key,
        "id": "chk_live"}, "id": "evt_live", "live": true, "type": "checkout.paid"});
    system.received(None, live.to_string()).await;
    let row = system.rests_as("evt_live", "ignored").await;
    assert_eq!(row.reason.as_deref(), Some("other_environment"));
}

async fn an_order_that_arrives_late_is_booked_by_a_retry(system: &System) {
    let payment = system.pay(8_000, "ARRIVES-LATE");
    system.received(None, payment.body.clone()).await;
    let row = system.rests_as(&payment.event, "pending").await;
    assert_eq!(row.reason.as_deref(), Some("no_match"));
    system.shop.order(8_000, "name", "ARRIVES-LATE");
    system.rests_as(&payment.event, "reconciled").await;
}

async fn the_sums_are_these(system: &System) {
    let balance = system.operator_json(&["balance", "--json"]).await;
    let booked = 6 * 15_990 + 1_990 + 20_000 + 3_000 + 8_000;
    let parked = 3_000 + 4_999 + 6_000;
    let expected = json!({"currencies": [{
        "currency": "CLP", "paid": booked + parked, "refunded": 0, "booked": booked,
        "pending": 0, "parked": parked, "difference": 0, "ignored_or_recorded": 7_000,
    }]});
    assert_eq!(balance, expected);
}
