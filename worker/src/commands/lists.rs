//! Events as lists show them: a page at a time, with what is true of their account at this
//! moment laid over them. What was just received waits like the rest while the account is
//! paused or its Odoo is away, so it is shown as pending.
//!
//! Not here: the rows ([`crate::views::events`]) and their table ([`super::events`]).

use std::collections::BTreeMap;

use concilia_shared::id::AccountName;

use super::desk::Desk;
use super::filter::Word;
use super::stop::{Done, Stop};
use crate::domain::account::AccountState;
use crate::domain::state::Status;
use crate::say::{self, Lang};
use crate::store::EventStore;
use crate::views::events::{Row, Shown};
use crate::views::filter::{Count, Filter, Page, Place};

/// Most rows read at once.
const PAGE: usize = 1_000;

/// A pause's name among the reasons.
const PAUSED: &str = "account_paused";

/// The accounts nothing is done for at this moment, with why.
#[derive(Debug, Default)]
pub struct Troubles(BTreeMap<String, AccountState>);

impl Troubles {
    /// Reads every account's stream.
    pub async fn read(desk: &Desk<'_>) -> Done<Self> {
        let mut troubles = BTreeMap::new();
        for name in desk.accounts().await? {
            let (state, _) = desk.account_state(&name).await?;
            if state.paused.is_some() || !state.outages.is_empty() {
                troubles.insert(name.to_string(), state);
            }
        }
        Ok(Self(troubles))
    }

    /// The reason's name and sentence.
    fn of(&self, account: &str, lang: Lang) -> Option<(String, String)> {
        let state = self.0.get(account)?;
        if let Some(pause) = &state.paused {
            return Some((PAUSED.to_owned(), say::account::paused(account, pause, lang)));
        }
        let outage = state.weather()?;
        let name = reason_name(outage);
        Some((name, say::pending(&outage.reason, lang)))
    }

    /// Why nothing is done for an account at this moment, if so.
    pub fn sentence(&self, account: &str, lang: Lang) -> Option<String> {
        self.of(account, lang).map(|(_, sentence)| sentence)
    }

    /// The accounts whose trouble has one of these names, with its sentence: what they received
    /// is shown with that reason.
    pub fn named<'a>(
        &'a self,
        reasons: &'a [String],
        lang: Lang,
    ) -> impl Iterator<Item = (&'a str, String)> {
        self.0.keys().filter_map(move |account| {
            let (name, sentence) = self.of(account, lang)?;
            reasons.contains(&name).then_some((account.as_str(), sentence))
        })
    }

    /// A row as it is shown.
    pub fn show(&self, row: &Row, lang: Lang) -> Shown {
        let mut shown = row.show(lang);
        if row.told.status == Status::Received {
            if let Some((reason, sentence)) = self.of(row.stream.account(), lang) {
                shown.status = Word::Pending.word();
                shown.reason = Some(reason);
                shown.sentence = sentence;
                shown.since = Some(row.told.webhook.received_at);
            }
            if row.held {
                shown.sentence = say::account::held(lang);
            }
        }
        shown
    }

    /// A count as it is shown.
    fn count(&self, mut count: Count) -> Count {
        if count.status == Word::Received.word()
            && let Some((reason, _)) = self.of(&count.account, Lang::En)
        {
            Word::Pending.word().clone_into(&mut count.status);
            count.reason = Some(reason);
        }
        count
    }
}

fn reason_name(outage: &crate::domain::account::Outage) -> String {
    let value = serde_json::to_value(&outage.reason).unwrap_or_default();
    value["reason"].as_str().unwrap_or_default().to_owned()
}

/// A list being read, newest first.
pub struct Pager<'a> {
    store: &'a dyn EventStore,
    lang: Lang,
    filter: Filter,
    wanted: Vec<Word>,
    troubles: Troubles,
    after: Option<Place>,
    at_end: bool,
}

impl<'a> Pager<'a> {
    /// The events of `filter` that are shown as resting at one of `wanted`; empty: anywhere.
    pub async fn new(desk: &Desk<'a>, mut filter: Filter, wanted: &[Word]) -> Done<Self> {
        let troubles = Troubles::read(desk).await?;
        if wanted.contains(&Word::Pending) && !troubles.0.is_empty() {
            filter.statuses.push(Word::Received.word().to_owned());
        }
        let named = troubles.named(&filter.reasons, Lang::En);
        filter.received_of = named.map(|(account, _)| account.to_owned()).collect();
        Ok(Self {
            store: desk.store,
            lang: desk.lang(),
            filter,
            wanted: wanted.to_vec(),
            troubles,
            after: None,
            at_end: false,
        })
    }

    /// Goes on after an event, named as an earlier page named it.
    pub async fn start_after(&mut self, desk: &Desk<'_>, id: &str) -> Done {
        let target = desk.find(id, self.filter.account.as_ref()).await?;
        let told = target.told().last().ok_or_else(|| {
            Stop::Nothing(match desk.lang() {
                Lang::En => format!("{id} is no event of a list."),
                Lang::Es => format!("{id} no es un evento de una lista."),
            })
        })?;
        self.after = Some(Place {
            received_at: told.webhook.received_at,
            event_id: told.webhook.event_id.to_string(),
            stream: target.stream.to_string(),
        });
        Ok(())
    }

    fn wants(&self, status: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|word| word.word() == status)
    }

    /// At most `limit` rows more; none at the end.
    pub async fn next(&mut self, limit: usize) -> Done<Vec<(Row, Shown)>> {
        let mut rows = Vec::new();
        while rows.len() < limit && !self.at_end {
            let asked = (limit - rows.len()).min(PAGE);
            let page = Page { after: self.after.clone(), newest_first: true, limit: asked };
            let found = self.store.events(&self.filter, &page).await?;
            self.at_end = found.len() < asked;
            self.after = found.last().map(Row::place).or(self.after.take());
            for row in found {
                let shown = self.troubles.show(&row, self.lang);
                if self.wants(shown.status) {
                    rows.push((row, shown));
                }
            }
        }
        Ok(rows)
    }

    /// How many rows come after those read.
    pub async fn more(&self) -> Done<i64> {
        let Some(place) = self.after.as_ref().filter(|_| !self.at_end) else { return Ok(0) };
        let older =
            Filter { until: Some(earliest(self.filter.until, place)), ..self.filter.clone() };
        let older: i64 = self.counts(&older).await?.iter().map(|count| count.events).sum();
        // And those of the same microsecond.
        let moment = Filter {
            from: Some(place.received_at),
            until: Some(place.received_at + jiff::SignedDuration::from_micros(1)),
            ..self.filter.clone()
        };
        let page = Page { after: self.after.clone(), newest_first: true, limit: PAGE };
        let beside = self.store.events(&moment, &page).await?;
        let beside =
            beside.iter().filter(|row| self.wants(self.troubles.show(row, self.lang).status));
        Ok(older + i64::try_from(beside.count()).unwrap_or(i64::MAX))
    }

    /// How many there are in all, by account, status and reason as they are shown.
    pub async fn all(&self) -> Done<Vec<Count>> {
        self.counts(&self.filter).await
    }

    async fn counts(&self, filter: &Filter) -> Done<Vec<Count>> {
        let counts = self.store.counts(filter).await?;
        let shown = counts.into_iter().map(|count| self.troubles.count(count));
        Ok(shown.filter(|count| self.wants(&count.status)).collect())
    }
}

fn earliest(until: Option<jiff::Timestamp>, place: &Place) -> jiff::Timestamp {
    until.map_or(place.received_at, |until| until.min(place.received_at))
}

/// The account's name as a filter has it, for the sentence that nothing matched.
pub fn of_account(account: Option<&AccountName>, lang: Lang) -> String {
    match (account, lang) {
        (None, _) => String::new(),
        (Some(name), Lang::En) => format!(" of account {name}"),
        (Some(name), Lang::Es) => format!(" de la cuenta {name}"),
    }
}
