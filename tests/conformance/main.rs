//! The conformance suite against the simulated Odoo: every series, both transports.
//!
//! The same cases run against real servers with `deploy/conformance`; where the two differ, the
//! simulator is wrong.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where and stop")]

use concilia_shared::config::Transport;
use concilia_shared::secret::Secret;
use concilia_tests::conformance::report::Table;
use concilia_tests::conformance::{Options, run};
use concilia_tests::odoo::{Series, SimOdoo, SimOdooOptions};

fn options(odoo: &SimOdoo, transport: Transport) -> Options {
    Options {
        url: odoo.url(),
        database: odoo.database.clone(),
        login: "admin".to_owned(),
        key: Secret::new("admin-key"),
        transport,
        company: None,
        only: Vec::new(),
        pause_bot: false,
    }
}

async fn every_case_passes(series: Series, transport: Transport) -> Table {
    let odoo = SimOdoo::start(SimOdooOptions::new(series)).await.unwrap();
    // Spanish of Chile is installed, and the labels of our own models are checked in it too.
    odoo.edit(|tx| tx.update("res.lang", 2, |row| row.set("active", true)).unwrap());
    let options = options(&odoo, transport);
    let table = match run(&options, |_| {}).await {
        Ok(table) => table,
        Err(error) => panic!("{error:#}"),
    };
    let rows: Vec<String> = table.rows.iter().map(ToString::to_string).collect();
    assert!(table.all_pass(), "\n{}\n{}", rows.join("\n"), table.summary());
    table
}

#[tokio::test(flavor = "multi_thread")]
async fn odoo_17_over_json_rpc() {
    every_case_passes(Series::V17, Transport::Jsonrpc).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odoo_18_over_json_rpc() {
    every_case_passes(Series::V18, Transport::Jsonrpc).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odoo_19_over_json_rpc() {
    every_case_passes(Series::V19, Transport::Jsonrpc).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odoo_19_over_json_2() {
    every_case_passes(Series::V19, Transport::Json2).await;
}
