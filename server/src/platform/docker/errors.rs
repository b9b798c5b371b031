//! What the engine and the way to it say, made into what a caller can act on.

use bollard::errors::Error;

use super::super::PlatformError;

/// A call that did not succeed: an answer of the engine with a status, or one of the cases everybody knows.
#[derive(Debug)]
pub(super) enum Failure {
    /// The engine answered with this status.
    Said {
        /// HTTP status.
        status: u16,
        /// Its message.
        message: String,
    },
    /// Anything else.
    Other(PlatformError),
}

impl Failure {
    /// In one word, for the figures. That something is not there is often what one hoped for.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Said { status: 404, .. } => "not_there",
            Self::Said { status: 304 | 409, .. } => "already",
            Self::Other(PlatformError::Gone(_)) => "gone",
            Self::Other(PlatformError::Hung { .. } | PlatformError::TimedOut(_)) => "hung",
            Self::Said { .. } | Self::Other(_) => "refused",
        }
    }

    /// Whether the engine answered at all: what it says instead is still an answer.
    pub(super) const fn silence(&self) -> Result<(), &PlatformError> {
        match self {
            Self::Other(error) if error.passing() => Err(error),
            Self::Said { .. } | Self::Other(_) => Ok(()),
        }
    }

    pub(super) const fn is(&self, wanted: u16) -> bool {
        matches!(self, Self::Said { status, .. } if *status == wanted)
    }

    pub(super) fn says(&self, text: &str) -> bool {
        matches!(self, Self::Said { message, .. } if message.to_lowercase().contains(text))
    }
}

impl From<PlatformError> for Failure {
    fn from(error: PlatformError) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for PlatformError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Other(error) => error,
            Failure::Said { message, .. } if is_disk_full(&message) => Self::DiskFull(message),
            Failure::Said { status: 404, message } => Self::NotFound(message),
            Failure::Said { message, .. } => Self::Refused(message),
        }
    }
}

pub(super) fn is_disk_full(message: &str) -> bool {
    let message = message.to_lowercase();
    message.contains("no space left on device") || message.contains("disk quota exceeded")
}

/// Reads an error of the client.
pub(super) fn read(error: Error) -> Failure {
    match error {
        Error::DockerResponseServerError { status_code, message } => Failure::Said { status: status_code, message },
        Error::DockerStreamError { error } => Failure::Other(said_in_stream(error)),
        Error::SocketNotFoundError(path) => Failure::Other(PlatformError::Gone(format!("there is no socket {path}"))),
        Error::HyperLegacyError { err } if err.is_connect() => Failure::Other(PlatformError::Gone(deepest(&err))),
        Error::HyperLegacyError { err } => Failure::Other(PlatformError::Gone(format!("the connection broke off: {}", deepest(&err)))),
        Error::HyperResponseError { err } => Failure::Other(PlatformError::Gone(format!("the connection broke off: {}", deepest(&err)))),
        Error::IOError { err } => Failure::Other(PlatformError::Gone(format!("the connection broke off: {err}"))),
        other => Failure::Other(PlatformError::Refused(deepest(&other))),
    }
}

fn said_in_stream(error: String) -> PlatformError {
    if is_disk_full(&error) { PlatformError::DiskFull(error) } else { PlatformError::Refused(error) }
}

/// The first cause of an error: "connection refused" and not "client error (Connect)".
fn deepest(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Why a container did not start, without the names of the layers it was passed through.
pub(super) fn cannot_start(failure: Failure) -> PlatformError {
    match failure {
        Failure::Said { message, .. } if !is_disk_full(&message) => PlatformError::CannotStart(tidy(&message)),
        other => other.into(),
    }
}

fn tidy(message: &str) -> String {
    let message = message.trim().trim_end_matches(": unknown");
    let starts = ["exec: ", "chdir to cwd", "mkdir ", "error mounting"];
    starts.iter().filter_map(|start| message.find(start)).min().and_then(|at| message.get(at..)).unwrap_or(message).to_owned()
}

/// Whether a build or a pull failed because an image is not to be had.
pub(super) fn is_missing_image(message: &str) -> bool {
    let message = message.to_lowercase();
    [
        "pull access denied",
        "manifest unknown",
        "manifest for ",
        "no such image",
        "repository does not exist",
        "dial tcp",
        "no such host",
        "temporary failure in name resolution",
        "connection refused",
        "tls handshake timeout",
        "client.timeout exceeded",
        "not found: manifest",
        "name unknown",
        "unauthorized",
        "no matching manifest",
    ]
    .iter()
    .any(|sign| message.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_errors_name_the_cause_alone() {
        for (message, tidied) in [
            (
                "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: \
                 exec: \"nope\": executable file not found in $PATH: unknown",
                "exec: \"nope\": executable file not found in $PATH",
            ),
            (
                "OCI runtime create failed: container_linux.go:380: starting container process caused: exec: \"/x\": permission \
                 denied: unknown",
                "exec: \"/x\": permission denied",
            ),
            ("something new", "something new"),
        ] {
            let failure = Failure::Said { status: 400, message: message.into() };
            assert_eq!(cannot_start(failure), PlatformError::CannotStart(tidied.into()));
        }
    }

    #[test]
    fn a_full_disk_is_always_a_full_disk() {
        let failure = || Failure::Said { status: 500, message: "write /x: no space left on device".into() };
        assert!(matches!(PlatformError::from(failure()), PlatformError::DiskFull(_)));
        assert!(matches!(cannot_start(failure()), PlatformError::DiskFull(_)));
    }
}
