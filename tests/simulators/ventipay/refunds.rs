//! Refunds: the checkout tells the same sum whichever way it tells it, and never too much.

use concilia_shared::id::CheckoutId;
use concilia_tests::ventipay::{Deliver, Families, Options, Pay, RefundPace, SimVentipay};
use concilia_worker::domain::observe::{AtVentipay, CheckoutNow};
use concilia_worker::ventipay::Ventipay as _;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::{KEY, client, get, put, start, start_with};

const NOBODY: &Deliver = &Deliver::Nowhere;

fn checkout(sim: &SimVentipay, id: &str) -> Value {
    sim.read("checkouts", id).unwrap()
}

async fn as_the_worker_reads(sim: &SimVentipay, id: &str) -> CheckoutNow {
    let answer = client(sim, KEY).checkout(&CheckoutId::parse(id).unwrap()).await.unwrap();
    let AtVentipay::Checkout(now) = answer else { panic!("it reads: {answer:?}") };
    now
}

/// `refunded`, `refunded_amount`, `available_for_refund`.
fn sums(checkout: &Value) -> (bool, i64, i64) {
    (
        checkout["refunded"].as_bool().unwrap(),
        checkout["refunded_amount"].as_i64().unwrap(),
        checkout["available_for_refund"].as_i64().unwrap(),
    )
}

#[tokio::test]
async fn each_part_is_told_with_the_sum_so_far_and_the_whole_at_last() {
    let sim = start().await;
    let id = sim.pay(&Pay::clp(15_990).untold()).unwrap().checkout;
    let told = |made: concilia_tests::ventipay::Made| sim.told(&made.events[0]).unwrap();
    for (part, sum) in [(Some(5000), 5000), (Some(990), 5990), (None, 15_990)] {
        let made = sim.refund(&id, part, NOBODY).unwrap();
        let (event_type, data) = told(made.clone());
        assert_eq!((event_type.as_str(), &data["status"]), ("checkout.refunded", &json!("paid")));
        assert_eq!(sums(&data), (true, sum, 15_990 - sum));
        assert_eq!((&data["amount"], &data["original_amount"]), (&json!(15_990), &json!(15_990)));
        let (_, refund) = get(&sim, &format!("/refunds/{}", made.id)).await;
        assert_eq!((&refund["object"], &refund["status"]), (&json!("refund"), &json!("succeeded")));
        assert_eq!(refund["destination"], "payment_method");
        assert_eq!(
            (&refund["checkout_id"], &refund["settlement_currency"]),
            (&json!(id), &json!("clp"))
        );
    }
    assert!(sim.refund(&id, None, NOBODY).is_err(), "nothing is left");
    let (_, list) = get(&sim, "/refunds?limit=200").await;
    let parts: Vec<i64> =
        list["data"].as_array().unwrap().iter().map(|r| r["amount"].as_i64().unwrap()).collect();
    assert_eq!(parts, [10_000, 990, 5000]);
    assert_eq!(get(&sim, "/payments").await.1["data"][0]["refunded"], true);
}

#[tokio::test]
async fn a_pending_refund_shows_only_when_it_succeeds_but_is_taken_from_the_rest() {
    let sim = start().await;
    let id = sim.pay(&Pay::clp(1000).untold()).unwrap().checkout;
    let first = sim.refund_later(&id, Some(600)).unwrap();
    assert_eq!(first.events, Vec::<String>::new());
    assert_eq!(get(&sim, &format!("/refunds/{}", first.id)).await.1["status"], "pending");
    assert_eq!(sums(&checkout(&sim, &id)), (false, 0, 1000));
    assert!(sim.refund(&id, Some(401), NOBODY).is_err(), "600 are on their way");
    let second = sim.refund_later(&id, None).unwrap();

    let failed = sim.settle_refund(&first.id, false, NOBODY).unwrap();
    assert_eq!(failed.events, Vec::<String>::new());
    assert_eq!(get(&sim, &format!("/refunds/{}", first.id)).await.1["status"], "failed");
    assert_eq!(sums(&checkout(&sim, &id)), (false, 0, 1000));
    let done = sim.settle_refund(&second.id, true, NOBODY).unwrap();
    assert_eq!(sim.told(&done.events[0]).unwrap().0, "checkout.refunded");
    assert_eq!(sums(&checkout(&sim, &id)), (true, 400, 600));
    for settled in [&first.id, &second.id] {
        assert!(sim.settle_refund(settled, true, NOBODY).is_err());
    }
}

#[tokio::test]
async fn over_the_api_a_refund_may_be_pending_too() {
    let refunds = RefundPace::Pending;
    let sim = start_with(Options { refunds, ..Options::default() }).await;
    let id = sim.pay(&Pay::clp(1000).untold()).unwrap().checkout;
    let asked = json!({"amount": 7, "id": "ref_mine", "status": "succeeded"});
    let (status, refund) = put(&sim, &format!("/checkouts/{id}/refund"), asked).await;
    assert_eq!((status, &refund["status"], &refund["amount"]), (200, &json!("pending"), &json!(7)));
    assert_ne!(refund["id"], "ref_mine", "only amount and destination are taken");
    assert_eq!(checkout(&sim, &id)["refunded"], false);
    sim.settle_refund(refund["id"].as_str().unwrap(), true, NOBODY).unwrap();
    assert_eq!(sums(&checkout(&sim, &id)), (true, 7, 993));
    let bad = json!({"amount": 1, "destination": "moon"});
    assert_eq!(put(&sim, &format!("/checkouts/{id}/refund"), bad).await.0, 400);
    assert_eq!(sums(&checkout(&sim, &id)), (true, 7, 993), "a refused one changes nothing");
}

#[tokio::test]
async fn a_payment_that_was_told_is_told_refunded_too() {
    let sim = start().await;
    let paid = sim.pay(&Pay::clp(1000).untold().told_by(Families::ALL)).unwrap();
    let made = sim.refund(&paid.checkout, Some(400), NOBODY).unwrap();
    let (first, payment) = sim.told(&made.events[0]).unwrap();
    assert_eq!((first.as_str(), &payment["refunded"]), ("payment.refunded", &json!(true)));
    assert_eq!(sim.told(&made.events[1]).unwrap().0, "checkout.refunded");
    let other = sim.pay(&Pay::clp(1000).untold()).unwrap();
    assert_eq!(sim.refund(&other.checkout, None, NOBODY).unwrap().events.len(), 1);
}

#[tokio::test]
async fn a_checkout_may_tell_the_sum_one_way_the_other_or_not_at_all() {
    let sim = start().await;
    for (hidden, sum) in [
        (&[][..], Some(5000)),
        (&["refunded_amount"][..], Some(5000)),
        (&["refunded_amount", "original_amount", "refunded"], Some(5000)),
        (&["available_for_refund"], Some(5000)),
        (&["refunded_amount", "available_for_refund"], None),
    ] {
        let id = sim.pay(&Pay::clp(15_990).untold()).unwrap().checkout;
        sim.hide(&id, hidden).unwrap();
        let made = sim.refund(&id, Some(5000), NOBODY).unwrap();
        let (_, told) = sim.told(&made.events[0]).unwrap();
        let shown = checkout(&sim, &id);
        for field in hidden {
            assert_eq!((told.get(field), shown.get(field)), (None, None), "{field}");
        }
        let now = as_the_worker_reads(&sim, &id).await;
        assert_eq!(now.refunded_amount.map(|sum| sum.minor), sum, "{hidden:?}");
        assert!(now.payment_id.is_some_and(|id| id.starts_with("pay_")));
    }
}

#[derive(Debug, Clone)]
enum Act {
    Refund(i64),
    Later(i64),
    Settle(usize, bool),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (0..700_i64).prop_map(Act::Refund),
        (0..700_i64).prop_map(Act::Later),
        (0..8_usize, any::<bool>()).prop_map(|(which, succeeds)| Act::Settle(which, succeeds)),
    ];
    proptest::collection::vec(act, 0..16)
}

/// Whatever is asked: never more than was paid, and the sum is that of the parts.
#[tokio::test]
async fn refunds_never_exceed_the_amount_and_the_sum_is_that_of_the_parts() {
    let sim = start().await;
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let holds = TestRunner::new(config).run(&acts(), |acts| {
        let id = sim.pay(&Pay::clp(1000).untold()).unwrap().checkout;
        let (mut sum, mut done, mut pending) = (0, Vec::new(), Vec::new());
        for act in acts {
            let under_way: i64 = pending.iter().map(|(_, part)| part).sum();
            let fits = |part: i64| part > 0 && sum + under_way + part <= 1000;
            match act {
                Act::Refund(part) => {
                    let made = sim.refund(&id, Some(part), NOBODY);
                    prop_assert_eq!(
                        made.is_ok(),
                        fits(part),
                        "{} of {} and {}",
                        part,
                        sum,
                        under_way
                    );
                    if let Ok(made) = made {
                        sum += part;
                        let (_, told) = sim.told(&made.events[0]).unwrap();
                        prop_assert_eq!(sums(&told), (true, sum, 1000 - sum));
                        done.push(made.id);
                    }
                }
                Act::Later(part) => {
                    let made = sim.refund_later(&id, Some(part));
                    prop_assert_eq!(
                        made.is_ok(),
                        fits(part),
                        "{} of {} and {}",
                        part,
                        sum,
                        under_way
                    );
                    pending.extend(made.map(|made| (made.id, part)));
                }
                Act::Settle(which, succeeds) if which < pending.len() => {
                    let (refund, part) = pending.remove(which);
                    sim.settle_refund(&refund, succeeds, NOBODY).unwrap();
                    if succeeds {
                        sum += part;
                        done.push(refund);
                    }
                }
                Act::Settle(..) => {}
            }
            prop_assert_eq!(sums(&checkout(&sim, &id)), (sum > 0, sum, 1000 - sum));
        }
        let part = |id: &String| sim.read("refunds", id).unwrap()["amount"].as_i64().unwrap();
        prop_assert_eq!(done.iter().map(part).sum::<i64>(), sum);
        Ok(())
    });
    holds.unwrap();
}
