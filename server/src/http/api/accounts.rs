//! The first run, signing in, oneself, people.

use app::{
    backend::Backend,
    model::{Actor, CreatedToken, Me, NewPerson, NewToken, Page, PageRequest, Person, Scope, UserId},
};
use axum::{Json as Body, extract::State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, Created, Done};
use crate::{
    control,
    http::{
        extract::{Asker, Json, Origin, Path, Query},
        problem::Problem,
        request,
    },
};

/// How long a token made by signing in is good.
const LOGIN_DAYS: u32 = 365;

/// Who was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewUser {
    /// Their id.
    pub id: UserId,
}

/// Signing in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// One's address.
    pub email: String,
    /// One's password.
    pub password: String,
    /// What the token is for: `laptop`, for instance.
    #[serde(default)]
    pub name: Option<String>,
}

async fn actor_now(backend: &Backend, user: &UserId, peer: Option<&str>) -> Result<Actor, Problem> {
    let epoch = backend.accounts.session_epoch(user).await?;
    let actor = backend.accounts.actor(user, epoch, &request::id(), peer).await?;
    actor.ok_or_else(|| Problem(control::not_signed_in()))
}

/// Creates the first administrator from the one-time link of the first start.
#[utoipa::path(post, path = "/actions/setup", tag = "accounts", request_body = NewPerson, responses((status = 201, body = NewUser)))]
pub async fn setup(State(backend): State<Backend>, Origin(peer): Origin, Json(person): Json<NewPerson>) -> Created<NewUser> {
    let id = backend.accounts.create_first_admin(person, peer.as_deref()).await?;
    Ok((StatusCode::CREATED, Body(NewUser { id })))
}

/// Signs in with address and password; the answer is a token with every scope, good for a year.
#[utoipa::path(post, path = "/actions/login", tag = "accounts", request_body = Login, responses((status = 201, body = CreatedToken)))]
pub async fn login(State(backend): State<Backend>, Origin(peer): Origin, Json(login): Json<Login>) -> Created<CreatedToken> {
    let user = backend.accounts.sign_in(&login.email, &login.password, peer.as_deref()).await?;
    let actor = actor_now(&backend, &user, peer.as_deref()).await?;
    let name = login.name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| "login".into());
    let token = NewToken { name, scopes: Scope::ALL.to_vec(), team: None, days: Some(LOGIN_DAYS) };
    Ok((StatusCode::CREATED, Body(backend.tokens.create(&actor, token).await?)))
}

/// Takes up an invitation: creates the person, or (known already, with their password) joins the team.
#[utoipa::path(
    post, path = "/actions/accept-invitation", tag = "accounts", request_body = NewPerson, responses((status = 201, body = NewUser))
)]
pub async fn accept_invitation(State(backend): State<Backend>, Origin(peer): Origin, Json(person): Json<NewPerson>) -> Created<NewUser> {
    let id = backend.accounts.accept_invitation(person, peer.as_deref()).await?;
    Ok((StatusCode::CREATED, Body(NewUser { id })))
}

/// Oneself.
#[utoipa::path(get, path = "/me", tag = "accounts", responses((status = 200, body = Me)))]
pub async fn me(State(backend): State<Backend>, Asker(actor): Asker) -> Answer<Me> {
    Ok(Body(backend.accounts.me(&actor).await?))
}

/// Ends every session of oneself, on every browser.
#[utoipa::path(post, path = "/me/actions/sign-out-everywhere", tag = "accounts", responses((status = 204)))]
pub async fn sign_out_everywhere(State(backend): State<Backend>, Asker(actor): Asker) -> Done {
    backend.accounts.sign_out_everywhere(&actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Everybody Berth knows.
#[utoipa::path(
    get, path = "/people", tag = "accounts",
    params(("cursor" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u32>, Query, description = "1 to 200")),
    responses((status = 200, body = Page<Person>))
)]
pub async fn people(State(backend): State<Backend>, Asker(actor): Asker, Query(page): Query<PageRequest>) -> Answer<Page<Person>> {
    Ok(Body(backend.accounts.people(&actor, &page).await?))
}

/// Suspends a person: their sessions and tokens are no good from now on.
#[utoipa::path(
    post, path = "/people/{id}/actions/suspend", tag = "accounts", params(("id" = UserId, Path, description = "Whom")),
    responses((status = 204))
)]
pub async fn suspend(State(backend): State<Backend>, Asker(actor): Asker, Path(id): Path<UserId>) -> Done {
    backend.accounts.suspend(&actor, &id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a suspended person back in.
#[utoipa::path(
    post, path = "/people/{id}/actions/restore", tag = "accounts", params(("id" = UserId, Path, description = "Whom")),
    responses((status = 204))
)]
pub async fn restore(State(backend): State<Backend>, Asker(actor): Asker, Path(id): Path<UserId>) -> Done {
    backend.accounts.suspend(&actor, &id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
