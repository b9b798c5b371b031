//! Teams and who is in them.

use app::{
    backend::Backend,
    model::{Invitation, LinkId, Member, NewInvitation, Role, Team, TeamName, UserId},
};
use axum::{Json as Body, extract::State};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Answer, Created, Done};
use crate::http::extract::{Asker, Json, Path};

/// A new team.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTeam {
    /// Its name.
    pub name: TeamName,
}

/// A role in a team.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// Which one.
    pub role: Role,
}

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// The address; the invitation is bound to it.
    pub email: String,
    /// The role it gives.
    pub role: Role,
}

/// The teams one may see, by name.
#[utoipa::path(get, path = "/teams", tag = "teams", operation_id = "list_teams", responses((status = 200, body = Vec<Team>)))]
pub async fn list(State(backend): State<Backend>, Asker(actor): Asker) -> Answer<Vec<Team>> {
    Ok(Body(backend.teams.list(&actor).await?))
}

/// Creates a team with oneself as its owner.
#[utoipa::path(
    post, path = "/teams", tag = "teams", operation_id = "create_team", request_body = NewTeam, responses((status = 201, body = Team))
)]
pub async fn create(State(backend): State<Backend>, Asker(actor): Asker, Json(team): Json<NewTeam>) -> Created<Team> {
    Ok((StatusCode::CREATED, Body(backend.teams.create(&actor, &team.name).await?)))
}

/// One team.
#[utoipa::path(
    get, path = "/teams/{team}", tag = "teams", operation_id = "show_team", params(("team" = TeamName, Path, description = "Which team")),
    responses((status = 200, body = Team))
)]
pub async fn show(State(backend): State<Backend>, Asker(actor): Asker, Path(team): Path<TeamName>) -> Answer<Team> {
    Ok(Body(backend.teams.show(&actor, &team).await?))
}

/// Who is in a team.
#[utoipa::path(
    get, path = "/teams/{team}/members", tag = "teams", params(("team" = TeamName, Path, description = "Which team")),
    responses((status = 200, body = Vec<Member>))
)]
pub async fn members(State(backend): State<Backend>, Asker(actor): Asker, Path(team): Path<TeamName>) -> Answer<Vec<Member>> {
    Ok(Body(backend.teams.members(&actor, &team).await?))
}

/// Changes a member's role.
#[utoipa::path(
    put, path = "/teams/{team}/members/{user}", tag = "teams",
    params(("team" = TeamName, Path, description = "Which team"), ("user" = UserId, Path, description = "Whose")),
    request_body = NewRole, responses((status = 204))
)]
pub async fn set_role(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, user)): Path<(TeamName, UserId)>,
    Json(role): Json<NewRole>,
) -> Done {
    backend.teams.set_role(&actor, &team, &user, role.role).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a person out of a team. One may always leave.
#[utoipa::path(
    delete, path = "/teams/{team}/members/{user}", tag = "teams",
    params(("team" = TeamName, Path, description = "Which team"), ("user" = UserId, Path, description = "Whom")), responses((status = 204))
)]
pub async fn remove_member(State(backend): State<Backend>, Asker(actor): Asker, Path((team, user)): Path<(TeamName, UserId)>) -> Done {
    backend.teams.remove_member(&actor, &team, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Open invitations.
#[utoipa::path(
    get, path = "/teams/{team}/invitations", tag = "teams", params(("team" = TeamName, Path, description = "Which team")),
    responses((status = 200, body = Vec<Invitation>))
)]
pub async fn invitations(State(backend): State<Backend>, Asker(actor): Asker, Path(team): Path<TeamName>) -> Answer<Vec<Invitation>> {
    Ok(Body(backend.teams.invitations(&actor, &team).await?))
}

/// Invites an address; the one-time link is in this answer and never shown again.
#[utoipa::path(
    post, path = "/teams/{team}/invitations", tag = "teams", params(("team" = TeamName, Path, description = "Which team")),
    request_body = Invite, responses((status = 201, body = NewInvitation))
)]
pub async fn invite(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path(team): Path<TeamName>,
    Json(invite): Json<Invite>,
) -> Created<NewInvitation> {
    Ok((StatusCode::CREATED, Body(backend.teams.invite(&actor, &team, &invite.email, invite.role).await?)))
}

/// Takes an invitation back.
#[utoipa::path(
    delete, path = "/teams/{team}/invitations/{id}", tag = "teams",
    params(("team" = TeamName, Path, description = "Which team"), ("id" = LinkId, Path, description = "Which invitation")),
    responses((status = 204))
)]
pub async fn withdraw(State(backend): State<Backend>, Asker(actor): Asker, Path((team, id)): Path<(TeamName, LinkId)>) -> Done {
    backend.teams.withdraw(&actor, &team, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
