//! Rows of `tokens`. The secret itself is never stored, only its hash.

use app::model::{Scope, TeamId, Timestamp, Token, TokenId, UserId};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
};
use crate::args;

/// A token with what decides whether it is good.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// As its owner sees it.
    pub token: Token,
    /// Its owner.
    pub user: UserId,
    /// The one team it is bound to.
    pub team: Option<TeamId>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

const SELECT: &str = "SELECT k.*, t.name AS team FROM tokens k LEFT JOIN teams t ON t.id = k.team_id";

fn read(row: &Row) -> Result<TokenRow> {
    Ok(TokenRow {
        token: Token {
            id: TokenId::from_text(row.text("id")?),
            name: row.text("name")?,
            prefix: row.text("prefix")?,
            scopes: row.json::<Vec<Scope>>("scopes")?,
            team: row.text_opt("team")?.and_then(|name| name.parse().ok()),
            created_at: row.time("created_at")?,
            expires_at: row.time_opt("expires_at")?,
            last_used_at: row.time_opt("last_used_at")?,
        },
        user: UserId::from_text(row.text("user_id")?),
        team: row.text_opt("team_id")?.map(TeamId::from_text),
        revoked_at: row.time_opt("revoked_at")?,
    })
}

/// The token of this hash, good or not.
pub async fn by_hash(q: impl Query, hash: &str) -> Result<Option<TokenRow>> {
    q.fetch_opt(format!("{SELECT} WHERE k.hash = $1"), args![hash]).await?.as_ref().map(read).transpose()
}

/// The tokens of a person that are still good, newest first.
pub async fn list(q: impl Query, user: &UserId, now: Timestamp) -> Result<Vec<Token>> {
    let sql = format!(
        "{SELECT} WHERE k.user_id = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2) ORDER BY k.id DESC"
    );
    let rows = q.fetch_all(sql, args![user, now]).await?;
    Ok(readable(&rows, read).into_iter().map(|row| row.token).collect())
}

/// Adds a token.
pub async fn insert(tx: &mut Tx, row: &TokenRow, hash: &str) -> Result<()> {
    let scopes = serde_json::to_string(&row.token.scopes).unwrap_or_else(|_| "[]".into());
    tx.execute(
        "INSERT INTO tokens (id, user_id, team_id, name, prefix, hash, scopes, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![
            &row.token.id,
            &row.user,
            row.team.as_ref(),
            &row.token.name,
            &row.token.prefix,
            hash,
            scopes,
            row.token.created_at,
            row.token.expires_at
        ],
    )
    .await?;
    Ok(())
}

/// Ends a token of this person; says its name where there was one.
pub async fn revoke(tx: &mut Tx, user: &UserId, id: &TokenId, now: Timestamp) -> Result<Option<String>> {
    let sql = "UPDATE tokens SET revoked_at = $3 WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL RETURNING name";
    tx.fetch_opt(sql, args![id, user, now]).await?.map(|row| row.text("name")).transpose()
}

/// Remembers that a token was used.
pub async fn touch(tx: &mut Tx, id: &TokenId, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE tokens SET last_used_at = $2 WHERE id = $1", args![id, now]).await?;
    Ok(())
}
