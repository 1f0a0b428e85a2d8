//! The bot and its group: who may run the actions, and nobody else.
//!
//! **The bot's rights**: Internal User (`base.group_user`) and our group, nothing else. By itself
//! it reads users, partners, companies, products and currencies, as every internal user does,
//! and no order, transaction, invoice, payment, provider, employee or setting; it may change
//! none of them (`odoo-api-2.md` 1.1). What it does, it does by running the server actions,
//! which only members of the group may. The group grants no right of its own, has no other
//! member and is implied by no other group, because it books money.

use rand::RngExt;
use serde_json::json;

use super::records::{Records, id, is, links, text};
use super::report::{Change, Repair, SetupReport};
use super::{SetupError, SetupRequest};

pub(super) const GROUP_NAME: &str = "Concilia bot";

/// The bot's address when none is given: the domain is reserved and reaches nobody.
const BOT_EMAIL: &str = "concilia-bot@concilia.invalid";

/// The group the actions carry.
pub(super) async fn ensure_group(
    records: &mut Records<'_>,
    report: &mut SetupReport,
) -> Result<i64, SetupError> {
    let (step, name, model) = ("the group", "group_bot", "res.groups");
    let object = format!("group {GROUP_NAME}");
    if let Some(row) = records.ours(step, name, model, &["name"]).await? {
        report.line(object, Change::Unchanged);
        return Ok(id(&row));
    }
    let values = json!({"name": GROUP_NAME});
    let group = records.create(step, model, values).await?;
    records.bind(step, name, model, group).await?;
    report.line(object, Change::Created);
    Ok(group)
}

/// The bot, a member of the group. An existing login keeps its other groups.
pub(super) async fn ensure_bot(
    records: &mut Records<'_>,
    request: &SetupRequest,
    group: i64,
    report: &mut SetupReport,
) -> Result<i64, SetupError> {
    let (step, name, model) = ("the bot", "user_bot", "res.users");
    let groups = records.groups_field();
    let login = &request.bot_login;
    let object = format!("bot {login}");
    let email = request.bot_email.as_deref().unwrap_or(BOT_EMAIL);
    let domain = json!([["login", "=", login]]);
    let fields = ["active", "email", "share", groups];
    let rows = records.search(step, model, domain, &fields).await?;
    let bound = records.ours(step, name, model, &["login"]).await?;
    let Some(row) = rows.first() else {
        let password = match &request.bot_password {
            Some(password) => password.expose().to_owned(),
            None => random_password(),
        };
        let internal = records.known("base.group_user")?;
        let company = records.company_id;
        let values = json!({
            "name": "Concilia", "login": login, "email": email, "password": password,
            "company_id": company, "company_ids": [[6, 0, [company]]],
            groups: [[6, 0, [internal, group]]],
        });
        let bot = records.create(step, model, values).await?;
        records.bind(step, name, model, bot).await?;
        report.line(object, Change::Created);
        return Ok(bot);
    };
    let bot = id(row);
    if is(row, "share") {
        return Err(SetupError::Refused(format!(
            "The login {login} is a portal user of Odoo's: choose another odoo.login for the bot."
        )));
    }
    let mut values = serde_json::Map::new();
    let mut repairs = Vec::new();
    if !links(row, groups).contains(&group) {
        values.insert(groups.to_owned(), json!([[4, group]]));
        repairs.push(Repair::new("is not in the group", "put into the group, an existing login"));
    }
    if !is(row, "active") {
        values.insert("active".to_owned(), json!(true));
        repairs.push(Repair::new("is archived", "made active again"));
    }
    if text(row, "email").is_empty() {
        values.insert("email".to_owned(), json!(email));
        repairs.push(Repair::new("has no e-mail address", "given an e-mail address"));
    }
    if !values.is_empty() {
        records.write(step, model, bot, values.into()).await?;
    }
    if bound.is_none_or(|row| id(&row) != bot) {
        records.bind(step, name, model, bot).await?;
    }
    report.line(object.clone(), Change::of(repairs));
    let extra = extra_groups(records, &links(row, groups), group).await?;
    if !extra.is_empty() {
        let wrong = format!("has more groups than it needs ({})", extra.join(", "));
        let todo = format!(
            "Take them away in Odoo, under Settings, Users: it needs Internal User and {GROUP_NAME} only."
        );
        report.attention(object, wrong, todo);
    }
    Ok(bot)
}

/// Names of the groups a user has beyond Internal User, what that implies, and ours.
pub(super) async fn extra_groups(
    records: &Records<'_>,
    held: &[i64],
    group: i64,
) -> Result<Vec<String>, SetupError> {
    let fields = ["full_name", "implied_ids"];
    let all = records.search("the groups", "res.groups", json!([]), &fields).await?;
    let mut allowed = vec![group];
    let mut open = vec![records.known("base.group_user")?];
    while let Some(next) = open.pop() {
        if !allowed.contains(&next) {
            allowed.push(next);
            let row = all.iter().find(|row| id(row) == next);
            open.extend(row.map(|row| links(row, "implied_ids")).unwrap_or_default());
        }
    }
    let beyond = all.iter().filter(|row| held.contains(&id(row)) && !allowed.contains(&id(row)));
    Ok(beyond.map(|row| text(row, "full_name").to_owned()).collect())
}

/// Takes everybody but the bot out of the group, and the group out of every other group.
pub(super) async fn close_group(
    records: &mut Records<'_>,
    group: i64,
    bot: i64,
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let (step, model) = ("the group's members", "res.groups");
    let users = records.users_field();
    let mut repairs = Vec::new();
    let implying = json!([["implied_ids", "in", [group]], ["id", "!=", group]]);
    for row in records.search(step, model, implying, &["name"]).await? {
        let values = json!({"implied_ids": [[3, group]]});
        records.write(step, model, id(&row), values).await?;
        let name = text(&row, "name");
        repairs.push(Repair::new(
            format!("is part of the group {name}"),
            format!("taken out of the group {name}"),
        ));
    }
    let domain = json!([["id", "=", group]]);
    let rows = records.search(step, model, domain, &[users]).await?;
    let mut others: Vec<i64> = rows.first().map(|row| links(row, users)).unwrap_or_default();
    others.retain(|user| *user != bot);
    if !others.is_empty() {
        let domain = json!([["id", "in", others]]);
        for row in records.search(step, "res.users", domain, &["login"]).await? {
            let login = text(&row, "login");
            repairs.push(Repair::new(format!("has {login} in it too"), format!("rid of {login}")));
        }
        let values = json!({users: [[6, 0, [bot]]]});
        records.write(step, model, group, values).await?;
    }
    report
        .line(format!("membership of the group {GROUP_NAME} (the bot alone)"), Change::of(repairs));
    Ok(())
}

/// 192 bits that nobody learns: the bot logs in with an API key.
fn random_password() -> String {
    let mut random = rand::rng();
    let (high, low): (u64, u128) = (random.random(), random.random());
    format!("{high:016x}{low:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_bots_share_a_password() {
        let (one, other) = (random_password(), random_password());
        assert_eq!(one.len(), 48);
        assert_ne!(one, other);
    }
}
