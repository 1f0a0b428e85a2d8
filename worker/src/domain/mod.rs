//! The pure core: no I/O, no clock, no dice. A value in, a value out.
//!
//! In reading order: [`fact`] (what a webhook says), [`event`] (what the log holds), [`name`] (what an effect is called in Odoo), [`interpret`] (bytes to facts, total),
//! [`state`] (a stream folded), [`account`] (an account's own stream folded), [`observe`] (what Odoo and Ventipay answered, as plain
//! values), [`settings`] (what the account wants), [`record`] (what is shown in Odoo; [`rut`]), [`decide`] (what to do about it), with
//! [`reason`] (why something rests where it rests) throughout.

pub mod name;

pub mod fact;

pub mod event;

pub mod interpret;

mod strict_json;

pub mod reason;

pub mod state;

pub mod account;

pub mod observe;

pub mod settings;

pub mod rut;

pub mod record;

pub mod decide;

#[cfg(test)]
mod ledger;

#[cfg(test)]
mod permutations;
