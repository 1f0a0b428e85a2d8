//! What is not the set-up's but booking stands on: looked at, told to a person, never touched.
//!
//! The scheduled post-processing, the journal, its account, the currency. A step that repairs
//! what is ours is elsewhere ([`super::accounting`], [`super::people`]).

use serde_json::json;

use super::SetupError;
use super::records::{Records, Row, is, link, links, text};
use super::report::{Change, SetupReport};

/// Odoo's own scheduled action: it post-processes what a portal payment left behind.
pub(super) async fn look_at_cron(
    records: &Records<'_>,
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let (step, object) = ("the scheduled actions", "scheduled action that post-processes payments");
    let todo = "Switch it on in Odoo: Settings, Technical, Scheduled Actions, \"Payment: Post-process \
                transactions\".";
    let cron = records.known("payment.cron_post_process_payment_tx").ok();
    let domain = json!([["id", "=", cron]]);
    let rows = records.search(step, "ir.cron", domain, &["active"]).await?;
    match rows.first() {
        None => report.attention(object, "is missing", "Update the module payment in Odoo."),
        Some(row) if !is(row, "active") => report.attention(object, "is switched off", todo),
        Some(_) => report.line(object, Change::Unchanged),
    }
    Ok(())
}

/// The journal and the account that payments will be entered in.
pub(super) async fn look_at_books(
    records: &Records<'_>,
    (journal, account): (i64, i64),
    report: &mut SetupReport,
) -> Result<(), SetupError> {
    let step = "the journal and its account";
    let company = records.company_id;
    let read = async |model: &str, id: i64, fields: &[&str]| {
        let found = records.search(step, model, json!([["id", "=", id]]), fields).await?;
        Ok::<Option<Row>, SetupError>(found.into_iter().next())
    };
    let own = read("res.company", company, &["currency_id"]).await?;
    let currency = own.as_ref().and_then(|row| link(row, "currency_id"));
    let fields = ["code", "type", "active", "company_id", "currency_id"];
    let journal = read("account.journal", journal, &fields).await?;
    let (archived, companies) = match records.series {
        ..18 => ("deprecated", "company_id"),
        18 => ("deprecated", "company_ids"),
        _ => ("active", "company_ids"),
    };
    let fields = ["code", "currency_id", archived, companies];
    let account = read("account.account", account, &fields).await?;
    let mut wrong = Vec::new();
    if let Some(row) = &journal {
        let object = format!("journal {}", text(row, "code"));
        wrong
            .extend(wrong_journal(row, company, currency).map(|(what, todo)| (object, what, todo)));
    }
    if let Some(row) = &account {
        let object = format!("account {}", text(row, "code"));
        let gone = if archived == "active" { !is(row, "active") } else { is(row, "deprecated") };
        let of = if companies == "company_ids" {
            links(row, "company_ids").contains(&company)
        } else {
            link(row, "company_id") == Some(company)
        };
        let found = wrong_account(row, gone, of, currency);
        wrong.extend(found.map(|(what, todo)| (object, what, todo)));
    }
    if wrong.is_empty() {
        report.line("journal and account of the payment method lines", Change::Unchanged);
    }
    for (object, what, todo) in wrong {
        report.attention(object, what, todo);
    }
    Ok(())
}

const ANOTHER: &str = "Name another bank journal: `concilia-worker odoo setup --journal CODE`.";

fn wrong_journal(
    row: &Row,
    company: i64,
    currency: Option<i64>,
) -> Option<(&'static str, &'static str)> {
    let of = link(row, "currency_id");
    if link(row, "company_id") != Some(company) {
        Some(("is of another company", ANOTHER))
    } else if !is(row, "active") {
        Some(("is archived", ANOTHER))
    } else if text(row, "type") != "bank" {
        Some(("is no bank journal", ANOTHER))
    } else if of.is_some() && of != currency {
        Some(("is in another currency than the company", ANOTHER))
    } else {
        None
    }
}

fn wrong_account(
    row: &Row,
    gone: bool,
    of_company: bool,
    currency: Option<i64>,
) -> Option<(&'static str, &'static str)> {
    let todo = "Choose another in Odoo, on the bank journal's payment method lines named Ventipay.";
    let of = link(row, "currency_id");
    if gone {
        Some(("is archived", todo))
    } else if !of_company {
        Some(("is of another company", todo))
    } else if of.is_some() && of != currency {
        Some(("is in another currency than the company", todo))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: serde_json::Value) -> Row {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_a_journal_may_be_wrong_about() {
        let bank = json!({"id": 6, "type": "bank", "active": true, "company_id": [1, "A"], "currency_id": false});
        let with = |field: &str, value: serde_json::Value| {
            let mut bank = bank.clone();
            bank[field] = value;
            wrong_journal(&row(bank), 1, Some(45)).map(|(what, _)| what)
        };
        assert_eq!(with("currency_id", json!([45, "CLP"])), None);
        assert_eq!(
            with("currency_id", json!([1, "USD"])),
            Some("is in another currency than the company")
        );
        assert_eq!(with("company_id", json!([2, "B"])), Some("is of another company"));
        assert_eq!(with("active", json!(false)), Some("is archived"));
        assert_eq!(with("type", json!("cash")), Some("is no bank journal"));
    }

    #[test]
    fn what_an_account_may_be_wrong_about() {
        let account = row(json!({"id": 9, "currency_id": false}));
        let what = |gone, of| wrong_account(&account, gone, of, Some(45)).map(|(what, _)| what);
        assert_eq!(what(false, true), None);
        assert_eq!(what(true, true), Some("is archived"));
        assert_eq!(what(false, false), Some("is of another company"));
        let dollars = row(json!({"id": 9, "currency_id": [1, "USD"]}));
        assert!(wrong_account(&dollars, false, true, Some(45)).is_some());
        assert!(wrong_account(&dollars, false, true, Some(1)).is_none());
    }
}
