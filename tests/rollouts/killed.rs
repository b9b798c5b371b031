//! The binary itself, killed with no warning in the middle of rollouts on the real engine.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use server::{
    platform::{
        ContainerState, Observed, Platform as _, Scope,
        docker::{Deadlines, Docker, Settings},
    },
    store::{Db, settings},
};
use tempfile::TempDir;

use crate::support::{berth::within, images};

/// A Berth as a process of its own.
struct Process {
    folder: TempDir,
    console: SocketAddr,
    edge: SocketAddr,
    child: Option<Child>,
    token: String,
    http: reqwest::Client,
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Process {
    async fn new() -> Self {
        let (folder, console, edge) = (tempfile::tempdir().unwrap(), free_address(), free_address());
        let mut berth = Self { folder, console, edge, child: None, token: String::new(), http: reqwest::Client::new() };
        berth.start().await;
        berth.admin("create-user ada@example.com --name Ada --admin --password-stdin", "correct horse battery");
        berth.token = berth.admin("create-token ada@example.com test --scope read,deploy,write,admin", "").trim().to_owned();
        berth.post("/teams", json!({ "name": "demo" })).await;
        berth.post("/teams/demo/services", json!({ "name": "hello", "environments": ["dev"] })).await;
        berth
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.args(words.split_whitespace()).env("BERTH_DATA", self.folder.path()).env("BERTH_LISTEN", self.console.to_string());
        command.env("BERTH_EDGE_LISTEN", self.edge.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    fn admin(&self, words: &str, input: &str) -> String {
        use std::io::Write as _;
        let mut child = self.command(&format!("admin {words}")).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{words}");
        String::from_utf8(output.stdout).unwrap()
    }

    async fn start(&mut self) {
        self.child = Some(self.command("serve").stdout(Stdio::null()).spawn().unwrap());
        let url = format!("http://{}/readyz", self.console);
        within(Duration::from_secs(30), "it is ready", async || self.http.get(&url).send().await.ok().filter(|r| r.status() == 200)).await;
    }

    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Value {
        let response = request.bearer_auth(&self.token).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{status}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.answer(self.http.post(format!("http://{}/api/v1{path}", self.console)).json(&body)).await
    }

    async fn rollout(&self, id: &str) -> Value {
        self.answer(self.http.get(format!("http://{}/api/v1/rollouts/{id}", self.console))).await
    }

    async fn ask(&self) -> String {
        let request = self.http.get(format!("http://{}/", self.edge)).header("host", "hello-demo.dev.localhost");
        request.send().await.unwrap().text().await.unwrap().trim().to_owned()
    }

    /// What this Berth has on the engine.
    async fn observed(&self) -> Vec<Observed> {
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

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_of_a_rollout_it_goes_on_and_nothing_leaks() {
    let mut berth = Process::new().await;
    let mut killed = 0;
    // After so many pieces of evidence: from none to all of them but the end.
    for facts in 0..6_usize {
        let text = format!("text {facts}");
        let image = images::web_image(&text).await;
        let change = berth.post("/teams/demo/services/hello/targets/dev/actions/deploy", json!({ "image": image })).await;
        let id = change["rollout"].as_str().unwrap().to_owned();
        within(Duration::from_secs(60), "it got that far", async || {
            let rollout = berth.rollout(&id).await;
            let ended = !matches!(rollout["state"].as_str(), Some("queued" | "running"));
            (ended || rollout["evidence"].as_array().unwrap().len() >= facts).then_some(())
        })
        .await;
        berth.kill();
        killed += 1;
        berth.start().await;
        let state = within(Duration::from_secs(60), "it ends", async || {
            let state = berth.rollout(&id).await["state"].as_str().unwrap().to_owned();
            (state != "queued" && state != "running").then_some(state)
        })
        .await;
        assert_eq!(state, "succeeded", "killed after {facts} facts");
        assert_eq!(berth.ask().await, text);
        within(Duration::from_secs(30), "only what serves is left", async || {
            let observed = berth.observed().await;
            (observed.len() == 1 && observed[0].state == ContainerState::Running).then_some(())
        })
        .await;
    }
    println!("killed {killed} times in rollouts: {killed} went on to their end, 0 containers leaked");
    berth.answer(berth.http.delete(format!("http://{}/api/v1/teams/demo/services/hello?confirm=hello", berth.console))).await;
    within(Duration::from_secs(60), "the service is gone", async || berth.observed().await.is_empty().then_some(())).await;
}
