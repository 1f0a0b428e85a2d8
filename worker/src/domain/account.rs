//! An account's own stream, folded: what somebody set, whether it is paused, which systems it
//! cannot reach, and which database it books into.
//!
//! Not here: what a setting means ([`super::settings`]); the streams of payments
//! ([`super::state`]).

use std::collections::BTreeMap;

use concilia_shared::id::{AccountName, StreamId};
use jiff::Timestamp;

use super::event::{Event, SettingChange, System};
use super::reason::PendingReason;

/// Setting that names the Odoo database the account books into.
pub const DATABASE: &str = "database";

/// An account as its own stream says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountState {
    /// What was set over the configuration file, by key; `None`: set to nothing.
    pub overrides: BTreeMap<String, Option<String>>,
    /// Paused by a person.
    pub paused: Option<Pause>,
    /// Systems that do not answer usefully.
    pub outages: BTreeMap<System, Outage>,
    /// The `database.uuid` it books into, once seen.
    pub database: Option<String>,
}

/// Who paused an account, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Pause {
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
}

/// A system that does not answer usefully.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Outage {
    /// What was seen when it began.
    pub reason: PendingReason,
    /// Since when.
    pub since: Timestamp,
}

impl AccountState {
    /// The stream these facts stand in.
    pub fn stream(account: &AccountName) -> StreamId {
        StreamId::of(account, "account")
            .unwrap_or_else(|_| unreachable!("a word of seven letters is within bounds"))
    }

    /// One event further; `at` is when it was recorded.
    pub fn apply(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::SettingsChanged { changes, .. } => {
                for change in changes {
                    self.set(change);
                }
            }
            Event::AccountPaused { by, why } => {
                self.paused = Some(Pause { by: by.clone(), why: why.clone(), since: at });
            }
            Event::AccountResumed { .. } => self.paused = None,
            Event::OutageBegan { system, reason } => {
                let outage = Outage { reason: reason.clone(), since: at };
                self.outages.entry(*system).or_insert(outage);
            }
            Event::OutageEnded { system } => {
                self.outages.remove(system);
            }
            Event::DatabaseSeen { database } => {
                self.database.get_or_insert_with(|| database.clone());
            }
            _ => {}
        }
    }

    fn set(&mut self, change: &SettingChange) {
        if change.key == DATABASE {
            self.database.clone_from(&change.to);
        } else {
            self.overrides.insert(change.key.clone(), change.to.clone());
        }
    }

    /// Why nothing can be done for the account now, if so: the outage that began first.
    pub fn weather(&self) -> Option<&Outage> {
        self.outages.values().min_by_key(|outage| outage.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn fold(events: &[Event]) -> AccountState {
        let mut state = AccountState::default();
        for (second, event) in (0..).zip(events) {
            state.apply(event, at(second));
        }
        state
    }

    fn change(key: &str, to: Option<&str>) -> Event {
        let change = SettingChange { key: key.to_owned(), from: None, to: to.map(str::to_owned) };
        Event::SettingsChanged { by: "ana".to_owned(), why: None, changes: vec![change] }
    }

    #[test]
    fn the_last_change_of_a_setting_counts_and_nothing_is_a_value_too() {
        let state =
            fold(&[change("mode", Some("A")), change("mode", Some("B")), change("domain", None)]);
        assert_eq!(state.overrides["mode"].as_deref(), Some("B"));
        assert_eq!(state.overrides["domain"], None);
    }

    #[test]
    fn the_database_first_seen_stays_until_somebody_names_another() {
        let seen = |database: &str| Event::DatabaseSeen { database: database.to_owned() };
        let mut events = vec![seen("u1"), seen("u2")];
        assert_eq!(fold(&events).database.as_deref(), Some("u1"));
        events.push(change(DATABASE, Some("u2")));
        assert_eq!(fold(&events).database.as_deref(), Some("u2"));
        assert!(fold(&events).overrides.is_empty());
    }

    #[test]
    fn an_outage_lasts_from_its_first_beginning_to_its_end() {
        let began = |system| Event::OutageBegan { system, reason: PendingReason::OdooUnavailable };
        let mut events = vec![began(System::Odoo), began(System::Odoo), began(System::Ventipay)];
        assert_eq!(fold(&events).weather().unwrap().since, at(0));
        events.push(Event::OutageEnded { system: System::Odoo });
        assert_eq!(fold(&events).weather().unwrap().since, at(2));
        events.push(Event::OutageEnded { system: System::Ventipay });
        assert_eq!(fold(&events).weather(), None);
    }

    #[test]
    fn a_pause_names_who_and_ends_with_a_resume() {
        let paused =
            Event::AccountPaused { by: "ana".to_owned(), why: "closing the year".to_owned() };
        let resumed = Event::AccountResumed { by: "ana".to_owned() };
        assert_eq!(fold(std::slice::from_ref(&paused)).paused.unwrap().by, "ana");
        assert_eq!(fold(&[paused, resumed]).paused, None);
    }
}
