//! The pure core: no I/O, no clock, no dice. A value in, a value out.
//!
//! In reading order: [`event`] (facts and their names), [`interpret`] (bytes to facts, total),
//! [`state`] (a stream folded), [`observe`] (what Odoo and Ventipay answered, as plain
//! values), [`decide`] (what to do about it).

pub mod event;

pub mod reason;

pub mod observe;
