//! What the bot may do, which is its actions and nothing else that matters; and what others may
//! not do with them (`odoo-api-2.md` 1.1).

use anyhow::{Context as _, Result, bail, ensure};
use concilia_shared::config::Transport;
use concilia_shared::secret::Secret;
use concilia_worker::odoo::actions;
use concilia_worker::odoo::classify::RpcError;
use concilia_worker::odoo::transport::{Args, Endpoint, Rpc};
use serde_json::{Value, json};

use super::{Bench, Case, case};
use crate::conformance::expect::same;

pub(super) const CASES: &[Case] = &[
    case!(
        "bot-reads-nothing",
        reads_nothing,
        "The bot cannot read orders, invoices, payments, providers, employees, settings or our actions"
    ),
    case!(
        "bot-writes-nothing",
        writes_nothing,
        "The bot cannot write or create users, partners, documents, providers, settings or actions"
    ),
    case!(
        "bot-other-actions",
        other_actions,
        "The bot cannot run other server actions, scheduled ones, or private methods"
    ),
    case!(
        "bot-own-actions",
        own_actions,
        "The bot is offered its own actions, and a password of nobody's"
    ),
    case!("others-internal", internal, "An employee who is no bot cannot run our actions"),
    case!("others-portal", portal, "A portal customer cannot run our actions"),
];

fn bot(bench: &Bench) -> Result<Rpc> {
    Ok(Rpc::new(bench.bot.clone())?)
}

/// The call must be refused for want of rights. What a server does not have cannot be read
/// either (`hr.employee` without the module).
async fn denied(rpc: &Rpc, model: &str, method: &str, args: Args) -> Result<()> {
    match rpc.call(model, method, args).await {
        Ok(answer) => bail!("{model}.{method} is allowed and answers {}", short(&answer)),
        Err(RpcError::Denied { .. }) => Ok(()),
        Err(RpcError::Fault { message, .. })
            if message.contains("doesn't exist") || message.contains("does not exist") =>
        {
            Ok(())
        }
        Err(RpcError::Missing { .. } | RpcError::Misconfigured { .. })
            if model.starts_with("hr.") =>
        {
            Ok(())
        }
        Err(other) => bail!("{model}.{method} is refused in another way: {other}"),
    }
}

fn short(answer: &Value) -> String {
    answer.to_string().chars().take(80).collect()
}

fn search() -> Args {
    Args::none().with("domain", json!([])).with("fields", json!(["id"])).with("limit", 1)
}

async fn reads_nothing(bench: &Bench) -> Result<()> {
    let bot = bot(bench)?;
    for model in [
        "sale.order",
        "account.move",
        "account.move.line",
        "account.payment",
        "account.journal",
        "payment.provider",
        "payment.transaction",
        "ir.config_parameter",
        "ir.model.data",
        "ir.model",
        "ir.cron",
        "hr.employee",
        "hr.payslip",
        "hr.contract",
        "payment.token",
        "x_ventipay_event",
        "x_ventipay_checkout",
        "x_ventipay_dispute",
        "x_ventipay_subscription",
    ] {
        denied(&bot, model, "search_read", search()).await?;
    }
    let action = bench.office.ours(actions::BOOK.external_id).await?;
    let code = Args::on(&[action]).with("fields", json!(["code"]));
    denied(&bot, "ir.actions.server", "read", code).await?;
    let users = Args::none().with("domain", json!([])).with("fields", json!(["login", "password"]));
    let users = bot.call("res.users", "search_read", users).await;
    if let Ok(users) = users {
        let rows = users.as_array().cloned().unwrap_or_default();
        let told =
            rows.iter().any(|row| row["password"].as_str().is_some_and(|text| !text.is_empty()));
        ensure!(!told, "the bot reads passwords");
    }
    Ok(())
}

async fn writes_nothing(bench: &Bench) -> Result<()> {
    let bot = bot(bench)?;
    let administrator = bench
        .office
        .first("res.users", json!([["login", "=", bench.office.rpc.endpoint().login]]))
        .await?;
    let provider = bench.office.ours(&format!("provider_company_{}", bench.company)).await?;
    let action = bench.office.ours(actions::BOOK.external_id).await?;
    let order = bench.quotation("rights", 1_000).await?;
    let company = bench.company;
    let transaction = bench.transaction_values("rights-x").await?;
    let group = bench.office.ours("group_bot").await?;
    for (model, id, values) in [
        ("res.users", administrator, json!({"name": "x"})),
        ("res.groups", group, json!({"name": "x"})),
        ("res.partner", bench.partner, json!({"name": "x"})),
        ("res.company", company, json!({"name": "x"})),
        ("sale.order", order, json!({"client_order_ref": "x"})),
        ("payment.provider", provider, json!({"state": "enabled"})),
        ("ir.actions.server", action, json!({"code": "x = 1"})),
        ("product.product", bench.product, json!({"name": "x"})),
    ] {
        denied(&bot, model, "write", Args::on(&[id]).with("vals", values)).await?;
    }
    for (model, values) in [
        ("res.users", json!({"name": "x", "login": bench.reference("intruder")})),
        ("res.partner", json!({"name": "x"})),
        ("account.move", json!({"move_type": "out_invoice"})),
        ("payment.transaction", transaction),
        ("ir.config_parameter", json!({"key": bench.reference("key"), "value": "x"})),
    ] {
        denied(&bot, model, "create", Args::none().with("vals_list", json!([values]))).await?;
    }
    denied(&bot, "sale.order", "unlink", Args::on(&[order])).await
}

/// An action of somebody else's, open to administrators only.
async fn foreign_action(bench: &Bench) -> Result<i64> {
    let model = bench.office.first("ir.model", json!([["model", "=", "res.partner"]])).await?;
    let administrators = bench.office.external("base", "group_system").await?;
    let groups = if bench.series >= 19 { "group_ids" } else { "groups_id" };
    let values = json!({
        "name": format!("Conformance {}", bench.run), "model_id": model, "state": "code", "code": "x = 1",
        groups: [[6, 0, [administrators]]],
    });
    bench.office.create("ir.actions.server", values).await
}

async fn other_actions(bench: &Bench) -> Result<()> {
    let bot = bot(bench)?;
    let action = foreign_action(bench).await?;
    let args = Args::on(&[action]).context("active_model", "res.partner");
    let tried = denied(&bot, "ir.actions.server", "run", args).await;
    bench.office.unlink("ir.actions.server", action).await?;
    tried?;
    let cron = bench.office.rows("ir.cron", json!([]), &["id"]).await?;
    let cron =
        cron.first().and_then(|row| row["id"].as_i64()).context("there is no scheduled action")?;
    denied(&bot, "ir.cron", "method_direct_trigger", Args::on(&[cron])).await?;
    denied(&bot, "payment.transaction", "_set_done", Args::on(&[1])).await?;
    let set = Args::none().with("key", "database.uuid").with("value", "x");
    denied(&bot, "ir.config_parameter", "set_param", set).await
}

async fn own_actions(bench: &Bench) -> Result<()> {
    let bot = bot(bench)?;
    let args = Args::none().with("model_name", actions::MODEL);
    let bound = bot.call("ir.actions.actions", "get_bindings", args).await?;
    let rows = bound["action"].as_array().cloned().unwrap_or_default();
    for action in actions::ALL {
        let offered = rows.iter().filter(|row| row["name"] == action.name).count();
        same(action.name, offered, 1)?;
    }
    let empty =
        Endpoint { key: Secret::new("admin"), transport: Transport::Jsonrpc, ..bench.bot.clone() };
    same("a guessed password", Rpc::new(empty)?.check_login().await?, false)
}

/// Somebody of a group of Odoo's tries to run our actions by their ids.
async fn stranger(bench: &Bench, name: &str, group: &str, portal: bool) -> Result<()> {
    let (login, password) = bench.employee(name, "base", group).await?;
    let user = bench.office.first("res.users", json!([["login", "=", login]])).await?;
    let share = bench.office.read("res.users", user, &["share"]).await?;
    same("a portal user", &share["share"], &json!(portal))?;
    let endpoint = Endpoint {
        login,
        key: Secret::new(&password),
        transport: Transport::Jsonrpc,
        ..bench.bot.clone()
    };
    let rpc = Rpc::new(endpoint)?;
    for action in actions::ALL {
        let id = bench.office.ours(action.external_id).await?;
        let request =
            json!({"protocol": actions::PROTOCOL, "company_id": bench.company, "items": []});
        let args =
            Args::on(&[id]).context("active_model", actions::MODEL).context("concilia", request);
        denied(&rpc, "ir.actions.server", "run", args).await?;
    }
    Ok(())
}

async fn internal(bench: &Bench) -> Result<()> {
    stranger(bench, "employee", "group_user", false).await
}

async fn portal(bench: &Bench) -> Result<()> {
    stranger(bench, "visitor", "group_portal", true).await
}
