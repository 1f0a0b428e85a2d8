//! What tests and the quickstart share: simulators of the outside world, and a harness that
//! starts real servers on free ports.
//!
//! [`odoo`] simulates Odoo, [`ventipay`] simulates Ventipay, both exactly as far as they are
//! known; [`scenario`] is what the quickstart plays through them; [`harness`] starts
//! nats-server, PostgreSQL and our own binaries; [`measure`] says how fast they are;
//! [`conformance`] holds an Odoo, simulated or real, against what we expect. Not here:
//! the tests themselves (`store/`, `simulators/`, `e2e/`).

pub mod harness;

pub mod odoo;

pub mod ventipay;

pub mod scenario;

pub mod measure;

pub mod conformance;
