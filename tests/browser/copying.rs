//! What a page says does the same elsewhere: each command can be typed, each request is one of the API's, and asking works.

use serde_json::Value;
use server::http::router;

/// A request as curl would send it.
struct Request<'t> {
    method: &'t str,
    path: &'t str,
    body: Option<Value>,
}

fn read<'t>(line: &'t str, url: &str) -> Option<Request<'t>> {
    let rest = line.strip_prefix("curl -sS")?;
    let method = rest.strip_prefix(" -X ").map_or("GET", |rest| rest.split(' ').next().unwrap_or_default());
    let body = rest.split_once("--json '").and_then(|(_, rest)| rest.rsplit_once("' ")).map(|(body, _)| body.replace(r"'\''", "'"));
    let address = line.rsplit(' ').next()?.trim_matches('\'');
    let path = address.strip_prefix(url)?.strip_prefix(router::PREFIX)?;
    Some(Request { method, path, body: body.map(|body| serde_json::from_str(&body).expect("a document")) })
}

/// Whether the API has it.
fn known(request: &Request<'_>) -> bool {
    let path = request.path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    let paths = router::document()["paths"].as_object().expect("paths");
    paths.iter().any(|(pattern, item)| {
        let pattern: Vec<&str> = pattern.strip_prefix(router::PREFIX).unwrap_or_default().split('/').collect();
        let fits = pattern.len() == parts.len() && pattern.iter().zip(&parts).all(|(a, b)| a.starts_with('{') || a == b);
        fits && item.get(request.method.to_lowercase()).is_some()
    })
}

/// What is wrong with the lines of a page; counts those that are right.
pub(super) async fn check(lines: &[String], url: &str, token: &str, good: &mut usize) -> Vec<String> {
    let mut wrong = Vec::new();
    for line in lines {
        if line.starts_with("berth ") {
            match server::cli::command().try_get_matches_from(line.split(' ')) {
                Ok(_) => *good += 1,
                Err(error) => wrong.push(format!("`{line}` cannot be typed: {error}")),
            }
            continue;
        }
        let Some(request) = read(line, url) else {
            wrong.push(format!("`{line}` is no request"));
            continue;
        };
        if !known(&request) {
            wrong.push(format!("`{line}`: the API has no such thing"));
            continue;
        }
        if (request.method == "POST" || request.method == "PATCH") && request.body.as_ref().is_some_and(|body| !body.is_object()) {
            wrong.push(format!("`{line}`: the body is no object"));
        }
        if request.method == "GET" {
            let asked = reqwest::Client::new().get(format!("{url}{}{}", router::PREFIX, request.path)).bearer_auth(token).send().await;
            let status = asked.map(|answer| answer.status().as_u16());
            if !matches!(status, Ok(200)) {
                wrong.push(format!("`{line}` answers {status:?}"));
                continue;
            }
        }
        *good += 1;
    }
    wrong
}
