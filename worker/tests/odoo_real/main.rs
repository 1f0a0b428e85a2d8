//! What the Odoo client expects, tried on a real Odoo: the seed of a conformance suite.
//!
//! Runs only where a server is named, and says so otherwise:
//! `CONCILIA_REAL_ODOO_URL`, `CONCILIA_REAL_ODOO_DATABASE`, `CONCILIA_REAL_ODOO_ADMIN` (a login
//! with Settings rights) and `CONCILIA_REAL_ODOO_ADMIN_KEY` (its password or API key);
//! `CONCILIA_REAL_ODOO_TRANSPORT` may be `jsonrpc` or `json2`. The database must be a throw-away
//! one, with sale and accounting, of a Chilean company (its id 1): the test books into it.
//! [`shop`] makes what there is to pay, [`books`] is mode B, [`portal`] is mode A. Not here: the
//! simulated Odoo, which the tests crate checks against the same cases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where and stop")]

mod books;
mod portal;
mod shop;

use std::path::Path;
use std::time::Duration;

use concilia_shared::config::{Environment, Transport};
use concilia_shared::secret::Secret;
use concilia_worker::clock::{Clock as _, SystemClock};
use concilia_worker::domain::reason::NotReady;
use concilia_worker::odoo::client::Client;
use concilia_worker::odoo::setup::{Change, SetupReport, SetupRequest, setup};
use concilia_worker::odoo::transport::{Args, Endpoint, Rpc};
use concilia_worker::odoo::{Odoo, OdooError};
use serde_json::json;

use shop::{Shop, call, first, ours, write};

const LOGIN: &str = "concilia-bot";

/// The server to try, if one is named.
fn server() -> Option<Endpoint> {
    let read = |name: &str| std::env::var(format!("CONCILIA_REAL_ODOO_{name}")).ok();
    let Some(url) = read("URL") else {
        eprintln!("skipped: CONCILIA_REAL_ODOO_URL names no Odoo to try");
        return None;
    };
    Some(Endpoint {
        url,
        database: read("DATABASE").expect("CONCILIA_REAL_ODOO_DATABASE"),
        login: read("ADMIN").unwrap_or_else(|| "admin".to_owned()),
        key: Secret::new(&read("ADMIN_KEY").expect("CONCILIA_REAL_ODOO_ADMIN_KEY")),
        transport: match read("TRANSPORT").as_deref() {
            Some("jsonrpc") => Transport::Jsonrpc,
            Some("json2") => Transport::Json2,
            _ => Transport::Auto,
        },
        timeout: Duration::from_mins(1),
    })
}

fn request(key_file: &Path) -> SetupRequest {
    SetupRequest {
        company_id: 1,
        environment: Environment::Test,
        bot_login: LOGIN.to_owned(),
        bot_password: None,
        bot_email: None,
        journal_code: None,
        bot_key_file: Some(key_file.to_owned()),
        now: SystemClock.now(),
    }
}

/// The field of groups that holds their users: it changed its name with 19.
async fn users_field(admin: &Rpc) -> &'static str {
    let args = Args::none().with("attributes", json!(["type"]));
    let fields = call(admin, "res.groups", "fields_get", args).await;
    if fields.get("user_ids").is_some() { "user_ids" } else { "users" }
}

#[tokio::test]
async fn a_real_odoo_is_set_up_observed_and_booked_into_exactly_once() {
    let Some(endpoint) = server() else { return };
    // The provider may be there already: then this changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("bot.key");
    let admin = Rpc::new(endpoint.clone()).unwrap();

    let first_run = setup(&admin, &request(&key_file)).await.unwrap();
    eprintln!("{first_run}");
    let second_run = setup(&admin, &request(&key_file)).await.unwrap();
    assert!(second_run.is_unchanged(), "{second_run}");

    let key = Secret::new(&std::fs::read_to_string(&key_file).unwrap());
    let bot = Endpoint { login: LOGIN.to_owned(), key: key.clone(), ..endpoint.clone() };
    let client = Client::new(bot.clone(), 1).unwrap();
    // The first characters of a key are no secret of Odoo's; they are new with each run.
    let shop = Shop::open(&admin, &endpoint.url, format!("r{}", &key.expose()[..8])).await;

    books::all(&shop, &client, &bot).await;
    portal::all(&shop, &client, &bot).await;
    names_what_is_not_ready(&admin, &client, &bot, &key_file).await;
}

/// What a set-up spoilt by hand is called, and that the next set-up puts it right.
async fn names_what_is_not_ready(admin: &Rpc, client: &Client, bot: &Endpoint, key_file: &Path) {
    let why = async |client: &Client| match client.ping().await {
        Err(OdooError::NotReady(why)) => why,
        other => panic!("{other:?}"),
    };
    let repaired = async |object: &str| -> SetupReport {
        let report = setup(admin, &request(key_file)).await.unwrap();
        let touched = report.lines.iter().filter(|line| line.change != Change::Unchanged);
        let touched: Vec<&str> = touched.map(|line| line.object.as_str()).collect();
        assert!(touched.len() == 1 && touched[0].contains(object), "{report}");
        client.ping().await.unwrap();
        report
    };

    let action = ours(admin, "action_book").await;
    write(admin, "ir.actions.server", action, json!({"code": "action = False"})).await;
    assert_eq!(why(client).await, NotReady::ActionDiffers);
    repaired("server action").await;

    call(admin, "ir.actions.server", "unlink", Args::on(&[action])).await;
    assert_eq!(why(client).await, NotReady::ActionMissing);
    repaired("server action").await;

    let provider = ours(admin, "provider_company_1").await;
    write(admin, "payment.provider", provider, json!({"state": "disabled"})).await;
    assert_eq!(why(client).await, NotReady::ProviderDisabled);
    let report = setup(admin, &request(key_file)).await.unwrap();
    assert!(!report.is_unchanged(), "{report}");
    client.ping().await.unwrap();

    let line = ours(admin, "method_line_in_company_1").await;
    write(admin, "account.payment.method.line", line, json!({"payment_account_id": false})).await;
    assert_eq!(why(client).await, NotReady::NoProvider);
    repaired("inbound payment method line").await;

    let group = ours(admin, "group_bot").await;
    let human = json!([["login", "!=", LOGIN], ["share", "=", false]]);
    let human = first(admin, "res.users", human).await;
    let users = users_field(admin).await;
    write(admin, "res.groups", group, json!({users: [[4, human]]})).await;
    repaired("only member").await;

    let stranger =
        Endpoint { key: Secret::new("0123456789abcdef0123456789abcdef01234567"), ..bot.clone() };
    let stranger = Client::new(stranger, 1).unwrap();
    assert_eq!(why(&stranger).await, NotReady::Denied);
    let elsewhere = Endpoint { database: "no_such_database".to_owned(), ..bot.clone() };
    let elsewhere = Client::new(elsewhere, 1).unwrap();
    assert!(matches!(why(&elsewhere).await, NotReady::Misconfigured { .. }));
}
