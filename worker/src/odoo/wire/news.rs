//! What *observe* is asked about everything that changed lately, and what it answered.
//!
//! Times are Odoo's own, in UTC and whole seconds, as it writes them.

use concilia_shared::config::Environment;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Account, Told, domain, or_false, read};
use crate::domain::name::PaymentName;
use crate::domain::observe::{News, NewsQuery};
use crate::domain::reason::NotReady;
use crate::odoo::actions;

/// How Odoo writes a moment.
const MOMENT: &str = "%Y-%m-%d %H:%M:%S";

/// What *observe* is asked.
pub(in crate::odoo) fn request(company_id: i64, query: &NewsQuery) -> Result<Value, NotReady> {
    let news = json!({
        "since": query.since.strftime(MOMENT).to_string(),
        "fields": query.fields,
        "domain": domain(query.domain.as_deref())?,
    });
    Ok(json!({
        "protocol": actions::PROTOCOL, "company_id": company_id, "items": [], "news": news,
    }))
}

/// What *observe* answered.
pub(in crate::odoo) fn answer(
    result: Value,
    environment: Option<Environment>,
) -> Result<Told<News>, NotReady> {
    let told: Answer = read(result, &actions::OBSERVE)?;
    told.account.check(environment)?;
    let news = told.news.ok_or(NotReady::ActionMissing)?;
    let until = news.until.as_deref().map(moment).transpose()?;
    // A name that is no payment's is not one of ours, whoever wrote it there.
    let credits = news.credits.iter().filter_map(|name| PaymentName::parse(name)).collect();
    Ok(Told {
        database: told.account.database,
        answer: News { until, values: news.values, credits, more: news.more },
    })
}

#[derive(Deserialize)]
struct Answer {
    #[serde(flatten)]
    account: Account,
    #[serde(deserialize_with = "or_false")]
    news: Option<NewsRow>,
}

#[derive(Deserialize)]
struct NewsRow {
    #[serde(deserialize_with = "or_false")]
    until: Option<String>,
    values: Vec<String>,
    credits: Vec<String>,
    more: bool,
}

fn moment(text: &str) -> Result<Timestamp, NotReady> {
    DateTime::strptime(MOMENT, text)
        .and_then(|moment| moment.to_zoned(TimeZone::UTC))
        .map(|moment| moment.timestamp())
        .map_err(|_| NotReady::ActionMissing)
}
