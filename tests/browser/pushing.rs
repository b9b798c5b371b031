//! A repository to push from, with the real `git`.

use std::{path::Path, process::Output};

use app::model::{Actor, NewToken, Scope};
use server::{
    platform::fake::{Behaviour, Fake, Script},
    serve::Running,
};
use tempfile::TempDir;
use tokio::process::Command;

const PIPELINE: &str = "version: 1
services:
  hello:
    stages:
      - name: fast
        steps:
          - { name: unit, image: 'busybox:1', run: ['sh test.sh'] }
          - { name: lint, image: 'busybox:1', run: ['sh lint.sh'] }
    image: { dockerfile: Dockerfile }
    processes:
      web: { port: 8080, health: { path: /, interval: 100ms } }
";

/// A working copy with a pipeline, and the address to push it to.
pub(super) struct Source {
    folder: TempDir,
    remote: String,
}

/// How the steps and images of a push behave from now on: a unit test of many lines that ends with `code`.
pub(super) fn behave(fake: &Fake, code: i64, text: &'static str) {
    fake.set_image("busybox:1", Behaviour::default());
    fake.on_task(move |task| {
        let unit = task.command.iter().chain(task.env.values()).any(|word| word.contains("test.sh"));
        if !unit {
            return Some(Script::new(&["nothing to say"], 0));
        }
        let lines: Vec<String> = (1..=120).map(|n| format!("test prices_are_right_{n} ... \u{1b}[32mok\u{1b}[0m <b>")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        Some(Script::new(&lines, code).taking(std::time::Duration::from_millis(1_500)))
    });
    fake.on_build(move |_| Some((vec!["Step 1/1 : FROM scratch".into()], Ok(Behaviour::saying(text)))));
}

impl Source {
    /// One for the service `hello` of the team `demo`.
    pub(super) async fn new(berth: &Running, actor: &Actor) -> Self {
        let token = NewToken { name: "push".into(), scopes: vec![Scope::Git], team: None, days: None };
        let secret = berth.backend.tokens.create(actor, token).await.unwrap().secret;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("berth.yaml"), PIPELINE).unwrap();
        std::fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").unwrap();
        let it = Self { folder, remote: format!("http://x:{secret}@{}/git/demo/hello.git", berth.console) };
        it.git(&["init", "-q", "-b", "main"]).await;
        it
    }

    async fn git(&self, arguments: &[&str]) -> Output {
        git(self.folder.path(), arguments).await
    }

    /// Commits something with this title and pushes it; comes back when the run is accepted.
    pub(super) async fn push(&self, title: &str) {
        std::fs::write(self.folder.path().join("title"), title).unwrap();
        self.git(&["add", "-A"]).await;
        self.git(&["commit", "-q", "-m", title]).await;
        self.git(&["push", "-q", "-o", "no-wait", &self.remote, "main"]).await;
    }
}

async fn git(folder: &Path, arguments: &[&str]) -> Output {
    let done = Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .await
        .unwrap();
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    done
}
