//! What runs in containers, held to what the programs are: `docker-compose.yml`,
//! `deploy/Dockerfile`, `deploy/nats.conf` and `.env.example`.
//!
//! There may be no container engine where the tests run, so the files are read as data.
//! [`compose`] and [`dockerfile`] read them; [`checks`], [`variables`] and [`secrets`] are
//! rules over what was read, each tried on broken files too ([`mutations`]); [`routes`] asks
//! the real routers and servers whether the health checks hit something; [`roles`] runs the
//! worker's SQL on a real PostgreSQL.

mod checks;
mod compose;
mod dockerfile;
mod mutations;
mod roles;
mod routes;
mod secrets;
mod variables;

use std::path::Path;

/// A file of the checkout, as text.
fn read(path: &str) -> String {
    let path = concilia_tests::harness::process::checkout().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn exists(path: &str) -> bool {
    concilia_tests::harness::process::checkout().join(Path::new(path)).exists()
}
