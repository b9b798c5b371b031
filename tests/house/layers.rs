//! Holds the layers to the picture in `server/src/lib.rs`: imports run downwards only.

use std::collections::BTreeMap;

use super::source::{files, named, uses};

/// Each part of `server`, and the parts it may name. What is missing here it may not: a part that needs another is a
/// change of the picture, not of this list alone.
const MAY_NAME: &[(&str, &[&str])] = &[
    // Beside the picture: they know nothing of Berth but its words.
    ("failpoints", &[]),
    ("ci", &[]),
    ("clock", &["failpoints"]),
    ("claim", &["clock"]),
    ("config", &[]),
    ("reach", &[]),
    ("telemetry", &[]),
    ("wake", &[]),
    // Composition raises it, `doctor` looks at it.
    ("wall", &["platform"]),
    // The edges to the world, unaware of each other.
    ("platform", &["clock", "telemetry"]),
    ("git", &["clock"]),
    ("forge", &["reach"]),
    ("secrets", &["clock"]),
    ("store", &["claim", "clock", "failpoints", "telemetry"]),
    // What is said of an image: pure, over a key.
    ("candidates", &["secrets"]),
    // Effects. A rollout waits for the edge to serve what it proved; a run ends in a rollout.
    ("edge", &["clock", "config", "store", "telemetry", "wake"]),
    ("rollout", &["candidates", "clock", "config", "edge", "platform", "secrets", "store", "telemetry", "wake"]),
    ("pipelines", &["candidates", "ci", "claim", "clock", "config", "git", "platform", "rollout", "secrets", "store", "telemetry", "wake"]),
    (
        "tasks",
        &[
            "candidates",
            "claim",
            "clock",
            "config",
            "edge",
            "forge",
            "git",
            "pipelines",
            "platform",
            "reach",
            "rollout",
            "secrets",
            "store",
            "telemetry",
            "wake",
        ],
    ),
    // What the command line does beside a Berth that serves.
    ("backup", &["clock", "config", "git", "secrets", "store"]),
    // What answers requests: rows, and pure functions of the effects.
    ("auth", &["clock", "store"]),
    (
        "control",
        &[
            "auth",
            "candidates",
            "ci",
            "clock",
            "config",
            "git",
            "pipelines",
            "platform",
            "reach",
            "rollout",
            "secrets",
            "store",
            "telemetry",
            "wake",
        ],
    ),
    ("http", &["auth", "clock", "config", "control", "git", "pipelines", "store", "telemetry", "wake"]),
    // Composition.
    (
        "serve",
        &[
            "auth",
            "clock",
            "config",
            "control",
            "edge",
            "git",
            "http",
            "pipelines",
            "platform",
            "rollout",
            "secrets",
            "store",
            "tasks",
            "wake",
            "wall",
        ],
    ),
    (
        "cli",
        &[
            "auth",
            "backup",
            "candidates",
            "clock",
            "config",
            "control",
            "http",
            "pipelines",
            "platform",
            "secrets",
            "serve",
            "store",
            "telemetry",
            "wall",
        ],
    ),
    ("main", &["cli"]),
];

/// Crates that only one part names.
const ONLY: &[(&str, &str, &[&str])] = &[
    ("sqlx", "server/src/store/", &[]),
    ("bollard", "server/src/platform/docker", &[]),
    ("pingora", "server/src/edge/", &[]),
    ("leptos", "server/src/http/ui", &[]),
];

/// The part a file belongs to: `server/src/store/db.rs` → `store`.
fn part(path: &str) -> &str {
    path.split('/').nth(2).unwrap().trim_end_matches(".rs")
}

#[test]
fn imports_run_downwards_only() {
    let allowed: BTreeMap<_, _> = MAY_NAME.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, code) in files("server/src") {
        let part = part(&path);
        if part == "lib" {
            continue;
        }
        let may = allowed.get(part).unwrap_or_else(|| panic!("{path}: the part `{part}` is not in the picture"));
        // The program names the library from outside.
        for name in named(&code, if part == "main" { "server" } else { "crate" }) {
            // `args!` is the store's macro, at the root because macros are.
            if name != part && name != "args" && !may.contains(&name.as_str()) {
                wrong.push(format!("{path} names {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "against the layers:\n{}", wrong.join("\n"));
}

#[test]
fn the_picture_has_no_circle() {
    let allowed: BTreeMap<_, _> = MAY_NAME.iter().copied().collect();
    let mut done: Vec<&str> = Vec::new();
    while done.len() < allowed.len() {
        let next: Vec<&str> = allowed
            .iter()
            .filter(|(part, may)| !done.contains(part) && may.iter().all(|name| done.contains(name)))
            .map(|(part, _)| *part)
            .collect();
        assert!(!next.is_empty(), "a circle among the parts that are not {done:?}");
        done.extend(next);
    }
}

#[test]
fn parts_of_the_world_are_named_in_one_place() {
    for (prefix, place, also) in ONLY {
        for (path, code) in files("server/src") {
            let here = path.starts_with(place) || also.contains(&path.as_str());
            assert!(here || !uses(&code, prefix), "{path} names {prefix}; only {place} may");
        }
    }
}

#[test]
fn only_git_the_command_line_and_the_wall_start_processes() {
    for (path, code) in files("server/src") {
        let may = matches!(part(&path), "git" | "cli" | "wall");
        // The exit code is no process.
        let starts = code.contains("Command::new") || code.contains("process::Command") || code.contains("process::{Command");
        assert!(may || !starts, "{path} starts a process");
        for shell in ["\"sh\"", "\"bash\"", "\"/bin/sh\""] {
            assert!(!may || !code.contains(shell), "{path} starts a shell");
        }
    }
}

#[test]
fn the_vocabulary_does_no_input_or_output() {
    for below in ["app/src/model", "app/src/error.rs"].into_iter().filter(|below| !below.ends_with(".rs")) {
        for (path, code) in files(below) {
            for world in ["std::fs", "std::net", "std::env", "std::process", "tokio"] {
                assert!(!code.contains(world), "{path} names {world}");
            }
        }
    }
    for (path, code) in files("app/src") {
        for upper in ["server", "sqlx", "axum", "bollard", "pingora", "tokio", "reqwest"] {
            assert!(!uses(&code, upper), "{path} names {upper}");
        }
    }
}

#[test]
fn the_wall_clock_is_read_in_one_place() {
    for (path, code) in files("server/src") {
        let here = path == "server/src/clock.rs";
        assert!(here || !code.contains("SystemTime::now"), "{path} reads the clock; crate::clock does");
    }
}

#[test]
fn the_picture_names_every_part() {
    let parts: Vec<&str> = MAY_NAME.iter().map(|(part, _)| *part).collect();
    for entry in std::fs::read_dir(super::source::top().join("server/src")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        assert!(name == "lib" || parts.contains(&name.as_str()), "`{name}` is not in the picture");
    }
}
