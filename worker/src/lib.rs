//! The worker: turns webhooks into recorded facts, and facts into bookings in Odoo, once.
//!
//! The story of an event, in reading order: [`consume`] takes it off the broker and into the
//! log; [`settle`] brings it to rest (a function that fits a screen); [`domain`] decides,
//! purely; [`store`] is the log; [`odoo`] and [`ventipay`] are the only places that talk to
//! the outside; [`retry`] says when to try again; [`views`] folds the log into what people
//! look at; [`verify`] proves the log, [`replay`] carries it out and in; [`say`] puts it into words. [`account`] is an account as it runs, [`weather`] its
//! outages, [`news`] what wakes its events early. [`shell`] holds the ports, [`run`] keeps the
//! loops going, [`commands`] is what operators type.
//!
//! Not here: receiving webhooks (the ingress).

pub mod consume;

pub mod settle;

pub mod domain;

pub mod retry;

pub mod store;

pub mod odoo;

pub mod ventipay;

pub mod views;

pub mod verify;

pub mod replay;

pub mod progress;

pub mod say;

pub mod shell;

pub mod account;

pub mod weather;

pub mod news;

pub mod trace;

pub mod measure;

pub mod mirror;

pub mod clock;

pub mod crash;

pub mod run;

pub mod wire;

pub mod admin;

pub mod telemetry;

pub mod commands;
