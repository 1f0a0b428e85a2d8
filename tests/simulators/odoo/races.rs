//! Bookings that meet: exactly one books, whatever the order of things.

use concilia_tests::odoo::faults::{Kind, Operation, Point};
use concilia_tests::odoo::fixtures::{Invoice, NewOrder};
use concilia_tests::odoo::{Series, SimOdoo, SimOdooOptions};
use serde_json::{Value as Json, json};
use std::time::Duration;

use super::client::{self, ALL, BOOK_ID, act, booking, rpc, status};

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn eight_bookings_of_one_checkout_on_one_snapshot_make_one_payment() {
    for series in ALL {
        let odoo = client::ready(series).await;
        let order = odoo.add_order(&NewOrder::pesos(15_990, "1001"));
        let request = booking("chk_1", order.id, &order.name, 15_990);
        // All eight take their snapshot before the first one acts.
        let hold = odoo.hold_next(Operation::Book, Point::Before, "all", 8);
        let calls = (0..8).map(|_| act(&odoo, BOOK_ID, &request));
        let release = async {
            assert!(hold.arrived(8, PATIENCE).await, "{} of 8 arrived", hold.count());
            hold.release();
        };
        let (answers, ()) = tokio::join!(futures_util::future::join_all(calls), release);
        let answers: Vec<Json> = answers.into_iter().map(|answer| answer.unwrap().json()).collect();
        let count = |wanted: &str| answers.iter().filter(|answer| status(answer) == wanted).count();
        assert_eq!((count("booked"), count("already")), (1, 7), "{series:?}");
        assert!(odoo.counters().run_again >= 1, "nobody met a serialization failure");
        assert_eq!(odoo.payments().len(), 1);
        assert_eq!(odoo.booked("CLP"), "15990");
    }
}

#[tokio::test]
async fn a_name_taken_in_another_mode_is_told_as_a_race_and_found_the_next_time() {
    for series in ALL {
        let odoo = client::ready(series).await;
        let order = odoo.add_order(&NewOrder::pesos(15_990, "1001"));
        let request = booking("chk_1", order.id, &order.name, 15_990);
        odoo.fault(Operation::Book, Kind::Race);
        let first = act(&odoo, BOOK_ID, &request).await.unwrap().json();
        assert_eq!(status(&first), "again", "{first}");
        let second = act(&odoo, BOOK_ID, &request).await.unwrap().json();
        assert_eq!(status(&second), "already", "{second}");
        assert_eq!(odoo.payments().len(), 1);
    }
}

#[tokio::test]
async fn a_reference_is_unique_however_it_is_created() {
    let odoo = client::ready(Series::V19).await;
    let values = json!([{"provider_id": 7, "payment_method_id": 207, "reference": "R1", "amount": 1,
                         "currency_id": 45, "partner_id": 10}]);
    let first = rpc(&odoo, "payment.transaction", "create", values.clone(), json!({})).await;
    assert!(first["result"].is_i64(), "{first}");
    let second = rpc(&odoo, "payment.transaction", "create", values, json!({})).await;
    assert_eq!(
        second["error"]["data"]["message"],
        "The operation cannot be completed: Reference must be unique!"
    );
}

/// `odoo-api-2.md` 4.2: on posting, the order's payments pay the invoice; 18 and 19 pass over
/// payments that are paid, though credit is left.
#[tokio::test]
async fn a_later_invoice_is_paid_from_the_order_except_where_odoo_forgets_to() {
    for (series, second) in [
        (Series::V17, ["paid", "paid"]),
        (Series::V18, ["paid", "paid"]),
        (Series::V19, ["paid", "not_paid"]),
    ] {
        let odoo = client::ready(series).await;
        let order = odoo.add_order(&NewOrder::pesos(1_000, "1001"));
        let request = booking("chk_1", order.id, &order.name, 1_000);
        let booked = act(&odoo, BOOK_ID, &request).await.unwrap().json();
        assert_eq!(status(&booked), "booked");
        let mut states = Vec::new();
        for (method, amount) in [("fixed", 300), ("delivered", 0)] {
            let invoice = invoice_by_wizard(&odoo, order.id, method, amount).await;
            let read = rpc(
                &odoo,
                "account.move",
                "read",
                json!([[invoice], ["payment_state"]]),
                json!({}),
            )
            .await;
            states.push(read["result"][0]["payment_state"].as_str().unwrap().to_owned());
        }
        assert_eq!(states, second, "{series:?}");
    }
}

/// The same section: a down payment that was there before the booking.
#[tokio::test]
async fn a_payment_that_paid_a_down_payment_does_not_pay_the_rest_on_18_and_19() {
    for (series, rest) in
        [(Series::V17, "paid"), (Series::V18, "not_paid"), (Series::V19, "not_paid")]
    {
        let odoo = client::ready(series).await;
        let order = odoo.add_order(&NewOrder::pesos(1_000, "1001"));
        let down = invoice_by_wizard(&odoo, order.id, "fixed", 300).await;
        let mut request = booking("chk_1", order.id, &order.name, 1_000);
        request["items"][0]["invoices"] = json!([{"id": down, "residual": "300"}]);
        let booked = act(&odoo, BOOK_ID, &request).await.unwrap().json();
        assert_eq!(status(&booked), "booked");
        assert_eq!(odoo.payments()[0].credit, "700");
        let last = odoo.invoice(order.id);
        let read =
            rpc(&odoo, "account.move", "read", json!([[last], ["payment_state"]]), json!({})).await;
        assert_eq!(read["result"][0]["payment_state"], rest, "{series:?}");
    }
}

async fn invoice_by_wizard(odoo: &SimOdoo, order: i64, method: &str, amount: i64) -> i64 {
    let context = json!({"active_model": "sale.order", "active_ids": [order], "active_id": order});
    let values = json!([{"advance_payment_method": method, "fixed_amount": amount, "sale_order_ids": [[6, 0, [order]]]}]);
    let kwargs = json!({"context": context});
    let wizard = rpc(odoo, "sale.advance.payment.inv", "create", values, kwargs.clone()).await;
    let args = json!([[wizard["result"]]]);
    let made = rpc(odoo, "sale.advance.payment.inv", "create_invoices", args, kwargs).await;
    let invoice = made["result"]["res_id"].as_i64().unwrap_or_else(|| panic!("{made}"));
    rpc(odoo, "account.move", "action_post", json!([[invoice]]), json!({})).await;
    invoice
}

#[tokio::test]
async fn a_second_start_finds_what_the_first_one_kept() {
    let folder = tempfile::tempdir().unwrap();
    let options = SimOdooOptions {
        state_dir: Some(folder.path().to_owned()),
        ..SimOdooOptions::new(Series::V19)
    };
    let first = client::ready_with(options.clone()).await;
    let order = first.add_order(&NewOrder::pesos(15_990, "1001").invoiced(Invoice::Draft));
    let request = booking("chk_1", order.id, &order.name, 15_990);
    assert_eq!(status(&act(&first, BOOK_ID, &request).await.unwrap().json()), "booked");
    let payments = first.payments();
    drop(first);
    let second = SimOdoo::start(options).await.unwrap();
    assert_eq!(second.payments(), payments);
    assert_eq!(status(&act(&second, BOOK_ID, &request).await.unwrap().json()), "already");
}
