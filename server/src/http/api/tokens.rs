//! One's API tokens.

use app::{
    backend::Backend,
    model::{CreatedToken, NewToken, Token, TokenId},
};
use axum::{Json as Body, extract::State};
use http::StatusCode;

use super::{Answer, Created, Done};
use crate::http::extract::{Asker, Json, Path};

/// One's own tokens that are still good, newest first.
#[utoipa::path(get, path = "/tokens", tag = "tokens", operation_id = "list_tokens", responses((status = 200, body = Vec<Token>)))]
pub async fn list(State(backend): State<Backend>, Asker(actor): Asker) -> Answer<Vec<Token>> {
    Ok(Body(backend.tokens.list(&actor).await?))
}

/// Makes a token; its secret is in this answer and never shown again.
#[utoipa::path(
    post, path = "/tokens", tag = "tokens", operation_id = "create_token", request_body = NewToken, responses((status = 201, body = CreatedToken))
)]
pub async fn create(State(backend): State<Backend>, Asker(actor): Asker, Json(token): Json<NewToken>) -> Created<CreatedToken> {
    Ok((StatusCode::CREATED, Body(backend.tokens.create(&actor, token).await?)))
}

/// Ends a token at once. A token may always end itself.
#[utoipa::path(
    delete, path = "/tokens/{id}", tag = "tokens", operation_id = "revoke_token", params(("id" = TokenId, Path, description = "Which one")),
    responses((status = 204))
)]
pub async fn revoke(State(backend): State<Backend>, Asker(actor): Asker, Path(id): Path<TokenId>) -> Done {
    backend.tokens.revoke(&actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
