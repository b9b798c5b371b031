//! Signing in, oneself, the first run, people.

use app::{
    backend::Accounts,
    error::{Error, Result},
    model::{
        Actor, Credential, Invitation, Me, NewPerson, Page, PageRequest, Person, PlatformRole, Role, TeamId, TeamName, Timestamp, UserId,
    },
    said,
};
use async_trait::async_trait;

use super::{Control, authorize};
use crate::{
    auth::{links as auth_links, password, rights::Action, secret},
    clock,
    store::{
        Tx,
        events::{self, NewEvent, paged},
        links::{self, LinkRow, Purpose},
        teams, tokens,
        tokens::TokenRow,
        users::{self, UserRow},
    },
};

/// A token's use is remembered to the minute.
const MINUTE_MS: u128 = 60_000;

fn link_spent() -> Error {
    Error::not_found(
        "link_spent",
        "This link is unknown, was used before, or has expired. Ask for a new one; the first link is printed by `berth serve` at its start.",
    )
}

fn wrong_credentials() -> Error {
    Error::unauthenticated("wrong_credentials", "That address and password do not go together. Check both and try again.")
}

fn bad_token() -> Error {
    Error::unauthenticated("bad_token", "This token is unknown, revoked or expired. `berth login` gets a new one.")
}

/// The normal form of an address.
///
/// # Errors
/// `invalid_email` at the field `email`.
pub(super) fn email(text: &str) -> Result<String> {
    let email = text.trim().to_lowercase();
    let good = email.len() <= 254
        && email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !domain.starts_with('.') && !domain.ends_with('.')
        })
        && !email.chars().any(|c| c.is_whitespace() || c.is_control() || "<>\"(),;:\\[]".contains(c));
    if good { Ok(email) } else { Err(Error::invalid("invalid_email", "An address looks like `ada@example.com`.").at("email")) }
}

pub(super) fn person_name(text: &str) -> Result<String> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Error::invalid("invalid_person_name", "A name has 1 to 100 characters.").at("name"));
    }
    Ok(name)
}

/// Who signs in, for the activity; before there is a session.
fn newcomer(user: &UserRow, peer: Option<&str>) -> Actor {
    Actor {
        user: Some(user.id.clone()),
        name: user.name.clone(),
        platform: user.platform,
        roles: Vec::new(),
        credential: Credential::Session,
        request: String::new(),
        peer: peer.map(ToOwned::to_owned),
    }
}

impl Control {
    /// Where there is nobody yet: the one-time link that creates the first administrator.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn first_link(&self) -> Result<Option<String>> {
        auth_links::first_admin(&self.db, &self.config.url).await
    }

    async fn new_person(&self, person: &NewPerson, platform: PlatformRole) -> Result<UserRow> {
        let email = email(&person.email)?;
        let name = person_name(&person.name)?;
        password::check(&person.password, &email, &name)?;
        Ok(UserRow {
            id: UserId::from_text(clock::new_id()),
            email,
            name,
            password_hash: self.passwords.hash(&person.password).await?,
            language: None,
            platform,
            session_epoch: 1,
            suspended_at: None,
            created_at: clock::now(),
        })
    }

    async fn good_link(&self, purpose: Purpose, token: &str) -> Result<LinkRow> {
        links::good(&self.db, purpose, &secret::hash(token), clock::now()).await?.ok_or_else(link_spent)
    }

    async fn signed_in(&self, user: &UserRow, peer: Option<&str>, how: &str) -> Result<()> {
        let mut tx = self.db.begin().await?;
        self.signed_in_within(&mut tx, user, peer, how).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn signed_in_within(&self, tx: &mut Tx, user: &UserRow, peer: Option<&str>, how: &str) -> Result<()> {
        let event = NewEvent { action: "session.started", subject: user.email.clone(), detail: how.to_owned(), ..NewEvent::default() };
        Ok(events::insert(tx, &newcomer(user, peer), event).await?)
    }

    /// Checks a password under the limits.
    async fn checked(&self, email: &str, password: &str, peer: Option<&str>) -> Result<Option<UserRow>> {
        self.limits.attempt(email, peer, clock::now())?;
        // What was not judged is not counted.
        let user = self.judged(email, password).await.inspect_err(|_| self.limits.refund(email, peer))?;
        if user.is_some() {
            self.limits.succeeded(email, peer);
        }
        Ok(user)
    }

    /// Who has this address and this password, and may sign in.
    async fn judged(&self, email: &str, password: &str) -> Result<Option<UserRow>> {
        let place = self.passwords.place()?;
        let user = users::by_email(&self.db, email).await?;
        let hash = user.as_ref().map(|user| user.password_hash.as_str());
        let good = self.passwords.verify(place, password, hash).await?;
        Ok(user.filter(|user| good && user.suspended_at.is_none()))
    }

    async fn myself(&self, actor: &Actor) -> Result<UserRow> {
        let id = actor.user.as_ref().ok_or_else(super::not_signed_in)?;
        users::by_id(&self.db, id).await?.ok_or_else(super::not_signed_in)
    }

    async fn roles(&self, user: &UserId, only: Option<&TeamId>) -> Result<Vec<(TeamId, Role)>> {
        let teams = teams::of_user(&self.db, user).await?;
        Ok(teams.into_iter().filter(|team| only.is_none_or(|only| *only == team.id)).map(|team| (team.id, team.role)).collect())
    }

    /// Remembers that a token was used, behind the answer's back: reading must not wait for the writer.
    fn touch(&self, row: &TokenRow, now: Timestamp) {
        if row.token.last_used_at.is_some_and(|last| now.since(last).as_millis() < MINUTE_MS) {
            return;
        }
        let (db, id) = (self.db.clone(), row.token.id.clone());
        tokio::spawn(async move {
            let write = async {
                let mut tx = db.begin().await?;
                tokens::touch(&mut tx, &id, now).await?;
                tx.commit().await
            };
            if let Err(error) = write.await {
                tracing::warn!(%error, "the last use of a token was not recorded");
            }
        });
    }
}

#[async_trait]
impl Accounts for Control {
    async fn needs_first_admin(&self) -> Result<bool> {
        Ok(!users::any(&self.db).await?)
    }

    async fn create_first_admin(&self, person: NewPerson, peer: Option<&str>) -> Result<UserId> {
        let link = self.good_link(Purpose::FirstAdmin, &person.token).await?;
        let user = self.new_person(&person, PlatformRole::Admin).await?;
        let mut tx = self.db.begin().await?;
        tx.lock("first_admin").await?;
        if users::any(&mut tx).await? || !links::spend(&mut tx, &link.id, clock::now()).await? {
            return Err(link_spent());
        }
        users::insert(&mut tx, &user).await?;
        let event =
            NewEvent { action: "person.created", subject: user.email.clone(), detail: said::first_administrator(), ..NewEvent::default() };
        events::insert(&mut tx, &newcomer(&user, peer), event).await?;
        tx.commit().await?;
        Ok(user.id)
    }

    async fn invitation(&self, token: &str) -> Result<(TeamName, Invitation)> {
        let link = self.good_link(Purpose::Invitation, token).await?;
        let (Some(team), Some(role), Some(email)) = (link.team, link.role, link.email) else { return Err(link_spent()) };
        let by = match &link.created_by {
            Some(user) => users::by_id(&self.db, user).await?.map(|user| user.name).unwrap_or_default(),
            None => String::new(),
        };
        Ok((self.team_name(&team).await?, Invitation { id: link.id, email, role, by, expires_at: link.expires_at }))
    }

    async fn accept_invitation(&self, person: NewPerson, peer: Option<&str>) -> Result<UserId> {
        let link = self.good_link(Purpose::Invitation, &person.token).await?;
        let (Some(team), Some(role), Some(bound)) = (&link.team, link.role, &link.email) else { return Err(link_spent()) };
        if email(&person.email)? != *bound {
            return Err(Error::invalid("wrong_address", format!("This invitation is for `{bound}`. Use that address.")).at("email"));
        }
        let (user, new) = match users::by_email(&self.db, bound).await? {
            // Somebody Berth knows proves to be that one.
            Some(_) => (self.checked(bound, &person.password, peer).await?.ok_or_else(wrong_credentials)?, false),
            None => (self.new_person(&person, PlatformRole::None).await?, true),
        };
        let now = clock::now();
        let mut tx = self.db.begin().await?;
        if !links::spend(&mut tx, &link.id, now).await? {
            return Err(link_spent());
        }
        if new {
            users::insert(&mut tx, &user).await?;
        }
        let held = teams::role_of(&mut tx, team, &user.id).await?;
        if held.is_none_or(|held| held < role) {
            teams::put_member(&mut tx, team, &user.id, role, now).await?;
        }
        let event = NewEvent {
            team: Some(team),
            action: "member.joined",
            subject: user.email.clone(),
            detail: said::detail_joined(role.name()),
            ..NewEvent::default()
        };
        events::insert(&mut tx, &newcomer(&user, peer), event).await?;
        tx.commit().await?;
        self.wake.changed(Some(team), "events");
        Ok(user.id)
    }

    async fn sign_in_by_link(&self, token: &str, peer: Option<&str>) -> Result<UserId> {
        let link = self.good_link(Purpose::SignIn, token).await?;
        let email = link.email.ok_or_else(link_spent)?;
        let user = users::by_email(&self.db, &email).await?.filter(|user| user.suspended_at.is_none()).ok_or_else(link_spent)?;
        let mut tx = self.db.begin().await?;
        if !links::spend(&mut tx, &link.id, clock::now()).await? {
            return Err(link_spent());
        }
        self.signed_in_within(&mut tx, &user, peer, "By a one-time link.").await?;
        tx.commit().await?;
        Ok(user.id)
    }

    async fn sign_in(&self, email: &str, password: &str, peer: Option<&str>) -> Result<UserId> {
        let email = email.trim().to_lowercase();
        let user = self.checked(&email, password, peer).await?.ok_or_else(wrong_credentials)?;
        self.signed_in(&user, peer, "With a password.").await?;
        Ok(user.id)
    }

    async fn actor(&self, user: &UserId, epoch: i64, request: &str, peer: Option<&str>) -> Result<Option<Actor>> {
        let Some(user) = users::by_id(&self.db, user).await? else { return Ok(None) };
        if user.suspended_at.is_some() || user.session_epoch != epoch {
            return Ok(None);
        }
        let roles = self.roles(&user.id, None).await?;
        Ok(Some(Actor { roles, request: request.to_owned(), ..newcomer(&user, peer) }))
    }

    async fn session_epoch(&self, user: &UserId) -> Result<i64> {
        Ok(users::by_id(&self.db, user).await?.ok_or_else(super::not_signed_in)?.session_epoch)
    }

    async fn actor_of_token(&self, token: &str, request: &str, peer: Option<&str>) -> Result<Actor> {
        if !token.starts_with(secret::TOKEN_PREFIX) || token.len() > 200 {
            return Err(bad_token());
        }
        let now = clock::now();
        let row = tokens::by_hash(&self.db, &secret::hash(token)).await?.ok_or_else(bad_token)?;
        if row.revoked_at.is_some() || row.token.expires_at.is_some_and(|end| end <= now) {
            return Err(bad_token());
        }
        let user = users::by_id(&self.db, &row.user).await?.filter(|user| user.suspended_at.is_none()).ok_or_else(bad_token)?;
        self.touch(&row, now);
        let roles = self.roles(&user.id, row.team.as_ref()).await?;
        let credential = Credential::Token { id: row.token.id, scopes: row.token.scopes, team: row.team };
        Ok(Actor { roles, credential, request: request.to_owned(), ..newcomer(&user, peer) })
    }

    async fn me(&self, actor: &Actor) -> Result<Me> {
        authorize(actor, Action::ViewSelf, None)?;
        let user = self.myself(actor).await?;
        let mut teams = teams::of_user(&self.db, &user.id).await?;
        teams.retain(|team| actor.role_in(&team.id).is_some());
        Ok(Me { id: user.id, email: user.email, name: user.name, language: user.language, platform: user.platform, teams })
    }

    async fn sign_out_everywhere(&self, actor: &Actor) -> Result<()> {
        authorize(actor, Action::ManageSelf, None)?;
        let user = self.myself(actor).await?;
        let mut tx = self.db.begin().await?;
        users::raise_epoch(&mut tx, &user.id).await?;
        let event = NewEvent { action: "session.ended_everywhere", subject: user.email, ..NewEvent::default() };
        events::insert(&mut tx, actor, event).await?;
        tx.commit().await?;
        self.wake.rights_moved();
        Ok(())
    }

    async fn set_language(&self, actor: &Actor, language: Option<&str>) -> Result<()> {
        authorize(actor, Action::ManageSelf, None)?;
        if language.is_some_and(|language| !["en", "ko"].contains(&language)) {
            return Err(Error::invalid("unknown_language", "The console speaks `en` and `ko`.").at("language"));
        }
        let user = self.myself(actor).await?;
        let mut tx = self.db.begin().await?;
        users::set_language(&mut tx, &user.id, language).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn change_password(&self, actor: &Actor, old: &str, new: &str) -> Result<()> {
        authorize(actor, Action::ManageSelf, None)?;
        let user = self.myself(actor).await?;
        password::check(new, &user.email, &user.name).map_err(|error| error.at("new"))?;
        if self.checked(&user.email, old, actor.peer.as_deref()).await?.is_none() {
            return Err(Error::invalid("wrong_password", "That is not your password as of now.").at("old"));
        }
        let hash = self.passwords.hash(new).await?;
        let mut tx = self.db.begin().await?;
        users::set_password(&mut tx, &user.id, &hash).await?;
        users::raise_epoch(&mut tx, &user.id).await?;
        let event = NewEvent { action: "person.password_changed", subject: user.email, ..NewEvent::default() };
        events::insert(&mut tx, actor, event).await?;
        tx.commit().await?;
        self.wake.rights_moved();
        Ok(())
    }

    async fn people(&self, actor: &Actor, page: &PageRequest) -> Result<Page<Person>> {
        authorize(actor, Action::InspectPlatform, None)?;
        Ok(paged(users::people(&self.db, page).await?, page, |person| person.email.clone()))
    }

    async fn suspend(&self, actor: &Actor, user: &UserId, suspended: bool) -> Result<()> {
        authorize(actor, Action::AdminPlatform, None)?;
        if actor.user.as_ref() == Some(user) {
            return Err(Error::conflict("suspend_self", "One cannot suspend oneself. Ask another administrator."));
        }
        let mut tx = self.db.begin().await?;
        let person = users::by_id(&mut tx, user)
            .await?
            .ok_or_else(|| Error::not_found("unknown_person", "There is no such person. The list of people shows who is there."))?;
        if !users::set_suspended(&mut tx, user, suspended.then(clock::now)).await? {
            return Ok(());
        }
        // A session from before does not come back to life with its person.
        users::raise_epoch(&mut tx, user).await?;
        let action = if suspended { "person.suspended" } else { "person.restored" };
        events::insert(&mut tx, actor, NewEvent { action, subject: person.email, ..NewEvent::default() }).await?;
        tx.commit().await?;
        self.wake.rights_moved();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(email(" Ada@Example.com ").unwrap(), "ada@example.com");
        for bad in ["", "ada", "@example.com", "ada@", "a b@example.com", "a@b@c", "ada@.com", "a\r\n@b.c", "<a@b.c>", &"a".repeat(300)] {
            assert_eq!(email(bad).unwrap_err().code, "invalid_email", "{bad:?}");
        }
    }

    #[test]
    fn names_of_people() {
        assert_eq!(person_name("  Ada   Lovelace ").unwrap(), "Ada Lovelace");
        assert!(person_name("").is_err() && person_name(&"a".repeat(101)).is_err() && person_name("a\0b").is_err());
    }
}
