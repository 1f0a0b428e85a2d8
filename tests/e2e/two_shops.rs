//! Two companies of one database, and two shops of one company, may give their orders the same
//! number: each account books its own, and what belongs to nobody for certain is a person's.

use std::collections::BTreeMap;

use concilia_tests::harness::config::{Further, key_of, secret_of};
use concilia_tests::harness::http::signed_by;
use concilia_tests::harness::shop::{Payment, Shop};
use concilia_tests::harness::system::{Options, System};
use concilia_tests::odoo::fixtures::{MadeOrder, NewOrder};
use concilia_tests::odoo::value::{Record, Value};
use concilia_tests::odoo::world::Tx;

crate::on!(
    sqlite_odoo_17_jsonrpc, sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc, postgres_odoo_19_json2:
    two_companies_of_one_database_do_not_touch_each_other
);
crate::on!(
    sqlite_odoo_17_jsonrpc, sqlite_odoo_19_json2, postgres_odoo_17_jsonrpc, postgres_odoo_19_json2:
    two_shops_of_one_company_are_kept_apart_by_their_domains
);

/// Two accounts of one database, each with a company of its own.
const COMPANIES: [Further; 2] = [
    Further { name: "norte", connector: "shopify", company: 1, domain: None },
    Further { name: "sur", connector: "shopify", company: 2, domain: None },
];

/// Three accounts of one company: two know their shop by its sales team, one does not.
const SHOPS: [Further; 3] = [
    Further { domain: Some(r#"[["team_id","=",3]]"#), ..SHOP },
    Further { name: "outlet", domain: Some(r#"[["team_id","=",4]]"#), ..SHOP },
    Further { name: "anywhere", ..SHOP },
];

const SHOP: Further = Further { name: "boutique", connector: "shopify", company: 1, domain: None };

/// The number both shops gave an order.
const NUMBER: &str = "#1042";

async fn two_companies_of_one_database_do_not_touch_each_other(options: Options) {
    let system = System::start(options.and(&COMPANIES)).await;
    let shop = &system.shop;
    each_company_is_set_up_once(&system).await;
    let north = of_company(shop, 1, 15_990, NUMBER);
    let south = of_company(shop, 2, 24_990, NUMBER);
    let invoice = shop.odoo.invoice(south.id);
    of_company(shop, 2, 9_990, "#1043");

    let before = rows_of(shop, 2);
    let first = system.pay(15_990, NUMBER);
    told(&system, "norte", &first, "reconciled").await;
    assert_eq!(where_booked(shop, &first), company(shop, 1, &north));
    is_untouched(shop, 2, &before);

    let before = rows_of(shop, 1);
    let second = system.pay(24_990, NUMBER);
    told(&system, "sur", &second, "reconciled").await;
    assert_eq!(where_booked(shop, &second), company(shop, 2, &south));
    assert!(["paid", "in_payment"].contains(&shop.payment_state(invoice).as_str()));
    is_untouched(shop, 1, &before);

    // Of an order of the other company nothing is known here.
    let before = rows_of(shop, 2);
    let stranger = system.pay(9_990, "#1043");
    let row = told(&system, "norte", &stranger, "pending").await;
    assert_eq!(row.as_deref(), Some("no_match"));
    is_untouched(shop, 2, &before);

    another_secret_opens_no_other_path(&system).await;
    for (account, payments) in [("norte", vec![&first, &stranger]), ("sur", vec![&second])] {
        let mut asked = system.ventipay.calls_of(&key_of(account));
        asked.sort();
        asked.dedup();
        let mut own: Vec<String> = payments.iter().map(|payment| read_again(payment)).collect();
        own.sort();
        assert_eq!(asked, own, "{account} asks Ventipay with its own key");
    }
    system.finish_with_pending(&[&stranger.event]).await;
}

/// Nine accounts book into two companies.
async fn each_company_is_set_up_once(system: &System) {
    let said = system.set_up_odoo().await;
    let headings: Vec<&str> =
        said.lines().filter(|line| line.starts_with(&system.shop.url())).collect();
    let [one, two] = headings[..] else { panic!("{said}") };
    assert!(one.ends_with("Comercial Prueba SpA") && two.ends_with("Comercial Prueba 2 SpA"));
    assert_eq!(said.matches("Everything was as it must be.").count(), 2, "{said}");
}

async fn another_secret_opens_no_other_path(system: &System) {
    let of_south = system.pay(24_990, NUMBER);
    let signature = signed_by(&secret_of(Some("sur")), &of_south.body, 0);
    let answer = system.post(Some("norte"), &[&signature], of_south.body.clone()).await.unwrap();
    assert_eq!(answer.status, 401, "{answer:?}");
    system.everything_is_acknowledged().await;
    let rows = system.events().await;
    assert!(rows.iter().all(|row| row.event_id != of_south.event), "{rows:?}");
}

async fn two_shops_of_one_company_are_kept_apart_by_their_domains(options: Options) {
    let system = System::start(options.and(&SHOPS)).await;
    let shop = &system.shop;
    // Of equal totals: nothing but the domain tells them apart.
    for (account, other, key) in [("boutique", 4, NUMBER), ("outlet", 3, "#1043")] {
        let own = of_team(shop, 7 - other, 15_990, key);
        of_team(shop, other, 15_990, key);
        let payment = system.pay(15_990, key);
        told(&system, account, &payment, "reconciled").await;
        assert_eq!(where_booked(shop, &payment), company(shop, 1, &own), "{account}");
    }
    // The first number is still to be paid in the other shop.
    let payment = system.pay(15_990, NUMBER);
    told(&system, "outlet", &payment, "reconciled").await;

    let one = of_team(shop, 3, 8_990, "#1044");
    let other = of_team(shop, 4, 8_990, "#1044");
    let unclear = system.pay(8_990, "#1044");
    let reason = told(&system, "anywhere", &unclear, "parked").await;
    assert_eq!(reason.as_deref(), Some("ambiguous"));
    let shown = system.operator(&["events", "show", &unclear.event, "--lang", "en"]).await;
    assert!(shown.contains(&one.name) && shown.contains(&other.name), "{shown}");
    assert!(!shop.booked().contains_key(&unclear.checkout));
    let why = ["--why", "the customer sent the receipt", "--by", "ana"];
    let chosen = ["match", &unclear.event, "--order", &other.name];
    system.operator(&[&chosen[..], &why].concat()).await;
    system.rests_as(&unclear.event, "reconciled").await;
    assert_eq!(where_booked(shop, &unclear), company(shop, 1, &other));

    // What a domain keeps out waits, until the domain is another.
    let moved = of_team(shop, 5, 7_990, "#1045");
    let waiting = system.pay(7_990, "#1045");
    let reason = told(&system, "boutique", &waiting, "pending").await;
    assert_eq!(reason.as_deref(), Some("no_match"));
    let set = ["settings", "set", "boutique", r#"domain=[["team_id","in",[3,5]]]"#];
    system.operator(&[&set[..], &why].concat()).await;
    system.rests_as(&waiting.event, "reconciled").await;
    assert_eq!(where_booked(shop, &waiting), company(shop, 1, &moved));
    system.finish().await;
}

/// Tells an account of a payment and waits for where it rests; answers the reason.
async fn told(system: &System, account: &str, payment: &Payment, status: &str) -> Option<String> {
    system.received(Some(account), payment.body.clone()).await;
    let row = system.rests_as(&payment.event, status).await;
    assert_eq!(row.account, account);
    row.reason
}

fn read_again(payment: &Payment) -> String {
    format!("GET /v1/checkouts/{}", payment.checkout)
}

fn of_company(shop: &Shop, company: i64, total: i64, number: &str) -> MadeOrder {
    shop.odoo.add_order(&NewOrder { company: Some(company), ..NewOrder::pesos(total, number) })
}

fn of_team(shop: &Shop, team: i64, total: i64, number: &str) -> MadeOrder {
    let order = shop.odoo.add_order(&NewOrder::pesos(total, number));
    let given = shop
        .odoo
        .edit(|tx| tx.update("sale.order", order.id, |row| row.set("team_id", Value::Ref(team))));
    given.expect("the order is there");
    order
}

/// Where a payment stands.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    orders: Vec<i64>,
    provider: Option<i64>,
    company: Option<i64>,
    journal: Option<i64>,
}

/// The transaction of a payment, and the payment entered for it.
fn where_booked(shop: &Shop, payment: &Payment) -> Place {
    let place = |tx: &Tx<'_>| {
        let called = |(_, row): &(i64, &Record)| row.text("reference") == payment.checkout;
        let (id, transaction) = tx.rows("payment.transaction").find(called)?;
        let entered = |(_, row): &(i64, &Record)| row.leads_to("payment_transaction_id", id);
        let (_, entered) = tx.rows("account.payment").find(entered)?;
        assert_eq!(entered.reference("company_id"), transaction.reference("company_id"));
        Some(Place {
            orders: transaction.references("sale_order_ids").to_vec(),
            provider: transaction.reference("provider_id"),
            company: transaction.reference("company_id"),
            journal: entered.reference("journal_id"),
        })
    };
    shop.odoo.look(place).expect("it is booked")
}

/// Where a payment of a company's order has to stand.
fn company(shop: &Shop, company: i64, order: &MadeOrder) -> Place {
    shop.odoo.look(|tx| {
        let ours = format!("provider_company_{company}");
        let name = tx.rows("ir.model.data").find(|(_, row)| row.text("name") == ours);
        Place {
            orders: vec![order.id],
            provider: name.map(|(_, row)| row.int("res_id")),
            company: Some(company),
            journal: tx.world_journal("bank", company),
        }
    })
}

/// Nothing of a company was made, changed or deleted since.
fn is_untouched(shop: &Shop, company: i64, before: &Rows) {
    let now = rows_of(shop, company);
    assert!(before.keys().any(|(model, _)| model == "sale.order"), "the company has orders");
    let mut touched: Vec<_> = before.keys().chain(now.keys()).collect();
    touched.retain(|place| before.get(*place) != now.get(*place));
    assert!(touched.is_empty(), "touched of company {company}: {touched:?}");
}

type Rows = BTreeMap<(String, i64), Record>;

/// Every record that is of a company.
fn rows_of(shop: &Shop, company: i64) -> Rows {
    shop.odoo.look(|tx| {
        let of_model = |model: &str| {
            let rows = tx.rows(model).filter(|(_, row)| row.leads_to("company_id", company));
            rows.map(|(id, row)| ((model.to_owned(), id), row.clone())).collect::<Vec<_>>()
        };
        tx.tables().models().flat_map(of_model).collect()
    })
}
