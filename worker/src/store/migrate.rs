//! Which migrations a database still needs; applying them is each store's.
//!
//! Migrations only go forward and are never edited: what was applied is remembered with its
//! checksum, and a database that knows other ones is refused.

use concilia_shared::webhook::body_hash;

use super::StoreError;

/// One step of the schema.
pub(super) struct Migration {
    /// From 1, without gaps.
    pub(super) version: i32,
    /// Its file.
    pub(super) name: &'static str,
    /// Statements, run as they are.
    pub(super) sql: &'static str,
}

impl Migration {
    /// SHA-256 of its text, lower-case hex.
    pub(super) fn checksum(&self) -> String {
        body_hash(self.sql.as_bytes())
    }
}

/// What `all` has beyond `applied` (version and checksum, by version).
pub(super) fn outstanding<'a>(
    all: &'a [Migration],
    applied: &[(i32, String)],
) -> Result<&'a [Migration], StoreError> {
    if applied.len() > all.len() {
        return Err(StoreError::Refused(format!(
            "The database was migrated by a newer build (it has {} migrations, this build {}): \
             run that build, or restore a backup from before.",
            applied.len(),
            all.len()
        )));
    }
    for (migration, (version, checksum)) in all.iter().zip(applied) {
        if migration.version != *version || migration.checksum() != *checksum {
            return Err(StoreError::Refused(format!(
                "The database was migrated with another text of {}: it is not of this program, \
                 or one of the two was edited.",
                migration.name
            )));
        }
    }
    Ok(&all[applied.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Migration; 2] = [
        Migration { version: 1, name: "0001_a.sql", sql: "a" },
        Migration { version: 2, name: "0002_b.sql", sql: "b" },
    ];

    fn applied(count: usize) -> Vec<(i32, String)> {
        ALL.iter().take(count).map(|migration| (migration.version, migration.checksum())).collect()
    }

    fn names(applied: &[(i32, String)]) -> Result<Vec<&'static str>, String> {
        outstanding(&ALL, applied)
            .map(|rest| rest.iter().map(|migration| migration.name).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn only_what_is_missing_is_outstanding() {
        assert_eq!(names(&[]).unwrap(), ["0001_a.sql", "0002_b.sql"]);
        assert_eq!(names(&applied(1)).unwrap(), ["0002_b.sql"]);
        assert!(names(&applied(2)).unwrap().is_empty());
    }

    #[test]
    fn a_database_of_another_build_is_refused() {
        let mut newer = applied(2);
        newer.push((3, "c".to_owned()));
        assert!(names(&newer).unwrap_err().contains("newer build"));
        let mut edited = applied(2);
        edited[0].1 = "x".to_owned();
        assert!(names(&edited).unwrap_err().contains("0001_a.sql"));
    }
}
