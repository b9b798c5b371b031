//! Somebody at a terminal: a home of their own, a folder they stand in, a Berth they may be signed in to.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use app::model::{NewToken, Scope};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::berth::Harbour;

/// How a command ended.
pub(crate) struct Ended {
    /// Its exit code.
    pub(crate) code: i32,
    /// Its standard output.
    pub(crate) out: String,
    /// Its standard error.
    pub(crate) err: String,
}

impl Ended {
    /// The document it printed.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }

    /// That it succeeded.
    pub(crate) fn fine(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }

    /// That it ended with this code, and said this somewhere.
    pub(crate) fn says(self, code: i32, words: &str) -> Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.out.contains(words) || self.err.contains(words), "“{words}” is not in:\n{}{}", self.out, self.err);
        self
    }
}

/// Somebody at a terminal.
pub(crate) struct Person {
    /// Their home: configuration, and the folder they stand in.
    pub(crate) home: TempDir,
    env: Vec<(String, String)>,
}

impl Person {
    /// Somebody who is signed in nowhere.
    pub(crate) fn stranger() -> Self {
        Self { home: tempfile::tempdir().unwrap(), env: Vec::new() }
    }

    /// The owner of the harbour's team, with a token in the environment.
    pub(crate) async fn owner(harbour: &Harbour) -> Self {
        let token = NewToken { name: "test".into(), scopes: Scope::ALL.to_vec(), team: None, days: None };
        let secret = harbour.berth.backend.tokens.create(&harbour.owner, token).await.unwrap().secret;
        Self::stranger().with("BERTH_TOKEN", &secret).with("BERTH_URL", &harbour.berth.config.url)
    }

    /// With a variable more.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The folder they stand in.
    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.home.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.home.path()).env("BERTH_CONFIG_DIR", self.home.path().join("config"));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs git.
    pub(crate) fn git(&self, arguments: &[&str]) {
        let output =
            self.command("git").args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Types `berth` and these words.
    pub(crate) async fn berth(&self, words: &str) -> Ended {
        self.types(words, "").await
    }

    /// Types `berth` and these words, and this on the standard input.
    pub(crate) async fn types(&self, words: &str, input: &str) -> Ended {
        let mut command = self.command(env!("CARGO_BIN_EXE_berth"));
        command.args(words.split_whitespace()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let input = input.to_owned();
        let run = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            // A command that reads nothing may be gone already.
            let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
            child.wait_with_output().unwrap()
        });
        let output = tokio::time::timeout(std::time::Duration::from_secs(60), run).await.expect("the command ends").unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
