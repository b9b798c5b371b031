//! What the tests of runs said, the files runs left, and whether a team really integrates continuously.

use app::{
    backend::Backend,
    error::Error,
    model::{Artifact, CiDigest, CiReport, FlakyTest, GuardRed, Mute, PublicBadges, ServiceName, TeamName, TestReport},
};
use axum::{Json as Body, extract::State, response::Response};
use http::{HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_util::io::ReaderStream;

use super::{Answer, Done};
use crate::http::{
    extract::{Asker, Json, Path},
    problem::Problem,
};

/// What RFC 8187 leaves as it is in an extended value.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What the tests of a run said: those that failed first, held against the default branch.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/runs/{number}/tests", tag = "runs", operation_id = "run_tests",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("number" = u64, Path, description = "Which run")
    ),
    responses((status = 200, body = TestReport))
)]
pub async fn tests(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, number)): Path<(TeamName, ServiceName, u64)>,
) -> Answer<TestReport> {
    Ok(Body(backend.ci.tests(&actor, &team, &service, number).await?))
}

/// The tests of a service that gave both results for one commit, caught last first.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/flaky-tests", tag = "runs", operation_id = "flaky_tests",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    responses((status = 200, body = Vec<FlakyTest>))
)]
pub async fn flaky(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
) -> Answer<Vec<FlakyTest>> {
    Ok(Body(backend.ci.flaky(&actor, &team, &service).await?))
}

/// Mutes the failures of a flaky test until a day, or (no day) hears them again.
#[utoipa::path(
    put, path = "/teams/{team}/services/{service}/flaky-tests/{id}/mute", tag = "runs", operation_id = "mute_test",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("id" = String, Path, description = "Which test")
    ),
    request_body = Mute,
    responses((status = 200, body = FlakyTest))
)]
pub async fn mute(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, id)): Path<(TeamName, ServiceName, String)>,
    Json(mute): Json<Mute>,
) -> Answer<FlakyTest> {
    Ok(Body(backend.ci.mute(&actor, &team, &service, &id, mute).await?))
}

/// The files of a run that are kept, by path.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/runs/{number}/artifacts", tag = "runs", operation_id = "run_artifacts",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("number" = u64, Path, description = "Which run")
    ),
    responses((status = 200, body = Vec<Artifact>))
)]
pub async fn artifacts(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, number)): Path<(TeamName, ServiceName, u64)>,
) -> Answer<Vec<Artifact>> {
    Ok(Body(backend.ci.artifacts(&actor, &team, &service, number).await?))
}

/// The content of one of them. It is somebody's program or page: a browser stores it and never shows it.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/runs/{number}/artifacts/{id}", tag = "runs", operation_id = "download_artifact",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("number" = u64, Path, description = "Which run"), ("id" = String, Path, description = "Which file")
    ),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>))
)]
pub async fn artifact(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, number, id)): Path<(TeamName, ServiceName, u64, String)>,
) -> Result<Response, Problem> {
    let (artifact, place) = backend.ci.artifact(&actor, &team, &service, number, &id).await?;
    let gone = |error| Error::not_found("artifact_gone", "The file is not there any more. Run the commit again.").because(error);
    let file = tokio::fs::File::open(&place).await.map_err(gone)?;
    let mut response = Response::new(axum::body::Body::from_stream(ReaderStream::new(file)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, artifact.size.into());
    headers.insert(header::CONTENT_DISPOSITION, attachment(&artifact.path));
    Ok(response)
}

/// The three lights of a service and the five measures of its delivery, with what they rest on.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/ci", tag = "ci", operation_id = "service_ci",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    responses((status = 200, body = CiReport))
)]
pub async fn report(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
) -> Answer<CiReport> {
    Ok(Body(backend.ci.report(&actor, &team, &service).await?))
}

/// Says whether pushes onto a red default branch are refused unless they say that they mend it (`git push -o fix`).
#[utoipa::path(
    put, path = "/teams/{team}/services/{service}/ci/guard", tag = "ci", operation_id = "guard_red",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    request_body = GuardRed,
    responses((status = 204))
)]
pub async fn guard(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
    Json(asked): Json<GuardRed>,
) -> Done {
    backend.ci.guard_red(&actor, &team, &service, asked.guards_red).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The lights of a team's services, and the same as a text to be sent every week.
#[utoipa::path(
    get, path = "/teams/{team}/ci", tag = "ci", operation_id = "team_ci",
    params(("team" = TeamName, Path, description = "Which team")),
    responses((status = 200, body = CiDigest))
)]
pub async fn digest(State(backend): State<Backend>, Asker(actor): Asker, Path(team): Path<TeamName>) -> Answer<CiDigest> {
    Ok(Body(backend.ci.digest(&actor, &team).await?))
}

/// Says whether everybody may see the badges of a team's services.
#[utoipa::path(
    put, path = "/teams/{team}/ci/badges", tag = "ci", operation_id = "open_badges",
    params(("team" = TeamName, Path, description = "Which team")),
    request_body = PublicBadges,
    responses((status = 204))
)]
pub async fn badges(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path(team): Path<TeamName>,
    Json(asked): Json<PublicBadges>,
) -> Done {
    backend.ci.open_badges(&actor, &team, asked.public_badges).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// To be stored under the last part of its path, whatever that holds.
pub(super) fn attachment(path: &str) -> HeaderValue {
    let name = path.rsplit('/').next().unwrap_or_default();
    let value = format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(name, PLAIN));
    HeaderValue::from_str(&value).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_name_is_never_more_than_a_name() {
        for (path, value) in [
            ("out/report.txt", "attachment; filename*=UTF-8''report.txt"),
            ("out/a\"; x=\r\ny", "attachment; filename*=UTF-8''a%22%3B%20x%3D%0D%0Ay"),
            ("größe.bin", "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe.bin"),
            ("", "attachment; filename*=UTF-8''"),
        ] {
            assert_eq!(attachment(path).to_str().unwrap(), value);
        }
    }
}
