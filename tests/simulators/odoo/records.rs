//! What the worker shows people in Odoo, from the set-up to what they read, on every series.

use concilia_shared::config::Transport;
use concilia_shared::id::{AccountName, CheckoutId, EventId};
use concilia_shared::money::{Currency, Money};
use concilia_tests::odoo::{Series, SimOdoo, SimOdooOptions, seed};
use concilia_worker::domain::reason::NotReady;
use concilia_worker::domain::record::{
    Activity, Amount, Card, CheckoutRecord, CheckoutStatus, Customer, DisputeRecord, DisputeState,
    EnteredBy, EventRecord, EventStatus, FoundBy, Head, Last4, Payload, Record, Recorded,
    SubscriptionRecord, SubscriptionState,
};
use concilia_worker::domain::rut::Rut;
use concilia_worker::odoo::client::Client;
use concilia_worker::odoo::transport::{Args, Rpc};
use concilia_worker::odoo::{Odoo, OdooError};
use serde_json::{Value as Json, json};

use super::worker::{endpoint, set_up};

fn head(id: &str, revision: u64) -> Head {
    Head { id: id.to_owned(), account: AccountName::parse("main").unwrap(), revision }
}

fn clp(minor: i64) -> Amount {
    Amount { money: Money::new(minor, Currency::Clp), currency: "CLP".to_owned() }
}

fn event(n: usize, revision: u64, status: EventStatus) -> Record {
    Record::Event(Box::new(EventRecord {
        account: AccountName::parse("main").unwrap(),
        id: EventId::parse(format!("evt_{n}")).unwrap(),
        revision,
        kind: "checkout.paid".to_owned(),
        status,
        mode: Some(if n.is_multiple_of(2) { EnteredBy::A } else { EnteredBy::B }),
        result: Some("Booked on S00042.".to_owned()),
        reason: Some("paid".to_owned()),
        live: true,
        received_at: "2026-11-22T15:00:00Z".parse().unwrap(),
        checkout: Some(CheckoutId::parse("chk_1").unwrap()),
        amount: Some(clp(15_990)),
        console_url: Some("https://concilia.example/evt".to_owned()),
        payload: Some(Payload("{}".to_owned())),
    }))
}

fn checkout(revision: u64, status: CheckoutStatus) -> Record {
    let pesos = |minor| Some(Money::new(minor, Currency::Clp));
    Record::Checkout(Box::new(CheckoutRecord {
        head: head("chk_1", revision),
        status,
        disputed: true,
        currency: "CLP".to_owned(),
        amount: pesos(15_990),
        refunded: pesos(5_000),
        booked: pesos(10_990),
        paid_at: Some("2026-11-22T15:00:00Z".parse().unwrap()),
        of: vec!["chk_1".to_owned()],
        customer: None,
        activities: Vec::new(),
    }))
}

fn dispute(revision: u64, state: DisputeState, activities: Vec<Activity>) -> Record {
    Record::Dispute(Box::new(DisputeRecord {
        head: head("dp_1", revision),
        state,
        amount: Some(clp(15_990)),
        reason: Some("fraudulent".to_owned()),
        deadline: Some("2026-12-01T15:00:00Z".parse().unwrap()),
        checkout: Some(CheckoutId::parse("chk_1").unwrap()),
        of: vec!["chk_1".to_owned()],
        customer: None,
        activities,
    }))
}

fn subscription(revision: u64, state: SubscriptionState) -> Record {
    Record::Subscription(Box::new(SubscriptionRecord {
        head: head("sub_1", revision),
        state,
        amount: Some(clp(9_990)),
        period_start: Some("2026-11-01T03:00:00Z".parse().unwrap()),
        period_end: Some("2026-12-01T03:00:00Z".parse().unwrap()),
        renewals: 2,
        reason: Some("requested".to_owned()),
        of: Vec::new(),
        customer: Some(ana(true)),
        activities: Vec::new(),
    }))
}

fn ana(create: bool) -> Customer {
    Customer {
        id: Some("cus_1".to_owned()),
        rut: Rut::parse("11.111.111-1"),
        email: Some("ana@example.com".to_owned()),
        name: Some("Ana".to_owned()),
        create,
    }
}

fn card(customer: Customer) -> Record {
    Record::Card(Box::new(Card {
        id: "pm_1".to_owned(),
        last4: Last4::parse("4242").unwrap(),
        brand: Some("Visa".to_owned()),
        active: false,
        customer,
    }))
}

fn asked(summary: &str) -> Activity {
    Activity::Open {
        key: "asked".to_owned(),
        urgent: true,
        summary: summary.to_owned(),
        note: "Amount: 15990 CLP".to_owned(),
        deadline: "2026-11-24".parse().unwrap(),
    }
}

async fn ready(series: Series) -> (SimOdoo, Client, Rpc) {
    let odoo = SimOdoo::start(SimOdooOptions::new(series)).await.unwrap();
    set_up(&odoo, Transport::Auto).await;
    assert!(odoo.add_key("concilia", "bot-key"));
    let bot = endpoint(&odoo, Transport::Auto, "concilia", "bot-key");
    let admin = Rpc::new(endpoint(&odoo, Transport::Auto, "admin", "admin-key")).unwrap();
    let client = Client::new(bot, seed::COMPANY).unwrap();
    (odoo, client, admin)
}

async fn shown(admin: &Rpc, kind: &str, fields: &[&str]) -> Vec<Json> {
    let args = Args::none().with("domain", json!([])).with("fields", json!(fields));
    let told = admin.call(&format!("x_ventipay_{kind}"), "search_read", args).await.unwrap();
    told.as_array().unwrap().clone()
}

#[tokio::test]
async fn what_is_recorded_is_what_people_read() {
    for series in [Series::V17, Series::V18, Series::V19] {
        let (odoo, client, admin) = ready(series).await;
        let all = [
            event(1, 1, EventStatus::Reconciled),
            checkout(1, CheckoutStatus::PartiallyRefunded),
            dispute(1, DisputeState::NeedsResponse, vec![asked("Answer it")]),
            subscription(1, SubscriptionState::Active),
            card(ana(false)),
        ];
        let told = client.record(&all).await.unwrap();
        let done: Vec<_> = told
            .iter()
            .map(|one| match one {
                Recorded::Done(done) => (done.customer, done.opened),
                other => panic!("{series:?}: {other:?}"),
            })
            .collect();
        let expected =
            [(None, 0), (None, 0), (None, 1), (Some(FoundBy::Created), 0), (Some(FoundBy::Rut), 0)];
        assert_eq!(done, expected, "{series:?}");
        let again = client.record(&all).await.unwrap();
        assert_eq!(again, vec![Recorded::Same; 5], "{series:?}");
        let fields = [
            "x_name",
            "x_type",
            "x_status",
            "x_mode",
            "x_amount",
            "x_currency_id",
            "x_checkout_id",
            "x_live",
        ];
        let rows = shown(&admin, "event", &fields).await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0]["x_status"], "reconciled");
        assert_eq!((&rows[0]["x_amount"], &rows[0]["x_live"]), (&json!(15990.0), &json!(true)));
        assert_eq!(rows[0]["x_currency_id"][1], "CLP");
        assert_eq!(rows[0]["x_checkout_id"][1], "chk_1");
        let rows =
            shown(&admin, "checkout", &["x_refunded_amount", "x_paid_at", "x_disputed"]).await;
        assert_eq!(rows[0]["x_refunded_amount"], json!(5000.0));
        assert_eq!(rows[0]["x_paid_at"], "2026-11-22 15:00:00");
        let rows =
            shown(&admin, "subscription", &["x_partner_id", "x_renewals", "x_invoice_ids"]).await;
        assert_eq!(
            (&rows[0]["x_partner_id"][1], &rows[0]["x_renewals"]),
            (&json!("Ana"), &json!(2))
        );
        let tokens = odoo.look(|tx| tx.rows("payment.token").count());
        assert_eq!(tokens, 1);
    }
}

#[tokio::test]
async fn every_word_of_ours_is_one_of_the_set_up_s() {
    let (_odoo, client, _) = ready(Series::V19).await;
    for (revision, status) in (1..).zip(EventStatus::ALL) {
        let told = client.record(&[event(1, revision, *status)]).await.unwrap();
        assert!(matches!(&told[0], Recorded::Done(_)), "{status:?}: {told:?}");
    }
    for (revision, status) in (1..).zip(CheckoutStatus::ALL) {
        let told = client.record(&[checkout(revision, *status)]).await.unwrap();
        assert!(matches!(&told[0], Recorded::Done(_)), "{status:?}: {told:?}");
    }
    for (revision, state) in (1..).zip(DisputeState::ALL) {
        let told = client.record(&[dispute(revision, *state, Vec::new())]).await.unwrap();
        assert!(matches!(&told[0], Recorded::Done(_)), "{state:?}: {told:?}");
    }
    for (revision, state) in (1..).zip(SubscriptionState::ALL) {
        let told = client.record(&[subscription(revision, *state)]).await.unwrap();
        assert!(matches!(&told[0], Recorded::Done(_)), "{state:?}: {told:?}");
    }
}

#[tokio::test]
async fn eight_callers_of_one_record_leave_one_and_tell_people_once() {
    for series in [Series::V17, Series::V19] {
        let (odoo, client, _) = ready(series).await;
        client.ping().await.unwrap();
        let call = |revision| {
            let client = &client;
            async move {
                let item = dispute(revision, DisputeState::NeedsResponse, vec![asked("Answer it")]);
                client.record(&[item]).await.unwrap().remove(0)
            }
        };
        let told = futures_util::future::join_all((1..=8).map(call)).await;
        let opened: u32 = told
            .iter()
            .map(|one| match one {
                Recorded::Done(done) => done.opened,
                Recorded::Same => 0,
                other => panic!("{series:?}: {other:?}"),
            })
            .sum();
        assert_eq!(opened, 1, "{series:?}: {told:?}");
        let held = odoo.look(|tx| {
            let revisions: Vec<i64> =
                tx.rows("x_ventipay_dispute").map(|(_, row)| row.int("x_revision")).collect();
            (revisions, tx.rows("mail.activity").count())
        });
        assert_eq!(held, (vec![8], 1), "{series:?}");
    }
}

#[tokio::test]
async fn without_models_or_with_another_text_records_wait_and_booking_does_not() {
    let (odoo, client, _) = ready(Series::V19).await;
    let find = |kind: &str| {
        let model = format!("x_ventipay_{kind}");
        odoo.look(|tx| tx.tables().find("ir.model", |row| row.text("model") == model).unwrap().0)
    };
    let model = find("event");
    odoo.edit(|tx| tx.delete("ir.model", model)).unwrap();
    let told = client.record(&[event(1, 1, EventStatus::Received)]).await.unwrap();
    assert_eq!(told, [Recorded::NoModels]);
    odoo.edit(|tx| {
        let ours =
            |row: &concilia_tests::odoo::value::Record| row.text("name") == "Concilia: record";
        let id = tx.tables().find("ir.actions.server", ours).unwrap().0;
        tx.update("ir.actions.server", id, |row| row.set("code", "action = False"))
    })
    .unwrap();
    client.ping().await.unwrap();
    let differs = Err(OdooError::NotReady(NotReady::ActionDiffers));
    assert_eq!(client.record(&[event(1, 1, EventStatus::Received)]).await, differs);
}
