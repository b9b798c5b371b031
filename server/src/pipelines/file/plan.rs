//! What a file asks for, in sentences.

use app::said::file as said;

use super::{
    duration::say,
    matrix,
    types::{BuildMode, Builder, Condition, FailureStep, File, Input, Job, Process, Service, Stage, Step},
};

/// The plan of a file: who comes to one version, one line a service, and what it runs.
pub fn plan(file: &File) -> Vec<String> {
    together(file).into_iter().chain(file.services.iter().flat_map(|(name, service)| plan_of(name, service))).collect()
}

/// Which services of a file come to one version; none where each has its own.
pub fn together(file: &File) -> Option<String> {
    let one = file.build == BuildMode::Together && file.services.len() > 1;
    one.then(|| at_one_version(file.services.keys()))
}

/// That services come to one version, in a few words.
pub fn at_one_version(names: impl IntoIterator<Item: std::fmt::Display>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    said::together(names.join(", "))
}

/// The plan of a service.
pub(super) fn plan_of(name: &str, service: &Service) -> Vec<String> {
    said_of(service).into_iter().map(|says| format!("{name}: {says}")).collect()
}

fn said_of(service: &Service) -> Vec<String> {
    let order = service.stages.iter().map(|stage| stage.name.as_str()).chain(["image"]);
    let mut lines = vec![order.collect::<Vec<_>>().join(", ")];
    for stage in &service.stages {
        lines.push(stage_line(stage));
        if !stage.on_failure.is_empty() {
            lines.push(said::after_stage(&stage.name, after(&stage.on_failure)));
        }
    }
    if !service.on_failure.is_empty() {
        lines.push(said::after_any(after(&service.on_failure)));
    }
    if service.stages.is_empty() {
        lines.push(said::untested());
    }
    if !service.on.tag.is_empty() {
        lines.push(said::on_tags(service.on.tag.join(", ")));
    }
    lines.extend(service.on.schedule.iter().map(|schedule| said::on_schedule(&schedule.cron, schedule.zone())));
    lines.extend(service.inputs.iter().map(|(name, input)| input_line(name, input)));
    lines.extend(service.timeout.map(|timeout| said::in_all(say(timeout.0))));
    lines.extend(service.concurrency.as_ref().map(|of| said::in_group(of.limit.unwrap_or(1), &of.group)));
    let buildkit = service.image.as_ref().is_some_and(|image| image.builder == Builder::Buildkit);
    lines.extend(buildkit.then(said::built_by_buildkit));
    lines.extend(service.release.as_ref().map(|command| said::release_runs(command.join(" "))));
    lines.extend(service.processes.iter().map(|(name, process)| process_line(name, process)));
    lines.extend(service.jobs.iter().map(|(name, job)| job_line(name, job)));
    lines
}

fn stage_line(stage: &Stage) -> String {
    let steps: Vec<String> = stage.steps.iter().flat_map(matrix::expand).map(|step| with_condition(&step)).collect();
    let steps = steps.join(", ");
    let beside: Vec<&str> = stage.sidecars.keys().map(String::as_str).collect();
    let steps = if beside.is_empty() { steps } else { said::step_beside(steps, beside.join(", ")) };
    let limit = stage.timeout.map(|span| said::no_longer(say(span.0)));
    let condition = stage.condition.as_ref().map(Condition::says);
    let all: Vec<String> = [Some(steps), limit, condition].into_iter().flatten().collect();
    said::stage_runs(&stage.name, all.join(", "))
}

fn input_line(name: &str, input: &Input) -> String {
    let options = input.options.join(", ");
    match (input.required, &input.default, input.options.is_empty()) {
        (true, _, true) => said::takes_required(name),
        (true, _, false) => said::takes_required_one(name, options),
        (false, Some(default), true) => said::takes_default(name, format_args!("{default:?}")),
        (false, Some(default), false) => said::takes_default_one(name, format_args!("{default:?}"), options),
        (false, None, true) => said::takes(name),
        (false, None, false) => said::takes_one(name, options),
    }
}

/// A step's name, and in which runs it is wanted.
fn with_condition(step: &Step) -> String {
    match &step.condition {
        Some(condition) => said::step_where(&step.name, condition.says()),
        None => step.name.clone(),
    }
}

fn after(steps: &[FailureStep]) -> String {
    steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn process_line(name: &str, process: &Process) -> String {
    let command = process.command.as_ref().map_or_else(said::own_command, |command| command.join(" "));
    match process.port {
        Some(port) => said::process_on(name, command, port),
        None => said::process_runs(name, command),
    }
}

fn job_line(name: &str, job: &Job) -> String {
    let (command, zone) = (job.command.join(" "), job.time_zone.as_deref().unwrap_or("UTC"));
    match &job.schedule {
        Some(schedule) => said::job_runs(name, command, schedule, zone),
        None => said::job_asked(name, command, zone),
    }
}
