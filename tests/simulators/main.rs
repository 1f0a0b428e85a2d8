//! The simulators tests.

#[cfg(test)]
mod odoo;
#[cfg(test)]
mod ventipay;
