//! The measurement itself, with sizes that say nothing about speed: it runs, and its counts add
//! up (it fails by itself where they do not).

use concilia_tests::measure::report::{self, Section};
use concilia_tests::measure::{Sizes, durable, log, odoo, waiting};

/// Every section measures something, and every figure has its ratio.
fn holds(section: &Section, rows: usize) {
    assert_eq!(section.rows.len(), rows, "{section:?}");
    for row in &section.rows {
        assert!(row.ratio().is_some(), "{row:?}");
        assert!(row.pairs.iter().all(|(value, baseline)| *value > 0 && *baseline > 0), "{row:?}");
    }
    let text = report::text(std::slice::from_ref(section));
    assert!(section.rows.iter().all(|row| text.contains(&row.case)), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_ack_that_is_measured_is_in_the_broker() {
    let sizes = Sizes::tiny();
    holds(&durable::section(&sizes).await.unwrap(), sizes.connections.len() * 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_that_is_measured_is_in_the_log() {
    let sizes = Sizes::tiny();
    holds(&log::section(&sizes).await.unwrap(), sizes.admissions.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_still_waits_after_the_measurement_and_the_rest_is_booked() {
    holds(&waiting::section(&Sizes::tiny()).await.unwrap(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_payment_that_is_measured_is_booked() {
    let sizes = Sizes::tiny();
    holds(&odoo::section(&sizes, None).await.unwrap(), sizes.bookings.len());
}
