//! The vocabulary both processes speak: what `concilia-ingress` puts on the wire and
//! `concilia-worker` takes off it, the configuration both read, and the rules that must
//! never differ between them (signatures, money, names).
//!
//! Pure by its `Cargo.toml`: nothing here waits, listens, reads a clock or rolls dice.
//!
//! Read in this order: [`webhook`] (the value that travels), [`signature`] (why it is
//! believed), [`broker`] (where it travels), [`money`], [`id`], [`config`].

pub mod webhook;

pub mod signature;

pub mod trace;

pub mod broker;

pub mod money;

pub mod id;

pub mod secret;

pub mod address;

pub mod config;
