//! The texts below a `RUN` (`<<`), made part of it: engines before 23.0 know none. And the engine then reads nothing but what was
//! read here.

use std::collections::BTreeMap;

use app::said;

use super::{
    lines::{Instruction, Text, instructions},
    unclear,
};

/// What runs a text that names no program.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// A Dockerfile without texts below a `RUN`; none where it has none.
///
/// # Errors
/// A sentence, where one is run by a program that takes no text.
pub fn unfolded(dockerfile: &str) -> Result<Option<String>, String> {
    let instructions = instructions(dockerfile)?;
    if instructions.iter().all(|instruction| instruction.texts.is_empty()) {
        return Ok(None);
    }
    let usual = || SHELL.map(str::to_owned).to_vec();
    // The shell of each stage, for those that start from it.
    let mut shells: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut stage, mut shell) = (None, usual());
    let mut lines = Vec::new();
    for instruction in &instructions {
        match instruction.name.as_str() {
            "FROM" => {
                let mut words = instruction.rest.split_whitespace().map(str::to_lowercase);
                shell = words.next().and_then(|base| shells.get(&base).cloned()).unwrap_or_else(usual);
                stage = words.nth(1);
            }
            "SHELL" => shell = serde_json::from_str(&instruction.rest).map_err(|_| unclear(&instruction.line))?,
            _ => {}
        }
        shells.extend(stage.clone().map(|stage| (stage, shell.clone())));
        lines.push(match instruction.texts.as_slice() {
            [] => instruction.line.trim().to_owned(),
            texts => run(instruction, texts, &shell)?,
        });
    }
    Ok(Some(lines.join("\n") + "\n"))
}

fn run(instruction: &Instruction, texts: &[Text], shell: &[String]) -> Result<String, String> {
    let words = match texts {
        [text] if instruction.rest == text.word => of_text(&text.text, shell)?,
        texts => {
            let below: String = texts.iter().map(|text| format!("{}{}\n", text.text, text.end)).collect();
            shell.iter().cloned().chain([format!("{}\n{below}", instruction.rest)]).collect()
        }
    };
    let words = serde_json::to_string(&words).map_err(|_| unclear(&instruction.line))?;
    // The line has no quotes: flags stand in it as they are.
    let triggered = instruction.line.trim_start().get(..3).is_none_or(|word| !word.eq_ignore_ascii_case("RUN"));
    let trigger = if triggered { "ONBUILD " } else { "" };
    let flags: String = instruction.flags.iter().map(|flag| format!("{flag} ")).collect();
    Ok(format!("{trigger}RUN {flags}{words}"))
}

/// What runs a text: the shell, or the program that its first line names.
fn of_text(text: &str, shell: &[String]) -> Result<Vec<String>, String> {
    let Some(named) = text.strip_prefix("#!") else {
        return Ok(shell.iter().cloned().chain([text.to_owned()]).collect());
    };
    let named = named.lines().next().unwrap_or_default().trim();
    let words: Vec<&str> = named.split_whitespace().collect();
    let program = words.iter().rev().find(|word| !word.starts_with('-')).and_then(|word| word.rsplit('/').next()).unwrap_or_default();
    let takes_text = ["sh", "bash", "ash", "dash", "zsh", "ksh"].contains(&program) || program.starts_with("python");
    if !takes_text {
        return Err(said::dockerfile_program(named.replace('`', "")));
    }
    Ok(words.into_iter().map(str::to_owned).chain(["-c".to_owned(), text.to_owned()]).collect())
}
