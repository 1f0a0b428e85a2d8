//! The simulators tests.

#[cfg(test)]
mod ventipay;
