//! Named places where a test may kill the process, to prove that dying there is harmless.
//!
//! Only debug builds can: `CONCILIA_CRASH_AT=settle.booked` kills the process with SIGKILL,
//! as `kill -9` does, the first time it gets there. In a release build this is nothing.

/// Dies here if the environment says so.
pub fn point(name: &'static str) {
    #[cfg(debug_assertions)]
    if std::env::var("CONCILIA_CRASH_AT").is_ok_and(|at| at == name) {
        tracing::warn!(at = name, "dying on request");
        let own = std::process::id().to_string();
        let killed = std::process::Command::new("kill").args(["-9", &own]).status();
        // SIGKILL leaves no time to get here; without a `kill` program, abort is as sudden.
        drop(killed);
        std::process::abort();
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}
