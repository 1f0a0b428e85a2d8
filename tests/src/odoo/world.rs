//! The database: tables of records, transactions on them, and nothing that knows Odoo.
//!
//! A transaction sees the snapshot it was begun with (REPEATABLE READ, as Odoo runs) and its
//! own changes; unique constraints also see what others committed since, and changing a row
//! that others changed since is a serialization failure. Snapshots are cheap: tables and
//! records are shared until written. What the tables mean is in [`super::models`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::errors::{Outcome, PostgresError, Raise, UNIQUE_VIOLATION};
use super::fields::{Schema, Series};
use super::manual;
use super::value::{Id, Record};

type Table = BTreeMap<Id, Arc<Record>>;

/// Tables as they stand at one moment. A clone is a snapshot.
#[derive(Debug, Clone, Default)]
pub struct Tables(BTreeMap<String, Arc<Table>>);

impl Tables {
    /// One record.
    pub fn get(&self, model: &str, id: Id) -> Option<&Arc<Record>> {
        self.0.get(model)?.get(&id)
    }

    /// Every record of a model, lowest id first.
    pub fn rows(&self, model: &str) -> impl DoubleEndedIterator<Item = (Id, &Record)> {
        let table = self.0.get(model).map(Arc::as_ref);
        table.into_iter().flatten().map(|(id, row)| (*id, row.as_ref()))
    }

    /// The first record that fits, with its id.
    pub fn find(&self, model: &str, fits: impl Fn(&Record) -> bool) -> Option<(Id, &Record)> {
        self.rows(model).find(|(_, row)| fits(row))
    }

    /// Names of the models that have records.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Puts a record in, or takes it out.
    pub fn put(&mut self, model: &str, id: Id, row: Option<Arc<Record>>) {
        let table = Arc::make_mut(self.0.entry(model.to_owned()).or_default());
        match row {
            Some(row) => table.insert(id, row),
            None => table.remove(&id),
        };
    }
}

/// The database and what stands outside its transactions.
#[derive(Debug, Clone)]
pub struct World {
    /// Which Odoo it pretends to be.
    pub series: Series,
    /// Fields of `sale.order` beyond Odoo's own (connectors add some).
    pub order_fields: Vec<String>,
    /// What is committed.
    pub committed: Tables,
    /// Next ids and numbers. As in PostgreSQL, a rollback does not give them back.
    pub sequences: BTreeMap<String, i64>,
    /// Models made through the API.
    pub manual: Schema,
    /// Whether they may differ from what is committed.
    manual_stale: bool,
}

impl World {
    /// An empty database.
    pub fn new(series: Series) -> Self {
        Self {
            series,
            order_fields: Vec::new(),
            committed: Tables::default(),
            sequences: BTreeMap::new(),
            manual: Schema::new(),
            manual_stale: true,
        }
    }

    /// The next number of a sequence, from 1.
    pub fn next(&mut self, sequence: &str) -> i64 {
        let number = self.sequences.entry(sequence.to_owned()).or_insert(0);
        *number += 1;
        *number
    }

    /// Lets a sequence go on after a number that was given by hand.
    pub fn reserve(&mut self, sequence: &str, number: i64) {
        let last = self.sequences.entry(sequence.to_owned()).or_insert(0);
        *last = (*last).max(number);
    }
}

/// Who calls, and when.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user.
    pub uid: Id,
    /// The call's context.
    pub context: serde_json::Value,
    /// The date in the context's time zone.
    pub today: String,
    /// The moment, in UTC: `2026-11-23 06:41:15`.
    pub now: String,
}

/// A transaction.
#[derive(Debug)]
pub struct Tx<'w> {
    /// The database it is of.
    pub world: &'w mut World,
    /// On whose behalf.
    pub caller: Caller,
    /// Steps of booking that are to fail, for tests.
    pub failing: Vec<super::faults::FailingStep>,
    base: Tables,
    now: Tables,
    touched: BTreeSet<(String, Id)>,
}

/// A point in a transaction to go back to.
#[derive(Debug)]
pub struct Savepoint {
    now: Tables,
    touched: BTreeSet<(String, Id)>,
}

impl<'w> Tx<'w> {
    /// Begins on a snapshot that may be older than what is committed by now.
    pub fn begin(world: &'w mut World, snapshot: Tables, caller: Caller) -> Self {
        if std::mem::take(&mut world.manual_stale) {
            world.manual = manual::read(&world.committed);
        }
        Self {
            world,
            caller,
            failing: Vec::new(),
            base: snapshot.clone(),
            now: snapshot,
            touched: BTreeSet::new(),
        }
    }

    /// What this transaction sees.
    pub fn tables(&self) -> &Tables {
        &self.now
    }

    /// The series of the database.
    pub fn series(&self) -> Series {
        self.world.series
    }

    /// One record.
    pub fn get(&self, model: &str, id: Id) -> Option<&Record> {
        self.now.get(model, id).map(Arc::as_ref)
    }

    /// A copy of a record that must be there.
    pub fn record(&self, model: &str, id: Id) -> Outcome<Record> {
        let row = self.get(model, id).cloned();
        row.ok_or_else(|| Raise::missing(model, &[id], self.caller.uid))
    }

    /// Every record of a model, lowest id first.
    pub fn rows(&self, model: &str) -> impl DoubleEndedIterator<Item = (Id, &Record)> {
        self.now.rows(model)
    }

    /// Ids of the records that fit, lowest first.
    pub fn ids_where(&self, model: &str, fits: impl Fn(&Record) -> bool) -> Vec<Id> {
        let found = self.rows(model).filter(|(_, row)| fits(row));
        found.map(|(id, _)| id).collect()
    }

    /// Inserts a record under a new id.
    pub fn insert(&mut self, model: &str, mut record: Record) -> Outcome<Id> {
        self.check_unique(model, None, &record)?;
        self.stamp(model, &mut record);
        let id = self.world.next(model);
        self.put(model, id, Some(record));
        Ok(id)
    }

    /// Inserts or replaces a record under an id that was chosen by hand.
    pub fn put_at(&mut self, model: &str, id: Id, record: Record) {
        self.world.reserve(model, id);
        self.put(model, id, Some(record));
    }

    /// Changes a record.
    pub fn update(&mut self, model: &str, id: Id, change: impl FnOnce(&mut Record)) -> Outcome<()> {
        self.lock(model, id)?;
        let mut record = self.record(model, id)?;
        change(&mut record);
        self.check_unique(model, Some(id), &record)?;
        self.stamp(model, &mut record);
        self.put(model, id, Some(record));
        Ok(())
    }

    /// Deletes a record.
    pub fn delete(&mut self, model: &str, id: Id) -> Outcome<()> {
        self.lock(model, id)?;
        self.put(model, id, None);
        Ok(())
    }

    /// Writes a row without changing it: what stops two bookings of one order.
    pub fn touch(&mut self, model: &str, id: Id) -> Outcome<()> {
        self.lock(model, id)?;
        let record = self.record(model, id)?;
        self.put(model, id, Some(record));
        Ok(())
    }

    /// The moment a row was written, where anybody asks for it: the transaction's own.
    fn stamp(&self, model: &str, record: &mut Record) {
        if STAMPED.contains(&model) {
            record.set("write_date", self.caller.now.as_str());
        }
    }

    /// How many rows of each model this transaction has written so far.
    pub fn written(&self) -> BTreeMap<String, u64> {
        let mut rows = BTreeMap::new();
        for (model, _) in &self.touched {
            *rows.entry(model.clone()).or_insert(0) += 1;
        }
        rows
    }

    /// A point to go back to.
    pub fn savepoint(&self) -> Savepoint {
        Savepoint { now: self.now.clone(), touched: self.touched.clone() }
    }

    /// Undoes everything since the point.
    pub fn rollback_to(&mut self, point: Savepoint) {
        self.now = point.now;
        self.touched = point.touched;
    }

    /// Commits; tells whether anything was written.
    pub fn commit(self) -> bool {
        for (model, id) in &self.touched {
            let row = self.now.get(model, *id).cloned();
            self.world.committed.put(model, *id, row);
        }
        !self.touched.is_empty()
    }

    fn put(&mut self, model: &str, id: Id, record: Option<Record>) {
        // A rolled back change leaves no model behind: whoever begins next reads them again.
        self.world.manual_stale |= manual::DEFINING.contains(&model);
        self.now.put(model, id, record.map(Arc::new));
        self.touched.insert((model.to_owned(), id));
    }

    /// A row others committed since the snapshot cannot be written.
    fn lock(&self, model: &str, id: Id) -> Outcome<()> {
        let Some(seen) = self.base.get(model, id) else {
            return Ok(());
        };
        match self.world.committed.get(model, id) {
            Some(row) if Arc::ptr_eq(row, seen) => Ok(()),
            _ => Err(Raise::serialization()),
        }
    }

    fn check_unique(&self, model: &str, own: Option<Id>, record: &Record) -> Outcome<()> {
        for constraint in UNIQUE.iter().filter(|constraint| constraint.model == model) {
            let same = |other: &Record| {
                // The last field tells most rows apart.
                let mut fields = constraint.fields.iter().rev();
                fields.all(|field| record.has(field) && other.get(field) == record.get(field))
            };
            let taken =
                |tables: &Tables| tables.rows(model).any(|(id, row)| Some(id) != own && same(row));
            if taken(&self.now) || taken(&self.world.committed) {
                return Err(constraint.violated(record));
            }
        }
        Ok(())
    }
}

/// Models whose rows tell when they were written.
const STAMPED: [&str; 3] = ["sale.order", "account.move", "payment.transaction"];

/// A unique constraint of the database.
struct Unique {
    model: &'static str,
    fields: &'static [&'static str],
    name: &'static str,
    sentence: Option<&'static str>,
}

const UNIQUE: [Unique; 6] = [
    Unique {
        model: "payment.transaction",
        fields: &["reference"],
        name: "payment_transaction_reference_uniq",
        sentence: Some("Reference must be unique!"),
    },
    Unique {
        model: "ir.model.data",
        fields: &["module", "name"],
        name: "ir_model_data_module_name_uniq_index",
        sentence: None,
    },
    Unique {
        model: "ir.config_parameter",
        fields: &["key"],
        name: "ir_config_parameter_key_uniq",
        sentence: Some("Key must be unique."),
    },
    Unique {
        model: "ir.model",
        fields: &["model"],
        name: "ir_model_obj_name_uniq",
        sentence: Some("Each model must have a unique name."),
    },
    Unique {
        model: "ir.model.fields",
        fields: &["model", "name"],
        name: "ir_model_fields_name_unique",
        sentence: Some("Field names must be unique per model."),
    },
    Unique {
        model: "res.users",
        fields: &["login"],
        name: "res_users_login_key",
        sentence: Some("You can not have two users with the same login!"),
    },
];

impl Unique {
    fn violated(&self, record: &Record) -> Raise {
        let values: Vec<&str> = self.fields.iter().map(|field| record.text(field)).collect();
        Raise::Postgres(PostgresError {
            code: UNIQUE_VIOLATION.to_owned(),
            message: format!(
                "duplicate key value violates unique constraint \"{}\"\nDETAIL:  Key ({})=({}) already exists.\n",
                self.name,
                self.fields.join(", "),
                values.join(", ")
            ),
            sentence: self.sentence,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::odoo::errors::Raise;

    fn caller() -> Caller {
        Caller {
            uid: 2,
            context: serde_json::Value::Null,
            today: "2026-11-23".to_owned(),
            now: "2026-11-23 12:00:00".to_owned(),
        }
    }

    fn named(name: &str) -> Record {
        Record::default().with("module", "concilia").with("name", name)
    }

    #[test]
    fn a_name_committed_since_the_snapshot_is_not_seen_but_is_taken() {
        let mut world = World::new(Series::V19);
        let snapshot = world.committed.clone();
        let mut first = Tx::begin(&mut world, snapshot.clone(), caller());
        first.insert("ir.model.data", named("chk_1")).unwrap();
        assert!(first.commit());
        let mut second = Tx::begin(&mut world, snapshot, caller());
        assert_eq!(second.rows("ir.model.data").count(), 0);
        let refused = second.insert("ir.model.data", named("chk_1")).unwrap_err();
        assert!(matches!(refused, Raise::Postgres(error) if error.code == UNIQUE_VIOLATION));
    }

    #[test]
    fn a_row_changed_since_the_snapshot_cannot_be_written() {
        let mut world = World::new(Series::V19);
        let fresh = world.committed.clone();
        let mut setup = Tx::begin(&mut world, fresh, caller());
        setup.put_at("sale.order", 42, named("S00042"));
        setup.commit();
        let snapshot = world.committed.clone();
        let mut first = Tx::begin(&mut world, snapshot.clone(), caller());
        first.touch("sale.order", 42).unwrap();
        first.commit();
        let mut second = Tx::begin(&mut world, snapshot, caller());
        assert_eq!(second.touch("sale.order", 42), Err(Raise::serialization()));
    }

    #[test]
    fn a_rollback_undoes_everything_but_the_numbers() {
        let mut world = World::new(Series::V19);
        let snapshot = world.committed.clone();
        let mut tx = Tx::begin(&mut world, snapshot, caller());
        let point = tx.savepoint();
        let first = tx.insert("ir.model.data", named("chk_1")).unwrap();
        tx.rollback_to(point);
        let second = tx.insert("ir.model.data", named("chk_1")).unwrap();
        assert_eq!(second, first + 1);
        assert_eq!(tx.rows("ir.model.data").count(), 1);
    }
}
