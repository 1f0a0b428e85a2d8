//! What goes wrong between us and Odoo, and what it is called.

use anyhow::{Result, bail, ensure};
use concilia_shared::secret::Secret;
use concilia_worker::domain::reason::NotReady;
use concilia_worker::odoo::classify::RpcError;
use concilia_worker::odoo::client::Client;
use concilia_worker::odoo::transport::{Args, Endpoint, Rpc};
use concilia_worker::odoo::{Odoo as _, OdooError};
use serde_json::json;

use super::{Bench, Case, case};
use crate::conformance::expect::same;

pub(super) const CASES: &[Case] = &[
    case!("error-wrong-key", wrong_key, "A wrong key is told as denied"),
    case!("error-no-database", no_database, "A database that is not there is told as set up wrong"),
    case!(
        "error-nobody-there",
        nobody_there,
        "A server that is not there is told as unavailable: nothing was done"
    ),
    case!("error-unknown", unknown, "Unknown models, methods, fields and records are each told"),
    case!(
        "error-other-company",
        other_company,
        "A company without a set-up is told as one without a provider"
    ),
];

/// Why an account cannot be worked for.
pub(super) async fn why_not(endpoint: Endpoint, company: i64) -> Result<NotReady> {
    match Client::new(endpoint, company)?.ping().await {
        Err(OdooError::NotReady(why)) => Ok(why),
        other => bail!("it is told as {other:?}"),
    }
}

async fn wrong_key(bench: &Bench) -> Result<()> {
    let key = Secret::new("0123456789abcdef0123456789abcdef01234567");
    let stranger = Endpoint { key, ..bench.bot.clone() };
    same("the trouble", why_not(stranger, bench.company).await?, NotReady::Denied)
}

async fn no_database(bench: &Bench) -> Result<()> {
    let elsewhere = Endpoint { database: "no_such_database".to_owned(), ..bench.bot.clone() };
    let why = why_not(elsewhere, bench.company).await?;
    ensure!(matches!(why, NotReady::Misconfigured { .. }), "it is told as {why:?}");
    Ok(())
}

async fn nobody_there(bench: &Bench) -> Result<()> {
    // A port that was free a moment ago.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let nowhere = Endpoint { url: format!("http://{port}"), ..bench.bot.clone() };
    let told = Client::new(nowhere, bench.company)?.ping().await;
    ensure!(matches!(told, Err(OdooError::Unavailable { .. })), "it is told as {told:?}");
    Ok(())
}

async fn unknown(bench: &Bench) -> Result<()> {
    let admin = &bench.office.rpc;
    let all = || Args::none().with("domain", json!([]));
    let told = admin.call("no.such.model", "search", all()).await;
    ensure!(told.is_err(), "an unknown model answers {told:?}");
    let told = admin.call("res.partner", "no_such_method", Args::on(&[bench.partner])).await;
    ensure!(told.is_err(), "an unknown method answers {told:?}");
    let fields = all().with("fields", json!(["no_such_field"]));
    let told = admin.call("res.partner", "search_read", fields).await;
    ensure!(told.is_err(), "an unknown field answers {told:?}");
    let gone = Args::on(&[999_999_999]).with("vals", json!({"name": "x"}));
    let told = admin.call("res.partner", "write", gone).await;
    ensure!(
        matches!(told, Err(RpcError::Missing { .. })),
        "a record that is gone answers {told:?}"
    );
    let read = Args::on(&[999_999_999]).with("fields", json!(["name"]));
    same("a read of it", admin.call("res.partner", "read", read).await?, json!([]))?;
    let bot = Rpc::new(bench.bot.clone())?;
    let run = Args::on(&[999_999_999]).context("active_model", "res.partner");
    let told = bot.call("ir.actions.server", "run", run).await;
    ensure!(
        matches!(told, Err(RpcError::Missing { .. })),
        "an action that is gone answers {told:?}"
    );
    Ok(())
}

async fn other_company(bench: &Bench) -> Result<()> {
    let why = why_not(bench.bot.clone(), 999_999_999).await?;
    same("the trouble", why, NotReady::NoProvider)
}
