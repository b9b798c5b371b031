//! Runs, logs, candidates.

use std::collections::{BTreeMap, VecDeque};

use app::{
    backend::{Live, Runs},
    components::holds,
    error::{Error, Result},
    model::{
        Actor, Candidate, Credential, LogFound, LogLine, LogRange, Page, PageRequest, RetryFrom, Run, RunBrief, RunEvent, RunFilter,
        RunImage, RunInput, RunState, Service, ServiceId, ServiceName, SinceGood, StartRun, StepId, TeamId, TeamName, TestCase, TestReport,
        Triggers,
    },
    said,
};
use async_trait::async_trait;
use futures::stream;
use tokio::{sync::broadcast, time::timeout};

use super::{Control, authorize};
use crate::{
    auth::rights::Action,
    clock, git,
    pipelines::{
        file::{Pipeline, When, inputs},
        intake::{self, Again, Head, Part},
        pushed::{self, pipelines_of},
        rerun::{self, Before, Begin, Refusal},
    },
    store::{
        candidates,
        events::{self, NewEvent},
        files, logs,
        repositories::{self, BuiltHere, RepositoryRow},
        results,
        runs::{self, RunRow},
        schedules, together,
    },
    wake::Duty,
};

/// The most lines of a log that are given at once.
const MOST_LINES: u32 = 5_000;
/// A follower looks again after this long even where nothing woke it.
const LOOK: std::time::Duration = std::time::Duration::from_secs(5);

/// How many commits and tests are named of what is different since the last good run.
const MOST_SINCE: usize = 20;

/// The longest name of a branch that is looked for, in characters.
const LONGEST_BRANCH: usize = 250;

/// What somebody asks to be run.
enum Asked {
    /// The commit of a run again, for all that come to one version with it.
    Again(Vec<Again>),
    /// The head of a branch.
    Head(Box<(RepositoryRow, Head)>),
}

fn built_here(service: &Service) -> BuiltHere {
    BuiltHere { id: service.id.clone(), name: service.name.clone() }
}

pub(super) fn unknown_run(service: &ServiceName, number: u64) -> Error {
    Error::not_found("unknown_run", format!("{service} has no run {number}. `berth runs list {service}` shows those it has."))
}

fn unknown_log() -> Error {
    Error::not_found("unknown_step", "There is no such log. `berth runs show` lists the steps of a run.")
}

/// What conditions of a run are held against, whose branch may be the ref of a tag.
fn when(branch: &str, event: RunEvent) -> When<'_> {
    When::of(branch, event)
}

/// What makes a run begin that this one asks for: a person in a browser or on the command line, or a program.
const fn event(actor: &Actor, by_hand: bool) -> RunEvent {
    match actor.credential {
        Credential::Token { .. } if !by_hand => RunEvent::Api,
        _ => RunEvent::Manual,
    }
}

/// The tests of a run that failed, by their ids, with their names.
fn failing_in(reports: &[TestReport]) -> BTreeMap<String, String> {
    let named = |case: &TestCase| if case.suite.is_empty() { case.name.clone() } else { format!("{} › {}", case.suite, case.name) };
    reports.iter().flat_map(|report| &report.failing).map(|case| (case.id.clone(), named(case))).collect()
}

/// How many steps are taken over.
fn takes(begin: &Begin) -> usize {
    match begin {
        Begin::Anew => 0,
        Begin::GoesOn { taken, .. } => taken.iter().map(Vec::len).sum(),
    }
}

/// Why a run cannot go on from another, to whoever asked for it.
fn refusal(why: Refusal, service: &ServiceName, number: u64) -> Error {
    let again = format!("`berth runs retry {number} --service {service}` runs it again from its start.");
    let (code, sentence) = match why {
        Refusal::NotFailed => ("not_failed", format!("Run {number} of {service} did not fail, so there is no stage to go on from.")),
        Refusal::NothingRan => ("nothing_ran", format!("Run {number} of {service} ran nothing, so there is nothing to go on from.")),
        Refusal::Changed => {
            ("pipeline_changed", format!("What run {number} of {service} was to do does not fit the stages that it has any more."))
        }
        Refusal::FilesGone => {
            ("files_gone", format!("The files of run {number} of {service} are not kept (any more), so nothing can go on from it."))
        }
    };
    Error::conflict(code, format!("{sentence} {again}"))
}

/// Keeps the files of runs that others are to go on from until those have ended, and for a while after.
async fn hold_files(tx: &mut crate::store::Tx, all: &[Again]) -> Result<()> {
    let now = clock::now();
    for again in all.iter().filter(|again| matches!(again.begin, Begin::GoesOn { files: true, .. })) {
        if !files::hold(tx, &again.run.id, now, now.plus(rerun::KEPT)).await? {
            return Err(refusal(Refusal::FilesGone, &again.run.service, again.run.number));
        }
    }
    Ok(())
}

impl Control {
    async fn tell_run(&self, tx: &mut crate::store::Tx, actor: &Actor, service: &Service, number: u64, action: &str) -> Result<()> {
        let event = NewEvent {
            team: Some(&service.team_id),
            service: Some(&service.id),
            action,
            subject: said::subject_run(number, &service.name),
            path: Some(intake::run_path(service.team.as_str(), service.name.as_str(), number)),
            detail: String::new(),
        };
        events::insert(tx, actor, event).await?;
        Ok(())
    }

    fn run_moved(&self, service: &Service, run: &app::model::RunId) {
        self.wake.duty(Duty::Runs);
        self.wake.duty(Duty::Statuses);
        for topic in [format!("run:{run}"), format!("service:{}", service.id), "events".to_owned()] {
            self.wake.changed(Some(&service.team_id), topic);
        }
    }

    /// What is run again with a run: those that came to one version with it. Where it was written down without a pipeline,
    /// since it ran nothing, its commit says which those are.
    async fn again_with(&self, service: &Service, row: RunRow) -> Result<Vec<Again>> {
        if let Some(lead) = &row.lead {
            let members = together::members(&self.db, lead).await?;
            return Ok(members.into_iter().map(|run| Again { run, read: None, begin: Begin::Anew }).collect());
        }
        if row.pipeline != "null" {
            return Ok(vec![Again { run: row, read: None, begin: Begin::Anew }]);
        }
        let pushed = together::of_same_push(&self.db, &row.id).await?;
        let here: Vec<BuiltHere> = pushed.iter().map(|run| BuiltHere { id: run.service_id.clone(), name: run.service.clone() }).collect();
        let here = if here.is_empty() { vec![built_here(service)] } else { here };
        let folder = self.config.repository(&row.repository_id);
        let read =
            pipelines_of(&folder, &row.commit, &built_here(service), &here, when(&row.branch, row.event)).await.map_err(Error::internal)?;
        if read.is_empty() {
            return Ok(vec![Again { run: row, read: None, begin: Begin::Anew }]);
        }
        let of = |id: &ServiceId| if row.service_id == *id { Some(&row) } else { pushed.iter().find(|run| run.service_id == *id) };
        Ok(read
            .into_iter()
            .filter_map(|(service, read)| Some(Again { run: of(&service.id)?.clone(), read: Some(read), begin: Begin::Anew }))
            .collect())
    }

    /// Decides how each begins, where they are asked to begin there: those that come to one version go on each from its own.
    async fn begin_at(&self, from: RetryFrom, all: &mut [Again]) -> Result<()> {
        for again in all.iter_mut() {
            let run = &again.run;
            again.begin = self.beginning(from, run).await?.map_err(|why| refusal(why, &run.service, run.number))?;
        }
        Ok(())
    }

    async fn beginning(&self, from: RetryFrom, run: &RunRow) -> Result<std::result::Result<Begin, Refusal>> {
        if from == RetryFrom::Start {
            return Ok(Ok(Begin::Anew));
        }
        let stages = runs::stages(&self.db, &run.id).await?;
        let pipeline: Option<Pipeline> = serde_json::from_str(&run.pipeline).ok().flatten();
        let before = Before { state: run.state, pipeline: pipeline.as_ref(), stages: &stages, files_until: run.files_until };
        Ok(rerun::decide(from, before, clock::now()))
    }

    /// Where a run can be begun again.
    async fn again_from(&self, service: &Service, run: &Run) -> Result<Vec<RetryFrom>> {
        if !run.state.ended() {
            return Ok(Vec::new());
        }
        let mut from = vec![RetryFrom::Start];
        if !matches!(run.state, RunState::Failed | RunState::TimedOut | RunState::Errored | RunState::Lost) {
            return Ok(from);
        }
        let Some(row) = runs::by_number(&self.db, &service.team_id, &service.id, run.number).await? else { return Ok(from) };
        let stage = self.beginning(RetryFrom::Stage, &row).await?.ok().filter(|begin| *begin != Begin::Anew);
        let steps = self.beginning(RetryFrom::Steps, &row).await?.ok().filter(|begin| *begin != Begin::Anew);
        let fewer = |steps: &Begin| stage.as_ref().is_none_or(|stage| takes(stage) != takes(steps));
        let steps = steps.filter(fewer).map(|_| RetryFrom::Steps);
        from.extend(stage.as_ref().map(|_| RetryFrom::Stage).into_iter().chain(steps));
        Ok(from)
    }

    /// The head of a branch of a service's repository.
    async fn head(&self, service: &Service, repository: &RepositoryRow, start: StartRun, event: RunEvent) -> Result<Head> {
        let (branch, commit) = self.head_of(repository, start.branch.as_deref()).await?;
        let folder = self.repository_folder(repository);
        let (here, when) = (built_here(service), when(&branch, event));
        let pipelines = pipelines_of(&folder, &commit, &here, &repository.services, when).await.map_err(Error::internal)?;
        if pipelines.is_empty() {
            let sentence = "berth.yaml does not read at the head of this branch. `berth lint` says what is wrong with it.";
            return Err(Error::invalid("invalid_pipeline", sentence).at("branch"));
        }
        let takes: Vec<&[RunInput]> = pipelines.iter().map(|(_, pipeline)| pipeline.inputs.as_slice()).collect();
        let given = inputs::give(&takes, &start.inputs)?;
        let parts = pipelines.into_iter().zip(given).map(|((service, pipeline), inputs)| Part { service, pipeline, inputs }).collect();
        Ok(Head { commit: git::commit(&folder, &commit).await.map_err(Error::internal)?, branch, event, parts })
    }

    /// The branch that is asked for, else the default one, and its commit.
    async fn head_of(&self, repository: &RepositoryRow, branch: Option<&str>) -> Result<(String, String)> {
        let branch = branch.filter(|branch| !branch.is_empty()).unwrap_or(&repository.default_branch);
        let unknown = || Error::invalid("unknown_branch", "The repository has no such branch. Push it first.").at("branch");
        if branch.chars().count() > LONGEST_BRANCH || branch.chars().any(char::is_control) {
            return Err(unknown());
        }
        let commit = repositories::last_commit(&self.db, &repository.id, &format!("refs/heads/{branch}")).await?.ok_or_else(unknown)?;
        Ok((branch.to_owned(), commit))
    }

    async fn repository_of(&self, service: &Service) -> Result<RepositoryRow> {
        repositories::by_id(&self.db, &service.repository_id).await?.ok_or_else(|| Error::internal("a service without a repository"))
    }

    /// Queues a run that somebody asked for.
    async fn queue_asked(&self, actor: &Actor, service: &Service, asked: Asked) -> Result<RunBrief> {
        let mut tx = self.db.begin().await?;
        let (queued, action) = match asked {
            Asked::Again(all) => {
                hold_files(&mut tx, &all).await?;
                (intake::again(&mut tx, &all, &actor.name).await?, "run.retried")
            }
            Asked::Head(at) => {
                let reason = said::reason_asked(&actor.name, &at.1.branch);
                (intake::queue_head(&mut tx, &at.0, &at.1, &actor.name, &reason).await?, "run.started")
            }
        };
        let own = queued.iter().find(|queued| queued.service == service.id);
        let (run, number) = own.map(|own| (&own.run, own.number)).ok_or_else(|| Error::internal("nothing was queued for the service"))?;
        self.tell_run(&mut tx, actor, service, number, action).await?;
        tx.commit().await?;
        self.run_moved(service, run);
        let page = PageRequest { cursor: Some((number + 1).to_string()), limit: Some(1) };
        let brief = runs::list(&self.db, &service.team_id, &service.id, &RunFilter::default(), &page).await?.items.into_iter().next();
        brief.ok_or_else(|| unknown_run(&service.name, number))
    }

    /// What is different since the branch was good last. None where the run did not fail, or nothing passed before it.
    async fn since_good(&self, service: &Service, run: &Run) -> Result<Option<SinceGood>> {
        if !matches!(run.state, RunState::Failed | RunState::TimedOut | RunState::Errored) {
            return Ok(None);
        }
        let good = runs::last_passed(&self.db, &service.id, &run.branch, run.number).await?;
        let Some((number, good, commit)) = good else { return Ok(None) };
        let (commits, commits_unread) = match self.commits(service, &commit, &run.commit, MOST_SINCE).await {
            Ok(commits) => (commits, None),
            Err(error) => {
                tracing::info!(service = %service.id, run = run.number, %error, "the commits since the last good run cannot be told");
                (Vec::new(), Some(said::commits_unread()))
            }
        };
        let mut failing = Vec::new();
        if let Some(row) = runs::by_number(&self.db, &service.team_id, &service.id, run.number).await? {
            let then = failing_in(&results::of_run(&self.db, &service.team_id, &good).await?);
            let now = failing_in(&results::of_run(&self.db, &service.team_id, &row.id).await?);
            failing = now.into_iter().filter(|(id, _)| !then.contains_key(id)).map(|(_, name)| name).take(MOST_SINCE).collect();
        }
        Ok(Some(SinceGood { run: number, commits, commits_unread, failing }))
    }

    /// The team of a log, if the actor may read it.
    async fn team_of_log(&self, actor: &Actor, step: &StepId) -> Result<TeamId> {
        let (team, ..) = logs::head(&self.db, step).await?.ok_or_else(unknown_log)?;
        // Somebody else's log is not to be told from one that is not there.
        authorize(actor, Action::ViewTeam, Some(&team)).map_err(|error| match error.kind {
            app::error::Kind::NotFound => unknown_log(),
            _ => error,
        })?;
        Ok(team)
    }
}

#[async_trait]
impl Runs for Control {
    async fn list(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        filter: &RunFilter,
        page: &PageRequest,
    ) -> Result<Page<RunBrief>> {
        let service = self.service(actor, team, service, Action::ViewTeam).await?;
        Ok(runs::list(&self.db, &service.team_id, &service.id, filter, page).await?)
    }

    async fn show(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<Run> {
        let found = self.service(actor, team, service, Action::ViewTeam).await?;
        let mut run = runs::show(&self.db, &found.team_id, &found.id, number).await?.ok_or_else(|| unknown_run(service, number))?;
        if let Some(number) = run.candidate
            && let Some(candidate) = candidates::by_number(&self.db, &found.id, number).await?
        {
            run.image = Some(RunImage::of(&candidate, candidates::before(&self.db, &found.id, number).await?.as_ref()));
        }
        run.since_good = self.since_good(&found, &run).await?;
        run.again = self.again_from(&found, &run).await?;
        Ok(run)
    }

    async fn cancel(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<()> {
        let found = self.service(actor, team, service, Action::CancelRun).await?;
        let mut tx = self.db.begin().await?;
        let Some((run, asked)) = runs::ask_cancel(&mut tx, &found.team_id, &found.id, number).await? else {
            return Err(unknown_run(service, number));
        };
        if !asked {
            return Err(Error::conflict(
                "already_ended",
                format!("Run {number} of {service} has ended already, so there is nothing to cancel."),
            ));
        }
        self.tell_run(&mut tx, actor, &found, number, "run.cancel_asked").await?;
        tx.commit().await?;
        self.run_moved(&found, &run);
        Ok(())
    }

    async fn triggers(&self, actor: &Actor, team: &TeamName, service: &ServiceName, branch: Option<&str>) -> Result<Triggers> {
        let found = self.service(actor, team, service, Action::ViewTeam).await?;
        let repository = self.repository_of(&found).await?;
        let schedules = schedules::of_service(&self.db, &found.team_id, &found.id).await?;
        let (branch, commit) = match self.head_of(&repository, branch).await {
            Ok(head) => head,
            // Nothing was pushed yet.
            Err(_) if branch.is_none_or(str::is_empty) => {
                return Ok(Triggers { branch: repository.default_branch, schedules, ..Triggers::default() });
            }
            Err(error) => return Err(error),
        };
        // Where the commit cannot be read now, nothing of its file is known; the schedules are, and so is the list of runs beside.
        let (tags, inputs) = pushed::takes(&self.repository_folder(&repository), &commit, &found.name).await.unwrap_or_else(|error| {
            tracing::warn!(repository = %repository.id, %error, "what its runs take cannot be read now");
            Default::default()
        });
        Ok(Triggers { branch, tags, schedules, inputs })
    }

    async fn start(&self, actor: &Actor, team: &TeamName, service: &ServiceName, start: StartRun) -> Result<RunBrief> {
        let found = self.service(actor, team, service, Action::RetryRun).await?;
        let repository = self.repository_of(&found).await?;
        let event = event(actor, start.by_hand);
        let head = self.head(&found, &repository, start, event).await?;
        self.queue_asked(actor, &found, Asked::Head(Box::new((repository, head)))).await
    }

    async fn approve(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<()> {
        let found = self.service(actor, team, service, Action::ApproveRun).await?;
        let row = runs::by_number(&self.db, &found.team_id, &found.id, number).await?.ok_or_else(|| unknown_run(service, number))?;
        let mut tx = self.db.begin().await?;
        let Some(run) = runs::approve(&mut tx, &found.id, number, &row.commit, &actor.name).await? else {
            return Err(Error::conflict("not_held", format!("Run {number} of {service} waits for no approval (any more).")));
        };
        let short = row.commit.get(..8).unwrap_or_default();
        let subject = said::subject_run(number, &found.name);
        let path = Some(intake::run_path(found.team.as_str(), found.name.as_str(), number));
        let approved = NewEvent { subject, path, ..super::services::event(&found, "run.approved", said::detail_approved(short)) };
        events::insert(&mut tx, actor, approved).await?;
        tx.commit().await?;
        self.run_moved(&found, &run);
        Ok(())
    }

    async fn retry(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64, from: RetryFrom) -> Result<RunBrief> {
        let found = self.service(actor, team, service, Action::RetryRun).await?;
        let row = runs::by_number(&self.db, &found.team_id, &found.id, number).await?.ok_or_else(|| unknown_run(service, number))?;
        if !row.state.ended() {
            let sentence = format!("Run {number} of {service} has not ended yet. Cancel it first, or wait for it.");
            return Err(Error::conflict("not_ended", sentence));
        }
        let mut all = self.again_with(&found, row).await?;
        self.begin_at(from, &mut all).await?;
        self.queue_asked(actor, &found, Asked::Again(all)).await
    }

    async fn log(&self, actor: &Actor, step: &StepId, from: u64, limit: u32) -> Result<LogRange> {
        let team = self.team_of_log(actor, step).await?;
        let limit = limit.clamp(1, MOST_LINES) as usize;
        logs::read(&self.db, &team, step, from, limit).await?.ok_or_else(unknown_log)
    }

    async fn find_in_log(&self, actor: &Actor, step: &StepId, text: &str, from: u64, limit: u32) -> Result<LogFound> {
        let team = self.team_of_log(actor, step).await?;
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::invalid("nothing_to_find", "Say what to look for: a word, or a part of one."));
        }
        let limit = limit.clamp(1, MOST_LINES) as usize;
        logs::find(&self.db, &team, step, (from, limit), |line| holds(line, text)).await?.ok_or_else(unknown_log)
    }

    async fn follow(&self, actor: &Actor, step: &StepId, from: u64) -> Result<Live<LogLine>> {
        let team = self.team_of_log(actor, step).await?;
        let follower = Follower {
            db: self.db.clone(),
            changes: self.wake.listen(),
            topic: format!("step:{step}"),
            team,
            step: step.clone(),
            next: from.max(1),
            ready: VecDeque::new(),
        };
        Ok(Box::pin(stream::unfold(follower, async |mut follower| follower.next().await.map(|line| (line, follower)))))
    }

    async fn candidates(&self, actor: &Actor, team: &TeamName, service: &ServiceName, page: &PageRequest) -> Result<Page<Candidate>> {
        let service = self.service(actor, team, service, Action::ViewTeam).await?;
        Ok(candidates::list(&self.db, &service.id, page).await?)
    }
}

/// Hands out the lines of a log as they come. Lines are read from the store, so that a slow follower loses none and holds
/// up nobody.
struct Follower {
    db: crate::store::Db,
    changes: broadcast::Receiver<app::backend::Changed>,
    topic: String,
    team: TeamId,
    step: StepId,
    next: u64,
    ready: VecDeque<LogLine>,
}

impl Follower {
    async fn next(&mut self) -> Option<LogLine> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                self.next = line.number + 1;
                return Some(line);
            }
            match logs::read(&self.db, &self.team, &self.step, self.next, 500).await {
                Ok(Some(range)) if !range.lines.is_empty() => self.ready = range.lines.into(),
                Ok(Some(range)) if range.complete => return None,
                Ok(Some(_)) => self.woken().await,
                Ok(None) => return None,
                Err(error) => {
                    tracing::warn!(step = %self.step, %error, "a log cannot be read now");
                    self.woken().await;
                }
            }
        }
    }

    async fn woken(&mut self) {
        let _ = timeout(LOOK, async {
            loop {
                match self.changes.recv().await {
                    Ok(changed) if changed.topic == self.topic => return,
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => return,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        })
        .await;
    }
}
