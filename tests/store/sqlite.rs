//! What only SQLite promises: its file, and how it is opened.

use crate::home::{Home, config_of};
use concilia_worker::store::{self, StoreError};

#[tokio::test]
async fn the_file_is_made_where_the_address_says_and_kept_in_write_ahead_mode() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("año nuevo.db");
    let url = format!("sqlite://{}", file.display());
    store::open(&config_of(&url)).await.unwrap();
    let header = std::fs::read(&file).unwrap();
    // Bytes 18 and 19 of a SQLite file: 2 means write-ahead log.
    assert_eq!(header[18..20], [2, 2]);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    let text = "not a database ".repeat(300);
    std::fs::write(&file, &text).unwrap();
    let url = format!("sqlite://{}", file.display());
    let error = store::open(&config_of(&url)).await.err().unwrap();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn a_folder_that_is_missing_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/none/such.db", folder.path().display());
    let error = store::open(&config_of(&url)).await.err().unwrap();
    assert!(matches!(error, StoreError::Refused(_)), "{error}");
    assert!(error.to_string().contains("none/such.db"), "{error}");
}

#[tokio::test]
async fn an_address_of_neither_kind_is_refused() {
    let error = store::open(&config_of("mysql://h/d")).await.err().unwrap();
    assert!(matches!(error, StoreError::Refused(_)), "{error}");
}

#[tokio::test]
async fn claims_use_an_index() {
    let home = Home::sqlite().await;
    let plan = home
        .text(
            "explain query plan select stream from work
             where fresh = 1 and ready_at <= 5 order by ready_at limit 3",
        )
        .await;
    assert!(
        plan.contains("using index work_ready") || plan.contains("USING INDEX work_ready"),
        "{plan}"
    );
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}
