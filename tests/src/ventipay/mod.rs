//! A simulated Ventipay.
