//! A whole Berth for a test, and clients to ask it things: `TestApp::new().await.with_team("a").await`.

use std::sync::Arc;

use app::model::{Actor, NewPerson, NewToken, Role, Scope, TeamName, UserId};
use reqwest::{Method, header::HeaderMap};
use serde_json::Value;
use server::{
    config::Config,
    control::Control,
    platform::fake::Fake,
    secrets::Secrets,
    serve::{self, Engine, Running},
    store::Db,
};
use tempfile::TempDir;

use super::{berth::settings, postgres::Database};

/// The password of everybody in tests.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// The address of the first administrator.
pub(crate) const ADMIN: &str = "admin@example.com";

/// A Berth with an administrator, on the platform in memory.
pub(crate) struct TestApp {
    /// The Berth.
    pub(crate) berth: Running,
    /// Its platform.
    pub(crate) fake: Fake,
    /// The administrator.
    admin: UserId,
    _folder: TempDir,
    _database: Option<Database>,
}

impl TestApp {
    /// On a fresh SQLite file.
    pub(crate) async fn new() -> Self {
        Self::over(None, |_| {}).await
    }

    /// On a fresh SQLite file, with settings of its own.
    pub(crate) async fn set_up(change: impl FnOnce(&mut Config)) -> Self {
        Self::over(None, change).await
    }

    /// On a fresh database of PostgreSQL.
    pub(crate) async fn on_postgres() -> Self {
        Self::over(Some(Database::fresh().await), |_| {}).await
    }

    /// On a fresh database of PostgreSQL, with settings of its own.
    pub(crate) async fn set_up_on_postgres(change: impl FnOnce(&mut Config)) -> Self {
        Self::over(Some(Database::fresh().await), change).await
    }

    async fn over(database: Option<Database>, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = settings(&folder);
        if let Some(database) = &database {
            config.database = database.address();
        }
        change(&mut config);
        let fake = Fake::listening();
        let berth = serve::start(config, Engine::Given(Arc::new(fake.clone()))).await.unwrap();
        let token = berth.first_link.as_deref().unwrap().rsplit('/').next().unwrap().to_owned();
        let person = NewPerson { token, email: ADMIN.into(), name: "Admin".into(), password: PASSWORD.into() };
        let admin = berth.backend.accounts.create_first_admin(person, None).await.unwrap();
        Self { berth, fake, admin, _folder: folder, _database: database }
    }

    /// Adds a team with `owner@{team}.test`, `developer@{team}.test` and `viewer@{team}.test`.
    pub(crate) async fn with_team(self, team: &str) -> Self {
        let name: TeamName = team.parse().unwrap();
        let admin = self.actor(&self.admin).await;
        self.berth.backend.teams.create(&admin, &name).await.unwrap();
        for role in Role::ALL {
            self.join(&name, &format!("{}@{team}.test", role.name()), role).await;
        }
        // The administrator made the team and was its owner; it has one of its own now.
        self.berth.backend.teams.remove_member(&admin, &name, &self.admin).await.unwrap();
        self
    }

    /// Adds a person to a team.
    pub(crate) async fn join(&self, team: &TeamName, email: &str, role: Role) -> UserId {
        let admin = self.actor(&self.admin).await;
        let invitation = self.berth.backend.teams.invite(&admin, team, email, role).await.unwrap();
        let token = invitation.link.rsplit('/').next().unwrap().to_owned();
        let person = NewPerson { token, email: email.into(), name: email.into(), password: PASSWORD.into() };
        self.berth.backend.accounts.accept_invitation(person, None).await.unwrap()
    }

    /// Who this is as of now, with a session.
    pub(crate) async fn actor(&self, user: &UserId) -> Actor {
        let accounts = &self.berth.backend.accounts;
        let epoch = accounts.session_epoch(user).await.unwrap();
        accounts.actor(user, epoch, "test", None).await.unwrap().unwrap()
    }

    /// The id behind an address.
    pub(crate) async fn user(&self, email: &str) -> UserId {
        server::store::users::by_email(&self.berth.db, email).await.unwrap().unwrap().id
    }

    /// The address of the console, without a final slash.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.berth.console)
    }

    /// A client that is nobody.
    pub(crate) fn anonymous(&self) -> Client {
        Client { base: self.url(), token: None, headers: HeaderMap::new(), http: http() }
    }

    /// A client with this token.
    pub(crate) fn bearer(&self, token: &str) -> Client {
        Client { token: Some(token.to_owned()), ..self.anonymous() }
    }

    /// A client of this person with a token of these scopes.
    pub(crate) async fn scoped(&self, email: &str, scopes: &[Scope]) -> Client {
        let actor = self.actor(&self.user(email).await).await;
        let token = NewToken { name: "test".into(), scopes: scopes.to_vec(), team: None, days: None };
        self.bearer(&self.berth.backend.tokens.create(&actor, token).await.unwrap().secret)
    }

    /// A client of this person with a token of every scope.
    pub(crate) async fn client(&self, email: &str) -> Client {
        self.scoped(email, &Scope::ALL).await
    }

    /// A browser of this person, signed in through the form.
    pub(crate) async fn browser(&self, email: &str) -> Client {
        let browser = self.anonymous().with("sec-fetch-site", "same-origin");
        let answer = browser.form("/login", &[("do", "login"), ("email", email), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        browser.with("cookie", &cookie)
    }

    /// A client of the administrator.
    pub(crate) async fn as_admin(&self) -> Client {
        self.client(ADMIN).await
    }

    /// A second way into the same Berth, for what its own server does not hand out.
    pub(crate) fn control(&self) -> Arc<Control> {
        let berth = &self.berth;
        let secrets = Secrets::open(&berth.config.key_file()).unwrap();
        Control::new(berth.config.clone(), berth.db.clone(), berth.wake.clone(), berth.platform.clone(), secrets)
    }

    /// Its store.
    pub(crate) fn db(&self) -> &Db {
        &self.berth.db
    }
}

fn urlencoded(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(std::time::Duration::from_secs(20)).build().unwrap()
}

/// Asks a Berth things over HTTP.
#[derive(Clone)]
pub(crate) struct Client {
    base: String,
    token: Option<String>,
    headers: HeaderMap,
    http: reqwest::Client,
}

/// What it answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body, where it is JSON.
    pub(crate) body: Value,
    /// The body as text.
    pub(crate) text: String,
}

impl Client {
    /// A client of the Berth at this address, with this token.
    pub(crate) fn of(base: &str, token: &str) -> Self {
        Self { base: base.to_owned(), token: Some(token.to_owned()), headers: HeaderMap::new(), http: http() }
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    /// Its token.
    pub(crate) fn secret(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// The same, to another server.
    pub(crate) fn at(mut self, base: &str) -> Self {
        self.base = base.to_owned();
        self
    }

    /// Opens a stream of events.
    pub(crate) async fn stream(&self, path: &str) -> Events {
        self.listen(&format!("/api/v1{path}")).await
    }

    /// Opens a stream of events at a path as it is.
    pub(crate) async fn listen(&self, path: &str) -> Events {
        let mut request = self.http.get(format!("{}{path}", self.base)).headers(self.headers.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events { response, rest: String::new() }
    }

    /// Sends a request; the path of the API without its beginning, or any other path in full.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let known = ["/api", "/healthz", "/readyz", "/metrics", "/pkg", "/schema", "/test"].iter().any(|prefix| path.starts_with(prefix));
        let url = if known { format!("{}{path}", self.base) } else { format!("{}/api/v1{path}", self.base) };
        let mut request = self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request).await
    }

    /// `POST` with a text.
    pub(crate) async fn text(&self, path: &str, text: &str) -> Answer {
        self.answer(self.http.post(format!("{}/api/v1{path}", self.base)).body(text.to_owned())).await
    }

    /// Sends any request to a path as it is, with a body of this type.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<(&str, Vec<u8>)>) -> Answer {
        let mut request = self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{}{path}", self.base));
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind).body(body);
        }
        self.answer(request).await
    }

    /// Sends a form of a page.
    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.ask("POST", path, Some(("application/x-www-form-urlencoded", urlencoded(fields).into_bytes()))).await
    }

    /// Sends it and takes the answer; of a stream, its head.
    async fn answer(&self, request: reqwest::RequestBuilder) -> Answer {
        let mut request = request.headers(self.headers.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let endless = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let text = if endless { String::new() } else { response.text().await.unwrap_or_default() };
        Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null), text }
    }

    /// `GET`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    /// `POST` with a body.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(&body)).await
    }

    /// `DELETE`.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None).await
    }
}

impl Answer {
    /// Holds that it has this status, and gives its body.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// Holds that it is a problem with this status and code, and gives its sentence.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> String {
        assert_eq!((self.status, self.body["code"].as_str().unwrap_or_default()), (status, code), "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["request_id"].as_str(), self.headers["x-request-id"].to_str().ok());
        self.body["detail"].as_str().unwrap().to_owned()
    }

    /// A header's text; empty where it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A stream of server-sent events.
pub(crate) struct Events {
    response: reqwest::Response,
    rest: String,
}

impl Events {
    /// The next event's name and data; none where the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<(String, String)> {
        loop {
            while let Some((event, rest)) = self.rest.split_once("\n\n").map(|(event, rest)| (event.to_owned(), rest.to_owned())) {
                self.rest = rest;
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
                if !field("event:").is_empty() {
                    return Some((field("event:"), field("data:")));
                }
            }
            let chunk = self.response.chunk().await.ok().flatten()?;
            self.rest.push_str(&String::from_utf8_lossy(&chunk));
        }
    }
}
