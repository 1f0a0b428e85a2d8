//! Load on the ingress: many connections at once, every answered id remembered.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::http::{Sender, event, signed};
use super::system::System;
use super::wait;

/// Connections at once.
const CONNECTIONS: usize = 16;

/// Most webhooks one connection sends in one run, however little is received.
const SENT_MAX: usize = 500;

/// How long the worker may take for all of it.
const CONSUMED: Duration = Duration::from_mins(1);

/// What was sent and answered so far.
#[derive(Debug, Default)]
pub struct Load {
    sent: AtomicUsize,
    received: Mutex<BTreeSet<String>>,
}

impl Load {
    /// Sends on all connections until `count` more were answered 200; then `break_it`, in the
    /// middle of the sending, which goes on until nothing more is received.
    pub async fn run_until_received(
        &mut self,
        system: &mut System,
        count: usize,
        break_it: impl AsyncFnOnce(&mut System, &Self),
    ) {
        let target = self.count() + count;
        let is_broken = tokio::sync::watch::Sender::new(false);
        let (sender, load) = (system.sender(), &*self);
        let connections = (0..CONNECTIONS).map(|_| {
            let is_broken = is_broken.subscribe();
            let sender = &sender;
            async move {
                for _ in 0..SENT_MAX {
                    let status = load.send_one(sender).await;
                    if status != Some(200) && *is_broken.borrow() {
                        return;
                    }
                }
            }
        });
        let breaker = async {
            wait::until("webhooks to be received", CONSUMED, async || match load.count() {
                received if received >= target => Ok(()),
                received => Err(format!("{received}")),
            })
            .await;
            break_it(system, load).await;
            is_broken.send_replace(true);
        };
        tokio::join!(join_all(connections), breaker);
    }

    /// Waits until every connection has sent something it had not sent before.
    pub async fn goes_on(&self) {
        // One is on its way on each connection, and one more was sent.
        let target = self.sent.load(Ordering::Relaxed) + CONNECTIONS;
        wait::until("more webhooks to be sent", CONSUMED, async || {
            match self.sent.load(Ordering::Relaxed) {
                sent if sent >= target => Ok(()),
                sent => Err(format!("{sent} of {target}")),
            }
        })
        .await;
    }

    /// Sends one; answers the status, if there was an answer.
    pub async fn send_one(&self, sender: &Sender) -> Option<u16> {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let id = format!("evt_load_{number}");
        let body = event(&id, "checkout.created", json!({"id": format!("chk_load_{number}")}));
        let status = sender.post(None, &[&signed(&body, 0)], body).await?.status;
        if status == 200 {
            self.received().insert(id);
        }
        Some(status)
    }

    /// Waits until everything that was answered 200 is in the log.
    pub async fn is_in_the_log(&self, system: &System) {
        wait::until("every 2xx to be in the log", CONSUMED, async || {
            let listed: BTreeSet<String> =
                system.events().await.into_iter().map(|row| row.event_id).collect();
            let missing: Vec<String> = self.received().difference(&listed).cloned().collect();
            if missing.is_empty() {
                return Ok(());
            }
            Err(format!("{} of {} are missing: {missing:?}", missing.len(), self.count()))
        })
        .await;
    }

    fn count(&self) -> usize {
        self.received().len()
    }

    fn received(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
