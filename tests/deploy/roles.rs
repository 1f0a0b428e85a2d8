//! The SQL the service `roles` runs, on a real PostgreSQL that asks for passwords: afterwards
//! the worker's login can do its work and nothing else, by a password in a file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use concilia_shared::config;
use concilia_shared::secret::Secret;
use concilia_tests::harness::postgres::{Postgres, program};
use concilia_tests::harness::process::checkout;
use concilia_worker::store::{self, StoreError};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

const CLIENTS: &str =
    "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";

#[tokio::test]
async fn the_worker_s_login_adds_to_the_log_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // The server runs as another user where the tests run as root.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(at("clients"), CLIENTS).unwrap();
    let clients = at("clients").display().to_string();
    let cluster = Postgres::start(&[("hba_file", &clients)]).unwrap();
    let owner = cluster.fresh_database().await.unwrap();
    // As the service `schema` does it.
    store::open(&settings(&owner, None)).await.map(drop).unwrap();

    // As they are mounted: side by side.
    fs::copy(checkout().join("deploy/roles-app.sql"), at("roles-app.sql")).unwrap();
    fs::copy(checkout().join("worker/migrations/postgres/roles.sql"), at("roles.sql")).unwrap();
    for password in ["it's the \\first\n", "second\n"] {
        fs::write(at("password"), password).unwrap();
        make_roles(&owner, &at("roles-app.sql"), &at("password"));
    }

    let app = owner.replace("postgres@", "concilia_app@");
    let open = store::open(&settings(&app, Some(&at("password")))).await;
    open.expect("the password in the file is the one that was set").ping().await.unwrap();
    fs::write(at("password"), "it's the \\first").unwrap();
    assert!(store::open(&settings(&app, Some(&at("password")))).await.is_err(), "it was changed");
    let missing = store::open(&settings(&app, Some(&at("nowhere")))).await.err().unwrap();
    assert!(
        matches!(&missing, StoreError::Refused(it) if it.contains("password_file")),
        "{missing}"
    );

    let with_password = app.replace("concilia_app@", "concilia_app:second@");
    let mut connection = PgConnection::connect(&with_password).await.unwrap();
    for forbidden in ["delete from events", "update webhooks set account = 'x'", "drop table work"]
    {
        let refused = sqlx::raw_sql(forbidden).execute(&mut connection).await.unwrap_err();
        let told = refused.to_string();
        assert!(told.contains("permission denied") || told.contains("must be owner"), "{told}");
    }
}

fn settings(url: &str, password_file: Option<&Path>) -> config::Store {
    config::Store {
        url: Secret::new(url),
        password_file: password_file.map(Path::to_owned),
        ..config::Store::default()
    }
}

fn make_roles(owner: &str, script: &Path, password_file: &Path) {
    let output = Command::new(program("psql").expect("psql comes with PostgreSQL"))
        .args(["--no-psqlrc", "--quiet", "--file"])
        .args([script.as_os_str(), owner.as_ref()])
        .env("APP_PASSWORD_FILE", password_file)
        .output()
        .expect("psql runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
