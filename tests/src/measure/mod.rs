//! How fast Concilia is: every figure as a ratio to a baseline measured in the same run, pair
//! by pair, because machines differ and are noisy; the numbers themselves stand beside it.
//!
//! [`durable`] measures the ingress, [`log`] admitting, [`waiting`] what a hundred thousand
//! waiting streams cost a fresh event, [`odoo`] payments entered in Odoo. [`broker`] is a
//! baseline, [`body`] and [`keepalive`] are the load, [`figures`] and [`report`] make numbers
//! into what is read. Every section fails if its counts do not add up. Run by
//! `deploy/measure`; asserts no speed.

pub mod body;

pub mod broker;

pub mod durable;

pub mod figures;

pub mod keepalive;

pub mod log;

pub mod odoo;

pub mod report;

pub mod waiting;

use std::time::Duration;

use concilia_shared::config;

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// How often everything is measured, in turn with its baseline.
    pub repetitions: usize,
    /// `durable`: how long one round of sending lasts.
    pub round: Duration,
    /// `durable`: connections at once, case by case.
    pub connections: Vec<usize>,
    /// `durable`: messages of one raw batch, at most 1,000.
    pub batch_messages: usize,
    /// `log`: webhooks admitted at once and how many times in a round, case by case.
    pub admissions: Vec<(usize, usize)>,
    /// `waiting`: streams that wait.
    pub waiting: usize,
    /// `waiting`: events claimed and settled in the store, each with and without them.
    pub claims: usize,
    /// `waiting`: payments from webhook to booking, each with and without them.
    pub payments: usize,
    /// `odoo`: payments booked in one call, case by case.
    pub bookings: Vec<usize>,
    /// `odoo`: payments of one round, at least.
    pub booked: usize,
}

impl Sizes {
    /// A few minutes.
    pub fn full() -> Self {
        Self {
            repetitions: 5,
            round: Duration::from_millis(1_500),
            connections: vec![1, 16, 128, 512],
            batch_messages: 1_000,
            admissions: vec![(1, 300), (config::Worker::default().batch, 20), (1_000, 5)],
            waiting: 100_000,
            claims: 1_000,
            payments: 100,
            bookings: vec![5, 20],
            booked: 20,
        }
    }

    /// Less than a minute.
    pub fn quick() -> Self {
        Self {
            repetitions: 3,
            round: Duration::from_millis(300),
            admissions: vec![(1, 100), (config::Worker::default().batch, 5)],
            claims: 200,
            payments: 20,
            ..Self::full()
        }
    }

    /// Seconds, even for unoptimised binaries: what the tests run, to see that the counts add
    /// up. Says nothing about speed.
    pub fn tiny() -> Self {
        Self {
            repetitions: 1,
            round: Duration::from_millis(100),
            connections: vec![1, 16],
            batch_messages: 50,
            admissions: vec![(1, 5), (20, 3)],
            waiting: 500,
            claims: 5,
            payments: 3,
            bookings: vec![2],
            booked: 2,
        }
    }
}

/// The time. The measurement stands outside of what it measures and has a clock of its own.
#[expect(clippy::disallowed_methods, reason = "the outside world has a clock of its own")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
