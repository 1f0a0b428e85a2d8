//! The real binary: its exit codes, what it says when it cannot, and two of it at once.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::given::{Home, config_text};

fn worker(config: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_concilia-worker"));
    command.args(words).env_clear().env("USER", "ana").env("CONCILIA_CONFIG", config);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(config: &Path, words: &[&str]) -> (i32, String, String) {
    told(&worker(config, words).output().unwrap())
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn configured(folder: &Path, url: &str) -> PathBuf {
    let path = folder.join("concilia.toml");
    std::fs::write(&path, config_text(url)).unwrap();
    path
}

async fn home() -> (Home, PathBuf) {
    let home = Home::full().await;
    let url = format!("sqlite://{}", home.path().join("log.db").display());
    let config = configured(home.path(), &url);
    (home, config)
}

#[tokio::test]
async fn exit_codes_are_those_of_the_documentation() {
    let (_home, config) = home().await;
    for (words, code, sentence) in [
        (&["events", "list"][..], 0, ""),
        (&["completions", "bash"], 0, ""),
        (&["events", "lst"], 2, "unrecognized subcommand"),
        (&["retry"], 2, "Say which events"),
        (&["pause", "main", "--why", " "], 2, "say why"),
        (&["pause", "main", "--why", "x", "--by", " "], 2, "say who decides"),
        (&["events", "show", "evt_99"], 3, "is called evt_99"),
        (&["resume", "main"], 3, "is not paused"),
        (&["accept", "evt_8", "--why", "x"], 4, "It cannot be accepted"),
    ] {
        let (ended, out, err) = run(&config, words);
        assert_eq!(ended, code, "{words:?}: {out}{err}");
        assert!(err.contains(sentence), "{words:?}: {err}");
        assert_eq!(err.is_empty(), code == 0, "{words:?}: {err}");
    }
}

#[tokio::test]
async fn nobody_decides_nothing() {
    let (home, config) = home().await;
    let output = worker(&config, &["pause", "main", "--why", "x"]).env_remove("USER").output();
    let (code, _, err) = told(&output.unwrap());
    assert!(code == 2 && err.contains("--by <NAME>"), "{err}");
    assert_eq!(run(&config, &["pause", "main", "--why", "x"]).0, 0);
    assert_eq!(home.account_state("main").await.paused.unwrap().by, "ana");
}

#[test]
fn a_database_that_is_down_is_one_clear_sentence() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing listens on port 1.
    let config = configured(folder.path(), "postgres://u:hunter2@127.0.0.1:1/concilia");
    let (code, out, err) = run(&config, &["parked", "--json"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(
        err.starts_with("The database does not answer") && err.contains("check store.url"),
        "{err}"
    );
    assert!(!err.contains("hunter2"));
}

#[test]
fn a_missing_configuration_is_one_clear_sentence() {
    let (code, _, err) = run(Path::new("/nowhere/concilia.toml"), &["accounts"]);
    assert!(code == 1 && err.starts_with("The configuration file /nowhere/concilia.toml"), "{err}");
}

/// Several processes decide about one account at the same time: each fact is there once, none
/// is lost, and who came second is told.
#[tokio::test]
async fn people_at_once_lose_no_decision() {
    let (home, config) = home().await;
    let settings =
        ["mode=Hybrid", "connector=shopify", "quotations=confirm", "without_invoice=wait"];
    let set = settings.map(|change| worker(&config, &["settings", "set", "main", change]).spawn());
    let paused = [(); 4].map(|()| worker(&config, &["pause", "main", "--why", "x"]).spawn());
    let code = |child: std::io::Result<std::process::Child>| {
        let (code, out, err) = told(&child.unwrap().wait_with_output().unwrap());
        assert!(code == 0 || code == 3, "{code}: {out}{err}");
        code
    };
    assert_eq!(set.map(code), [0; 4]);
    let mut paused = paused.map(code);
    paused.sort_unstable();
    assert_eq!(paused, [0, 3, 3, 3]);
    let state = home.account_state("main").await;
    assert_eq!(state.overrides.len(), 4, "{:?}", state.overrides);
    let facts = home.store.stream(&super::given::stream("main/account")).await.unwrap();
    assert_eq!(facts.len(), 5);
}

/// Longest a process may take for what it does at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// The lines a process prints, as they come.
fn lines(child: &mut Child) -> mpsc::Receiver<String> {
    let (tell, told) = mpsc::channel();
    let out = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                break;
            }
        }
    });
    told
}

fn wait_for(lines: &mpsc::Receiver<String>, text: &str) {
    let until = Instant::now() + PATIENCE;
    while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if line.contains(text) {
            return;
        }
    }
    panic!("it did not print {text}");
}

#[tokio::test]
async fn the_tail_follows_until_it_is_interrupted() {
    let (_home, config) = home().await;
    let mut tail = worker(&config, &["events", "tail", "--since", "2026-01-05"]).spawn().unwrap();
    let printed = lines(&mut tail);
    wait_for(&printed, "checkout.paid: 15.990 CLP paid");
    assert_eq!(run(&config, &["pause", "main", "--why", "x"]).0, 0);
    wait_for(&printed, "ana paused the account: x.");
    let interrupted = Command::new("kill").args(["-INT", &tail.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    let until = Instant::now() + PATIENCE;
    let ended = loop {
        match tail.try_wait().unwrap() {
            Some(status) => break status.code(),
            None if Instant::now() > until => {
                tail.kill().unwrap();
                panic!("it goes on after Ctrl-C");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert_eq!(ended, Some(0));
}
