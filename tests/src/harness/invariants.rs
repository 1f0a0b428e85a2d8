//! What must hold at the end of every end-to-end test, whatever was done to the processes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use concilia_shared::config;
use concilia_shared::id::StreamId;
use concilia_shared::money::Money;
use concilia_shared::secret::Secret;
use concilia_worker::domain::event::Event;
use concilia_worker::store::{self, EventStore};
use concilia_worker::views;

use super::config::{VENTIPAY_KEY, WEBHOOK_SECRET};
use super::http::{MARKER, Row};
use super::system::{PATIENCE, System};
use super::wait;

/// How long everything may take to come to rest.
const REST: Duration = Duration::from_secs(20);

impl System {
    /// Ends the test: everything is at rest, Odoo holds exactly what the log says, the sums
    /// agree, the processes are well and end when told to, and no log tells a secret.
    pub async fn finish(self) {
        self.finish_with_pending(&[]).await;
    }

    /// The same, with events that are still to wait.
    pub async fn finish_with_pending(mut self, pending: &[&str]) {
        let rows = self.comes_to_rest(pending).await;
        self.everything_is_acknowledged().await;
        self.odoo_holds_what_the_log_says(&rows).await;
        self.the_sums_agree().await;
        self.is_ready().await;
        self.stop_workers().await;
        let ended = self.ingress.process.terminate(PATIENCE).await.expect("the ingress runs");
        assert!(ended.success(), "the ingress ended with {ended}");
        self.logs_tell_no_secret();
    }

    /// Waits until every event but the given ones rests, and nothing else is due.
    async fn comes_to_rest(&self, pending: &[&str]) -> Vec<Row> {
        wait::until("everything to rest", REST, async || {
            let rows = self.events().await;
            let restless: Vec<&Row> = rows
                .iter()
                .filter(|row| !row.is_at_rest())
                .filter(|row| !pending.contains(&row.event_id.as_str()))
                .collect();
            if !restless.is_empty() {
                return Err(format!("{restless:?}"));
            }
            let due = self.log().await.next_due().await.expect("the store answers");
            match due {
                Some(due) if pending.is_empty() => Err(format!("a stream is due at {due}")),
                _ => Ok(rows),
            }
        })
        .await
    }

    /// Waits until the workers acknowledged every message.
    pub async fn everything_is_acknowledged(&self) {
        let mut consumer = self.nats.consumer().await.expect("the consumer is there");
        wait::until("every message to be acknowledged", REST, async || {
            let info = consumer.info().await.map_err(|error| error.to_string())?;
            match (info.num_pending, info.num_ack_pending) {
                (0, 0) => Ok(()),
                waiting => Err(format!("{waiting:?} to be delivered and acknowledged")),
            }
        })
        .await;
    }

    /// Each booking and each refund of the log stands in Odoo once, with its amount, and nothing
    /// else does.
    async fn odoo_holds_what_the_log_says(&self, rows: &[Row]) {
        let mut told = BTreeMap::new();
        for row in rows.iter().filter(|row| row.status == "reconciled") {
            // What these put into Odoo is no payment.
            let others = ["checkout.canceled", "checkout.refunded", "payment.refunded"];
            if row.event_type.as_deref().is_some_and(|told| others.contains(&told)) {
                continue;
            }
            let booking = row.odoo.as_ref().expect("a reconciled event says what is in Odoo");
            let checkout = row.checkout().expect("a payment is of a checkout").to_owned();
            let before = told.insert(checkout, booking.amount);
            assert_eq!(before, None, "{} is reconciled twice", booking.transaction);
        }
        assert_eq!(self.shop.booked(), told, "Odoo and the log differ");

        let mut booked = BTreeSet::new();
        let mut refunded: BTreeMap<String, Money> = BTreeMap::new();
        let log = self.log().await;
        views::follow(log.as_ref(), |recorded| match &recorded.event {
            Event::Booked { booking, .. } => {
                let first = booked.insert(booking.transaction.clone());
                assert!(first, "the log books {} twice", booking.transaction);
            }
            Event::Refunded { refund, .. } => {
                let checkout = recorded.stream.object().trim_start_matches("checkout-").to_owned();
                let none = Money::new(0, refund.amount.currency);
                refunded.entry(checkout).or_insert(none).minor += refund.amount.minor;
            }
            _ => {}
        })
        .await
        .expect("the log reads");
        assert_eq!(self.shop.refunded(), refunded, "Odoo and the log differ in what went back");
        let streams: BTreeSet<&str> = rows.iter().map(|row| row.stream.as_str()).collect();
        for stream in streams {
            let stream = StreamId::parse(stream).expect("a stream's name reads");
            let verified = log.verify(&stream).await.expect("the store answers");
            assert!(verified.is_ok(), "the chain of {stream} is broken: {verified:?}");
        }
    }

    async fn the_sums_agree(&self) {
        let balance = self.operator_json(&["balance", "--json"]).await;
        for sums in balance["currencies"].as_array().expect("a list") {
            assert_eq!(sums["difference"], 0, "{sums}");
        }
    }

    /// Every process says that it is ready.
    pub async fn is_ready(&mut self) {
        for service in self.workers.iter_mut().chain([&mut self.ingress]) {
            assert!(service.process.is_alive(), "a process has died");
            let url = format!("{}/readyz", service.admin_url);
            wait::until("a process to be ready", PATIENCE, async || {
                let answer = self.http.get(&url).send().await.map_err(|error| error.to_string())?;
                let status = answer.status();
                let text = answer.text().await.unwrap_or_default();
                if status.is_success() { Ok(()) } else { Err(text) }
            })
            .await;
        }
    }

    /// The log, read by the test itself.
    pub async fn log(&self) -> std::sync::Arc<dyn EventStore> {
        let config = config::Store {
            url: Secret::new(&self.settings.store),
            connections_max: 2,
            ..config::Store::default()
        };
        store::open(&config).await.expect("the store opens")
    }

    /// No log holds a secret, a signature, or anything of a body.
    fn logs_tell_no_secret(&self) {
        let bot_key = std::fs::read_to_string(&self.settings.odoo_key_file).unwrap_or_default();
        let (_, password) = self.shop.admin();
        let hidden = [
            MARKER,
            "whs_",
            WEBHOOK_SECRET,
            "key_test_",
            VENTIPAY_KEY,
            "v1=",
            password,
            bot_key.trim(),
        ];
        let mut logs = 0;
        for entry in std::fs::read_dir(self.folder.path()).expect("the folder is there") {
            let path = entry.expect("it reads").path();
            if path.extension().is_none_or(|extension| extension != "log") {
                continue;
            }
            logs += 1;
            let text = std::fs::read(&path).expect("the log reads");
            let text = String::from_utf8_lossy(&text);
            for hidden in hidden.iter().filter(|hidden| !hidden.is_empty()) {
                let told = text.lines().find(|line| line.contains(hidden));
                assert_eq!(told, None, "{} tells {hidden:?}", path.display());
            }
        }
        assert!(logs >= 3, "the broker, the ingress and a worker write logs");
    }
}
