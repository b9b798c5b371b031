//! What a page shows or does, as a command and as a request: whoever sees it once can put it into a script.

use serde_json::Value;

use crate::model::ServiceName;

/// One thing, done from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What it does, in the words of the page.
    pub says: String,
    /// The command; none where only the API has it.
    pub command: Option<String>,
    /// The request.
    request: Request,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Request {
    method: &'static str,
    path: String,
    body: Option<String>,
}

impl Way {
    fn new(says: impl Into<String>, method: &'static str, path: impl Into<String>, body: Option<&Value>) -> Self {
        let request = Request { method, path: path.into(), body: body.map(Value::to_string) };
        Self { says: says.into(), command: None, request }
    }

    /// Asks; `path` begins after `/api/v1`.
    pub fn get(says: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new(says, "GET", path, None)
    }

    /// Changes something, with nothing but the address.
    pub fn act(says: impl Into<String>, method: &'static str, path: impl Into<String>) -> Self {
        Self::new(says, method, path, None)
    }

    /// Changes something, with a document.
    pub fn send(says: impl Into<String>, method: &'static str, path: impl Into<String>, body: &Value) -> Self {
        Self::new(says, method, path, Some(body))
    }

    /// The command that does the same.
    #[must_use]
    pub fn cli(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }

    /// The request as a line of curl, to the Berth at `url`.
    pub fn curl(&self, url: &str) -> String {
        let Request { method, path, body } = &self.request;
        let verb = if *method == "GET" { String::new() } else { format!(" -X {method}") };
        let body = body.as_ref().map(|body| format!(" --json '{}'", body.replace('\'', r"'\''"))).unwrap_or_default();
        let address = format!("{url}/api/v1{path}");
        let quote = if address.contains(['?', '&', '*']) { "'" } else { "" };
        format!("curl -sS{verb} -H \"Authorization: Bearer $BERTH_TOKEN\"{body} {quote}{address}{quote}")
    }
}

/// A service as the command line names it, whatever folder one stands in: `TEAM/SERVICE`.
pub fn named(team: &impl std::fmt::Display, service: &ServiceName) -> String {
    format!("{team}/{service}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_a_line_for_the_shell() {
        let url = "https://berth.example.com";
        assert_eq!(
            Way::get("x", "/teams").curl(url),
            "curl -sS -H \"Authorization: Bearer $BERTH_TOKEN\" https://berth.example.com/api/v1/teams"
        );
        let body = serde_json::json!({ "name": "it's" });
        assert_eq!(
            Way::send("x", "POST", "/teams?a=b", &body).curl(url),
            "curl -sS -X POST -H \"Authorization: Bearer $BERTH_TOKEN\" --json '{\"name\":\"it'\\''s\"}' 'https://berth.example.com/api/v1/teams?a=b'"
        );
    }
}
