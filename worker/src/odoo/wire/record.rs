//! What *record* is asked: records of our own, activities, cards; and what came of each.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Told, or_false, read};
use crate::domain::reason::NotReady;
use crate::domain::record::{
    Activity, Amount, Card, CheckoutRecord, Customer, DisputeRecord, Done, EnteredBy, EventRecord,
    FoundBy, Head, Record, Recorded, SubscriptionRecord, is_plain,
};
use crate::odoo::actions;

/// What *record* is asked.
pub(in crate::odoo) fn request(company_id: i64, records: &[Record]) -> Value {
    let items: Vec<Value> = records.iter().map(item).collect();
    json!({"protocol": actions::PROTOCOL, "company_id": company_id, "items": items})
}

fn item(record: &Record) -> Value {
    let mut item = match record {
        Record::Event(event) => event_item(event),
        Record::Checkout(checkout) => checkout_item(checkout),
        Record::Dispute(dispute) => dispute_item(dispute),
        Record::Subscription(subscription) => subscription_item(subscription),
        Record::SubscriptionInvoice(invoice) => json!({
            "kind": "subscription_invoice", "id": invoice.subscription, "account": invoice.account.as_str(),
            "of": invoice.of,
        }),
        Record::Card(card) => card_item(card),
    };
    item["name"] = json!(record.name());
    item
}

fn own(kind: &str, head: &Head, values: &Value) -> Value {
    json!({"kind": kind, "id": head.id, "account": head.account.as_str(), "revision": head.revision, "values": values})
}

fn event_item(event: &EventRecord) -> Value {
    let head = Head {
        id: event.id.as_str().to_owned(),
        account: event.account.clone(),
        revision: event.revision,
    };
    let mode = event.mode.map(|mode| match mode {
        EnteredBy::A => "A",
        EnteredBy::B => "B",
    });
    let mut values = json!({
        "type": event.kind, "status": event.status.as_str(), "mode": optional(mode),
        "result": optional(event.result.as_deref()), "reason": optional(event.reason.as_deref()),
        "live": event.live, "received_at": moment(Some(event.received_at)),
        "console_url": optional(event.console_url.as_deref()),
        "payload": optional(event.payload.as_ref().map(|payload| payload.0.as_str())),
    });
    put_amount(&mut values, event.amount.as_ref());
    let mut item = own("event", &head, &values);
    put_checkout(&mut item, event.checkout.as_ref().map(concilia_shared::id::CheckoutId::as_str));
    item
}

fn checkout_item(checkout: &CheckoutRecord) -> Value {
    let amount = |money: Option<concilia_shared::money::Money>| {
        optional(money.map(concilia_shared::money::Money::to_decimal))
    };
    let values = json!({
        "status": checkout.status.as_str(), "disputed": checkout.disputed, "currency": checkout.currency,
        "amount": amount(checkout.amount), "refunded_amount": amount(checkout.refunded),
        "booked_amount": amount(checkout.booked), "paid_at": moment(checkout.paid_at),
    });
    let item = own("checkout", &checkout.head, &values);
    linked(item, &checkout.of, checkout.customer.as_ref(), &checkout.activities)
}

fn dispute_item(dispute: &DisputeRecord) -> Value {
    let mut values = json!({
        "state": dispute.state.as_str(), "reason": optional(dispute.reason.as_deref()),
        "deadline": moment(dispute.deadline),
    });
    put_amount(&mut values, dispute.amount.as_ref());
    let mut item = own("dispute", &dispute.head, &values);
    put_checkout(&mut item, dispute.checkout.as_ref().map(concilia_shared::id::CheckoutId::as_str));
    linked(item, &dispute.of, dispute.customer.as_ref(), &dispute.activities)
}

fn subscription_item(subscription: &SubscriptionRecord) -> Value {
    let mut values = json!({
        "state": subscription.state.as_str(), "period_start": moment(subscription.period_start),
        "period_end": moment(subscription.period_end), "renewals": subscription.renewals,
        "reason": optional(subscription.reason.as_deref()),
    });
    put_amount(&mut values, subscription.amount.as_ref());
    let item = own("subscription", &subscription.head, &values);
    linked(item, &subscription.of, subscription.customer.as_ref(), &subscription.activities)
}

fn card_item(card: &Card) -> Value {
    json!({
        "kind": "card", "provider_ref": card.id, "last4": card.last4.text(),
        "brand": optional(card.brand.as_deref()), "active": card.active, "customer": customer(&card.customer),
    })
}

/// The payment's names, the customer and what to tell.
fn linked(mut item: Value, of: &[String], of_whom: Option<&Customer>, told: &[Activity]) -> Value {
    item["of"] = json!(of);
    if let Some(whose) = of_whom {
        item["customer"] = customer(whose);
    }
    item["activities"] = told.iter().map(activity).collect();
    item
}

pub(super) fn customer(customer: &Customer) -> Value {
    json!({
        "id": optional(customer.id.as_deref()), "rut": optional(customer.rut.as_ref().map(crate::domain::rut::Rut::as_str)),
        "email": optional(customer.email.as_deref()), "name": optional(customer.name.as_deref()),
        "create": customer.create,
    })
}

fn activity(activity: &Activity) -> Value {
    match activity {
        Activity::Open { key, urgent, summary, note, deadline } => json!({
            "key": key, "open": true, "type": if *urgent { "warning" } else { "todo" },
            "summary": summary, "note": note, "deadline": deadline.to_string(),
        }),
        Activity::Close { summary, note } => {
            json!({"open": false, "summary": optional(summary.as_deref()), "note": note})
        }
    }
}

fn put_amount(values: &mut Value, amount: Option<&Amount>) {
    if let Some(amount) = amount {
        values["amount"] = json!(amount.money.to_decimal());
        values["currency"] = json!(amount.currency);
    }
}

/// A checkout whose id cannot be a name has no record to link.
fn put_checkout(item: &mut Value, checkout: Option<&str>) {
    if let Some(id) = checkout.filter(|id| is_plain("checkout-", id)) {
        item["checkout"] = json!(id);
    }
}

/// Odoo writes what is absent as `false`.
fn optional<T: Into<Value>>(value: Option<T>) -> Value {
    value.map_or(Value::Bool(false), Into::into)
}

/// A moment as Odoo stores one: UTC, in whole seconds.
fn moment(moment: Option<Timestamp>) -> Value {
    optional(moment.map(|moment| moment.strftime("%Y-%m-%d %H:%M:%S").to_string()))
}

/// What *record* answered.
pub(in crate::odoo) fn answer(
    result: Value,
    records: &[Record],
) -> Result<Told<Vec<Recorded>>, NotReady> {
    let told: Answer = read(result, &actions::RECORD)?;
    if told.items.len() != records.len() {
        return Err(NotReady::ActionMissing);
    }
    let items = told.items.into_iter().zip(records);
    Ok(Told {
        database: told.database,
        answer: items.map(|(row, record)| row.into_domain(record)).collect::<Result<_, _>>()?,
    })
}

#[derive(Deserialize)]
struct Answer {
    database: String,
    items: Vec<RecordedRow>,
}

#[derive(Deserialize)]
struct RecordedRow {
    name: String,
    status: String,
    #[serde(deserialize_with = "or_false")]
    why: Option<String>,
    #[serde(deserialize_with = "or_false")]
    detail: Option<String>,
    #[serde(deserialize_with = "or_false")]
    transaction: Option<String>,
    #[serde(deserialize_with = "or_false")]
    customer: Option<String>,
    #[serde(deserialize_with = "or_false")]
    partner: Option<i64>,
    opened: u32,
    closed: u32,
}

impl RecordedRow {
    fn into_domain(self, record: &Record) -> Result<Recorded, NotReady> {
        if self.name != record.name() {
            return Err(NotReady::ActionMissing);
        }
        let customer = match self.customer.as_deref().map(FoundBy::parse) {
            Some(None) => return Err(NotReady::ActionMissing),
            found => found.flatten(),
        };
        let why = self.why.unwrap_or_default();
        Ok(match self.status.as_str() {
            "done" => Recorded::Done(Done {
                transaction: self.transaction,
                customer,
                partner: self.partner,
                opened: self.opened,
                closed: self.closed,
            }),
            "same" => Recorded::Same,
            "changed" => Recorded::Changed { what: why },
            "no_customer" => Recorded::NoCustomer,
            "ambiguous_customer" => Recorded::AmbiguousCustomer,
            "again" => Recorded::Again,
            "refused" if why == "no_models" => Recorded::NoModels,
            "refused" | "failed" => {
                Recorded::Refused { why, detail: self.detail.unwrap_or_default() }
            }
            _ => return Err(NotReady::ActionMissing),
        })
    }
}
