//! The worker's own set-up and client, against every series over both transports.

use std::time::Duration;

use concilia_shared::config::{Environment, Transport};
use concilia_shared::money::{Currency, Money};
use concilia_shared::secret::Secret;
use concilia_tests::odoo::fixtures::{Invoice, NewOrder};
use concilia_tests::odoo::{Series, SimOdoo, SimOdooOptions, seed};
use concilia_worker::clock::{Clock as _, SystemClock};
use concilia_worker::domain::name::PaymentName;
use concilia_worker::domain::observe::{Accepted, Book, Command, Lookup, Outcome, Probe};
use concilia_worker::odoo::Odoo;
use concilia_worker::odoo::actions;
use concilia_worker::odoo::client::Client;
use concilia_worker::odoo::setup::{SetupRequest, setup};
use concilia_worker::odoo::transport::{Args, Endpoint, Rpc};
use serde_json::json;

pub(super) fn endpoint(odoo: &SimOdoo, transport: Transport, login: &str, key: &str) -> Endpoint {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Endpoint {
        url: odoo.url(),
        database: odoo.database.clone(),
        login: login.to_owned(),
        key: Secret::new(key),
        transport,
        timeout: Duration::from_secs(20),
    }
}

fn request() -> SetupRequest {
    SetupRequest {
        company_id: seed::COMPANY,
        environment: Environment::Test,
        bot_login: "concilia".to_owned(),
        bot_password: Some(Secret::new("a long random password")),
        bot_email: Some("concilia@example.com".to_owned()),
        journal_code: None,
        bot_key_file: None,
        now: SystemClock.now(),
    }
}

pub(super) async fn set_up(odoo: &SimOdoo, transport: Transport) {
    let admin = Rpc::new(endpoint(odoo, transport, "admin", "admin-key")).unwrap();
    let first = setup(&admin, &request()).await.unwrap();
    assert!(!first.is_unchanged());
    let second = setup(&admin, &request()).await.unwrap();
    assert!(second.is_unchanged(), "a second run changed something: {second:?}");
}

#[tokio::test]
async fn the_worker_sets_up_twice_observes_and_books_once() {
    for (series, transport) in [
        (Series::V17, Transport::Jsonrpc),
        (Series::V18, Transport::Auto),
        (Series::V19, Transport::Jsonrpc),
        (Series::V19, Transport::Json2),
        (Series::V19, Transport::Auto),
    ] {
        let odoo = SimOdoo::start(SimOdooOptions::new(series)).await.unwrap();
        set_up(&odoo, transport).await;
        assert!(odoo.add_key("concilia", "bot-key"));
        let client =
            Client::new(endpoint(&odoo, transport, "concilia", "bot-key"), seed::COMPANY).unwrap();
        odoo.add_order(&NewOrder::pesos(15_990, "1001").invoiced(Invoice::Posted));
        let name = PaymentName::parse("chk_1").unwrap();
        let lookup = Lookup {
            names: vec![name.clone()],
            carried: vec!["chk_1".to_owned()],
            probes: vec![Probe {
                path: "external_id".to_owned(),
                field: "client_order_ref".to_owned(),
                value: "1001".to_owned(),
            }],
            ..Lookup::default()
        };
        let seen = client.observe(std::slice::from_ref(&lookup)).await.unwrap();
        let order = seen[0].probes[0].orders[0].clone();
        let book = Command::Book(Box::new(Book {
            names: vec![name],
            amount: Money::new(15_990, Currency::Clp),
            date: "2026-11-22".parse().unwrap(),
            currency: "CLP".to_owned(),
            invoices: order
                .invoices
                .iter()
                .map(|invoice| (invoice.id, invoice.residual.clone()))
                .collect(),
            confirm: false,
            accepted: Accepted::default(),
            order,
        }));
        let before = odoo.counters();
        let first = client.perform(std::slice::from_ref(&book)).await.unwrap();
        assert!(matches!(&first[0], Outcome::Booked(_)), "{series:?}: {first:?}");
        let second = client.perform(std::slice::from_ref(&book)).await.unwrap();
        assert!(matches!(&second[0], Outcome::Already(_)), "{series:?}: {second:?}");
        let after = odoo.counters();
        assert_eq!(after.calls["book"], 2);
        assert_eq!(after.writes, before.writes + 1, "the second one wrote something");
        let payments = odoo.payments();
        assert_eq!(payments.len(), 1);
        assert_eq!(payments[0].name, "PBNK1/2026/00001");
        assert_eq!(payments[0].date, "2026-11-22");
        assert_eq!(payments[0].invoices, ["FAC 000001"]);
        assert_eq!(payments[0].credit, "0");
    }
}

#[tokio::test]
async fn a_key_for_the_bot_is_made_and_works() {
    let odoo = SimOdoo::start(SimOdooOptions::new(Series::V19)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bot.key");
    let request = SetupRequest { bot_key_file: Some(file.clone()), ..request() };
    let admin = Rpc::new(endpoint(&odoo, Transport::Auto, "admin", "admin-key")).unwrap();
    setup(&admin, &request).await.unwrap();
    let key = std::fs::read_to_string(&file).unwrap();
    let bot = Rpc::new(endpoint(&odoo, Transport::Json2, "concilia", key.trim())).unwrap();
    let context = bot.call("res.users", "context_get", Args::none()).await;
    assert!(context.is_ok(), "{context:?}");
}

#[tokio::test]
async fn the_bot_may_do_nothing_but_its_actions() {
    for series in [Series::V17, Series::V18, Series::V19] {
        let odoo = SimOdoo::start(SimOdooOptions::new(series)).await.unwrap();
        set_up(&odoo, Transport::Jsonrpc).await;
        let bot =
            Rpc::new(endpoint(&odoo, Transport::Jsonrpc, "concilia", "a long random password"))
                .unwrap();
        let all = || Args::none().with("domain", json!([]));
        assert!(bot.call("res.partner", "search", all()).await.is_ok());
        for model in
            ["sale.order", "account.move", "payment.provider", "ir.model.data", "ir.actions.server"]
        {
            let refused = bot.call(model, "search", all()).await;
            assert!(refused.is_err(), "{series:?}: the bot may read {model}");
        }
        let values = json!([{"name": "x"}]);
        let refused =
            bot.call("res.partner", "create", Args::none().with("vals_list", values)).await;
        assert!(refused.is_err(), "{series:?}: the bot may create partners");
        let bindings = Args::none().with("model_name", "payment.transaction");
        let told = bot.call("ir.actions.actions", "get_bindings", bindings).await.unwrap();
        assert_eq!(told["action"].as_array().map(Vec::len), Some(actions::ALL.len()), "{told}");
    }
}
