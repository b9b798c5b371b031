//! Chromium over WebDriver: a driver of our own on a port of the system's choice, ended by its own process.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use fantoccini::{Client, ClientBuilder, Locator, elements::Element, wd::WebDriverCompatibleCommand};
use serde_json::{Value, json};

/// How long anything in the browser may take here; machines that test are busy ones.
const PATIENCE: Duration = Duration::from_secs(20);

/// A browser of its own, with a fresh profile.
pub(super) struct Browser {
    client: Option<Client>,
    driver: Child,
    console: String,
    profile: tempfile::TempDir,
}

/// A command of the driver that WebDriver itself does not have.
#[derive(Debug)]
struct Own {
    path: &'static str,
    body: Value,
}

type Url = reqwest::Url;

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

fn start_driver() -> (Child, u16) {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver starts: `.ci/setup test` gets it");
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, rest) = line.split_once("started successfully on port ")?;
        rest.trim_end_matches('.').trim().parse().ok()
    });
    // Whatever else it says is read, so that it never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    (driver, port.expect("chromedriver says its port"))
}

impl Browser {
    /// Opens one for this console; `scripts`: with JavaScript.
    pub(super) async fn open(console: &str, scripts: bool) -> Self {
        let (driver, port) = start_driver();
        let profile = tempfile::tempdir().unwrap();
        let data = format!("--user-data-dir={}", profile.path().display());
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--window-size=1360,900",
            data.as_str(),
        ];
        let wanted = json!({
            "goog:chromeOptions": {
                "args": flags,
                "prefs": {
                    "profile.managed_default_content_settings.javascript": if scripts { 1 } else { 2 },
                    "intl.accept_languages": "en",
                },
            },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(capabilities) = wanted else { unreachable!("an object was written") };
        let connector = hyper_util::client::legacy::connect::HttpConnector::new();
        let client = ClientBuilder::new(connector).capabilities(capabilities).connect(&format!("http://127.0.0.1:{port}")).await;
        Self { client: Some(client.expect("a browser starts")), driver, console: console.trim_end_matches('/').to_owned(), profile }
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("the browser is open")
    }

    async fn own(&self, path: &'static str, body: Value) -> Value {
        self.client().issue_cmd(Own { path, body }).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A command of the developer tools' protocol.
    pub(super) async fn tools(&self, command: &str, parameters: Value) -> Value {
        self.own("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// Goes to a path of the console.
    pub(super) async fn go(&self, path: &str) {
        let address = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.console) };
        self.client().goto(&address).await.unwrap();
    }

    /// The path one is at, with its query.
    pub(super) async fn path(&self) -> String {
        let url = self.client().current_url().await.unwrap();
        url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
    }

    /// Waits until something is there.
    pub(super) async fn find(&self, css: &str) -> Element {
        let found = self.client().wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        match found {
            Ok(found) => found,
            Err(error) => panic!("{css} is not on {}: {error}\n{}", self.path().await, self.text().await),
        }
    }

    /// Whether something is there now.
    pub(super) async fn has(&self, css: &str) -> bool {
        self.client().find(Locator::Css(css)).await.is_ok()
    }

    /// Clicks.
    pub(super) async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// Clicks the link or button with these words.
    pub(super) async fn press(&self, words: &str) {
        let path = format!("//*[self::a or self::button or self::summary][normalize-space()='{words}']");
        let found = self.client().wait().at_most(PATIENCE).for_element(Locator::XPath(&path)).await;
        let Ok(found) = found else { panic!("nothing says {words} on {}\n{}", self.path().await, self.text().await) };
        found.click().await.unwrap_or_else(|error| panic!("{words}: {error}"));
    }

    /// Types into the field of this name, in place of what it holds.
    pub(super) async fn fill(&self, name: &str, text: &str) {
        let field = self.find(&format!("[name=\"{name}\"]:not([type=hidden])")).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// What one reads on the page.
    pub(super) async fn text(&self) -> String {
        match self.client().find(Locator::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Waits until the page says something.
    pub(super) async fn says(&self, words: &str) {
        let begun = Instant::now();
        while !self.text().await.contains(words) {
            assert!(begun.elapsed() < PATIENCE, "{} never says {words:?}:\n{}", self.path().await, self.text().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the path one is at holds.
    pub(super) async fn at(&self, holds: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let path = self.path().await;
            if holds(&path) {
                return path;
            }
            assert!(begun.elapsed() < PATIENCE, "still at {path}:\n{}", self.text().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the islands are awake, where the binary has them.
    pub(super) async fn awake(&self) {
        if server::http::assets::HAS_WASM {
            self.find("html[data-awake]").await;
        }
    }

    /// Runs a script and gives back what it returns.
    pub(super) async fn run(&self, script: &str) -> Value {
        self.client().execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script:.60}: {error}"))
    }

    /// What axe finds wrong with the page, a line each.
    pub(super) async fn axe(&self) -> Vec<String> {
        let Some(axe) = axe() else { return Vec::new() };
        self.client().execute(&axe, Vec::new()).await.unwrap();
        let ask = "const done = arguments[arguments.length - 1];
            axe.run(document, { resultTypes: ['violations'] }).then((result) => done(result.violations.flatMap((one) =>
                one.nodes.map((node) => `${one.id}: ${node.target.join(' ')}: ${node.failureSummary}`))
                .concat(result.passes.length < 5 ? ['axe has hardly looked'] : [])), (error) => done([String(error)]));";
        let found = self.client().execute_async(ask, Vec::new()).await.unwrap();
        serde_json::from_value(found).unwrap()
    }

    /// Errors and warnings that the browser wrote to its console since the last time.
    pub(super) async fn complaints(&self) -> Vec<String> {
        let lines = self.own("se/log", json!({ "type": "browser" })).await;
        let lines = lines.as_array().cloned().unwrap_or_default();
        let bad = lines.into_iter().filter(|line| matches!(line["level"].as_str(), Some("SEVERE" | "WARNING")));
        let said = bad.map(|line| line["message"].as_str().unwrap_or_default().to_owned());
        // Chromium notes the status of a form that is shown again; that one is meant.
        said.filter(|line| !line.contains("status of 422") && !line.contains("status of 401")).collect()
    }

    /// Shows pages in this width and scheme from now on.
    pub(super) async fn look(&self, width: u32, dark: bool) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.tools("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } }] });
        self.tools("Emulation.setEmulatedMedia", scheme).await;
    }

    /// A picture of the whole page, into the folder of screenshots.
    pub(super) async fn picture(&self, name: &str) {
        let size = self.tools("Page.getLayoutMetrics", json!({})).await;
        let (width, height) = (size["cssContentSize"]["width"].clone(), size["cssContentSize"]["height"].clone());
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let shot = self.tools("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true, "clip": clip })).await;
        let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, shot["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(screenshots()).unwrap();
        std::fs::write(screenshots().join(format!("{name}.png")), bytes).unwrap();
    }

    /// Closes the browser and ends its driver.
    pub(super) async fn close(mut self) {
        if let Some(client) = self.client.take() {
            let _ = client.close().await;
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A test that failed in the middle leaves the browser open; it goes with its driver's session.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        if self.client.is_some() {
            end_browser(self.profile.path());
        }
    }
}

/// Ends the one browser that has this profile open: its lock names it.
fn end_browser(profile: &std::path::Path) {
    let Ok(lock) = std::fs::read_link(profile.join("SingletonLock")) else { return };
    let pid = lock.to_string_lossy().rsplit('-').next().and_then(|pid| pid.parse::<u32>().ok());
    if let Some(pid) = pid {
        let _ = Command::new("kill").arg(pid.to_string()).status();
    }
}

fn screenshots() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../screenshots")
}

/// axe's script, where `.ci/setup` put it.
fn axe() -> Option<String> {
    let named = std::env::var_os("BERTH_AXE").map(PathBuf::from);
    let usual = || std::env::home_dir().map(|home| home.join(".cache/berth/axe.min.js"));
    let path = named.or_else(usual)?;
    let script = std::fs::read_to_string(&path).ok();
    if script.is_none() {
        let checked = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!checked, "{} is missing, and what CI says of accessibility is to be true; `.ci/setup test` gets it", path.display());
        eprintln!("{} is missing, so nothing is checked for accessibility; `.ci/setup test` gets it", path.display());
    }
    script
}
