//! The set-up: twice, after hand edits, after removal. These spoil it and put it right again.

use anyhow::{Context as _, Result, ensure};
use concilia_shared::money::{Currency, Money};
use concilia_worker::domain::name::ObjectId;
use concilia_worker::domain::observe::{Command, MakeInvoice};
use concilia_worker::domain::reason::NotReady;
use concilia_worker::domain::record::Customer;
use concilia_worker::odoo::client::Client;
use concilia_worker::odoo::setup::{Change, check, plan, remove};
use concilia_worker::odoo::{Odoo as _, OdooError, actions};
use serde_json::json;

use super::trouble::why_not;
use super::{Bench, Case, case};
use crate::conformance::expect::{already, booked, same};

pub(super) const CASES: &[Case] = &[
    case!("setup-twice", twice, "A second set-up changes nothing"),
    case!(
        "setup-edited-action",
        edited_action,
        "An action edited by hand is told, runs for nobody, and is put right"
    ),
    case!(
        "setup-archived-bot",
        archived_bot,
        "An archived bot is denied, and comes back with its key"
    ),
    case!(
        "setup-removed-action",
        removed_action,
        "An action that was removed is told, and made again"
    ),
    case!(
        "setup-disabled-provider",
        disabled_provider,
        "A disabled provider is told, and enabled again with its method"
    ),
    case!("setup-method-archived", archived_method, "An archived payment method is put right"),
    case!(
        "setup-method-orphaned",
        orphaned_method,
        "A method no enabled provider offers is given to this one, and made active"
    ),
    case!(
        "setup-no-account",
        no_account,
        "A method line without its account is told, and given it"
    ),
    case!("setup-removed-line", removed_line, "A method line that was removed is made again"),
    case!("setup-intruder", intruder, "Somebody else in the bot's group is taken out"),
    case!("setup-implied", implied, "A group that implies the bot's loses it"),
    case!(
        "setup-action-open",
        action_open,
        "An action without its group, which 19 opens to everybody, gets it back"
    ),
    case!("setup-plan", planned, "A plan names what would be done, and does nothing"),
    case!(
        "setup-check",
        checked,
        "A check finds each drift by its name: actions, rights, method, line, provider"
    ),
    case!(
        "setup-remove",
        removed,
        "Removed, the set-up is gone and the payments stay; set up again, they are found"
    ),
];

/// One set-up puts one object right.
async fn repaired(bench: &Bench, object: &str) -> Result<()> {
    let report = bench.set_up(bench.company).await?;
    let touched: Vec<&str> = report
        .lines
        .iter()
        .filter(|line| line.change != Change::Unchanged)
        .map(|line| line.object.as_str())
        .collect();
    ensure!(touched.len() == 1 && touched[0].contains(object), "the set-up touched {touched:?}");
    bench.client.ping().await?;
    Ok(())
}

async fn told(bench: &Bench, expected: NotReady) -> Result<()> {
    same("the trouble", why_not(bench.bot.clone(), bench.company).await?, expected)
}

/// The same of an action: *record* and *invoice* stop nobody but themselves.
async fn told_of(bench: &Bench, action: actions::Action, expected: NotReady) -> Result<()> {
    if ![actions::RECORD, actions::INVOICE].contains(&action) {
        return told(bench, expected).await;
    }
    let client = Client::new(bench.bot.clone(), bench.company)?;
    client.ping().await?;
    if action == actions::INVOICE {
        let answer = client.perform(&[an_invoice()?]).await;
        return same("the trouble of invoice", answer, Err(OdooError::NotReady(expected)));
    }
    let record = super::records::sample(bench, &expected_word(&expected))?;
    let answer = client.record(&[record]).await;
    same("the trouble of record", answer, Err(OdooError::NotReady(expected)))
}

/// One that is never made: the action is not ours when it is asked for.
fn an_invoice() -> Result<Command> {
    Ok(Command::MakeInvoice(Box::new(MakeInvoice {
        invoice: ObjectId::parse("in_conformance").context("an id")?,
        customer: Customer::default(),
        product: "none".to_owned(),
        amount: Money::new(1, Currency::Clp),
        currency: "CLP".to_owned(),
        date: jiff::civil::date(2026, 11, 22),
        post: false,
    })))
}

fn expected_word(why: &NotReady) -> String {
    format!("{why:?}").to_lowercase()
}

async fn twice(bench: &Bench) -> Result<()> {
    let report = bench.set_up(bench.company).await?;
    ensure!(report.is_unchanged(), "it changed something: {report}");
    bench.client.ping().await?;
    Ok(())
}

async fn edited_action(bench: &Bench) -> Result<()> {
    for action in actions::ALL {
        let id = bench.office.ours(action.external_id).await?;
        let values = json!({"code": format!("{}\n# edited", action.text())});
        bench.office.write("ir.actions.server", id, values).await?;
        told_of(bench, action, NotReady::ActionDiffers).await?;
        repaired(bench, "server action").await?;
    }
    Ok(())
}

async fn archived_bot(bench: &Bench) -> Result<()> {
    let bot = bench.office.ours("user_bot").await?;
    bench.office.write("res.users", bot, json!({"active": false})).await?;
    told(bench, NotReady::Denied).await?;
    let report = bench.set_up(bench.company).await?;
    ensure!(!report.is_unchanged(), "nothing was put right");
    bench.client.ping().await?;
    Ok(())
}

async fn removed_action(bench: &Bench) -> Result<()> {
    for action in actions::ALL {
        let id = bench.office.ours(action.external_id).await?;
        bench.office.unlink("ir.actions.server", id).await?;
        told_of(bench, action, NotReady::ActionMissing).await?;
        repaired(bench, "server action").await?;
    }
    Ok(())
}

async fn disabled_provider(bench: &Bench) -> Result<()> {
    let (provider, method) = bench.provider_of(&bench.office).await?;
    bench.office.write("payment.provider", provider, json!({"state": "disabled"})).await?;
    told(bench, NotReady::ProviderDisabled).await?;
    let report = bench.set_up(bench.company).await?;
    ensure!(!report.is_unchanged(), "nothing was put right");
    bench.client.ping().await?;
    let row = bench.office.read("payment.method", method, &["active"]).await?;
    same("the method", &row["active"], &json!(true))
}

async fn archived_method(bench: &Bench) -> Result<()> {
    let method = bench.office.ours("method_ventipay").await?;
    bench.office.write("payment.method", method, json!({"active": false})).await?;
    repaired(bench, "payment method").await
}

/// Odoo archives a method with its last provider, and activates none before a provider has it.
async fn orphaned_method(bench: &Bench) -> Result<()> {
    let (provider, method) = bench.provider_of(&bench.office).await?;
    let mut ours = vec![(bench.company, provider)];
    if let Some(second) = bench.second_if_made() {
        ours.push((second, bench.provider_of(&bench.office.of(second)).await?.0));
    }
    for (company, one) in &ours {
        let office = bench.office.of(*company);
        office.write("payment.provider", *one, json!({"state": "disabled"})).await?;
    }
    let detached = json!({"provider_ids": [[3, provider]]});
    bench.office.write("payment.method", method, detached).await?;
    let put_right = bench.set_up(bench.company).await;
    if let Some(second) = bench.second_if_made() {
        bench.set_up(second).await?;
    }
    ensure!(!put_right?.is_unchanged(), "nothing was put right");
    bench.client.ping().await?;
    let row = bench.office.read("payment.method", method, &["active", "provider_ids"]).await?;
    same("the method", &row["active"], &json!(true))?;
    let offers = row["provider_ids"].as_array().is_some_and(|all| all.contains(&json!(provider)));
    ensure!(offers, "the method is not this provider's");
    Ok(())
}

fn line(bench: &Bench) -> String {
    format!("method_line_in_company_{}", bench.company)
}

async fn no_account(bench: &Bench) -> Result<()> {
    let line = bench.office.ours(&line(bench)).await?;
    let values = json!({"payment_account_id": false});
    bench.office.write("account.payment.method.line", line, values).await?;
    told(bench, NotReady::NoProvider).await?;
    repaired(bench, "inbound payment method line").await
}

async fn removed_line(bench: &Bench) -> Result<()> {
    // A line that payments stand on is kept by Odoo without its journal; the other goes.
    let name = format!("method_line_out_company_{}", bench.company);
    let line = bench.office.ours(&name).await?;
    bench.office.unlink("account.payment.method.line", line).await?;
    repaired(bench, "outbound payment method line").await
}

async fn intruder(bench: &Bench) -> Result<()> {
    let group = bench.office.ours("group_bot").await?;
    let human = json!([["login", "=", bench.office.rpc.endpoint().login]]);
    let human = bench.office.first("res.users", human).await?;
    let users = if bench.series >= 19 { "user_ids" } else { "users" };
    bench.office.write("res.groups", group, json!({users: [[4, human]]})).await?;
    repaired(bench, "bot alone").await
}

async fn implied(bench: &Bench) -> Result<()> {
    let group = bench.office.ours("group_bot").await?;
    let other = json!({"name": format!("Conformance {}", bench.run), "implied_ids": [[4, group]]});
    let other = bench.office.create("res.groups", other).await?;
    let tried = repaired(bench, "bot alone").await;
    bench.office.unlink("res.groups", other).await?;
    tried
}

async fn action_open(bench: &Bench) -> Result<()> {
    let groups = if bench.series >= 19 { "group_ids" } else { "groups_id" };
    let book = bench.office.ours(actions::BOOK.external_id).await?;
    bench.office.write("ir.actions.server", book, json!({groups: [[5]]})).await?;
    repaired(bench, "server action").await?;
    let row = bench.office.read("ir.actions.server", book, &[groups]).await?;
    let group = bench.office.ours("group_bot").await?;
    same("its groups", &row[groups], &json!([group]))
}

async fn planned(bench: &Bench) -> Result<()> {
    let request = bench.request(bench.company);
    let nothing = plan(&bench.office.rpc, &request).await?;
    ensure!(nothing.is_unchanged(), "it would change something: {nothing}");
    let (provider, _) = bench.provider_of(&bench.office).await?;
    bench.office.write("payment.provider", provider, json!({"state": "disabled"})).await?;
    let something = plan(&bench.office.rpc, &request).await;
    let row = bench.office.read("payment.provider", provider, &["state"]).await;
    bench.set_up(bench.company).await?;
    ensure!(!something?.is_unchanged(), "it would change nothing");
    same("the provider after the plan", &row?["state"], &json!("disabled"))?;
    bench.client.ping().await?;
    Ok(())
}

/// What a check finds.
async fn findings(bench: &Bench) -> Result<Vec<String>> {
    Ok(check(&bench.office.rpc, &bench.request(bench.company)).await?.findings())
}

async fn checked(bench: &Bench) -> Result<()> {
    let before = findings(bench).await?;
    let book = bench.office.ours(actions::BOOK.external_id).await?;
    let (provider, method) = bench.provider_of(&bench.office).await?;
    let line = bench.office.ours(&line(bench)).await?;
    let groups = if bench.series >= 19 { "group_ids" } else { "groups_id" };
    for (what, model, id, values) in [
        ("an edited action", "ir.actions.server", book, json!({"code": "x = 1"})),
        ("an open action", "ir.actions.server", book, json!({groups: [[5]]})),
        ("an archived method", "payment.method", method, json!({"active": false})),
        (
            "a line without account",
            "account.payment.method.line",
            line,
            json!({"payment_account_id": false}),
        ),
        ("a disabled provider", "payment.provider", provider, json!({"state": "disabled"})),
    ] {
        bench.office.write(model, id, values).await?;
        let found = findings(bench).await;
        bench.set_up(bench.company).await?;
        let found = found?;
        ensure!(found.len() > before.len(), "{what} is not found: {found:?}");
        let clear = found.iter().all(|one| one.ends_with('.') && one.len() > 20);
        ensure!(clear, "{what} is told as {found:?}");
    }
    same("what is found in the end", findings(bench).await?, before)
}

async fn removed(bench: &Bench) -> Result<()> {
    // With another company left, the bot and the models stay.
    bench.second_company().await?;
    let (id, invoice) = bench.invoiced("removed", 1_500).await?;
    let order = bench.see_order("removed").await?;
    let book = bench.book("removed", &order, 1_500);
    let booking = booked(bench.perform(&book).await?)?;
    let request = bench.request(bench.company);
    let plan = remove(&bench.office.rpc, &request, true).await?;
    ensure!(!plan.is_unchanged(), "nothing would be removed");
    bench.client.ping().await?;
    let gone = remove(&bench.office.rpc, &request, false).await;
    let trouble = why_not(bench.bot.clone(), bench.company).await;
    let left = bench.payments_of(id).await;
    bench.set_up(bench.company).await?;
    ensure!(!gone?.is_unchanged(), "nothing was removed");
    let trouble = trouble?;
    let cannot = matches!(trouble, NotReady::NoProvider | NotReady::ProviderDisabled);
    ensure!(cannot, "it is told as {trouble:?}");
    same("the payments after it", left?, 1)?;
    bench.must_be_paid(invoice).await?;
    let found = already(bench.perform(&book).await?)?;
    same("the transaction", found.transaction, booking.transaction)
}
