//! The simulated Odoo is held to what was recorded of the real ones.
//!
//! [`cases`]: the shared cases of the actions, begun in [`given`] and [`recorded`]. [`captures`]: recorded requests, asked
//! again. [`transports`]: both say the same. [`races`] and [`faults`]: what tests lean on.
//! [`setup`] and [`drift`]: what `odoo setup`, `check` and `remove` do with it.
//! [`worker`]: the worker's own client against it, [`modes`]: all it may be told to do, [`invoices`]:
//! those it makes, [`records`]: what it shows people.

mod captures;
mod cases;
mod client;
mod drift;
mod faults;
mod given;
mod ids;
mod invoices;
mod modes;
mod races;
mod recorded;
mod records;
mod setup;
mod transports;
mod worker;
