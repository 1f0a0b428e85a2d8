//! The simulated Odoo is held to what was recorded of the real ones.
//!
//! [`cases`]: the shared cases of the two actions. [`captures`]: recorded requests, asked again.
//! [`server`]: both transports, faults, and the kept state.

mod captures;
mod cases;
mod client;
mod server;
