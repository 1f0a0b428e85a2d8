//! Bytes to facts. Total: whatever was signed becomes an event; what does not read becomes
//! the event that says so, stored raw and parked. There is no error path.
//!
//! Here is the envelope (`ventipay-api.md` 4.3), the stream an event belongs to, and the keys an
//! order is found by; each family of objects has a file of its own, and `read` is how they read
//! fields. Not here: what follows from a fact ([`super::decide`]).

use concilia_shared::broker;
use concilia_shared::id::{AccountName, CheckoutId, EventId, StreamId};
use concilia_shared::webhook::{Webhook, body_hash};
use jiff::Timestamp;
use serde_json::Value;

use super::event::{Source, WebhookReceived};
use super::fact::{DisputeState, Fact, InvoiceState, PaymentResult, SubscriptionState};
use super::reason::Problem;
use super::record::{CardShown, Customer};
use super::strict_json;

mod checkout;

mod dispute;

mod payment;

mod person;

mod read;

mod subscription;

/// Longest event type that is shown, in characters; a longer one is kept only in the bytes.
const TYPE_CHARS_MAX: usize = 64;

/// How the ids of events that were read from the API begin.
const FETCHED: &str = "fetched-";

/// Longest value used to look an order up, in characters: longer than any Odoo reference.
const KEY_CHARS_MAX: usize = 200;

/// What the webhook says, and the stream it belongs to.
pub fn interpret(webhook: &Webhook) -> (WebhookReceived, StreamId) {
    told(webhook, event_id)
}

fn told(webhook: &Webhook, event_id: fn(&Value) -> Option<EventId>) -> (WebhookReceived, StreamId) {
    let hash = webhook.body_hash();
    let envelope = strict_json::read(&webhook.body);
    let named = envelope.as_ref().ok().and_then(event_id);
    let event_id = named.clone().unwrap_or_else(|| unread_id(&hash));
    let fact = match &envelope {
        Err(problem) => Fact::Unreadable { problem: problem.clone() },
        Ok(_) if named.is_none() => missing("id"),
        Ok(envelope) => fact(envelope),
    };
    let stream = stream(&webhook.account, &event_id, envelope.as_ref().ok(), &fact);
    let envelope = envelope.ok();
    let told = WebhookReceived {
        event_id,
        event_type: envelope.as_ref().and_then(event_type),
        live: envelope.as_ref().and_then(live),
        body_hash: hash,
        received_at: webhook.received_at,
        late_s: webhook.late_s,
        fact,
        source: None,
    };
    (told, stream)
}

/// What was read from Ventipay's API and put into an envelope of ours: the same, under an id no
/// webhook may take.
pub fn interpret_fetched(webhook: &Webhook) -> (WebhookReceived, StreamId) {
    let (mut told, stream) = told(webhook, |envelope| {
        let id = envelope.get("id")?.as_str()?;
        EventId::parse(id).ok()
    });
    told.source = Some(Source::Fetched);
    (told, stream)
}

/// The id of the event by which a checkout that was read from the API is admitted.
pub fn fetched_id(checkout: &CheckoutId) -> String {
    format!("{FETCHED}{checkout}")
}

/// A message that is not in the ingress's envelope, as an event: only somebody with access to
/// the broker can make one, and even that is not lost.
pub fn interpret_stray(
    subject: &str,
    body: Vec<u8>,
    received_at: Timestamp,
) -> (Webhook, WebhookReceived, StreamId) {
    let rest = subject.strip_prefix(broker::SUBJECT_PREFIX).unwrap_or_default();
    let account = rest.trim_start_matches('.').split('.').next().unwrap_or_default();
    let account = AccountName::parse(account)
        .or_else(|_| AccountName::parse("unknown"))
        .unwrap_or_else(|_| unreachable!("the name is a literal that parses"));
    let hash = body_hash(&body);
    let event_id = unread_id(&hash);
    let fact = Fact::Unreadable { problem: Problem::Field { path: "envelope".to_owned() } };
    let stream = stream(&account, &event_id, None, &fact);
    let webhook = Webhook {
        account,
        signature: String::new(),
        received_at,
        late_s: None,
        traceparent: None,
        body,
    };
    let told = WebhookReceived {
        event_id,
        event_type: None,
        live: None,
        body_hash: hash,
        received_at,
        late_s: None,
        fact,
        source: None,
    };
    (webhook, told, stream)
}

/// The values an order may be found by, in the order of `paths`, each with its path. Numbers
/// count as text (`ventipay-api.md` section 2, default 17).
pub fn match_keys(body: &[u8], paths: &[String]) -> Vec<(String, String)> {
    let Ok(envelope) = strict_json::read(body) else {
        return Vec::new();
    };
    paths
        .iter()
        .filter_map(|path| {
            let value = path.split('.').try_fold(&envelope["data"], |here, part| here.get(part))?;
            let value = match value {
                Value::String(text) => text.trim().to_owned(),
                Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
                _ => return None,
            };
            let usable = !value.is_empty()
                && value.chars().count() <= KEY_CHARS_MAX
                && !value.chars().any(char::is_control);
            usable.then(|| (path.clone(), value))
        })
        .collect()
}

/// Whom a payload is of, as far as it says: personal data, read when it is needed and kept in no
/// fact.
pub fn customer_of(body: &[u8]) -> Customer {
    strict_json::read(body).map(|envelope| person::customer(&envelope["data"])).unwrap_or_default()
}

/// What a payload shows of a card, as far as it may be kept; `None` without its last four digits.
pub fn card_shown(body: &[u8]) -> Option<CardShown> {
    person::card(&strict_json::read(body).ok()?["data"])
}

fn unread_id(hash: &str) -> EventId {
    EventId::parse(format!("unread-{hash}"))
        .unwrap_or_else(|_| unreachable!("a hash in hexadecimal is a valid id"))
}

fn event_id(envelope: &Value) -> Option<EventId> {
    // A body must not be able to take the name of an unread or a fetched one.
    let own = |id: &&str| !id.starts_with("unread-") && !id.starts_with(FETCHED);
    let id = envelope.get("id")?.as_str().filter(own)?;
    EventId::parse(id).ok()
}

fn event_type(envelope: &Value) -> Option<String> {
    let text = envelope.get("type")?.as_str()?;
    let showable = text.chars().count() <= TYPE_CHARS_MAX && !text.chars().any(char::is_control);
    showable.then(|| text.to_owned())
}

/// `live`, or `livemode` as the CLI also accepts (`ventipay-api.md` 4.3).
fn live(envelope: &Value) -> Option<bool> {
    envelope.get("live").or_else(|| envelope.get("livemode"))?.as_bool()
}

fn fact(envelope: &Value) -> Fact {
    let Some(told) = envelope.get("type").and_then(Value::as_str) else {
        return missing("type");
    };
    let read = of_type(told, &envelope["data"]);
    if read.is_some() && live(envelope).is_none() {
        return missing("live");
    }
    match read {
        None => Fact::Other,
        Some(Ok(fact)) => fact,
        Some(Err(problem)) => Fact::Unreadable { problem },
    }
}

/// The fact of a type we act on; `None` for all others.
fn of_type(told: &str, data: &Value) -> Option<Result<Fact, Problem>> {
    let (family, step) = told.split_once('.')?;
    let result = |word: &str| match word {
        "succeeded" | "captured" => Some(PaymentResult::Succeeded),
        "failed" => Some(PaymentResult::Failed),
        _ => None,
    };
    Some(match (family, step) {
        ("checkout", "paid") => checkout::paid(data).map(Fact::CheckoutPaid),
        ("checkout", "canceled") => checkout::canceled(data).map(Fact::CheckoutCanceled),
        ("checkout", "refunded") => checkout::refunded(data).map(Fact::CheckoutRefunded),
        ("charge", step) => payment::charge(data, result(step)?).map(Fact::PaymentTold),
        // Of no checkout, there is nobody to ask what was refunded.
        ("payment", "refunded") => Ok(Fact::CheckoutRefunded(payment::refunded(data)?)),
        ("payment", step) => payment::payment(data, result(step)?).map(Fact::PaymentTold),
        ("dispute", step) => dispute::told(data, DisputeState::parse(step)?).map(Fact::DisputeTold),
        ("subscription", step) => {
            let state = SubscriptionState::parse(step)?;
            subscription::told(data, state).map(Fact::SubscriptionTold)
        }
        ("invoice", step) => {
            let state = InvoiceState::parse(step)?;
            subscription::invoice(data, state).map(Fact::InvoiceTold)
        }
        ("setup_intent", "succeeded") => subscription::card(data).map(Fact::CardEnrolled),
        _ => return None,
    })
}

fn missing(path: &str) -> Fact {
    Fact::Unreadable { problem: Problem::Field { path: path.to_owned() } }
}

/// What names a checkout belongs to that checkout's stream, `checkout-chk_…`, but for what has a
/// life of its own: `dispute-…`, `subscription-…`, `invoice-…`. A payment without a checkout is
/// `payment-…`, told by whichever family; a charge that names no payment `charge-…`. Another
/// object that names itself is `<object>-<id>`, a body that does not read `unread-<hash>`, else
/// it is `event-<id>`.
fn stream(
    account: &AccountName,
    event: &EventId,
    envelope: Option<&Value>,
    fact: &Fact,
) -> StreamId {
    let object = match fact {
        Fact::CheckoutPaid(paid) => Some(format!("checkout-{}", paid.checkout)),
        Fact::CheckoutCanceled(canceled) => Some(format!("checkout-{}", canceled.checkout)),
        Fact::CheckoutRefunded(refunded) => Some(format!("checkout-{}", refunded.checkout)),
        Fact::PaymentTold(told) => match (&told.checkout, &told.payment, &told.charge) {
            (Some(checkout), _, _) => Some(format!("checkout-{checkout}")),
            (None, Some(payment), _) => Some(format!("payment-{payment}")),
            (None, None, charge) => charge.as_ref().map(|charge| format!("charge-{charge}")),
        },
        Fact::DisputeTold(told) => Some(format!("dispute-{}", told.dispute)),
        Fact::SubscriptionTold(told) => Some(format!("subscription-{}", told.subscription)),
        Fact::InvoiceTold(told) => Some(format!("invoice-{}", told.invoice)),
        Fact::Unreadable { .. } => None,
        Fact::CardEnrolled(_) | Fact::Other => envelope.and_then(object),
    };
    object
        .and_then(|object| StreamId::of(account, &object).ok())
        .or_else(|| match event.as_str() {
            unread if unread.starts_with("unread-") => StreamId::of(account, unread).ok(),
            named => StreamId::of(account, &format!("event-{named}")).ok(),
        })
        .unwrap_or_else(|| {
            // Only an id of the greatest length does not fit with its prefix.
            let hash = body_hash(event.as_str().as_bytes());
            StreamId::of(account, &format!("event-{hash}"))
                .unwrap_or_else(|_| unreachable!("a hash in hexadecimal is a valid stream"))
        })
}

fn object(envelope: &Value) -> Option<String> {
    let (family, _) = envelope.get("type")?.as_str()?.split_once('.')?;
    let word = !family.is_empty() && family.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let id = envelope.get("data")?.get("id")?.as_str().filter(|id| !id.is_empty())?;
    word.then(|| format!("{family}-{id}"))
}

#[cfg(test)]
mod tests {
    use concilia_shared::money::{Currency, Money};

    use super::*;

    fn told(body: &str) -> (WebhookReceived, String) {
        let webhook = Webhook {
            account: AccountName::parse("main").unwrap(),
            signature: "t=1,v1=x".to_owned(),
            received_at: "2026-01-05T12:00:03Z".parse().unwrap(),
            late_s: None,
            traceparent: None,
            body: body.as_bytes().to_vec(),
        };
        let (told, stream) = interpret(&webhook);
        (told, stream.object().to_owned())
    }

    fn paid(data: &str) -> Fact {
        told(&format!(r#"{{"data":{data},"id":"evt_1","live":false,"type":"checkout.paid"}}"#))
            .0
            .fact
    }

    fn field(path: &str) -> Fact {
        Fact::Unreadable { problem: Problem::Field { path: path.to_owned() } }
    }

    #[test]
    fn a_paid_checkout_reads_as_documented() {
        let (told, stream) = told(
            r#"{"data":{"amount":15990,"currency":"clp","disputed":false,"id":"chk_1","paid_at":"2026-01-05T12:00:02.000Z","refunded":false,"status":"paid"},"id":"evt_1","live":false,"type":"checkout.paid"}"#,
        );
        assert_eq!(stream, "checkout-chk_1");
        assert_eq!((told.event_id.as_str(), told.live), ("evt_1", Some(false)));
        let Fact::CheckoutPaid(paid) = told.fact else { panic!("{:?}", told.fact) };
        assert_eq!(paid.amount, Money::new(15_990, Currency::Clp));
        assert_eq!(paid.paid_at, Some("2026-01-05T12:00:02Z".parse().unwrap()));
    }

    #[test]
    fn uf_is_counted_in_ten_thousandths() {
        let Fact::CheckoutPaid(paid) = paid(r#"{"amount":25000,"currency":"CLF","id":"chk_1"}"#)
        else {
            panic!("did not read")
        };
        assert_eq!(paid.amount.to_decimal(), "2.5000");
    }

    #[test]
    fn an_amount_is_a_positive_whole_number_or_nothing() {
        for amount in [
            "0",
            "-1",
            "1.5",
            "15990.0",
            "\"15990\"",
            "99999999999999999999",
            "1000000000000001",
            "null",
            "1e3",
        ] {
            let fact = paid(&format!(r#"{{"amount":{amount},"currency":"clp","id":"chk_1"}}"#));
            assert_eq!(fact, field("data.amount"), "{amount}");
        }
    }

    #[test]
    fn each_field_we_need_is_named_when_it_does_not_read() {
        assert_eq!(paid("null"), field("data.id"));
        assert_eq!(paid(r#"{"amount":1,"currency":"clp","id":"pay_1"}"#), field("data.id"));
        assert_eq!(paid(r#"{"amount":1,"id":"chk_1"}"#), field("data.currency"));
        assert_eq!(
            paid(r#"{"amount":1,"currency":"XYZ","id":"chk_1"}"#),
            Fact::Unreadable { problem: Problem::UnknownCurrency { code: "XYZ".to_owned() } }
        );
        assert_eq!(
            paid(r#"{"amount":1,"currency":"clp","id":"chk_1","refunded":"no"}"#),
            field("data.refunded")
        );
        assert_eq!(
            told(r#"{"data":{"amount":1,"currency":"clp","id":"chk_1"},"id":"evt_1","type":"checkout.paid"}"#)
                .0
                .fact,
            field("live")
        );
    }

    #[test]
    fn a_body_that_names_no_event_is_known_by_its_hash() {
        for body in [
            "",
            "[]",
            "null",
            "{\"id\":7}",
            "{\"id\":\"\"}",
            "{\"id\":\"a\\u0000b\"}",
            "{\"id\":\"unread-x\"}",
        ] {
            let (told, stream) = told(body);
            assert_eq!(told.event_id.as_str(), format!("unread-{}", body_hash(body.as_bytes())));
            assert_eq!(stream, told.event_id.as_str(), "{body}");
            assert!(matches!(told.fact, Fact::Unreadable { .. }), "{body}");
        }
    }

    #[test]
    fn a_type_we_do_not_act_on_is_other_whatever_it_holds() {
        let (event, stream) = told(
            r#"{"data":{"id":"sub_1"},"id":"evt_1","live":true,"type":"subscription.updated"}"#,
        );
        assert_eq!((event.fact, stream.as_str()), (Fact::Other, "subscription-sub_1"));
        let (event, stream) = told(r#"{"id":"evt_2","type":"checkout.hologrammed"}"#);
        assert_eq!((event.fact, stream.as_str()), (Fact::Other, "event-evt_2"));
        let (event, stream) = told(r#"{"data":{"id":"a\u0000b"},"id":"evt_3","type":"a.b"}"#);
        assert_eq!((event.fact, stream.as_str()), (Fact::Other, "event-evt_3"));
    }

    /// Type, data, stream, and the fact as the log writes it.
    #[test]
    fn every_family_of_events_reads_as_far_as_it_is_known() {
        let cases = [
            (
                "checkout.refunded",
                r#"{"id":"chk_1","currency":"clp","refunded_amount":5000,"original_amount":15990}"#,
                "checkout-chk_1",
                r#"{"fact":"checkout_refunded","checkout":"chk_1","refunded":{"minor":5000,"currency":"CLP"}}"#,
            ),
            (
                "checkout.refunded",
                r#"{"id":"chk_1","currency":"clp","amount":15990,"available_for_refund":10990}"#,
                "checkout-chk_1",
                r#"{"fact":"checkout_refunded","checkout":"chk_1","refunded":{"minor":5000,"currency":"CLP"}}"#,
            ),
            (
                "checkout.refunded",
                r#"{"id":"chk_1","currency":"clp","amount":15990,"refunded_amount":null}"#,
                "checkout-chk_1",
                r#"{"fact":"checkout_refunded","checkout":"chk_1"}"#,
            ),
            (
                "payment.refunded",
                r#"{"id":"pay_1","checkout_id":"chk_1","amount":5000,"currency":"clp"}"#,
                "checkout-chk_1",
                r#"{"fact":"checkout_refunded","checkout":"chk_1"}"#,
            ),
            (
                "charge.succeeded",
                r#"{"id":"ch_1","payment_id":"pay_1","amount":100,"currency":"CLP"}"#,
                "payment-pay_1",
                r#"{"fact":"payment_told","result":"succeeded","payment":"pay_1","charge":"ch_1","amount":{"minor":100,"currency":"CLP"}}"#,
            ),
            (
                "charge.failed",
                r#"{"id":"ch_1","failure_message":"no\u0007 funds"}"#,
                "charge-ch_1",
                r#"{"fact":"payment_told","result":"failed","charge":"ch_1","why":"no funds"}"#,
            ),
            (
                "payment.captured",
                r#"{"id":"pay_1","checkout":{"id":"chk_1"},"captured_at":"2026-01-05T12:00:02Z"}"#,
                "checkout-chk_1",
                r#"{"fact":"payment_told","result":"succeeded","checkout":"chk_1","payment":"pay_1","at":"2026-01-05T12:00:02Z"}"#,
            ),
            (
                "dispute.created",
                r#"{"id":"dp_1","checkout_id":"chk_1","amount":100,"currency":"clp","evidence_due_by":"2026-01-12T12:00:00Z","reason":"fraud"}"#,
                "dispute-dp_1",
                r#"{"fact":"dispute_told","dispute":"dp_1","state":"needs_response","checkout":"chk_1","amount":{"minor":100,"currency":"CLP"},"why":"fraud","deadline":"2026-01-12T12:00:00Z"}"#,
            ),
            (
                "subscription.activated",
                r#"{"id":"sub_1","customer_id":"cus_1","current_period_ends_at":"2026-02-05T12:00:00Z"}"#,
                "subscription-sub_1",
                r#"{"fact":"subscription_told","subscription":"sub_1","state":"active","customer":"cus_1","period_end":"2026-02-05T12:00:00Z"}"#,
            ),
            (
                "invoice.paid",
                r#"{"id":"in_1","amount":9990,"currency":"clp","subscription":{"id":"sub_1"},"payment_id":"pay_2"}"#,
                "invoice-in_1",
                r#"{"fact":"invoice_told","invoice":"in_1","state":"paid","amount":{"minor":9990,"currency":"CLP"},"subscription":"sub_1","payment":"pay_2"}"#,
            ),
            (
                "setup_intent.succeeded",
                r#"{"id":"seti_1","payment_method":{"id":"pm_1","last4":"4242"},"customer":{"id":"cus_1","email":"a@b.cl"}}"#,
                "setup_intent-seti_1",
                r#"{"fact":"card_enrolled","setup_intent":"seti_1","payment_method":"pm_1","customer":"cus_1"}"#,
            ),
        ];
        for (kind, data, stream, fact) in cases {
            let (event, of) =
                told(&format!(r#"{{"data":{data},"id":"evt_1","live":false,"type":"{kind}"}}"#));
            assert_eq!(of, stream, "{kind}");
            assert_eq!(serde_json::to_string(&event.fact).unwrap(), fact, "{kind}");
        }
    }

    #[test]
    fn what_must_be_there_is_asked_for_and_what_need_not_asks_for_nothing() {
        let fact = |kind: &str, data: &str| {
            told(&format!(r#"{{"data":{data},"id":"evt_1","live":false,"type":"{kind}"}}"#)).0.fact
        };
        assert_eq!(fact("invoice.paid", r#"{"id":"in_1","currency":"clp"}"#), field("data.amount"));
        assert!(matches!(fact("invoice.open", r#"{"id":"in_1"}"#), Fact::InvoiceTold(_)));
        assert_eq!(fact("dispute.created", "{}"), field("data.id"));
        assert_eq!(fact("dispute.created", r#"{"id":"d p"}"#), field("data.id"));
        for kind in ["payment.created", "payment.authorized", "payment.canceled", "charge.created"]
        {
            assert_eq!(fact(kind, r#"{"id":"x_1"}"#), Fact::Other, "{kind}");
        }
        assert_eq!(fact("payment.refunded", r#"{"id":"pay_1"}"#), Fact::Other);
        let unsure = told(r#"{"data":{"id":"dp_1"},"id":"evt_1","type":"dispute.won"}"#).0.fact;
        assert_eq!(unsure, field("live"));
    }

    #[test]
    fn a_fetched_checkout_is_told_once_under_an_id_no_webhook_may_take() {
        let body = r#"{"data":{"amount":100,"currency":"clp","id":"chk_1"},"id":"fetched-chk_1","live":false,"type":"checkout.paid"}"#;
        let webhook = Webhook {
            account: AccountName::parse("main").unwrap(),
            signature: String::new(),
            received_at: "2026-01-05T12:00:03Z".parse().unwrap(),
            late_s: None,
            traceparent: None,
            body: body.as_bytes().to_vec(),
        };
        let (fetched, stream) = interpret_fetched(&webhook);
        let checkout = CheckoutId::parse("chk_1").unwrap();
        assert_eq!(fetched.event_id.as_str(), fetched_id(&checkout));
        assert_eq!((fetched.source, stream.object()), (Some(Source::Fetched), "checkout-chk_1"));
        assert_eq!(interpret(&webhook).0.fact, field("id"));
    }

    #[test]
    fn the_longest_id_still_has_a_stream() {
        let id = "e".repeat(128);
        let (event, stream) = told(&format!(r#"{{"id":"{id}","type":"a.b"}}"#));
        assert_eq!(event.event_id.as_str(), id);
        assert_eq!(stream, format!("event-{}", body_hash(id.as_bytes())));
    }

    #[test]
    fn match_keys_come_in_the_order_asked_and_numbers_are_text() {
        let paths = ["external_id", "metadata.wp_order_id", "metadata.order_id", "metadata.deep"]
            .map(str::to_owned);
        let body = br#"{"data":{"metadata":{"wp_order_id":1042,"order_id":" 7 ","deep":{"x":1}}}}"#;
        let pair = |path: &str, value: &str| (path.to_owned(), value.to_owned());
        assert_eq!(
            match_keys(body, &paths),
            [pair("metadata.wp_order_id", "1042"), pair("metadata.order_id", "7")]
        );
        let nul = br#"{"data":{"external_id":"a\u0000b"}}"#;
        assert_eq!(match_keys(nul, &paths), []);
        assert_eq!(match_keys(b"\xff", &paths), []);
    }

    #[test]
    fn a_stray_message_is_an_event_too() {
        let at = "2026-01-05T12:00:03Z".parse().unwrap();
        let (webhook, told, stream) = interpret_stray("ventipay.events.shop.x", b"hi".to_vec(), at);
        assert_eq!((webhook.account.as_str(), stream.account()), ("shop", "shop"));
        assert!(matches!(told.fact, Fact::Unreadable { .. }));
        assert_eq!(interpret_stray("elsewhere", vec![], at).0.account.as_str(), "unknown");
    }
}
