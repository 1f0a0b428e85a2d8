//! What people see of Ventipay in Odoo: our own records, activities, saved cards, customers.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use concilia_shared::id::{AccountName, EventId};
use concilia_shared::money::{Currency, Money};
use concilia_shared::secret::Secret;
use concilia_worker::domain::record::{
    Activity, Amount, Card, CheckoutRecord, CheckoutStatus, Customer, DisputeRecord, DisputeState,
    Done, EventRecord, EventStatus, FoundBy, Head, Last4, Record, Recorded, SubscriptionRecord,
    SubscriptionState,
};
use concilia_worker::domain::rut::Rut;
use concilia_worker::odoo::Odoo as _;
use concilia_worker::odoo::classify::RpcError;
use concilia_worker::odoo::transport::{Args, Endpoint, Rpc};
use rand::RngExt;
use serde_json::{Value, json};

use super::{Bench, Case, case};
use crate::conformance::expect::{booked, same};

pub(super) const CASES: &[Case] = &[
    case!(
        "record-event",
        event,
        "An event is written, moved on by a newer revision, and never set back by an older one"
    ),
    case!(
        "record-checkout",
        checkout,
        "A checkout is linked to its transaction, payment, order, invoice and customer"
    ),
    case!(
        "record-dispute",
        dispute,
        "A dispute tells every accounting manager once, urgently and in time; decided, it closes"
    ),
    case!(
        "record-subscription",
        subscription,
        "A subscription is linked to its customer and moves on"
    ),
    case!(
        "record-card",
        card,
        "A saved card is kept archived, once, with its last four digits and no other customer's"
    ),
    case!("customer-rut", customer_rut, "A customer is found by RUT however it is written"),
    case!(
        "customer-email",
        customer_email,
        "A customer without a RUT is found by e-mail, in any case"
    ),
    case!("customer-ambiguous", customer_ambiguous, "Two customers of one RUT are nobody"),
    case!(
        "customer-created",
        customer_created,
        "By setting a customer is made, complete for Chile, and found again"
    ),
    case!(
        "models-readable",
        readable,
        "Billing reads our records, in English and in Spanish of Chile, and changes none"
    ),
];

fn head(bench: &Bench, prefix: &str, case: &str, revision: u64) -> Result<Head> {
    let id = bench.object(prefix, case)?.to_string();
    Ok(Head { id, account: account()?, revision })
}

fn account() -> Result<AccountName> {
    AccountName::parse("main").map_err(|_| anyhow!("a literal"))
}

fn pesos(minor: i64) -> Amount {
    Amount { money: Money::new(minor, Currency::Clp), currency: "CLP".to_owned() }
}

async fn write(bench: &Bench, record: Record) -> Result<Recorded> {
    let mut told = bench.client.record(&[record]).await?;
    ensure!(told.len() == 1, "one record was answered by {} rows", told.len());
    Ok(told.remove(0))
}

async fn done(bench: &Bench, record: Record) -> Result<Done> {
    match write(bench, record).await? {
        Recorded::Done(done) => Ok(done),
        other => bail!("it was not written: {other:?}"),
    }
}

/// A record of ours, and its id.
async fn read(bench: &Bench, model: &str, name: &str, fields: &[&str]) -> Result<(i64, Value)> {
    let id = bench.office.ours(name).await?;
    Ok((id, bench.office.read(model, id, fields).await?))
}

/// An event of a case.
fn event_of(
    bench: &Bench,
    case: &str,
    revision: u64,
    status: EventStatus,
    result: &str,
) -> Result<Record> {
    let id = bench.object("evt", case)?;
    Ok(Record::Event(Box::new(EventRecord {
        account: account()?,
        id: EventId::parse(id.as_str()).map_err(|_| anyhow!("an event id"))?,
        revision,
        kind: "checkout.paid".to_owned(),
        status,
        mode: None,
        result: Some(result.to_owned()),
        reason: None,
        live: false,
        received_at: bench.begun,
        checkout: Some(bench.checkout(case)),
        amount: Some(pesos(15_990)),
        console_url: Some("https://concilia.invalid/event".to_owned()),
        payload: None,
    })))
}

/// Something to record, for those who only want to know whether it can be.
pub(super) fn sample(bench: &Bench, case: &str) -> Result<Record> {
    event_of(bench, case, 1, EventStatus::Received, "Received.")
}

async fn event(bench: &Bench) -> Result<()> {
    let first = sample(bench, "record")?;
    let name = first.name();
    done(bench, first.clone()).await?;
    same("the same again", write(bench, first.clone()).await?, Recorded::Same)?;
    let second = event_of(bench, "record", 2, EventStatus::Reconciled, "Booked.")?;
    done(bench, second).await?;
    same("an older one", write(bench, first).await?, Recorded::Same)?;
    let fields = ["x_name", "x_status", "x_result", "x_amount", "x_company_id"];
    let (_, row) = read(bench, "x_ventipay_event", &name, &fields).await?;
    same("status", &row["x_status"], &json!("reconciled"))?;
    same("sentence", &row["x_result"], &json!("Booked."))?;
    same("amount", &row["x_amount"], &json!(15990.0))?;
    same("name", &row["x_name"], &json!(bench.object("evt", "record")?.as_str()))?;
    same("company", &row["x_company_id"][0], &json!(bench.company))
}

async fn checkout(bench: &Bench) -> Result<()> {
    let (order, invoice) = bench.invoiced("shown", 6_100).await?;
    let seen = bench.see_order("shown").await?;
    booked(bench.perform(&bench.book("shown", &seen, 6_100)).await?)?;
    let record = Record::Checkout(Box::new(CheckoutRecord {
        head: Head { id: bench.checkout("shown").to_string(), account: account()?, revision: 1 },
        status: CheckoutStatus::Paid,
        disputed: false,
        currency: "CLP".to_owned(),
        amount: Some(Money::new(6_100, Currency::Clp)),
        refunded: Some(Money::new(0, Currency::Clp)),
        booked: Some(Money::new(6_100, Currency::Clp)),
        paid_at: Some(bench.begun),
        of: vec![bench.payment("shown").to_string()],
        customer: None,
        activities: Vec::new(),
    }));
    let name = record.name();
    done(bench, record).await?;
    let fields = [
        "x_status",
        "x_booked_amount",
        "x_transaction_id",
        "x_payment_id",
        "x_order_id",
        "x_invoice_id",
        "x_partner_id",
    ];
    let (_, row) = read(bench, "x_ventipay_checkout", &name, &fields).await?;
    same(
        "order and invoice",
        (&row["x_order_id"][0], &row["x_invoice_id"][0]),
        (&json!(order), &json!(invoice)),
    )?;
    same("customer", &row["x_partner_id"][0], &json!(bench.partner))?;
    same("what is booked", &row["x_booked_amount"], &json!(6100.0))?;
    ensure!(
        row["x_transaction_id"].is_array() && row["x_payment_id"].is_array(),
        "the payment is not linked: {row}"
    );
    Ok(())
}

async fn dispute(bench: &Bench) -> Result<()> {
    let manager = bench.manager().await?;
    bench.invoiced("disputed", 6_200).await?;
    let seen = bench.see_order("disputed").await?;
    booked(bench.perform(&bench.book("disputed", &seen, 6_200)).await?)?;
    let summary = format!("Dispute {} of 6.200 CLP", bench.run);
    let open = Activity::Open {
        key: "created".to_owned(),
        urgent: true,
        summary: summary.clone(),
        note: "Answer until tomorrow.".to_owned(),
        deadline: bench.today(),
    };
    let at = |revision: u64, state: DisputeState, activities: Vec<Activity>| -> Result<Record> {
        Ok(Record::Dispute(Box::new(DisputeRecord {
            head: head(bench, "dp", "disputed", revision)?,
            state,
            amount: Some(pesos(6_200)),
            reason: Some("fraudulent".to_owned()),
            deadline: Some(bench.begun),
            checkout: Some(bench.checkout("disputed")),
            of: vec![bench.payment("disputed").to_string()],
            customer: None,
            activities,
        })))
    };
    let first = at(1, DisputeState::NeedsResponse, vec![open.clone()])?;
    let name = first.name();
    let told = done(bench, first.clone()).await?;
    ensure!(told.opened >= 1, "nobody was told");
    write(bench, first).await?;
    let fields = ["x_state", "x_transaction_id", "x_invoice_id", "x_amount"];
    let (id, row) = read(bench, "x_ventipay_dispute", &name, &fields).await?;
    ensure!(
        row["x_transaction_id"].is_array() && row["x_invoice_id"].is_array(),
        "it is linked to nothing: {row}"
    );
    let activities = bench.activities("x_ventipay_dispute", id).await?;
    let ours: Vec<&Value> =
        activities.iter().filter(|row| row["user_id"][0] == json!(manager)).collect();
    same("the manager's activities", ours.len(), 1)?;
    same("its day", &ours[0]["date_deadline"], &json!(bench.today().to_string()))?;
    same("its line", &ours[0]["summary"], &json!(summary))?;
    same("the people told", u32::try_from(activities.len())?, told.opened)?;

    let close = Activity::Close { summary: None, note: "Won.".to_owned() };
    let closed = done(bench, at(2, DisputeState::Won, vec![close])?).await?;
    same("the activities closed", closed.closed, told.opened)?;
    let (_, row) = read(bench, "x_ventipay_dispute", &name, &fields).await?;
    same("the state", &row["x_state"], &json!("won"))?;
    same("the activities left", bench.activities("x_ventipay_dispute", id).await?.len(), 0)
}

fn nobody() -> Customer {
    Customer::default()
}

fn subscription_of(bench: &Bench, case: &str, revision: u64, customer: Customer) -> Result<Record> {
    Ok(Record::Subscription(Box::new(SubscriptionRecord {
        head: head(bench, "sub", case, revision)?,
        state: if revision == 1 { SubscriptionState::Active } else { SubscriptionState::Canceled },
        amount: Some(pesos(9_990)),
        period_start: Some(bench.begun),
        period_end: Some(bench.begun),
        renewals: 0,
        reason: None,
        of: Vec::new(),
        customer: Some(customer),
        activities: Vec::new(),
    })))
}

async fn subscription(bench: &Bench) -> Result<()> {
    let (partner, rut) = new_partner(bench, "subscriber", None).await?;
    let customer = Customer { rut: Some(rut), ..nobody() };
    let first = subscription_of(bench, "sub", 1, customer.clone())?;
    let name = first.name();
    let told = done(bench, first).await?;
    same("how it was found", told.customer, Some(FoundBy::Rut))?;
    let fields = ["x_state", "x_partner_id", "x_amount"];
    let (_, row) = read(bench, "x_ventipay_subscription", &name, &fields).await?;
    same(
        "state and customer",
        (&row["x_state"], &row["x_partner_id"][0]),
        (&json!("active"), &json!(partner)),
    )?;
    done(bench, subscription_of(bench, "sub", 2, customer)?).await?;
    let (_, row) = read(bench, "x_ventipay_subscription", &name, &fields).await?;
    same("the state", &row["x_state"], &json!("canceled"))
}

fn card_of(bench: &Bench, case: &str, customer: Customer) -> Result<Record> {
    Ok(Record::Card(Box::new(Card {
        id: bench.object("pm", case)?.to_string(),
        last4: Last4::parse("4242").context("four digits")?,
        brand: Some("Visa".to_owned()),
        active: false,
        customer,
    })))
}

async fn card(bench: &Bench) -> Result<()> {
    let (partner, rut) = new_partner(bench, "holder", None).await?;
    let customer = Customer { rut: Some(rut), ..nobody() };
    let card = card_of(bench, "card", customer)?;
    done(bench, card.clone()).await?;
    same("the same again", write(bench, card).await?, Recorded::Same)?;
    let domain = json!([["provider_ref", "=", bench.object("pm", "card")?.as_str()]]);
    let fields = ["partner_id", "payment_details", "active"];
    let rows = bench.office.rows("payment.token", domain, &fields).await?;
    same("the tokens", rows.len(), 1)?;
    same("its customer", &rows[0]["partner_id"][0], &json!(partner))?;
    same("whether it is offered", &rows[0]["active"], &json!(false))?;
    let details = rows[0]["payment_details"].as_str().unwrap_or_default();
    ensure!(details.contains("4242"), "its digits are {details:?}");
    let (_, other) = new_partner(bench, "thief", None).await?;
    let stolen =
        write(bench, card_of(bench, "card", Customer { rut: Some(other), ..nobody() })?).await?;
    ensure!(
        matches!(stolen, Recorded::Changed { .. }),
        "another customer's card is told {stolen:?}"
    );
    let unknown = card_of(bench, "card-nobody", Customer { rut: Some(new_rut()?), ..nobody() })?;
    same("a card of nobody's", write(bench, unknown).await?, Recorded::NoCustomer)
}

/// A RUT no other run has.
fn new_rut() -> Result<Rut> {
    let digits = rand::rng().random_range(70_000_000..99_999_999_u32);
    let candidates =
        "0123456789K".chars().filter_map(|check| Rut::parse(&format!("{digits}-{check}")));
    candidates.into_iter().next().context("one check digit fits")
}

/// A customer of its own, with a new RUT or the one given.
async fn new_partner(bench: &Bench, case: &str, rut: Option<Rut>) -> Result<(i64, Rut)> {
    let rut = match rut {
        Some(rut) => rut,
        None => new_rut()?,
    };
    let model = bench.office.read(
        "res.partner",
        bench.partner,
        &["country_id", "l10n_latam_identification_type_id"],
    );
    let model = model.await?;
    let values = json!({
        "name": bench.reference(case), "email": format!("{}@concilia.invalid", bench.reference(case)),
        "vat": rut.as_str(), "country_id": model["country_id"][0],
        "l10n_latam_identification_type_id": model["l10n_latam_identification_type_id"][0],
        "l10n_cl_sii_taxpayer_type": "3",
    });
    Ok((bench.office.create("res.partner", values).await?, rut))
}

/// How a customer is found, and who.
async fn found(
    bench: &Bench,
    case: &str,
    customer: Customer,
) -> Result<(Option<FoundBy>, Option<i64>)> {
    let told = done(bench, subscription_of(bench, case, 1, customer)?).await?;
    Ok((told.customer, told.partner))
}

async fn customer_rut(bench: &Bench) -> Result<()> {
    let (partner, rut) = new_partner(bench, "rut", None).await?;
    let (digits, check) = rut.as_str().split_once('-').context("a dash")?;
    let (millions, rest) = digits.split_at(2);
    let (thousands, units) = rest.split_at(3);
    let dotted = format!("{millions}.{thousands}.{units}-{}", check.to_lowercase());
    let bare = format!("{digits}{check}");
    for (case, written) in
        [("rut-dots", dotted), ("rut-bare", bare), ("rut-plain", rut.as_str().to_owned())]
    {
        let rut = Rut::parse(&written).with_context(|| format!("{written} is a RUT"))?;
        // A wrong address beside it does not matter: the RUT comes first.
        let email = Some("somebody.else@concilia.invalid".to_owned());
        let customer = Customer { rut: Some(rut), email, ..nobody() };
        same(&written, found(bench, case, customer).await?, (Some(FoundBy::Rut), Some(partner)))?;
    }
    Ok(())
}

async fn customer_email(bench: &Bench) -> Result<()> {
    let (partner, _) = new_partner(bench, "mail", None).await?;
    let address = format!("{}@Concilia.INVALID", bench.reference("mail").to_uppercase());
    let customer = Customer { email: Some(address), ..nobody() };
    same(
        "who is found",
        found(bench, "mail", customer).await?,
        (Some(FoundBy::Email), Some(partner)),
    )?;
    let customer = Customer {
        email: Some(format!("{}@concilia.invalid", bench.reference("none"))),
        ..nobody()
    };
    same("nobody", found(bench, "mail-none", customer).await?, (Some(FoundBy::None), None))
}

async fn customer_ambiguous(bench: &Bench) -> Result<()> {
    let (_, rut) = new_partner(bench, "twin-a", None).await?;
    new_partner(bench, "twin-b", Some(rut.clone())).await?;
    let customer = Customer { rut: Some(rut), ..nobody() };
    let told = found(bench, "twins", customer.clone()).await?;
    same("who is found", told, (Some(FoundBy::Ambiguous), None))?;
    let card = write(bench, card_of(bench, "card-twins", customer)?).await?;
    same("a card of both", card, Recorded::AmbiguousCustomer)
}

async fn customer_created(bench: &Bench) -> Result<()> {
    let rut = new_rut()?;
    let customer = Customer {
        id: Some(bench.object("cus", "new")?.to_string()),
        rut: Some(rut.clone()),
        email: Some(format!("{}@concilia.invalid", bench.reference("new"))),
        name: Some(bench.reference("new")),
        create: true,
    };
    let (how, partner) = found(bench, "made", customer.clone()).await?;
    same("how", how, Some(FoundBy::Created))?;
    let partner = partner.context("it has no id")?;
    let fields = [
        "vat",
        "l10n_latam_identification_type_id",
        "l10n_cl_sii_taxpayer_type",
        "country_id",
        "name",
    ];
    let row = bench.office.read("res.partner", partner, &fields).await?;
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    same("its RUT", plain(row["vat"].as_str().unwrap_or_default()), plain(rut.as_str()))?;
    same("its taxpayer type", &row["l10n_cl_sii_taxpayer_type"], &json!("3"))?;
    let model = bench.office.read(
        "res.partner",
        bench.partner,
        &["country_id", "l10n_latam_identification_type_id"],
    );
    let model = model.await?;
    same("its country", &row["country_id"][0], &model["country_id"][0])?;
    same(
        "its kind of number",
        &row["l10n_latam_identification_type_id"][0],
        &model["l10n_latam_identification_type_id"][0],
    )?;
    let again = found(bench, "made-again", customer).await?;
    same("who is found", again, (Some(FoundBy::Rut), Some(partner)))?;
    let by_id = Customer { id: Some(bench.object("cus", "new")?.to_string()), ..nobody() };
    same("by our id", found(bench, "made-id", by_id).await?, (Some(FoundBy::Id), Some(partner)))
}

const MODELS: [&str; 4] =
    ["x_ventipay_event", "x_ventipay_checkout", "x_ventipay_dispute", "x_ventipay_subscription"];

async fn readable(bench: &Bench) -> Result<()> {
    let (login, password) = bench.employee("billing", "account", "group_account_invoice").await?;
    let endpoint = Endpoint {
        login,
        key: Secret::new(&password),
        transport: concilia_shared::config::Transport::Jsonrpc,
        ..bench.bot.clone()
    };
    let billing = Rpc::new(endpoint)?;
    let event = bench
        .office
        .rows("x_ventipay_event", json!([["x_company_id", "=", bench.company]]), &["id"])
        .await?;
    for model in MODELS {
        let args = Args::none()
            .with("domain", json!([]))
            .with("fields", json!(["x_name"]))
            .with("limit", 1);
        billing
            .call(model, "search_read", args)
            .await
            .with_context(|| format!("billing reads {model}"))?;
        let values = Args::none().with("vals_list", json!([{"x_name": "x"}]));
        let made = billing.call(model, "create", values).await;
        ensure!(matches!(made, Err(RpcError::Denied { .. })), "billing makes {model}: {made:?}");
    }
    if let Some(id) = event.first().and_then(|row| row["id"].as_i64()) {
        let values = Args::on(&[id]).with("vals", json!({"x_result": "x"}));
        let written = billing.call("x_ventipay_event", "write", values).await;
        ensure!(
            matches!(written, Err(RpcError::Denied { .. })),
            "billing writes an event: {written:?}"
        );
    }
    let label = async |language: &str| -> Result<Value> {
        let args = Args::none()
            .with("allfields", json!(["x_state"]))
            .with("attributes", json!(["string"]));
        let told = billing
            .call("x_ventipay_dispute", "fields_get", args.context("lang", language))
            .await?;
        Ok(told["x_state"]["string"].clone())
    };
    same("the English label", label("en_US").await?, json!("State"))?;
    let spanish = json!([["code", "=", "es_CL"], ["active", "=", true]]);
    if bench.office.rows("res.lang", spanish, &["id"]).await?.is_empty() {
        return Ok(());
    }
    same("the Spanish label", label("es_CL").await?, json!("Estado"))
}
