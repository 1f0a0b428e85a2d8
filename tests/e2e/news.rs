//! What waits goes on early because Odoo has news: an order that was synced late, an invoice that
//! came after its payment.

use concilia_tests::harness::system::{Options, PATIENCE, System};
use concilia_tests::harness::wait;

crate::on!(
    sqlite_odoo_17_jsonrpc, sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc, postgres_odoo_19_json2:
    an_order_that_is_synced_late_wakes_its_payment
);
crate::on!(
    sqlite_odoo_17_jsonrpc, sqlite_odoo_19_json2, postgres_odoo_19_json2:
    an_invoice_that_comes_after_its_payment_is_paid_by_it
);

/// Retries come after ten minutes: within a test, only news can explain it.
fn only_news(options: Options) -> Options {
    Options { retry_s: 600, news_s: 1, ..options }.of_all_modes()
}

async fn an_order_that_is_synced_late_wakes_its_payment(options: Options) {
    let system = System::start(only_news(options)).await;
    let late = system.pay(15_990, "SYNCED-LATE");
    let never = system.pay(3_000, "NEVER-SYNCED");
    for payment in [&late, &never] {
        system.received(None, payment.body.clone()).await;
        let row = system.rests_as(&payment.event, "pending").await;
        assert_eq!(row.reason.as_deref(), Some("no_match"));
    }
    let order = system.shop.order(15_990, "name", "SYNCED-LATE");
    let row = system.rests_as(&late.event, "reconciled").await;
    assert_eq!(row.odoo.unwrap().orders, [order.key]);

    // In Odoo's own shop the transaction may be written after the webhook came.
    let order = system.shop.order(7_000, "name", "PORTAL-LATE");
    let early = system.pay(7_000, &order.name);
    system.received(Some("portal"), early.body.clone()).await;
    let row = system.rests_as(&early.event, "pending").await;
    assert_eq!(row.reason.as_deref(), Some("no_transaction"));
    assert_eq!(system.shop.begins_to_pay(&order), order.name);
    system.rests_as(&early.event, "reconciled").await;
    system.finish_with_pending(&[&never.event]).await;
}

/// Odoo 18 and 19 leave the credit beside the last invoice when there was a down payment
/// (`odoo-api-2.md` 4.2); 17 brings them together itself.
async fn an_invoice_that_comes_after_its_payment_is_paid_by_it(options: Options) {
    let system = System::start(only_news(options)).await;
    let order = system.shop.order(10_000, "name", "DOWN-PAYMENT");
    let down = system.shop.invoice_part(&order, 3_000);
    let payment = system.pay(10_000, &order.key);
    system.received(None, payment.body.clone()).await;
    let row = system.rests_as(&payment.event, "reconciled").await;
    assert_eq!(row.odoo.unwrap().invoices.len(), 1, "the down payment");
    assert!(is_paid(&system, down), "{}", system.shop.payment_state(down));

    let rest = system.shop.invoice(&order);
    wait::until("the last invoice to be paid", PATIENCE, async || {
        if is_paid(&system, rest) { Ok(()) } else { Err(system.shop.payment_state(rest)) }
    })
    .await;
    assert_eq!(system.shop.booked().len(), 1);
    system.finish().await;
}

fn is_paid(system: &System, invoice: i64) -> bool {
    ["paid", "in_payment"].contains(&system.shop.payment_state(invoice).as_str())
}
