//! Reads the sources as text: enough to see who names whom.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The top of the repository.
pub(super) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file below a folder, with its path from the top and its code: comments and unit tests left out.
pub(crate) fn files(below: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(&top().join(below), &mut found);
    assert!(!found.is_empty(), "no source below {below}");
    found.sort();
    found
}

fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            let name = path.strip_prefix(top()).unwrap().to_string_lossy().into_owned();
            found.push((name, code(&fs::read_to_string(&path).unwrap())));
        }
    }
}

/// Without comments and without the module of unit tests at the end. A `//` within a string goes too: nobody is named there.
fn code(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap()).collect();
    let code = lines.join("\n");
    match code.find("#[cfg(test)]\nmod ") {
        Some(end) => code[..end].to_owned(),
        None => code,
    }
}

/// The first names after each `root::`: `crate::{a::b, c}` names a and c.
pub(super) fn named(code: &str, root: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(&format!("{root}::")) {
        let before = rest[..at].chars().next_back();
        let after = &rest[at + root.len() + 2..];
        if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':') {
            if let Some(group) = after.strip_prefix('{') {
                found.extend(members(group));
            } else {
                found.push(word(after));
            }
        }
        rest = after;
    }
    found.retain(|name| !name.is_empty());
    found
}

/// The first words of the members of a brace group, up to the brace that closes it.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(word(group[start..at].trim_start()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(word(group[start..at].trim_start()));
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Whether the code names a crate whose name begins so: `prefix…::`.
pub(super) fn uses(code: &str, prefix: &str) -> bool {
    code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').any(|path| path.starts_with(prefix) && path.contains("::"))
}

#[test]
fn names_are_found_in_groups_and_paths() {
    let code = "use crate::{\n  store::{self, Db},\n  wake::Wake,\n};\nfn f() { crate::clock::now(); othercrate::x(); }";
    assert_eq!(named(code, "crate"), ["store", "wake", "clock"]);
    assert!(uses("let x: sqlx::Row;", "sqlx") && !uses("let sqlxish = 1;", "sqlx"));
}
