//! How things are: a shape and a word, never a colour alone.

use leptos::prelude::*;

use crate::{
    locales::Lang,
    model::{InstanceState, RolloutState, RunState, Target, TargetHealth},
};

/// The five ways something can be. Each has its shape and its colour in the style sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Good.
    Ok,
    /// Under way.
    Move,
    /// Needs a person.
    Warn,
    /// Bad.
    Bad,
    /// Nothing to say.
    Idle,
}

impl Tone {
    /// Its class.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Move => "move",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Idle => "idle",
        }
    }
}

/// A shape and a word.
pub fn status(tone: Tone, word: impl Into<String>) -> AnyView {
    view! { <span class=format!("st {}", tone.class())>{word.into()}</span> }.into_any()
}

/// The tone of a run, a stage or a step.
pub const fn run_tone(state: RunState) -> Tone {
    match state {
        RunState::Queued | RunState::Skipped | RunState::Superseded | RunState::Cancelled => Tone::Idle,
        RunState::Running => Tone::Move,
        RunState::Passed => Tone::Ok,
        RunState::Lost => Tone::Warn,
        RunState::Failed | RunState::Errored | RunState::TimedOut => Tone::Bad,
    }
}

/// The word of a run, a stage or a step.
pub fn run_word(t: Lang, state: RunState) -> &'static str {
    match state {
        RunState::Queued => t.run_queued(),
        RunState::Running => t.run_running(),
        RunState::Passed => t.run_passed(),
        RunState::Failed => t.run_failed(),
        RunState::Errored => t.run_errored(),
        RunState::Cancelled => t.run_cancelled(),
        RunState::TimedOut => t.run_timed_out(),
        RunState::Lost => t.run_lost(),
        RunState::Superseded => t.run_superseded(),
        RunState::Skipped => t.run_skipped(),
    }
}

/// The status of a run, with the stage it failed in.
pub fn run_status(t: Lang, state: RunState, stage: Option<&str>) -> AnyView {
    let word = match (state, stage) {
        (RunState::Failed | RunState::Errored | RunState::TimedOut, Some(stage)) => t.in_stage(run_word(t, state), stage),
        (RunState::Running, Some(stage)) => t.in_stage(run_word(t, state), stage),
        _ => run_word(t, state).to_owned(),
    };
    status(run_tone(state), word)
}

/// As [`run_status`]; a run that ran nothing says that nothing had changed.
pub fn run_status_of(t: Lang, state: RunState, kept: bool, stage: Option<&str>) -> AnyView {
    if kept { status(Tone::Idle, t.run_kept()) } else { run_status(t, state, stage) }
}

/// The tone of a rollout.
pub const fn rollout_tone(state: RolloutState) -> Tone {
    match state {
        RolloutState::Queued | RolloutState::Cancelled | RolloutState::Superseded => Tone::Idle,
        RolloutState::Running => Tone::Move,
        RolloutState::Succeeded => Tone::Ok,
        RolloutState::Failed => Tone::Bad,
    }
}

/// The word of a rollout.
pub fn rollout_word(t: Lang, state: RolloutState) -> &'static str {
    match state {
        RolloutState::Queued => t.rollout_queued(),
        RolloutState::Running => t.rollout_running(),
        RolloutState::Succeeded => t.rollout_succeeded(),
        RolloutState::Failed => t.rollout_failed(),
        RolloutState::Cancelled => t.rollout_cancelled(),
        RolloutState::Superseded => t.rollout_superseded(),
    }
}

/// The status of a rollout.
pub fn rollout_status(t: Lang, state: RolloutState) -> AnyView {
    status(rollout_tone(state), rollout_word(t, state))
}

/// The tone of a target.
pub const fn health_tone(health: TargetHealth) -> Tone {
    match health {
        TargetHealth::Empty | TargetHealth::Stopped => Tone::Idle,
        TargetHealth::Healthy => Tone::Ok,
        TargetHealth::Moving => Tone::Move,
        TargetHealth::Degraded | TargetHealth::Unknown => Tone::Warn,
        TargetHealth::Down | TargetHealth::FailedServing => Tone::Bad,
    }
}

/// The word of a target.
pub fn health_word(t: Lang, target: &Target) -> String {
    match target.health {
        TargetHealth::Empty => t.health_empty().to_owned(),
        TargetHealth::Healthy => t.health_healthy().to_owned(),
        TargetHealth::Moving => t.health_moving().to_owned(),
        TargetHealth::Degraded => t.health_degraded().to_owned(),
        TargetHealth::Down => t.health_down().to_owned(),
        TargetHealth::Stopped => t.health_stopped().to_owned(),
        TargetHealth::Unknown => t.health_unknown().to_owned(),
        TargetHealth::FailedServing => match &target.release {
            Some(release) => t.health_failed_serving(release.number),
            None => t.rollout_failed().to_owned(),
        },
    }
}

/// The tone of an instance.
pub const fn instance_tone(state: InstanceState) -> Tone {
    match state {
        InstanceState::Starting => Tone::Move,
        InstanceState::Serving => Tone::Ok,
        InstanceState::Draining => Tone::Idle,
        InstanceState::Unhealthy | InstanceState::Exited => Tone::Bad,
    }
}

/// The word of an instance.
pub fn instance_word(t: Lang, state: InstanceState) -> &'static str {
    match state {
        InstanceState::Starting => t.instance_starting(),
        InstanceState::Serving => t.instance_serving(),
        InstanceState::Draining => t.instance_draining(),
        InstanceState::Unhealthy => t.instance_unhealthy(),
        InstanceState::Exited => t.instance_exited(),
    }
}

/// Most berths drawn; more are said in figures.
const BERTHS: usize = 12;

/// Small berths that fill as instances become proven: one for each instance, and an empty one for each that is missing.
pub fn berths(t: Lang, target: &Target) -> AnyView {
    // Nothing is missing where nothing was ever deployed.
    if target.health == TargetHealth::Empty {
        return ().into_any();
    }
    let mut drawn: Vec<&'static str> = target
        .instances
        .iter()
        .map(|instance| match instance.state {
            InstanceState::Serving => "",
            InstanceState::Starting => "new",
            InstanceState::Draining => "out",
            InstanceState::Unhealthy | InstanceState::Exited => "bad",
        })
        .collect();
    let serving = target.instances.iter().filter(|instance| instance.state == InstanceState::Serving).count();
    let wanted = usize::try_from(target.replicas).unwrap_or(0).max(serving);
    if wanted == 0 && drawn.is_empty() {
        return ().into_any();
    }
    while drawn.len() < wanted {
        drawn.push("off");
    }
    let label = t.berths(serving, wanted);
    let more = drawn.len() > BERTHS;
    drawn.truncate(BERTHS);
    view! {
        <span class="berths" role="img" aria-label=label.clone() title=label>
            {drawn.into_iter().map(|class| view! { <i class=class></i> }).collect_view()}
            {more.then(|| view! { <b class="faint">{format!("{serving}/{wanted}")}</b> })}
        </span>
    }
    .into_any()
}
