//! Trace context of what is under way.
pub(crate) async fn scope<T>(_traceparent: Option<&str>, future: impl Future<Output = T>) -> T {
    future.await
}
