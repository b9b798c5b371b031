//! API tokens. Each person has their own.

use std::time::Duration;

use app::{
    backend::Tokens,
    error::{Error, Result},
    model::{Actor, CreatedToken, Credential, NewToken, Scope, Timestamp, Token, TokenId},
    said,
};
use async_trait::async_trait;

use super::{Control, authorize};
use crate::{
    auth::{rights::Action, secret},
    clock,
    store::{
        events::{self, NewEvent},
        tokens::{self, TokenRow},
    },
};

/// Tokens of one person that are good at once.
const MOST: usize = 100;

pub(super) fn name(text: &str) -> Result<String> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Error::invalid("invalid_token_name", "Say in 1 to 100 characters what the token is for.").at("name"));
    }
    Ok(name.to_owned())
}

pub(super) fn scopes(asked: &[Scope], actor: &Actor) -> Result<Vec<Scope>> {
    let mut scopes = asked.to_vec();
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(Error::invalid("no_scope", "Choose at least one scope: read, git, deploy, write or admin.").at("scopes"));
    }
    if let Credential::Token { scopes: held, .. } = &actor.credential
        && let Some(beyond) = scopes.iter().find(|scope| !held.contains(scope))
    {
        let sentence = format!("A token grants no more than it holds, and the one used has not the scope `{}`.", beyond.name());
        return Err(Error::forbidden("missing_scope", sentence).at("scopes"));
    }
    Ok(scopes)
}

pub(super) fn end(days: Option<u32>, now: Timestamp) -> Result<Option<Timestamp>> {
    match days {
        None => Ok(None),
        Some(days @ 1..=3_650) => Ok(Some(now.plus(Duration::from_secs(u64::from(days) * 86_400)))),
        Some(_) => Err(Error::invalid("invalid_days", "A token is good for 1 to 3650 days, or without an end.").at("days")),
    }
}

#[async_trait]
impl Tokens for Control {
    async fn create(&self, actor: &Actor, token: NewToken) -> Result<CreatedToken> {
        authorize(actor, Action::ManageSelf, None)?;
        let user = actor.user.clone().ok_or_else(super::not_signed_in)?;
        let (now, scopes, name) = (clock::now(), scopes(&token.scopes, actor)?, name(&token.name)?);
        let team = match &token.team {
            Some(team) => Some(self.team(actor, team, Action::ViewTeam).await.map_err(|error| error.at("team"))?),
            None => None,
        };
        let mut expires_at = end(token.days, now)?;
        if let Credential::Token { id, .. } = &actor.credential {
            // A token that ends makes none that outlives it.
            let own = tokens::list(&self.db, &user, now).await?.into_iter().find(|own| own.id == *id).and_then(|own| own.expires_at);
            expires_at = [expires_at, own].into_iter().flatten().min();
        }
        let (secret, prefix) = secret::fresh_token();
        let id = TokenId::from_text(clock::new_id());
        let token = Token { id, name, prefix, scopes, team: token.team, created_at: now, expires_at, last_used_at: None };
        let row = TokenRow { token, user, team, revoked_at: None };
        let mut tx = self.db.begin().await?;
        if tokens::list(&mut tx, &row.user, now).await?.len() >= MOST {
            return Err(Error::conflict("too_many_tokens", format!("You have {MOST} tokens. Revoke one that is not used any more.")));
        }
        tokens::insert(&mut tx, &row, &secret::hash(&secret)).await?;
        let granted: Vec<_> = row.token.scopes.iter().map(|scope| scope.name()).collect();
        let event = NewEvent {
            action: "token.created",
            subject: said::subject_new_token(&row.token.name, &row.token.prefix),
            detail: said::detail_for(granted.join(", ")),
            ..NewEvent::default()
        };
        events::insert(&mut tx, actor, event).await?;
        tx.commit().await?;
        Ok(CreatedToken { token: row.token, secret })
    }

    async fn list(&self, actor: &Actor) -> Result<Vec<Token>> {
        authorize(actor, Action::ManageSelf, None)?;
        let user = actor.user.as_ref().ok_or_else(super::not_signed_in)?;
        Ok(tokens::list(&self.db, user, clock::now()).await?)
    }

    async fn revoke(&self, actor: &Actor, token: &TokenId) -> Result<()> {
        // A token may always end itself: that is how `berth logout` works, whatever its scopes.
        let own = matches!(&actor.credential, Credential::Token { id, .. } if id == token);
        authorize(actor, if own { Action::ViewSelf } else { Action::ManageSelf }, None)?;
        let user = actor.user.as_ref().ok_or_else(super::not_signed_in)?;
        let mut tx = self.db.begin().await?;
        let name = tokens::revoke(&mut tx, user, token, clock::now())
            .await?
            .ok_or_else(|| Error::not_found("unknown_token", "You have no such token: it was revoked before, or is another person's."))?;
        let event = NewEvent { action: "token.revoked", subject: said::subject_token(&name), ..NewEvent::default() };
        events::insert(&mut tx, actor, event).await?;
        tx.commit().await?;
        self.wake.rights_moved();
        Ok(())
    }
}
