//! Rows of `users`.

use std::collections::HashMap;

use app::model::{PageRequest, Person, PlatformRole, TeamName, Timestamp, UserId};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
};
use crate::args;

/// A person as stored.
#[derive(Clone, Debug)]
pub struct UserRow {
    /// Their id.
    pub id: UserId,
    /// Their address, in lower case.
    pub email: String,
    /// Their name.
    pub name: String,
    /// Their password as a PHC string.
    pub password_hash: String,
    /// The language of their console.
    pub language: Option<String>,
    /// Their role on the platform.
    pub platform: PlatformRole,
    /// What a session must carry to be good.
    pub session_epoch: i64,
    /// Since when they may not sign in.
    pub suspended_at: Option<Timestamp>,
    /// Since when Berth knows them.
    pub created_at: Timestamp,
}

fn role(name: &str) -> Option<PlatformRole> {
    match name {
        "none" => Some(PlatformRole::None),
        "admin" => Some(PlatformRole::Admin),
        _ => None,
    }
}

fn role_name(role: PlatformRole) -> &'static str {
    match role {
        PlatformRole::None => "none",
        PlatformRole::Admin => "admin",
    }
}

fn read(row: &Row) -> Result<UserRow> {
    Ok(UserRow {
        id: UserId::from_text(row.text("id")?),
        email: row.text("email")?,
        name: row.text("name")?,
        password_hash: row.text("password_hash")?,
        language: row.text_opt("language")?,
        platform: row.named("platform_role", role)?,
        session_epoch: row.int("session_epoch")?,
        suspended_at: row.time_opt("suspended_at")?,
        created_at: row.time("created_at")?,
    })
}

/// The person of this id.
pub async fn by_id(q: impl Query, id: &UserId) -> Result<Option<UserRow>> {
    q.fetch_opt("SELECT * FROM users WHERE id = $1", args![id]).await?.as_ref().map(read).transpose()
}

/// The person of this address, which is in lower case.
pub async fn by_email(q: impl Query, email: &str) -> Result<Option<UserRow>> {
    q.fetch_opt("SELECT * FROM users WHERE email = $1", args![email]).await?.as_ref().map(read).transpose()
}

/// Whether there is anybody yet.
pub async fn any(q: impl Query) -> Result<bool> {
    Ok(q.fetch_opt("SELECT id FROM users LIMIT 1", args![]).await?.is_some())
}

/// Adds a person.
pub async fn insert(tx: &mut Tx, user: &UserRow) -> Result<()> {
    tx.execute(
        "INSERT INTO users (id, email, name, password_hash, language, platform_role, session_epoch, suspended_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![
            &user.id,
            &user.email,
            &user.name,
            &user.password_hash,
            user.language.clone(),
            role_name(user.platform),
            user.session_epoch,
            user.suspended_at,
            user.created_at
        ],
    )
    .await?;
    Ok(())
}

/// Makes every session of this person no good, and says the number a new one must carry.
pub async fn raise_epoch(tx: &mut Tx, id: &UserId) -> Result<()> {
    tx.execute("UPDATE users SET session_epoch = session_epoch + 1 WHERE id = $1", args![id]).await?;
    Ok(())
}

/// Changes the language.
pub async fn set_language(tx: &mut Tx, id: &UserId, language: Option<&str>) -> Result<()> {
    tx.execute("UPDATE users SET language = $2 WHERE id = $1", args![id, language]).await?;
    Ok(())
}

/// Changes the password.
pub async fn set_password(tx: &mut Tx, id: &UserId, hash: &str) -> Result<()> {
    tx.execute("UPDATE users SET password_hash = $2 WHERE id = $1", args![id, hash]).await?;
    Ok(())
}

/// Suspends a person, or lets them back in. Says whether that changed anything.
pub async fn set_suspended(tx: &mut Tx, id: &UserId, at: Option<Timestamp>) -> Result<bool> {
    let changed = match at {
        Some(at) => tx.execute("UPDATE users SET suspended_at = $2 WHERE id = $1 AND suspended_at IS NULL", args![id, at]).await?,
        None => tx.execute("UPDATE users SET suspended_at = NULL WHERE id = $1 AND suspended_at IS NOT NULL", args![id]).await?,
    };
    Ok(changed > 0)
}

/// How many administrators may sign in.
pub async fn active_admins(q: impl Query) -> Result<u32> {
    let sql = "SELECT COUNT(*) AS n FROM users WHERE platform_role = 'admin' AND suspended_at IS NULL";
    q.fetch_opt(sql, args![]).await?.map_or(Ok(0), |row| row.num("n"))
}

/// Everybody by address, with the names of their teams: one row more than the page holds.
pub async fn people<Q: Query + Copy>(q: Q, page: &PageRequest) -> Result<Vec<Person>> {
    let rows = q
        .fetch_all(
            "SELECT * FROM users WHERE email > $1 ORDER BY email LIMIT $2",
            args![page.cursor.clone().unwrap_or_default(), page.size() + 1],
        )
        .await?;
    let users = readable(&rows, read);
    let mut teams: HashMap<String, Vec<TeamName>> = HashMap::new();
    if let (Some(first), Some(last)) = (users.first(), users.last()) {
        let rows = q
            .fetch_all(
                "SELECT m.user_id, t.name FROM members m JOIN users u ON u.id = m.user_id JOIN teams t ON t.id = m.team_id
                 WHERE u.email >= $1 AND u.email <= $2 ORDER BY t.name",
                args![&first.email, &last.email],
            )
            .await?;
        for (user, team) in readable(&rows, |row| Ok((row.text("user_id")?, row.parsed("name")?))) {
            teams.entry(user).or_default().push(team);
        }
    }
    Ok(users
        .into_iter()
        .map(|user| Person {
            teams: teams.remove(user.id.as_str()).unwrap_or_default(),
            id: user.id,
            name: user.name,
            email: user.email,
            platform: user.platform,
            suspended_at: user.suspended_at,
            created_at: user.created_at,
        })
        .collect())
}
