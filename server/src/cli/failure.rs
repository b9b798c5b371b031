//! What a command says when it cannot do what it was asked.

use std::{fmt, process::ExitCode};

use app::error::Error;
use serde_json::{Value, json};

/// Shorthand within `cli`.
pub(super) type Done<T> = Result<T, Failure>;

/// Why a command ended without having done its work.
#[derive(Debug, Default)]
pub(super) struct Failure {
    /// What happened and what to do.
    pub(super) sentence: String,
    /// The stable name of the error, where the server gave one.
    pub(super) code: Option<String>,
    /// The input it is about.
    pub(super) field: Option<String>,
    /// The request's id, to ask an administrator with.
    pub(super) request: Option<String>,
    /// The HTTP status, where there was an answer.
    pub(super) status: Option<u16>,
}

/// The exit code of a run or rollout that did not succeed.
pub(super) const DID_NOT_SUCCEED: u8 = 3;

impl Failure {
    /// A failure of this machine's side.
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), ..Self::default() }
    }

    /// Reads a problem document (RFC 9457) of the server.
    pub(super) fn from_problem(status: u16, request: Option<String>, body: &[u8]) -> Self {
        let problem: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let text = |key: &str| problem.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
        let sentence = text("detail").or_else(|| text("title")).unwrap_or_else(|| {
            format!("The server answered {status} with no reason. Is this the address of a Berth? Look at `berth context list`.")
        });
        let code = text("code");
        // Who is signing in knows how.
        let asks = status == 401 && code.as_deref() != Some("wrong_credentials");
        let hint = if asks { " Sign in with `berth login URL`, or set BERTH_TOKEN." } else { "" };
        Self {
            sentence: format!("{sentence}{hint}"),
            code,
            field: text("field"),
            request: text("request_id").or_else(|| text("request")).or(request),
            status: Some(status),
        }
    }

    /// Says it on the standard error, once; with `--json` as a document.
    pub(super) fn report(&self, as_json: bool) -> ExitCode {
        if as_json {
            let document = json!({
                "error": self.sentence, "code": self.code, "field": self.field, "status": self.status, "request_id": self.request,
            });
            eprintln!("{document}");
        } else {
            eprintln!("berth: {self}");
        }
        ExitCode::FAILURE
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)?;
        match &self.request {
            Some(request) => write!(f, "\n       (request {request})"),
            None => Ok(()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let cause = error.cause().map(|cause| format!(" ({cause})")).unwrap_or_default();
        Self { sentence: format!("{}{cause}", error.sentence), code: Some(error.code.to_owned()), field: error.field, ..Self::default() }
    }
}
