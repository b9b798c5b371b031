//! The API as a page to read: the document, written out by the server. No script, no third party.

use std::fmt::Write as _;

use axum::response::Html;
use serde_json::Value;

use super::{assets, router};
use crate::control::pipeline_file;

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// Plain text with `code` between back-ticks.
fn prose(text: &str) -> String {
    text.split('`').enumerate().map(|(n, part)| if n % 2 == 1 { format!("<code>{}</code>", escape(part)) } else { escape(part) }).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The name of a schema, linked where it has an entry of its own.
fn schema(value: &Value) -> String {
    if let Some(name) = value.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escape(name));
    }
    if let Some(items) = value.get("items") {
        return format!("list of {}", schema(items));
    }
    if let Some(any) = value.get("oneOf").or_else(|| value.get("anyOf")).and_then(Value::as_array) {
        return any.iter().map(schema).collect::<Vec<_>>().join(" or ");
    }
    match value.get("type") {
        Some(Value::String(kind)) => escape(kind),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).map(escape).collect::<Vec<_>>().join(" or "),
        _ => "any".into(),
    }
}

fn body(content: Option<&Value>) -> Option<String> {
    let (_, media) = content?.get("content")?.as_object()?.iter().next()?;
    Some(schema(media.get("schema")?))
}

fn parameters(operation: &Value) -> String {
    let Some(all) = operation.get("parameters").and_then(Value::as_array).filter(|all| !all.is_empty()) else { return String::new() };
    let rows = all.iter().fold(String::new(), |mut rows, one| {
        let _ = write!(
            rows,
            "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td></tr>",
            escape(text(one, "name")),
            escape(text(one, "in")),
            prose(text(one, "description"))
        );
        rows
    });
    format!(
        "<table><thead><tr><th scope=\"col\">Parameter</th><th scope=\"col\">In</th><th scope=\"col\">Meaning</th></tr></thead><tbody>{rows}</tbody></table>"
    )
}

fn operation(path: &str, method: &str, operation: &Value) -> String {
    let mut out = format!(
        "<section id=\"{0}\"><h3><code>{1} {2}</code></h3>",
        escape(text(operation, "operationId")),
        method.to_uppercase(),
        escape(path)
    );
    let _ = write!(out, "<p>{}</p>", prose(text(operation, "summary")));
    let scope = operation.pointer("/security/0/token/0").and_then(Value::as_str);
    let right = match (text(operation, "x-right"), scope) {
        ("open", _) => "Open to everybody.".to_owned(),
        (right, Some(scope)) => format!("Right: <code>{}</code>; a token needs the scope <code>{}</code>.", escape(right), escape(scope)),
        (right, None) => format!("Right: <code>{}</code>; any good token will do.", escape(right)),
    };
    let _ = write!(out, "<p>{right}</p>{}", parameters(operation));
    if let Some(body) = body(operation.get("requestBody")) {
        let _ = write!(out, "<p>Body: {body}</p>");
    }
    for (status, response) in operation.get("responses").and_then(Value::as_object).into_iter().flatten() {
        if status != "default" {
            let body = body(Some(response)).unwrap_or_else(|| "nothing".into());
            let _ = write!(out, "<p>Answers <code>{}</code>: {body}</p>", escape(status));
        }
    }
    out + "</section>"
}

fn schemas(document: &Value) -> String {
    let all = document.pointer("/components/schemas").and_then(Value::as_object);
    all.into_iter().flatten().fold(String::new(), |mut out, (name, value)| {
        let _ = write!(out, "<section id=\"schema-{0}\"><h3>{0}</h3><p>{1}</p>", escape(name), prose(text(value, "description")));
        if let Some(names) = value.get("enum").and_then(Value::as_array) {
            let names = names.iter().filter_map(Value::as_str).map(|name| format!("<code>{}</code>", escape(name))).collect::<Vec<_>>();
            let _ = write!(out, "<p>One of {}.</p>", names.join(", "));
        }
        for one in value.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = one.get("const").and_then(Value::as_str) {
                let _ = write!(out, "<p><code>{}</code> {}</p>", escape(name), prose(text(one, "description")));
            }
        }
        if let Some(fields) = value.get("properties").and_then(Value::as_object) {
            out.push_str("<table><thead><tr><th scope=\"col\">Field</th><th scope=\"col\">Type</th><th scope=\"col\">Meaning</th></tr></thead><tbody>");
            for (field, value) in fields {
                let _ = write!(
                    out,
                    "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td></tr>",
                    escape(field),
                    schema(value),
                    prose(text(value, "description"))
                );
            }
            out.push_str("</tbody></table>");
        }
        out + "</section>"
    })
}

/// The beginning of a page to read.
fn head(title: &str) -> String {
    let mut out = format!("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · Berth</title>");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    if let Some(style) = assets::url("main.css") {
        let _ = write!(out, "<link rel=\"stylesheet\" href=\"{style}\">");
    }
    out + "</head><body class=\"reference\"><header><a class=\"brand\" href=\"/\">Berth</a></header><main>"
}

/// The parts of a `berth.yaml` as a page: the schema, written out.
fn file_written(document: &Value) -> String {
    let mut out = head("berth.yaml") + "<h1>What may stand in a berth.yaml</h1>";
    let _ = write!(out, "<p>{}</p>", prose(text(document, "description")));
    out.push_str("<p>For editors: <a href=\"/schema/berth.v1.json\">/schema/berth.v1.json</a> (JSON Schema). <code>berth lint</code> checks a file offline.</p><h2>Its parts</h2>");
    let mut parts = serde_json::Map::from_iter([("File".to_owned(), document.clone())]);
    parts.extend(document.get("$defs").and_then(Value::as_object).into_iter().flatten().map(|(name, part)| (name.clone(), part.clone())));
    let parts = serde_json::json!({ "components": { "schemas": parts } });
    out + &schemas(&parts) + "</main></body></html>"
}

fn written(document: &Value) -> String {
    let mut out = head("API") + "<h1>The API of Berth</h1>";
    let _ = write!(out, "<p>{}</p>", prose(document.pointer("/info/description").and_then(Value::as_str).unwrap_or_default()));
    let _ = write!(
        out,
        "<p>For programs: <a href=\"{0}/openapi.json\">{0}/openapi.json</a> (OpenAPI 3.1).</p><h2>Addresses</h2>",
        router::PREFIX
    );
    for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        for (method, value) in item.as_object().into_iter().flatten() {
            out.push_str(&operation(path, method, value));
        }
    }
    let _ = write!(out, "<h2>Schemas</h2>{}</main></body></html>", schemas(document));
    out
}

/// The page at `/schema`.
pub async fn file_page() -> Html<String> {
    Html(file_written(pipeline_file::schema()))
}

/// The page at `/api`.
pub async fn page() -> Html<String> {
    Html(written(router::document()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_file_is_on_the_page() {
        let page = file_written(pipeline_file::schema());
        for name in pipeline_file::schema()["$defs"].as_object().unwrap().keys() {
            assert!(page.contains(&format!("id=\"schema-{name}\"")), "{name}");
        }
        assert!(page.contains("<code>services</code>") && !page.contains("<script"));
    }

    #[test]
    fn every_address_is_on_the_page() {
        let page = written(router::document());
        for path in router::document()["paths"].as_object().unwrap().keys() {
            assert!(page.contains(path), "{path}");
        }
        assert!(!page.contains("<script"));
    }
}
