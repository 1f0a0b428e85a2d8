//! Waiting for something to become true: looked at again and again, up to a deadline.
//!
//! Tests never sleep and hope; they poll here, and say what they waited for when it does not
//! come.

use std::time::{Duration, Instant};

/// How often it is looked.
const PERIOD: Duration = Duration::from_millis(50);

/// Looks until `look` answers something, and returns that. Panics after `within`, with `what`
/// it waited for and what `look` said last.
pub async fn until<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        let last = match look().await {
            Ok(found) => return found,
            Err(last) => last,
        };
        assert!(Instant::now() < deadline, "waited {within:?} for {what}; last seen: {last}");
        tokio::time::sleep(PERIOD).await;
    }
}
