//! Every fault does what it says, to the calls it is for, and to no other.

use std::time::Duration;

use concilia_tests::odoo::faults::{FailingStep, Kind, Operation, Point, Step};
use concilia_tests::odoo::fixtures::NewOrder;
use concilia_tests::odoo::{Series, SimOdoo, SimOdooOptions};
use serde_json::{Value as Json, json};

use super::client::{self, Answer, BOOK_ID, JSON, act, booking, rpc, send, status};

const PATIENCE: Duration = Duration::from_secs(20);

/// A database with one order, and the booking of it.
async fn one_order() -> (SimOdoo, Json) {
    let odoo = client::ready(Series::V19).await;
    let order = odoo.add_order(&NewOrder::pesos(15_990, "1001"));
    let request = booking("chk_1", order.id, &order.name, 15_990);
    (odoo, request)
}

async fn book(odoo: &SimOdoo, request: &Json) -> reqwest::Result<Answer> {
    act(odoo, BOOK_ID, request).await
}

#[tokio::test]
async fn a_refusal_before_acting_leaves_nothing_and_is_used_up() {
    let (odoo, request) = one_order().await;
    odoo.fault(Operation::Book, Kind::Status { status: 503, retry_after_s: None });
    odoo.fault(Operation::Observe, Kind::Html);
    let answer = book(&odoo, &request).await.unwrap();
    assert_eq!((answer.status, odoo.payments().len()), (503, 0));
    odoo.fault(Operation::Any, Kind::Status { status: 429, retry_after_s: Some(7) });
    let answer = book(&odoo, &request).await.unwrap();
    assert_eq!((answer.status, answer.retry_after.as_deref()), (429, Some("7")));
    odoo.fault(Operation::Book, Kind::Html);
    let answer = book(&odoo, &request).await.unwrap();
    assert_eq!((answer.status, answer.kind.as_str()), (200, "text/html; charset=utf-8"));
    odoo.fault(Operation::Book, Kind::DatabaseGone);
    let answer = book(&odoo, &request).await.unwrap().json();
    assert_eq!(answer["error"]["data"]["name"], "psycopg2.OperationalError");
    assert_eq!(odoo.payments().len(), 0);
    assert_eq!(status(&book(&odoo, &request).await.unwrap().json()), "booked");
}

#[tokio::test]
async fn a_connection_is_cut_before_or_after_the_call_acted() {
    let (odoo, request) = one_order().await;
    odoo.fault(Operation::Book, Kind::Close);
    assert!(book(&odoo, &request).await.is_err());
    assert_eq!(odoo.payments().len(), 0);
    odoo.fault(Operation::Book, Kind::ActAndClose);
    assert!(book(&odoo, &request).await.is_err());
    assert_eq!(odoo.payments().len(), 1);
    assert_eq!(status(&book(&odoo, &request).await.unwrap().json()), "already");
    assert_eq!(odoo.payments().len(), 1);
}

#[tokio::test]
async fn a_call_whose_client_gave_up_acts_all_the_same() {
    let (odoo, request) = one_order().await;
    let hold = odoo.hold(Operation::Book, Point::Before, "before");
    {
        let call = book(&odoo, &request);
        tokio::pin!(call);
        tokio::select! {
            answer = &mut call => panic!("nothing was held: {answer:?}"),
            arrived = hold.arrived(1, PATIENCE) => assert!(arrived),
        }
    }
    // The client is gone: its connection was dropped with the call.
    assert_eq!(odoo.payments().len(), 0);
    hold.release();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while odoo.payments().is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "it never acted");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_answer_is_withheld_until_it_is_released() {
    let (odoo, request) = one_order().await;
    let hold = odoo.hold(Operation::Book, Point::After, "after");
    let acted = async {
        assert!(hold.arrived(1, PATIENCE).await);
        assert_eq!(odoo.payments().len(), 1);
        hold.release();
    };
    let (answer, ()) = tokio::join!(book(&odoo, &request), acted);
    assert_eq!(status(&answer.unwrap().json()), "booked");
}

#[tokio::test]
async fn while_it_is_down_connections_are_refused() {
    let (odoo, request) = one_order().await;
    odoo.go_down();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match book(&odoo, &request).await {
            Err(error) if error.is_connect() => break,
            _ => assert!(tokio::time::Instant::now() < deadline, "it never went down"),
        }
    }
    odoo.go_up();
    let answer = loop {
        match book(&odoo, &request).await {
            Ok(answer) => break answer,
            Err(_) => assert!(tokio::time::Instant::now() < deadline, "it never came up"),
        }
    };
    // Calls that slipped through before it was down may have booked.
    assert!(["booked", "already"].contains(&status(&answer.json())));
}

#[tokio::test]
async fn a_step_of_booking_fails_in_the_given_words_and_leaves_nothing() {
    let (odoo, request) = one_order().await;
    let step = FailingStep {
        at: Step::PostProcess,
        item: None,
        message: Some("The period is locked.".to_owned()),
        pgcode: None,
        stores: None,
    };
    odoo.fault(Operation::Book, Kind::Fail(step));
    let answer = book(&odoo, &request).await.unwrap().json();
    assert_eq!(status(&answer), "failed");
    let detail = answer.pointer("/result/infos/concilia/items/0/detail");
    assert_eq!(detail, Some(&json!("The period is locked.")));
    assert_eq!(odoo.payments().len(), 0);
    let left = odoo.look(|tx| tx.rows("payment.transaction").count());
    assert_eq!(left, 0);
}

#[tokio::test]
async fn an_action_that_was_edited_by_hand_tells_on_itself() {
    let odoo = client::ready(Series::V19).await;
    let request = json!({"protocol": 3, "company_id": 1, "items": []});
    let hashes = async || {
        let answer = act(&odoo, client::OBSERVE_ID, &request).await.unwrap().json();
        answer["result"]["infos"]["concilia"]["actions"].clone()
    };
    let before = hashes().await;
    rpc(
        &odoo,
        "ir.actions.server",
        "write",
        json!([[BOOK_ID], {"code": "action = False"}]),
        json!({}),
    )
    .await;
    let after = hashes().await;
    assert_eq!(before["observe"], after["observe"]);
    assert_ne!(before["book"], after["book"]);
}

#[tokio::test]
async fn the_controls_over_http_do_what_the_handle_does() {
    let options = SimOdooOptions { control: true, ..SimOdooOptions::new(Series::V19) };
    let odoo = client::ready_with(options).await;
    let post = async |path: &str, body: Json| {
        let answer = send(&odoo, path, &[JSON], body.to_string()).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };
    let made = post(
        "/sim/orders",
        json!([{"ref": "1001", "total": "15990", "fields": {"x_shop": "A"}, "invoice": "draft"},
               {"total": 990, "name": "S00777", "state": "draft"}]),
    )
    .await;
    assert_eq!(made[1]["name"], "S00777");
    let name = made[0]["name"].as_str().unwrap().to_owned();
    post("/sim/order", json!({"order": name, "set": {"state": "cancel"}})).await;
    let fault = json!([{"kind": "status", "status": 503, "operation": "book"},
                       {"kind": "fail", "at": "link", "message": "No.", "times": 2},
                       {"kind": "hold", "name": "h", "point": "after"}]);
    post("/sim/faults", fault).await;
    let url = odoo.url();
    let get = async |path: &str| {
        let answer = client::http().get(format!("{url}{path}")).send().await.unwrap();
        client::read(answer).await.unwrap().json()
    };
    assert_eq!(get("/sim/holds/h").await["arrived"], 0);
    let cleared = client::http().delete(format!("{url}/sim/faults")).send().await.unwrap();
    assert_eq!(cleared.status().as_u16(), 200);
    let world = get("/sim/world").await;
    assert_eq!(world["orders"][0]["state"], "cancel");
    assert_eq!(world["invoices"][0]["state"], "draft");
    let invoice = post("/sim/invoice", json!({"order": "S00777"})).await;
    assert_eq!(invoice["payment_state"], "not_paid");
    assert_eq!(get("/sim/counters").await["payments"], 0);
}

#[tokio::test]
async fn the_controls_are_not_there_unless_asked_for() {
    let odoo = client::ready(Series::V19).await;
    let answer = client::http().get(format!("{}/sim/world", odoo.url())).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 404);
}
