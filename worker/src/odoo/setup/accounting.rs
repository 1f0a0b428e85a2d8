//! Where the money sits until Ventipay pays it out: the clearing account, and the two lines of
//! the bank journal that lead there.
//!
//! Without an account on the line Odoo enters nothing, or into the shared outstanding account
//! (`odoo-api.md` 1, 2). An account or journal a person chose instead is kept.

use serde_json::{Map, Value, json};

use super::records::{Records, Row, id, is, link, text};
use super::report::{Change, Repair, SetupReport};
use super::{SetupError, SetupRequest};
use crate::odoo::transport::Args;

/// Codes tried for the clearing account: free ones of the Chilean chart, beside the bank's.
const CODES: [&str; 10] = [
    "110490", "110491", "110492", "110493", "110494", "110495", "110496", "110497", "110498",
    "110499",
];

/// Its name in the books, as a Chilean accountant reads it.
const ACCOUNT_NAME: &str = "Ventipay por liquidar";

/// The company's clearing account: a current asset that can be reconciled.
pub(super) async fn ensure_clearing_account(
    records: &mut Records<'_>,
    report: &mut SetupReport,
) -> Result<i64, SetupError> {
    let (step, model) = ("the clearing account", "account.account");
    let name = format!("account_clearing_company_{}", records.company_id);
    let fields = ["code", "name", "reconcile"];
    if let Some(row) = records.ours(step, &name, model, &fields).await? {
        let object = format!("clearing account {} {}", text(&row, "code"), text(&row, "name"));
        if is(&row, "reconcile") {
            report.line(object, Change::Unchanged);
        } else {
            let values = json!({"reconcile": true});
            records.write(step, model, id(&row), values).await?;
            let repair = Repair::new("cannot be reconciled", "made reconcilable");
            report.line(object, Change::of(vec![repair]));
        }
        return Ok(id(&row));
    }
    let company = records.company_id;
    let (of_company, owner) = if records.series >= 18 {
        (json!(["company_ids", "in", [company]]), ("company_ids", json!([[6, 0, [company]]])))
    } else {
        (json!(["company_id", "=", company]), ("company_id", json!(company)))
    };
    let domain = json!([["code", "in", CODES], of_company]);
    let taken = records.search(step, model, domain, &["code"]).await?;
    let code = free_code(&taken)?;
    let mut values = Map::new();
    values.insert("code".to_owned(), json!(code));
    values.insert("name".to_owned(), json!(ACCOUNT_NAME));
    values.insert("account_type".to_owned(), json!("asset_current"));
    values.insert("reconcile".to_owned(), json!(true));
    values.insert(owner.0.to_owned(), owner.1);
    let account = records.create(step, model, values.into()).await?;
    records.bind(step, &name, model, account).await?;
    report.line(format!("clearing account {code} {ACCOUNT_NAME}"), Change::Created);
    Ok(account)
}

fn free_code(taken: &[Row]) -> Result<&'static str, SetupError> {
    let is_free = |code: &&str| !taken.iter().any(|row| text(row, "code") == *code);
    CODES.iter().copied().find(is_free).ok_or_else(|| {
        SetupError::Refused(
            "The account codes 110490 to 110499 are all taken: free one in the chart of accounts and run this \
             again."
                .to_owned(),
        )
    })
}

/// A method line for money in and one for money out, on the bank journal. Answers the journal and
/// the account that money in is entered in.
pub(super) async fn ensure_lines(
    records: &mut Records<'_>,
    request: &SetupRequest,
    provider: i64,
    account: i64,
    report: &mut SetupReport,
) -> Result<(i64, i64), SetupError> {
    let step = "the payment method lines";
    let mut used = (0, account);
    let journal = bank_journal(records, request).await?;
    let domain = json!([["code", "=", "manual"], ["payment_type", "in", ["inbound", "outbound"]]]);
    let methods = records.search(step, "account.payment.method", domain, &["payment_type"]).await?;
    for direction in ["inbound", "outbound"] {
        let method = methods.iter().find(|row| text(row, "payment_type") == direction);
        let Some(method) = method.map(id) else {
            return Err(SetupError::Refused(format!(
                "Odoo has no manual {direction} payment method: is the module account whole?"
            )));
        };
        let line = Line {
            direction,
            method,
            // Odoo looks for a provider's line among the inbound ones only, refunds included.
            provider: (direction == "inbound").then_some(provider),
            account,
            journal: id(&journal),
            journal_chosen: request.journal_code.is_some(),
        };
        let (change, journal_used, account_used) = ensure_line(records, &line).await?;
        if direction == "inbound" {
            used = (journal_used, account_used);
        }
        let object =
            format!("{direction} payment method line on journal {}", text(&journal, "code"));
        report.line(object, change);
    }
    Ok(used)
}

/// A method line as it must be.
struct Line {
    direction: &'static str,
    method: i64,
    provider: Option<i64>,
    account: i64,
    journal: i64,
    /// The journal was asked for: a line on another one is moved.
    journal_chosen: bool,
}

async fn ensure_line(
    records: &mut Records<'_>,
    line: &Line,
) -> Result<(Change, i64, i64), SetupError> {
    let (step, model) = ("the payment method lines", "account.payment.method.line");
    let short = if line.direction == "inbound" { "in" } else { "out" };
    let name = format!("method_line_{short}_company_{}", records.company_id);
    let fields = ["journal_id", "payment_provider_id", "payment_account_id"];
    let Some(row) = records.ours(step, &name, model, &fields).await? else {
        let mut values = json!({
            "name": "Ventipay", "journal_id": line.journal, "payment_method_id": line.method,
            "payment_account_id": line.account,
        });
        if let Some(provider) = line.provider {
            values["payment_provider_id"] = json!(provider);
        }
        let created = records.create(step, model, values).await?;
        records.bind(step, &name, model, created).await?;
        return Ok((Change::Created, line.journal, line.account));
    };
    let (values, repairs) = repairs(&row, line);
    let kept = |field: &str| link(&row, field).filter(|_| !values.contains_key(field));
    let after = |field: &str, wanted: i64| kept(field).unwrap_or(wanted);
    let (journal, account) =
        (after("journal_id", line.journal), after("payment_account_id", line.account));
    if !values.is_empty() {
        records.write(step, model, id(&row), values.into()).await?;
    }
    Ok((Change::of(repairs), journal, account))
}

/// What keeps an existing line from working, and what to write.
fn repairs(row: &Row, line: &Line) -> (Map<String, Value>, Vec<Repair>) {
    let mut values = Map::new();
    let mut repairs = Vec::new();
    let journal = link(row, "journal_id");
    if journal.is_none() || (line.journal_chosen && journal != Some(line.journal)) {
        values.insert("journal_id".to_owned(), json!(line.journal));
        let wrong = if journal.is_none() { "is on no journal" } else { "is on another journal" };
        repairs.push(Repair::new(wrong, "put on the journal"));
    }
    if line.provider.is_some() && link(row, "payment_provider_id") != line.provider {
        values.insert("payment_provider_id".to_owned(), json!(line.provider));
        repairs.push(Repair::new("has lost its provider", "given its provider"));
    }
    if link(row, "payment_account_id").is_none() {
        values.insert("payment_account_id".to_owned(), json!(line.account));
        repairs.push(Repair::new("has no account", "given the clearing account"));
    }
    (values, repairs)
}

/// The bank journal asked for, else the company's first.
async fn bank_journal(records: &Records<'_>, request: &SetupRequest) -> Result<Row, SetupError> {
    let mut domain = vec![
        json!(["type", "=", "bank"]),
        json!(["company_id", "=", records.company_id]),
        json!(["active", "=", true]),
    ];
    if let Some(code) = &request.journal_code {
        domain.push(json!(["code", "=", code]));
    }
    let args = Args::none()
        .with("domain", domain)
        .with("fields", ["code"].as_slice())
        .with("order", "sequence, id");
    let found = records.first("the bank journal", "account.journal", args).await?;
    found.ok_or_else(|| {
        SetupError::Refused(match &request.journal_code {
            Some(code) => format!(
                "Company {} has no bank journal with the code {code}: see Accounting, Configuration, Journals.",
                records.company_id
            ),
            None => format!(
                "Company {} has no bank journal: create one under Accounting, Configuration, Journals, and run \
                 this again.",
                records.company_id
            ),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: Value) -> Row {
        serde_json::from_value(value).unwrap()
    }

    fn line(journal_chosen: bool) -> Line {
        Line {
            direction: "inbound",
            method: 1,
            provider: Some(20),
            account: 30,
            journal: 6,
            journal_chosen,
        }
    }

    #[test]
    fn the_first_free_code_is_taken() {
        assert_eq!(free_code(&[]).unwrap(), "110490");
        let taken = [row(json!({"code": "110490"})), row(json!({"code": "110492"}))];
        assert_eq!(free_code(&taken).unwrap(), "110491");
        let all: Vec<Row> = CODES.iter().map(|code| row(json!({"code": code}))).collect();
        assert!(free_code(&all).unwrap_err().to_string().contains("all taken"));
    }

    #[test]
    fn an_account_or_journal_a_person_chose_is_kept() {
        let chosen = row(
            json!({"id": 9, "journal_id": [8, "Otro"], "payment_provider_id": [20, "Ventipay"],
                                "payment_account_id": [31, "Otra"]}),
        );
        assert!(repairs(&chosen, &line(false)).0.is_empty());
        let (values, why) = repairs(&chosen, &line(true));
        assert_eq!(Value::Object(values), json!({"journal_id": 6}));
        assert_eq!(why, [Repair::new("is on another journal", "put on the journal")]);
    }

    #[test]
    fn what_keeps_a_line_from_working_is_repaired() {
        let broken = row(json!({"id": 9, "journal_id": false, "payment_provider_id": false,
                                "payment_account_id": false}));
        let (values, why) = repairs(&broken, &line(false));
        assert_eq!(
            Value::Object(values),
            json!({"journal_id": 6, "payment_provider_id": 20, "payment_account_id": 30})
        );
        assert_eq!(why.len(), 3);
    }
}
