//! The simulated Odoo is held to what was recorded of the real ones.
//!
//! [`cases`]: the shared cases of the actions, begun in [`given`] and [`recorded`]. [`captures`]: recorded requests, asked
//! again. [`transports`]: both say the same. [`races`] and [`faults`]: what tests lean on.
//! [`worker`]: the worker's own set-up and client against it, [`modes`]: all it may be told to do.

mod captures;
mod cases;
mod client;
mod faults;
mod given;
mod ids;
mod modes;
mod races;
mod recorded;
mod transports;
mod worker;
