//! Rows of `teams` and `members`.

use app::model::{Member, Role, Team, TeamId, TeamName, TeamOfMine, Timestamp, UserId};

use super::{
    Query, Row, Tx,
    db::{Result, readable},
};
use crate::args;

/// The id of the team of this name.
pub async fn id_of(q: impl Query, name: &TeamName) -> Result<Option<TeamId>> {
    let row = q.fetch_opt("SELECT id FROM teams WHERE name = $1", args![name]).await?;
    row.map(|row| row.text("id").map(TeamId::from_text)).transpose()
}

/// The name of the team of this id.
pub async fn name_of(q: impl Query, id: &TeamId) -> Result<Option<TeamName>> {
    let row = q.fetch_opt("SELECT name FROM teams WHERE id = $1", args![id]).await?;
    row.map(|row| row.parsed("name")).transpose()
}

fn read(row: &Row) -> Result<Team> {
    Ok(Team {
        id: TeamId::from_text(row.text("id")?),
        name: row.parsed("name")?,
        created_at: row.time("created_at")?,
        members: row.num("members")?,
        services: row.num("services")?,
    })
}

const SELECT: &str = "SELECT t.id, t.name, t.created_at, (SELECT COUNT(*) FROM members m WHERE m.team_id = t.id) AS members,
       (SELECT COUNT(*) FROM services s WHERE s.team_id = t.id AND s.deleted_at IS NULL) AS services
  FROM teams t";

/// One team with its counts.
pub async fn show(q: impl Query, id: &TeamId) -> Result<Option<Team>> {
    q.fetch_opt(format!("{SELECT} WHERE t.id = $1"), args![id]).await?.as_ref().map(read).transpose()
}

/// The teams this person is in, by name; every team where `user` is none.
pub async fn list(q: impl Query, user: Option<&UserId>) -> Result<Vec<Team>> {
    let rows = match user {
        None => q.fetch_all(format!("{SELECT} ORDER BY t.name"), args![]).await?,
        Some(user) => {
            let sql = format!("{SELECT} JOIN members mine ON mine.team_id = t.id AND mine.user_id = $1 ORDER BY t.name");
            q.fetch_all(sql, args![user]).await?
        }
    };
    Ok(readable(&rows, read))
}

/// Adds a team.
pub async fn insert(tx: &mut Tx, id: &TeamId, name: &TeamName, now: Timestamp) -> Result<()> {
    tx.execute("INSERT INTO teams (id, name, created_at) VALUES ($1, $2, $3)", args![id, name, now]).await?;
    Ok(())
}

/// The teams of a person with their role, by name.
pub async fn of_user(q: impl Query, user: &UserId) -> Result<Vec<TeamOfMine>> {
    let rows = q
        .fetch_all(
            "SELECT t.id, t.name, m.role FROM members m JOIN teams t ON t.id = m.team_id WHERE m.user_id = $1 ORDER BY t.name",
            args![user],
        )
        .await?;
    Ok(readable(&rows, |row| {
        Ok(TeamOfMine { id: TeamId::from_text(row.text("id")?), name: row.parsed("name")?, role: row.named("role", Role::from_name)? })
    }))
}

/// Who is in a team, by name.
pub async fn members(q: impl Query, team: &TeamId) -> Result<Vec<Member>> {
    let rows = q
        .fetch_all(
            "SELECT u.id, u.name, u.email, m.role, m.created_at FROM members m JOIN users u ON u.id = m.user_id
              WHERE m.team_id = $1 ORDER BY u.name, u.email",
            args![team],
        )
        .await?;
    Ok(readable(&rows, |row| {
        Ok(Member {
            user: UserId::from_text(row.text("id")?),
            name: row.text("name")?,
            email: row.text("email")?,
            role: row.named("role", Role::from_name)?,
            since: row.time("created_at")?,
        })
    }))
}

/// The role of a person in a team.
pub async fn role_of(q: impl Query, team: &TeamId, user: &UserId) -> Result<Option<Role>> {
    let row = q.fetch_opt("SELECT role FROM members WHERE team_id = $1 AND user_id = $2", args![team, user]).await?;
    row.map(|row| row.named("role", Role::from_name)).transpose()
}

/// How many owners a team has.
pub async fn owners(q: impl Query, team: &TeamId) -> Result<u32> {
    let row = q.fetch_opt("SELECT COUNT(*) AS n FROM members WHERE team_id = $1 AND role = 'owner'", args![team]).await?;
    row.map_or(Ok(0), |row| row.num("n"))
}

/// Puts a person into a team, or changes their role there.
pub async fn put_member(tx: &mut Tx, team: &TeamId, user: &UserId, role: Role, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO members (team_id, user_id, role, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (team_id, user_id) DO UPDATE SET role = excluded.role",
        args![team, user, role.name(), now],
    )
    .await?;
    Ok(())
}

/// Takes a person out of a team.
pub async fn remove_member(tx: &mut Tx, team: &TeamId, user: &UserId) -> Result<()> {
    tx.execute("DELETE FROM members WHERE team_id = $1 AND user_id = $2", args![team, user]).await?;
    Ok(())
}
