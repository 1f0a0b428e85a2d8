//! Replay: the log again, from what other places still hold.
//!
//! [`stream`] rebuilds it from the broker. That holds webhooks only, not what came of them nor
//! what people decided, so what it rebuilds is held: [`plan`] says what would be done, [`held`]
//! releases it. Not here: the gaps a worker closes by itself ([`crate::consume::gaps`]).

pub mod held;

pub mod plan;

pub mod stream;

mod words;
