//! The one public error. A kind decides the HTTP status and the exit code, a stable code names it for programs, a sentence
//! tells a person what to do. The cause stays on the server, where it is logged once.

use std::{error::Error as StdError, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// What went wrong, as far as a caller can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The input does not fit: 422.
    Invalid,
    /// Nobody is signed in, or the credential is not good: 401.
    Unauthenticated,
    /// Signed in, known, and not allowed: 403.
    Forbidden,
    /// No such thing, or not one the caller may know of: 404.
    NotFound,
    /// It clashes with what is there: 409.
    Conflict,
    /// Somebody changed it in between: 412.
    Precondition,
    /// Larger than the limit: 413.
    TooLarge,
    /// Too many requests: 429.
    TooMany,
    /// Something Berth needs does not answer now: 503.
    Unavailable,
    /// A fault of ours: 500.
    Internal,
}

impl Kind {
    /// The HTTP status that says this kind.
    pub const fn status(self) -> u16 {
        match self {
            Self::Invalid => 422,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Precondition => 412,
            Self::TooLarge => 413,
            Self::TooMany => 429,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }
}

/// An error as the outside sees it. Build one with the constructor named like its [`Kind`].
#[derive(Clone)]
pub struct Error {
    /// What kind it is.
    pub kind: Kind,
    /// A stable name for programs, in `snake_case`; never reworded.
    pub code: &'static str,
    /// What happened and what to do, for a person.
    pub sentence: String,
    /// The form field or JSON property it is about, if one.
    pub field: Option<String>,
    /// After how many seconds trying again makes sense, where that is known.
    pub retry_after_s: Option<u64>,
    /// The private cause: logged, never sent.
    cause: Option<Arc<dyn StdError + Send + Sync>>,
}

/// Shorthand used everywhere above `store` and `platform`.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => { impl Error { $(
        $(#[$doc])*
        pub fn $name(code: &'static str, sentence: impl Into<String>) -> Self {
            Self { kind: Kind::$kind, code, sentence: sentence.into(), field: None, retry_after_s: None, cause: None }
        }
    )* } };
}

constructors! {
    /// See [`Kind::Invalid`].
    invalid => Invalid;
    /// See [`Kind::Unauthenticated`].
    unauthenticated => Unauthenticated;
    /// See [`Kind::Forbidden`].
    forbidden => Forbidden;
    /// See [`Kind::NotFound`].
    not_found => NotFound;
    /// See [`Kind::Conflict`].
    conflict => Conflict;
    /// See [`Kind::Precondition`].
    precondition => Precondition;
    /// See [`Kind::TooLarge`].
    too_large => TooLarge;
    /// See [`Kind::TooMany`].
    too_many => TooMany;
    /// See [`Kind::Unavailable`].
    unavailable => Unavailable;
}

impl Error {
    /// Berth's own disk is full, whatever was to be written there.
    pub fn disk_full() -> Self {
        Self::unavailable("disk_full", "The disk of Berth is full, so this was not done. Make room on it. Try again then.")
    }

    /// What is stored of one thing does not read: it alone, named by the column.
    pub fn unreadable(column: &str) -> Self {
        let sentence = format!(
            "What Berth has stored of this does not read (`{column}`). Everything else goes on; give the request id to your administrator."
        );
        Self { kind: Kind::Internal, code: "unreadable", sentence, field: None, retry_after_s: None, cause: None }
    }

    /// A fault of ours: the sentence is fixed, the cause is for the log. A full disk is none, and is told as what it is: whatever
    /// meets it comes by here.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let cause = cause.into();
        if is_disk_full(&*cause) {
            return Self::disk_full().because(cause);
        }
        Self {
            kind: Kind::Internal,
            code: "internal",
            sentence: "Something went wrong inside Berth. Try again; if it stays, give the request id to your administrator.".into(),
            field: None,
            retry_after_s: None,
            cause: None,
        }
        .because(cause)
    }

    /// Adds the private cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(Arc::from(cause.into()));
        self
    }

    /// Says which field it is about.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Says after how many seconds to try again.
    #[must_use]
    pub const fn after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The private cause, for the one place that logs it.
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.cause.as_deref()
    }
}

/// Whether an error comes of a full disk: the system says so by a kind, a program that was started in its words.
pub fn is_disk_full(error: &(dyn StdError + 'static)) -> bool {
    use std::io::{Error, ErrorKind};
    let of_system = error.downcast_ref::<Error>();
    let known = of_system.is_some_and(|error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded));
    let told = || {
        let text = error.to_string();
        ["No space left on device", "Disk quota exceeded"].iter().any(|words| text.contains(words))
    };
    known || error.source().is_some_and(is_disk_full) || told()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{}: {}", self.kind, self.code, self.sentence)?;
        if let Some(cause) = &self.cause {
            write!(f, " (because: {cause})")?;
        }
        Ok(())
    }
}

impl StdError for Error {}
