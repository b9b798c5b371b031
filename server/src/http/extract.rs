//! What handlers take: as axum's own, with problems for what does not fit.

use std::{convert::Infallible, sync::Arc};

use app::{error::Error, model::Actor};
use axum::{
    extract::{
        FromRequest, FromRequestParts, Request,
        rejection::{FormRejection, JsonRejection, PathRejection, QueryRejection},
    },
    http::{StatusCode, request::Parts},
};

use super::{problem::Problem, request::Peer};
use crate::control;

/// The parts of the path that have names.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

impl From<PathRejection> for Problem {
    /// What cannot be a name names nothing.
    fn from(rejection: PathRejection) -> Self {
        Self(Error::not_found("not_found", "There is nothing at this address. `/api` lists what there is.").because(rejection))
    }
}

/// What the reader of a body or query says of it, which may hold all of what was sent: its beginning and its end.
fn said(text: &str) -> String {
    const BEGINNING: usize = 200;
    const END: usize = 120;
    let text = text.trim_end_matches('.');
    let count = text.chars().count();
    if count <= BEGINNING + END {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(BEGINNING).collect();
    let end: String = text.chars().skip(count - END).collect();
    format!("{beginning} … {end}")
}

/// The query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self(Error::invalid("invalid_query", format!("The query does not fit: {}.", said(&rejection.body_text()))))
    }
}

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub struct Json<T>(pub T);

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return too_large();
        }
        let sentence = match &rejection {
            JsonRejection::MissingJsonContentType(_) => "The body must be JSON: send `Content-Type: application/json`.".to_owned(),
            _ => format!("The body does not fit: {}.", said(&rejection.body_text())),
        };
        Self(Error::invalid("invalid_body", sentence))
    }
}

/// A body of text.
pub struct Text(pub String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        String::from_request(request, state).await.map(Self).map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                return too_large();
            }
            Problem(Error::invalid("invalid_body", "The body must be text in UTF-8."))
        })
    }
}

/// What is wrong with a form that could not even be read.
pub(super) fn refused_form(rejection: &FormRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large();
    }
    Problem(Error::invalid("invalid_form", "The form could not be read. Load the page again and repeat."))
}

fn too_large() -> Problem {
    Problem(Error::too_large("body_too_large", "The body is larger than this address takes."))
}

/// Who asks.
pub struct Asker(pub Arc<Actor>);

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Arc<Actor>>().cloned().map(Self).ok_or_else(|| Problem(control::not_signed_in()))
    }
}

/// Where the request came from.
pub struct Origin(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Peer>().cloned().unwrap_or_default().0))
    }
}
