//! Rules on images, users, ports, health checks and the opening comment. Each answers what it
//! found wrong, in sentences; none means that it holds.
//!
//! Not here: variables ([`super::variables`]), secrets ([`super::secrets`]), and whether a
//! route is there ([`super::routes`]).

use concilia_tests::harness::nats;

use super::compose::{Compose, Service, by_default};
use super::dockerfile::Dockerfile;
use super::{exists, read};

/// A tag that names one version: `17.11-bookworm`, `19.0-20260817`, never `latest` or `17`.
fn is_pinned(image: &str) -> bool {
    let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
    let version = tag.split('-').next().unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    version.split('.').count() >= 2 && version.split('.').all(is_number)
}

pub(crate) fn images(compose: &Compose) -> Vec<String> {
    let mut wrong = Vec::new();
    for service in compose.services() {
        let image = by_default(service.value["image"].as_str().unwrap_or_default());
        if !is_pinned(&image) {
            wrong.push(format!("{}: {image:?} is not a version", service.name));
        }
    }
    // The server the tests run, and 2.15 at least: below that a batch is not synced at once.
    let nats = by_default(compose.service("nats").value["image"].as_str().unwrap_or_default());
    let tested = read("deploy/tools.sh");
    let tested = tested.lines().find_map(|line| line.strip_prefix("NATS_VERSION="));
    let tested = tested.expect("tools.sh names the version");
    let minor = tested.strip_prefix("2.").and_then(|rest| rest.split('.').next());
    assert!(
        minor.is_some_and(|minor| minor.parse::<u32>().is_ok_and(|minor| minor >= 15)),
        "{tested}"
    );
    if nats != format!("nats:{tested}-alpine") {
        wrong.push(format!("nats: {nats} is not the {tested} of deploy/tools.sh"));
    }
    wrong
}

pub(crate) fn base_images(dockerfile: &Dockerfile) -> Vec<String> {
    let mut wrong = Vec::new();
    for image in dockerfile.base_images() {
        if !is_pinned(image) {
            wrong.push(format!("the base image {image} is not a version"));
        }
    }
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.split('"').nth(1).expect("a channel");
    if !dockerfile.base_images().iter().any(|i| i.starts_with(&format!("rust:{channel}-"))) {
        wrong.push(format!("nothing is built with the toolchain {channel}"));
    }
    wrong
}

/// Every target is there, and what is copied from the checkout is there and let through.
pub(crate) fn build(compose: &Compose, dockerfile: &Dockerfile) -> Vec<String> {
    let mut wrong = Vec::new();
    for service in compose.services().into_iter().filter(|service| service.is_ours()) {
        let target = service.target().unwrap_or_default();
        if dockerfile.stage(target).is_none() {
            wrong.push(format!("{}: the Dockerfile has no target {target:?}", service.name));
        }
        if service.value["build"]["dockerfile"] != super::dockerfile::FILE {
            wrong.push(format!("{}: built from another Dockerfile", service.name));
        }
    }
    let ignored = read("deploy/Dockerfile.dockerignore");
    for path in dockerfile.copied() {
        if !exists(path) || !ignored.lines().any(|line| line == format!("!{path}")) {
            wrong.push(format!("{path} is copied, but not there or not let through"));
        }
    }
    wrong
}

pub(crate) fn users(compose: &Compose, dockerfile: &Dockerfile) -> Vec<String> {
    let is_root = |user: &str| matches!(user.split(':').next(), None | Some("" | "0" | "root"));
    let mut wrong = Vec::new();
    for service in compose.services() {
        let user = by_default(service.value["user"].as_str().unwrap_or_default());
        if is_root(&user) {
            wrong.push(format!("{} runs as root", service.name));
        }
        if let Some(target) = service.target()
            && dockerfile.user(target) != Some(user.as_str())
        {
            wrong.push(format!("{}: its image runs as another user", service.name));
        }
        if service.value["cap_drop"] != serde_json::json!(["ALL"]) {
            wrong.push(format!("{} keeps capabilities", service.name));
        }
        if service.value["privileged"] == true {
            wrong.push(format!("{} is privileged", service.name));
        }
    }
    wrong
}

/// Whatever is published is on loopback; only where webhooks come in can `.env` say otherwise.
pub(crate) fn ports(compose: &Compose) -> Vec<String> {
    let mut wrong = Vec::new();
    for service in compose.services() {
        let written = service.value["ports"].as_array().map_or(&[][..], Vec::as_slice);
        for port in written {
            // The long form has no place in this file.
            let port = port.as_str().unwrap_or_default();
            let seen = by_default(port);
            if !seen.starts_with("127.0.0.1:") {
                wrong.push(format!("{}: {seen:?} is published to the world", service.name));
            }
            let inside = seen.rsplit(':').next().unwrap_or_default();
            let receives = listens(service, "CONCILIA_INGRESS__LISTEN") == Some(inside.to_owned());
            if port.contains('$') && !receives {
                wrong.push(format!("{}: {port:?} could be published", service.name));
            }
        }
    }
    wrong
}

/// The port in the address a variable of the service holds.
fn listens(service: Service<'_>, variable: &str) -> Option<String> {
    let address = service.environment().get(variable)?.clone()?;
    address.rsplit_once(':').map(|(_, port)| port.to_owned())
}

/// Each service that stays is watched, and asked where it listens.
pub(crate) fn health(compose: &Compose) -> Vec<String> {
    let mut wrong = Vec::new();
    for service in compose.services().into_iter().filter(|service| service.stays()) {
        if service.value["healthcheck"]["test"].as_array().is_none_or(Vec::is_empty) {
            wrong.push(format!("{} has no health check", service.name));
        }
        let expected = match service.name {
            "ingress" => listens(service, "CONCILIA_INGRESS__ADMIN_LISTEN"),
            "worker" => listens(service, "CONCILIA_WORKER__ADMIN_LISTEN"),
            "nats" => nats_conf("http_port"),
            "sim" => service
                .texts("command")
                .iter()
                .find_map(|word| word.strip_prefix("--ventipay-listen=0.0.0.0:"))
                .map(str::to_owned),
            _ => continue,
        };
        let asked = service.health_url().and_then(port_of);
        if asked.is_none() || asked != expected {
            wrong.push(format!(
                "{}: asked on {asked:?}, but it listens on {expected:?}",
                service.name
            ));
        }
    }
    wrong
}

/// The port of `http://127.0.0.1:PORT/…`.
fn port_of(url: &str) -> Option<String> {
    let (port, _) = url.strip_prefix("http://127.0.0.1:")?.split_once('/')?;
    Some(port.to_owned())
}

/// The value of a key of the broker's configuration.
fn nats_conf(key: &str) -> Option<String> {
    let conf = std::fs::read_to_string(nats::config_file()).expect("the broker's configuration");
    setting(&conf, key)
}

fn setting(conf: &str, key: &str) -> Option<String> {
    let mut lines = conf.lines().map(str::trim);
    lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(|it| it.trim().to_owned())
}

/// The broker runs with the file the tests and quickstart run it with, and that one syncs always.
pub(crate) fn broker(compose: &Compose) -> Vec<String> {
    let mut wrong = Vec::new();
    let service = compose.service("nats");
    let mounted = service.value["configs"][0]["source"].as_str().unwrap_or_default();
    let file = compose.file("configs", mounted).unwrap_or_default();
    let checkout = concilia_tests::harness::process::checkout();
    if checkout.join(file) != nats::config_file() {
        wrong.push(format!("nats is given {file:?}, not the file the tests use"));
    }
    let command = service.texts("command");
    let target = service.value["configs"][0]["target"].as_str().unwrap_or_default();
    if !command.windows(2).any(|pair| pair == ["-c", target]) {
        wrong.push("nats does not read the file it is given".to_owned());
    }
    // On a volume, or an acknowledged webhook ends with the container.
    let folder = command.iter().skip_while(|word| **word != "-sd").nth(1).copied();
    let volumes = service.texts("volumes");
    let mut folders = volumes.iter().filter_map(|volume| volume.split(':').nth(1));
    if !folder.is_some_and(|folder| folders.any(|on| folder.starts_with(&format!("{on}/")))) {
        wrong.push("nats stores outside its volume".to_owned());
    }
    wrong.extend(syncs(&std::fs::read_to_string(nats::config_file()).unwrap_or_default()));
    if !read("deploy/quickstart").contains(r#"-c "$HERE/nats.conf""#) {
        wrong.push("quickstart runs the broker with another file".to_owned());
    }
    wrong
}

pub(crate) fn syncs(conf: &str) -> Option<String> {
    let (_, jetstream) = conf.split_once("\njetstream {").unwrap_or_default();
    let block = jetstream.split("\n}").next().unwrap_or_default();
    let always = setting(block, "sync_interval").as_deref() == Some("always");
    (!always).then(|| "nats.conf does not sync always".to_owned())
}

/// The comment at the top names every service, profile and how to start.
pub(crate) fn comment(compose: &Compose) -> Vec<String> {
    let opening: Vec<&str> =
        compose.text.lines().take_while(|line| line.starts_with('#')).collect();
    let opening = opening.join("\n");
    let mut wrong = Vec::new();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut words = vec!["docker compose up", "docker compose"];
    for service in compose.services() {
        words.push(service.name);
        words.extend(service.texts("profiles"));
    }
    for word in words {
        let told = opening.match_indices(word).any(|(at, _)| {
            !opening[..at].ends_with(is_word) && !opening[at + word.len()..].starts_with(is_word)
        });
        if !told {
            wrong.push(format!("the opening comment does not name {word}"));
        }
    }
    wrong
}

#[test]
fn a_version_is_told_from_a_name_that_moves() {
    for pinned in ["nats:2.15.1-alpine", "postgres:17.11-bookworm", "odoo:19.0-20260817"] {
        assert!(is_pinned(pinned), "{pinned}");
    }
    for moving in
        ["nats", "nats:latest", "nats:2", "nats:alpine", "nats:2.x", "debian:trixie", "a:"]
    {
        assert!(!is_pinned(moving), "{moving}");
    }
}

#[test]
fn a_broker_that_syncs_later_or_in_a_comment_is_noticed() {
    assert_eq!(syncs("\njetstream {\n  sync_interval: always\n}\n"), None);
    for broken in [
        "\njetstream {\n  # sync_interval: always\n}\n",
        "\njetstream {\n  sync_interval: 2m\n}\n",
        "\njetstream {\n}\nother {\n sync_interval: always\n}\n",
        "",
    ] {
        assert!(syncs(broken).is_some(), "{broken}");
    }
}
