//! From what the repository holds to what a run does: the resolved pipeline, kept with the run.

use std::collections::BTreeMap;

use app::{
    model::{Health, HealthCheck, Process, RunInput, Shape},
    said,
};
use serde::{Deserialize, Serialize};

use super::{
    PlannedRecipe, Problem, When, matrix, parse,
    plan::plan_of,
    terms::Terms,
    types::{self, BuildContext, Builder, Condition, File, StepNetwork},
};
use crate::pipelines::retry::Retries;

/// How long a stage may take that does not say.
const STAGE_TIMEOUT_MS: u64 = 30 * 60_000;
/// How long a sidecar may take until it is ready that does not say.
const READY_WITHIN_MS: u64 = 60_000;
/// How long a step after a failure may take that does not say.
const AFTER_TIMEOUT_MS: u64 = 5 * 60_000;
/// How often an interrupted stage is tried again where no step says.
const LOST_RETRIES: u32 = 2;

/// What a run does, complete: nothing of the file is looked at again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// The folder of the service in the repository; empty: its root.
    pub path: String,
    /// The stages before the image.
    pub stages: Vec<PlannedStage>,
    /// What is run once after a failure, whichever stage it was.
    #[serde(default)]
    pub on_failure: Vec<PlannedStep>,
    /// The Dockerfile, relative to the service's folder.
    pub dockerfile: String,
    /// Whether the Dockerfile sees the whole repository; else the service's folder alone.
    #[serde(default)]
    pub whole_context: bool,
    /// The builder that reads the Dockerfile.
    #[serde(default)]
    pub builder: Builder,
    /// What is baked instead of a Dockerfile being built.
    #[serde(default)]
    pub recipe: Option<PlannedRecipe>,
    /// The stage of the Dockerfile to stop at.
    pub target: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// How long the build may take.
    pub build_timeout_ms: u64,
    /// The shape of the candidate.
    pub shape: Shape,
    /// What its runs take.
    #[serde(default)]
    pub inputs: Vec<RunInput>,
    /// What the run is bound to.
    #[serde(default)]
    pub terms: Terms,
    /// What is said in the log before anything runs.
    pub notes: Vec<String>,
    /// Why this Berth will not run it; empty: it will.
    pub refused: Vec<String>,
    /// The plan in sentences.
    pub plan: Vec<String>,
}

impl Pipeline {
    /// The names of its stages in order, the image last; and which are not wanted, and why.
    pub fn order(&self) -> String {
        let names = self.stages.iter().map(PlannedStage::order).chain(["image".to_owned()]);
        names.collect::<Vec<_>>().join(", ")
    }

    /// The same of a run that makes no image.
    pub fn order_of_stages(&self) -> String {
        self.stages.iter().map(PlannedStage::order).collect::<Vec<_>>().join(", ")
    }

    /// The same for a run that begins like this: what is not wanted in it is marked with the reason.
    #[must_use]
    pub fn on(mut self, when: When<'_>) -> Self {
        for stage in &mut self.stages {
            let unwanted = |condition: &Option<Condition>| condition.as_ref().and_then(|condition| condition.unwanted(when));
            let whole = unwanted(&stage.condition);
            for step in &mut stage.steps {
                step.skipped = whole.clone().or_else(|| unwanted(&step.condition));
            }
        }
        self
    }

    /// The Dockerfile's path in the repository.
    pub fn dockerfile_path(&self) -> String {
        if self.path.is_empty() { self.dockerfile.clone() } else { format!("{}/{}", self.path, self.dockerfile) }
    }

    /// Whether it is built from a Dockerfile of the repository, as far as it is not refused anyhow.
    pub const fn needs_dockerfile(&self) -> bool {
        self.refused.is_empty() && self.recipe.is_none()
    }

    /// What the image is made from, as people know it: the artifact of a recipe, else the Dockerfile.
    pub fn made_from(&self) -> String {
        self.recipe.as_ref().map_or_else(|| self.dockerfile_path(), |recipe| recipe.artifact.clone())
    }

    /// The folder of the repository that the Dockerfile sees, empty for all of it, and the Dockerfile's path in it.
    pub fn context(&self) -> (&str, String) {
        if self.whole_context { ("", self.dockerfile_path()) } else { (&self.path, self.dockerfile.clone()) }
    }
}

/// A stage as it will run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStage {
    /// Its name.
    pub name: String,
    /// How long it may take.
    pub timeout_ms: u64,
    /// How often it is begun again after its holder vanished.
    pub lost_retries: u32,
    /// In which runs it is wanted.
    #[serde(default)]
    pub condition: Option<Condition>,
    /// Its steps.
    pub steps: Vec<PlannedStep>,
    /// What runs beside them.
    #[serde(default)]
    pub sidecars: Vec<PlannedSidecar>,
    /// What is run once after it failed.
    #[serde(default)]
    pub on_failure: Vec<PlannedStep>,
}

impl PlannedStage {
    /// Whether nothing of it is wanted.
    pub fn is_skipped(&self) -> bool {
        self.steps.iter().all(|step| step.skipped.is_some())
    }

    /// The steps that are wanted, and those after a failure: what may be run of it.
    pub fn may_run(&self) -> impl Iterator<Item = &PlannedStep> {
        let skipped = self.is_skipped();
        let wanted = self.steps.iter().filter(|step| step.skipped.is_none());
        wanted.chain(self.on_failure.iter().filter(move |_| !skipped))
    }

    /// The names of the steps that are not wanted, and why.
    pub fn skipped(&self) -> Vec<(String, String)> {
        self.steps.iter().filter_map(|step| Some((step.name.clone(), step.skipped.clone()?))).collect()
    }

    fn order(&self) -> String {
        let why = self.steps.first().and_then(|step| step.skipped.as_deref());
        match why.filter(|_| self.is_skipped()) {
            Some(why) => said::file::skipped(&self.name, why),
            None => self.name.clone(),
        }
    }
}

/// What runs beside the steps of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedSidecar {
    /// Its name: that under which the steps reach it.
    pub name: String,
    /// Its image, as written.
    pub image: String,
    /// What to run instead of the image's own command.
    pub command: Option<Vec<String>>,
    /// Its environment variables.
    pub env: BTreeMap<String, String>,
    /// A command inside of it that exits 0 once it is ready.
    pub ready: Option<Vec<String>>,
    /// How long it may take until it is ready.
    pub ready_within_ms: u64,
}

/// A step as it will run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Its name.
    pub name: String,
    /// Its image, as written.
    pub image: String,
    /// Its commands.
    pub commands: Vec<String>,
    /// Its environment variables.
    pub env: BTreeMap<String, String>,
    /// Whether it has no network.
    pub offline: bool,
    /// How long it may take.
    pub timeout_ms: u64,
    /// In which runs it is wanted.
    #[serde(default)]
    pub condition: Option<Condition>,
    /// Why it is not wanted in this one.
    #[serde(default)]
    pub skipped: Option<String>,
    /// How often it is tried again by itself.
    #[serde(default)]
    pub retry: Retries,
    /// Its test reports, as a glob.
    #[serde(default)]
    pub junit: Option<String>,
    /// Files to keep with the run, as globs.
    #[serde(default)]
    pub artifacts: Vec<String>,
    /// Names of the secrets it is given.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Folders kept between runs, each with the globs of the files it is made for.
    #[serde(default)]
    pub caches: BTreeMap<String, Vec<String>>,
}

/// Resolves what a commit holds: the text of its `berth.yaml`, if it has one, and whether it has a Dockerfile.
///
/// # Errors
/// Everything wrong with the file.
pub fn resolve(text: Option<&str>, has_dockerfile: bool, service: &str) -> Result<Pipeline, Vec<Problem>> {
    let Some(text) = text else { return Ok(without_file(has_dockerfile, service)) };
    Ok(resolve_in(&parse(text)?, service).unwrap_or_else(|| without_file(has_dockerfile, service)))
}

/// Resolves a service of a file; one that the file does not describe is refused with what it does describe. None: it
/// describes nothing.
pub fn resolve_in(file: &File, service: &str) -> Option<Pipeline> {
    let (name, found) = file.services.get_key_value(service).or_else(|| file.services.first_key_value())?;
    let mut refused = refusals(found);
    if name != service {
        refused.insert(0, said::file::describes_other(name, service));
    }
    let image = found.image.clone().unwrap_or_default();
    if image.recipe.is_some() && found.stages.is_empty() {
        refused.push(said::file::recipe_no_stage());
    }
    Some(Pipeline {
        path: clean_path(found.path.as_deref().unwrap_or(".")),
        stages: found.stages.iter().map(planned_stage).collect(),
        on_failure: found.on_failure.iter().map(planned_after).collect(),
        dockerfile: clean_path(image.dockerfile.as_deref().unwrap_or("Dockerfile")),
        whole_context: image.context == BuildContext::Repository,
        builder: image.builder,
        recipe: image.recipe.zip(image.artifact).map(|(kind, artifact)| PlannedRecipe::new(kind, clean_path(&artifact), image.base)),
        target: image.target,
        args: image.args,
        build_timeout_ms: image.timeout.map_or(STAGE_TIMEOUT_MS, types::Span::millis),
        shape: shape(found),
        inputs: inputs(found),
        terms: Terms::of(found),
        notes: Vec::new(),
        refused,
        plan: plan_of(name, found),
    })
}

/// A repository without a file: an image from its Dockerfile, and no tests.
fn without_file(has_dockerfile: bool, service: &str) -> Pipeline {
    let refused = if has_dockerfile { Vec::new() } else { vec![said::file::nothing_to_build()] };
    Pipeline {
        path: String::new(),
        stages: Vec::new(),
        on_failure: Vec::new(),
        dockerfile: "Dockerfile".into(),
        whole_context: false,
        builder: Builder::default(),
        recipe: None,
        target: None,
        args: BTreeMap::new(),
        build_timeout_ms: STAGE_TIMEOUT_MS,
        shape: Shape { processes: BTreeMap::from([("web".to_owned(), Process::default())]), release: None },
        inputs: Vec::new(),
        terms: Terms::default(),
        notes: vec![said::file::no_file()],
        refused,
        plan: vec![format!("{service}: image"), format!("{service}: {}", said::file::untested())],
    }
}

/// A relative path without `.` and empty parts; empty for the root.
fn clean_path(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

fn planned_stage(stage: &types::Stage) -> PlannedStage {
    let timeout_ms = stage.timeout.map_or(STAGE_TIMEOUT_MS, types::Span::millis);
    let step = |step: &types::Step| PlannedStep {
        name: step.name.clone(),
        image: step.image.clone(),
        commands: step.run.clone(),
        env: step.env.clone(),
        offline: step.network == Some(StepNetwork::None),
        timeout_ms: step.timeout.map_or(timeout_ms, types::Span::millis).min(timeout_ms),
        condition: step.condition.clone(),
        skipped: None,
        retry: step.retry.as_ref().map(retries).unwrap_or_default(),
        junit: step.junit.clone(),
        artifacts: step.artifacts.clone(),
        secrets: step.secrets.clone(),
        caches: step.caches.clone(),
    };
    let lost = stage.steps.iter().filter_map(|step| step.retry.as_ref()?.lost).max();
    PlannedStage {
        name: stage.name.clone(),
        timeout_ms,
        lost_retries: lost.unwrap_or(LOST_RETRIES),
        condition: stage.condition.clone(),
        steps: stage.steps.iter().flat_map(matrix::expand).map(|expanded| step(&expanded)).collect(),
        sidecars: stage.sidecars.iter().map(|(name, sidecar)| planned_sidecar(name, sidecar)).collect(),
        on_failure: stage.on_failure.iter().map(planned_after).collect(),
    }
}

fn planned_after(step: &types::FailureStep) -> PlannedStep {
    PlannedStep {
        name: step.name.clone(),
        image: step.image.clone(),
        commands: step.run.clone(),
        env: step.env.clone(),
        offline: step.network == Some(StepNetwork::None),
        timeout_ms: step.timeout.map_or(AFTER_TIMEOUT_MS, types::Span::millis),
        condition: None,
        skipped: None,
        retry: Retries::default(),
        junit: None,
        artifacts: step.artifacts.clone(),
        secrets: step.secrets.clone(),
        caches: BTreeMap::new(),
    }
}

fn planned_sidecar(name: &str, sidecar: &types::Sidecar) -> PlannedSidecar {
    PlannedSidecar {
        name: name.to_owned(),
        image: sidecar.image.clone(),
        command: sidecar.command.clone(),
        env: sidecar.env.clone(),
        ready: sidecar.ready.clone(),
        ready_within_ms: sidecar.ready_within.map_or(READY_WITHIN_MS, types::Span::millis),
    }
}

fn retries(retry: &types::Retry) -> Retries {
    Retries {
        failed: retry.failed.unwrap_or(0),
        exit_codes: retry.exit_codes.clone(),
        timeout: retry.timeout.unwrap_or(0),
        pull: retry.pull.unwrap_or(0),
    }
}

fn inputs(service: &types::Service) -> Vec<RunInput> {
    let input = |(name, input): (&String, &types::Input)| RunInput {
        name: name.clone(),
        description: input.description.clone().unwrap_or_default(),
        default: input.default.clone(),
        options: input.options.clone(),
        required: input.required,
    };
    service.inputs.iter().map(input).collect()
}

fn shape(service: &types::Service) -> Shape {
    let mut processes: BTreeMap<String, Process> =
        service.processes.iter().map(|(name, process)| (name.clone(), process_of(process))).collect();
    if processes.is_empty() {
        processes.insert("web".to_owned(), Process::default());
    }
    Shape { processes, release: service.release.clone() }
}

fn process_of(process: &types::Process) -> Process {
    Process {
        command: process.command.clone(),
        port: process.port,
        writable: process.writable.clone(),
        health: process.health.as_ref().map(health).unwrap_or_default(),
        drain_ms: process.drain.map_or(app::model::DEFAULT_DRAIN_MS, types::Span::millis),
    }
}

fn health(health: &types::Health) -> Health {
    let usual = Health::default();
    let check = match (&health.path, health.tcp, &health.command) {
        (Some(path), _, _) => HealthCheck::Http { path: path.clone() },
        (_, _, Some(command)) => HealthCheck::Command { command: command.clone() },
        (_, Some(true), _) => HealthCheck::Tcp,
        (_, Some(false), _) => HealthCheck::Running,
        _ => HealthCheck::Auto,
    };
    Health {
        check,
        interval_ms: health.interval.map_or(usual.interval_ms, types::Span::millis),
        timeout_ms: health.timeout.map_or(usual.timeout_ms, types::Span::millis),
        healthy_after: health.healthy_after.unwrap_or(usual.healthy_after),
        unhealthy_after: health.unhealthy_after.unwrap_or(usual.unhealthy_after),
        start_within_ms: health.start_within.map(types::Span::millis),
    }
}

/// What the grammar has and this version does not run: refused at the start of the run, never left out in silence.
fn refusals(service: &types::Service) -> Vec<String> {
    (!service.jobs.is_empty()).then(said::file::no_jobs_yet).into_iter().collect()
}
