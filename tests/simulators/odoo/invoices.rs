//! The worker's client has the simulated Odoo make invoices of subscriptions, each once, finds
//! them by Ventipay's id and pays them.

use concilia_shared::config::Transport;
use concilia_shared::money::{Currency, Money};
use concilia_tests::odoo::value::{Id, Record, Value};
use concilia_tests::odoo::{Series, SimOdoo, SimOdooOptions, seed};
use concilia_tests::scenario::odoo::OdooSim;
use concilia_worker::domain::event::Booking;
use concilia_worker::domain::name::{ObjectId, PaymentName};
use concilia_worker::domain::observe::{
    Accepted, Command, Invoice, Lookup, MakeInvoice, Outcome, PayInvoice, Probe, Transaction,
};
use concilia_worker::domain::reason::NotReady;
use concilia_worker::domain::record::Customer;
use concilia_worker::domain::rut::Rut;
use concilia_worker::odoo::client::Client;
use concilia_worker::odoo::{Odoo, OdooError};

use super::worker::{endpoint, set_up};

const ALL: [Series; 3] = [Series::V17, Series::V18, Series::V19];

async fn ready(series: Series) -> (SimOdoo, Client) {
    let options = SimOdooOptions { control: true, ..SimOdooOptions::new(series) };
    let odoo = SimOdoo::start(options).await.unwrap();
    set_up(&odoo, Transport::Jsonrpc).await;
    assert!(odoo.add_key("concilia", "bot-key"));
    let plan = Record::default()
        .with("name", "Plan")
        .with("default_code", "PLAN")
        .with("active", true)
        .with("taxes_id", Value::Refs(vec![1]));
    odoo.edit(|tx| tx.insert("product.product", plan)).unwrap();
    let bot = endpoint(&odoo, Transport::Auto, "concilia", "bot-key");
    (odoo, Client::new(bot, seed::COMPANY).unwrap())
}

fn pesos(minor: i64) -> Money {
    Money::new(minor, Currency::Clp)
}

/// An invoice for somebody Odoo does not know yet.
fn make(id: &str, post: bool) -> Command {
    Command::MakeInvoice(Box::new(MakeInvoice {
        invoice: ObjectId::parse(id).unwrap(),
        customer: Customer {
            id: Some("cus_1".to_owned()),
            rut: Rut::parse("11111111-1"),
            email: None,
            name: Some("Ana".to_owned()),
            create: true,
        },
        product: "PLAN".to_owned(),
        amount: pesos(15_990),
        currency: "CLP".to_owned(),
        date: "2026-11-22".parse().unwrap(),
        post,
    }))
}

async fn perform(client: &Client, command: &Command) -> Outcome {
    client.perform(std::slice::from_ref(command)).await.unwrap().remove(0)
}

async fn made(client: &Client, command: &Command) -> String {
    match perform(client, command).await {
        Outcome::InvoiceMade { invoice } => invoice,
        other => panic!("{other:?}"),
    }
}

fn name(id: &str) -> PaymentName {
    PaymentName::parse(&format!("invoice-{id}")).unwrap()
}

/// The one invoice that is found by Ventipay's id.
async fn found(client: &Client, id: &str) -> (Invoice, Vec<Transaction>) {
    let lookup = Lookup {
        names: vec![name(id)],
        invoice_probes: vec![Probe {
            path: "id".to_owned(),
            field: "ref".to_owned(),
            value: id.to_owned(),
        }],
        ..Lookup::default()
    };
    let mut seen = client.observe(&[lookup]).await.unwrap().remove(0);
    assert_eq!(seen.invoices[0].invoices.len(), 1, "{seen:?}");
    seen.invoices.remove(0).invoices.remove(0)
}

fn pay(id: &str, invoice: Invoice) -> Command {
    Command::PayInvoice(Box::new(PayInvoice {
        names: vec![name(id)],
        amount: pesos(15_990),
        date: "2026-11-22".parse().unwrap(),
        currency: "CLP".to_owned(),
        invoice,
        accepted: Accepted::default(),
    }))
}

async fn paid(client: &Client, id: &str) -> Booking {
    let (invoice, _) = found(client, id).await;
    match perform(client, &pay(id, invoice)).await {
        Outcome::Booked(booking) => booking,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_posted_invoice_is_made_once_found_by_its_reference_and_paid() {
    for series in ALL {
        let (odoo, client) = ready(series).await;
        let invoice = made(&client, &make("in_1", true)).await;
        assert_eq!(invoice, "FAC 000001");
        let written = odoo.counters().rows;
        assert_eq!(written["account.move"], 1, "{series:?}");
        assert_eq!(made(&client, &make("in_1", true)).await, invoice);
        assert_eq!(odoo.counters().rows, written, "{series:?}: made twice");

        let (seen, paid_by) = found(&client, "in_1").await;
        assert_eq!((seen.name.as_deref(), seen.state.as_str()), (Some("FAC 000001"), "posted"));
        assert_eq!((seen.total.as_str(), seen.residual.as_str()), ("15990", "15990"));
        assert!(paid_by.is_empty());
        let booking = paid(&client, "in_1").await;
        assert_eq!(booking.credit.as_deref(), Some("0"));
        assert_eq!(booking.invoices[0].residual, "0");
        let (seen, paid_by) = found(&client, "in_1").await;
        assert_eq!((seen.residual.as_str(), paid_by.len()), ("0", 1), "{series:?}");
        assert_eq!(odoo.payments().len(), 1);
    }
}

#[tokio::test]
async fn a_draft_is_paid_once_somebody_has_posted_it() {
    for series in ALL {
        let (odoo, client) = ready(series).await;
        made(&client, &make("in_1", false)).await;
        let (draft, _) = found(&client, "in_1").await;
        assert_eq!(draft.state, "draft");
        let id: Id = draft.id;
        let changed = perform(&client, &pay("in_1", draft)).await;
        assert!(matches!(changed, Outcome::Changed { .. }), "{changed:?}");
        assert!(odoo.payments().is_empty(), "{series:?}");

        OdooSim::new(&odoo.url()).unwrap().post_draft(id).await.unwrap();
        assert_eq!(paid(&client, "in_1").await.invoices[0].name, "FAC 000001");
        // Another of the same customer, who is not made again.
        assert_eq!(made(&client, &make("in_2", true)).await, "FAC 000002");
        let anas = odoo.look(|tx| tx.ids_where("res.partner", |row| row.text("name") == "Ana"));
        assert_eq!(anas.len(), 1, "{series:?}");
    }
}

#[tokio::test]
async fn nobody_for_whom_it_could_be_is_said_and_nothing_is_made() {
    let (odoo, client) = ready(Series::V19).await;
    let Command::MakeInvoice(mut asked) = make("in_1", true) else { panic!("not an invoice") };
    asked.customer.create = false;
    let outcome = perform(&client, &Command::MakeInvoice(asked)).await;
    assert_eq!(outcome, Outcome::WhoseUnclear { ambiguous: false });
    assert_eq!(odoo.look(|tx| tx.rows("account.move").count()), 0);
}

#[tokio::test]
async fn with_another_text_invoices_wait_and_payments_do_not() {
    let (odoo, client) = ready(Series::V19).await;
    made(&client, &make("in_1", true)).await;
    odoo.edit(|tx| {
        let ours = |row: &Record| row.text("name") == "Concilia: invoice";
        let id = tx.tables().find("ir.actions.server", ours).unwrap().0;
        tx.update("ir.actions.server", id, |row| row.set("code", "action = False"))
    })
    .unwrap();
    client.ping().await.unwrap();
    let differs = Err(OdooError::NotReady(NotReady::ActionDiffers));
    assert_eq!(client.perform(&[make("in_2", true)]).await, differs);
    paid(&client, "in_1").await;
    assert_eq!(odoo.payments().len(), 1);
}
