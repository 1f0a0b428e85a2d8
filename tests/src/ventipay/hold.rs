//! Holding deliveries back, and releasing them in any chosen order, one after the other: the
//! next one leaves when the one before was taken. So an order of arrival can be had exactly.
//!
//! A shuffle is the same for the same seed and the same things held.

use serde::{Deserialize, Serialize};

use super::delivery::Delivery;
use super::error::ApiError;
use super::world::{Sim, locked};

/// In which order what is held is released.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// As it came to be.
    #[default]
    AsHeld,
    /// The newest first.
    Reversed,
    /// Shuffled with this seed.
    Shuffled(u64),
    /// These events only, in this order, each as often as it is named; the rest is held on.
    Given(Vec<String>),
}

impl Sim {
    /// From now on deliveries wait.
    pub(super) fn hold(&self) {
        locked(&self.outbox.held).get_or_insert_default();
    }

    /// The events that are held, oldest first; one that goes to several addresses several times.
    pub(super) fn held(&self) -> Vec<String> {
        let held = locked(&self.outbox.held);
        held.iter().flatten().map(|delivery| delivery.event.clone()).collect()
    }

    /// Delivers what is held, one after the other, and answers the events in the order they
    /// were delivered. Holding ends, unless only some were named. Fails, with nothing
    /// delivered, if a named one is not held.
    pub(super) async fn release(&self, order: &Order) -> Result<Vec<String>, ApiError> {
        let due = self.due(order)?;
        let mut events = Vec::new();
        for delivery in due {
            events.push(delivery.event.clone());
            self.deliver_until_taken(delivery).await;
        }
        Ok(events)
    }

    fn due(&self, order: &Order) -> Result<Vec<Delivery>, ApiError> {
        let mut held = locked(&self.outbox.held);
        let Order::Given(named) = order else {
            let mut due = held.take().unwrap_or_default();
            match order {
                Order::Reversed => due.reverse(),
                Order::Shuffled(seed) => shuffle(&mut due, *seed),
                Order::AsHeld | Order::Given(_) => {}
            }
            return Ok(due);
        };
        let waiting = held.get_or_insert_default();
        let mut due = Vec::new();
        for event in named {
            let before = due.len();
            due.extend(waiting.iter().filter(|delivery| delivery.event == *event).cloned());
            if due.len() == before {
                return Err(ApiError::not_found("held event"));
            }
        }
        waiting.retain(|delivery| !named.contains(&delivery.event));
        Ok(due)
    }
}

/// Fisher and Yates's shuffle.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        let among = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
        let chosen = usize::try_from(next(&mut state) % among).unwrap_or(0);
        items.swap(last, chosen);
    }
}

/// `SplitMix64`: small, and the same everywhere.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_keeps_all_and_repeats_for_its_seed() {
        let shuffled = |seed| {
            let mut items: Vec<u32> = (0..20).collect();
            shuffle(&mut items, seed);
            items
        };
        assert_eq!(shuffled(7), shuffled(7));
        assert_ne!(shuffled(7), shuffled(8));
        assert_ne!(shuffled(7), (0..20).collect::<Vec<_>>());
        let mut all = shuffled(7);
        all.sort_unstable();
        assert_eq!(all, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn every_order_of_three_can_come_of_it() {
        let orders: std::collections::BTreeSet<Vec<u32>> = (0..100)
            .map(|seed| {
                let mut items = vec![1, 2, 3];
                shuffle(&mut items, seed);
                items
            })
            .collect();
        assert_eq!(orders.len(), 6);
    }
}
