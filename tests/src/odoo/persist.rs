//! The database in a file, so that a second start finds what the first one wrote.
//!
//! Written whole after each change, to a file beside it that then takes its place.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fields::Series;
use super::value::{Id, Record};
use super::world::World;

#[derive(Serialize, Deserialize)]
struct Snapshot {
    series: u64,
    order_fields: Vec<String>,
    sequences: BTreeMap<String, i64>,
    tables: BTreeMap<String, BTreeMap<Id, Record>>,
}

/// Writes the database.
pub(super) fn save(path: &Path, world: &World) -> io::Result<()> {
    let mut tables = BTreeMap::new();
    for model in world.committed.models() {
        let rows: BTreeMap<Id, Record> =
            world.committed.rows(model).map(|(id, row)| (id, row.clone())).collect();
        tables.insert(model.to_owned(), rows);
    }
    let snapshot = Snapshot {
        series: u64::from(world.series.number()),
        order_fields: world.order_fields.clone(),
        sequences: world.sequences.clone(),
        tables,
    };
    let beside = path.with_extension("new");
    std::fs::write(&beside, serde_json::to_vec(&snapshot)?)?;
    std::fs::rename(beside, path)
}

/// Reads the database, if the file is there.
pub(super) fn load(path: &Path) -> io::Result<Option<World>> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    let snapshot: Snapshot = serde_json::from_slice(&bytes)?;
    let series = Series::from_number(snapshot.series)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unknown series"))?;
    let mut world = World::new(series);
    world.order_fields = snapshot.order_fields;
    world.sequences = snapshot.sequences;
    for (model, rows) in snapshot.tables {
        for (id, row) in rows {
            world.committed.put(&model, id, Some(Arc::new(row)));
        }
    }
    Ok(Some(world))
}
