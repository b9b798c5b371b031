//! Candidates one by one: what is known of them, what vouches for them, how they differ, whether they are kept.

use app::{
    backend::Candidates,
    error::{Error, Result},
    model::{
        Actor, Candidate, CandidatePlace, CandidateShown, CommitLine, Comparison, ConfigCompared, Envelope, Service, ServiceName,
        SigningKey, TeamName, Vouched,
    },
    said,
};
use async_trait::async_trait;
use serde_json::Value;

use super::{Control, authorize};
use crate::{
    auth::rights::Action,
    candidates::{compare, judge::Verdict, sbom},
    git,
    rollout::trust,
    store::{
        Tx, candidates,
        events::{self, NewEvent},
        releases::{self, Content},
        statements::{self, Kind},
        targets, together,
    },
};

/// How many commits a comparison lists.
const MOST_COMMITS: usize = 100;

pub(super) fn unknown_candidate(service: &ServiceName, number: u64) -> Error {
    let sentence = format!("{service} has no candidate {number}. `berth candidates {service}` lists those it has.");
    Error::not_found("unknown_candidate", sentence).at("candidate")
}

fn gone(candidate: &Candidate) -> Option<Error> {
    let at = candidate.gone_at?.to_string();
    let commit = candidate.commit.get(..8).unwrap_or(&candidate.commit);
    let sentence = said::candidate_gone(candidate.number, at.get(..10).unwrap_or(&at), commit);
    Some(Error::conflict("candidate_gone", sentence).at("candidate"))
}

impl Control {
    /// Holds that what is to be deployed is there and vouched for. The answer: what is to be said of it in the plan.
    pub(super) async fn vouched(&self, team: &app::model::TeamId, content: &Content) -> Result<Option<String>> {
        let Some((id, number)) = &content.candidate else { return Ok(None) };
        let Some((candidate, verdict)) = trust::judged(&self.db, &self.secrets, team, id, &content.image).await? else { return Ok(None) };
        if let Some(error) = gone(&candidate) {
            return Err(error);
        }
        match verdict {
            Verdict::Verified => Ok(None),
            Verdict::Unsigned => Ok(Some(said::candidate_unsigned(number))),
            Verdict::Refused(why) => Err(Error::conflict("statement_unverified", why.sentence(*number)).at("candidate")),
        }
    }

    async fn candidate(&self, service: &Service, number: u64) -> Result<Candidate> {
        candidates::by_number(&self.db, &service.id, number).await?.ok_or_else(|| unknown_candidate(&service.name, number))
    }

    async fn envelope(&self, candidate: &Candidate, kind: Kind) -> Result<Envelope> {
        let found = statements::find(&self.db, &candidate.id, kind).await?;
        found.map(|row| trust::signed(row).envelope()).ok_or_else(|| {
            let sentence =
                format!("Nothing is kept of how candidate {} was made: it is from before that was written down.", candidate.number);
            Error::not_found("no_statement", sentence)
        })
    }

    async fn packages(&self, candidate: &Candidate) -> Result<Option<Vec<app::model::PackageVersion>>> {
        let found = statements::find(&self.db, &candidate.id, Kind::Sbom).await?;
        Ok(found.and_then(|row| sbom::listed(&sbom::within(&row.payload)?)))
    }

    /// How the variables differ that two candidates ran with last, for each environment in which one of them ran. For one that
    /// never did, the newest: those it would run with.
    async fn config_compared(
        &self,
        service: &Service,
        before: &Candidate,
        after: &Candidate,
        readable: bool,
    ) -> Result<Vec<ConfigCompared>> {
        let mut all = Vec::new();
        for target in targets::of_service(&self.db, &service.id).await? {
            let old = releases::config_ran_with(&self.db, &target.id, &before.id).await?;
            let new = releases::config_ran_with(&self.db, &target.id, &after.id).await?;
            if old.is_none() && new.is_none() {
                continue;
            }
            let numbers = [&old, &new].map(|set| set.as_ref().map(|set| set.number));
            let newest = self.newest_config(&target).await?;
            let [old, new] = [old, new].map(|set| self.variables(&target, set.as_ref().unwrap_or(&newest)));
            let changes = compare::variables(&old?, &new?, readable);
            all.push(ConfigCompared { environment: target.environment.name, before: numbers[0], after: numbers[1], changes });
        }
        Ok(all)
    }

    /// The commits that one has and the other has not, newest first, at most so many.
    pub(super) async fn commits(
        &self,
        service: &Service,
        from: &str,
        to: &str,
        most: usize,
    ) -> std::result::Result<Vec<CommitLine>, git::GitError> {
        let repository = self.config.repository(&service.repository_id);
        let found = git::between(&repository, from, to, most).await?;
        Ok(found.into_iter().map(|commit| CommitLine { id: commit.id, author: commit.author, title: commit.message }).collect())
    }
}

/// Holds, in the transaction that makes a release of it, that a candidate's image was not given up meanwhile.
pub(super) async fn still_there(tx: &mut Tx, team: &app::model::TeamId, content: &Content) -> Result<()> {
    let Some((id, _)) = &content.candidate else { return Ok(()) };
    let candidate = candidates::by_id(tx, team, id).await?;
    candidate.as_ref().and_then(gone).map_or(Ok(()), Err)
}

#[async_trait]
impl Candidates for Control {
    async fn show(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<CandidateShown> {
        let service = self.service(actor, team, service, Action::ViewTeam).await?;
        let mut candidate = self.candidate(&service, number).await?;
        let judged = trust::judged(&self.db, &self.secrets, &service.team_id, &candidate.id, &candidate.image).await?;
        let (vouched, refusal) = match judged.map(|(_, verdict)| verdict) {
            Some(Verdict::Verified) => (Vouched::Verified, None),
            Some(Verdict::Refused(why)) => (Vouched::Refused, Some(why.sentence(number))),
            Some(Verdict::Unsigned) | None => (Vouched::Unsigned, None),
        };
        let key = statements::find(&self.db, &candidate.id, Kind::Provenance).await?.map(|row| row.key);
        let places: Vec<CandidatePlace> = candidates::places(&self.db, &service.id, &candidate.id)
            .await?
            .into_iter()
            .map(|(environment, release, since)| CandidatePlace { environment, release, since })
            .collect();
        candidate.runs_in = places.iter().map(|place| place.environment.clone()).collect();
        let together = together::siblings_of(&self.db, &candidate.id).await?;
        Ok(CandidateShown { candidate, vouched, refusal, key, places, together })
    }

    async fn provenance(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<Envelope> {
        let service = self.service(actor, team, service, Action::ViewTeam).await?;
        self.envelope(&self.candidate(&service, number).await?, Kind::Provenance).await
    }

    async fn signed_sbom(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<Envelope> {
        let service = self.service(actor, team, service, Action::ViewTeam).await?;
        self.envelope(&self.candidate(&service, number).await?, Kind::Sbom).await
    }

    async fn sbom(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<Value> {
        let envelope = self.signed_sbom(actor, team, service, number).await?;
        let document = crate::candidates::dsse::Signed::open(&envelope).and_then(|signed| sbom::within(&signed.payload));
        document.ok_or_else(|| Error::internal(format!("the bill of materials of candidate {number} does not read")))
    }

    async fn compare(&self, actor: &Actor, team: &TeamName, service: &ServiceName, before: u64, after: u64) -> Result<Comparison> {
        let service = self.service(actor, team, service, Action::ViewTeam).await?;
        let (before, after) = (self.candidate(&service, before).await?, self.candidate(&service, after).await?);
        let commits = async {
            let new = self.commits(&service, &before.commit, &after.commit, MOST_COMMITS).await?;
            Ok::<_, git::GitError>((new, self.commits(&service, &after.commit, &before.commit, MOST_COMMITS).await?))
        };
        let (commits, taken_back, commits_unread) = match commits.await {
            Ok((new, old)) => (new, old, None),
            Err(error) => {
                tracing::info!(service = %service.id, %error, "the commits between two candidates cannot be told");
                (Vec::new(), Vec::new(), Some(said::commits_unread()))
            }
        };
        let packages = self.packages(&before).await?.zip(self.packages(&after).await?);
        let readable = authorize(actor, Action::ReadConfig, Some(&service.team_id)).is_ok();
        let config = self.config_compared(&service, &before, &after, readable).await?;
        Ok(Comparison {
            packages: packages.map(|(before, after)| compare::packages(&before, &after)),
            shape: compare::shapes(&before.shape, &after.shape),
            config,
            before,
            after,
            commits,
            taken_back,
            commits_unread,
        })
    }

    async fn hold(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64, held: bool) -> Result<()> {
        let service = self.service(actor, team, service, Action::ChangeService).await?;
        let candidate = self.candidate(&service, number).await?;
        let mut tx = self.db.begin().await?;
        if !candidates::hold(&mut tx, &service.id, number, held).await? {
            return Err(gone(&candidate).unwrap_or_else(|| unknown_candidate(&service.name, number)));
        }
        let event = NewEvent {
            team: Some(&service.team_id),
            service: Some(&service.id),
            action: if held { "candidate.held" } else { "candidate.let_go" },
            subject: said::subject_candidate(number, &service.name),
            path: Some(format!("/teams/{}/services/{}/candidates/{number}", service.team, service.name)),
            detail: String::new(),
        };
        events::insert(&mut tx, actor, event).await?;
        tx.commit().await?;
        self.told(&service);
        Ok(())
    }

    async fn signing_key(&self) -> Result<SigningKey> {
        let key = self.secrets.signer()?.public()?;
        Ok(SigningKey { id: key.id(), algorithm: "ed25519".to_owned(), public: key.text(), pem: key.pem() })
    }
}
