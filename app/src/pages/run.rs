//! A run: the sentence that explains a failure on top, the stages as a line, the steps side by side, the log.

use leptos::prelude::*;

use super::{done, path_of, together::together};
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{
        Confirm, Formed, Mark, Tone, empty, facts, head, line, log_found, log_lines, log_seek, log_tail, log_times, rollout_tone,
        rollout_word, run_status_of, run_tone, run_word, say, sentence, short_commit, span_of, status, submit, table_of, when,
    },
    error::Result,
    islands::{LogStream, line_of},
    locales::Lang,
    model::{
        LineKind, LogLine, LogRange, PushedRun, RetryFrom, Role, RolloutState, Run, RunImage, RunState, ServiceName, SinceGood, Step,
        TeamName, Timestamp,
    },
    way::{Way, named},
};

/// How many lines of a log a page shows at once.
const LINES: u32 = 1_000;
/// How many of its last lines explain a failure.
const TAIL: u32 = 6;
const MOST_FOUND: usize = 500;

/// The run.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let number: u64 = caller.param("number")?;
    let actor = caller.actor()?;
    let run = caller.backend.runs.show(actor, &team, &name, number).await?;
    let path = format!("{}/runs/{number}", path_of(&team, &name));
    let chosen = chosen(caller, &run);
    let log = match chosen {
        Some(step) => log_of(caller, &path, step).await?,
        None => empty(if run.state.ended() { t.no_log() } else { t.no_log_yet() }, ()),
    };
    let tail = tail(caller, &run).await?;
    let results = super::run_results::cards(caller, &run).await?;
    let body = view! {
        {done(caller)}
        <div data-live="head">{top(caller, &run)}</div>
        <div data-live="why">{untrusted(t, &run)}{why(t, &run)}{tail}</div>
        <section class="card pad" data-live="line" aria-label=t.stages()>{stages(caller, &run)}</section>
        <div data-live="steps">{steps(caller, &path, &run, chosen)}</div>
        <div data-live="results">{results}</div>
        <div class="two">
            {log}
            <div class="stack">
                <section class="card" data-live="about">
                    <header><h2>{t.about()}</h2></header>
                    <div class="body">{about(caller, &run)}</div>
                </section>
                {together(t, &run.team, (&run.service, run.number), &run.together)}
                {push(t, &run)}
            </div>
        </div>
    };
    Ok(Screen::new(t.run_title(number, &name), body.into_any())
        .at(Some(&team), format!("/teams/{team}"))
        .crumb(team.to_string(), format!("/teams/{team}"))
        .crumb(name.to_string(), path_of(&team, &name))
        .crumb(t.run_number(number), path)
        .live(&["run:", "rollout:", "step:"])
        .ways(ways(t, &run, chosen))
        .into())
}

/// The step whose log is shown: the one asked for, else the one that failed, else the one under way, else the last begun.
fn chosen<'a>(caller: &Caller, run: &'a Run) -> Option<&'a Step> {
    let steps: Vec<&Step> = run.stages.iter().flat_map(|stage| &stage.steps).collect();
    let asked = caller.query.get("step");
    let failed = |step: &&&Step| matches!(step.state, RunState::Failed | RunState::Errored | RunState::TimedOut | RunState::Lost);
    let found = steps.iter().find(|step| step.id.as_str() == asked).or_else(|| steps.iter().find(failed));
    let found = found.or_else(|| steps.iter().find(|step| step.state == RunState::Running));
    found.or_else(|| steps.iter().rev().find(|step| step.started_at.is_some())).copied()
}

/// The first line shown: as the address says, else so that the last [`LINES`] fit.
fn first_line(caller: &Caller, step: &Step) -> u64 {
    caller.query.get("from").parse().unwrap_or_else(|_| step.lines.saturating_sub(u64::from(LINES) - 1)).max(1)
}

/// What can be done to a run now, elsewhere.
fn ways(t: Lang, run: &Run, step: Option<&Step>) -> Vec<Way> {
    let (number, service) = (run.number, named(&run.team, &run.service));
    let path = format!("/teams/{}/services/{}/runs/{number}", run.team, run.service);
    let mut ways = vec![Way::get(t.way_look(), path.clone()).cli(format!("berth runs show {number} --service {service}"))];
    ways.push(Way::get(t.way_tests(), format!("{path}/tests")).cli(format!("berth runs tests {number} --service {service}")));
    ways.push(Way::get(t.way_files(), format!("{path}/artifacts")).cli(format!("berth runs artifacts {number} --service {service}")));
    if let Some(step) = step {
        let command = format!("berth runs logs {number} --service {service} --step {}", step.name);
        ways.push(Way::get(t.log_of(&step.name), format!("/steps/{}/log", step.id)).cli(command));
    }
    let (says, verb) = if run.state.ended() { (t.run_again(), "retry") } else { (t.cancel_run_does(), "cancel") };
    let act = Way::act(says, "POST", format!("{path}/actions/{verb}"));
    ways.push(act.cli(format!("berth runs {verb} {number} --service {service}")));
    for from in run.again.iter().filter(|from| **from != RetryFrom::Start) {
        let says = if *from == RetryFrom::Stage { t.again_stage() } else { t.again_steps() };
        let act = Way::act(says, "POST", format!("{path}/actions/retry?from={}", from.name()));
        ways.push(act.cli(format!("berth runs retry {number} --service {service} --from {}", from.name())));
    }
    if run.held {
        let act = Way::act(t.run_approve(), "POST", format!("{path}/actions/approve"));
        ways.push(act.cli(format!("berth runs approve {number} --service {service}")));
    }
    ways
}

fn top(caller: &Caller, run: &Run) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let stage = run.stages.iter().find(|stage| run_tone(stage.state) == run_tone(run.state) && stage.state != RunState::Passed);
    let title = view! { {t.run_number(run.number)}" "{run_status_of(t, run.state, run.kept, stage.map(|stage| stage.name.as_str()))} };
    let below = view! {
        "“"{run.title.clone()}"” · "<code>{short_commit(&run.commit)}</code>" "{t.of_ref(&run.branch)}" · "{t.begun_by(run.event, &run.by)}" "
        {when(t, now, run.created_at)}
        {run.started_at.map(|_| " · ")}
        {span_of(t, now, run.started_at, run.finished_at)}
    };
    head(title, below, buttons(caller, run))
}

fn buttons(caller: &Caller, run: &Run) -> AnyView {
    let t = caller.lang;
    if !caller.may(&run.team, Role::Developer) {
        return ().into_any();
    }
    if run.state.ended() {
        return again(caller, run);
    }
    if run.cancelling {
        return view! { <span class="soft small">{t.is_cancelling()}</span> }.into_any();
    }
    let form = Formed::new(caller, "cancel");
    let cancel = Confirm { open: t.cancel_run(), says: t.cancel_run_says(), does: t.cancel_run_does(), name: None, bad: true };
    if !run.held {
        return cancel.show(t, &form);
    }
    let approve = Confirm { open: t.run_approve(), says: t.run_approve_says(), does: t.run_approve(), name: None, bad: false };
    view! { {approve.show(t, &Formed::new(caller, "approve"))}{cancel.show(t, &form)} }.into_any()
}

/// What is to be known of the run of a commit that anybody may have made.
fn untrusted(t: Lang, run: &Run) -> AnyView {
    if !run.untrusted {
        return ().into_any();
    }
    let by = run.approved_by.as_ref().map(|by| format!(" {}", t.run_approved_by(by)));
    view! { <p class="small soft">{t.run_untrusted()}{by}</p> }.into_any()
}

/// The buttons that begin an ended run again: from its start, and where it failed.
fn again(caller: &Caller, run: &Run) -> AnyView {
    let t = caller.lang;
    let button = |from: &RetryFrom| {
        let (says, title) = match from {
            RetryFrom::Start => (t.run_again(), None),
            RetryFrom::Stage => (t.again_stage(), Some(t.again_stage_says())),
            RetryFrom::Steps => (t.again_steps(), Some(t.again_steps_says())),
        };
        let form = Formed::of(caller, "retry", from.name());
        view! { <form method="post" title=title>{form.names()}{form.trouble(&[])}{submit("", says)}</form> }
    };
    // What changes least stands first.
    run.again.iter().rev().map(button).collect_view().into_any()
}

/// Why it failed, or why it waits.
fn why(t: Lang, run: &Run) -> AnyView {
    if let Some(failure) = &run.failure {
        let to = culprit(run).filter(|step| step.lines > 0).map(|step| {
            view! { " "<a href=line_of(step.id.as_str(), step.lines)>{t.to_the_log()}</a> }
        });
        let since = run.since_good.as_ref().map(|since| since_good(t, run, since));
        return say(Tone::Bad, view! { <b>{sentence(t, failure)}</b>{to}{since} });
    }
    if run.kept {
        return say(Tone::Idle, sentence(t, &run.reason));
    }
    match run.waits.clone().filter(|_| !run.state.ended()) {
        Some(waits) => say(Tone::Idle, sentence(t, &waits)),
        None => ().into_any(),
    }
}

/// What is different since the branch was good last.
fn since_good(t: Lang, run: &Run, since: &SinceGood) -> AnyView {
    let to = format!("{}/runs/{}", path_of(&run.team, &run.service), since.run);
    let commits = since.commits.iter().map(|commit| {
        view! { <li><code>{short_commit(&commit.id)}</code>" "{commit.title.clone()}" "<span class="soft">{commit.author.clone()}</span></li> }
    });
    let commits = commits.collect_view();
    let failing = since.failing.iter().map(|test| view! { <li>{t.since_good_fails(test)}</li> }).collect_view();
    let none = (since.commits.is_empty() && since.commits_unread.is_none()).then(|| view! { <li>{t.since_good_no_commit()}</li> });
    let unread = since.commits_unread.as_ref().map(|why| view! { <li>{sentence(t, why)}</li> });
    view! {
        <details class="small">
            <summary>{t.since_good(since.commits.len(), since.failing.len())}</summary>
            <p><a href=to>{t.since_good_run(since.run)}</a></p>
            <ul>{unread}{none}{commits}{failing}</ul>
        </details>
    }
    .into_any()
}

/// The first step that went wrong.
fn culprit(run: &Run) -> Option<&Step> {
    let mut steps = run.stages.iter().flat_map(|stage| &stage.steps);
    steps.find(|step| step.state != RunState::Skipped && (step.failure.is_some() || step.exit_code.unwrap_or(0) != 0))
}

/// The last lines of the step that went wrong, under the sentence that explains it.
async fn tail(caller: &Caller, run: &Run) -> Result<Option<AnyView>> {
    let Some(step) = culprit(run).filter(|step| run.failure.is_some() && step.lines > 0) else { return Ok(None) };
    let from = step.lines.saturating_sub(u64::from(TAIL) - 1).max(1);
    let log = caller.backend.runs.log(caller.actor()?, &step.id, from, TAIL).await?;
    // What Berth says of the end stands above already.
    let wrote: Vec<LogLine> = log.lines.into_iter().filter(|line| !matches!(line.kind, LineKind::Note | LineKind::Exit)).collect();
    Ok((!wrote.is_empty()).then(|| log_tail(&wrote)))
}

fn stages(caller: &Caller, run: &Run) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let mut marks: Vec<Mark> = run
        .stages
        .iter()
        .map(|stage| {
            let attempt = (stage.attempt > 1).then(|| format!(" · {}", t.attempt(stage.attempt)));
            let given = !stage.steps.is_empty() && stage.steps.iter().all(|step| step.failure.is_some());
            let taken = stage.taken_from().map(|number| view! { " · "{taken_from(t, run, number)} });
            let body = view! { {status(run_tone(stage.state), word_in(t, run, stage.state, given))}" "{span_of(t, now, stage.started_at, stage.finished_at)}{attempt}{taken} };
            Mark { tone: run_tone(stage.state), name: stage.name.clone(), body: body.into_any() }
        })
        .collect();
    let (tone, body) = match run.candidate {
        Some(number) => (Tone::Ok, view! { <span class="rel">"c"{number.to_string()}</span> }.into_any()),
        None if run.state.ended() => (Tone::Idle, status(Tone::Idle, t.not_reached())),
        None => (Tone::Idle, status(Tone::Idle, t.run_queued())),
    };
    marks.push(Mark { tone, name: t.candidate().to_owned(), body });
    for rollout in &run.rollouts {
        let tone = rollout_tone(rollout.state);
        let body = view! { <a href=format!("/rollouts/{}", rollout.id)>{status(tone, rollout_word(t, rollout.state))}" v"{rollout.to.to_string()}</a> };
        marks.push(Mark { tone, name: t.rollout().to_owned(), body: body.into_any() });
    }
    line(t.stages(), marks)
}

/// The word of a stage or a step within its run. What a run that did not pass never came to was skipped by nobody: where a
/// reason is given, it was.
fn word_in(t: Lang, run: &Run, state: RunState, given: bool) -> &'static str {
    let stopped = matches!(run.state, RunState::Failed | RunState::Errored | RunState::TimedOut | RunState::Lost | RunState::Cancelled);
    match state {
        RunState::Skipped if stopped && !given => t.not_reached(),
        _ => run_word(t, state),
    }
}

/// A link to the run that something was taken over from.
fn taken_from(t: Lang, run: &Run, number: u64) -> AnyView {
    let to = format!("{}/runs/{number}", path_of(&run.team, &run.service));
    view! { <a class="small" href=to>{t.taken_from(number)}</a> }.into_any()
}

/// The steps of every stage, side by side; each leads to its log.
fn steps(caller: &Caller, path: &str, run: &Run, chosen: Option<&Step>) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let stages = run
        .stages
        .iter()
        .filter(|stage| !stage.steps.is_empty())
        .map(|stage| {
            let steps = stage
                .steps
                .iter()
                .map(|step| {
                    let here = chosen.is_some_and(|chosen| chosen.id == step.id).then_some("true");
                    let exit = step.exit_code.filter(|code| *code != 0).map(|code| t.exit(code));
                    view! {
                        <a class="step" href=format!("{path}?step={}#log", step.id) aria-current=here>
                            <span class="spread"><b>{step.name.clone()}</b>{kind_of(t, step)}{status(run_tone(step.state), exit.unwrap_or_else(|| word_in(t, run, step.state, step.failure.is_some()).to_owned()))}</span>
                            <span class="small faint spread"><span class="cut">{step.image.clone()}</span>{took(t, now, step)}</span>
                        </a>
                    }
                })
                .collect_view();
            view! { <div class="stage"><h2 class="small soft">{stage.name.clone()}</h2><div class="side">{steps}</div></div> }
        })
        .collect_view();
    view! { <div class="stages">{stages}</div> }.into_any()
}

/// What is told of a step beside its name: that it is none but runs beside or after them, why it is not wanted, and how often
/// it was tried.
fn kind_of(t: Lang, step: &Step) -> AnyView {
    let tries = (step.tries > 1).then(|| view! { <span class="small soft">{t.tries(step.tries)}</span> });
    let sidecar = step.sidecar.then(|| view! { <span class="small soft">{t.sidecar()}</span> });
    let after = step.on_failure.then(|| view! { <span class="small soft">{t.after_failure()}</span> });
    let taken = step.taken_from.map(|number| view! { <span class="small soft">{t.taken_from(number)}</span> });
    let why = step.failure.as_ref().filter(|_| step.state == RunState::Skipped);
    let why = why.map(|why| view! { <span class="small soft">{t.stored(why)}</span> });
    view! { {sidecar}{after}{taken}{why}{tries} }.into_any()
}

fn took(t: Lang, now: Timestamp, step: &Step) -> AnyView {
    span_of(t, now, step.started_at, step.finished_at)
}

/// The log of a step: the part the address asks for, or the lines of all of it that hold what is looked for.
async fn log_of(caller: &Caller, path: &str, step: &Step) -> Result<AnyView> {
    let (actor, runs) = (caller.actor()?, &caller.backend.runs);
    let wanted = caller.query.get("find");
    if wanted.is_empty() {
        return Ok(log_card(caller, path, step, &runs.log(actor, &step.id, first_line(caller, step), LINES).await?));
    }
    let (mut found, mut from) = (Vec::new(), 1);
    while found.len() < MOST_FOUND {
        let room = u32::try_from(MOST_FOUND - found.len()).unwrap_or(u32::MAX);
        let part = runs.find_in_log(actor, &step.id, wanted, from, room).await?;
        found.extend(part.lines);
        match part.next {
            Some(next) => from = next,
            None => break,
        }
    }
    Ok(found_card(caller, path, step, &found))
}

/// The field that looks for something in the whole log of a step.
fn seek(caller: &Caller, step: &Step) -> AnyView {
    log_seek(caller.lang, Some(step.id.as_str()), caller.query.get("find"))
}

fn found_card(caller: &Caller, path: &str, step: &Step, found: &[LogLine]) -> AnyView {
    let t = caller.lang;
    let to = |number: u64| format!("{path}{}", line_of(step.id.as_str(), number));
    let lines = if found.is_empty() {
        view! { <p class="pad small faint">{t.found_nothing(caller.query.get("find"))}</p> }.into_any()
    } else {
        log_found(found, caller.query.get("find"), to)
    };
    let said = if found.len() == MOST_FOUND { t.found_first(found.len()) } else { t.lines(found.len() as u64) };
    view! {
        <section class="card logcard" id="log" aria-label=t.log_of(&step.name)>
            <header>
                <h2>{step.name.clone()}</h2>
                {seek(caller, step)}
                <span class="end small faint">{said}" · "<a href=format!("{path}?step={}#log", step.id)>{t.whole_log()}</a></span>
            </header>
            <div class="log" tabindex="0" role="log" aria-label=t.log_of(&step.name)>{lines}</div>
        </section>
    }
    .into_any()
}

fn log_card(caller: &Caller, path: &str, step: &Step, log: &LogRange) -> AnyView {
    let t = caller.lang;
    let first = log.lines.first().map_or(1, |line| line.number);
    let last = log.lines.last().map_or(first.saturating_sub(1), |line| line.number);
    let link = |from: u64| format!("{path}?step={}&from={from}#log", step.id);
    let earlier = (first > 1).then(|| {
        view! { <a class="more small" href=link(first.saturating_sub(u64::from(LINES)).max(1))>{t.earlier_lines(first - 1)}</a> }
    });
    let later = (last < log.total).then(|| {
        view! { <a class="more small" href=link(last + 1)>{t.later_lines(log.total - last)}</a> }
    });
    // A log that is complete ends at once, and is shown from its end as well.
    let follow = (last >= log.total).then(|| {
        let at_first = if log.complete { t.log_complete() } else { t.following() };
        let words = vec![at_first.to_owned(), t.log_complete().to_owned()];
        view! { <LogStream step=step.id.to_string() next=last + 1 words=words /> }
    });
    let lines = if log.lines.is_empty() && log.complete {
        view! { <p class="pad small faint">{t.log_empty()}</p> }.into_any()
    } else {
        log_lines(&log.lines, |number| line_of(step.id.as_str(), number))
    };
    view! {
        <section class="card logcard" id="log" data-live="log" data-key=step.id.to_string() aria-label=t.log_of(&step.name)>
            <header>
                <h2>{step.name.clone()}</h2>
                <span class="small soft cut">{step.image.clone()}</span>
                {seek(caller, step)}
                {log_times(t)}
                <span class="end small faint">
                    {follow}{t.lines(log.total)}" · "
                    <a href=format!("/api/v1/steps/{}/log/text", step.id) download=true title=t.log_download_says()>{t.log_download()}</a>
                </span>
            </header>
            {earlier}
            <div class="log" id=format!("log-{}", step.id) data-first=first.to_string() tabindex="0" role="log" aria-label=t.log_of(&step.name)>{lines}</div>
            {later}
        </section>
    }
    .into_any()
}

/// What the push came to for each service of the repository, where it has several.
fn push(t: Lang, run: &Run) -> AnyView {
    if run.push.len() < 2 {
        return ().into_any();
    }
    let row = |pushed: &PushedRun| {
        let to = format!("{}/runs/{}", path_of(&run.team, &pushed.service), pushed.number);
        let here = (pushed.service == run.service && pushed.number == run.number).then_some("true");
        view! {
            <tr>
                <th scope="row" class="grow">
                    <a href=to aria-current=here>{pushed.service.to_string()}</a>
                    <div class="small soft">{sentence(t, &pushed.plan)}</div>
                </th>
                <td data-label=t.col_state()>{run_status_of(t, pushed.state, pushed.kept, None)}</td>
            </tr>
        }
    };
    let rows = run.push.iter().map(row).collect_view();
    view! {
        <section class="card" data-live="push">
            <header><h2>{t.push_came_to()}</h2></header>
            <div class="body"><p class="small soft">{t.push_came_to_below()}</p>{table_of(&[t.col_service(), t.col_state()], rows)}</div>
        </section>
    }
    .into_any()
}

fn about(caller: &Caller, run: &Run) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let mut rows = vec![(t.why_it_ran(), sentence(t, &run.reason)), (t.event(), t.begun(run.event).into_any())];
    rows.extend(run.goes_on.map(|number| {
        let to = format!("{}/runs/{number}", path_of(&run.team, &run.service));
        (t.goes_on(), view! { <a href=to>{t.run_number(number)}</a> }.into_any())
    }));
    if !run.inputs.is_empty() {
        rows.push((t.inputs(), inputs(run)));
    }
    if let Some(started) = run.started_at {
        rows.push((t.waited(), t.took(started.since(run.created_at)).into_any()));
    }
    rows.push((t.author(), run.author.clone().into_any()));
    rows.push((t.commit(), view! { <code class="wrap">{run.commit.clone()}</code> }.into_any()));
    if let Some(candidate) = run.candidate {
        let there = format!("{}/candidates/{candidate}", path_of(&run.team, &run.service));
        rows.push((t.candidate(), view! { <a href=there>"c"{candidate.to_string()}</a> }.into_any()));
    }
    rows.extend(run.image.iter().flat_map(|image| made(t, image)));
    for rollout in &run.rollouts {
        let failure = rollout.failure.as_ref().filter(|_| rollout.state == RolloutState::Failed).map(|failure| sentence(t, failure));
        let value = view! { <a href=format!("/rollouts/{}", rollout.id)>"v"{rollout.to.to_string()}</a>" "{failure} };
        rows.push((t.rollout(), value.into_any()));
    }
    if let Some(finished) = run.finished_at {
        rows.push((t.ended(), when(t, now, finished)));
    }
    match run.files_until {
        Some(until) => rows.push((t.files_kept(), view! { {t.files_kept_until()}" "{when(t, now, until)} }.into_any())),
        None if rerunnable(run.state) => rows.push((t.files_kept(), t.files_not_kept().into_any())),
        None => {}
    }
    facts(rows)
}

/// Whether somebody may look for a way to go on from it.
const fn rerunnable(state: RunState) -> bool {
    matches!(state, RunState::Failed | RunState::TimedOut | RunState::Errored | RunState::Lost)
}

/// What its steps were given.
fn inputs(run: &Run) -> AnyView {
    let one = |(name, value): (&String, &String)| view! { <div class="wrap"><code>{name.clone()}</code>" "{value.clone()}</div> };
    run.inputs.iter().map(one).collect_view().into_any()
}

/// The image's size and the time of its build, beside those of the candidate before.
fn made(t: Lang, image: &RunImage) -> Vec<(&'static str, AnyView)> {
    let mib = |bytes: u64| i64::try_from(bytes >> 20).unwrap_or(i64::MAX);
    let more = image.before.zip(image.size_before).map(|(before, size)| {
        let more = format!("{:+}", mib(image.size) - mib(size));
        view! { " "<span class="small faint">{t.run_image_more(more, before)}</span> }
    });
    let mut rows = vec![(t.run_image(), view! { {format!("{} MiB", mib(image.size))}{more} }.into_any())];
    let took = |ms: u64| t.took(std::time::Duration::from_millis(ms));
    rows.extend(image.build_ms.map(|ms| {
        let before = image.before.zip(image.build_ms_before).map(|(before, ms)| {
            view! { " "<span class="small faint">{t.run_built_before(took(ms), before)}</span> }
        });
        (t.run_built(), view! { {took(ms)}{before} }.into_any())
    }));
    rows
}

/// Cancels, or runs again.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let number: u64 = caller.param("number")?;
    let (actor, runs) = (caller.actor()?, &caller.backend.runs);
    match caller.verb() {
        "cancel" => {
            runs.cancel(actor, &team, &name, number).await?;
            Ok(Answer::Go(format!("{}/runs/{number}?done=cancelling", path_of(&team, &name))))
        }
        "approve" => {
            runs.approve(actor, &team, &name, number).await?;
            Ok(Answer::Go(format!("{}/runs/{number}?done=approved", path_of(&team, &name))))
        }
        "retry" => {
            let from = RetryFrom::from_name(caller.form.get("of")).unwrap_or_default();
            let run = runs.retry(actor, &team, &name, number, from).await?;
            Ok(Answer::Go(format!("{}/runs/{}", path_of(&team, &name), run.number)))
        }
        _ => Err(no_such_form()),
    }
}
