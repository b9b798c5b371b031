//! The `berth` binary as a process of its own: what only a whole process can show (a kill, a restart, memory) starts here.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use server::{
    platform::{
        Observed, Platform as _, Scope,
        docker::{Deadlines, Docker, Settings},
    },
    store::{Db, settings},
};
use tempfile::TempDir;

use super::berth::within;

/// A Berth as a process of its own.
pub(crate) struct Process {
    /// Where its data is.
    pub(crate) folder: TempDir,
    /// Where console and API listen.
    pub(crate) console: SocketAddr,
    /// Where the edge listens.
    pub(crate) edge: SocketAddr,
    child: Option<Child>,
    settings: Vec<(String, String)>,
    token: String,
    http: reqwest::Client,
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Process {
    /// A Berth that serves, with an administrator, the team `demo` and its service `hello` in `dev`.
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same, with more in its environment.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (folder, console, edge) = (tempfile::tempdir().unwrap(), free_address(), free_address());
        let mut berth = Self { folder, console, edge, child: None, settings, token: String::new(), http: reqwest::Client::new() };
        berth.start().await;
        berth.admin("create-user ada@example.com --name Ada --admin --password-stdin", "correct horse battery");
        berth.token = berth.admin("create-token ada@example.com test --scope read,git,deploy,write,admin", "").trim().to_owned();
        berth.post("/teams", json!({ "name": "demo" })).await;
        berth.post("/teams/demo/services", json!({ "name": "hello", "environments": ["dev"] })).await;
        berth
    }

    /// `berth` with these arguments and the settings of this one.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.args(words.split_whitespace()).env("BERTH_DATA", self.folder.path()).env("BERTH_LISTEN", self.console.to_string());
        command
            .envs(self.settings.clone())
            .env("BERTH_EDGE_LISTEN", self.edge.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command
    }

    /// The administrator's token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Runs `berth admin …` to its end and gives what it printed.
    pub(crate) fn admin(&self, words: &str, input: &str) -> String {
        use std::io::Write as _;
        let mut child = self.command(&format!("admin {words}")).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{words}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start(&mut self) {
        self.child = Some(self.command("serve").stdout(Stdio::null()).spawn().unwrap());
        let url = format!("http://{}/readyz", self.console);
        within(Duration::from_secs(30), "it is ready", async || self.http.get(&url).send().await.ok().filter(|r| r.status() == 200)).await;
    }

    /// Kills it with no warning.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks as the administrator; the answer must be a success.
    pub(crate) async fn answer(&self, request: reqwest::RequestBuilder) -> Value {
        let response = request.bearer_auth(&self.token).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{status}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Posts to the API as the administrator; the answer must be a success.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.answer(self.http.post(format!("http://{}/api/v1{path}", self.console)).json(&body)).await
    }

    /// Deletes through the API as the administrator; the answer must be a success.
    pub(crate) async fn delete(&self, path: &str) -> Value {
        self.answer(self.http.delete(format!("http://{}/api/v1{path}", self.console))).await
    }

    /// Reads from the API as the administrator; the answer must be a success.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.answer(self.http.get(format!("http://{}/api/v1{path}", self.console))).await
    }

    /// One rollout.
    pub(crate) async fn rollout(&self, id: &str) -> Value {
        self.get(&format!("/rollouts/{id}")).await
    }

    /// What `hello` in `dev` answers through the edge.
    pub(crate) async fn ask(&self) -> String {
        let request = self.http.get(format!("http://{}/", self.edge)).header("host", "hello-demo.dev.localhost");
        request.send().await.unwrap().text().await.unwrap().trim().to_owned()
    }

    /// What this Berth has on the engine.
    pub(crate) async fn observed(&self) -> Vec<Observed> {
        engine(self.folder.path()).await.observe(&Scope::All).await.unwrap()
    }
}

async fn engine(data: &Path) -> Docker {
    let db = Db::open(&format!("sqlite:{}", data.join("berth.db").display())).await.unwrap();
    let instance = settings::once(&db, "instance", String::new).await.unwrap();
    db.close().await;
    Docker::new(Settings { address: None, instance, subnets: "10.201.0.0/16".into(), deadlines: Deadlines::default() }).unwrap()
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}
