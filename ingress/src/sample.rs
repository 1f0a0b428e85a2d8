//! At most so many log lines a second about what strangers send, so that a flood of bad
//! requests does not become a flood of lines. Metrics count all of them.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Log lines about refused requests written per second.
pub const LINES_PER_SECOND_MAX: u32 = 10;

/// Lets a bounded number through in each second.
#[derive(Debug, Default)]
pub struct Sampler {
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    second: i64,
    passed: u32,
    held_back: u64,
}

impl Sampler {
    /// Whether to write this one; with it, how many were held back since the last written.
    pub fn pass(&self, now: Timestamp) -> Option<u64> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.second != now.as_second() {
            window.second = now.as_second();
            window.passed = 0;
        }
        if window.passed >= LINES_PER_SECOND_MAX {
            window.held_back += 1;
            return None;
        }
        window.passed += 1;
        Some(std::mem::take(&mut window.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_thinned_and_counted() {
        let sampler = Sampler::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let written = (0..100).filter(|_| sampler.pass(at(7)).is_some()).count();
        assert_eq!(written, 10);
        assert_eq!(sampler.pass(at(8)), Some(90));
        assert_eq!(sampler.pass(at(8)), Some(0));
    }
}
