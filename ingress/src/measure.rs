//! Every metric of this process: its name, its labels, its meaning.
//!
//! Not here: how they are collected and shown ([`crate::telemetry`], [`crate::admin`]).

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

/// Requests answered, by outcome (the `error` of the answer, or `received`).
pub const HTTP_REQUESTS: &str = "concilia_ingress_http_requests_total";
/// Signatures judged, by result.
pub const SIGNATURES: &str = "concilia_ingress_signature_total";
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
    describe_counter!(HTTP_REQUESTS, "Requests answered, by outcome.");
    describe_counter!(SIGNATURES, "Signatures judged, by result.");
    describe_histogram!(BATCH_SIZE, "Messages in each batch published.");
    describe_histogram!(
        ACK_SECONDS,
        "Seconds from publishing a batch to its synced acknowledgement or its failure."
    );
    describe_gauge!(QUEUE_DEPTH, "Webhooks waiting for the broker.");
    describe_counter!(LATE, "Genuine webhooks outside the tolerance, by direction.");
    describe_gauge!(BROKER_READY, "1 while the broker is connected, judged and trusted.");
}

/// A request was answered.
pub fn answered(outcome: &'static str) {
    counter!(HTTP_REQUESTS, "outcome" => outcome).increment(1);
}

/// A signature was judged.
pub fn signature(result: &'static str) {
    counter!(SIGNATURES, "result" => result).increment(1);
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
