//! A throw-away PostgreSQL cluster: made in a second or two, gone with the process.
//!
//! Programs are found through `PG_BIN`, then PATH (`pg_config`), then where distributions put
//! them. A cluster is a copy of a template that `initdb` makes once per user and version, so
//! that a start costs a copy. It listens on a free port of 127.0.0.1 only, syncs to disk as
//! production does, and trusts whoever connects. A shell stands guard over it: when this
//! process ends, however it ends, the shell stops the server and removes its files.
//!
//! PostgreSQL refuses to run as root; a test run by root runs it as the user `postgres`.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, raw_sql};

/// Longest a start may take; a loaded machine needs a few seconds.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// Tries with another port, should somebody take the one found free.
const PORT_TRIES: usize = 5;

/// Starts the server in the background, and anew for each line of its own input, which names
/// the signal that ends the one before. The end of the input is the end of the process that
/// holds the other side: then it stops the server and tidies up.
const GUARD: &str = r#"
folder=$1; shift
"$@" >"$folder/log" 2>&1 &
while read -r signal; do
    kill "-$signal" $! 2>/dev/null
    wait $!
    "$@" >>"$folder/log" 2>&1 &
done
kill -QUIT $! 2>/dev/null
wait
rm -rf -- "$folder"
"#;

/// A running cluster; stopped when dropped.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    log: PathBuf,
    databases: AtomicU32,
    guard: Child,
}

impl Postgres {
    /// The cluster of this process, started on first use.
    pub fn shared() -> anyhow::Result<&'static Self> {
        static SHARED: OnceLock<Result<Postgres, String>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::start(&[]).map_err(|error| format!("{error:#}")))
            .as_ref()
            .map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// Starts a cluster of its own, with settings as in `postgresql.conf`.
    pub fn start(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let server = Server::find()?;
        let mut last = None;
        for _ in 0..PORT_TRIES {
            match server.start(settings) {
                Ok(started) => return Ok(started),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no try was made")?)
    }

    /// The address of a database of this cluster, as its superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server at once, as a crash would, and starts it anew on the same data and port.
    pub fn crash(&self) -> anyhow::Result<()> {
        let starts = ready(&self.log)?.0;
        let mut guard = self.guard.stdin.as_ref().context("the guard is gone")?;
        guard.write_all(b"QUIT\n")?;
        await_ready(&self.log, starts + 1)
    }

    /// Makes an empty database; answers its address.
    pub async fn fresh_database(&self) -> anyhow::Result<String> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.execute("postgres", format!("create database {name}")).await?;
        Ok(self.url(&name))
    }

    /// Runs SQL of the test's own making as superuser.
    pub async fn execute(&self, database: &str, sql: String) -> anyhow::Result<()> {
        let options: PgConnectOptions = self.url(database).parse()?;
        let mut connection = PgConnection::connect_with(&options).await?;
        raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The end of its input is what the guard waits for.
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// The programs, and the user they run as.
struct Server {
    bin: PathBuf,
    /// User and group ids, where they are not this process's own.
    user: Option<(u32, u32)>,
}

impl Server {
    fn find() -> anyhow::Result<Self> {
        let bin = find_bin().context(
            "PostgreSQL's initdb was not found: install PostgreSQL, or set PG_BIN to the folder \
             of its programs",
        )?;
        let user = if id(&["-u"])? == 0 {
            let ids = (id(&["-u", "postgres"])?, id(&["-g", "postgres"])?);
            Some(ids)
        } else {
            None
        };
        Ok(Self { bin, user })
    }

    /// A command that runs as the server's user.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        // Not in the tests' folder, which that user may not enter.
        command.current_dir("/").stdin(Stdio::null());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    fn start(&self, settings: &[(&str, &str)]) -> anyhow::Result<Postgres> {
        let base = self.base()?;
        let template = self.template(&base)?;
        let folder = tempfile::Builder::new().prefix("run-").tempdir_in(&base)?;
        if let Some((user, group)) = self.user {
            chown(folder.path(), Some(user), Some(group))?;
        }
        let data = folder.path().join("data");
        run(self.command("cp").args(["-a", "--reflink=auto", "--"]).args([&template, &data]))?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut command = self.command("sh");
        command.args(["-c", GUARD, "guard"]).arg(folder.path());
        command.arg(self.bin.join("postgres")).arg("-D").arg(&data);
        let ours = [
            ("listen_addresses", "127.0.0.1"),
            ("port", &port.to_string()),
            ("unix_socket_directories", ""),
            ("shared_buffers", "32MB"),
            ("wal_level", "minimal"),
            ("max_wal_senders", "0"),
            ("log_timezone", "UTC"),
        ];
        for (name, value) in ours.iter().chain(settings) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let guard = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What stops the tests by a signal to their group must not stop the guard.
            .process_group(0)
            .spawn()?;
        // From here on the guard removes the folder.
        let folder = folder.keep();
        let log = folder.join("log");
        let started = Postgres { port, log, databases: AtomicU32::new(0), guard };
        await_ready(&started.log, 1)?;
        Ok(started)
    }

    /// The folder of this user's clusters.
    fn base(&self) -> anyhow::Result<PathBuf> {
        let name = format!("concilia-postgres-{}", id(&["-u"])?);
        let base = std::env::temp_dir().join(name);
        fs::create_dir_all(&base)?;
        if let Some((user, group)) = self.user {
            chown(&base, Some(user), Some(group))?;
        }
        fs::set_permissions(&base, fs::Permissions::from_mode(0o700))?;
        Ok(base)
    }

    /// The template, made by whoever comes first.
    fn template(&self, base: &Path) -> anyhow::Result<PathBuf> {
        let version = Command::new(self.bin.join("initdb")).arg("--version").output()?;
        let version: String = String::from_utf8_lossy(&version.stdout)
            .chars()
            .filter(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        let template = base.join(format!("template-{version}"));
        let lock = File::create(base.join("lock"))?;
        lock.lock()?;
        if !template.exists() {
            let making = base.join("making");
            if making.exists() {
                fs::remove_dir_all(&making)?;
            }
            run(self
                .command(self.bin.join("initdb"))
                .args(["--no-sync", "--auth=trust", "--username=postgres"])
                // Small files of write-ahead log: less to copy.
                .args(["--encoding=UTF8", "--locale=C", "--wal-segsize=1"])
                .arg("-D")
                .arg(&making))?;
            fs::rename(&making, &template)?;
        }
        Ok(template)
    }
}

/// Waits until the log says for the so-manieth time that it listens, or why it does not.
fn await_ready(log: &Path, starts: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + START_DEADLINE;
    loop {
        let (ready, text) = ready(log)?;
        if ready >= starts {
            return Ok(());
        }
        let failed = starts == 1 && (text.contains("FATAL") || text.contains("not found"));
        if failed || Instant::now() > deadline {
            bail!("PostgreSQL did not start: {text}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How often the log says that it listens, and all it says.
fn ready(log: &Path) -> anyhow::Result<(usize, String)> {
    let mut text = String::new();
    // Not there before the shell has opened it.
    if let Ok(mut file) = File::open(log) {
        file.read_to_string(&mut text)?;
    }
    Ok((text.matches("database system is ready to accept connections").count(), text))
}

/// Where one of PostgreSQL's programs is, such as `psql`.
pub fn program(name: &str) -> Option<PathBuf> {
    find_bin().map(|bin| bin.join(name))
}

fn find_bin() -> Option<PathBuf> {
    let has_programs =
        |folder: &PathBuf| folder.join("initdb").exists() && folder.join("postgres").exists();
    let named = std::env::var_os("PG_BIN").map(PathBuf::from);
    let configured = Command::new("pg_config").arg("--bindir").output().ok();
    let configured = configured
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim().to_owned()));
    let mut installed: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    installed.sort();
    named.into_iter().chain(configured).chain(installed.into_iter().rev()).find(has_programs)
}

/// What `id` answers, as a number.
fn id(arguments: &[&str]) -> anyhow::Result<u32> {
    let output = Command::new("id").args(arguments).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .with_context(|| format!("id {arguments:?} answered {text:?}: is there a user postgres?"))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
