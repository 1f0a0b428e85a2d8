//! What is measured.
/// Whether an account has an outage.
pub(crate) fn outage(account: &str, system: &'static str, open: bool) {
    metrics::gauge!("concilia_worker_breaker_open", "account" => account.to_owned(), "system" => system)
        .set(f64::from(u8::from(open)));
}
