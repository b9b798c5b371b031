//! Whether somebody who listens still may. A stream outlives the look at its credential: the token is revoked, the session
//! ends or a role is taken away while it is open. It ends then, and its listener comes back with the rights of that time.

use std::{convert::Infallible, sync::Arc, time::Duration};

use app::{
    backend::Backend,
    error::{Error, Kind, Result},
    model::Actor,
};
use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use tower_sessions::{Session, SessionStore as _, session::Id};

use super::{
    request::{self, Peer},
    session,
};
use crate::{auth::sessions::Sessions, control::Control, wake::Wake};

/// What another Berth on the same database took away is found this late at most.
const LOOK: Duration = Duration::from_secs(20);

/// Says who asks, and whether they still may.
#[derive(Clone)]
pub struct Judge {
    backend: Backend,
    sessions: Sessions,
    wake: Wake,
}

/// What somebody was let in by.
#[derive(Clone)]
enum Proof {
    Token(String),
    Session(Id),
}

/// Somebody who was let in, with what they may, as of then.
#[derive(Clone)]
pub struct Standing {
    /// Who.
    pub actor: Arc<Actor>,
    proof: Proof,
    judge: Judge,
    moved: watch::Receiver<u64>,
}

impl Judge {
    /// Over the data of this Berth.
    pub fn new(control: &Arc<Control>) -> Self {
        Self { backend: control.backend(), sessions: Sessions::new(control.db.clone()), wake: control.wake.clone() }
    }

    /// The standing of a token.
    ///
    /// # Errors
    /// `bad_token`.
    pub async fn token(&self, token: &str, peer: &Peer) -> Result<Standing> {
        // Listening begins before the look: what is taken away in between is not missed.
        let moved = self.wake.rights();
        let actor = self.backend.accounts.actor_of_token(token, &request::id(), peer.0.as_deref()).await?;
        Ok(Standing { actor: Arc::new(actor), proof: Proof::Token(token.to_owned()), judge: self.clone(), moved })
    }

    /// The standing of a browser's session, where it is good.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn session(&self, session: &Session, peer: &Peer) -> Result<Option<Standing>> {
        let moved = self.wake.rights();
        let actor = session::actor(session, &self.backend, peer.0.as_deref()).await?;
        let (Some(actor), Some(id)) = (actor, session.id()) else { return Ok(None) };
        Ok(Some(Standing { actor: Arc::new(actor), proof: Proof::Session(id), judge: self.clone(), moved }))
    }

    /// Who the bearer of this is now; none where it is no good any more.
    async fn again(&self, proof: &Proof) -> Result<Option<Actor>> {
        match proof {
            Proof::Token(token) => match self.backend.accounts.actor_of_token(token, "", None).await {
                Err(error) if error.kind == Kind::Unauthenticated => Ok(None),
                known => known.map(Some),
            },
            Proof::Session(id) => {
                let record = self.sessions.load(id).await.map_err(Error::internal)?;
                match record.as_ref().and_then(session::Kept::of_record) {
                    Some(kept) => kept.actor(&self.backend, None).await,
                    None => Ok(None),
                }
            }
        }
    }
}

impl Standing {
    /// Ends when something that was allowed is not any more.
    pub async fn lost(mut self) {
        loop {
            // A time-out is as good as a word: it is looked in either case.
            let _ = timeout(LOOK, self.moved.changed()).await;
            match self.judge.again(&self.proof).await {
                Ok(Some(now)) if keeps(&self.actor, &now) => {}
                Ok(_) => return,
                // A store that does not answer judges nobody.
                Err(error) => tracing::debug!(%error, "a standing could not be looked at"),
            }
        }
    }
}

/// Whether `now` may all that `then` might. Scopes of a token never change.
fn keeps(then: &Actor, now: &Actor) -> bool {
    let held = |(team, role): &(_, _)| now.role_in(team).is_some_and(|held| held >= *role);
    now.platform >= then.platform && then.roles.iter().all(held)
}

/// What ends a stream from outside: Berth stops, or its listener may not listen any more.
pub struct Ends {
    stop: CancellationToken,
    standing: Option<Standing>,
}

impl<S: Send + Sync> FromRequestParts<S> for Ends
where
    CancellationToken: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self { stop: CancellationToken::from_ref(state), standing: parts.extensions.get().cloned() })
    }
}

impl Ends {
    /// For a stream of somebody known.
    pub fn new(stop: CancellationToken, standing: Standing) -> Self {
        Self { stop, standing: Some(standing) }
    }

    /// Waits for it, and says in a sentence what it was.
    pub async fn reached(self) -> &'static str {
        let lost = async {
            match self.standing {
                Some(standing) => standing.lost().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => "Berth is stopping. What is under way goes on when it is back.",
            () = lost => "You may not see this any more: the token, session or role you began with has ended.",
        }
    }
}

#[cfg(test)]
mod tests {
    use app::model::{PlatformRole, Role, TeamId};

    use super::*;

    #[test]
    fn only_a_loss_ends_it() {
        let actor = |platform, roles: &[(&str, Role)]| Actor {
            platform,
            roles: roles.iter().map(|(team, role)| (TeamId::from_text(*team), *role)).collect(),
            ..Actor::system("test")
        };
        let then = actor(PlatformRole::None, &[("a", Role::Developer)]);
        for (platform, roles, kept) in [
            (PlatformRole::None, &[("a", Role::Developer)][..], true),
            (PlatformRole::Admin, &[("b", Role::Viewer), ("a", Role::Owner)], true),
            (PlatformRole::None, &[("a", Role::Viewer)], false),
            (PlatformRole::None, &[("b", Role::Owner)], false),
            (PlatformRole::Admin, &[], false),
        ] {
            assert_eq!(keeps(&then, &actor(platform, roles)), kept, "{platform:?} {roles:?}");
        }
        assert!(!keeps(&actor(PlatformRole::Admin, &[]), &actor(PlatformRole::None, &[])));
    }
}
