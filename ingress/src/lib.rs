//! `concilia-ingress`: takes signed webhooks from Ventipay and answers 2xx only once they are
//! synced to disk in the broker. HTTP and NATS, nothing else: no Odoo, no Ventipay API, no
//! database, no state of its own; any number may run side by side.
//!
//! One request's way, which is also the order to read in:
//!
//! ```text
//! serve ─> receive ─> body ─> accounts ─> (shared::signature) ─> publish::Message
//!                                                                    │
//!          answer <─────────── queue (group commit) <── submit ──────┘
//!                                │ one batch in flight
//!                                ▼
//!                    jetstream (batch: headers, reply) ─> the broker's synced ack
//! ```
//!
//! Beside it: [`broker`] keeps the connection and a verdict on whether the broker keeps what
//! it acknowledges ([`judge`], pure, on facts from [`stream`] and [`monitor`]); [`settings`],
//! [`run`], [`admin`] and [`telemetry`] make a process of it.
//!
//! What must never become true: a 2xx before [`queue::Queue::submit`] returned `Ok`; a
//! publish to a server that was not judged; a parser run on a body before its signature
//! verified; a secret, a body or a signature in a log line.

pub mod accounts;
pub mod admin;
pub mod answer;
pub mod batch;
pub mod body;
pub mod broker;
pub mod clock;
pub mod jetstream;
pub mod judge;
pub mod measure;
pub mod monitor;
pub mod publish;
pub mod queue;
pub mod receive;
pub mod recent;
pub mod run;
pub mod sample;
pub mod serve;
pub mod settings;
pub mod stream;
pub mod telemetry;

pub use receive::{Ingress, Rules, router};
