//! The process itself: start, signals, the second port, and the promise under `kill -9`.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use concilia_ingress::measure;
use concilia_shared::secret::Secret;
use concilia_shared::signature::{SIGNATURE_HEADER, sign};
use reqwest::StatusCode;
use tempfile::TempDir;

use crate::fixtures::SECRET;
use crate::nats::{PATIENCE, Server, signal, until};
use crate::publishing::stored;
use crate::streams::install_tls;

const BINARY: &str = env!("CARGO_BIN_EXE_concilia-ingress");

struct Process {
    child: Child,
    config: PathBuf,
    public: String,
    admin: String,
    log: Arc<Mutex<String>>,
    client: reqwest::Client,
    _folder: TempDir,
}

fn configuration(server: &Server, accounts: &str) -> String {
    format!(
        "[nats]\nurl = \"{}\"\nmonitor_url = \"{}\"\nmax_bytes = 67108864\n\
         [ingress]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
         publish_deadline_ms = 1500\n{accounts}",
        server.url(),
        server.monitor_url()
    )
}

fn account(secrets: &str) -> String {
    format!("[accounts.main]\nenvironment = \"test\"\nwebhook_secrets = [{secrets}]\n")
}

/// Without the variables of whoever runs the tests.
fn command() -> Command {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CONCILIA_") {
            command.env_remove(name);
        }
    }
    command
}

impl Process {
    async fn start(server: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("concilia.toml");
        let accounts = account(&format!("\"{SECRET}\""));
        std::fs::write(&config, configuration(server, &accounts)).unwrap();
        install_tls();
        let mut child = command()
            .arg("--config")
            .arg(&config)
            .env("CONCILIA_LOG", "debug")
            .env("CONCILIA_LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (log, listening) = follow(child.stderr.take().unwrap());
        let line = tokio::task::spawn_blocking(move || listening.recv_timeout(PATIENCE));
        let line = line.await.unwrap().unwrap_or_else(|_| {
            panic!("it does not listen:\n{}", log.lock().unwrap());
        });
        let address = |name: &str| format!("http://{}", line[name].as_str().unwrap());
        Self {
            child,
            config,
            public: address("public"),
            admin: address("admin"),
            log,
            client: reqwest::Client::builder().timeout(PATIENCE).build().unwrap(),
            _folder: folder,
        }
    }

    fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Posts a body signed now; `None` when the connection fails.
    async fn post(&self, secret: &str, body: String) -> Option<StatusCode> {
        post(&self.client, &self.public, secret, body).await
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = self.client.get(format!("{}{path}", self.admin)).send().await;
        let answer = answer.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn exit_code(mut self) -> Option<i32> {
        until("the process to end", async || self.child.try_wait().unwrap()).await.code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Keeps the log, and hands over the line that says where it listens.
fn follow(
    stderr: impl Read + Send + 'static,
) -> (Arc<Mutex<String>>, mpsc::Receiver<serde_json::Value>) {
    let log = Arc::new(Mutex::new(String::new()));
    let (found, listening) = mpsc::channel();
    let kept = log.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let parsed = serde_json::from_str::<serde_json::Value>(&line).unwrap_or_default();
            if parsed["message"] == "listening" {
                found.send(parsed).ok();
            }
            let mut kept = kept.lock().unwrap();
            kept.push_str(&line);
            kept.push('\n');
        }
    });
    (log, listening)
}

async fn post(
    client: &reqwest::Client,
    public: &str,
    secret: &str,
    body: String,
) -> Option<StatusCode> {
    let now_s = concilia_ingress::clock::system().as_second();
    let signature = sign(&Secret::new(secret), now_s, body.as_bytes());
    let sent = client
        .post(format!("{public}/ventipay/webhook"))
        .header(SIGNATURE_HEADER, signature)
        .body(body)
        .send()
        .await;
    Some(sent.ok()?.status())
}

fn body(number: usize) -> String {
    format!(r#"{{"id":"evt_{number}","type":"checkout.paid","data":{{"card":"4111hidden"}}}}"#)
}

/// Senders that post until told otherwise, and the numbers of what was answered 200.
async fn under_load<T>(
    process: &mut Process,
    act: impl AsyncFnOnce(&mut Process) -> T,
) -> (T, Vec<usize>) {
    let confirmed = Arc::new(Mutex::new(Vec::new()));
    let senders: Vec<_> = (0..16)
        .map(|sender| {
            let (confirmed, client) = (confirmed.clone(), process.client.clone());
            let public = process.public.clone();
            tokio::spawn(async move {
                for number in (sender * 1_000_000).. {
                    match post(&client, &public, SECRET, body(number)).await {
                        Some(StatusCode::OK) => confirmed.lock().unwrap().push(number),
                        Some(StatusCode::SERVICE_UNAVAILABLE) => {}
                        Some(other) => panic!("{other}"),
                        None => return,
                    }
                }
            })
        })
        .collect();
    until("some to be confirmed", async || (confirmed.lock().unwrap().len() > 200).then_some(()))
        .await;
    let outcome = act(process).await;
    for sender in senders {
        sender.await.unwrap();
    }
    let confirmed = confirmed.lock().unwrap().clone();
    (outcome, confirmed)
}

async fn all_are_stored(server: &Server, confirmed: &[usize]) {
    let kept: std::collections::HashSet<Vec<u8>> =
        stored(server).await.into_iter().map(|webhook| webhook.body).collect();
    for number in confirmed {
        assert!(kept.contains(body(*number).as_bytes()), "evt_{number} was confirmed and is lost");
    }
}

#[tokio::test]
async fn every_200_is_in_the_stream_after_kill_9() {
    let server = Server::start().await;
    let mut process = Process::start(&server).await;
    let ((), confirmed) = under_load(&mut process, async |process: &mut Process| {
        process.child.kill().unwrap();
    })
    .await;
    all_are_stored(&server, &confirmed).await;
}

#[tokio::test]
async fn sigterm_under_load_finishes_what_is_in_flight_and_exits_0() {
    let server = Server::start().await;
    let mut process = Process::start(&server).await;
    let ((), confirmed) = under_load(&mut process, async |process: &mut Process| {
        process.signal("-TERM");
    })
    .await;
    assert_eq!(process.exit_code().await, Some(0));
    all_are_stored(&server, &confirmed).await;
}

#[tokio::test]
async fn sigterm_while_waiting_for_the_broker_exits_0() {
    let mut server = Server::start().await;
    server.kill();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("concilia.toml");
    std::fs::write(&config, configuration(&server, &account("\"whs_x\""))).unwrap();
    let mut child = command().arg("--config").arg(&config).stderr(Stdio::piped()).spawn().unwrap();
    let (log, _) = follow(child.stderr.take().unwrap());
    until("it to wait", async || {
        log.lock().unwrap().contains("waiting for the broker").then_some(())
    })
    .await;
    signal(child.id(), "-TERM");
    let ended = until("its end", async || child.try_wait().unwrap()).await;
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn sighup_replaces_the_secrets_and_keeps_the_old_ones_when_the_new_are_bad() {
    let server = Server::start().await;
    let process = Process::start(&server).await;
    let write = |accounts: &str| {
        std::fs::write(&process.config, configuration(&server, accounts)).unwrap();
        process.signal("-HUP");
    };
    let answers = async |secret: &str, status: u16| {
        let asked = Instant::now();
        until("the secrets to be replaced", async || {
            let answer = process.post(secret, body(1)).await?;
            (answer.as_u16() == status).then_some(())
        })
        .await;
        assert!(asked.elapsed() < Duration::from_secs(5));
    };
    answers(SECRET, 200).await;
    answers("whs_new", 401).await;
    write(&account(&format!("\"{SECRET}\", \"whs_new\"")));
    answers("whs_new", 200).await;
    answers(SECRET, 200).await;

    for bad in ["[accounts.main]\nenviroment = \"test\"", "not toml", &account("\"\"")] {
        let kept = || process.log.lock().unwrap().matches("kept the old secrets").count();
        let before = kept();
        write(bad);
        until("the refusal", async || (kept() > before).then_some(())).await;
        answers("whs_new", 200).await;
    }
    write(&account("\"whs_new\""));
    answers(SECRET, 401).await;
    answers("whs_new", 200).await;
}

#[tokio::test]
async fn a_broker_that_dies_is_503_and_not_ready_until_it_is_back() {
    let mut server = Server::start().await;
    let process = Process::start(&server).await;
    assert_eq!(process.get("/healthz").await.0, 200);
    assert_eq!(process.get("/readyz").await.0, 200);
    assert_eq!(process.post(SECRET, body(1)).await.unwrap(), 200);
    server.kill();
    let asked = Instant::now();
    assert_eq!(process.post(SECRET, body(2)).await.unwrap(), 503);
    assert!(asked.elapsed() < Duration::from_secs(4));
    until("not ready", async || (process.get("/readyz").await.0 == 503).then_some(())).await;
    assert_eq!(process.get("/healthz").await.0, 200, "it is alive all the same");
    assert_eq!(process.post(SECRET, body(3)).await.unwrap(), 503);

    server.revive().await;
    until("ready", async || (process.get("/readyz").await.0 == 200).then_some(())).await;
    assert_eq!(process.post(SECRET, body(4)).await.unwrap(), 200);
    let kept: Vec<Vec<u8>> = stored(&server).await.into_iter().map(|w| w.body).collect();
    let is_kept = |number| kept.contains(&body(number).into_bytes());
    assert!(is_kept(1) && is_kept(4), "what was confirmed");
    // The second was sent before the loss was noticed and may have arrived; the third was
    // never sent.
    assert!(!is_kept(3), "nothing is kept for later by a client without a connection");
}

#[tokio::test]
async fn the_second_port_counts_and_the_log_keeps_secrets() {
    let server = Server::start().await;
    let process = Process::start(&server).await;
    assert_eq!(process.post(SECRET, body(7)).await.unwrap(), 200);
    assert_eq!(process.post("whs_forged", body(8)).await.unwrap(), 401);
    let (status, metrics) = process.get("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "concilia_ingress_http_requests_total{outcome=\"received\"} 1",
        "concilia_ingress_http_requests_total{outcome=\"not_accepted\"} 1",
        "concilia_ingress_signature_total{result=\"valid\",form=\"one\"} 1",
        "concilia_ingress_signature_total{result=\"invalid\",form=\"one\"} 1",
        "concilia_ingress_signature_total{result=\"malformed\",form=\"none\"} 0",
        "concilia_ingress_body_bytes_bucket{le=\"1024\"} 2",
        "concilia_ingress_publish_batch_size_bucket{le=\"1\"} 1",
        "concilia_ingress_publish_ack_seconds_count{result=\"confirmed\"} 1",
        "concilia_ingress_queue_depth 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    for name in [
        measure::HTTP_REQUESTS,
        measure::SIGNATURES,
        measure::BODY_BYTES,
        measure::BATCH_SIZE,
        measure::ACK_SECONDS,
        measure::QUEUE_DEPTH,
        measure::LATE,
        measure::BROKER_READY,
    ] {
        for kind in ["HELP", "TYPE"] {
            assert!(metrics.contains(&format!("# {kind} {name} ")), "{kind} {name}\n{metrics}");
        }
    }
    until("the log", async || {
        let log = process.log.lock().unwrap();
        (log.contains("evt_7") && log.contains("refused a request")).then_some(())
    })
    .await;
    let log = process.log.lock().unwrap().clone();
    for secret in [SECRET, "whs_forged", "4111hidden", "v1="] {
        assert!(!log.contains(secret), "{secret} in the log:\n{log}");
    }
}

fn run(arguments: &[&str], config: Option<&Path>) -> Output {
    let mut command = command();
    command.args(arguments);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    command.output().unwrap()
}

#[tokio::test]
async fn what_cannot_start_says_why_and_exits_1() {
    let lazy = Server::syncing("\"2m\"").await;
    let server = Server::start().await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let good = configuration(&server, &account("\"whs_x\""));
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("concilia.toml");
    for (text, expected) in [
        (configuration(&lazy, &account("\"whs_x\"")), "sync_interval: always"),
        (good.replace("monitor_url", "monitor_ulr"), "did you mean nats.monitor_url?"),
        (good.replacen("listen = \"127.0.0.1:0\"", &format!("listen = \"{taken}\""), 1), &taken),
        (good.replace("\"whs_x\"", "\"\""), "a webhook secret is empty"),
    ] {
        std::fs::write(&config, text).unwrap();
        let config = config.clone();
        let output = tokio::task::spawn_blocking(move || run(&[], Some(&config))).await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expected), "{expected}:\n{said}");
    }
    let output = run(&[], Some(Path::new("/nowhere/concilia.toml")));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_command_line_explains_itself() {
    let version = run(&["--version"], None);
    assert!(String::from_utf8(version.stdout).unwrap().starts_with("concilia-ingress 0."));
    let help = String::from_utf8(run(&["--help"], None).stdout).unwrap();
    for expected in ["--config", "CONCILIA_CONFIG", "Examples:", "SIGHUP"] {
        assert!(help.contains(expected), "{expected}\n{help}");
    }
}
