//! `pending` and `parked`: what waits and what needs a person, with what is at stake.

use std::collections::BTreeMap;

use concilia_shared::money::{Currency, Money};
use jiff::Timestamp;
use serde::Serialize;

use super::desk::Desk;
use super::events::{self, Part};
use super::filter::{Narrow, Word};
use super::lists::{Pager, of_account};
use super::stop::{Done, Stop};
use crate::say::{reasons, when};
use crate::views::filter::Count;

/// Examples of `pending --help`.
pub const PENDING_EXAMPLES: &str = "Examples:
  concilia-worker pending --summary
  concilia-worker pending --account shop --reason no_match
  concilia-worker pending --json";

/// Examples of `parked --help`.
pub const PARKED_EXAMPLES: &str = "Examples:
  concilia-worker parked --summary --lang es
  concilia-worker parked --account shop --reason amount_mismatch
  concilia-worker parked --json";

/// What is asked.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// Only the summary: how many for which reason, and what is at stake.
    #[arg(long)]
    pub summary: bool,
    /// Which events.
    #[command(flatten)]
    pub narrow: Narrow,
    /// Which part of the list.
    #[command(flatten)]
    pub part: Part,
}

/// Events of one account that have a reason in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Group {
    account: String,
    /// The reason's name; absent for what is about to be looked at.
    reason: Option<String>,
    events: i64,
    /// Since when the oldest waits.
    oldest: Timestamp,
    /// When the first is tried next.
    next: Option<Timestamp>,
    /// What was told to be paid, by currency.
    at_stake: Vec<Money>,
}

/// Prints what waits.
pub async fn pending(desk: &mut Desk<'_>, options: &Options) -> Done {
    let nothing = desk.lang().either("Nothing is pending", "Nada está pendiente");
    run(desk, options, &[Word::Pending, Word::Received], nothing).await
}

/// Prints what needs a person.
pub async fn parked(desk: &mut Desk<'_>, options: &Options) -> Done {
    let nothing = desk.lang().either("Nothing is parked", "Nada está por revisar");
    run(desk, options, &[Word::Parked], nothing).await
}

async fn run(desk: &mut Desk<'_>, options: &Options, words: &[Word], nothing: &str) -> Done {
    desk.catch_up().await?;
    let filter = options.narrow.filter(desk, words).await?;
    let account = filter.account.clone();
    let mut pager = Pager::new(desk, filter, words).await?;
    let groups = groups(pager.all().await?);
    if desk.screen.is_json() {
        json(desk, &mut pager, options, &groups).await?;
    } else if !groups.is_empty() {
        summary(desk, &groups)?;
        if !options.summary {
            events::rows(desk, &mut pager, &options.part).await?;
        }
    }
    if groups.is_empty() {
        let lang = desk.lang();
        return Err(Stop::Nothing(format!("{nothing}{}.", of_account(account.as_ref(), lang))));
    }
    Ok(())
}

async fn json(
    desk: &mut Desk<'_>,
    pager: &mut Pager<'_>,
    options: &Options,
    groups: &[Group],
) -> Done {
    let summary = serde_json::to_string(groups)?;
    if options.summary {
        desk.screen.say(&format!("{{\"summary\": {summary}}}"))?;
        return Ok(());
    }
    desk.screen.say(&format!("{{\"summary\": {summary},\n\"events\":"))?;
    events::rows(desk, pager, &options.part).await?;
    desk.screen.say("}")?;
    Ok(())
}

fn summary(desk: &mut Desk<'_>, groups: &[Group]) -> Done {
    let (lang, now) = (desk.lang(), desk.now);
    let heading = lang.either(
        ["account", "reason", "", "events", "oldest", "next try", "at stake"],
        ["cuenta", "motivo", "", "eventos", "más antiguo", "próximo intento", "en juego"],
    );
    let rows = groups.iter().map(|group| {
        vec![
            group.account.clone(),
            group.reason.clone().unwrap_or_else(|| "-".to_owned()),
            reasons::phrase(group.reason.as_deref(), lang).to_owned(),
            group.events.to_string(),
            when::age(group.oldest, now),
            group.next.map_or_else(|| "-".to_owned(), |next| when::ahead(next, now, lang)),
            amounts(&group.at_stake),
        ]
    });
    desk.screen.table(&heading, rows)?;
    let events: i64 = groups.iter().map(|group| group.events).sum();
    let total = amounts(&total(groups.iter().flat_map(|group| group.at_stake.iter().copied())));
    desk.screen.say(&format!(
        "{}: {events} · {}: {total}",
        lang.either("Events", "Eventos"),
        lang.either("at stake", "en juego")
    ))?;
    Ok(())
}

/// By account and reason, most events first.
fn groups(counts: Vec<Count>) -> Vec<Group> {
    let mut groups: BTreeMap<(String, Option<String>), Group> = BTreeMap::new();
    for count in counts {
        let key = (count.account.clone(), count.reason.clone());
        let group = groups.entry(key).or_insert_with(|| Group {
            account: count.account.clone(),
            reason: count.reason.clone(),
            events: 0,
            oldest: count.oldest,
            next: None,
            at_stake: Vec::new(),
        });
        group.events += count.events;
        group.oldest = group.oldest.min(count.oldest);
        group.next = [group.next, count.next].into_iter().flatten().min();
        let paid = count.currency.map(|currency| Money::new(count.minor, currency));
        group.at_stake = total(group.at_stake.iter().copied().chain(paid));
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| -group.events);
    groups
}

/// The sum of each currency.
pub fn total(amounts: impl IntoIterator<Item = Money>) -> Vec<Money> {
    let mut sums: BTreeMap<&'static str, Money> = BTreeMap::new();
    for Money { minor, currency } in amounts {
        let code = Currency::code(currency);
        sums.entry(code).or_insert_with(|| Money::new(0, currency)).minor += minor;
    }
    sums.into_values().collect()
}

/// Amounts of several currencies as people read them.
pub fn amounts(amounts: &[Money]) -> String {
    if amounts.is_empty() {
        return "-".to_owned();
    }
    amounts.iter().map(Money::to_string).collect::<Vec<_>>().join(", ")
}
