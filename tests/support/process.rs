//! The `berth` binary as a process of its own: what only a whole process can show (a kill, a restart, memory) starts here.

use std::{
    fs::File,
    net::{SocketAddr, TcpListener},
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
use tempfile::{NamedTempFile, TempDir};

use super::berth::within;

/// A Berth as a process of its own.
pub(crate) struct Process {
    /// Where its data is.
    pub(crate) folder: TempDir,
    /// Where console and API listen.
    pub(crate) console: SocketAddr,
    /// Where the edge listens.
    pub(crate) edge: SocketAddr,
    /// What it says. Not where its data is: on a full disk it would be silent.
    said: NamedTempFile,
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

    /// As [`Process::new`], with these variables set.
    pub(crate) async fn with(variables: &[(&str, &str)]) -> Self {
        let mut berth = Self::bare(variables);
        berth.start().await;
        berth.furnish().await;
        berth
    }

    /// Creates the administrator, the team `demo` and its service `hello` in `dev`.
    pub(crate) async fn furnish(&mut self) {
        self.admin("create-user ada@example.com --name Ada --admin --password-stdin", "correct horse battery");
        self.token = self.admin("create-token ada@example.com test --scope read,deploy,write,admin,git", "").trim().to_owned();
        self.post("/teams", json!({ "name": "demo" })).await;
        self.post("/teams/demo/services", json!({ "name": "hello", "environments": ["dev"] })).await;
    }

    /// One with these variables that was never started: it has no data yet.
    pub(crate) fn bare(variables: &[(&str, &str)]) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_secs(30)).build().unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            console: free_address(),
            edge: free_address(),
            said: NamedTempFile::new().unwrap(),
            child: None,
            token: String::new(),
            http,
            settings: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    /// Its database, reached past it.
    pub(crate) async fn db(&self) -> Db {
        let file = format!("sqlite:{}", self.folder.path().join("berth.db").display());
        Db::open(self.variable("BERTH_DATABASE").unwrap_or(&file)).await.unwrap()
    }

    /// Whether its database is a PostgreSQL.
    pub(crate) fn on_postgres(&self) -> bool {
        self.variable("BERTH_DATABASE").is_some_and(|address| address.starts_with("postgres"))
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(there, _)| there == name).map(|(_, value)| value.as_str())
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
        self.begin();
        let url = format!("http://{}/readyz", self.console);
        within(Duration::from_secs(30), "it is ready", async || self.http.get(&url).send().await.ok().filter(|r| r.status() == 200)).await;
    }

    /// Starts it and waits for nothing. What it says goes on where it stopped.
    pub(crate) fn begin(&mut self) {
        let said = File::options().create(true).append(true).open(self.said.path()).unwrap();
        self.child = Some(self.command("serve").stdout(Stdio::null()).stderr(said).spawn().unwrap());
    }

    /// All that it said so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.said.path()).unwrap_or_default()
    }

    /// Whether it ended by itself, or was never started.
    pub(crate) fn is_over(&mut self) -> bool {
        let over = self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some());
        if over {
            self.child = None;
        }
        over
    }

    /// Kills it with no warning.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// A request to the console, as nobody.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method.parse().unwrap(), format!("http://{}{path}", self.console))
    }

    /// Asks as the administrator; none where no answer comes.
    pub(crate) async fn try_answer(&self, request: reqwest::RequestBuilder) -> Option<(u16, Value)> {
        let response = request.bearer_auth(&self.token).send().await.ok()?;
        let status = response.status().as_u16();
        let text = response.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or_default()))
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
        self.ask_host("hello-demo.dev.localhost").await.unwrap()
    }

    /// What this host answers through the edge; none where nothing does.
    pub(crate) async fn ask_host(&self, host: &str) -> Option<String> {
        let request = self.http.get(format!("http://{}/", self.edge)).header("host", host);
        Some(request.send().await.ok()?.text().await.ok()?.trim().to_owned())
    }

    /// The engine as this Berth sees it.
    async fn engine(&self) -> Docker {
        let db = self.db().await;
        let instance = settings::once(&db, "instance", String::new).await.unwrap();
        db.close().await;
        let address = self.variable("BERTH_DOCKER").map(ToOwned::to_owned);
        Docker::new(Settings { host: None, address, instance, subnets: "10.201.0.0/16".into(), deadlines: Deadlines::default() }).unwrap()
    }

    /// What this Berth has on the engine.
    pub(crate) async fn observed(&self) -> Vec<Observed> {
        self.engine().await.observe(&Scope::All).await.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}
