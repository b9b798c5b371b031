//! What the README says is so: its commands exist, its files are there, its examples are good.

use std::{collections::BTreeSet, fs};

use clap::{Command, CommandFactory as _};
use server::{cli::Cli, pipelines::file};

use super::source::top;

fn readme() -> String {
    fs::read_to_string(top().join("README.md")).unwrap()
}

/// The fenced blocks of a language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// What stands between back-ticks on a line.
fn quoted(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with("```")).flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// Every command of the text: lines of `sh` blocks and quoted words that begin with `program`.
fn commands(text: &str, program: &str) -> BTreeSet<String> {
    let lines = blocks(text, "sh").into_iter().flat_map(str::lines);
    lines
        .chain(quoted(text))
        .map(|line| line.trim().trim_start_matches("$ "))
        .map(|line| line.split(" #").next().unwrap().trim())
        .filter(|line| line.split(' ').find(|word| !word.contains('=')) == Some(program))
        .map(|line| line.split(' ').skip_while(|word| *word != program).collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn its_make_targets_exist() {
    let makefile = fs::read_to_string(top().join("Makefile")).unwrap();
    let found = commands(&readme(), "make");
    assert!(found.contains("make demo") && found.contains("make run"), "{found:?}");
    for command in found {
        let target = command.split(' ').nth(1).unwrap();
        assert!(makefile.lines().any(|line| line.starts_with(&format!("{target}:"))), "`{command}`: no such target");
    }
}

#[test]
fn its_subcommands_exist() {
    let cli = Cli::command();
    let found = commands(&readme(), "berth");
    assert!(found.len() > 20, "{found:?}");
    for command in &found {
        check(&cli, command);
    }
}

/// Walks down the words of a command as far as they are subcommands; options must be known where they stand.
fn check(cli: &Command, command: &str) {
    let mut at = cli;
    for word in command.split_whitespace().skip(1) {
        let word = word.trim_matches(['[', ']']);
        if let Some(option) = word.strip_prefix("--") {
            let name = option.split('=').next().unwrap();
            let known = |command: &Command| command.get_arguments().any(|argument| argument.get_long() == Some(name));
            assert!(known(at) || known(cli) || ["help", "version"].contains(&name), "`{command}`: no option --{name}");
        } else if at.has_subcommands() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-') {
            at = at.find_subcommand(word).unwrap_or_else(|| panic!("`{command}`: no subcommand {word}"));
        }
    }
}

#[test]
fn its_files_are_there() {
    let text = readme();
    let paths: Vec<&str> = quoted(&text)
        .into_iter()
        .map(|word| word.split(['#', ' ']).next().unwrap())
        .map(|word| word.split("::").next().unwrap())
        .filter(|word| ["server/", "app/", "tests/", ".ci/", "migrations/", "style/", "public/"].iter().any(|top| word.starts_with(top)))
        .collect();
    assert!(paths.len() > 15, "{paths:?}");
    for path in paths {
        assert!(top().join(path).exists(), "the README names {path}, which is not there");
    }
}

#[test]
fn its_functions_are_there() {
    // `file.rs::function`: the walk through the code names both.
    let text = readme();
    let named: Vec<(&str, &str)> = quoted(&text).into_iter().filter_map(|word| word.split_once(".rs::")).collect();
    assert!(named.len() >= 8, "{named:?}");
    for (path, function) in named {
        let file = top().join(format!("{path}.rs"));
        let code = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let name = function.trim_end_matches("()");
        let there = ["fn ", "struct ", "enum ", "trait ", "const ", "static "].iter().any(|kind| {
            code.match_indices(&format!("{kind}{name}"))
                .any(|(at, found)| code[at + found.len()..].chars().next().is_none_or(|next| !next.is_alphanumeric() && next != '_'))
        });
        assert!(there, "{path}.rs has no {name}");
    }
}

#[test]
fn its_pipelines_are_good() {
    let text = readme();
    let files: Vec<&str> = blocks(&text, "yaml").into_iter().filter(|block| block.contains("services:")).collect();
    assert!(!files.is_empty());
    let sample = fs::read_to_string(top().join("tests/fixtures/hello/berth.yaml")).unwrap();
    for yaml in files.into_iter().chain([sample.as_str()]) {
        let found = file::lint(yaml);
        assert!(found.problems.is_empty(), "{:?}\n{yaml}", found.problems);
    }
}

#[test]
fn its_settings_are_all_of_them() {
    let text = readme();
    let cli = Cli::command();
    let serve = cli.find_subcommand("serve").unwrap();
    for argument in serve.get_arguments() {
        if let Some(variable) = argument.get_env().filter(|_| argument.get_id() != "config") {
            let variable = variable.to_string_lossy();
            assert!(text.contains(&format!("`{variable}`")), "the README's table lacks {variable}");
        }
    }
}
