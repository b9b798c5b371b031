//! Rows of `links`: one-time links. Only the hash of the secret is stored.

use app::model::{Invitation, LinkId, Role, TeamId, Timestamp, UserId};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
};
use crate::args;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Creating the first administrator.
    FirstAdmin,
    /// Joining a team.
    Invitation,
    /// Signing in once.
    SignIn,
}

impl Purpose {
    const ALL: [Self; 3] = [Self::FirstAdmin, Self::Invitation, Self::SignIn];

    /// Its name in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FirstAdmin => "first_admin",
            Self::Invitation => "invitation",
            Self::SignIn => "sign_in",
        }
    }
}

/// A link as stored.
#[derive(Clone, Debug)]
pub struct LinkRow {
    /// Its id.
    pub id: LinkId,
    /// What it is for.
    pub purpose: Purpose,
    /// The team of an invitation.
    pub team: Option<TeamId>,
    /// The role of an invitation.
    pub role: Option<Role>,
    /// The address it is bound to.
    pub email: Option<String>,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

fn read(row: &Row) -> Result<LinkRow> {
    Ok(LinkRow {
        id: LinkId::from_text(row.text("id")?),
        purpose: row.named("purpose", |name| Purpose::ALL.into_iter().find(|purpose| purpose.name() == name))?,
        team: row.text_opt("team_id")?.map(TeamId::from_text),
        role: row.text_opt("role")?.and_then(|name| Role::from_name(&name)),
        email: row.text_opt("email")?,
        created_by: row.text_opt("created_by")?.map(UserId::from_text),
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
    })
}

/// Adds a link.
pub async fn insert(tx: &mut Tx, link: &LinkRow, hash: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO links (id, purpose, hash, team_id, role, email, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![
            &link.id,
            link.purpose.name(),
            hash,
            link.team.as_ref(),
            link.role.map(Role::name),
            link.email.clone(),
            link.created_by.as_ref(),
            link.created_at,
            link.expires_at
        ],
    )
    .await?;
    Ok(())
}

/// The link of this hash and purpose, if it is still good.
pub async fn good(q: impl Query, purpose: Purpose, hash: &str, now: Timestamp) -> Result<Option<LinkRow>> {
    q.fetch_opt(
        "SELECT * FROM links WHERE hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3",
        args![hash, purpose.name(), now],
    )
    .await?
    .as_ref()
    .map(read)
    .transpose()
}

/// Spends a link; false where somebody was quicker.
pub async fn spend(tx: &mut Tx, id: &LinkId, now: Timestamp) -> Result<bool> {
    Ok(tx.execute("UPDATE links SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND expires_at > $2", args![id, now]).await? > 0)
}

/// Spends every open link of this purpose: a new one takes their place.
pub async fn spend_all(tx: &mut Tx, purpose: Purpose, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE links SET used_at = $2 WHERE purpose = $1 AND used_at IS NULL", args![purpose.name(), now]).await?;
    Ok(())
}

/// The open invitations of a team, newest first.
pub async fn invitations(q: impl Query, team: &TeamId, now: Timestamp) -> Result<Vec<Invitation>> {
    let rows = q
        .fetch_all(
            "SELECT l.id, l.email, l.role, l.expires_at, u.name AS inviter FROM links l LEFT JOIN users u ON u.id = l.created_by
              WHERE l.team_id = $1 AND l.purpose = 'invitation' AND l.used_at IS NULL AND l.expires_at > $2 ORDER BY l.id DESC",
            args![team, now],
        )
        .await?;
    Ok(readable(&rows, |row| {
        Ok(Invitation {
            id: LinkId::from_text(row.text("id")?),
            email: row.text("email")?,
            role: row.named("role", Role::from_name)?,
            by: row.text_opt("inviter")?.unwrap_or_default(),
            expires_at: row.time("expires_at")?,
        })
    }))
}

/// Takes an open invitation of a team back; says its address where there was one.
pub async fn withdraw(tx: &mut Tx, team: &TeamId, id: &LinkId, now: Timestamp) -> Result<Option<String>> {
    let sql = "UPDATE links SET used_at = $3 WHERE id = $1 AND team_id = $2 AND purpose = 'invitation' AND used_at IS NULL
               RETURNING email";
    tx.fetch_opt(sql, args![id, team, now]).await?.map(|row| row.text("email")).transpose()
}
