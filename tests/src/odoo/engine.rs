//! One call, from who calls to what is committed.
//!
//! A call acts on the snapshot taken when it arrived and commits or leaves nothing; after a
//! serialization failure it is run again, as Odoo does, up to five times. Calls act one at a
//! time: what races here is what was read before and is written after. What surrounds a call
//! (faults, connections) is in [`super::server`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::actions::{self, Action};
use super::errors::{OdooError, RUN_AGAIN, Raise, names};
use super::faults::{FailingStep, Faults, Operation};
use super::rpc::{self, Call};
use super::value::{Id, Record};
use super::world::{Caller, Tables, Tx, World};
use super::{persist, seed};

/// What a request asks for.
pub(super) enum Job {
    /// `common.version`
    Version,
    /// `common.authenticate`
    Authenticate {
        /// The database.
        database: String,
        /// The login.
        login: String,
        /// Password or API key.
        secret: String,
    },
    /// A call of a method.
    Execute {
        /// The database, if the request names one here.
        database: Option<String>,
        /// Who calls.
        who: Who,
        /// What is called.
        call: Call,
    },
    /// It cannot be done at all.
    Fail(OdooError),
}

/// Who calls, and how that is proven.
pub(super) enum Who {
    /// JSON-RPC: a user and its password or API key.
    User {
        /// The user.
        uid: Id,
        /// Password or API key.
        secret: String,
    },
    /// JSON-2: an API key, if one was sent.
    Key(Option<String>),
}

/// How often Odoo runs a call that meets a serialization failure.
const TRIES: usize = 5;

/// The server behind its transports.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) database: String,
    /// A fixed time, or the machine's.
    pub(super) now: Option<Timestamp>,
    pub(super) world: Mutex<World>,
    pub(super) faults: Faults,
    pub(super) counters: Mutex<Counters>,
    pub(super) state_file: Option<PathBuf>,
}

/// What was asked so far.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    /// Calls by `model.method` (`common.version`, `res.partner.search`, …). Runs of an action
    /// count as `observe` and `book`.
    pub calls: BTreeMap<String, u64>,
    /// Calls that committed a change.
    pub writes: u64,
    /// Rows those calls wrote, by model; a row that was only touched counts too.
    pub rows: BTreeMap<String, u64>,
    /// Calls that were run again after a serialization failure.
    pub run_again: u64,
}

/// Faults of a call that belong to its acting.
#[derive(Debug, Default)]
pub(super) struct Acting {
    pub(super) failing: Vec<FailingStep>,
    pub(super) race: bool,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// What the call is about, for faults and counters.
    pub(super) fn operation(&self, job: &Job) -> Operation {
        let Job::Execute { call, .. } = job else {
            return Operation::Other;
        };
        if call.model != "ir.actions.server" || call.method != "run" {
            return Operation::Other;
        }
        let ids = call.named.get("ids").or(call.positional.first());
        let id = ids.and_then(|ids| ids.get(0).unwrap_or(ids).as_i64()).unwrap_or(0);
        match self.inspect(|tx| actions::which(tx, id)) {
            Some(Action::Observe) => Operation::Observe,
            Some(Action::Book) => Operation::Book,
            Some(Action::Refund) => Operation::Refund,
            Some(Action::Record) => Operation::Record,
            Some(Action::Invoice) => Operation::Invoice,
            _ => Operation::Other,
        }
    }

    /// Counts a call.
    pub(super) fn count(&self, job: &Job, operation: Operation) {
        let name = match (operation, job) {
            (Operation::Observe, _) => "observe".to_owned(),
            (Operation::Book, _) => "book".to_owned(),
            (Operation::Refund, _) => "refund".to_owned(),
            (Operation::Record, _) => "record".to_owned(),
            (Operation::Invoice, _) => "invoice".to_owned(),
            (_, Job::Version) => "common.version".to_owned(),
            (_, Job::Authenticate { .. }) => "common.authenticate".to_owned(),
            (_, Job::Execute { call, .. }) => format!("{}.{}", call.model, call.method),
            (_, Job::Fail(_)) => "refused".to_owned(),
        };
        *lock(&self.counters).calls.entry(name).or_insert(0) += 1;
    }

    /// What is committed at this moment.
    pub(super) fn snapshot(&self) -> Tables {
        lock(&self.world).committed.clone()
    }

    /// Carries a request out on the snapshot it arrived with.
    pub(super) fn perform(
        &self,
        job: Job,
        snapshot: Tables,
        acting: &Acting,
    ) -> Result<Json, OdooError> {
        match job {
            Job::Fail(error) => Err(error),
            Job::Version => {
                let series = lock(&self.world).series.number();
                Ok(json!({
                    "server_version": format!("{series}.0"), "server_version_info": [series, 0, 0, "final", 0, ""],
                    "server_serie": format!("{series}.0"), "protocol_version": 1,
                }))
            }
            Job::Authenticate { database, login, secret } => {
                self.check_database(Some(&database))?;
                let uid = self.inspect(|tx| {
                    let found = tx.tables().find("res.users", |user| user.text("login") == login);
                    let uid = found.filter(|(_, user)| user.flag("active"))?.0;
                    proves(tx, uid, &secret).then_some(uid)
                });
                Ok(uid.map_or(json!(false), |uid| json!(uid)))
            }
            Job::Execute { database, who, call } => {
                self.check_database(database.as_deref())?;
                let uid = self.inspect(|tx| who_calls(tx, &who))?;
                self.execute(uid, &call, snapshot, acting)
            }
        }
    }

    fn check_database(&self, name: Option<&str>) -> Result<(), OdooError> {
        match name {
            Some(name) if name != self.database => Err(no_database(name)),
            _ => Ok(()),
        }
    }

    /// The database is gone, as a caller sees it.
    pub(super) fn gone(&self) -> OdooError {
        no_database(&self.database)
    }

    fn execute(
        &self,
        uid: Id,
        call: &Call,
        mut snapshot: Tables,
        acting: &Acting,
    ) -> Result<Json, OdooError> {
        let caller = self.caller(uid, call.context.clone());
        let mut world = lock(&self.world);
        if acting.race {
            let fresh = world.committed.clone();
            let mut beside = Tx::begin(&mut world, fresh, caller.clone());
            if actions::perform_beside(&mut beside).is_ok() {
                beside.commit();
            }
        }
        for _ in 0..TRIES {
            let mut tx = Tx::begin(&mut world, snapshot, caller.clone());
            tx.failing.clone_from(&acting.failing);
            match rpc::run(&mut tx, call.clone()) {
                Ok(answer) => {
                    let written = tx.written();
                    if tx.commit() {
                        self.count_rows(written);
                        self.save(&world);
                    }
                    return Ok(answer);
                }
                Err(Raise::Postgres(error)) if RUN_AGAIN.contains(&error.code.as_str()) => {
                    lock(&self.counters).run_again += 1;
                }
                Err(raise) => return Err(raise.to_odoo()),
            }
            snapshot = world.committed.clone();
        }
        Err(Raise::serialization().to_odoo())
    }

    fn count_rows(&self, written: BTreeMap<String, u64>) {
        let mut counters = lock(&self.counters);
        counters.writes += 1;
        for (model, rows) in written {
            *counters.rows.entry(model).or_insert(0) += rows;
        }
    }

    /// Looks into the database.
    pub(super) fn inspect<T>(&self, look: impl FnOnce(&Tx<'_>) -> T) -> T {
        let mut world = lock(&self.world);
        let snapshot = world.committed.clone();
        let caller = self.caller(seed::ADMIN, json!({}));
        look(&Tx::begin(&mut world, snapshot, caller))
    }

    /// Changes the database as the administrator would, past every right.
    pub(super) fn edit<T>(&self, change: impl FnOnce(&mut Tx<'_>) -> T) -> T {
        let mut world = lock(&self.world);
        let snapshot = world.committed.clone();
        let caller = self.caller(seed::ADMIN, json!({}));
        let mut tx = Tx::begin(&mut world, snapshot, caller);
        let outcome = change(&mut tx);
        if tx.commit() {
            self.save(&world);
        }
        outcome
    }

    fn save(&self, world: &World) {
        if let Some(path) = &self.state_file
            && let Err(error) = persist::save(path, world)
        {
            tracing::error!(path = %path.display(), %error, "the simulated Odoo could not keep its state");
        }
    }

    fn caller(&self, uid: Id, context: Json) -> Caller {
        let now = self.now.unwrap_or_else(machine_time);
        let zone = context.get("tz").and_then(Json::as_str).unwrap_or("UTC");
        let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
        Caller {
            uid,
            context,
            today: now.to_zoned(zone).date().to_string(),
            now: now.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulated server is the outside world, and has a clock"
)]
fn machine_time() -> Timestamp {
    Timestamp::now()
}

fn no_database(name: &str) -> OdooError {
    OdooError::new(
        "psycopg2.OperationalError",
        format!(
            "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  database \"{name}\" does not exist\n"
        ),
    )
}

/// Whether a password or API key is the user's.
fn proves(tx: &Tx<'_>, uid: Id, secret: &str) -> bool {
    let password = tx.get("res.users", uid).map_or("", |user| user.text("sim_password"));
    let own_key = |row: &Record| {
        row.reference("user_id") == Some(uid) && row.text("sim_key") == secret && lives(tx, row)
    };
    !secret.is_empty()
        && (password == secret || tx.tables().find("res.users.apikeys", own_key).is_some())
}

fn is_active(tx: &Tx<'_>, uid: Id) -> bool {
    tx.get("res.users", uid).is_some_and(|user| user.flag("active"))
}

/// A key ends on its day, and sleeps while its user is archived.
fn lives(tx: &Tx<'_>, key: &Record) -> bool {
    let until = key.text("expiration_date");
    key.reference("user_id").is_some_and(|user| is_active(tx, user))
        && (until.is_empty() || until >= tx.caller.now.as_str())
}

fn who_calls(tx: &Tx<'_>, who: &Who) -> Result<Id, OdooError> {
    match who {
        Who::User { uid, .. } if tx.get("res.users", *uid).is_none() => {
            Err(Raise::missing("res.users", &[*uid], *uid).to_odoo())
        }
        Who::User { uid, secret } if is_active(tx, *uid) && proves(tx, *uid, secret) => Ok(*uid),
        Who::User { .. } => Err(OdooError::new(names::ACCESS_DENIED, "Access Denied")),
        Who::Key(None) => Err(unauthorized(
            "User not authenticated, use an API Key with a Bearer Authorization header.",
        )),
        Who::Key(Some(key)) => {
            let fits = |row: &Record| row.text("sim_key") == key && lives(tx, row);
            let found = tx.tables().find("res.users.apikeys", fits);
            let user = found.and_then(|(_, row)| row.reference("user_id"));
            user.ok_or_else(|| unauthorized("Invalid apikey"))
        }
    }
}

fn unauthorized(text: &str) -> OdooError {
    OdooError::new("werkzeug.exceptions.Unauthorized", text)
}
