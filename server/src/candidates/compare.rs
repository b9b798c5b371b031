//! How two candidates differ, as far as it can be told from what is kept of them.

use std::collections::{BTreeMap, BTreeSet};

use app::model::{FieldChange, PackageChanges, PackageVersion, Shape, VariableChange, VariableChanged};
use serde_json::Value;

use crate::secrets::says_secret;

/// The packages that differ. A name may be there in several versions.
pub fn packages(before: &[PackageVersion], after: &[PackageVersion]) -> PackageChanges {
    let (old, new) = (by_name(before), by_name(after));
    let mut changes = PackageChanges::default();
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    for name in names {
        let each = |versions: &BTreeSet<&str>| -> Vec<PackageVersion> {
            versions.iter().map(|version| PackageVersion { name: name.to_owned(), version: (*version).to_owned() }).collect()
        };
        match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) if old != new => {
                changes.changed.push(FieldChange { field: name.to_owned(), before: Some(joined(old)), after: Some(joined(new)) });
            }
            (Some(old), None) => changes.removed.extend(each(old)),
            (None, Some(new)) => changes.added.extend(each(new)),
            _ => {}
        }
    }
    changes
}

fn by_name(packages: &[PackageVersion]) -> BTreeMap<&str, BTreeSet<&str>> {
    packages.iter().fold(BTreeMap::new(), |mut all, package| {
        all.entry(package.name.as_str()).or_default().insert(package.version.as_str());
        all
    })
}

fn joined(versions: &BTreeSet<&str>) -> String {
    versions.iter().copied().collect::<Vec<_>>().join(", ")
}

/// The fields of two shapes that differ: processes, health, release command.
pub fn shapes(before: &Shape, after: &Shape) -> Vec<FieldChange> {
    let (old, new) = (fields(before), fields(after));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |name: &String| FieldChange { field: name.clone(), before: old.get(name).cloned(), after: new.get(name).cloned() };
    names.into_iter().map(change).filter(|change| change.before != change.after).collect()
}

/// The variables that differ, with the values that may be shown: none of a secret, and none at all unless `readable`.
pub fn variables(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>, readable: bool) -> Vec<VariableChange> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differ = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differ
        .map(|name| {
            let (old, new) = (before.get(name), after.get(name));
            let change = match (old, new) {
                (None, _) => VariableChanged::Added,
                (_, None) => VariableChanged::Removed,
                _ => VariableChanged::Changed,
            };
            let shown = readable && !says_secret(name);
            let value = |value: Option<&String>| value.filter(|_| shown).cloned();
            VariableChange { name: name.clone(), change, before: value(old), after: value(new) }
        })
        .collect()
}

/// Every field of a shape by its path. What is not set is not there.
fn fields(shape: &Shape) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    flatten(String::new(), &serde_json::to_value(shape).unwrap_or_default(), &mut found);
    found
}

fn flatten(path: String, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, value) in members {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(below, value, into);
            }
        }
        Value::Array(items) if items.is_empty() => {}
        Value::String(text) => drop(into.insert(path, text.clone())),
        other => drop(into.insert(path, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use app::model::{HealthCheck, Process};

    use super::*;

    fn list(text: &str) -> Vec<PackageVersion> {
        let read = |word: &str| word.split_once('=').map(|(name, version)| PackageVersion { name: name.into(), version: version.into() });
        text.split_whitespace().filter_map(read).collect()
    }

    #[test]
    fn packages_come_go_and_change() {
        for (before, after, added, removed, changed) in [
            ("", "", "", "", ""),
            ("a=1 b=1", "b=1 a=1", "", "", ""),
            ("a=1", "a=1 b=2", "b=2", "", ""),
            ("a=1 b=2", "b=2", "", "a=1", ""),
            ("a=1", "a=2", "", "", "a:1>2"),
            ("a=1 a=2", "a=2", "", "", "a:1, 2>2"),
            ("a=1 b=1 c=1", "b=2 c=1 d=1", "d=1", "a=1", "b:1>2"),
        ] {
            let found = packages(&list(before), &list(after));
            let text: Vec<String> = found
                .changed
                .iter()
                .map(|change| format!("{}:{}>{}", change.field, change.before.as_deref().unwrap(), change.after.as_deref().unwrap()))
                .collect();
            assert_eq!(
                (found.added, found.removed, text.join(" ")),
                (list(added), list(removed), changed.to_owned()),
                "{before} → {after}"
            );
        }
    }

    #[test]
    fn variables_differ_by_name_and_show_what_may_be_read() {
        let set = |text: &str| -> BTreeMap<String, String> {
            text.split_whitespace().filter_map(|word| word.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect()
        };
        let before = set("LEVEL=info PORT=1 API_TOKEN=abcd GONE=x");
        let after = set("LEVEL=debug PORT=1 API_TOKEN=efgh NEW=y DB_PASSWORD=z");
        let told = |readable: bool| -> Vec<String> {
            let said = |value: Option<String>| value.unwrap_or_default();
            let line =
                |change: VariableChange| format!("{} {:?} {}>{}", change.name, change.change, said(change.before), said(change.after));
            variables(&before, &after, readable).into_iter().map(line).collect()
        };
        let read = ["API_TOKEN Changed >", "DB_PASSWORD Added >", "GONE Removed x>", "LEVEL Changed info>debug", "NEW Added >y"];
        assert_eq!(told(true), read);
        let names = ["API_TOKEN Changed >", "DB_PASSWORD Added >", "GONE Removed >", "LEVEL Changed >", "NEW Added >"];
        assert_eq!(told(false), names);
        assert_eq!(variables(&before, &before, true), []);
    }

    #[test]
    fn shapes_differ_field_by_field() {
        let web = Process { port: Some(80), drain_ms: 1_000, ..Process::default() };
        let shape = |web: &Process, release: Option<&[&str]>| Shape {
            processes: BTreeMap::from([("web".to_owned(), web.clone())]),
            release: release.map(|words| words.iter().map(|word| (*word).to_owned()).collect()),
        };
        let mut healthy = web.clone();
        healthy.health.check = HealthCheck::Http { path: "/up".into() };
        let mut two = shape(&web, None);
        two.processes.insert("worker".into(), Process { command: Some(vec!["work".into()]), ..web.clone() });
        let before = shape(&web, None);
        type Case<'a> = (Shape, &'a [(&'a str, Option<&'a str>, Option<&'a str>)]);
        let cases: [Case<'_>; 5] = [
            (before.clone(), &[]),
            (shape(&Process { port: Some(81), ..web.clone() }, None), &[("processes.web.port", Some("80"), Some("81"))]),
            (shape(&Process { port: None, ..web.clone() }, None), &[("processes.web.port", Some("80"), None)]),
            (shape(&web, Some(&["migrate", "up"])), &[("release", None, Some("[\"migrate\",\"up\"]"))]),
            (
                shape(&healthy, None),
                &[("processes.web.health.check.kind", Some("auto"), Some("http")), ("processes.web.health.check.path", None, Some("/up"))],
            ),
        ];
        for (after, expected) in cases {
            let found = shapes(&before, &after);
            let found: Vec<_> =
                found.iter().map(|change| (change.field.as_str(), change.before.as_deref(), change.after.as_deref())).collect();
            assert_eq!(found, expected);
        }
        assert!(shapes(&before, &two).iter().all(|change| change.field.starts_with("processes.worker.") && change.before.is_none()));
    }
}
