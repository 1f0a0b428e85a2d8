//! What the Odoo client expects, tried on a real Odoo: the seed of a conformance suite.
//!
//! Runs only where a server is named, and says so otherwise:
//! `CONCILIA_REAL_ODOO_URL`, `CONCILIA_REAL_ODOO_DATABASE`, `CONCILIA_REAL_ODOO_ADMIN` (a login
//! with Settings rights) and `CONCILIA_REAL_ODOO_ADMIN_KEY` (its password or API key);
//! `CONCILIA_REAL_ODOO_TRANSPORT` may be `jsonrpc` or `json2`. The database must be a throw-away
//! one, with sale and accounting, of a Chilean company (its id 1): the test books into it.
//! Not here: the simulated Odoo, which the tests crate checks against the same cases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where and stop")]

use std::path::Path;
use std::time::Duration;

use concilia_shared::config::{Environment, Transport};
use concilia_shared::id::CheckoutId;
use concilia_shared::money::{Currency, Money};
use concilia_shared::secret::Secret;
use concilia_worker::domain::observe::{Book, BookOutcome, Lookup, Order, Probe};
use concilia_worker::domain::reason::NotReady;
use concilia_worker::odoo::client::Client;
use concilia_worker::odoo::setup::{Change, SetupReport, SetupRequest, setup};
use concilia_worker::odoo::transport::{Args, Endpoint, Rpc};
use concilia_worker::odoo::{Odoo, OdooError};
use serde_json::{Value, json};

const LOGIN: &str = "concilia-bot";
const DAY: &str = "2026-10-31";

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
    }
}

/// A shop's orders, made by the administrator.
struct Shop<'a> {
    admin: &'a Rpc,
    partner: i64,
    product: i64,
    /// Different for each run: references must not repeat in a database that is kept.
    run: String,
}

impl<'a> Shop<'a> {
    async fn open(admin: &'a Rpc, run: String) -> Self {
        let cl = first(admin, "res.country", json!([["code", "=", "CL"]])).await;
        let rut = first(
            admin,
            "l10n_latam.identification.type",
            json!([["name", "=", "RUT"], ["country_id", "=", cl]]),
        )
        .await;
        let partner = json!({
            "name": "Cliente", "email": "cliente@example.com", "country_id": cl, "vat": "12345678-5",
            "l10n_latam_identification_type_id": rut, "l10n_cl_sii_taxpayer_type": "3",
        });
        let product = json!({"name": "Artículo", "type": "consu", "invoice_policy": "order", "taxes_id": [[6, 0, []]]});
        Self {
            partner: create(admin, "res.partner", partner, json!({})).await,
            product: create(admin, "product.product", product, json!({})).await,
            admin,
            run,
        }
    }

    fn reference(&self, case: &str) -> String {
        format!("{}-{case}", self.run)
    }

    fn checkout(&self, case: &str) -> CheckoutId {
        CheckoutId::parse(format!("chk_{}-{case}", self.run)).unwrap()
    }

    /// A confirmed order of `total` pesos.
    async fn order(&self, case: &str, total: i64) -> i64 {
        let line = json!({"product_id": self.product, "product_uom_qty": 1, "price_unit": total});
        let order = json!({
            "partner_id": self.partner, "client_order_ref": self.reference(case), "order_line": [[0, 0, line]],
        });
        let order = create(self.admin, "sale.order", order, json!({})).await;
        call(self.admin, "sale.order", "action_confirm", Args::on(&[order])).await;
        order
    }

    /// A posted invoice of the whole order.
    async fn invoice(&self, order: i64) -> i64 {
        let context =
            json!({"active_model": "sale.order", "active_ids": [order], "active_id": order});
        let wizard =
            json!({"advance_payment_method": "delivered", "sale_order_ids": [[6, 0, [order]]]});
        let model = "sale.advance.payment.inv";
        let wizard = create(self.admin, model, wizard, context.clone()).await;
        let args = with_context(Args::on(&[wizard]), &context);
        let made = call(self.admin, model, "create_invoices", args).await;
        let invoice = made["res_id"].as_i64().unwrap();
        call(self.admin, "account.move", "action_post", Args::on(&[invoice])).await;
        invoice
    }

    async fn payment_state(&self, invoice: i64) -> (String, Value) {
        let args = Args::on(&[invoice]).with("fields", json!(["payment_state", "amount_residual"]));
        let rows = call(self.admin, "account.move", "read", args).await;
        let state = rows[0]["payment_state"].as_str().unwrap().to_owned();
        (state, rows[0]["amount_residual"].clone())
    }

    fn lookup(&self, case: &str) -> Lookup {
        let probe = |field: &str| Probe {
            path: "external_id".to_owned(),
            field: field.to_owned(),
            value: self.reference(case),
        };
        Lookup {
            checkout: self.checkout(case),
            probes: vec![probe("client_order_ref"), probe("x_no_such_field")],
        }
    }

    fn book(&self, case: &str, order: &Order, pesos: i64) -> Book {
        let invoices = order.invoices.iter().filter(|invoice| invoice.state == "posted");
        Book {
            checkout: self.checkout(case),
            amount: Money::new(pesos, Currency::Clp),
            date: DAY.parse().unwrap(),
            order: order.clone(),
            currency: "CLP".to_owned(),
            invoices: invoices.map(|invoice| (invoice.id, invoice.residual.clone())).collect(),
            confirm: false,
        }
    }
}

async fn call(rpc: &Rpc, model: &str, method: &str, args: Args) -> Value {
    match rpc.call(model, method, args).await {
        Ok(result) => result,
        Err(error) => panic!("{model}.{method}: {error}"),
    }
}

fn with_context(args: Args, context: &Value) -> Args {
    let pairs = context.as_object().unwrap().iter();
    pairs.fold(args, |args, (key, value)| args.context(key, value.clone()))
}

async fn create(rpc: &Rpc, model: &str, values: Value, context: Value) -> i64 {
    let args = with_context(Args::none().with("vals_list", json!([values])), &context);
    call(rpc, model, "create", args).await[0].as_i64().unwrap()
}

async fn first(rpc: &Rpc, model: &str, domain: Value) -> i64 {
    let args = Args::none().with("domain", domain).with("limit", 1);
    call(rpc, model, "search", args).await[0].as_i64().unwrap()
}

async fn write(rpc: &Rpc, model: &str, id: i64, values: Value) {
    call(rpc, model, "write", Args::on(&[id]).with("vals", values)).await;
}

/// The field of groups that holds their users: it changed its name with 19.
async fn users_field(admin: &Rpc) -> &'static str {
    let args = Args::none().with("attributes", json!(["type"]));
    let fields = call(admin, "res.groups", "fields_get", args).await;
    if fields.get("user_ids").is_some() { "user_ids" } else { "users" }
}

async fn observe_one(
    client: &Client,
    lookup: Lookup,
) -> (concilia_worker::domain::observe::InOdoo, Option<Order>) {
    let mut seen = client.observe(&[lookup]).await.unwrap();
    let seen = seen.remove(0);
    let order = seen.probes[0].orders.first().cloned();
    (seen, order)
}

async fn ours(admin: &Rpc, name: &str) -> i64 {
    let args = Args::none()
        .with("domain", json!([["module", "=", "concilia"], ["name", "=", name]]))
        .with("fields", json!(["res_id"]));
    call(admin, "ir.model.data", "search_read", args).await[0]["res_id"].as_i64().unwrap()
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
    let client = Client::new(bot.clone(), 1, Vec::new()).unwrap();
    // The first characters of a key are no secret of Odoo's; they are new with each run.
    let shop = Shop::open(&admin, format!("r{}", &key.expose()[..8])).await;

    books_an_invoiced_order_once(&shop, &client).await;
    books_an_order_whose_invoice_comes_later(&shop, &client).await;
    refuses_what_was_not_decided_upon(&shop, &client).await;
    books_once_when_eight_try_at_once(&shop, &bot).await;
    names_what_is_not_ready(&admin, &client, &bot, &key_file).await;
}

async fn books_an_invoiced_order_once(shop: &Shop<'_>, client: &Client) {
    let order = shop.order("invoiced", 15_990).await;
    let invoice = shop.invoice(order).await;
    let (seen, order) = observe_one(client, shop.lookup("invoiced")).await;
    let order = order.unwrap();
    assert_eq!((seen.booked, seen.transactions.len()), (None, 0));
    assert_eq!(
        (order.total.as_str(), order.state.as_str(), order.currency.as_str()),
        ("15990", "sale", "CLP")
    );
    assert_eq!((order.invoices[0].residual.as_str(), order.invoices[0].payments), ("15990", 0));
    assert!(seen.probes[1].unknown_field && !seen.probes[0].unknown_field);

    let book = shop.book("invoiced", &order, 15_990);
    let outcomes = client.book(std::slice::from_ref(&book)).await.unwrap();
    let BookOutcome::Booked(booking) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(booking.amount, Money::new(15_990, Currency::Clp));
    assert_eq!(booking.date, Some(DAY.parse().unwrap()));
    assert_eq!(booking.orders, [order.name.as_str()]);
    assert!(booking.payment.is_some());
    assert_eq!(booking.invoices[0].residual, "0");
    assert_eq!(shop.payment_state(invoice).await, ("paid".to_owned(), json!(0.0)));

    let again = client.book(&[book]).await.unwrap();
    assert_eq!(again, [BookOutcome::Already(booking.clone())]);
    let (seen, _) = observe_one(client, shop.lookup("invoiced")).await;
    assert_eq!(seen.booked.as_ref(), Some(booking));
    assert_eq!((seen.booked_company_id, seen.booked_state.as_deref()), (Some(1), Some("done")));
}

async fn books_an_order_whose_invoice_comes_later(shop: &Shop<'_>, client: &Client) {
    let id = shop.order("credit", 9_990).await;
    let (_, order) = observe_one(client, shop.lookup("credit")).await;
    let book = shop.book("credit", &order.unwrap(), 9_990);
    let outcomes = client.book(&[book]).await.unwrap();
    assert!(matches!(outcomes[0], BookOutcome::Booked(_)), "{outcomes:?}");
    let invoice = shop.invoice(id).await;
    assert_eq!(shop.payment_state(invoice).await, ("paid".to_owned(), json!(0.0)));
}

async fn refuses_what_was_not_decided_upon(shop: &Shop<'_>, client: &Client) {
    let (seen, order) = observe_one(client, shop.lookup("nowhere")).await;
    assert!(seen.booked.is_none() && order.is_none());
    shop.order("fences", 5_000).await;
    let (_, order) = observe_one(client, shop.lookup("fences")).await;
    let order = order.unwrap();
    let raised = Order { total: "6000".to_owned(), ..order.clone() };
    let gone = Order { id: 999_999_999, ..order.clone() };
    let batch = [
        shop.book("fences-total", &raised, 6_000),
        shop.book("fences-gone", &gone, 5_000),
        shop.book("fences-above", &order, 5_001),
        shop.book("fences-fine", &order, 5_000),
        shop.book("fences-second", &order, 5_000),
    ];
    let outcomes = client.book(&batch).await.unwrap();
    let changed = |what: &str| BookOutcome::Changed { what: what.to_owned() };
    assert_eq!(outcomes[..2], [changed("order_total"), changed("order_gone")]);
    assert!(
        matches!(&outcomes[2], BookOutcome::Refused { why, .. } if why == "above_document"),
        "{outcomes:?}"
    );
    assert!(matches!(outcomes[3], BookOutcome::Booked(_)), "{outcomes:?}");
    assert_eq!(outcomes[4], changed("order_paid"));
}

async fn books_once_when_eight_try_at_once(shop: &Shop<'_>, bot: &Endpoint) {
    shop.order("race", 7_000).await;
    let client = Client::new(bot.clone(), 1, Vec::new()).unwrap();
    let (_, order) = observe_one(&client, shop.lookup("race")).await;
    let book = shop.book("race", &order.unwrap(), 7_000);
    let tries = (0..8).map(|_| client.book(std::slice::from_ref(&book)));
    let mut booked = 0;
    for outcome in futures_util::future::join_all(tries).await {
        match outcome {
            Ok(outcomes) => match &outcomes[0] {
                BookOutcome::Booked(_) => booked += 1,
                BookOutcome::Already(_) | BookOutcome::Again => {}
                BookOutcome::Changed { what } => assert_eq!(what, "order_paid"),
                other @ BookOutcome::Refused { .. } => panic!("{other:?}"),
            },
            Err(OdooError::Unknown { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(booked, 1);
    let again = client.book(&[book]).await.unwrap();
    assert!(matches!(again[0], BookOutcome::Already(_)), "{again:?}");
}

/// What a set-up spoilt by hand is called, and that the next set-up puts it right.
async fn names_what_is_not_ready(admin: &Rpc, client: &Client, bot: &Endpoint, key_file: &Path) {
    let nothing =
        Lookup { checkout: CheckoutId::parse("chk_nothing").unwrap(), probes: Vec::new() };
    let why = async |client: &Client| match client.observe(std::slice::from_ref(&nothing)).await {
        Err(OdooError::NotReady(why)) => why,
        other => panic!("{other:?}"),
    };
    let repaired = async |object: &str| -> SetupReport {
        let report = setup(admin, &request(key_file)).await.unwrap();
        let touched = report.lines.iter().filter(|line| line.change != Change::Unchanged);
        let touched: Vec<&str> = touched.map(|line| line.object.as_str()).collect();
        assert!(touched.len() == 1 && touched[0].contains(object), "{report}");
        client.observe(std::slice::from_ref(&nothing)).await.unwrap();
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
    client.observe(std::slice::from_ref(&nothing)).await.unwrap();

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
    let stranger = Client::new(stranger, 1, Vec::new()).unwrap();
    assert_eq!(why(&stranger).await, NotReady::Denied);
    let elsewhere = Endpoint { database: "no_such_database".to_owned(), ..bot.clone() };
    let elsewhere = Client::new(elsewhere, 1, Vec::new()).unwrap();
    assert!(matches!(why(&elsewhere).await, NotReady::Misconfigured { .. }));
}
