//! What a pushed commit comes to for each service of its repository: read from Git and the store, decided by [`select`].

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use app::{
    model::{CandidateId, RunEvent, RunInput, RunState, ServiceName},
    said,
};

use super::{
    Context,
    file::{
        self, FILE_NAME, MAX_BYTES, Pipeline, Problem, When,
        types::{BuildMode, File},
        wants_tag,
    },
    intake::IntakeError,
    select::{Choice, Seen, Since, Watched, as_one, choose, is_whole},
};
use crate::{
    git::{self, Ancestry},
    store::{
        repositories::{BuiltHere, RepositoryRow},
        selection::{self, LastGood},
    },
};

/// What a push comes to for one service.
#[derive(Debug)]
pub struct Outcome {
    /// The service.
    pub service: BuiltHere,
    /// Queued, or the state its run ends in at once.
    pub state: RunState,
    /// Why it runs, or does not.
    pub reason: String,
    /// What is run and why, or what is kept, in a few words.
    pub plan: String,
    /// What is wrong, where it failed at once.
    pub failure: Option<String>,
    /// What is to be run.
    pub pipeline: Option<Pipeline>,
    /// The candidate it keeps.
    pub kept: Option<CandidateId>,
    /// Whether it comes to one version with all others of which that is said.
    pub together: bool,
}

impl Outcome {
    /// Nothing is run, for this reason.
    pub fn skipped(service: &BuiltHere, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let service = service.clone();
        Self { service, state: RunState::Skipped, plan: reason.clone(), reason, failure: None, pipeline: None, kept: None, together: false }
    }

    fn failed(service: &BuiltHere, reason: &str, failure: String) -> Self {
        Self { state: RunState::Failed, reason: reason.to_owned(), failure: Some(failure), ..Self::skipped(service, "") }
    }

    fn queued(service: &BuiltHere, reason: &str, pipeline: Pipeline, why: Option<String>) -> Self {
        let order = pipeline.order();
        let plan = why.map_or_else(|| order.clone(), |why| said::plan_because(&order, why));
        Self { state: RunState::Queued, reason: reason.to_owned(), plan, pipeline: Some(pipeline), ..Self::skipped(service, "") }
    }

    fn kept(service: &BuiltHere, good: &LastGood) -> Self {
        let plan = said::unchanged_since(good.number);
        Self { state: RunState::Passed, plan, kept: Some(good.candidate.clone()), ..Self::skipped(service, said::kept(good.number)) }
    }
}

/// The head of a branch, or a tag, that was pushed.
#[derive(Clone, Copy, Debug)]
pub struct Pushed<'a> {
    /// The repository.
    pub repository: &'a RepositoryRow,
    /// The branch; of a tag or a proposed change its ref.
    pub branch: &'a str,
    /// The commit.
    pub commit: &'a str,
    /// Why the services it touches run.
    pub reason: &'a str,
    /// What makes them run.
    pub event: RunEvent,
}

impl<'a> Pushed<'a> {
    /// What conditions are held against.
    fn when(&self) -> When<'a> {
        When::of(self.branch, self.event)
    }
}

/// What the push comes to, for every service built from the repository.
pub(super) async fn outcomes(ctx: &Context, pushed: Pushed<'_>) -> Result<Vec<Outcome>, IntakeError> {
    let folder = ctx.repository(&pushed.repository.id);
    let services = &pushed.repository.services;
    let all_fail = |failure: String| services.iter().map(|service| Outcome::failed(service, pushed.reason, failure.clone())).collect();
    let mut outcomes = match read_pipeline_file(&folder, pushed.commit).await? {
        Some(Err(problems)) => return Ok(all_fail(summary(&problems))),
        Some(Ok(file)) => described(ctx, &folder, &file, pushed).await?,
        None => match pushed.repository.only() {
            Some(only) => {
                let has_dockerfile = git::has_file(&folder, pushed.commit, "Dockerfile").await?;
                let pipeline = file::resolve(None, has_dockerfile, only.name.as_str()).ok();
                pipeline.map(|pipeline| Outcome::queued(only, pushed.reason, pipeline, None)).into_iter().collect()
            }
            None => return Ok(all_fail(said::several_undescribed())),
        },
    };
    refuse_without_dockerfile(&folder, pushed.commit, &mut outcomes).await?;
    Ok(outcomes)
}

/// What a pushed tag comes to: the services whose file asks for it run, whatever changed, and with each those that come to one
/// version with it. The others do nothing, and say nothing; nor does a file that does not read, which its branch tells of.
/// `skip`: the commit asks for no run.
pub(super) async fn tagged(ctx: &Context, tag: &str, pushed: Pushed<'_>, skip: Option<&str>) -> Result<Vec<Outcome>, IntakeError> {
    let folder = ctx.repository(&pushed.repository.id);
    let Some(Ok(file)) = read_pipeline_file(&folder, pushed.commit).await? else { return Ok(Vec::new()) };
    let asks = |service: &&BuiltHere| file.services.get(service.name.as_str()).is_some_and(|found| wants_tag(&found.on, tag));
    let any = pushed.repository.services.iter().any(|service| asks(&service));
    let together = any && file.build == BuildMode::Together;
    let mut outcomes = Vec::new();
    for service in &pushed.repository.services {
        let described = file.services.contains_key(service.name.as_str());
        if !(asks(&service) || together && described) {
            continue;
        }
        outcomes.extend(match skip {
            Some(why) => Some(Outcome::skipped(service, why)),
            None => file::resolve_in(&file, service.name.as_str())
                .map(|pipeline| Outcome { together, ..Outcome::queued(service, pushed.reason, pipeline.on(pushed.when()), None) }),
        });
    }
    refuse_without_dockerfile(&folder, pushed.commit, &mut outcomes).await?;
    Ok(outcomes)
}

/// What a proposed change comes to: the services whose file at the commit `file_of` asks for it run, whatever changed, each by
/// itself, since none comes to a version. The others do nothing, and say nothing; nor does a file that does not read.
pub(super) async fn proposed(ctx: &Context, file_of: &str, pushed: Pushed<'_>, skip: Option<&str>) -> Result<Vec<Outcome>, IntakeError> {
    let folder = ctx.repository(&pushed.repository.id);
    let Some(Ok(file)) = read_pipeline_file(&folder, file_of).await? else { return Ok(Vec::new()) };
    let mut outcomes = Vec::new();
    for service in &pushed.repository.services {
        let name = service.name.as_str();
        if !file.services.get(name).is_some_and(|found| found.on.pull_request) {
            continue;
        }
        let Some(pipeline) = file::resolve_in(&file, name).map(|pipeline| pipeline.on(pushed.when())) else { continue };
        let nothing = pipeline.stages.is_empty().then(said::change_no_stages);
        outcomes.push(match skip.map(str::to_owned).or(nothing) {
            Some(why) => Outcome::skipped(service, why),
            None => Outcome { plan: pipeline.order_of_stages(), ..Outcome::queued(service, pushed.reason, pipeline, None) },
        });
    }
    Ok(outcomes)
}

/// The pipeline file of a commit, or everything wrong with it; none where there is none.
pub(super) async fn read_pipeline_file(folder: &Path, commit: &str) -> git::Result<Option<Result<File, Vec<Problem>>>> {
    let text = git::read_file(folder, commit, FILE_NAME, MAX_BYTES).await?;
    Ok(text.map(|bytes| file::parse(&String::from_utf8_lossy(&bytes))))
}

/// The services that the file describes run or keep what they have; one it does not describe says so.
async fn described(ctx: &Context, folder: &Path, file: &File, pushed: Pushed<'_>) -> Result<Vec<Outcome>, IntakeError> {
    let services = &pushed.repository.services;
    let known = services.iter().any(|service| file.services.contains_key(service.name.as_str()));
    let bases = Bases::of(ctx, folder, file, pushed).await?;
    let described = |service: &&BuiltHere| !known || file.services.contains_key(service.name.as_str());
    let mut choices: Vec<(&str, Choice)> =
        services.iter().filter(described).map(|service| (service.name.as_str(), choose(bases.since(service)))).collect();
    let together = known && file.build == BuildMode::Together;
    if together {
        as_one(&mut choices);
    }
    let mut choices = choices.into_iter();
    let mut outcomes = Vec::new();
    for service in services {
        let name = service.name.as_str();
        if !described(&service) {
            outcomes.push(Outcome::skipped(service, said::not_described(name)));
            continue;
        }
        let (Some((_, choice)), Some(pipeline)) = (choices.next(), file::resolve_in(file, name).map(|pipeline| pipeline.on(pushed.when())))
        else {
            continue;
        };
        let outcome = match (choice, bases.good.get(service.id.as_str())) {
            (Choice::Run(why), _) => Outcome::queued(service, pushed.reason, pipeline, why),
            (Choice::Keep(_), Some(good)) => Outcome::kept(service, good),
            (Choice::Keep(_), None) => Outcome::queued(service, pushed.reason, pipeline, None),
        };
        outcomes.push(Outcome { together: together && outcome.state == RunState::Queued, ..outcome });
    }
    Ok(outcomes)
}

/// What changed since a commit at which services came to a candidate.
enum Changes {
    Missing,
    Rewritten,
    Unread,
    Read(Seen),
}

/// Where the services of a push came to a candidate last, and what changed since.
struct Bases {
    /// Their places in the file, by their names; one that is the whole repository has none.
    places: BTreeMap<String, usize>,
    /// Where each came to a candidate last, by its id.
    good: BTreeMap<String, LastGood>,
    /// What changed since each of these commits.
    changes: BTreeMap<String, Changes>,
}

impl Bases {
    async fn of(ctx: &Context, folder: &Path, file: &File, pushed: Pushed<'_>) -> Result<Self, IntakeError> {
        let apart = file.services.iter().enumerate().filter(|(_, (_, service))| !is_whole(service));
        let places: BTreeMap<String, usize> = apart.map(|(place, (name, _))| (name.clone(), place)).collect();
        let mut bases = Self { places, good: BTreeMap::new(), changes: BTreeMap::new() };
        if bases.places.is_empty() {
            return Ok(bases);
        }
        bases.good = good(ctx, pushed).await?;
        let apart = pushed.repository.services.iter().filter(|service| bases.places.contains_key(service.name.as_str()));
        let commits: BTreeSet<&String> = apart.filter_map(|service| Some(&bases.good.get(service.id.as_str())?.commit)).collect();
        let watched = Watched::new(file.services.values());
        let mut changes = BTreeMap::new();
        for commit in commits {
            changes.insert(commit.clone(), changed_since(folder, &watched, commit, pushed.commit).await);
        }
        bases.changes = changes;
        Ok(bases)
    }

    fn since(&self, service: &BuiltHere) -> Since<'_> {
        let Some(place) = self.places.get(service.name.as_str()) else { return Since::Whole };
        let Some(good) = self.good.get(service.id.as_str()) else { return Since::Never };
        match self.changes.get(&good.commit) {
            Some(Changes::Read(seen)) => Since::Read(good.number, seen, *place),
            Some(Changes::Missing) => Since::Missing(good.number),
            Some(Changes::Rewritten) => Since::Rewritten(good.number),
            Some(Changes::Unread) | None => Since::Unread(good.number),
        }
    }
}

/// Where each service came to a candidate last: on the branch; else on the default one, from which a new branch begins.
async fn good(ctx: &Context, pushed: Pushed<'_>) -> Result<BTreeMap<String, LastGood>, IntakeError> {
    let repository = pushed.repository;
    let mut all = Vec::new();
    if pushed.branch != repository.default_branch {
        all = selection::last_good(&ctx.db, &repository.id, &repository.default_branch).await?;
    }
    all.extend(selection::last_good(&ctx.db, &repository.id, pushed.branch).await?);
    Ok(all.into_iter().map(|good| (good.service.to_string(), good)).collect())
}

/// What changed from one commit to another. In doubt it is not known, and the services run.
async fn changed_since(folder: &Path, watched: &Watched, base: &str, head: &str) -> Changes {
    match git::ancestry(folder, base, head).await {
        Ok(Ancestry::Within) => {}
        Ok(Ancestry::Beside) => return Changes::Rewritten,
        Ok(Ancestry::Missing) => return Changes::Missing,
        Err(error) => {
            tracing::warn!(%error, "two commits cannot be compared: everything runs");
            return Changes::Unread;
        }
    }
    let mut seen = watched.nothing();
    match git::changed(folder, base, head, |path| watched.see(path, &mut seen)).await {
        Ok(()) => Changes::Read(seen),
        Err(error) => {
            tracing::warn!(%error, "what changed cannot be read: everything runs");
            Changes::Unread
        }
    }
}

/// A service whose Dockerfile is not there is refused: no image could be built.
async fn refuse_without_dockerfile(folder: &Path, commit: &str, outcomes: &mut [Outcome]) -> git::Result<()> {
    let wanted = || outcomes.iter().filter_map(|outcome| outcome.pipeline.as_ref()).filter(|pipeline| pipeline.needs_dockerfile());
    let paths: BTreeSet<String> = wanted().map(Pipeline::dockerfile_path).collect();
    let there = git::files(folder, commit, &paths).await?;
    for pipeline in outcomes.iter_mut().filter_map(|outcome| outcome.pipeline.as_mut()) {
        let path = pipeline.dockerfile_path();
        if pipeline.needs_dockerfile() && !there.contains(&path) {
            pipeline.refused.push(said::file::no_dockerfile(path));
        }
    }
    Ok(())
}

/// Problems in one sentence: the first, and how many more there are.
pub(super) fn summary(problems: &[Problem]) -> String {
    let Some(first) = problems.first() else { return String::new() };
    match problems.len() - 1 {
        0 => first.to_string(),
        more => said::file::and_more(first, more),
    }
}

/// What the file of a commit says: everything wrong with it, or the services it describes. Neither where there is none.
///
/// # Errors
/// Where the commit cannot be read.
pub async fn says(folder: &Path, commit: &str) -> git::Result<(Vec<Problem>, Vec<String>)> {
    Ok(match read_pipeline_file(folder, commit).await? {
        None => (Vec::new(), Vec::new()),
        Some(Err(problems)) => (problems, Vec::new()),
        Some(Ok(file)) => (Vec::new(), file.services.into_keys().collect()),
    })
}

/// Which tags a service runs on as the file of a commit says, and what its runs take; and so do those that come to one version
/// with it. Nothing where the file does not read.
///
/// # Errors
/// Where the commit cannot be read.
pub async fn takes(folder: &Path, commit: &str, service: &ServiceName) -> git::Result<(Vec<String>, Vec<RunInput>)> {
    let Some(Ok(file)) = read_pipeline_file(folder, commit).await? else { return Ok((Vec::new(), Vec::new())) };
    let Some(found) = file.services.get(service.as_str()) else { return Ok((Vec::new(), Vec::new())) };
    let names = file.services.keys().filter(|name| *name == service.as_str() || file.build == BuildMode::Together);
    let mut inputs = BTreeMap::new();
    for pipeline in names.filter_map(|name| file::resolve_in(&file, name)) {
        for input in pipeline.inputs {
            inputs.entry(input.name.clone()).or_insert(input);
        }
    }
    Ok((found.on.tag.clone(), inputs.into_values().collect()))
}

/// The pipeline of one service at a commit in a run that begins like this, whatever changed, and with it those of the `others`
/// that come to one version with it, by name. None where it has none that reads.
///
/// # Errors
/// Where the commit cannot be read.
pub async fn pipelines_of(
    folder: &Path,
    commit: &str,
    service: &BuiltHere,
    others: &[BuiltHere],
    when: When<'_>,
) -> git::Result<Vec<(BuiltHere, Pipeline)>> {
    let queued = |service: &BuiltHere, pipeline: Pipeline| Outcome::queued(service, "", pipeline.on(when), None);
    let mut outcomes: Vec<Outcome> = match read_pipeline_file(folder, commit).await? {
        Some(Err(_)) => Vec::new(),
        Some(Ok(file)) => {
            let together = file.build == BuildMode::Together && file.services.contains_key(service.name.as_str());
            let with_it = |other: &&BuiltHere| other.id == service.id || together && file.services.contains_key(other.name.as_str());
            let all = others.iter().filter(with_it);
            all.filter_map(|other| Some(queued(other, file::resolve_in(&file, other.name.as_str())?))).collect()
        }
        None => {
            let has_dockerfile = git::has_file(folder, commit, "Dockerfile").await?;
            file::resolve(None, has_dockerfile, service.name.as_str()).ok().map(|pipeline| queued(service, pipeline)).into_iter().collect()
        }
    };
    refuse_without_dockerfile(folder, commit, &mut outcomes).await?;
    Ok(outcomes.into_iter().filter_map(|outcome| Some((outcome.service, outcome.pipeline?))).collect())
}
