//! What a schema cannot say. Works on the nodes, so that a file that fails the schema gets these answers too.

use std::{path::Path, time::Duration};

use app::{model::Timestamp, said::file as said};

use super::{
    AFTER_AT_MOST, Problem,
    duration::{LONGEST, Span, say},
    inputs::unfit,
    matrix,
    recipe::is_plain,
    yaml::{Data, Node},
};
use crate::{
    pipelines::{
        cron::{Cron, is_zone},
        step::WORKSPACE,
    },
    platform::container::is_of_the_kernel,
};

/// So many schedules has a service at most.
const MOST_SCHEDULES: usize = 20;
/// So many inputs does a run take at most.
const MOST_INPUTS: usize = 20;
/// So many caches does a step have at most.
const MOST_CACHES: usize = 10;

/// Everything wrong beyond the schema.
pub(super) fn problems(root: &Node) -> Vec<Problem> {
    let mut found = Vec::new();
    let services = root.get("services").map(Node::entries).unwrap_or_default();
    for (name, service) in services {
        if services.len() > 1 && service.get("path").is_none() {
            found.push(name.at.problem(said::needs_path(&name.name)));
        }
        check_service(service, &mut found);
    }
    check_paths_differ(services.iter().map(|(_, service)| service), &mut found);
    found
}

fn check_paths_differ<'n>(services: impl Iterator<Item = &'n Node>, found: &mut Vec<Problem>) {
    let mut seen: Vec<&str> = Vec::new();
    for node in services.filter_map(|service| service.get("path")) {
        let Some(path) = node.text() else { continue };
        let path = path.trim_end_matches('/');
        if seen.contains(&path) {
            found.push(node.problem(said::folder_taken(path)));
        }
        seen.push(path);
    }
}

fn check_service(service: &Node, found: &mut Vec<Problem>) {
    if let Some(path) = service.get("path") {
        check_inside(path, found);
    }
    for glob in service.get("watch").map(Node::items).unwrap_or_default() {
        check_glob(glob, found);
    }
    check_on(service, found);
    check_inputs(service, found);
    check_stages(service, found);
    check_after(service, &[], found);
    if let Some(image) = service.get("image") {
        check_image(image, found);
    }
    for (name, process) in service.get("processes").map(Node::entries).unwrap_or_default() {
        check_process(&name.name, name.at.line, process, found);
        if name.name != "web" && process.get("command").is_none() {
            found.push(name.at.problem(said::needs_command(&name.name)));
        }
    }
    for (_, job) in service.get("jobs").map(Node::entries).unwrap_or_default() {
        if let Some(schedule) = job.get("schedule") {
            check_schedule(schedule, found);
        }
        check_zone(job, found);
    }
}

/// What makes a service run beside a push.
fn check_on(service: &Node, found: &mut Vec<Problem>) {
    let Some(on) = service.get("on") else { return };
    for glob in on.get("tag").map(Node::items).unwrap_or_default() {
        let Some(text) = glob.text() else { continue };
        if text.is_empty() {
            found.push(glob.problem(said::empty_tag()));
        } else if let Some(name) = text.strip_prefix("refs/tags/") {
            found.push(glob.problem(said::tag_alone(name)));
        } else if let Err(error) = globset::Glob::new(text) {
            found.push(glob.problem(said::no_glob(text, error.kind())));
        }
    }
    let schedules = on.get("schedule").map(Node::items).unwrap_or_default();
    if let Some(beyond) = schedules.get(MOST_SCHEDULES) {
        found.push(beyond.problem(said::most_schedules(MOST_SCHEDULES)));
    }
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for schedule in schedules {
        let Some(node) = schedule.get("cron") else { continue };
        check_schedule(node, found);
        check_zone(schedule, found);
        let zone = schedule.get("time_zone").and_then(Node::text).unwrap_or("UTC");
        let Some(cron) = node.text() else { continue };
        if seen.contains(&(cron, zone)) {
            found.push(node.problem(said::once(cron)));
        }
        seen.push((cron, zone));
    }
}

/// What runs take.
fn check_inputs(service: &Node, found: &mut Vec<Problem>) {
    let Some(inputs) = service.get("inputs") else { return };
    check_own(inputs, found);
    if let Some((beyond, _)) = inputs.entries().get(MOST_INPUTS) {
        found.push(beyond.at.problem(said::most_inputs(MOST_INPUTS)));
    }
    for (name, input) in inputs.entries() {
        let options = input.get("options").map(Node::items).unwrap_or_default();
        for (index, option) in options.iter().enumerate() {
            let Some(text) = option.text() else { continue };
            if options[..index].iter().any(|before| before.text() == Some(text)) {
                found.push(option.problem(said::once(text)));
            }
        }
        let Some(default) = input.get("default") else { continue };
        if input.get("required").is_some_and(|required| matches!(required.data, Data::Bool(true))) {
            found.push(default.problem(said::never_used(&name.name)));
        }
        let Some(text) = default.text() else { continue };
        if !options.is_empty() && !options.iter().any(|option| option.text() == Some(text)) {
            found.push(default.problem(said::no_option(text, &name.name)));
        }
        if let Some(why) = unfit("default", text) {
            found.push(default.problem(why));
        }
    }
}

fn check_zone(holder: &Node, found: &mut Vec<Problem>) {
    let Some(node) = holder.get("time_zone") else { return };
    // What does not even look like one is refused by the schema.
    if let Some(name) = node.text().filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-/".contains(&b)) && !is_zone(name))
    {
        found.push(node.problem(said::no_zone(name)));
    }
}

fn check_stages(service: &Node, found: &mut Vec<Problem>) {
    let stages = service.get("stages").map(Node::items).unwrap_or_default();
    check_unique(stages, said::stage_twice, found);
    for stage in stages {
        if let Some(name) = stage.get("name").filter(|name| name.text() == Some("image")) {
            found.push(name.problem(said::stage_image()));
        }
        check_timeout(stage, found);
        check_condition(stage, found);
        let steps = stage.get("steps").map(Node::items).unwrap_or_default();
        check_unique(steps, said::step_twice, found);
        for step in steps {
            check_step(step, found);
            check_condition(step, found);
            check_matrix(step, found);
        }
        check_after(stage, steps, found);
        for (_, sidecar) in stage.get("sidecars").map(Node::entries).unwrap_or_default() {
            check_variables(sidecar, found);
            check_span(sidecar, "ready_within", Duration::from_secs(1), found);
        }
    }
}

fn check_unique<'n>(nodes: &'n [Node], twice: impl Fn(&'n str) -> String, found: &mut Vec<Problem>) {
    let mut seen: Vec<&str> = Vec::new();
    for node in nodes.iter().filter_map(|node| node.get("name")) {
        let Some(name) = node.text() else { continue };
        if seen.contains(&name) {
            found.push(node.problem(twice(name)));
        }
        seen.push(name);
    }
}

fn check_step(step: &Node, found: &mut Vec<Problem>) {
    check_timeout(step, found);
    check_variables(step, found);
    if let Some(junit) = step.get("junit") {
        check_glob(junit, found);
    }
    for artifact in step.get("artifacts").map(Node::items).unwrap_or_default() {
        check_glob(artifact, found);
    }
    check_caches(step, found);
    for command in step.get("run").map(Node::items).unwrap_or_default() {
        if command.text().is_some_and(|text| text.trim().is_empty()) {
            found.push(command.problem(said::empty_command()));
        }
    }
    if let Some(retry) = step.get("retry")
        && let (Some(codes), None) = (retry.key("exit_codes"), retry.get("failed"))
    {
        found.push(codes.at.problem(said::codes_alone()));
    }
}

fn check_caches(step: &Node, found: &mut Vec<Problem>) {
    let caches = step.get("caches").map(Node::entries).unwrap_or_default();
    for (path, files) in caches {
        if !is_folder(&path.name) {
            found.push(path.at.problem(said::no_folder(&path.name)));
        } else if is_of_the_kernel(&path.name) || Path::new(&path.name) == Path::new(WORKSPACE) {
            found.push(path.at.problem(said::no_cache(&path.name)));
        }
        for glob in files.items() {
            check_glob(glob, found);
        }
    }
    if let Some((beyond, _)) = caches.get(MOST_CACHES) {
        found.push(beyond.at.problem(said::most_caches(MOST_CACHES)));
    }
}

/// What is run after a failure; none of it has the name of one of the steps before.
fn check_after(holder: &Node, before: &[Node], found: &mut Vec<Problem>) {
    let after = holder.get("on_failure").map(Node::items).unwrap_or_default();
    let first = found.len();
    check_unique(&[before, after].concat(), said::step_twice, found);
    // What the steps before have among themselves is said already.
    let place = after.first().map_or(usize::MAX, |node| node.at.line);
    let said = found.split_off(first);
    found.extend(said.into_iter().filter(|problem| problem.line >= place));
    for step in after {
        check_step(step, found);
        check_most(step, AFTER_AT_MOST, found);
    }
}

fn check_most(step: &Node, most: Duration, found: &mut Vec<Problem>) {
    let Some(node) = step.get("timeout") else { return };
    if node.text().and_then(Span::read).is_some_and(|Span(span)| span > most && span <= LONGEST) {
        found.push(node.problem(said::after_at_most(say(most))));
    }
}

/// Branches of a condition are globs.
fn check_condition(holder: &Node, found: &mut Vec<Problem>) {
    let Some(condition) = holder.get("if") else { return };
    let lists = [condition.get("branch"), condition.get("not").and_then(|not| not.get("branch"))];
    for glob in lists.into_iter().flatten().flat_map(Node::items) {
        let Some(text) = glob.text() else { continue };
        if text.is_empty() {
            found.push(glob.problem(said::empty_branch()));
        } else if let Err(error) = globset::Glob::new(text) {
            found.push(glob.problem(said::no_glob(text, error.kind())));
        }
    }
}

fn check_matrix(step: &Node, found: &mut Vec<Problem>) {
    let Some(matrix) = step.get("matrix") else { return };
    check_own(matrix, found);
    let mut combinations = 1_usize;
    for (_, values) in matrix.entries() {
        let values_of = values.items();
        combinations = combinations.saturating_mul(values_of.len());
        if values_of.is_empty() {
            found.push(values.problem(said::no_values()));
        }
        for (index, value) in values_of.iter().enumerate() {
            let Some(text) = value.text() else { continue };
            if values_of[..index].iter().any(|before| before.text() == Some(text)) {
                found.push(value.problem(said::value_twice(text)));
            }
            if text.is_empty() || text.chars().count() > 40 || text.chars().any(char::is_control) {
                found.push(value.problem(said::value_form()));
            }
        }
    }
    if combinations > matrix::MOST {
        found.push(matrix.problem(said::many_steps(combinations, matrix::MOST)));
    }
}

fn check_variables(holder: &Node, found: &mut Vec<Problem>) {
    if let Some(variables) = holder.get("env") {
        check_own(variables, found);
    }
}

/// Holds that no variable has a name that Berth gives.
fn check_own(variables: &Node, found: &mut Vec<Problem>) {
    for (key, _) in variables.entries() {
        if key.name.starts_with("BERTH_") {
            found.push(key.at.problem(said::set_by_berth(&key.name)));
        }
    }
}

fn check_timeout(holder: &Node, found: &mut Vec<Problem>) {
    check_span(holder, "timeout", Duration::from_secs(1), found);
}

fn check_span(holder: &Node, key: &str, least: Duration, found: &mut Vec<Problem>) {
    let Some(node) = holder.get(key) else { return };
    let Some(Span(span)) = node.text().and_then(Span::read) else { return };
    if span < least {
        found.push(node.problem(said::at_least(key, say(least))));
    }
    if span > LONGEST {
        found.push(node.problem(said::at_most(key, say(LONGEST))));
    }
}

fn check_image(image: &Node, found: &mut Vec<Problem>) {
    check_timeout(image, found);
    for key in ["dockerfile", "artifact"] {
        if let Some(path) = image.get(key) {
            check_inside(path, found);
        }
    }
    if let (None, Some(base)) = (image.get("recipe"), image.key("base")) {
        found.push(base.at.problem(said::base_alone()));
    }
    if let Some(artifact) = image.get("artifact")
        && artifact.text().is_some_and(|path| !is_plain(path))
    {
        found.push(artifact.problem(said::artifact_form()));
    }
    match (image.key("recipe"), image.get("artifact")) {
        (Some(recipe), None) => found.push(recipe.at.problem(said::recipe_alone())),
        (None, Some(artifact)) => found.push(artifact.problem(said::artifact_alone())),
        _ => {}
    }
    if image.get("recipe").is_some() {
        for key in ["dockerfile", "context", "builder", "target", "args"] {
            if let Some(key) = image.key(key) {
                found.push(key.at.problem(said::of_dockerfile(&key.name)));
            }
        }
    }
}

fn check_process(name: &str, line: usize, process: &Node, found: &mut Vec<Problem>) {
    for path in process.get("writable").map(Node::items).unwrap_or_default() {
        check_absolute(path, found);
    }
    check_span(process, "drain", Duration::ZERO, found);
    let Some(health) = process.get("health") else { return };
    check_span(health, "interval", Duration::from_millis(100), found);
    check_span(health, "timeout", Duration::from_millis(100), found);
    check_span(health, "start_within", Duration::from_secs(1), found);
    let asked: Vec<_> = ["path", "tcp", "command"].into_iter().filter_map(|key| health.key(key)).collect();
    if let [first, second, ..] = asked.as_slice() {
        found.push(second.at.problem(said::health_twice(&first.name)));
    }
    let needs_port = asked.iter().find(|key| key.name != "command");
    if let Some(key) = needs_port
        && name != "web"
        && process.get("port").is_none()
    {
        found.push(key.at.problem(said::needs_port(&key.name, name, line)));
    }
}

fn check_absolute(node: &Node, found: &mut Vec<Problem>) {
    let Some(path) = node.text() else { return };
    if !is_folder(path) {
        found.push(node.problem(said::no_folder(path)));
    }
}

/// Whether a text is the absolute path of a folder that something can be put at.
fn is_folder(path: &str) -> bool {
    path.starts_with('/')
        && !path.trim_end_matches('/').is_empty()
        && path.split('/').all(|part| part != ".." && part != ".")
        && !path.contains(['\0', ':', ',', '\\'])
}

fn check_inside(node: &Node, found: &mut Vec<Problem>) {
    let Some(path) = node.text() else { return };
    if path.starts_with('/') || path.contains(['\0', '\\']) || path.split('/').any(|part| part == "..") {
        found.push(node.problem(said::leaves(path)));
    }
}

fn check_glob(node: &Node, found: &mut Vec<Problem>) {
    let Some(glob) = node.text() else { return };
    if let Err(error) = globset::Glob::new(glob) {
        found.push(node.problem(said::no_glob(glob, error.kind())));
    }
    check_inside(node, found);
}

fn check_schedule(node: &Node, found: &mut Vec<Problem>) {
    let Some(text) = node.text() else { return };
    let fields: Vec<&str> = text.split_whitespace().collect();
    let ranges = [
        (said::unit_minute(), 0, 59),
        (said::unit_hour(), 0, 23),
        (said::unit_day(), 1, 31),
        (said::unit_month(), 1, 12),
        (said::unit_weekday(), 0, 7),
    ];
    if fields.len() != ranges.len() {
        found.push(node.problem(said::five_fields(fields.len())));
        return;
    }
    for (field, (unit, low, high)) in fields.iter().zip(ranges) {
        if !cron_field(field, low, high) {
            found.push(node.problem(said::no_field(field, unit, low, high)));
            return;
        }
    }
    // In whatever time zone, and whenever that is asked.
    match Cron::new(text, "UTC") {
        None => found.push(node.problem(said::no_schedule(text))),
        Some(cron) if cron.next(Timestamp(0)).is_none() => found.push(node.problem(said::never_comes(text))),
        Some(_) => {}
    }
}

fn cron_field(field: &str, low: u32, high: u32) -> bool {
    let number = |text: &str| text.parse::<u32>().is_ok_and(|number| (low..=high).contains(&number));
    field.split(',').all(|part| {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let good_step = step.is_none_or(|step| step.parse::<u32>().is_ok_and(|step| step > 0));
        let good_range = range == "*" || number(range) || range.split_once('-').is_some_and(|(a, b)| number(a) && number(b));
        good_step && good_range
    })
}
