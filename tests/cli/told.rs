//! What the command line tells of itself: completions that shells read, and a manual; each names every command.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use super::person::Person;

/// Every command that is shown, as words: `berth runs list`.
fn commands() -> Vec<Vec<String>> {
    fn below(command: &clap::Command, words: &[String], all: &mut Vec<Vec<String>>) {
        for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
            let words: Vec<String> = words.iter().cloned().chain([inner.get_name().to_owned()]).collect();
            below(inner, &words, all);
            all.push(words);
        }
    }
    let mut all = Vec::new();
    below(&server::cli::command(), &["berth".to_owned()], &mut all);
    all
}

/// Whether a shell is there and reads the file; none where it is not there.
fn reads(shell: &str, arguments: &[&str], file: &Path) -> Option<bool> {
    let done = Command::new(shell).args(arguments).arg(file).output().ok()?;
    assert!(done.status.success(), "{shell}: {}", String::from_utf8_lossy(&done.stderr));
    Some(true)
}

#[tokio::test]
async fn completions_name_every_command_and_shells_read_them() {
    let person = Person::stranger();
    let commands = commands();
    assert!(commands.len() > 60, "only {} commands were found", commands.len());
    let mut read = BTreeSet::new();
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let script = person.berth(&format!("completions {shell}")).await.fine().out;
        for words in &commands {
            let last = words.last().unwrap();
            // zsh and fish name a command by itself, Bash by the path to it too.
            assert!(script.contains(last.as_str()), "{shell} does not know {words:?}");
        }
        let file = person.folder().join(format!("berth.{shell}"));
        fs::write(&file, script).unwrap();
        if reads(shell, &[check], &file) == Some(true) {
            read.insert(shell);
        }
    }
    // Bash completes for real: the words after `berth ru` are `runs`.
    let ask = "source \"$0\"; COMP_WORDS=(berth ru); COMP_CWORD=1; _berth berth ru berth; echo \"${COMPREPLY[@]}\"";
    let file = person.folder().join("berth.bash");
    if let Ok(done) = Command::new("bash").args(["--norc", "-c", ask]).arg(&file).output() {
        assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), "runs", "{}", String::from_utf8_lossy(&done.stderr));
    }
    assert!(read.contains("bash") || Command::new("bash").arg("--version").output().is_err());
    person.berth("completions tcsh").await.says(2, "zsh");
}

#[tokio::test]
async fn the_manual_has_a_page_for_every_command() {
    let person = Person::stranger();
    person.berth("man manual").await.fine().says(0, "man -l");
    let folder = person.folder().join("manual");
    for words in commands() {
        let page = folder.join(format!("{}.1", words.join("-")));
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{}", page.display());
    }
    let top = fs::read_to_string(folder.join("berth.1")).unwrap();
    for words in commands().iter().filter(|words| words.len() == 2) {
        assert!(top.contains(&words[1].replace('-', "\\-")), "berth.1 does not name {}", words[1]);
    }
    // groff sets a page without a complaint, where it is there.
    for page in ["berth.1", "berth-runs-list.1", "berth-lint.1"] {
        let set = Command::new("groff").args(["-Kutf8", "-man", "-Tutf8", "-ww"]).arg(folder.join(page)).output();
        if let Ok(done) = set {
            let (out, said) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
            assert!(done.status.success() && said.is_empty() && out.len() > 200, "{page}: {said}");
        }
    }
    assert!(!folder.join("berth-git-credential.1").exists(), "what is hidden has no page");
    let file = person.folder().join("file");
    fs::write(&file, "no folder").unwrap();
    person.berth("man file").await.says(1, "cannot be written");
}
