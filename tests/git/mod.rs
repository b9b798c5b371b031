//! The real `git` client against a real server: push, clone, rights, and what the pusher is shown.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use app::model::{NewService, NewToken, RunState, Scope};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use server::platform::fake::{Behaviour, Script};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, process::Command};

use crate::support::{
    app::TestApp,
    berth::{Harbour, service, team, until},
};

/// A working copy that pushes to a Berth.
pub(crate) struct Copy {
    folder: TempDir,
    url: String,
}

impl Copy {
    /// A fresh one for the service of a harbour, with a token that may push.
    pub(crate) async fn new(harbour: &Harbour) -> Self {
        let token = token(harbour, vec![Scope::Git, Scope::Read]).await;
        Self::with_token(harbour, &token).await
    }

    /// A fresh one with this password.
    pub(crate) async fn with_token(harbour: &Harbour, token: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("http://x:{token}@{}/git/demo/hello.git", harbour.berth.console);
        Self::of(folder, url).await
    }

    /// A fresh one that pushes to this address.
    pub(crate) async fn at(url: &str) -> Self {
        Self::of(tempfile::tempdir().unwrap(), url.to_owned()).await
    }

    async fn of(folder: TempDir, url: String) -> Self {
        let copy = Self { folder, url };
        copy.good(&["init", "-q", "-b", "main"]).await;
        copy.good(&["remote", "add", "berth", &copy.url]).await;
        copy
    }

    /// Its folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Runs `git` here.
    pub(crate) async fn git(&self, args: &[&str]) -> Output {
        git(self.path(), args).await
    }

    /// Runs `git` here; it must succeed.
    pub(crate) async fn good(&self, args: &[&str]) -> String {
        let output = self.git(args).await;
        assert!(output.status.success(), "git {args:?}: {}", text(&output));
        text(&output)
    }

    /// Commits everything.
    pub(crate) async fn commit(&self, message: &str) -> String {
        self.good(&["add", "-A"]).await;
        self.good(&["commit", "-q", "--allow-empty", "-m", message]).await;
        self.good(&["rev-parse", "HEAD"]).await.trim().to_owned()
    }

    /// Commits everything and pushes; what the client showed.
    pub(crate) async fn push(&self, message: &str) -> String {
        self.commit(message).await;
        self.good(&["push", "berth", "HEAD"]).await
    }
}

/// Runs `git` in a folder with nothing of this machine's configuration.
async fn git(folder: &Path, args: &[&str]) -> Output {
    Command::new("git")
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"])
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .await
        .unwrap()
}

/// All that a command wrote.
fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A token of the owner with these scopes.
pub(crate) async fn token(harbour: &Harbour, scopes: Vec<Scope>) -> String {
    let new = NewToken { name: "git".into(), scopes, team: None, days: None };
    harbour.berth.backend.tokens.create(&harbour.owner, new).await.unwrap().secret
}

/// A file with one stage of one step in the image `shell`.
pub(crate) const FILE: &str = "version: 1
services:
  hello:
    stages:
      - name: fast
        steps:
          - { name: unit, image: shell, run: [\"make test\"] }
";

/// A harbour whose engine has what [`FILE`] and its Dockerfile ask for.
pub(crate) async fn harbour() -> Harbour {
    let harbour = Harbour::new().await;
    furnish(&harbour);
    harbour
}

/// Gives the engine of a harbour what [`FILE`] and its Dockerfile ask for.
pub(crate) fn furnish(harbour: &Harbour) {
    harbour.fake.set_image("shell", Behaviour::default());
    harbour.fake.on_task(|_| Some(Script { lines: vec![(false, "all good".into())], ..Script::default() }));
}

#[tokio::test]
async fn a_push_shows_the_run_up_to_the_live_address() {
    let harbour = harbour().await;
    let copy = Copy::new(&harbour).await;
    copy.write("berth.yaml", FILE);
    copy.write("Dockerfile", "FROM scratch\n");
    let shown = copy.push("First").await;
    let order = [
        "Run 1 of hello: http://",
        "▸ fast",
        "all good",
        "✓ fast passed",
        "▸ image",
        "✓ candidate 1",
        "▸ dev: release 1",
        "✓ dev: live at http://hello-demo.dev.localhost",
    ];
    let mut rest = shown.as_str();
    for wanted in order {
        let at = rest.find(wanted).unwrap_or_else(|| panic!("{wanted} is missing (or too early) in\n{shown}"));
        rest = &rest[at..];
    }
    assert!(shown.contains("remote:"), "{shown}");
    // And back.
    let clone = tempfile::tempdir().unwrap();
    let cloned = git(clone.path(), &["clone", "-q", &copy.url, "again"]).await;
    assert!(cloned.status.success(), "{}", text(&cloned));
    assert_eq!(std::fs::read_to_string(clone.path().join("again/berth.yaml")).unwrap(), FILE);
    harbour.berth.stop().await;
}

#[tokio::test]
async fn a_broken_file_is_a_warning_and_a_failed_run() {
    let harbour = harbour().await;
    let copy = Copy::new(&harbour).await;
    copy.write("berth.yaml", &FILE.replace("stages", "stagess"));
    copy.write("Dockerfile", "FROM scratch\n");
    let shown = copy.push("Broken").await;
    assert!(shown.contains("warning: berth.yaml:4:5: `stagess` is not known in a service. Did you mean `stages`?"), "{shown}");
    let run = harbour.berth.backend.runs.show(&harbour.owner, &team(), &service(), 1).await.unwrap();
    assert_eq!(run.state, RunState::Failed);
    assert!(run.failure.unwrap().starts_with("berth.yaml:4:5: "));
    harbour.berth.stop().await;
}

#[tokio::test]
async fn no_wait_says_the_address_and_ends() {
    let harbour = harbour().await;
    harbour.fake.on_task(|_| Some(Script { takes: std::time::Duration::from_secs(3_600), ..Script::default() }));
    let copy = Copy::new(&harbour).await;
    copy.write("berth.yaml", FILE);
    copy.write("Dockerfile", "FROM scratch\n");
    copy.commit("First").await;
    let shown = copy.good(&["push", "-o", "no-wait", "berth", "main"]).await;
    assert!(shown.contains("Run 1 of hello: http://"), "{shown}");
    assert!(!shown.contains("passed"), "{shown}");
    harbour.berth.stop().await;
}

#[tokio::test]
async fn who_may_not_push_is_told_so() {
    let harbour = harbour().await;
    let read_only = token(&harbour, vec![Scope::Read]).await;
    let cases = [("berth_wrong", "Authentication failed"), (read_only.as_str(), "403")];
    for (token, wanted) in cases {
        let copy = Copy::with_token(&harbour, token).await;
        copy.commit("First").await;
        for args in [["push", "berth", "main"], ["fetch", "berth", "main"]] {
            let output = copy.git(&args).await;
            assert!(!output.status.success(), "{args:?}");
            assert!(text(&output).contains(wanted), "{args:?}: {}", text(&output));
        }
    }
    let anonymous =
        reqwest::get(format!("http://{}/git/demo/hello.git/info/refs?service=git-upload-pack", harbour.berth.console)).await.unwrap();
    assert_eq!(anonymous.status(), 401);
    assert!(anonymous.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic"));
    let dumb = reqwest::get(format!("http://{}/git/demo/hello.git/info/refs", harbour.berth.console)).await.unwrap();
    assert_eq!(dumb.status(), 403);
    harbour.berth.stop().await;
}

#[tokio::test]
async fn the_default_branch_stays_and_other_branches_are_not_deployed() {
    let harbour = harbour().await;
    let copy = pushed(&harbour).await;
    let refused = copy.git(&["push", "berth", ":main"]).await;
    assert!(!refused.status.success(), "{}", text(&refused));
    copy.good(&["checkout", "-q", "-b", "topic"]).await;
    let shown = copy.push("On a topic").await;
    assert!(shown.contains("✓ candidate 2") && shown.contains("deployed nowhere by itself"), "{shown}");
    copy.good(&["push", "berth", ":topic"]).await;
    let runs =
        harbour.berth.backend.runs.list(&harbour.owner, &team(), &service(), &Default::default(), &Default::default()).await.unwrap();
    assert_eq!(runs.items.len(), 2);
    harbour.berth.stop().await;
}

#[tokio::test]
async fn a_push_nobody_wrote_down_is_found_at_the_next_start() {
    let harbour = harbour().await;
    let copy = pushed(&harbour).await;
    let repository = repository(&harbour);
    copy.commit("Behind its back").await;
    copy.good(&["push", "-q", repository.to_str().unwrap(), "main"]).await;
    let harbour = harbour.restart().await;
    let run = until("the second run", async || harbour.berth.backend.runs.show(&harbour.owner, &team(), &service(), 2).await.ok()).await;
    assert_eq!(run.title, "Behind its back");
    harbour.berth.stop().await;
}

#[tokio::test]
async fn a_large_push_arrives_whole() {
    let harbour = harbour().await;
    let copy = Copy::new(&harbour).await;
    copy.write("Dockerfile", "FROM scratch\n");
    // Beyond the client's post buffer, so that it probes first and sends in chunks; and it does not pack.
    let mut noise = 1_u64;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (noise >> 33) as u8
    })
    .take(3 << 20)
    .collect();
    std::fs::write(copy.path().join("noise.bin"), &bytes).unwrap();
    copy.push("Large").await;
    let clone = tempfile::tempdir().unwrap();
    let cloned = git(clone.path(), &["clone", "-q", &copy.url, "again"]).await;
    assert!(cloned.status.success(), "{}", text(&cloned));
    assert!(std::fs::read(clone.path().join("again/noise.bin")).unwrap() == bytes);
    harbour.berth.stop().await;
}

/// A working copy that was pushed once.
async fn pushed(harbour: &Harbour) -> Copy {
    let copy = Copy::new(harbour).await;
    copy.write("Dockerfile", "FROM scratch\n");
    copy.push("First").await;
    copy
}

/// The one repository of a harbour.
fn repository(harbour: &Harbour) -> PathBuf {
    std::fs::read_dir(harbour.berth.config.repositories()).unwrap().next().unwrap().unwrap().path()
}

/// What in a repository belongs to nothing yet.
fn halves(repository: &Path) -> Vec<String> {
    let names = std::fs::read_dir(repository.join("objects")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("tmp_")).collect()
}

#[tokio::test]
async fn a_push_that_breaks_off_leaves_nothing_behind() {
    let harbour = harbour().await;
    let copy = pushed(&harbour).await;
    let repository = repository(&harbour);
    let token = token(&harbour, vec![Scope::Git]).await;
    let moves = format!("{} {} refs/heads/other\0 report-status side-band-64k\n", "0".repeat(40), "a".repeat(40));
    let mut body = format!("{:04x}{moves}0000", moves.len() + 4).into_bytes();
    // A thousand objects are said to come.
    body.extend_from_slice(b"PACK\0\0\0\x02\0\0\x03\xe8");
    let mut client = TcpStream::connect(harbour.berth.console).await.unwrap();
    let head = format!(
        "POST /git/demo/hello.git/git-receive-pack HTTP/1.1\r\nhost: {}\r\nauthorization: Basic {}\r\ncontent-length: 1000000\r\ncontent-type: application/x-git-receive-pack-request\r\n\r\n",
        harbour.berth.console,
        STANDARD.encode(format!("x:{token}")),
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&body).await.unwrap();
    until("half a push", async || (!halves(&repository).is_empty()).then_some(())).await;
    drop(client);
    until("nothing of it", async || halves(&repository).is_empty().then_some(())).await;
    copy.push("Second").await;
    harbour.berth.stop().await;
}

#[tokio::test]
async fn what_a_killed_git_left_is_gone_after_the_next_start() {
    let harbour = harbour().await;
    let copy = pushed(&harbour).await;
    let repository = repository(&harbour);
    let (half, lock) = (repository.join("objects/tmp_objdir-incoming-a/pack"), repository.join("refs/heads/main.lock"));
    std::fs::create_dir_all(&half).unwrap();
    std::fs::write(half.join("tmp_pack_b"), "half").unwrap();
    std::fs::write(&lock, "").unwrap();
    copy.commit("Second").await;
    let refused = copy.git(&["push", "-q", "berth", "main"]).await;
    assert!(!refused.status.success(), "{}", text(&refused));
    let harbour = harbour.restart().await;
    until("nothing of it", async || (halves(&repository).is_empty() && !lock.exists()).then_some(())).await;
    copy.good(&["remote", "set-url", "berth", &Copy::new(&harbour).await.url]).await;
    copy.good(&["push", "-q", "berth", "main"]).await;
    harbour.berth.stop().await;
}

/// The roles of a team over Git, and the whole way of a push on PostgreSQL.
#[tokio::test]
async fn on_postgres_a_developer_pushes_and_a_viewer_only_fetches() {
    let app = TestApp::on_postgres().await.with_team("demo").await;
    let user = app.user("developer@demo.test").await;
    let developer = app.actor(&user).await;
    let new = NewService { name: service(), description: String::new(), environments: None, repository: None, mirror: None };
    app.berth.backend.services.create(&developer, &team(), new).await.unwrap();
    let mut copies = Vec::new();
    for email in ["developer@demo.test", "viewer@demo.test"] {
        let actor = app.actor(&app.user(email).await).await;
        let new = NewToken { name: "git".into(), scopes: vec![Scope::Git], team: None, days: None };
        let secret = app.berth.backend.tokens.create(&actor, new).await.unwrap().secret;
        let url = format!("http://x:{secret}@{}/git/demo/hello.git", app.berth.console);
        copies.push(Copy::of(tempfile::tempdir().unwrap(), url).await);
    }
    copies[0].write("Dockerfile", "FROM scratch\n");
    let shown = copies[0].push("First").await;
    assert!(shown.contains("✓ candidate 1") && shown.contains("✓ dev: live at http://"), "{shown}");
    let runs = &app.berth.backend.runs;
    let listed = runs.list(&developer, &team(), &service(), &Default::default(), &Default::default()).await.unwrap();
    assert_eq!((listed.items.len(), listed.items[0].state), (1, RunState::Passed));
    let candidates = runs.candidates(&developer, &team(), &service(), &Default::default()).await.unwrap();
    assert_eq!(candidates.items[0].runs_in.iter().map(ToString::to_string).collect::<Vec<_>>(), ["dev"]);
    copies[1].good(&["fetch", "-q", "berth", "main"]).await;
    copies[1].commit("Mine").await;
    let refused = copies[1].git(&["push", "berth", "main"]).await;
    assert!(!refused.status.success() && text(&refused).contains("403"), "{}", text(&refused));
    app.berth.stop().await;
}
