//! The likely cause of a failure, in one sentence that says what to do: pure.

use std::time::Duration;

use app::said;

use super::plan::Failure;

/// What is known at the time of a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The port `web` is expected on.
    pub port: Option<u16>,
    /// Ports the instance answers on.
    pub open_ports: Vec<u16>,
    /// Variables the release before had and this one lacks.
    pub missing_variables: Vec<String>,
    /// The number of the release before.
    pub before: Option<u64>,
    /// The last lines of its log.
    pub last_lines: Vec<String>,
    /// Its memory limit in bytes.
    pub memory: u64,
    /// How long it was waited for.
    pub waited: Duration,
}

/// The sentence.
pub fn sentence(failure: &Failure, facts: &Facts) -> String {
    let main = match failure {
        Failure::Command(code) => said::cause_command(code_words(*code)),
        Failure::CommandUncertain => said::cause_uncertain(),
        Failure::WrongImage(slot) => said::cause_wrong_image(slot),
        Failure::NoFirstRequest => said::cause_no_request(),
        Failure::NoWay => said::cause_no_way(),
        Failure::Exited { slot, out_of_memory: true, .. } => said::cause_memory(&slot.process, facts.memory >> 20),
        Failure::Exited { slot, code, .. } => exited(&slot.process, *code, facts),
        Failure::NotHealthy { slot, error } => not_healthy(&slot.process, error.as_deref(), facts),
    };
    match missing_variable(facts) {
        Some(hint) => format!("{main} {hint}"),
        None => main,
    }
}

fn exited(process: &str, code: i64, facts: &Facts) -> String {
    if let Some(path) = unwritable_path(&facts.last_lines) {
        return said::cause_read_only(process, code_words(code), path);
    }
    match facts.last_lines.iter().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => said::cause_exited(process, code_words(code), shorten(line)),
        None => said::cause_silent(process, code_words(code)),
    }
}

fn not_healthy(process: &str, error: Option<&str>, facts: &Facts) -> String {
    let waited = facts.waited.as_secs();
    let Some(port) = facts.port.filter(|_| process == "web") else {
        return said::cause_unhealthy(process, waited, error.map_or_else(said::did_not_run, str::to_owned));
    };
    match facts.open_ports.first() {
        Some(other) if !facts.open_ports.contains(&port) => said::cause_other_port(process, other, port),
        None if error.is_some_and(|e| e.contains("refused")) => said::cause_no_port(port, waited, process),
        _ => said::cause_unhealthy(process, waited, error.map_or_else(said::no_answer, str::to_owned)),
    }
}

/// A variable that is gone since the release before: certain where the log names it, a hint otherwise.
fn missing_variable(facts: &Facts) -> Option<String> {
    let before = facts.before?;
    let named = facts.missing_variables.iter().find(|name| facts.last_lines.iter().any(|line| line.contains(name.as_str())));
    if let Some(name) = named {
        return Some(said::cause_variable(name, before));
    }
    (!facts.missing_variables.is_empty()).then(|| said::cause_variables(before, facts.missing_variables.join(", ")))
}

/// An exit code with what it usually means (POSIX shell, "Exit Status for Commands"; 128 + n is signal n).
fn code_words(code: i64) -> String {
    let meaning = match code {
        126 => said::means_not_executable(),
        127 => said::means_not_found(),
        134 => said::means_aborted(),
        137 => said::means_killed(),
        139 => said::means_fault(),
        143 => said::means_terminated(),
        _ => return said::code(code),
    };
    said::code_means(code, meaning)
}

/// The path a program could not write to, as `…: Read-only file system` tells it in most languages.
fn unwritable_path(lines: &[String]) -> Option<String> {
    let line = lines.iter().rev().find(|line| line.to_ascii_lowercase().contains("read-only file system"))?;
    let path = line
        .split(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | ':' | '`' | ',' | '(' | ')'))
        .rfind(|word| word.starts_with('/') && word.len() > 1)?;
    let folder = path.rsplit_once('/').map_or(path, |(folder, _)| if folder.is_empty() { path } else { folder });
    Some(folder.to_owned())
}

fn shorten(line: &str) -> String {
    let line = line.trim();
    if line.chars().count() <= 200 { line.to_owned() } else { format!("{}…", line.chars().take(200).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use super::{super::plan::Slot, *};

    fn web() -> Slot {
        Slot { process: "web".into(), index: 0 }
    }

    fn facts() -> Facts {
        Facts { port: Some(8080), memory: 512 << 20, waited: Duration::from_secs(60), ..Facts::default() }
    }

    #[test]
    fn each_failure_has_its_sentence() {
        let exited = |code| Failure::Exited { slot: web(), code, out_of_memory: false };
        let unhealthy = |error: &str| Failure::NotHealthy { slot: web(), error: Some(error.into()) };
        let lines = |line: &str| Facts { last_lines: vec![line.into()], ..facts() };
        let cases = [
            (exited(1), lines("no such table: orders"), "web exited with code 1. Its last line: “no such table: orders”"),
            (exited(127), facts(), "web exited with code 127 (the command was not found in the image) and wrote nothing."),
            (
                Failure::Exited { slot: web(), code: 137, out_of_memory: true },
                facts(),
                "web ran out of memory (its limit is 512 MiB) and was ended by the kernel.",
            ),
            (
                exited(1),
                lines("open /var/cache/app/x.db: read-only file system"),
                "web exited with code 1 because it could not write to /var/cache/app. Add `writable: [/var/cache/app]` to it in berth.yaml.",
            ),
            (
                unhealthy("connection refused"),
                Facts { open_ports: vec![3000], ..facts() },
                "web answers on port 3000, expected 8080. Set `port: 3000` for it in berth.yaml, or let it listen on $PORT.",
            ),
            (
                unhealthy("connection refused"),
                facts(),
                "Nothing listens on port 8080 within 60 s. Let web listen on 0.0.0.0:$PORT, or set its `port` in berth.yaml.",
            ),
            (
                unhealthy("GET /health answered 500"),
                Facts { open_ports: vec![8080], ..facts() },
                "web was not healthy within 60 s: GET /health answered 500.",
            ),
            (
                exited(1),
                Facts { missing_variables: vec!["DATABASE_URL".into()], before: Some(12), ..lines("KeyError: 'DATABASE_URL'") },
                "web exited with code 1. Its last line: “KeyError: 'DATABASE_URL'” DATABASE_URL is not set, and release 12 had it.",
            ),
        ];
        for (failure, facts, expected) in cases {
            assert_eq!(sentence(&failure, &facts), expected);
            assert!(said::in_korean(expected).is_some(), "not in Korean: {expected}");
        }
    }
}
