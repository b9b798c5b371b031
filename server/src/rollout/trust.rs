//! Whether what is to be rolled out is vouched for. Every rollout of a candidate asks, whichever door it came from.

use app::model::{Candidate, CandidateId, TeamId};

use crate::{
    candidates::{
        dsse::Signed,
        judge::{Verdict, Why, judge},
    },
    secrets::Secrets,
    store::{
        Query, StoreError, candidates,
        releases::ReleaseRow,
        statements::{self, Kind, StatementRow},
    },
};

/// A statement as it can be verified.
pub fn signed(row: StatementRow) -> Signed {
    Signed { payload: row.payload, key: row.key, signature: row.signature }
}

/// What vouches for a candidate, and that it is this image; none where there is no such candidate.
///
/// # Errors
/// Those of the store.
pub async fn judged(
    q: impl Query + Copy,
    secrets: &Secrets,
    team: &TeamId,
    id: &CandidateId,
    image: &str,
) -> Result<Option<(Candidate, Verdict)>, StoreError> {
    let Some(candidate) = candidates::by_id(q, team, id).await? else { return Ok(None) };
    let statement = statements::find(q, id, Kind::Provenance).await?.map(signed);
    let verdict = match secrets.signer().and_then(|signer| signer.public()) {
        Ok(key) => judge(candidate.made.is_some(), statement.as_ref(), image, &key),
        Err(_) => Verdict::Refused(Why::OtherKey),
    };
    Ok(Some((candidate, verdict)))
}

/// Why a release must not be rolled out, as a sentence; none where it may. An image from outside is nobody's candidate.
///
/// # Errors
/// Those of the store.
pub async fn refusal(q: impl Query + Copy, secrets: &Secrets, release: &ReleaseRow) -> Result<Option<String>, StoreError> {
    let Some(id) = &release.candidate_id else { return Ok(None) };
    Ok(match judged(q, secrets, &release.team_id, id, &release.image).await? {
        Some((candidate, Verdict::Refused(why))) => Some(why.sentence(candidate.number)),
        _ => None,
    })
}
