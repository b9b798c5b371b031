//! One-time links that are made on the server's own machine: for the first administrator, and to sign in once.

use std::time::Duration;

use app::{
    error::{Error, Result},
    model::{Actor, LinkId, Timestamp},
};

use super::secret;
use crate::{
    clock,
    store::{
        Db,
        events::{self, NewEvent},
        links::{self, LinkRow, Purpose},
        users,
    },
};

/// How long the link of the first start is good; a new one is made at every start until it was used.
const FIRST_ADMIN: Duration = Duration::from_secs(24 * 3_600);
/// How long a link to sign in is good.
const SIGN_IN: Duration = Duration::from_secs(15 * 60);
/// How long an invitation is good.
pub const INVITATION: Duration = Duration::from_secs(7 * 24 * 3_600);

/// An open link, not stored yet.
pub fn open(purpose: Purpose, email: Option<String>, now: Timestamp, good_for: Duration) -> LinkRow {
    LinkRow {
        id: LinkId::from_text(clock::new_id()),
        purpose,
        team: None,
        role: None,
        email,
        created_by: None,
        created_at: now,
        expires_at: now.plus(good_for),
    }
}

/// Where there is nobody yet: the one-time link that creates the first administrator. Earlier ones are no good any more.
///
/// # Errors
/// Where the store does not answer.
pub async fn first_admin(db: &Db, url: &str) -> Result<Option<String>> {
    if users::any(db).await? {
        return Ok(None);
    }
    let (secret, now) = (secret::fresh(), clock::now());
    let mut tx = db.begin().await?;
    links::spend_all(&mut tx, Purpose::FirstAdmin, now).await?;
    links::insert(&mut tx, &open(Purpose::FirstAdmin, None, now, FIRST_ADMIN), &secret::hash(&secret)).await?;
    tx.commit().await?;
    Ok(Some(format!("{url}/setup/{secret}")))
}

/// A one-time link that signs this person in; for `berth admin login-link`, on the server's own machine.
///
/// # Errors
/// `unknown_person`, `suspended`.
pub async fn sign_in(db: &Db, url: &str, email: &str) -> Result<String> {
    let email = email.trim().to_lowercase();
    let user = users::by_email(db, &email)
        .await?
        .ok_or_else(|| Error::not_found("unknown_person", format!("Nobody here has the address `{email}`. Check the spelling.")))?;
    if user.suspended_at.is_some() {
        return Err(Error::conflict("suspended", format!("`{email}` is suspended. Let them back in first.")));
    }
    let (secret, now) = (secret::fresh(), clock::now());
    let mut tx = db.begin().await?;
    links::insert(&mut tx, &open(Purpose::SignIn, Some(email.clone()), now, SIGN_IN), &secret::hash(&secret)).await?;
    let event = NewEvent { action: "link.created", subject: format!("sign-in link for {email}"), ..NewEvent::default() };
    events::insert(&mut tx, &Actor::system("berth admin"), event).await?;
    tx.commit().await?;
    Ok(format!("{url}/sign-in/{secret}"))
}
