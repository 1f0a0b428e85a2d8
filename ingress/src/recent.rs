//! A small memory of what was just acknowledged, so that a resend can be told it is one.
//!
//! A courtesy and nothing more: it forgets, it is not shared between processes, and a
//! duplicate is published all the same. Duplicates end in the log, not here.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use concilia_shared::id::AccountName;

/// How many webhooks are remembered: at about 110 bytes each, a megabyte or two.
pub const RECENT_MAX: usize = 10_000;

/// The last webhooks acknowledged by this process.
#[derive(Debug)]
pub struct Recent {
    memory: Mutex<Memory>,
    max: usize,
}

#[derive(Debug, Default)]
struct Memory {
    keys: HashSet<String>,
    order: VecDeque<String>,
}

impl Recent {
    /// Remembers at most `max` webhooks.
    pub fn new(max: usize) -> Self {
        Self { memory: Mutex::default(), max }
    }

    /// Notes that these bytes were acknowledged for this account, and answers whether they
    /// had been already.
    pub fn note(&self, account: &AccountName, body_hash: &str) -> bool {
        let key = format!("{account}/{body_hash}");
        // A panic elsewhere cannot leave this memory worse than forgetful.
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if !memory.keys.insert(key.clone()) {
            return true;
        }
        memory.order.push_back(key);
        if memory.order.len() > self.max
            && let Some(oldest) = memory.order.pop_front()
        {
            memory.keys.remove(&oldest);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let recent = Recent::new(2);
        let main = AccountName::parse("main").unwrap();
        let other = AccountName::parse("other").unwrap();
        assert!(!recent.note(&main, "a"));
        assert!(recent.note(&main, "a"));
        assert!(!recent.note(&other, "a"), "another account's is another");
        assert!(!recent.note(&main, "b"), "and pushes out the first");
        assert!(!recent.note(&main, "a"));
        assert!(recent.note(&main, "b"));
    }
}
