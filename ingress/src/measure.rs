//! Every metric of this process: its name, its labels, its meaning.
//!
//! Not here: how they are collected and shown ([`crate::telemetry`], [`crate::admin`]).

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Requests answered, by outcome (the `error` of the answer, or `received`).
pub const HTTP_REQUESTS: &str = "concilia_ingress_http_requests_total";
/// Requests that came as far as their signature, by result (`valid`, `invalid`, `no_secret`,
/// `missing`, `malformed`) and by the header's form (`one` signature, `several` as in a
/// rotation, `none` that reads).
pub const SIGNATURES: &str = "concilia_ingress_signature_total";
/// Bytes of each body read.
pub const BODY_BYTES: &str = "concilia_ingress_body_bytes";
/// Messages in each batch published.
pub const BATCH_SIZE: &str = "concilia_ingress_publish_batch_size";
/// Seconds from publishing a batch to its synced acknowledgement or its failure, by result.
pub const ACK_SECONDS: &str = "concilia_ingress_publish_ack_seconds";
/// Webhooks waiting for the broker.
pub const QUEUE_DEPTH: &str = "concilia_ingress_queue_depth";
/// Genuine webhooks outside the tolerance, by direction (`stale`, `future`).
pub const LATE: &str = "concilia_ingress_late_total";
/// 1 while the broker is connected, judged and trusted, else 0.
pub const BROKER_READY: &str = "concilia_ingress_broker_ready";

/// Gives each metric its help text.
pub fn describe() {
    describe_counter!(HTTP_REQUESTS, Unit::Count, "Requests answered, by outcome.");
    describe_counter!(SIGNATURES, Unit::Count, "Signatures, by result and form of the header.");
    describe_histogram!(BODY_BYTES, Unit::Bytes, "Bytes of each body read.");
    describe_histogram!(BATCH_SIZE, Unit::Count, "Messages in each batch published.");
    describe_histogram!(
        ACK_SECONDS,
        Unit::Seconds,
        "Seconds from publishing a batch to its synced acknowledgement or its failure."
    );
    describe_gauge!(QUEUE_DEPTH, Unit::Count, "Webhooks waiting for the broker.");
    describe_counter!(LATE, Unit::Count, "Genuine webhooks outside the tolerance, by direction.");
    describe_gauge!(BROKER_READY, "1 while the broker is connected, judged and trusted.");
    // What has a closed set of labels is there from the start: a rate misses the step by which
    // a counter appears.
    answered("received", 0);
    for direction in ["stale", "future"] {
        counter!(LATE, "direction" => direction).increment(0);
    }
    for form in ["one", "several"] {
        for result in ["valid", "invalid", "no_secret"] {
            signatures(result, form, 0);
        }
    }
    for result in ["missing", "malformed"] {
        signatures(result, "none", 0);
    }
    queue_depth(0);
    broker_ready(false);
}

/// So many requests were answered.
pub fn answered(outcome: &'static str, requests: u64) {
    counter!(HTTP_REQUESTS, "outcome" => outcome).increment(requests);
}

/// So many signatures of this form came to this result.
pub fn signatures(result: &'static str, form: &'static str, count: u64) {
    counter!(SIGNATURES, "result" => result, "form" => form).increment(count);
}

/// A body was read.
pub fn body(bytes: usize) {
    histogram!(BODY_BYTES).record(small(bytes));
}

/// A genuine webhook was outside the tolerance.
pub fn late(direction: &'static str) {
    counter!(LATE, "direction" => direction).increment(1);
}

/// A batch was confirmed, or not.
pub fn batch(messages: usize, took: Duration, confirmed: bool) {
    let result = if confirmed { "confirmed" } else { "failed" };
    histogram!(BATCH_SIZE).record(small(messages));
    histogram!(ACK_SECONDS, "result" => result).record(took.as_secs_f64());
}

/// This many webhooks wait.
pub fn queue_depth(waiting: usize) {
    gauge!(QUEUE_DEPTH).set(small(waiting));
}

/// The broker is, or is not, connected, judged and trusted.
pub fn broker_ready(ready: bool) {
    gauge!(BROKER_READY).set(small(usize::from(ready)));
}

fn small(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
