//! Who asks: a cookie or a token becomes an `Arc<Actor>` in the request's extensions. Nothing else decides that.

use std::time::Duration;

use app::{
    backend::Backend,
    error::{Error, Result},
    model::{Actor, Timestamp, UserId},
};
use axum::{
    extract::{Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use serde::de::DeserializeOwned;
use tower_sessions::{Expiry, Session, SessionManagerLayer, cookie::SameSite, session::Record};

use super::{
    problem::Problem,
    request::{self, Peer},
    standing::Judge,
};
use crate::{auth::sessions::Sessions, clock, config::Config, store::Db};

/// A session ends after this long without a request …
const IDLE: Duration = Duration::from_secs(3 * 24 * 3_600);
/// … and after this long whatever happens.
const ABSOLUTE: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Its use is written down this often at most, so that reading pages does not write.
const SEEN: Duration = Duration::from_secs(600);

const USER: &str = "user";
const EPOCH: &str = "epoch";
const SINCE: &str = "since";
const LAST: &str = "seen";

/// Whether the console is reached over TLS, as far as the configured URL says.
pub fn secure(config: &Config) -> bool {
    config.url.starts_with("https://")
}

/// The name of the cookie: bound to the host by its prefix where there is TLS. Without TLS, on loopback, browsers refuse
/// the prefix.
pub const fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-berth" } else { "berth" }
}

/// The layer that reads and writes the session behind the cookie.
pub fn sessions(config: &Config, db: &Db) -> SessionManagerLayer<Sessions> {
    let secure = secure(config);
    let idle = i64::try_from(IDLE.as_secs()).unwrap_or(i64::MAX);
    SessionManagerLayer::new(Sessions::new(db.clone()))
        .with_name(cookie_name(secure))
        .with_secure(secure)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(tower_sessions::cookie::time::Duration::seconds(idle)))
}

fn failed(error: tower_sessions::session::Error) -> Error {
    Error::unavailable("store_unavailable", "The database does not answer. Try again in a moment.").because(error)
}

/// Signs a person in on this browser: under a new id, so that one planted before is worth nothing.
///
/// # Errors
/// Where the store does not answer.
pub async fn sign_in(session: &Session, backend: &Backend, user: &UserId) -> Result<()> {
    let epoch = backend.accounts.session_epoch(user).await?;
    let now = clock::now().0;
    sign_out(session).await?;
    session.cycle_id().await.map_err(failed)?;
    session.insert(USER, user).await.map_err(failed)?;
    session.insert(EPOCH, epoch).await.map_err(failed)?;
    session.insert(SINCE, now).await.map_err(failed)?;
    session.insert(LAST, now).await.map_err(failed)
}

/// Signs out on this browser.
///
/// # Errors
/// Where the store does not answer.
pub async fn sign_out(session: &Session) -> Result<()> {
    // A browser that brings no cookie has nothing to be removed.
    if session.id().is_none() { Ok(()) } else { session.flush().await.map_err(failed) }
}

/// What a session says of who signed in.
pub(super) struct Kept {
    user: UserId,
    epoch: i64,
    since: Timestamp,
}

impl Kept {
    /// What the store has of it.
    pub(super) fn of_record(record: &Record) -> Option<Self> {
        fn field<T: DeserializeOwned>(record: &Record, name: &str) -> Option<T> {
            record.data.get(name).and_then(|value| serde_json::from_value(value.clone()).ok())
        }
        Some(Self { user: field(record, USER)?, epoch: field(record, EPOCH)?, since: Timestamp(field(record, SINCE)?) })
    }

    async fn of_session(session: &Session) -> Result<Option<Self>> {
        let Some(user) = session.get::<UserId>(USER).await.map_err(failed)? else { return Ok(None) };
        let epoch = session.get::<i64>(EPOCH).await.map_err(failed)?.unwrap_or(-1);
        let since = Timestamp(session.get::<i64>(SINCE).await.map_err(failed)?.unwrap_or(0));
        Ok(Some(Self { user, epoch, since }))
    }

    /// The actor of it, where it is good now.
    pub(super) async fn actor(&self, backend: &Backend, peer: Option<&str>) -> Result<Option<Actor>> {
        if clock::now().since(self.since) >= ABSOLUTE {
            return Ok(None);
        }
        backend.accounts.actor(&self.user, self.epoch, &request::id(), peer).await
    }
}

/// The actor of a session, where it is good; one that is not is ended. Its use is noted.
pub(super) async fn actor(session: &Session, backend: &Backend, peer: Option<&str>) -> Result<Option<Actor>> {
    let Some(kept) = Kept::of_session(session).await? else { return Ok(None) };
    let seen = Timestamp(session.get::<i64>(LAST).await.map_err(failed)?.unwrap_or(0));
    let now = clock::now();
    let actor = kept.actor(backend, peer).await?;
    if actor.is_none() {
        session.flush().await.map_err(failed)?;
    } else if now.since(seen) >= SEEN {
        session.insert(LAST, now.0).await.map_err(failed)?;
    }
    Ok(actor)
}

/// The token of an `Authorization: Bearer` header. Other kinds of credentials are not for this door.
fn bearer(headers: &http::HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (kind, token) = value.split_once(' ')?;
    kind.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// Whether a request names a token; then the session is not looked at.
pub fn has_token(headers: &http::HeaderMap) -> bool {
    bearer(headers).is_some()
}

/// The layer that says who asks. A token that is no good is an error, never nobody.
pub async fn layer(State(judge): State<Judge>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().cloned().unwrap_or_default();
    let standing = match (bearer(request.headers()), request.extensions().get::<Session>().cloned()) {
        (Some(token), _) => judge.token(&token, &peer).await.map(Some),
        (None, Some(session)) => judge.session(&session, &peer).await,
        (None, None) => Ok(None),
    };
    match standing {
        Ok(Some(standing)) => {
            request::asked_by(&standing.actor);
            request.extensions_mut().insert(standing.actor.clone());
            request.extensions_mut().insert(standing);
        }
        Ok(None) => {}
        Err(error) => return Problem(error).into_response(),
    }
    next.run(request).await
}
