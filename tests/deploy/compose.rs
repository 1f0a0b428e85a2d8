//! A compose file as plain values: services, and what the rules ask of them. Anchors and
//! merge keys are resolved while it is read. Not here: any rule.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Where the real one is.
pub(crate) const FILE: &str = "docker-compose.yml";

/// A compose file.
pub(crate) struct Compose {
    pub(crate) text: String,
    pub(crate) whole: Value,
}

/// One service of it.
#[derive(Clone, Copy)]
pub(crate) struct Service<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a Value,
}

impl Compose {
    pub(crate) fn parse(text: &str) -> Self {
        let whole = serde_saphyr::from_str(text).expect("the compose file is YAML");
        Self { text: text.to_owned(), whole }
    }

    pub(crate) fn real() -> Self {
        Self::parse(&super::read(FILE))
    }

    pub(crate) fn services(&self) -> Vec<Service<'_>> {
        let services = self.whole["services"].as_object().expect("there are services");
        services.iter().map(|(name, value)| Service { name, value }).collect()
    }

    pub(crate) fn service(&self, name: &str) -> Service<'_> {
        let found = self.services().into_iter().find(|service| service.name == name);
        found.unwrap_or_else(|| panic!("there is no service {name}"))
    }

    /// The file behind a name below `secrets` or `configs`.
    pub(crate) fn file(&self, kind: &str, name: &str) -> Option<&str> {
        self.whole[kind][name]["file"].as_str()
    }
}

impl<'a> Service<'a> {
    /// The texts of a list, or the one text.
    pub(crate) fn texts(self, key: &str) -> Vec<&'a str> {
        match &self.value[key] {
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
            other => other.as_str().into_iter().collect(),
        }
    }

    /// Variables of the container; `None` where compose takes the value from `.env`, if any.
    pub(crate) fn environment(self) -> BTreeMap<&'a str, Option<String>> {
        let Some(variables) = self.value["environment"].as_object() else {
            assert!(self.value["environment"].is_null(), "{}: write a map", self.name);
            return BTreeMap::new();
        };
        let text = |value: &Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        variables.iter().map(|(name, value)| (name.as_str(), text(value))).collect()
    }

    pub(crate) fn is_ours(self) -> bool {
        self.value.get("build").is_some()
    }

    /// It stays, as opposed to the services that are done once they have run.
    pub(crate) fn stays(self) -> bool {
        self.value.get("restart").is_some()
    }

    /// The target of the Dockerfile it is built from.
    pub(crate) fn target(self) -> Option<&'a str> {
        self.value["build"]["target"].as_str()
    }

    /// The address its health check asks.
    pub(crate) fn health_url(self) -> Option<&'a str> {
        let words = self.value["healthcheck"]["test"].as_array()?;
        words.iter().filter_map(Value::as_str).find(|word| word.starts_with("http"))
    }
}

/// Puts values in for `${NAME}`, `${NAME:-default}` and `${NAME:?sentence}`, and notes the names.
/// An unset variable without default is empty, as compose has it.
pub(crate) fn interpolate(
    text: &str,
    values: &BTreeMap<String, String>,
    names: &mut BTreeSet<String>,
) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        out.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        if let Some(escaped) = after.strip_prefix('$') {
            out.push('$');
            rest = escaped;
            continue;
        }
        let inner = after.strip_prefix('{').expect("write variables as ${NAME}");
        let (inner, after) = inner.split_once('}').expect("a variable ends");
        let (name, default) = inner.split_once(':').unwrap_or((inner, "-"));
        names.insert(name.to_owned());
        let default = default.strip_prefix('-').unwrap_or_default();
        out.push_str(values.get(name).map_or(default, String::as_str));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// As compose sees it where nothing is set.
pub(crate) fn by_default(text: &str) -> String {
    interpolate(text, &BTreeMap::new(), &mut BTreeSet::new())
}

#[test]
fn variables_are_put_in_as_compose_does_it() {
    let values = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
    let mut names = BTreeSet::new();
    let seen = interpolate("${A:-9}:${B:-2}:${C:?say so}$$(x)", &values, &mut names);
    assert_eq!(seen, "1:2:$(x)");
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["A", "B", "C"]);
}

#[test]
fn merge_keys_and_anchors_are_resolved() {
    let text =
        "x-a: &a {user: one}\nx-b: &b {<<: *a, ports: [1]}\nservices:\n  s: {<<: [*b], image: i}\n";
    let compose = Compose::parse(text);
    let service = compose.service("s");
    assert_eq!(service.value["user"], "one");
    assert!(service.value.get("<<").is_none(), "the merge key itself is gone");
}
