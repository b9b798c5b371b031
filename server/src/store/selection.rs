//! What the decision about a push is made from, and what became of it: where each service came to a candidate last, and the
//! runs a push made.

use app::model::{CandidateId, PushedRun, RepositoryId, RunId, RunState, ServiceId, TeamId};

use super::{
    Query, Row,
    db::{Result, readable},
};
use crate::args;

/// Where a service came to a candidate last, or was found unchanged since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastGood {
    /// The service.
    pub service: ServiceId,
    /// The commit.
    pub commit: String,
    /// The candidate.
    pub candidate: CandidateId,
    /// Its number.
    pub number: u64,
}

/// Where each service of a repository came to a candidate last on a branch. A run that kept one counts with its own commit:
/// up to there nothing of the service had changed.
pub async fn last_good(q: impl Query, repository: &RepositoryId, branch: &str) -> Result<Vec<LastGood>> {
    let rows = q
        .fetch_all(
            "SELECT s.id AS service_id, r.commit_id, c.id AS candidate_id, c.number FROM services s
               JOIN runs r ON r.id = (SELECT o.id FROM runs o WHERE o.service_id = s.id AND o.branch = $2 AND o.candidate_id IS NOT NULL
                                       ORDER BY o.number DESC LIMIT 1)
               JOIN candidates c ON c.id = r.candidate_id
              WHERE s.repository_id = $1 AND s.deleted_at IS NULL",
            args![repository, branch],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(LastGood {
                service: ServiceId::from_text(row.text("service_id")?),
                commit: row.text("commit_id")?,
                candidate: CandidateId::from_text(row.text("candidate_id")?),
                number: row.num("number")?,
            })
        })
        .collect()
}

/// A run that a push made, for what follows the push.
#[derive(Clone, Debug)]
pub struct OfPush {
    /// Its id.
    pub run: RunId,
    /// The service's id.
    pub service_id: ServiceId,
    /// What is shown of it.
    pub shown: PushedRun,
    /// Why it ran, or did not.
    pub reason: String,
    /// Whether it comes to one version with the others of which that is so.
    pub together: bool,
}

/// The runs that a push made, by the names of their services. They are written at once: one is there with all the others.
pub async fn of_push(q: impl Query, team: &TeamId, push: &str) -> Result<Vec<OfPush>> {
    let rows = q
        .fetch_all(
            "SELECT r.id, r.service_id, s.name AS service, r.number, r.state, r.kept, r.plan, r.reason, r.lead_id
               FROM runs r JOIN services s ON s.id = r.service_id WHERE r.push_id = $1 AND r.team_id = $2 ORDER BY s.name, r.number",
            args![push, team],
        )
        .await?;
    Ok(readable(&rows, read_of_push))
}

fn read_of_push(row: &Row) -> Result<OfPush> {
    Ok(OfPush {
        run: RunId::from_text(row.text("id")?),
        service_id: ServiceId::from_text(row.text("service_id")?),
        shown: PushedRun {
            service: row.parsed("service")?,
            number: row.num("number")?,
            state: row.named("state", RunState::from_name)?,
            kept: row.bool("kept")?,
            plan: row.text("plan")?,
        },
        reason: row.text("reason")?,
        together: row.text_opt("lead_id")?.is_some(),
    })
}
