//! Tests of the ingress from outside: its router with a broker that is made of paper, its
//! publisher with a real nats-server, and the process itself.
//!
//! Read first: [`fixtures`] (the paper broker), [`nats`] (the real one), [`process`].

#![expect(
    clippy::unwrap_used,
    reason = "these are tests, helpers included: a panic is how they fail"
)]

mod answers;
mod bad_input;
mod connections;
mod fixtures;
mod group_commit;
mod nats;
mod process;
mod publishing;
mod streams;
