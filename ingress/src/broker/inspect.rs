//! One look at the broker: gathers the facts, has them judged, and makes or updates the
//! stream when nothing speaks against it.
//!
//! Not here: what a refusal means for requests ([`super`]).

use async_nats::jetstream::stream::{Config, Info};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ServerInfo};
use concilia_shared::config::Nats;

use crate::judge::{Facts, Refusal, Sync, judge};
use crate::monitor::{Monitor, Varz};
use crate::stream;

/// Looks at one broker again and again.
#[derive(Debug)]
pub(super) struct Inspector {
    client: Client,
    context: Context,
    monitor: Option<Monitor>,
    nats: Nats,
    /// How the run of the server with this id was seen to sync: true as long as it runs.
    seen: Option<(String, Sync)>,
    overridden: Vec<Refusal>,
    /// Whether the stream's limits were made what the configuration says.
    set_up: bool,
}

impl Inspector {
    pub(super) fn new(client: Client, nats: &Nats) -> Result<Self, String> {
        let monitor = nats.monitor_url.as_deref().map(Monitor::new).transpose()?;
        Ok(Self {
            context: jetstream::new(client.clone()),
            client,
            monitor,
            nats: nats.clone(),
            seen: None,
            overridden: Vec::new(),
            set_up: false,
        })
    }

    /// The run of the server that was looked at, and what speaks against it; or why it could
    /// not be looked at.
    pub(super) async fn look(&mut self) -> Result<(String, Vec<Refusal>), String> {
        let server = self.client.server_info();
        let wanted = stream::wanted(&self.nats);
        let mut facts = Facts {
            version: server.version.clone(),
            max_payload: server.max_payload,
            sync: None,
            replicas: self.nats.replicas,
            stream: None,
        };
        // The server first: an old one would answer the request for the stream with riddles.
        let refusals = self.weigh(judge(&facts));
        if !refusals.is_empty() {
            return Ok((server.server_id, refusals));
        }
        let info = stream::look_or_make(&self.context, &wanted).await?;
        facts.sync = Some(self.sync_of_holder(&server, &info).await?);
        facts.stream = Some(info.config.clone());
        let refusals = self.weigh(judge(&facts));
        if refusals.is_empty() {
            self.bring_up_to_date(&info.config, wanted).await?;
        }
        if self.client.server_info().server_id != server.server_id {
            return Err("the connection moved to another server meanwhile".to_owned());
        }
        Ok((server.server_id, refusals))
    }

    /// The stream's guards always; its limits only once. What an operator changes later, to
    /// make room in an emergency, stays.
    async fn bring_up_to_date(&mut self, existing: &Config, wanted: Config) -> Result<(), String> {
        let wanted = if self.set_up {
            Config { max_bytes: existing.max_bytes, max_age: existing.max_age, ..wanted }
        } else {
            wanted
        };
        stream::update(&self.context, existing, &wanted).await?;
        self.set_up = true;
        Ok(())
    }

    /// Applies the override, loudly.
    fn weigh(&mut self, refusals: Vec<Refusal>) -> Vec<Refusal> {
        if !self.nats.accept_unproven_durability {
            return refusals;
        }
        for refusal in refusals {
            if !self.overridden.contains(&refusal) {
                tracing::warn!(%refusal, "accepted by nats.accept_unproven_durability: what is answered 2xx may be lost");
                self.overridden.push(refusal);
            }
        }
        Vec::new()
    }

    /// How the server that holds the stream syncs. In a cluster that need not be the one
    /// this process is connected to.
    async fn sync_of_holder(&mut self, server: &ServerInfo, info: &Info) -> Result<Sync, String> {
        let holder = match &info.cluster {
            None => server.server_name.clone(),
            Some(cluster) => cluster.leader.clone().ok_or("the stream has no leader right now")?,
        };
        let varz = match &self.monitor {
            None => Err("nats.monitor_url is not set".to_owned()),
            Some(monitor) => monitor.look().await,
        };
        let sync = match (varz, &self.seen) {
            (Ok(varz), _) => sync_of(&varz, &holder, server),
            (Err(_), Some((id, sync))) if *id == server.server_id => return Ok(sync.clone()),
            (Err(why), _) => Sync::Unproven(why),
        };
        if holder == server.server_name && !matches!(sync, Sync::Unproven(_)) {
            self.seen = Some((server.server_id.clone(), sync.clone()));
        }
        if self.nats.replicas > 1 && matches!(sync, Sync::Every(_)) {
            tracing::warn!(
                "the broker does not sync always: losing power everywhere at once loses webhooks"
            );
        }
        Ok(sync)
    }
}

/// What the monitoring address says counts only if it belongs to the holder, and, where the
/// holder is the server of this connection, to this very run of it.
fn sync_of(varz: &Varz, holder: &str, server: &ServerInfo) -> Sync {
    let same_run = holder != server.server_name || varz.server_id == server.server_id;
    if varz.server_name == holder && same_run {
        varz.sync()
    } else {
        Sync::Unproven(format!(
            "nats.monitor_url leads to server {}, but the stream is on server {holder}",
            varz.server_name
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varz(id: &str, name: &str) -> Varz {
        serde_json::from_value(serde_json::json!({
            "server_id": id, "server_name": name,
            "jetstream": {"config": {"sync_always": true}}
        }))
        .unwrap()
    }

    #[test]
    fn another_servers_word_proves_nothing() {
        let server = ServerInfo {
            server_id: "run2".to_owned(),
            server_name: "n1".to_owned(),
            ..ServerInfo::default()
        };
        assert_eq!(sync_of(&varz("run2", "n1"), "n1", &server), Sync::Always);
        assert_eq!(
            sync_of(&varz("other", "n2"), "n2", &server),
            Sync::Always,
            "in a cluster the stream may be on another server"
        );
        for (id, name) in [("run1", "n1"), ("other", "n2")] {
            assert!(
                matches!(sync_of(&varz(id, name), "n1", &server), Sync::Unproven(_)),
                "{id} {name}"
            );
        }
    }
}
