//! What a file asks for, in sentences.

use super::{
    duration::say,
    matrix,
    types::{BuildMode, FailureStep, File, Input, Job, Process, Service, Step},
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
    format!("together: {} at one version", names.join(", "))
}

/// The plan of a service.
pub(super) fn plan_of(name: &str, service: &Service) -> Vec<String> {
    let mut order: Vec<String> = service.stages.iter().map(|stage| stage.name.clone()).collect();
    order.push("image".to_owned());
    let mut lines = vec![format!("{name}: {}", order.join(", "))];
    for stage in &service.stages {
        let steps: Vec<String> = stage.steps.iter().flat_map(matrix::expand).map(|step| with_condition(&step)).collect();
        let limit = stage.timeout.map(|span| format!(", at most {}", say(span.0))).unwrap_or_default();
        let beside: Vec<&str> = stage.sidecars.keys().map(String::as_str).collect();
        let beside = if beside.is_empty() { String::new() } else { format!(" beside {}", beside.join(", ")) };
        let condition = stage.condition.as_ref().map(|condition| format!(", {}", condition.says())).unwrap_or_default();
        lines.push(format!("{name}: stage {} runs {}{beside}{limit}{condition}", stage.name, steps.join(", ")));
        if !stage.on_failure.is_empty() {
            lines.push(format!("{name}: where stage {} failed, once: {}", stage.name, after(&stage.on_failure)));
        }
    }
    if !service.on_failure.is_empty() {
        lines.push(format!("{name}: where a stage failed, once: {}", after(&service.on_failure)));
    }
    if service.stages.is_empty() {
        lines.push(format!("{name}: nothing is tested"));
    }
    if !service.on.tag.is_empty() {
        lines.push(format!("{name}: runs on tags {}", service.on.tag.join(", ")));
    }
    lines.extend(service.on.schedule.iter().map(|schedule| format!("{name}: runs at {} ({})", schedule.cron, schedule.zone())));
    lines.extend(service.inputs.iter().map(|(input, shape)| input_line(name, input, shape)));
    if let Some(timeout) = service.timeout {
        lines.push(format!("{name}: all of it at most {}", say(timeout.0)));
    }
    if let Some(concurrency) = &service.concurrency {
        lines.push(format!("{name}: at most {} at once in the group {}", concurrency.limit.unwrap_or(1), concurrency.group));
    }
    if let Some(command) = &service.release {
        lines.push(format!("{name}: before traffic moves, once: {}", command.join(" ")));
    }
    lines.extend(service.processes.iter().map(|(process, shape)| process_line(name, process, shape)));
    lines.extend(service.jobs.iter().map(|(job, shape)| job_line(name, job, shape)));
    lines
}

fn input_line(service: &str, name: &str, input: &Input) -> String {
    let required = input.required.then(|| "required".to_owned());
    let default = input.default.as_ref().map(|default| format!("{default:?} where not given"));
    let options = (!input.options.is_empty()).then(|| format!("one of {}", input.options.join(", ")));
    let said: Vec<String> = [required, default, options].into_iter().flatten().collect();
    let said = if said.is_empty() { String::new() } else { format!(" ({})", said.join("; ")) };
    format!("{service}: takes {name}{said}")
}

/// A step's name, and in which runs it is wanted.
fn with_condition(step: &Step) -> String {
    match &step.condition {
        Some(condition) => format!("{} ({})", step.name, condition.says()),
        None => step.name.clone(),
    }
}

fn after(steps: &[FailureStep]) -> String {
    steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn process_line(service: &str, name: &str, process: &Process) -> String {
    let command = process.command.as_ref().map_or_else(|| "the image's own command".to_owned(), |command| command.join(" "));
    let port = process.port.map(|port| format!(" on port {port}")).unwrap_or_default();
    format!("{service}: process {name} runs {command}{port}")
}

fn job_line(service: &str, name: &str, job: &Job) -> String {
    let when = job.schedule.as_deref().map_or_else(|| "when asked".to_owned(), |schedule| format!("at {schedule}"));
    let zone = job.time_zone.as_deref().unwrap_or("UTC");
    format!("{service}: job {name} runs {} {when} ({zone})", job.command.join(" "))
}
