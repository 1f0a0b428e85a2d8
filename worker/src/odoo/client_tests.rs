//! The client against a served Odoo: how many calls, in what order, and what it forgets.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use concilia_shared::config::Transport;
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::domain::name::PaymentName;

/// What is answered next, and what was called.
#[derive(Default)]
struct Script {
    answers: VecDeque<(u16, Value)>,
    calls: Vec<(String, Value)>,
}

type Shared = Arc<Mutex<Script>>;

async fn handle(
    State(script): State<Shared>,
    Path((model, method)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Response {
    if method == "context_get" {
        return Json(json!({"uid": 5})).into_response();
    }
    let mut script = script.lock().unwrap();
    script.calls.push((format!("{model}.{method}"), body));
    let (status, answer) = script.answers.pop_front().expect("one call too many");
    (StatusCode::from_u16(status).unwrap(), Json(answer)).into_response()
}

async fn client(answers: impl IntoIterator<Item = (u16, Value)>) -> (Client, Shared) {
    // Another test of this process may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let script = Script { answers: answers.into_iter().collect(), calls: Vec::new() };
    let script = Arc::new(Mutex::new(script));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new()
        .route("/json/2/{model}/{method}", post(handle))
        .with_state(Arc::clone(&script));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let endpoint = Endpoint { transport: Transport::Json2, ..Endpoint::for_tests(&url) };
    (Client::new(endpoint, 1).unwrap(), script)
}

/// Where the action *refund* is.
const REFUND: i64 = 13;

fn bindings(observe: i64, book: i64) -> (u16, Value) {
    let row = |id: i64, name: &str| json!({"id": id, "name": name, "binding_view_types": "list,form", "sequence": 5});
    let rows = json!([
        row(observe, "Concilia: observe"),
        row(book, "Concilia: book"),
        row(REFUND, "Concilia: refund"),
        row(1, "Share")
    ]);
    (200, json!({"action": rows}))
}

fn with_record(record: i64) -> (u16, Value) {
    let (status, mut answer) = bindings(10, 11);
    let row = json!({"id": record, "name": "Concilia: record"});
    answer["action"].as_array_mut().unwrap().push(row);
    (status, answer)
}

fn card(n: usize) -> Record {
    let last4 = crate::domain::record::Last4::parse("4242").unwrap();
    let customer = crate::domain::record::Customer {
        id: Some("cus_1".to_owned()),
        rut: None,
        email: None,
        name: None,
        create: false,
    };
    let id = format!("pm_{n}");
    Record::Card(Box::new(crate::domain::record::Card {
        id,
        last4,
        brand: None,
        active: false,
        customer,
    }))
}

fn recorded(numbers: std::ops::Range<usize>) -> (u16, Value) {
    let item = |n: usize| {
        json!({"name": format!("card-pm_{n}"), "status": "same", "why": false, "detail": false, "transaction": false,
               "customer": false, "partner": false, "opened": 0, "closed": 0})
    };
    let items: Vec<Value> = numbers.map(item).collect();
    let answer = json!({"protocol": 3, "action": "record", "version": actions::VERSION, "database": "u", "items": items});
    (200, json!({"type": "ir.actions.act_window_close", "infos": {"concilia": answer}}))
}

fn observed(database: &str, names: &[&str]) -> (u16, Value) {
    let items: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "booked": false, "transactions": [], "candidates": [], "probes": [], "invoices": []}))
        .collect();
    let answer = json!({
        "protocol": actions::PROTOCOL, "action": "observe", "version": actions::VERSION, "database": database,
        "actions": {"observe": actions::OBSERVE.sha256(), "book": actions::BOOK.sha256(),
                    "refund": actions::REFUND.sha256()},
        "provider": {"id": 7, "state": "test", "ready": true}, "items": items, "news": false,
    });
    (200, json!({"type": "ir.actions.act_window_close", "infos": {"concilia": answer}}))
}

fn gone() -> (u16, Value) {
    let message =
        "Record does not exist or has been deleted.\n(Record: ir.actions.server(10,), User: 5)";
    (404, json!({"name": "odoo.exceptions.MissingError", "message": message}))
}

fn lookups(names: &[&str]) -> Vec<Lookup> {
    let lookup = |name: &&str| Lookup {
        names: vec![PaymentName::parse(name).unwrap()],
        ..Lookup::default()
    };
    names.iter().map(lookup).collect()
}

fn names(script: &Shared) -> Vec<String> {
    let script = script.lock().unwrap();
    script.calls.iter().map(|(name, _)| name.clone()).collect()
}

#[tokio::test]
async fn all_lookups_travel_in_one_call_and_the_actions_are_looked_for_once() {
    let answers = [bindings(10, 11), observed("u", &["chk_1", "chk_2"]), observed("u", &["chk_3"])];
    let (client, script) = client(answers).await;
    assert_eq!(client.observe(&lookups(&["chk_1", "chk_2"])).await.unwrap().len(), 2);
    assert_eq!(client.observe(&lookups(&["chk_3"])).await.unwrap().len(), 1);
    assert!(client.observe(&[]).await.unwrap().is_empty());
    let run = "ir.actions.server.run";
    assert_eq!(names(&script), ["ir.actions.actions.get_bindings", run, run]);
    let (_, body) = script.lock().unwrap().calls[1].clone();
    assert_eq!(
        (&body["ids"], &body["context"]["active_model"]),
        (&json!([10]), &json!("payment.transaction"))
    );
    assert_eq!(body["context"]["tz"], "America/Santiago");
    assert_eq!(body["context"].get("lang"), None);
}

#[tokio::test]
async fn an_action_that_moved_is_looked_for_once_more() {
    let answers = [
        bindings(10, 11),
        observed("u", &["chk_1"]),
        gone(),
        bindings(20, 21),
        observed("u", &["chk_1"]),
    ];
    let (client, script) = client(answers).await;
    client.observe(&lookups(&["chk_1"])).await.unwrap();
    client.observe(&lookups(&["chk_1"])).await.unwrap();
    assert_eq!(script.lock().unwrap().calls[4].1["ids"], json!([20]));
}

#[tokio::test]
async fn an_action_that_is_gone_pauses_the_account() {
    let (client, _) = client([
        bindings(10, 11),
        gone(),
        (200, json!({})),
        bindings(10, 11),
        observed("u", &["chk_1"]),
    ])
    .await;
    let missing = Err(OdooError::NotReady(NotReady::ActionMissing));
    assert_eq!(client.observe(&lookups(&["chk_1"])).await, missing);
    let again = client.observe(&lookups(&["chk_1"])).await;
    assert_eq!(again, missing);
    assert!(client.observe(&lookups(&["chk_1"])).await.is_ok());
}

#[tokio::test]
async fn two_actions_of_one_name_are_not_chosen_between() {
    let (_, twice) = bindings(10, 11);
    let mut twice = twice["action"].as_array().unwrap().clone();
    twice.push(json!({"id": 12, "name": "Concilia: book"}));
    let (client, _) = client([(200, json!({"action": twice}))]).await;
    let error = client.observe(&lookups(&["chk_1"])).await.unwrap_err();
    assert!(matches!(error, OdooError::NotReady(NotReady::Misconfigured { .. })), "{error:?}");
}

#[tokio::test]
async fn the_database_that_answered_last_is_told() {
    let answers = [bindings(10, 11), observed("original", &[]), observed("copy", &["chk_1"])];
    let (client, _) = client(answers).await;
    assert_eq!(client.database(), None);
    client.ping().await.unwrap();
    assert_eq!(client.database().as_deref(), Some("original"));
    client.observe(&lookups(&["chk_1"])).await.unwrap();
    assert_eq!(client.database().as_deref(), Some("copy"));
}

#[tokio::test]
async fn a_ping_asks_about_nothing_and_hears_what_the_account_lacks() {
    let (status, mut answer) = observed("u", &[]);
    answer["infos"]["concilia"]["provider"] = json!(false);
    let (client, script) = client([bindings(10, 11), (status, answer)]).await;
    assert_eq!(client.ping().await, Err(OdooError::NotReady(NotReady::NoProvider)));
    let (_, body) = script.lock().unwrap().calls[1].clone();
    assert_eq!((&body["ids"], &body["context"]["concilia"]["items"]), (&json!([10]), &json!([])));
    assert_eq!(client.database(), None, "an answer that was not believed named a database");
}

#[tokio::test]
async fn an_unknown_outcome_is_one_only_where_something_may_have_been_written() {
    let cut_off = || (500, json!("gateway"));
    let (client, _) = client([bindings(10, 11), cut_off(), cut_off()]).await;
    let error = client.observe(&lookups(&["chk_1"])).await.unwrap_err();
    assert!(matches!(error, OdooError::Unavailable { .. }), "{error:?}");
    let complete = Command::Complete { name: PaymentName::parse("chk_1").unwrap() };
    let error = client.perform(&[complete]).await.unwrap_err();
    assert!(matches!(error, OdooError::Unknown { .. }), "{error:?}");
}

#[tokio::test]
async fn a_batch_above_the_action_s_limit_travels_in_parts() {
    let all: Vec<String> = (0..101).map(|n| format!("chk_{n}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let answers = [bindings(10, 11), observed("u", &all[..100]), observed("u", &all[100..])];
    let (client, script) = client(answers).await;
    assert_eq!(client.observe(&lookups(&all)).await.unwrap().len(), 101);
    assert_eq!(names(&script).len(), 3);
}

fn performed(action: &str, names: &[String]) -> (u16, Value) {
    let item = |name: &String| {
        json!({"name": name, "status": "changed", "why": name, "detail": false, "booking": false,
               "transaction": false, "refund": false})
    };
    let items: Vec<Value> = names.iter().map(item).collect();
    let answer = json!({"protocol": 3, "action": action, "version": actions::VERSION, "database": "u", "items": items});
    (200, json!({"type": "ir.actions.act_window_close", "infos": {"concilia": answer}}))
}

fn refund(name: &str) -> Command {
    let money =
        |minor| concilia_shared::money::Money::new(minor, concilia_shared::money::Currency::Clp);
    Command::Refund(Box::new(crate::domain::observe::Refund {
        name: name.to_owned(),
        of: vec![PaymentName::parse("chk_1").unwrap()],
        after: money(0),
        amount: money(1),
        date: "2026-11-22".parse().unwrap(),
        currency: "CLP".to_owned(),
        draft_credit_note: false,
        dispute: None,
    }))
}

#[tokio::test]
async fn refunds_travel_by_their_own_action_and_outcomes_stay_in_the_order_asked() {
    let name = |n: usize| format!("chk_{n}-refund-after-0");
    // Every second one a refund, but more of them than a call may carry.
    let commands: Vec<Command> = (0..202)
        .map(|n| match n % 2 {
            0 => refund(&name(n)),
            _ => Command::Complete { name: PaymentName::parse(&format!("chk_{n}")).unwrap() },
        })
        .collect();
    let (refunds, others): (Vec<String>, Vec<String>) =
        (0..101).map(|n| (name(2 * n), format!("chk_{}", 2 * n + 1))).unzip();
    let answers = [
        bindings(10, 11),
        performed("book", &others[..100]),
        performed("book", &others[100..]),
        performed("refund", &refunds[..100]),
        performed("refund", &refunds[100..]),
    ];
    let (client, script) = client(answers).await;
    let outcomes = client.perform(&commands).await.unwrap();
    assert_eq!(outcomes.len(), commands.len());
    for (command, outcome) in commands.iter().zip(outcomes) {
        assert_eq!(outcome, Outcome::Changed { what: command.name() });
    }
    let script = script.lock().unwrap();
    let asked: Vec<&Value> = script.calls[1..].iter().map(|(_, body)| &body["ids"][0]).collect();
    assert_eq!(asked, [11, 11, REFUND, REFUND]);
}

/// An answer of *observe* that tells the text of an action booking does without, too.
fn observed_text(action: &str, text: &Value) -> (u16, Value) {
    let (status, mut answer) = observed("u", &[]);
    answer["infos"]["concilia"]["actions"][action] = text.clone();
    (status, answer)
}

fn observed_with(text: &Value) -> (u16, Value) {
    observed_text("record", text)
}

fn make_invoice(id: &str) -> Command {
    Command::MakeInvoice(Box::new(crate::domain::observe::MakeInvoice {
        invoice: crate::domain::name::ObjectId::parse(id).unwrap(),
        customer: crate::domain::record::Customer::default(),
        product: "PLAN".to_owned(),
        amount: concilia_shared::money::Money::new(1, concilia_shared::money::Currency::Clp),
        currency: "CLP".to_owned(),
        date: "2026-11-22".parse().unwrap(),
        post: true,
    }))
}

fn with_invoice(id: i64) -> (u16, Value) {
    let (status, mut answer) = bindings(10, 11);
    let row = json!({"id": id, "name": "Concilia: invoice"});
    answer["action"].as_array_mut().unwrap().push(row);
    (status, answer)
}

#[tokio::test]
async fn invoices_are_made_by_their_own_action_while_its_text_is_ours() {
    let ours = json!(actions::INVOICE.sha256());
    let edited = json!("0".repeat(64));
    let answers = [
        with_invoice(14),
        observed_text("invoice", &edited),
        performed("book", &["chk_1".to_owned()]),
        observed_text("invoice", &ours),
        performed("invoice", &["made-invoice-in_1".to_owned()]),
    ];
    let (client, script) = client(answers).await;
    let differs = Err(OdooError::NotReady(NotReady::ActionDiffers));
    assert_eq!(client.perform(&[make_invoice("in_1")]).await, differs);
    let complete = Command::Complete { name: PaymentName::parse("chk_1").unwrap() };
    assert!(client.perform(&[complete]).await.is_ok(), "booking goes on");
    assert!(client.ping().await.is_ok());
    let changed = Outcome::Changed { what: "made-invoice-in_1".to_owned() };
    assert_eq!(client.perform(&[make_invoice("in_1")]).await, Ok(vec![changed]));
    let script = script.lock().unwrap();
    let asked: Vec<&Value> = script.calls[1..].iter().map(|(_, body)| &body["ids"][0]).collect();
    assert_eq!(asked, [10, 11, 10, 14]);
}

#[tokio::test]
async fn an_odoo_without_the_action_that_makes_invoices_says_so_of_them_alone() {
    let answers = [bindings(10, 11), observed_text("invoice", &json!(false))];
    let (client, _) = client(answers).await;
    let missing = Err(OdooError::NotReady(NotReady::ActionMissing));
    assert_eq!(client.perform(&[make_invoice("in_1")]).await, missing);
}

#[tokio::test]
async fn records_travel_by_their_own_action_a_hundred_a_call() {
    let ours = json!(actions::RECORD.sha256());
    let answers = [with_record(12), observed_with(&ours), recorded(0..100), recorded(100..101)];
    let (client, script) = client(answers).await;
    assert!(client.record(&[]).await.unwrap().is_empty());
    let cards: Vec<Record> = (0..101).map(card).collect();
    assert_eq!(client.record(&cards).await.unwrap(), vec![Recorded::Same; 101]);
    let (_, body) = script.lock().unwrap().calls[2].clone();
    assert_eq!(body["ids"], json!([12]));
    assert_eq!(body["context"]["concilia"]["items"].as_array().unwrap().len(), 100);
    assert_eq!(names(&script).len(), 4);
}

#[tokio::test]
async fn an_odoo_without_the_action_that_records_books_all_the_same() {
    let answers = [bindings(10, 11), observed_with(&json!(false)), observed("u", &["chk_1"])];
    let (client, script) = client(answers).await;
    let missing = Err(OdooError::NotReady(NotReady::ActionMissing));
    assert_eq!(client.record(&[card(1)]).await, missing);
    assert_eq!(client.record(&[card(1)]).await, missing);
    assert!(client.observe(&lookups(&["chk_1"])).await.is_ok());
    assert_eq!(names(&script).len(), 3);
}

#[tokio::test]
async fn a_text_that_is_not_ours_is_not_run_until_it_is_again() {
    let ours = json!(actions::RECORD.sha256());
    let edited = json!("0".repeat(64));
    let answers = [with_record(12), observed_with(&edited), observed_with(&ours), recorded(1..2)];
    let (client, script) = client(answers).await;
    let differs = Err(OdooError::NotReady(NotReady::ActionDiffers));
    assert_eq!(client.record(&[card(1)]).await, differs);
    assert!(client.ping().await.is_ok(), "booking goes on");
    assert_eq!(client.record(&[card(1)]).await, Ok(vec![Recorded::Same]));
    assert_eq!(names(&script).len(), 4);
}

#[tokio::test]
async fn what_the_account_lacks_for_booking_does_not_keep_records_out() {
    let (status, mut answer) = observed_with(&json!(actions::RECORD.sha256()));
    answer["infos"]["concilia"]["provider"] = json!(false);
    // An answer that is not believed for booking has the actions looked for again.
    let answers = [with_record(12), (status, answer), with_record(12), recorded(1..2)];
    let (client, _) = client(answers).await;
    assert_eq!(client.record(&[card(1)]).await, Ok(vec![Recorded::Same]));
}
