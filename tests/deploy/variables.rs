//! Rules on variables: what compose sets is known to the programs, what compose reads is in
//! `.env.example`, and the reverse.

use std::collections::{BTreeMap, BTreeSet};

use concilia_shared::config::{self, ENV_PREFIX, ENV_RESERVED};

use super::compose::{Compose, Service, interpolate};
use super::read;

/// Variables a file of lines `NAME=value` sets; with `commented`, those in comments too.
pub(crate) fn env_file(text: &str, commented: bool) -> BTreeMap<String, String> {
    let is_name = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_uppercase() || b"_0123456789".contains(&b))
    };
    text.lines()
        .map(|line| if commented { line.trim_start_matches('#') } else { line })
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| is_name(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// What the container of `service` would have, by name.
fn container(service: Service<'_>, values: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut names = BTreeSet::new();
    let set = service.environment().into_iter().filter_map(|(name, value)| {
        let value = match value {
            Some(text) => interpolate(&text, values, &mut names),
            None => values.get(name)?.clone(),
        };
        Some((name.to_owned(), value))
    });
    set.collect()
}

/// Both programs read what they are given, whichever of our files the values come from.
pub(crate) fn known_to_the_programs(compose: &Compose) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in [".env.example", "deploy/sim.env", "deploy/odoo.env"] {
        let values = env_file(&read(file), false);
        for service in compose.services().into_iter().filter(|service| service.is_ours()) {
            let variables = container(service, &values);
            for name in variables.keys().filter(|name| !name.starts_with(ENV_PREFIX)) {
                wrong.push(format!("{}: {name} is read by nobody", service.name));
            }
            if let Err(error) = config::load("", variables) {
                wrong.push(format!("{} with {file}: {error}", service.name));
            }
        }
    }
    wrong
}

/// Ingress and worker find each other and listen where others reach them.
pub(crate) fn fit_together(compose: &Compose) -> Vec<String> {
    let values = env_file(&read(".env.example"), false);
    let load = |name: &str| config::load("", container(compose.service(name), &values));
    let (Ok(ingress), Ok(worker)) = (load("ingress"), load("worker")) else {
        return vec!["the configuration does not read".to_owned()];
    };
    let addresses = [
        ("nats.url", ingress.nats.url.clone(), "nats://nats:4222"),
        ("nats.url of the worker", worker.nats.url.clone(), "nats://nats:4222"),
        (
            "nats.monitor_url",
            ingress.nats.monitor_url.clone().unwrap_or_default(),
            "http://nats:8222",
        ),
        ("ingress.listen", ingress.ingress.listen.clone(), "0.0.0.0:8080"),
        ("ingress.admin_listen", ingress.ingress.admin_listen.clone(), "0.0.0.0:9080"),
        ("worker.admin_listen", worker.worker.admin_listen.clone(), "0.0.0.0:9081"),
    ];
    let mut wrong: Vec<String> = addresses
        .into_iter()
        .filter(|(_, is, should)| is != should)
        .map(|(key, is, should)| format!("{key} is {is}, not {should}"))
        .collect();
    if ingress.nats.accept_unproven_durability {
        wrong.push("the ingress would start with a broker that loses webhooks".to_owned());
    }
    if ingress.default_account().is_none() || worker.accounts.len() != 1 {
        wrong.push("there is not exactly one account".to_owned());
    }
    let knows_more = ingress.accounts.values().any(|account| {
        account.odoo.is_some()
            || account.ventipay.is_some()
            || account.webhook_secret_files.is_empty()
    });
    if knows_more {
        wrong.push("the ingress must know webhook secrets and nothing else".to_owned());
    }
    wrong
}

/// Every variable compose reads is explained, and every explained one is read by somebody.
pub(crate) fn documented(compose: &Compose, example: &str) -> Vec<String> {
    let explained: BTreeSet<String> = env_file(example, true).into_keys().collect();
    let mut used = BTreeSet::new();
    for line in compose.text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        interpolate(line, &BTreeMap::new(), &mut used);
    }
    for service in compose.services() {
        let environment = service.environment().into_iter();
        used.extend(environment.filter(|(_, v)| v.is_none()).map(|(name, _)| name.to_owned()));
    }
    let mut wrong: Vec<String> = used
        .difference(&explained)
        .map(|name| format!("{name} is read by compose, but not in .env.example"))
        .collect();
    for name in explained.difference(&used) {
        // Without containers the programs read it themselves; the value is of no interest.
        let key = name.starts_with(ENV_PREFIX)
            && (ENV_RESERVED.contains(&name.as_str()) || !is_unknown(name));
        if !key {
            wrong.push(format!("{name} is in .env.example, but read by nobody"));
        }
    }
    wrong
}

fn is_unknown(name: &str) -> bool {
    let loaded = config::load("", [(name.to_owned(), "x".to_owned())]);
    loaded.err().is_some_and(|error| error.to_string().contains("unknown key"))
}

#[test]
fn an_unknown_variable_is_told_from_a_wrong_value() {
    assert!(is_unknown("CONCILIA_NATS__ULR"));
    assert!(!is_unknown("CONCILIA_NATS__REPLICAS"));
}

#[test]
fn files_of_variables_are_read_with_and_without_comments() {
    let text = "# A comment = prose\nA=1\n#B=2\nlower=3\n";
    assert_eq!(env_file(text, false).into_keys().collect::<Vec<_>>(), ["A"]);
    assert_eq!(env_file(text, true).into_keys().collect::<Vec<_>>(), ["A", "B"]);
}
