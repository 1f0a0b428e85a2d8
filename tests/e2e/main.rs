//! End to end: real HTTP, a real nats-server, both databases, both transports to Odoo, the
//! binaries as built; Odoo and Ventipay simulated. Each test ends with
//! `System::finish`, which checks what must hold whatever happened.
//!
//! [`scenario`] is the ordinary day, [`news`] what makes it faster, [`settings`] what people
//! change in it, [`two_shops`] what must not be mixed up. The rest is what goes wrong: [`crashes`], [`races`], [`many_workers`],
//! [`ingress`], [`broker`], [`restarts`], [`gaps`], [`rebuilt`], [`weather`], [`outages`],
//! [`bad_input`]; [`observed`] is what an operator sees; [`laws`] holds of any log; [`measure`]
//! keeps the measurement honest.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where and stop")]

use concilia_tests::harness::database::StoreKind;
use concilia_tests::harness::shop::Series;
use concilia_tests::harness::system::Options;

mod bad_input;
mod broker;
mod crashes;
mod gaps;
mod ingress;
mod laws;
mod log_file;
mod many_workers;
mod measure;
mod news;
mod observed;
mod outages;
mod races;
mod rebuilt;
mod restarts;
mod scenario;
mod settings;
mod two_shops;
mod weather;

/// Makes a test of each function, once for each of these systems.
macro_rules! on {
    ($($system:ident),+ : $test:ident) => {
        mod $test {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $system() {
                    super::$test(crate::$system()).await;
                }
            )+
        }
    };
}
pub(crate) use on;

fn sqlite_odoo_17_jsonrpc() -> Options {
    Options::new(StoreKind::Sqlite, Series::V17)
}

fn sqlite_odoo_19_json2() -> Options {
    Options::new(StoreKind::Sqlite, Series::V19)
}

fn postgres_odoo_17_jsonrpc() -> Options {
    Options::new(StoreKind::Postgres, Series::V17)
}

fn postgres_odoo_19_json2() -> Options {
    Options::new(StoreKind::Postgres, Series::V19)
}
