//! The rule on secrets: each is a file that compose mounts, none stands in a variable.

use super::compose::{Compose, Service, by_default};
use super::read;

const MOUNT: &str = "/run/secrets/";

pub(crate) fn secrets(compose: &Compose) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut given = std::collections::BTreeSet::new();
    for service in compose.services() {
        let mounted = service.texts("secrets");
        for name in &mounted {
            given.insert((*name).to_owned());
            if compose.file("secrets", name).is_none() {
                wrong.push(format!("{}: the secret {name} is no file", service.name));
            }
        }
        for (name, value) in service.environment() {
            let value = by_default(&value.unwrap_or_default());
            if holds_a_secret(name) || has_password(&value) {
                wrong.push(format!("{}: {name} holds a secret", service.name));
            }
        }
        for path in paths(service) {
            if !mounted.contains(&path.as_str()) {
                wrong.push(format!("{}: {MOUNT}{path} is not mounted", service.name));
            }
        }
    }
    let made = read("deploy/make-secrets");
    let ignored = read(".gitignore");
    for (name, secret) in compose.whole["secrets"].as_object().into_iter().flatten() {
        if !given.contains(name) {
            wrong.push(format!("the secret {name} is used by nobody"));
        }
        if secret["file"] != format!("deploy/secrets/{name}").as_str()
            || !made.lines().any(|line| line.starts_with(&format!("make {name} ")))
        {
            wrong.push(format!("deploy/make-secrets does not make {name}"));
        }
    }
    if !ignored.lines().any(|line| line == "/deploy/secrets/") {
        wrong.push("git does not ignore deploy/secrets".to_owned());
    }
    wrong
}

/// A name that promises a secret itself, as opposed to the file it is in.
fn holds_a_secret(name: &str) -> bool {
    let is_file = name.ends_with("_FILE") || name.ends_with("_FILES");
    let words = ["PASSWORD", "SECRET", "TOKEN", "KEY", "PGPASS"];
    !is_file && words.iter().any(|word| name.contains(word))
}

/// An address with `user:password@`.
fn has_password(value: &str) -> bool {
    let rest = value.split_once("://").map(|(_, rest)| rest);
    let credentials = rest.and_then(|rest| rest.split_once('@')).map(|(user, _)| user);
    credentials.is_some_and(|user| user.contains(':') && !user.contains('/'))
}

/// Names of the mounted files that variables and commands point to.
fn paths(service: Service<'_>) -> Vec<String> {
    let mut texts: Vec<String> = service.environment().into_values().flatten().collect();
    texts.extend(service.texts("command").into_iter().map(str::to_owned));
    let name = |rest: &str| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        rest[..end.unwrap_or(rest.len())].to_owned()
    };
    texts.iter().flat_map(|text| text.split(MOUNT).skip(1).map(name).collect::<Vec<_>>()).collect()
}

#[test]
fn a_secret_in_a_variable_is_told_from_a_file() {
    for bad in ["POSTGRES_PASSWORD", "CONCILIA_ACCOUNTS__MAIN__VENTIPAY__KEY", "PGPASSWORD"] {
        assert!(holds_a_secret(bad), "{bad}");
    }
    assert!(!holds_a_secret("POSTGRES_PASSWORD_FILE") && !holds_a_secret("PGUSER"));
    assert!(has_password("postgres://u:p@h/d") && !has_password("postgres://u@h/d"));
    assert!(!has_password("http://nats:8222"));
}
