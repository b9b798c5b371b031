//! Candidates one by one: what is known of them, what vouches for them, how they differ.

use app::{
    backend::Backend,
    model::{CandidateShown, Comparison, Envelope, ServiceName, SigningKey, TeamName},
};
use axum::{
    Json as Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use serde::Deserialize;

use super::{Answer, Done};
use crate::http::{
    extract::{Asker, Path, Query},
    problem::Problem,
};

type Which = Path<(TeamName, ServiceName, u64)>;

/// Whether the signature is wanted too.
#[derive(Deserialize)]
pub struct Enveloped {
    #[serde(default)]
    signed: bool,
}

/// One candidate: how its image was made, where it runs, and whether its statement vouches for it.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/candidates/{number}", tag = "candidates", operation_id = "show_candidate",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("number" = u64, Path, description = "Which candidate")
    ),
    responses((status = 200, body = CandidateShown))
)]
pub async fn show(State(backend): State<Backend>, Asker(actor): Asker, Path((team, service, number)): Which) -> Answer<CandidateShown> {
    Ok(Body(backend.candidates.show(&actor, &team, &service, number).await?))
}

/// Where its image came from: an in-toto statement with the predicate SLSA Provenance v1, in a signed DSSE envelope.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/candidates/{number}/provenance", tag = "candidates",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("number" = u64, Path, description = "Which candidate")
    ),
    responses((status = 200, body = Envelope))
)]
pub async fn provenance(State(backend): State<Backend>, Asker(actor): Asker, Path((team, service, number)): Which) -> Answer<Envelope> {
    Ok(Body(backend.candidates.provenance(&actor, &team, &service, number).await?))
}

/// What is in its image: a bill of materials in CycloneDX 1.6; with `signed`, in the DSSE envelope of the statement that says so.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/candidates/{number}/sbom", tag = "candidates",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("number" = u64, Path, description = "Which candidate"), ("signed" = Option<bool>, Query, description = "With its signature")
    ),
    responses((status = 200, body = Object))
)]
pub async fn sbom(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, number)): Which,
    Query(Enveloped { signed }): Query<Enveloped>,
) -> Result<Response, Problem> {
    if signed {
        return Ok(Body(backend.candidates.signed_sbom(&actor, &team, &service, number).await?).into_response());
    }
    Ok(Body(backend.candidates.sbom(&actor, &team, &service, number).await?).into_response())
}

/// How candidate `other` differs from candidate `number`: commits, size, packages, processes.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/candidates/{number}/compare/{other}", tag = "candidates",
    operation_id = "compare_candidates",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("number" = u64, Path, description = "From which candidate"), ("other" = u64, Path, description = "To which candidate")
    ),
    responses((status = 200, body = Comparison))
)]
pub async fn compare(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, number, other)): Path<(TeamName, ServiceName, u64, u64)>,
) -> Answer<Comparison> {
    Ok(Body(backend.candidates.compare(&actor, &team, &service, number, other).await?))
}

/// Keeps its image for good, however old it gets.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/candidates/{number}/actions/hold", tag = "candidates", operation_id = "hold_candidate",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("number" = u64, Path, description = "Which candidate")
    ),
    responses((status = 204))
)]
pub async fn hold(State(backend): State<Backend>, Asker(actor): Asker, Path((team, service, number)): Which) -> Done {
    backend.candidates.hold(&actor, &team, &service, number, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets its image go when nothing needs it any more.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/candidates/{number}/actions/let-go", tag = "candidates",
    operation_id = "let_go_of_candidate",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("number" = u64, Path, description = "Which candidate")
    ),
    responses((status = 204))
)]
pub async fn let_go(State(backend): State<Backend>, Asker(actor): Asker, Path((team, service, number)): Which) -> Done {
    backend.candidates.hold(&actor, &team, &service, number, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The public half of the key that this Berth signs with.
#[utoipa::path(get, path = "/signing-key", tag = "candidates", operation_id = "signing_key", responses((status = 200, body = SigningKey)))]
pub async fn signing_key(State(backend): State<Backend>) -> Answer<SigningKey> {
    Ok(Body(backend.candidates.signing_key().await?))
}
