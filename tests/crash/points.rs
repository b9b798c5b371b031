//! Every fail point there is, read from the source: nobody can add one, or a commit, that is not found here.

use std::collections::BTreeMap;

use crate::house::source::files;

/// The points as they are armed, each with what a person calls it.
pub(super) fn defined() -> BTreeMap<String, String> {
    let mut points = BTreeMap::new();
    for (path, code) in files("server/src") {
        let path = path.strip_prefix("server/src/").unwrap();
        match path {
            // Where points are made.
            "failpoints.rs" | "store/db.rs" => {}
            "platform/docker/call.rs" => points.extend(calls(&code)),
            path => points.extend(commits(path, &code)),
        }
        points.extend(named(path, &code));
    }
    points
}

/// Both sides of something that may be cut short.
fn both(name: &str, called: &str) -> [(String, String); 2] {
    let (kind, rest) = name.split_once('_').unwrap();
    ["before", "after"].map(|side| (format!("{kind}::{side}_{rest}"), format!("{side} {called}")))
}

/// Every commit, by file and line. People know it by its function.
fn commits(path: &str, code: &str) -> Vec<(String, String)> {
    let mut function = String::new();
    let mut found = Vec::new();
    for (number, line) in (1..).zip(code.lines()) {
        if let Some((_, after)) = line.split_once("fn ") {
            function = after.split(['(', '<']).next().unwrap_or_default().to_owned();
        }
        if line.contains(".commit()") {
            found.extend(both(&format!("commit_{path}:{number}"), &format!("the commit of {path}::{function}")));
        }
    }
    found
}

/// Every call of the engine, from the list of their names.
fn calls(code: &str) -> Vec<(String, String)> {
    let names = code.split_once("const fn name").unwrap().1.split_once("\n    }\n").unwrap().0;
    let names = names.lines().filter_map(|line| Some(line.split_once("=> \"")?.1.split_once('"')?.0));
    names.flat_map(|name| both(&format!("docker_{name}"), &format!("the engine's call {name}"))).collect()
}

/// What is named where it stands.
fn named(path: &str, code: &str) -> Vec<(String, String)> {
    let pieces = code.split("point!(\"").skip(1);
    pieces.filter_map(|piece| piece.split_once('"')).map(|(name, _)| (name.to_owned(), format!("{name} in {path}"))).collect()
}

/// The name under which the point before the first commit of a function is armed.
pub(super) fn before_commit_of(place: &str) -> String {
    let points = defined();
    let found = points.iter().find(|(_, called)| **called == format!("before the commit of {place}"));
    found.unwrap_or_else(|| panic!("{place} commits nothing")).0.clone()
}

#[test]
fn commits_calls_and_names_are_found() {
    let points = defined();
    let called: Vec<&str> = points.values().map(String::as_str).collect();
    for expected in [
        "before the commit of control/git.rs::write_down",
        "after the commit of store/rollouts.rs::claim",
        "after the engine's call network_create",
        "deletions::before_folder in tasks/deletions.rs",
    ] {
        assert!(called.contains(&expected), "{expected} is missing of {called:#?}");
    }
}
