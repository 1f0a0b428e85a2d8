//! A real process under test: started with its output in a file, watched, signalled, and
//! killed when dropped, or when the test dies.
//!
//! Not here: which processes there are ([`super::nats`], [`super::system`]).

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use super::wait;

/// Lines of its log that are shown when a test fails.
const LINES_SHOWN: usize = 40;

/// Kills the process it is given when its standard input closes: when the test process is
/// gone, however it went.
const GUARD: &str = r#"read -r _; kill -9 "$0""#;

/// A running process.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    guard: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with standard error in the file `log`; its own standard output goes
    /// there too. `name` is what failures call it.
    pub fn spawn(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| format!("Cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("Cannot start {}", command.get_program().display()))?;
        let guard = Command::new("sh")
            .args(["-c", GUARD, &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("Cannot start sh")?;
        Ok(Self { name: name.to_owned(), child, guard, log: log.to_owned() })
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether it still runs (a stopped one does).
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal by its name: `HUP`, `STOP`, `CONT`, `TERM`.
    pub fn signal(&self, signal: &str) -> anyhow::Result<()> {
        // The shell's own `kill`: the program is not on every machine.
        let sent = Command::new("sh")
            .args(["-c", r#"kill -s "$0" "$1""#, signal, &self.child.id().to_string()])
            .status()?;
        anyhow::ensure!(sent.success(), "{} is gone, {signal} was not sent", self.name);
        Ok(())
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, and waits until it has.
    pub async fn terminate(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        self.signal("TERM")?;
        Ok(self.wait(within).await)
    }

    /// Waits until it has ended by itself. Panics if it has not `within` that time.
    pub async fn wait(&mut self, within: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        wait::until(&what, within, async || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            other => Err(format!("{other:?}")),
        })
        .await
    }

    /// Waits for a line of its log that `find` makes something of. Panics when it does not come
    /// in time, or the process ends first.
    pub async fn wait_for_line<T>(
        &mut self,
        what: &str,
        within: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> T {
        let what = format!("{} to write {what}", self.name);
        wait::until(&what, within, async || {
            // Asked before reading, so that the last words of a dead one are read.
            let alive = self.is_alive();
            let log = self.log();
            if let Some(found) = log.lines().find_map(&find) {
                return Ok(found);
            }
            assert!(alive, "{} ended instead:\n{log}", self.name);
            Err(last_lines(&log, 5))
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
        // Only now: until here the guard must outlive the test, afterwards the id may be taken.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        if std::thread::panicking() {
            let log = last_lines(&self.log(), LINES_SHOWN);
            eprintln!("--- the last lines of {}:\n{log}\n---", self.name);
        }
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// A binary of this workspace, beside the test that runs.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.ancestors().find(|folder| folder.join(name).is_file()).with_context(|| {
        format!(
            "There is no {name} beside {}: run `cargo build --workspace --bins` first \
                 (deploy/test does)",
            own.display()
        )
    })?;
    Ok(folder.join(name))
}

/// A program given by an environment variable, else kept in the checkout, else on `PATH`.
pub fn program(variable: &str, in_checkout: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable).filter(|path| path != OsStr::new("")) {
        return PathBuf::from(path);
    }
    let kept = checkout().join(in_checkout);
    if kept.is_file() { kept } else { PathBuf::from(name) }
}

/// The checkout these tests were built from.
pub fn checkout() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}
