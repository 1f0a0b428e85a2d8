//! The webhook that is measured with: a paid checkout of about 1 KiB, each with ids of its own.
//!
//! Not here: sending it ([`super::keepalive`], [`super::broker`]).

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use concilia_shared::id::AccountName;
use concilia_shared::webhook::Webhook;
use concilia_worker::domain::interpret::interpret;
use concilia_worker::store::{Arrival, BrokerPosition};
use jiff::Timestamp;

/// The account everything is measured with.
pub const ACCOUNT: &str = "generic";

/// Bytes of a body, about.
const BYTES: usize = 1_024;

/// A number nobody else of this process has.
pub fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The body of `checkout.paid`, as Ventipay writes it, with `evt_` and `chk_` of this number.
pub fn body(number: u64) -> Vec<u8> {
    let mut body = format!(
        r#"{{"data":{{"amount":15990,"currency":"clp","description":"Pedido S{number:08}","disputed":false,"external_id":"S{number:08}","id":"chk_measure{number:08}","items":[{{"name":"Polera","quantity":1,"sku":null,"unit_price":15990}}],"metadata":{{"note":""#
    );
    let tail = format!(
        r#""}},"object":"checkout","refunded":false,"status":"paid"}},"id":"evt_measure{number:08}","live":false,"type":"checkout.paid"}}"#
    );
    let padding = BYTES.saturating_sub(body.len() + tail.len());
    body.extend(std::iter::repeat_n('x', padding));
    body.push_str(&tail);
    body.into_bytes()
}

/// So many new webhooks as they come off the broker, each about a checkout of its own, at
/// places of a broker stream of this name.
pub fn arrivals(count: usize, broker_stream: &str, now: Timestamp) -> anyhow::Result<Vec<Arrival>> {
    let account = AccountName::parse(ACCOUNT).context("the account's name")?;
    let made = (0..count).map(|_| {
        let number = number();
        let webhook = Webhook {
            account: account.clone(),
            signature: format!("t=1767614403,v1={}", "a".repeat(64)),
            received_at: now,
            late_s: None,
            traceparent: None,
            body: body(number),
        };
        let (told, stream) = interpret(&webhook);
        let position = BrokerPosition { stream: broker_stream.to_owned(), sequence: number };
        Arrival { webhook, told, stream, position }
    });
    Ok(made.collect())
}

#[cfg(test)]
mod tests {
    use concilia_worker::domain::event::Fact;

    use super::*;

    #[test]
    fn each_is_a_paid_checkout_of_its_own_of_one_kibibyte() {
        let arrivals = arrivals(2, "B", Timestamp::UNIX_EPOCH).unwrap();
        for arrival in &arrivals {
            assert_eq!(arrival.webhook.body.len(), BYTES);
            assert!(matches!(arrival.told.fact, Fact::CheckoutPaid(_)), "{:?}", arrival.told);
        }
        assert_ne!(arrivals[0].stream, arrivals[1].stream);
        assert_ne!(arrivals[0].told.event_id, arrivals[1].told.event_id);
    }
}
