//! A forge of the shape of Gitea, GitHub or GitLab: it serves repositories with the real `git http-backend`, takes commit statuses
//! as its API does, and signs its hooks. It can be slow to take a status, or refuse it; and it counts what it is asked.

mod api;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
};

use app::model::RunState;
use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::any,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, StatusCode};
use ring::hmac::{self, HMAC_SHA256};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, process::Command};

/// The token that this forge takes.
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";

/// Whose shape a forge is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Gitea,
    Github,
    Gitlab,
}

impl Kind {
    /// How Berth calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gitea => "gitea",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
        }
    }

    /// What it calls the repository. GitLab's groups have groups.
    pub(crate) fn project(self) -> &'static str {
        match self {
            Self::Gitea | Self::Github => "acme/shop",
            Self::Gitlab => "acme/tools/shop",
        }
    }

    /// Where it keeps the head of a proposed change.
    pub(crate) fn change(self, number: u64) -> String {
        match self {
            Self::Gitea | Self::Github => format!("refs/pull/{number}/head"),
            Self::Gitlab => format!("refs/merge-requests/{number}/head"),
        }
    }

    /// What it calls a run that has ended like this.
    pub(crate) fn word(self, state: RunState) -> &'static str {
        match (self, state) {
            (_, RunState::Passed) => "success",
            (Self::Gitlab, RunState::Failed) => "failed",
            (Self::Gitlab, RunState::Cancelled) => "canceled",
            (_, RunState::Failed) => "failure",
            (_, RunState::Cancelled) => "error",
            _ => panic!("{state:?}"),
        }
    }

    /// What it says of a push of this commit.
    pub(crate) fn pushed(self, commit: &str) -> String {
        let (before, project) = ("0".repeat(40), self.project());
        let body = match self {
            Self::Gitea | Self::Github => {
                json!({ "ref": "refs/heads/trunk", "before": before, "after": commit, "repository": { "full_name": project } })
            }
            Self::Gitlab => json!({
                "object_kind": "push", "event_name": "push", "ref": "refs/heads/trunk", "before": before, "after": commit,
                "checkout_sha": commit, "project": { "path_with_namespace": project },
            }),
        };
        body.to_string()
    }

    /// The headers of its hook, with what shows that it is its own.
    pub(crate) fn headers(self, secret: &str, body: &str) -> Vec<(&'static str, String)> {
        let signature = sign(secret, body.as_bytes());
        let (event, id, shown) = match self {
            Self::Gitea => (("x-gitea-event", "push"), "x-gitea-delivery", ("x-gitea-signature", signature)),
            Self::Github => (("x-github-event", "push"), "x-github-delivery", ("x-hub-signature-256", format!("sha256={signature}"))),
            Self::Gitlab => (("x-gitlab-event", "Push Hook"), "x-gitlab-event-uuid", ("x-gitlab-token", secret.to_owned())),
        };
        let id = (id, "f3b6c1d2-0000-4000-8000-000000000001".to_owned());
        vec![("content-type", "application/json".into()), (event.0, event.1.into()), id, shown]
    }
}

/// A status as it was posted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Posted {
    pub(crate) project: String,
    pub(crate) commit: String,
    pub(crate) body: Value,
}

impl Posted {
    /// What tells it from the statuses of others.
    pub(crate) fn context(&self) -> &str {
        self.body["context"].as_str().or_else(|| self.body["name"].as_str()).unwrap_or_default()
    }
}

#[derive(Default)]
struct Seen {
    posted: Vec<Posted>,
    /// How many more statuses are refused with this.
    refuses: Option<(u32, u16)>,
    /// How often a repository was asked for its refs.
    listed: usize,
    /// The jobs of GitLab that are not over: commit, ref and name, and how each is.
    open: BTreeMap<(String, String, String), String>,
}

/// The forge. What it holds is in its folder.
pub(crate) struct Forge {
    pub(crate) url: String,
    pub(crate) kind: Kind,
    folder: TempDir,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Clone)]
struct Inside {
    kind: Kind,
    folder: PathBuf,
    seen: Arc<Mutex<Seen>>,
}

impl Inside {
    fn repository(&self) -> PathBuf {
        self.folder.join(format!("{}.git", self.kind.project()))
    }
}

impl Forge {
    /// One of the shape of Gitea.
    pub(crate) async fn new() -> Self {
        Self::of(Kind::Gitea).await
    }

    /// A forge with an empty repository, whose default branch is `trunk`.
    pub(crate) async fn of(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let inside = Inside { kind, folder: folder.path().to_owned(), seen: seen.clone() };
        std::fs::create_dir_all(inside.repository()).unwrap();
        let made = Command::new("git").args(["init", "-q", "--bare", "-b", "trunk"]).arg(inside.repository()).status().await.unwrap();
        assert!(made.success());
        let app = api::router(kind)
            .route("/moved/{*rest}", any(|| async { (StatusCode::MOVED_PERMANENTLY, [("location", "http://127.0.0.1:1/")]) }))
            .route("/acme/{*rest}", any(git))
            .with_state(inside);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, kind, folder, seen }
    }

    /// The address of its repository.
    pub(crate) fn address(&self) -> String {
        format!("{}/{}.git", self.url, self.kind.project())
    }

    /// Where the repository is on this machine.
    pub(crate) fn repository(&self) -> PathBuf {
        self.folder.path().join(format!("{}.git", self.kind.project()))
    }

    /// The statuses it took, in their order.
    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.seen.lock().unwrap().posted.clone()
    }

    /// The states it took of a commit, in their order.
    pub(crate) fn states(&self, commit: &str) -> Vec<String> {
        let posted = self.posted().into_iter().filter(|posted| posted.commit == commit);
        posted.map(|posted| posted.body["state"].as_str().unwrap().to_owned()).collect()
    }

    /// Whether the last it took of a commit and a service is that its run ended like this.
    pub(crate) fn knows(&self, commit: &str, service: &str, state: RunState) -> bool {
        let context = format!("berth/{service}");
        let last = self.posted().into_iter().rfind(|posted| posted.commit == commit && posted.context() == context);
        last.is_some_and(|posted| posted.body["state"] == self.kind.word(state))
    }

    /// Has it refuse the next statuses.
    pub(crate) fn refuse(&self, times: u32, status: u16) {
        self.seen.lock().unwrap().refuses = Some((times, status));
    }

    /// How often its repository was asked for its refs.
    pub(crate) fn listed(&self) -> usize {
        self.seen.lock().unwrap().listed
    }
}

/// Sends a hook as Gitea does.
pub(crate) async fn send_hook(url: &str, secret: &str, body: &str) -> u16 {
    send_as(Kind::Gitea, url, secret, body).await
}

/// Sends a hook as such a forge does.
pub(crate) async fn send_as(kind: Kind, url: &str, secret: &str, body: &str) -> u16 {
    let headers = kind.headers(secret, body);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    send(url, &headers, body).await
}

/// Sends a hook with these headers.
pub(crate) async fn send(url: &str, headers: &[(&str, &str)], body: &str) -> u16 {
    let mut request = reqwest::Client::new().post(url).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().status().as_u16()
}

/// The signature of a hook's body.
pub(crate) fn sign(secret: &str, body: &[u8]) -> String {
    hex::encode(hmac::sign(&hmac::Key::new(HMAC_SHA256, secret.as_bytes()), body))
}

fn let_in(headers: &HeaderMap) -> bool {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let basic = given.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok()).and_then(|bytes| String::from_utf8(bytes).ok());
    given == format!("token {TOKEN}") || basic.is_some_and(|pair| pair.split_once(':').is_some_and(|(_, password)| password == TOKEN))
}

/// The real `git http-backend`, by the Common Gateway Interface.
async fn git(State(inside): State<Inside>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !let_in(&parts.headers) {
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic realm=\"forge\"")], "").into_response();
    }
    if parts.uri.path().ends_with("/info/refs") {
        inside.seen.lock().unwrap().listed += 1;
    }
    let body: Bytes = axum::body::to_bytes(body, 64 << 20).await.unwrap();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &inside.folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let fed = async move {
        let _ = input.write_all(&body).await;
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), fed);
    let output = output.unwrap().stdout;
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = if name == "Status" { response.status(value[..3].parse::<u16>().unwrap()) } else { response.header(name, value) };
    }
    response.body(Body::from(output[end + 4..].to_vec())).unwrap()
}

/// A real `sshd` on loopback that lets in whoever holds one of the keys in its file.
pub(crate) struct Sshd {
    pub(crate) port: u16,
    folder: TempDir,
    child: std::process::Child,
}

impl Sshd {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        std::fs::write(folder.path().join("keys"), "").unwrap();
        // Where it shuts itself in before somebody is let in.
        std::fs::create_dir_all("/run/sshd").unwrap();
        new_host_key(folder.path());
        let at = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\nStrictModes no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nMaxStartups 100\n",
            at("host"),
            at("keys")
        );
        std::fs::write(folder.path().join("config"), config).unwrap();
        let child = Self::start(folder.path(), port).await;
        Self { port, folder, child }
    }

    async fn start(folder: &Path, port: u16) -> std::process::Child {
        let child = std::process::Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(folder.join("config"))
            .stderr(std::fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .expect("`.ci/setup test` gets openssh-server");
        super::berth::until("sshd answers", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()).await;
        child
    }

    /// Lets in whoever holds the other half of this key.
    pub(crate) fn allow(&self, public: &str) {
        std::fs::write(self.folder.path().join("keys"), format!("{public}\n")).unwrap();
    }

    /// Starts it again with another host key.
    pub(crate) async fn change_host_key(&mut self) {
        self.end();
        new_host_key(self.folder.path());
        self.child = Self::start(self.folder.path(), self.port).await;
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.end();
    }
}

fn new_host_key(folder: &Path) {
    for name in ["host", "host.pub"] {
        let _ = std::fs::remove_file(folder.join(name));
    }
    let made = std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.join("host")).status();
    assert!(made.unwrap().success());
}
