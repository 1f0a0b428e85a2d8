//! The trace an event brought, while it is worked on: every log line and every call to Odoo and
//! Ventipay made within [`scope`] carries its trace id.
//!
//! Kept for the task, not handed through every function: what decides has no use for it. A
//! task spawned within a scope is outside it. Not here: the header's form
//! ([`concilia_shared::trace`]) and who sends it (`odoo::http`, `ventipay::client`).

use std::future::Future;

use concilia_shared::trace::Traceparent;
use tracing::Instrument as _;

/// The name of the header calls are sent with.
pub use concilia_shared::trace::HEADER;

tokio::task_local! {
    static CURRENT: Traceparent;
}

/// Runs `work` as a step of the trace an event was received with; without a readable one, as
/// the first of a new trace, so that what belongs together can still be told.
pub async fn scope<F: Future>(traceparent: Option<&str>, work: F) -> F::Output {
    let span_id = rand::random();
    let step = match traceparent.and_then(Traceparent::parse) {
        Some(parent) => parent.child(span_id),
        None => Traceparent::first(rand::random(), span_id),
    };
    // At the level of an error, so that no filter that shows a line takes its trace away.
    let span = tracing::error_span!("event", trace_id = step.trace_id());
    CURRENT.scope(step, work.instrument(span)).await
}

/// The step being taken, within a scope.
pub fn current() -> Option<Traceparent> {
    CURRENT.try_with(|step| *step).ok()
}

/// The header for one call: a step below the current one. Nothing outside a scope.
pub fn header() -> Option<String> {
    current().map(|step| step.child(rand::random()).to_string())
}

/// The trace id of a header, to name it in a log line.
pub fn id_of(traceparent: Option<&str>) -> Option<String> {
    traceparent.and_then(Traceparent::parse).map(Traceparent::trace_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const ID: &str = "0af7651916cd43dd8448eb211c80319c";

    #[tokio::test]
    async fn calls_in_a_scope_are_steps_of_the_event_s_trace() {
        let (step, first, second) =
            scope(Some(EVENT), async { (current(), header(), header()) }).await;
        let step = step.unwrap().to_string();
        let (first, second) = (first.unwrap(), second.unwrap());
        for header in [&step, &first, &second] {
            assert_eq!(id_of(Some(header)).as_deref(), Some(ID));
            assert_ne!(header, EVENT);
        }
        assert!(first != second && first != step, "each call is a step of its own");
    }

    #[tokio::test]
    async fn an_event_without_a_trace_gets_one_and_outside_there_is_none() {
        for unreadable in [None, Some("00-x")] {
            let (first, second) = scope(unreadable, async { (header(), header()) }).await;
            let first = id_of(first.as_deref()).expect("a new trace");
            assert_eq!(Some(first), id_of(second.as_deref()), "one for all its calls");
        }
        assert_eq!((current(), header(), id_of(Some("00-x"))), (None, None, None));
    }

    #[tokio::test]
    async fn scopes_side_by_side_do_not_mix() {
        let other = EVENT.replace("0af7", "1af7");
        let one = scope(Some(EVENT), async {
            tokio::task::yield_now().await;
            header()
        });
        let two = scope(Some(&other), async { header() });
        let (one, two) = tokio::join!(one, two);
        assert_eq!(id_of(one.as_deref()).unwrap(), ID);
        assert_eq!(id_of(two.as_deref()).unwrap(), ID.replace("0af7", "1af7"));
    }
}
