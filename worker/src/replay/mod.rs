//! Replay: the log again, from what other places still hold.
//!
//! [`stream`] rebuilds it from the broker. That holds webhooks only, not what came of them nor
//! what people decided, so what it rebuilds is held: [`plan`] says what would be done, [`held`]
//! releases it. [`export`] writes the whole log into a [`file`](mod@file), outcomes and all, and
//! [`import`] reads it in again; [`views`] makes anew what people look at. Nothing of this books
//! anything. Not here: checking a log that stands in a database ([`crate::verify`]), and the
//! gaps a worker closes by itself ([`crate::consume::gaps`]).

pub mod export;

pub mod file;

pub mod held;

pub mod import;

pub mod plan;

pub mod stream;

pub mod views;

mod words;
