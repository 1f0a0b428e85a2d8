//! Real servers for tests: started on free ports, stopped when dropped.
//!
//! [`system`] puts the whole of Concilia together for end-to-end tests: [`nats`] and
//! [`database`] (on [`postgres`]) below it, [`process`] for our own binaries, [`config`] for
//! what they read, [`shop`] for Odoo's side and [`http`] for Ventipay's, [`load`] for many
//! requests at once; [`invariants`] is what must hold at the end of each.

pub mod config;

pub mod database;

pub mod http;

pub mod invariants;

pub mod load;

pub mod nats;

pub mod postgres;

pub mod process;

pub mod shop;

pub mod system;

pub mod wait;
