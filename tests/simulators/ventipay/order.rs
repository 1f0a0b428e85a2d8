//! Deliveries that are held and released in a chosen order, and old events told again.

use concilia_shared::signature::SignatureHeader;
use concilia_tests::ventipay::{Deliver, Options, Order, Pay, SimVentipay, Webhook};
use jiff::Timestamp;
use serde_json::Value;

use super::{Receiver, eager, get, secret, start_with};

async fn told_to(receiver: &Receiver) -> SimVentipay {
    let webhook =
        Webhook { url: receiver.url.clone(), secret: secret(), live: false, events: Vec::new() };
    start_with(Options { webhooks: vec![webhook], resend: eager(), ..Options::default() }).await
}

fn arrived(receiver: &Receiver) -> Vec<String> {
    let read = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["id"].clone();
    receiver.got().iter().map(|(_, body)| read(body).as_str().unwrap().to_owned()).collect()
}

/// A checkout created, paid, refunded and disputed: four events, all held.
fn four_held(sim: &SimVentipay) -> Vec<String> {
    sim.hold();
    let paid = sim.pay(&Pay::clp(1000)).unwrap();
    sim.refund(&paid.checkout, Some(100), &Deliver::Registered).unwrap();
    sim.dispute(&paid.checkout, Value::Null, &Deliver::Registered).unwrap();
    let held = sim.held();
    assert_eq!(held.len(), 4);
    held
}

#[tokio::test]
async fn what_is_held_arrives_exactly_in_the_order_it_is_released() {
    for order in [Order::AsHeld, Order::Reversed, Order::Shuffled(7)] {
        let receiver = Receiver::answering(&[]).await;
        let sim = told_to(&receiver).await;
        let held = four_held(&sim);
        assert_eq!(arrived(&receiver), Vec::<String>::new());
        let released = sim.release(&order).await.unwrap();
        assert_eq!(arrived(&receiver), released, "{order:?}");
        match order {
            Order::AsHeld => assert_eq!(released, held),
            Order::Reversed => assert!(released.iter().eq(held.iter().rev())),
            _ => {
                assert_ne!(released, held);
                let (mut all, mut every) = (released.clone(), held.clone());
                all.sort();
                every.sort();
                assert_eq!(all, every);
            }
        }
        for (header, body) in receiver.got() {
            let header = SignatureHeader::parse(&header).unwrap();
            assert_eq!(header.signer(&[secret()], &body), Some(0));
        }
        // Holding has ended.
        sim.pay(&Pay::clp(1)).unwrap();
        receiver.wait_for(6).await;
    }
}

#[tokio::test]
async fn one_that_is_not_taken_keeps_the_next_from_overtaking_it() {
    let receiver = Receiver::answering(&[500, 503]).await;
    let sim = told_to(&receiver).await;
    let held = four_held(&sim);
    sim.release(&Order::AsHeld).await.unwrap();
    let expected = [&held[0], &held[0], &held[0], &held[1], &held[2], &held[3]];
    assert!(arrived(&receiver).iter().eq(expected), "{:?}", arrived(&receiver));
}

#[tokio::test]
async fn named_ones_are_released_as_often_as_named_and_the_rest_is_held_on() {
    let receiver = Receiver::answering(&[]).await;
    let sim = told_to(&receiver).await;
    let held = four_held(&sim);
    let named = vec![held[3].clone(), held[1].clone(), held[3].clone()];
    assert_eq!(sim.release(&Order::Given(named.clone())).await.unwrap(), named);
    assert_eq!(arrived(&receiver), named);
    assert_eq!(sim.held(), [held[0].clone(), held[2].clone()]);
    let gone = Order::Given(vec![held[0].clone(), held[1].clone()]);
    assert!(sim.release(&gone).await.is_err());
    assert_eq!(sim.held().len(), 2, "a refused release takes nothing");
    sim.pay(&Pay::clp(1)).unwrap();
    assert_eq!(sim.held().len(), 4);
}

#[tokio::test]
async fn an_old_event_is_told_again_as_it_was() {
    let receiver = Receiver::answering(&[]).await;
    let sim = told_to(&receiver).await;
    let paid = sim.pay(&Pay::clp(1000).untold()).unwrap();
    sim.refund(&paid.checkout, None, &Deliver::Nowhere).unwrap();
    sim.redeliver(&paid.event, &Deliver::Registered).unwrap();
    let (_, body) = receiver.wait_for(1).await.remove(0);
    assert_eq!(body, sim.body(&paid.event).unwrap());
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&body["type"], &body["data"]["refunded"]),
        (&"checkout.paid".into(), &false.into())
    );
    assert!(sim.redeliver("evt_unknown", &Deliver::Registered).is_err());
}

#[tokio::test]
async fn events_of_all_families_are_recovered_from_a_moment_on() {
    let receiver = Receiver::answering(&[]).await;
    let sim = told_to(&receiver).await;
    let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    sim.set_clock(at("2026-01-05T12:00:00Z")).unwrap();
    let paid = sim.pay(&Pay::clp(1000).untold()).unwrap();
    sim.set_clock(at("2026-02-05T12:00:00Z")).unwrap();
    let refund = sim.refund(&paid.checkout, Some(1), &Deliver::Nowhere).unwrap();
    let dispute = sim.dispute(&paid.checkout, Value::Null, &Deliver::Nowhere).unwrap();
    let (_, page) = get(&sim, "/events?limit=200&created_after=2026-02-05T12:00:00Z").await;
    let ids: Vec<_> = page["data"].as_array().unwrap().iter().map(|event| &event["id"]).collect();
    assert_eq!(ids, [&dispute.events[0], &refund.events[0]]);
    let newest = &page["data"][0];
    assert_eq!(
        (&newest["related_object"], &newest["related_id"]),
        (&"dispute".into(), &dispute.id.into())
    );
    assert_eq!(newest["created_at"], "2026-02-05T12:00:00.000Z");
    let (_, whole) = get(&sim, &format!("/events/{}", refund.events[0])).await;
    assert_eq!(whole["data"]["refunded_amount"], 1);
    sim.set_clock(None).unwrap();
    let (_, checkout) = get(&sim, &format!("/checkouts/{}", paid.checkout)).await;
    assert_eq!(checkout["paid_at"], "2026-01-05T12:00:00.000Z");
}
