//! Base images. One is made from a Dockerfile, as JSON, or from a root file system: the archive itself is the body then, and goes
//! to the disk as it comes.

use app::{
    backend::{Backend, BaseSource, Upload},
    model::{Base, BaseName, BaseShown, NewBase, Rebuild},
};
use axum::{
    Json as Body,
    extract::{FromRequest as _, Request, State},
};
use futures::StreamExt as _;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::{Answer, Created};
use crate::http::extract::{Asker, Json, Path, Query};

/// The types of bodies that are root file systems.
const ARCHIVES: [&str; 4] = ["application/x-tar", "application/gzip", "application/x-gzip", "application/octet-stream"];

/// Which version's log.
#[derive(Deserialize)]
pub struct Which {
    #[serde(default)]
    version: Option<u64>,
}

/// What is said of a root file system that is the body.
#[derive(Deserialize)]
pub struct Sent {
    #[serde(default)]
    name: Option<BaseName>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    roll: bool,
}

fn is_archive(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    ARCHIVES.contains(&kind.split(';').next().unwrap_or_default().trim())
}

/// The body, in pieces.
fn archive(request: Request) -> BaseSource {
    let size = request.headers().get(header::CONTENT_LENGTH).and_then(|size| size.to_str().ok()?.parse().ok());
    let pieces = request.into_body().into_data_stream();
    let pieces = Box::pin(pieces.map(|piece| piece.map(Vec::from).map_err(std::io::Error::other)));
    BaseSource::RootFileSystem(Upload { size, pieces })
}

/// The catalogue of base images, by name.
#[utoipa::path(get, path = "/platform/bases", tag = "bases", operation_id = "list_bases", responses((status = 200, body = Vec<Base>)))]
pub async fn list(State(backend): State<Backend>, Asker(actor): Asker) -> Answer<Vec<Base>> {
    Ok(Body(backend.bases.list(&actor).await?))
}

/// Makes a base image, from a Dockerfile as JSON, or from a root file system: a tar archive, packed with gzip or not, of up to
/// 2 GiB, with the name in the query. It is built in the background.
#[utoipa::path(
    post, path = "/platform/bases", tag = "bases", operation_id = "create_base",
    params(
        ("name" = Option<BaseName>, Query, description = "Of a root file system: its name"),
        ("description" = Option<String>, Query, description = "Of a root file system: what it is for")
    ),
    request_body(content((NewBase = "application/json"), (Vec<u8> = "application/x-tar"), (Vec<u8> = "application/gzip"))),
    responses((status = 202, body = BaseShown))
)]
pub async fn create(State(backend): State<Backend>, Asker(actor): Asker, Query(sent): Query<Sent>, request: Request) -> Created<BaseShown> {
    let shown = if is_archive(request.headers()) {
        let missing = || app::error::Error::invalid("invalid_name", "Say what it is called: `?name=debian`.").at("name");
        let name = sent.name.ok_or_else(missing)?;
        backend.bases.create(&actor, &name, &sent.description, archive(request)).await?
    } else {
        let Json(new) = Json::<NewBase>::from_request(request, &()).await?;
        backend.bases.create(&actor, &new.name, &new.description, BaseSource::Dockerfile(new.dockerfile)).await?
    };
    Ok((StatusCode::ACCEPTED, Body(shown)))
}

/// A base image: its versions, the services that stand on it, and the log of a version.
#[utoipa::path(
    get, path = "/platform/bases/{base}", tag = "bases", operation_id = "show_base",
    params(
        ("base" = BaseName, Path, description = "Which one"),
        ("version" = Option<u64>, Query, description = "Whose log; absent: the newest one's")
    ),
    responses((status = 200, body = BaseShown))
)]
pub async fn show(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path(base): Path<BaseName>,
    Query(Which { version }): Query<Which>,
) -> Answer<BaseShown> {
    Ok(Body(backend.bases.show(&actor, &base, version).await?))
}

/// Asks for the version that is under way to be cancelled.
#[utoipa::path(
    post, path = "/platform/bases/{base}/actions/cancel", tag = "bases", operation_id = "cancel_base",
    params(("base" = BaseName, Path, description = "Which one")),
    responses((status = 202, body = BaseShown))
)]
pub async fn cancel(State(backend): State<Backend>, Asker(actor): Asker, Path(base): Path<BaseName>) -> Created<BaseShown> {
    Ok((StatusCode::ACCEPTED, Body(backend.bases.cancel(&actor, &base).await?)))
}

/// Asks for a new version: from a Dockerfile or from what the one before was made of, as JSON, or from a root file system as at
/// its making. With `roll` the services that use the base are run once the version is there, each as an ordinary run of its
/// default branch.
#[utoipa::path(
    post, path = "/platform/bases/{base}/actions/rebuild", tag = "bases", operation_id = "rebuild_base",
    params(
        ("base" = BaseName, Path, description = "Which one"),
        ("roll" = Option<bool>, Query, description = "Of a root file system: whether to run the services that use the base")
    ),
    request_body(content((Rebuild = "application/json"), (Vec<u8> = "application/x-tar"), (Vec<u8> = "application/gzip"))),
    responses((status = 202, body = BaseShown))
)]
pub async fn rebuild(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path(base): Path<BaseName>,
    Query(sent): Query<Sent>,
    request: Request,
) -> Created<BaseShown> {
    let shown = if is_archive(request.headers()) {
        backend.bases.rebuild(&actor, &base, Some(archive(request)), sent.roll).await?
    } else {
        let Json(asked) = Json::<Rebuild>::from_request(request, &()).await?;
        backend.bases.rebuild(&actor, &base, asked.dockerfile.map(BaseSource::Dockerfile), asked.roll).await?
    };
    Ok((StatusCode::ACCEPTED, Body(shown)))
}
