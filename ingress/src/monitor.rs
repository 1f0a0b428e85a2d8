//! The broker's monitoring address: the only place that says how it syncs to disk.
//!
//! Not here: what follows from it ([`crate::judge`]).

use std::fmt;
use std::time::Duration;

use concilia_shared::address::redacted;
use serde::Deserialize;

use crate::judge::Sync;

/// Longest answer read, in bytes; a real one has about 3 KiB.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks one server about itself.
#[derive(Clone)]
pub struct Monitor {
    client: reqwest::Client,
    url: String,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("url", &redacted(&self.url)).finish_non_exhaustive()
    }
}

/// What `/varz` says, as far as it matters here. Seen on nats-server 2.15.1: `sync_always` is
/// there only when it is true; `jetstream.config` only when JetStream is on.
#[derive(Debug, Clone, Deserialize)]
pub struct Varz {
    /// New with every start of the server.
    #[serde(default)]
    pub server_id: String,
    /// Configured, else the same as the id.
    #[serde(default)]
    pub server_name: String,
    #[serde(default)]
    jetstream: JetStream,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct JetStream {
    config: Option<SyncConfig>,
}

#[derive(Debug, Clone, Deserialize)]
struct SyncConfig {
    #[serde(default)]
    sync_always: bool,
    #[serde(default)]
    sync_interval: u64,
}

impl Varz {
    /// How that server syncs.
    pub fn sync(&self) -> Sync {
        match &self.jetstream.config {
            Some(config) if config.sync_always => Sync::Always,
            Some(config) => Sync::Every(config.sync_interval),
            None => Sync::Unproven(format!("server {} has no JetStream", self.server_name)),
        }
    }
}

impl Monitor {
    /// For the monitoring address `url` (`http://host:8222`).
    pub fn new(url: &str) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| format!("no HTTP client can be made: {error}"))?;
        let url = format!("{}/varz", url.trim_end_matches('/'));
        Ok(Self { client, url })
    }

    /// Reads `/varz`, or says in one clause why it cannot be read.
    pub async fn look(&self) -> Result<Varz, String> {
        let shown = redacted(&self.url);
        let failed = |error: reqwest::Error| {
            format!("{shown} does not answer: {}", root(&error.without_url()))
        };
        let mut response = self.client.get(&self.url).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(format!("{shown} answers {}", response.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(format!("{shown} answers too much"));
            }
        }
        serde_json::from_slice(&bytes)
            .map_err(|_| format!("{shown} is not the monitoring address of a NATS server"))
    }
}

/// The innermost cause, which is the one an operator can act on.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sync(text: &str) -> Sync {
        serde_json::from_str::<Varz>(text).unwrap().sync()
    }

    #[tokio::test]
    async fn credentials_in_the_address_are_never_shown() {
        // Another test of this process may have come first: then it is installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = closed.local_addr().unwrap();
        drop(closed);
        let monitor = Monitor::new(&format!("http://user:hidden@{address}")).unwrap();
        let said = monitor.look().await.unwrap_err();
        assert!(said.contains(&format!("http://***@{address}/varz does not answer")), "{said}");
        assert!(!said.contains("hidden") && !format!("{monitor:?}").contains("hidden"), "{said}");
    }

    #[test]
    fn the_sync_setting_is_read_as_the_server_writes_it() {
        assert_eq!(
            sync(
                r#"{"jetstream":{"config":{"sync_interval":120000000000,"sync_always":true,"strict":true}}}"#
            ),
            Sync::Always
        );
        assert_eq!(
            sync(r#"{"jetstream":{"config":{"sync_interval":10000000000,"strict":true}}}"#),
            Sync::Every(10_000_000_000)
        );
        for without in [r#"{"server_name":"n"}"#, r#"{"jetstream":{}}"#] {
            assert!(matches!(sync(without), Sync::Unproven(_)), "{without}");
        }
    }
}
