//! What the tests of runs said, the files runs left, and whether a team really integrates continuously.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use app::{
    backend::Ci,
    error::{Error, Result},
    model::{Actor, Artifact, CiDigest, CiReport, FlakyTest, Mute, RunState, Service, ServiceName, TeamName, TestReport, Timestamp},
    said,
};
use async_trait::async_trait;

use super::{Control, runs::unknown_run};
use crate::{
    auth::rights::Action,
    ci::{
        compare,
        dora::{self, Deployment},
        lights, tell,
    },
    clock, git,
    pipelines::{artifacts as files, file::Pipeline},
    store::{
        self, Tx, artifacts,
        events::{self, NewEvent},
        repositories::RepositoryRow,
        results,
        runs::{self, RunRow},
    },
};

/// How many services of a team a digest tells of.
const MOST_SERVICES: u32 = 200;

/// How far ahead a test may be muted.
const LONGEST_MUTE: Duration = Duration::from_secs(90 * 24 * 3_600);

fn unknown_test(id: &str) -> Error {
    Error::not_found("unknown_test", format!("No flaky test is called `{id}`. `berth flaky list` shows those there are."))
}

fn unknown_artifact() -> Error {
    Error::not_found("unknown_artifact", "This run keeps no such file. `berth runs artifacts` lists those it keeps.")
}

/// The end of a day that is written as `2027-01-31`.
fn end_of_day(text: &str, now: Timestamp) -> Result<Timestamp> {
    let plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let end = Some(format!("{text}T23:59:59.999Z")).filter(|_| plain).and_then(|text| Timestamp::parse(&text));
    // Parsing takes the 31st of every month; what is written back differs then.
    let end = end.filter(|end| end.to_string().starts_with(text));
    end.filter(|end| *end > now && *end <= now.plus(LONGEST_MUTE)).ok_or_else(|| {
        let sentence = "Say until which day, in UTC: `2027-01-31` for instance, from today to 90 days ahead.";
        Error::invalid("invalid_until", sentence).at("until")
    })
}

/// Whether a run in this state could have carried out tests.
const fn judged(state: RunState) -> bool {
    matches!(state, RunState::Passed | RunState::Failed | RunState::TimedOut)
}

/// Why a run that has ended carried out no test.
fn nothing(run: &RunRow) -> String {
    let pipeline: Option<Pipeline> = serde_json::from_str(&run.pipeline).ok();
    let mut steps = pipeline.iter().flat_map(|pipeline| &pipeline.stages).flat_map(|stage| &stage.steps);
    if steps.any(|step| step.junit.is_some()) { said::tests_none() } else { said::tests_unnamed() }
}

impl Control {
    async fn run_row(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<(Service, RunRow)> {
        let found = self.service(actor, team, service, Action::ViewTeam).await?;
        let row = runs::by_number(&self.db, &found.team_id, &found.id, number).await?.ok_or_else(|| unknown_run(service, number))?;
        Ok((found, row))
    }

    /// Ends a change, with its event.
    async fn concluded(&self, mut tx: Tx, actor: &Actor, event: NewEvent<'_>) -> Result<()> {
        let topics = [event.service.map(|service| format!("service:{service}")), Some("events".to_owned())];
        let team = event.team.cloned();
        events::insert(&mut tx, actor, event).await?;
        tx.commit().await?;
        topics.into_iter().flatten().for_each(|topic| self.wake.changed(team.as_ref(), topic));
        Ok(())
    }

    /// Why a push is refused: it moves a default branch that is red for a service which guards it, and does not say that it
    /// mends it.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn refuses(&self, repository: &RepositoryRow, head: &git::Head) -> Result<Option<String>> {
        let main = format!("refs/heads/{}", repository.default_branch);
        let moves = head.commands.iter().any(|(name, ..)| *name == main);
        if !moves || head.options.iter().any(|option| option == "fix") {
            return Ok(None);
        }
        for service in &repository.services {
            let looked = store::ci::of_service(&self.db, &repository.team_id, &service.id).await?;
            if !looked.is_some_and(|looked| looked.guards_red) {
                continue;
            }
            if let Some((run, false)) = store::ci::verdict(&self.db, &service.id, &repository.default_branch).await? {
                return Ok(Some(format!(
                    "{} of {} is red since run {run} or before: {}. Mend it first. A push that does so says it: git push -o fix",
                    repository.default_branch,
                    service.name,
                    self.run_url(&repository.team, &service.name, run)
                )));
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl Ci for Control {
    async fn tests(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<TestReport> {
        let (found, run) = self.run_row(actor, team, service, number).await?;
        let reports = results::of_run(&self.db, &found.team_id, &run.id).await?;
        // What is known of tests is of no use where none ran.
        let flaky = if reports.is_empty() { Vec::new() } else { results::flaky(&self.db, &found.team_id, &found.id).await? };
        let now = clock::now();
        let known: BTreeMap<String, Option<Timestamp>> =
            flaky.into_iter().map(|test| (test.id, test.muted_until.filter(|until| *until > now))).collect();
        let mut report = compare::together(reports, |id| known.get(id).copied());
        report.nothing = (judged(run.state) && report.counts.executed() == 0).then(|| nothing(&run));
        Ok(report)
    }

    async fn flaky(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Vec<FlakyTest>> {
        let found = self.service(actor, team, service, Action::ViewTeam).await?;
        Ok(results::flaky(&self.db, &found.team_id, &found.id).await?)
    }

    async fn mute(&self, actor: &Actor, team: &TeamName, service: &ServiceName, test: &str, mute: Mute) -> Result<FlakyTest> {
        let found = self.service(actor, team, service, Action::ChangeService).await?;
        let until = mute.until.as_deref().map(|day| end_of_day(day.trim(), clock::now())).transpose()?;
        let mut tx = self.db.begin().await?;
        let muted = results::mute(&mut tx, &found.team_id, &found.id, test, until, &actor.name).await?;
        let muted = muted.ok_or_else(|| unknown_test(test))?;
        let event = NewEvent {
            team: Some(&found.team_id),
            service: Some(&found.id),
            action: if until.is_some() { "test.muted" } else { "test.unmuted" },
            subject: said::subject_test(&muted.name, &found.name),
            path: Some(format!("/teams/{team}/services/{service}")),
            detail: until.map(|until| said::detail_until(until.to_string().get(..10).unwrap_or_default())).unwrap_or_default(),
        };
        self.concluded(tx, actor, event).await?;
        Ok(muted)
    }

    async fn artifacts(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<Vec<Artifact>> {
        let (found, run) = self.run_row(actor, team, service, number).await?;
        Ok(artifacts::of_run(&self.db, &found.team_id, &run.id).await?)
    }

    async fn artifact(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64, id: &str) -> Result<(Artifact, PathBuf)> {
        let (found, run) = self.run_row(actor, team, service, number).await?;
        let artifact = artifacts::find(&self.db, &found.team_id, &run.id, id).await?.ok_or_else(unknown_artifact)?;
        let place = files::place(&self.config, &found.id, &artifact.id);
        Ok((artifact, place))
    }

    async fn report(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<CiReport> {
        let found = self.service(actor, team, service, Action::ViewTeam).await?;
        let now = clock::now();
        let (looked, lit) = self.lights(&found.team_id, &found.id, now).await?;
        let last = store::ci::last_environment(&self.db, &found.id).await?;
        let since = now.minus(Duration::from_secs(u64::from(lights::DAYS) * 24 * 3_600));
        let deployed = match &last {
            Some((target, _)) => store::ci::deployments(&self.db, target, since).await?,
            None => Vec::new(),
        };
        let deployments: Vec<Deployment> = deployed
            .into_iter()
            .map(|one| Deployment {
                back: one.reason.starts_with(&said::reason_back("")),
                at: one.at,
                good: one.good,
                pushed_at: one.pushed_at,
            })
            .collect();
        Ok(CiReport {
            team: team.clone(),
            service: service.clone(),
            red_since: lit.red_since,
            branch: looked.branch,
            answers: lit.answers.clone(),
            measures: dora::measures(&deployments, now),
            environment: last.map(|(_, name)| name.to_string()),
            days: lights::DAYS,
            guards_red: looked.guards_red,
            public_badges: looked.public_badges,
        })
    }

    async fn digest(&self, actor: &Actor, team: &TeamName) -> Result<CiDigest> {
        let id = self.team(actor, team, Action::ViewTeam).await?;
        let (now, mut services) = (clock::now(), Vec::new());
        for (service, name, looked, newest) in store::ci::newest_of_team(&self.db, &id, MOST_SERVICES).await? {
            let lit = self.lights_of(&service, &looked, newest, now).await?;
            services.push(tell::brief(&name, &lit.answers));
        }
        let text = tell::digest(team, &services, &self.config.url, now);
        Ok(CiDigest { team: team.clone(), text, services, public_badges: store::ci::badges_open(&self.db, &id).await? })
    }

    async fn guard_red(&self, actor: &Actor, team: &TeamName, service: &ServiceName, guards: bool) -> Result<()> {
        let found = self.service(actor, team, service, Action::ChangeService).await?;
        let mut tx = self.db.begin().await?;
        store::ci::guard(&mut tx, &found.team_id, &found.id, guards).await?;
        let event = NewEvent {
            team: Some(&found.team_id),
            service: Some(&found.id),
            action: if guards { "service.guarded" } else { "service.unguarded" },
            subject: said::subject_service(&found.name),
            path: Some(format!("/teams/{team}/services/{service}/ci")),
            detail: String::new(),
        };
        self.concluded(tx, actor, event).await
    }

    async fn open_badges(&self, actor: &Actor, team: &TeamName, open: bool) -> Result<()> {
        let id = self.team(actor, team, Action::ManageTeam).await?;
        let mut tx = self.db.begin().await?;
        store::ci::open_badges(&mut tx, &id, open).await?;
        let event = NewEvent {
            team: Some(&id),
            action: if open { "team.badges_opened" } else { "team.badges_closed" },
            subject: said::subject_team(team),
            path: Some(format!("/teams/{team}")),
            ..NewEvent::default()
        };
        self.concluded(tx, actor, event).await
    }

    async fn badge(&self, actor: Option<&Actor>, team: &TeamName, service: &ServiceName) -> Result<(String, bool)> {
        let unknown = || Error::not_found("unknown_badge", "There is no such badge, or it is not open to everybody.");
        let id = store::teams::id_of(&self.db, team).await?;
        let open = match &id {
            Some(id) => store::ci::badges_open(&self.db, id).await?,
            None => false,
        };
        let found = match (id.filter(|_| open), actor) {
            (Some(id), _) => store::services::by_name(&self.db, &self.config.url, &id, service).await?.ok_or_else(unknown)?,
            (None, Some(actor)) => self.service(actor, team, service, Action::ViewTeam).await?,
            (None, None) => return Err(unknown()),
        };
        let (_, lit) = self.lights(&found.team_id, &found.id, clock::now()).await?;
        Ok((tell::badge(&lit.answers), open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_muted_until_a_day_that_comes() {
        let now = Timestamp::parse("2026-11-23T03:00:00Z").unwrap();
        for (text, good) in [
            ("2026-11-23", true),
            ("2026-12-31", true),
            ("2027-02-20", true),
            ("2027-02-22", false),
            ("2026-11-22", false),
            ("2026-11-31", false),
            ("2026-13-01", false),
            ("tomorrow", false),
            ("", false),
            ("2026-12-31T00:00:00Z", false),
        ] {
            assert_eq!(end_of_day(text, now).is_ok(), good, "{text}");
        }
    }
}
