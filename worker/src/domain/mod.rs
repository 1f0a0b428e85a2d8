//! The pure core: no I/O, no clock, no dice. A value in, a value out.
//!
//! In reading order: [`event`] (facts and their names), [`interpret`] (bytes to facts, total),
//! [`state`] (a stream folded), [`account`] (an account's own stream folded), [`observe`] (what Odoo and Ventipay answered, as plain
//! values), [`settings`] (what the account wants), [`record`] (what is shown in Odoo; [`rut`]), [`decide`] (what to do about it), with
//! [`reason`] (why something rests where it rests) throughout.

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
