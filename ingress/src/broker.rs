//! The connection to the broker and the standing verdict on it: may a 2xx be promised?
//!
//! The verdict belongs to one run of one server (its id is new with every start), so that a
//! server restarted with worse settings is not trusted on its predecessor's word. It is
//! looked at again when the connection comes back and every minute.
//!
//! Not here: what is judged ([`crate::judge`]), what is published ([`crate::jetstream`]).

use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use concilia_shared::config::Nats;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::judge::Refusal;
use crate::measure;
use inspect::Inspector;

mod inspect;

/// Name of the connection, as the broker's own tools list it.
const CLIENT_NAME: &str = "concilia-ingress";

/// How often the client makes sure that the server is alive; two missed and it reconnects.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Most messages the client keeps that a stalled server does not take: at the longest, 64 MiB.
const UNSENT_MAX: usize = 256;

/// Longest one look at the broker may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a sound broker is looked at again.
const LOOK_INTERVAL: Duration = Duration::from_mins(1);

/// How often anything else is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// While the broker is waited for, a line this often.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// How soon a lost connection is noticed while a batch is in flight.
const LOST_INTERVAL: Duration = Duration::from_millis(50);

/// May a 2xx be promised on the word of this broker?
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// Not known yet, and why.
    Unknown(String),
    /// Yes, on the word of this run of the server. `doubt`: the last look failed, which takes
    /// nothing back of what was seen of this run before.
    Trusted { server_id: String, doubt: Option<String> },
    /// No.
    Refused(Vec<Refusal>),
}

/// What the rest of the process sees of the broker.
#[derive(Debug)]
pub struct Link {
    client: Client,
    verdict: watch::Receiver<Verdict>,
}

/// A server that may be published to.
#[derive(Debug)]
pub struct Trusted {
    /// The connection.
    pub client: Client,
    server_id: String,
}

impl Trusted {
    /// Whether the connection still leads to the run of the server that was judged.
    pub fn is_still_connected(&self) -> bool {
        is_connected(&self.client) && self.client.server_info().server_id == self.server_id
    }
}

impl Link {
    /// The connection, if it leads to a server that was judged and found sound; else why not.
    pub fn trusted(&self) -> Result<Trusted, String> {
        let server_id = match &*self.verdict.borrow() {
            Verdict::Trusted { server_id, .. } => server_id.clone(),
            Verdict::Unknown(why) => return Err(why.clone()),
            Verdict::Refused(refusals) => return Err(sentences(refusals)),
        };
        let trusted = Trusted { client: self.client.clone(), server_id };
        if trusted.is_still_connected() {
            Ok(trusted)
        } else {
            Err("the broker is not connected, or was not looked at yet".to_owned())
        }
    }

    /// Ready to receive, or why not, in a sentence for an operator.
    pub fn readiness(&self) -> Result<(), String> {
        self.trusted()?;
        match &*self.verdict.borrow() {
            Verdict::Trusted { doubt: Some(why), .. } => {
                Err(format!("the last look at the broker failed: {why}"))
            }
            _ => Ok(()),
        }
    }

    /// Returns when the connection of this moment is gone. It is polled: the client drops
    /// notices when it has too many, and a reply that will never come must be noticed.
    pub async fn lost(&self) {
        let connection = |client: &Client| {
            let info = client.server_info();
            (info.server_id, info.client_id)
        };
        let present = connection(&self.client);
        while is_connected(&self.client) && connection(&self.client) == present {
            sleep(LOST_INTERVAL).await;
        }
    }
}

fn is_connected(client: &Client) -> bool {
    client.connection_state() == State::Connected
}

/// Keeps the verdict current; see [`Broker::watch_over`].
#[derive(Debug)]
pub struct Broker {
    inspector: Inspector,
    verdict: watch::Sender<Verdict>,
    events: Arc<Notify>,
    link: Arc<Link>,
}

/// Why there is no broker to start with.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The configuration cannot work.
    #[error("{0}")]
    Configuration(String),
    /// The broker would lose what it acknowledges.
    #[error(
        "the broker is refused:\n{0}\nTo start all the same, at the risk of losing what was answered 2xx, set \
         nats.accept_unproven_durability = true."
    )]
    Refused(String),
    /// The process was told to stop.
    #[error("stopped while waiting for the broker")]
    Stopped,
}

impl Broker {
    /// Connects and looks at the broker, as long as it takes. Returns once it is trusted.
    pub async fn open(nats: &Nats, stop: &CancellationToken) -> Result<Self, OpenError> {
        tokio::select! {
            () = stop.cancelled() => Err(OpenError::Stopped),
            opened = Self::open_for_ever(nats) => opened,
        }
    }

    async fn open_for_ever(nats: &Nats) -> Result<Self, OpenError> {
        let addresses = addresses(nats)?;
        let mut patience = Patience::default();
        let events = Arc::new(Notify::new());
        let client = loop {
            match options(nats, &events).await?.connect(&addresses).await {
                Ok(client) => break client,
                Err(error) => patience.wait(&error.to_string()).await,
            }
        };
        let (verdict, seen) = watch::channel(Verdict::Unknown("not looked at yet".to_owned()));
        let link = Arc::new(Link { client: client.clone(), verdict: seen });
        let inspector = Inspector::new(client, nats).map_err(OpenError::Configuration)?;
        let mut broker = Self { inspector, verdict, events, link };
        loop {
            broker.look().await;
            let verdict = broker.verdict.borrow().clone();
            match verdict {
                Verdict::Trusted { .. } => return Ok(broker),
                Verdict::Refused(refusals) => {
                    return Err(OpenError::Refused(sentences(&refusals)));
                }
                Verdict::Unknown(why) => patience.wait(&why).await,
            }
        }
    }

    /// What the rest of the process sees of it.
    pub fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }

    /// Looks at the broker whenever the connection changes and every minute, until `stop`.
    pub async fn watch_over(mut self, stop: CancellationToken) {
        let mut looked = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.events.notified() => {}
                () = sleep(RETRY_INTERVAL) => {}
            }
            let sound = self.link.readiness().is_ok();
            if is_connected(&self.link.client) && (!sound || looked.elapsed() >= LOOK_INTERVAL) {
                self.look().await;
                looked = Instant::now();
            }
            measure::broker_ready(self.link.readiness().is_ok());
        }
    }

    async fn look(&mut self) {
        let looked = timeout(LOOK_TIMEOUT, self.inspector.look())
            .await
            .unwrap_or_else(|_| Err("the broker does not answer".to_owned()));
        let before = self.verdict.borrow().clone();
        let after = match looked {
            Ok((server_id, refusals)) if refusals.is_empty() => {
                Verdict::Trusted { server_id, doubt: None }
            }
            Ok((_, refusals)) => Verdict::Refused(refusals),
            Err(why) => match &before {
                Verdict::Trusted { server_id, .. } => {
                    Verdict::Trusted { server_id: server_id.clone(), doubt: Some(why) }
                }
                _ => Verdict::Unknown(why),
            },
        };
        if after != before {
            log_change(&after);
            self.verdict.send_replace(after);
        }
    }
}

fn log_change(verdict: &Verdict) {
    match verdict {
        Verdict::Trusted { server_id, doubt: None } => {
            tracing::info!(server_id, "the broker is trusted");
        }
        Verdict::Trusted { doubt: Some(why), .. } | Verdict::Unknown(why) => {
            tracing::warn!(why, "the broker cannot be looked at");
        }
        Verdict::Refused(refusals) => {
            for refusal in refusals {
                tracing::error!(%refusal, "the broker is refused");
            }
        }
    }
}

fn sentences(refusals: &[Refusal]) -> String {
    let sentences: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    sentences.join("\n")
}

fn addresses(nats: &Nats) -> Result<Vec<ServerAddr>, OpenError> {
    let addresses = nats.addresses().map_err(OpenError::Configuration)?;
    // The address may hold a password: it is not repeated.
    addresses.iter().map(|address| address.parse()).collect::<Result<_, _>>().map_err(|_| {
        OpenError::Configuration("nats.url is not an address; write nats://host:4222.".to_owned())
    })
}

async fn options(nats: &Nats, events: &Arc<Notify>) -> Result<ConnectOptions, OpenError> {
    let options = match &nats.credentials_file {
        None => ConnectOptions::new(),
        Some(path) => ConnectOptions::with_credentials_file(path).await.map_err(|error| {
            OpenError::Configuration(format!(
                "nats.credentials_file {} cannot be read: {error}",
                path.display()
            ))
        })?,
    };
    let events = Arc::clone(events);
    Ok(options
        .name(CLIENT_NAME)
        .ping_interval(PING_INTERVAL)
        .request_timeout(Some(LOOK_TIMEOUT))
        .client_capacity(UNSENT_MAX)
        .reconnect_delay_callback(|attempts| {
            let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
            RETRY_INTERVAL.min(Duration::from_millis(100).saturating_mul(attempts))
        })
        .event_callback(move |event| {
            let events = Arc::clone(&events);
            async move {
                log_event(&event);
                events.notify_one();
            }
        }))
}

fn log_event(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to the broker"),
        Event::Disconnected => tracing::warn!("lost the connection to the broker"),
        other => tracing::debug!(event = %other, "the broker's client"),
    }
}

/// Waits between two tries, and says so now and then.
#[derive(Debug, Default)]
struct Patience {
    logged: Option<Instant>,
}

impl Patience {
    async fn wait(&mut self, why: &str) {
        if self.logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            tracing::warn!(why, "waiting for the broker");
            self.logged = Some(Instant::now());
        }
        sleep(RETRY_INTERVAL).await;
    }
}
