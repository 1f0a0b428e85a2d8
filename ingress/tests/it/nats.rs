//! A real nats-server in a folder of its own, on ports nobody else has, that can be stopped,
//! frozen, killed and started again.
//!
//! The binary is the one named by the variable `NATS_SERVER`, else the one `deploy/tools.sh`
//! unpacks into the checkout, else the one on the path.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use concilia_shared::config::Nats;
use serde::Deserialize;
use tempfile::TempDir;

/// Longest wait for something a healthy machine does in a fraction of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

const SYNC_ALWAYS: &str = "always";

pub(crate) struct Server {
    child: Option<Child>,
    folder: TempDir,
    ports: Ports,
    sync: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Ports {
    nats: Vec<String>,
    monitoring: Vec<String>,
}

/// Waits until `look` finds something, or says what was waited for.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited {PATIENCE:?} for {what}");
}

pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(sent.unwrap().success(), "kill {name} {pid}");
}

fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("NATS_SERVER") {
        return named.into();
    }
    let unpacked =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/nats-server-2.15.1/nats-server");
    if unpacked.exists() { unpacked } else { "nats-server".into() }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::syncing(SYNC_ALWAYS).await
    }

    pub(crate) async fn syncing(sync: &str) -> Self {
        let mut server = Self {
            child: None,
            folder: tempfile::tempdir().unwrap(),
            ports: Ports::default(),
            sync: sync.to_owned(),
        };
        server.run().await;
        server
    }

    /// Starts it on the ports it had, or on any.
    async fn run(&mut self) {
        let folder = self.folder.path();
        let port = |urls: &[String]| {
            urls.first().and_then(|url| url.rsplit(':').next()?.parse().ok()).unwrap_or(-1)
        };
        let configuration = format!(
            "listen: \"127.0.0.1:{}\"\nhttp: \"127.0.0.1:{}\"\nports_file_dir: \"{}\"\n\
             jetstream {{ store_dir: \"{}\", sync_interval: {} }}\n",
            port(&self.ports.nats),
            port(&self.ports.monitoring),
            folder.join("ports").display(),
            folder.join("data").display(),
            self.sync,
        );
        let file = folder.join("nats.conf");
        std::fs::write(&file, configuration).unwrap();
        std::fs::create_dir_all(folder.join("ports")).unwrap();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let binary = binary();
        let child = Command::new(&binary)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{} cannot be started ({error}): run deploy/tools.sh nats-server, or name \
                     one in NATS_SERVER",
                    binary.display()
                )
            });
        let name = format!("nats-server_{}.ports", child.id());
        let listed = folder.join("ports").join(name);
        self.child = Some(child);
        let ports = until("nats-server to listen", async || {
            serde_json::from_slice::<Ports>(&std::fs::read(&listed).ok()?).ok()
        });
        self.ports = ports.await;
        until("JetStream", async || {
            let client = async_nats::connect(self.url()).await.ok()?;
            jetstream::new(client).query_account().await.ok()
        })
        .await;
    }

    pub(crate) fn url(&self) -> &str {
        &self.ports.nats[0]
    }

    pub(crate) fn monitor_url(&self) -> &str {
        &self.ports.monitoring[0]
    }

    /// The `[nats]` that leads here.
    pub(crate) fn settings(&self) -> Nats {
        Nats {
            url: self.url().to_owned(),
            monitor_url: Some(self.monitor_url().to_owned()),
            max_bytes: 64 * 1024 * 1024,
            ..Nats::default()
        }
    }

    /// A connection of the test's own.
    pub(crate) async fn jetstream(&self) -> jetstream::Context {
        jetstream::new(async_nats::connect(self.url()).await.unwrap())
    }

    pub(crate) fn freeze(&self) {
        signal(self.child.as_ref().unwrap().id(), "-STOP");
    }

    pub(crate) fn thaw(&self) {
        signal(self.child.as_ref().unwrap().id(), "-CONT");
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts it again after [`Self::kill`]: same data, same ports.
    pub(crate) async fn revive(&mut self) {
        self.run().await;
    }

    /// The same with another `sync_interval`.
    pub(crate) async fn revive_syncing(&mut self, sync: &str) {
        sync.clone_into(&mut self.sync);
        self.run().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may be frozen, or dead already.
            child.kill().ok();
            child.wait().ok();
        }
    }
}
