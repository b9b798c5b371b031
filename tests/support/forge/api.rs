//! How each forge takes the status of a commit, as its documentation has it, and what it refuses: Gitea's `repoCreateStatus`,
//! GitHub's "Create a commit status", GitLab's "Set commit pipeline status".

use std::process::Command;

use axum::{
    Json, Router,
    extract::{Path as At, State},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{Inside, Kind, Posted, Seen, TOKEN, let_in};

/// The API of a forge.
pub(super) fn router(kind: Kind) -> Router<Inside> {
    match kind {
        Kind::Gitea => Router::new().route("/api/v1/repos/{owner}/{repository}/statuses/{commit}", post(gitea)),
        Kind::Github => Router::new().route("/api/v3/repos/{owner}/{repository}/statuses/{commit}", post(github)),
        Kind::Gitlab => Router::new().route("/api/v4/projects/{project}/statuses/{commit}", post(gitlab)),
    }
}

fn answer(status: u16, body: Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

fn refused(status: u16, message: &str) -> Response {
    answer(status, json!({ "message": message }))
}

impl Seen {
    /// The refusal that it was told to give, where it is.
    fn busy(&mut self) -> Option<Response> {
        let (times, status) = self.refuses.take_if(|(times, _)| *times > 0)?;
        self.refuses = Some((times - 1, status));
        Some(refused(status, "not now"))
    }

    /// Keeps a status; its number.
    fn keep(&mut self, project: &str, commit: String, body: Value) -> usize {
        self.posted.push(Posted { project: project.to_owned(), commit, body });
        self.posted.len()
    }
}

impl Inside {
    fn git(&self, args: &[&str]) -> Option<String> {
        let output = Command::new("git").arg("--git-dir").arg(self.repository()).args(args).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    fn has(&self, commit: &str) -> bool {
        self.git(&["cat-file", "-e", &format!("{commit}^{{commit}}")]).is_some()
    }
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_default()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn gitea(
    State(inside): State<Inside>,
    At((owner, repository, commit)): At<(String, String, String)>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if !let_in(&headers) {
        return refused(401, "invalid username, password or token");
    }
    let mut seen = inside.seen.lock().unwrap();
    if let Some(busy) = seen.busy() {
        return busy;
    }
    if !["pending", "success", "error", "failure", "warning"].contains(&text(&body, "state")) || text(&body, "context").is_empty() {
        return refused(422, "no such state");
    }
    let (state, context, url) = (body["state"].clone(), body["context"].clone(), body["target_url"].clone());
    let id = seen.keep(&format!("{owner}/{repository}"), commit, body);
    answer(201, json!({ "id": id, "status": state, "context": context, "target_url": url }))
}

async fn github(
    State(inside): State<Inside>,
    At((owner, repository, commit)): At<(String, String, String)>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if header(&headers, "user-agent").is_empty() {
        return refused(403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header");
    }
    if ![format!("Bearer {TOKEN}"), format!("token {TOKEN}")].contains(&header(&headers, "authorization").to_owned()) {
        return refused(401, "Bad credentials");
    }
    let project = format!("{owner}/{repository}");
    if project != inside.kind.project() {
        return refused(404, "Not Found");
    }
    let mut seen = inside.seen.lock().unwrap();
    if let Some(busy) = seen.busy() {
        return busy;
    }
    if !inside.has(&commit) {
        return refused(422, &format!("No commit found for SHA: {commit}"));
    }
    let known = ["error", "failure", "pending", "success"].contains(&text(&body, "state"));
    let url = text(&body, "target_url").starts_with("http://") || text(&body, "target_url").starts_with("https://");
    if !known || !url || text(&body, "description").chars().count() > 140 {
        return answer(422, json!({ "message": "Validation Failed", "errors": [{ "resource": "Status", "code": "custom" }] }));
    }
    let mut made = body.clone();
    made["id"] = json!(seen.keep(&project, commit, body));
    answer(201, made)
}

async fn gitlab(
    State(inside): State<Inside>,
    At((project, commit)): At<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if header(&headers, "private-token") != TOKEN && header(&headers, "authorization") != format!("Bearer {TOKEN}") {
        return refused(401, "401 Unauthorized");
    }
    if project != inside.kind.project() {
        return refused(404, "404 Project Not Found");
    }
    let mut seen = inside.seen.lock().unwrap();
    if let Some(busy) = seen.busy() {
        return busy;
    }
    if !inside.has(&commit) {
        return refused(404, "404 Commit Not Found");
    }
    // Without a ref, the first branch that holds the commit is taken.
    let holding = inside.git(&["branch", "--format=%(refname:short)", "--contains", &commit]).unwrap_or_default();
    let Some(of) = body["ref"].as_str().or_else(|| holding.lines().next()).filter(|of| !of.is_empty()) else {
        return refused(404, "404 References for commit Not Found");
    };
    let long = ["ref", "description", "target_url", "name"].iter().any(|name| text(&body, name).chars().count() > 255);
    let (state, name) = (text(&body, "state").to_owned(), text(&body, "name").to_owned());
    if long {
        return refused(400, "is too long (maximum is 255 characters)");
    }
    let job = (commit.clone(), of.to_owned(), name);
    if let Err(refusal) = moved(seen.open.get(&job).map(String::as_str), &state) {
        return refused(400, &refusal);
    }
    if ["pending", "running"].contains(&state.as_str()) {
        seen.open.insert(job, state.clone());
    } else {
        seen.open.remove(&job);
    }
    let made = json!({ "sha": commit, "ref": of, "status": state, "name": body["name"], "target_url": body["target_url"] });
    seen.keep(&project, commit, body);
    answer(201, made)
}

/// Whether a job that is open like this, or a new one, may become so.
fn moved(open: Option<&str>, state: &str) -> Result<(), String> {
    let by = match state {
        "pending" => "enqueue",
        "running" => "run",
        "success" | "failed" | "canceled" | "skipped" => return Ok(()),
        _ => return Err("state does not have a valid value".into()),
    };
    match open {
        Some(now) if state == "pending" || now == "running" => {
            Err(format!("Cannot transition status via :{by} from :{now} (Reason(s): Status cannot transition via \"{by}\")"))
        }
        _ => Ok(()),
    }
}
