//! The simulators tests.
