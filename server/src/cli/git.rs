//! The local `git`: what it says about the folder, and the answer to its question for a password. Fixed arguments, no shell.

use std::{
    collections::BTreeMap,
    env,
    io::{self, BufRead as _},
    process::{Command, Stdio},
};

use super::{
    contexts::Contexts,
    failure::{Done, Failure},
};

/// What a reading command prints; none where it fails, or there is no `git`.
pub(super) fn read(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// Runs a command that talks to the person; false where it fails.
pub(super) fn run(arguments: &[String]) -> Done<bool> {
    let status = Command::new("git").args(arguments).status();
    status.map(|status| status.success()).map_err(|error| Failure::new(format!("git cannot be started: {error}. Install Git.")))
}

/// Runs `git push` with this program as Git's credential helper, and the server in use as the one it is for.
pub(super) fn push(arguments: &[String], url: &str) -> Done<bool> {
    let helper = format!("credential.helper={}", helper()?);
    // The empty helper makes Git forget those of the configuration.
    let status = Command::new("git")
        .args(["-c", "credential.helper=", "-c", &helper, "push", "-o", "no-wait"])
        .args(arguments)
        .env("BERTH_URL", url)
        .env("GIT_TERMINAL_PROMPT", "0")
        // The standard output is for what berth itself says.
        .stdout(io::stderr())
        .status();
    status.map(|status| status.success()).map_err(|error| Failure::new(format!("git cannot be started: {error}. Install Git.")))
}

/// The helper as Git's configuration wants it: this very program.
pub(super) fn helper() -> Done<String> {
    let program = env::current_exe().map_err(|error| Failure::new(format!("This program does not know its own place: {error}.")))?;
    let program = program.to_string_lossy().replace('\'', "'\\''");
    Ok(format!("!'{program}' git-credential"))
}

/// Sets Git up to ask this program for the password of one server.
pub(super) fn set_up(url: &str) -> Done<()> {
    let key = format!("credential.{url}.helper");
    let arguments = ["config", "--global", "--replace-all", &key, &helper()?].map(ToOwned::to_owned);
    if run(&arguments)? { Ok(()) } else { Err(Failure::new("Git's configuration could not be changed. Look at ~/.gitconfig.")) }
}

/// Answers Git: `get` prints the token of the server it asks about; everything else is not ours to keep.
pub(super) fn credential(operation: &str) -> Done<()> {
    if operation != "get" {
        return Ok(());
    }
    let asked: BTreeMap<String, String> = io::stdin()
        .lock()
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())))
        .collect();
    let part = |key: &str| asked.get(key).map(String::as_str).unwrap_or_default();
    let url = format!("{}://{}", part("protocol"), part("host"));
    if let Some(token) = token_of(&url, &Contexts::load()?) {
        println!("username=berth\npassword={token}");
    }
    Ok(())
}

/// The token of a server: that of the environment where it names the server, else that of a context.
fn token_of(url: &str, contexts: &Contexts) -> Option<String> {
    let here = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    if let (Some(token), Some(of)) = (here("BERTH_TOKEN"), here("BERTH_URL"))
        && same(&of, url)
    {
        return Some(token);
    }
    let current = contexts.current.as_ref().and_then(|name| contexts.contexts.get(name));
    current.into_iter().chain(contexts.contexts.values()).find(|context| same(&context.url, url)).map(|context| context.token.clone())
}

/// Whether two addresses name one server: `localhost` and `127.0.0.1` do.
fn same(one: &str, other: &str) -> bool {
    super::place::normal(one) == super::place::normal(other)
}
