//! What is done on the server's own machine, by whoever may read the data folder (`berth admin`): it needs no sign-in, and
//! is an event like everything else.

use app::{
    error::{Error, Result},
    model::{Actor, CreatedToken, NewToken, PlatformRole, Token, TokenId, UserId},
};

use super::{
    accounts::{email, person_name},
    tokens as rules,
};
use crate::{
    auth::{
        password::{self, Passwords},
        secret,
    },
    clock,
    store::{
        Db,
        events::{self, NewEvent},
        teams, tokens,
        tokens::TokenRow,
        users::{self, UserRow},
    },
};

/// A person to create.
pub struct Newcomer<'a> {
    /// Their address.
    pub email: &'a str,
    /// Their name.
    pub name: &'a str,
    /// Their password.
    pub password: &'a str,
}

fn actor() -> Actor {
    Actor::system("berth admin")
}

async fn known(db: &Db, address: &str) -> Result<UserRow> {
    let address = email(address)?;
    let found = users::by_email(db, &address).await?;
    found.ok_or_else(|| Error::not_found("unknown_person", format!("Nobody here has the address `{address}`. Check the spelling.")))
}

/// Creates a person; `admin`: an administrator of the platform.
///
/// # Errors
/// `invalid_email`, `invalid_person_name`, `weak_password`, `email_taken`.
pub async fn create_user(db: &Db, newcomer: &Newcomer<'_>, admin: bool) -> Result<UserId> {
    let (email, name) = (email(newcomer.email)?, person_name(newcomer.name)?);
    password::check(newcomer.password, &email, &name)?;
    let user = UserRow {
        id: UserId::from_text(clock::new_id()),
        password_hash: Passwords::default().hash(newcomer.password).await?,
        language: None,
        platform: if admin { PlatformRole::Admin } else { PlatformRole::None },
        session_epoch: 1,
        suspended_at: None,
        created_at: clock::now(),
        email,
        name,
    };
    let mut tx = db.begin().await?;
    if users::by_email(&mut tx, &user.email).await?.is_some() {
        let sentence = format!("`{}` is known already. `berth admin reset-password` gives them a new password.", user.email);
        return Err(Error::conflict("email_taken", sentence).at("email"));
    }
    users::insert(&mut tx, &user).await?;
    let what = if admin { "As an administrator." } else { "" };
    let event = NewEvent { action: "person.created", subject: user.email.clone(), detail: what.into(), ..NewEvent::default() };
    events::insert(&mut tx, &actor(), event).await?;
    tx.commit().await?;
    Ok(user.id)
}

/// Gives a person a new password and ends every session of theirs.
///
/// # Errors
/// `unknown_person`, `weak_password`.
pub async fn reset_password(db: &Db, address: &str, password: &str) -> Result<()> {
    let user = known(db, address).await?;
    password::check(password, &user.email, &user.name)?;
    let hash = Passwords::default().hash(password).await?;
    let mut tx = db.begin().await?;
    users::set_password(&mut tx, &user.id, &hash).await?;
    users::raise_epoch(&mut tx, &user.id).await?;
    let event = NewEvent { action: "password.reset", subject: user.email, ..NewEvent::default() };
    events::insert(&mut tx, &actor(), event).await?;
    tx.commit().await?;
    Ok(())
}

/// Makes an API token for a person.
///
/// # Errors
/// `unknown_person`, `unknown_team`, `invalid_token_name`, `no_scope`, `invalid_days`.
pub async fn create_token(db: &Db, address: &str, asked: &NewToken) -> Result<CreatedToken> {
    let user = known(db, address).await?;
    let now = clock::now();
    let team = match &asked.team {
        Some(name) => Some(teams::id_of(db, name).await?.ok_or_else(super::unknown_team)?),
        None => None,
    };
    let (secret, prefix) = secret::fresh_token();
    let token = Token {
        id: TokenId::from_text(clock::new_id()),
        name: rules::name(&asked.name)?,
        prefix,
        scopes: rules::scopes(&asked.scopes, &actor())?,
        team: asked.team.clone(),
        created_at: now,
        expires_at: rules::end(asked.days, now)?,
        last_used_at: None,
    };
    let row = TokenRow { token, user: user.id, team, revoked_at: None };
    let mut tx = db.begin().await?;
    tokens::insert(&mut tx, &row, &secret::hash(&secret)).await?;
    let subject = format!("token {} ({}…) of {}", row.token.name, row.token.prefix, user.email);
    events::insert(&mut tx, &actor(), NewEvent { action: "token.created", subject, ..NewEvent::default() }).await?;
    tx.commit().await?;
    Ok(CreatedToken { token: row.token, secret })
}
