//! A rollout: the evidence as it arrives, the plan, the last lines of log where it failed; cancel and roll back.

use leptos::prelude::*;
use serde_json::json;

use super::{done, path_of};
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{Confirm, Formed, Mark, Tone, facts, head, icon, line, rollout_status, say, sentence, short_image, span_of, status, when},
    error::{Error, Result},
    locales::Lang,
    model::{Phase, Role, Rollout, RolloutId, RolloutState, Source},
    way::{Way, named},
};

/// The order every rollout follows.
const PHASES: [Phase; 7] =
    [Phase::ReleaseCommand, Phase::Started, Phase::Healthy, Phase::Routed, Phase::FirstRequest, Phase::Drained, Phase::Stopped];

/// The rollout.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let id = RolloutId::from_text(caller.params.get("rollout"));
    let rollout = caller.backend.releases.rollout(caller.actor()?, &id).await?;
    let service = path_of(&rollout.team, &rollout.service);
    let there = format!("{service}/targets/{}", rollout.environment);
    let body = view! {
        {done(caller)}
        <div data-live="head">{top(caller, &rollout)}</div>
        <div data-live="why">{why(t, &rollout)}</div>
        <section class="card pad" data-live="line" aria-label=t.evidence()>{evidence(caller, &rollout)}</section>
        <div class="two">
            <div class="stack" data-live="plan">{plan(t, &rollout)}{last_lines(t, &rollout)}</div>
            <section class="card" data-live="about">
                <header><h2>{t.about()}</h2></header>
                <div class="body">{about(caller, &rollout)}</div>
            </section>
        </div>
    };
    Ok(Screen::new(t.rollout_title(rollout.to, &rollout.service, &rollout.environment), body.into_any())
        .at(Some(&rollout.team), format!("/teams/{}", rollout.team))
        .crumb(rollout.team.to_string(), format!("/teams/{}", rollout.team))
        .crumb(rollout.service.to_string(), service)
        .crumb(rollout.environment.to_string(), there)
        .crumb(format!("v{}", rollout.to), format!("/rollouts/{id}"))
        .live(&["rollout:"])
        .ways(ways(t, &rollout))
        .into())
}

/// What can be done to a rollout now, elsewhere.
fn ways(t: Lang, rollout: &Rollout) -> Vec<Way> {
    let (id, service) = (&rollout.id, named(&rollout.team, &rollout.service));
    let mut ways = vec![Way::get(t.way_look(), format!("/rollouts/{id}")).cli(format!("berth rollout show {id}"))];
    if !rollout.state.ended() {
        ways.push(
            Way::act(t.cancel_rollout_does(), "POST", format!("/rollouts/{id}/actions/cancel")).cli(format!("berth rollout cancel {id}")),
        );
    } else if let Some(from) = rollout.from {
        let path = format!("/teams/{}/services/{}/targets/{}/actions/deploy", rollout.team, rollout.service, rollout.environment);
        let command = format!("berth rollback {service} --env {} --to {from}", rollout.environment);
        ways.push(Way::send(t.rollback_does(from), "POST", path, &json!({ "release": from })).cli(command));
    }
    ways
}

fn top(caller: &Caller, rollout: &Rollout) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let from = rollout.from.map(|from| format!("v{from} → "));
    let title = view! {
        {rollout.service.to_string()}" "<span class="mono">{from}"v"{rollout.to.to_string()}</span>" "
        {rollout_status(t, rollout.state)}
    };
    let below = view! {
        {t.in_environment(&rollout.environment)}" · "{t.stored(&rollout.reason)}" · "{t.asked_by(&rollout.by)}" "
        {when(t, now, rollout.created_at)}
        {rollout.started_at.map(|_| " · ")}
        {span_of(t, now, rollout.started_at, rollout.finished_at)}
    };
    head(title, below, buttons(caller, rollout))
}

fn buttons(caller: &Caller, rollout: &Rollout) -> AnyView {
    let t = caller.lang;
    let open = rollout.url.clone().filter(|_| rollout.state == RolloutState::Succeeded);
    let open = open.map(|url| view! { <a class="btn" href=url>{icon("open")}{t.open_it()}</a> });
    let ask = if !caller.may(&rollout.team, Role::Developer) {
        ().into_any()
    } else if rollout.cancelling {
        view! { <span class="soft small">{t.is_cancelling()}</span> }.into_any()
    } else if !rollout.state.ended() {
        let form = Formed::new(caller, "cancel");
        Confirm { open: t.cancel(), says: t.cancel_rollout_says(), does: t.cancel_rollout_does(), name: None, bad: true }.show(t, &form)
    } else if let Some(from) = rollout.from.filter(|_| rollout.state == RolloutState::Succeeded) {
        let (says, does) = (t.rollback_says(from, &rollout.environment), t.rollback_does(from));
        let form = Formed::new(caller, "rollback");
        Confirm { open: t.rollback(), says: &says, does: &does, name: None, bad: false }.show(t, &form)
    } else {
        ().into_any()
    };
    view! { {open}{ask} }.into_any()
}

/// What failed, why it waits, or how far it is.
fn why(t: Lang, rollout: &Rollout) -> AnyView {
    if let Some(failure) = &rollout.failure {
        let serves = rollout.from.map(|from| view! { <span class="block">{t.still_serves(from)}</span> });
        return say(Tone::Bad, view! { <b>{sentence(t, failure)}</b>{serves} });
    }
    let said = match rollout.state {
        RolloutState::Queued => rollout.waits.clone().map(|waits| (Tone::Idle, waits)),
        RolloutState::Running => rollout.now.clone().map(|now| (Tone::Move, now)),
        RolloutState::Cancelled => rollout.from.map(|from| (Tone::Idle, t.still_serves(from))),
        RolloutState::Superseded => Some((Tone::Idle, t.superseded_says().to_owned())),
        _ => None,
    };
    said.map_or_else(|| ().into_any(), |(tone, said)| say(tone, sentence(t, &said)))
}

fn evidence(caller: &Caller, rollout: &Rollout) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let seen = |phase: Phase| rollout.evidence.iter().any(|evidence| evidence.phase == phase);
    // Only shown where it happened: most services have none. The same for what only a release before it makes necessary.
    let expected = |phase: &Phase| match phase {
        Phase::ReleaseCommand => seen(*phase),
        Phase::Drained | Phase::Stopped => rollout.from.is_some() || seen(*phase),
        _ => true,
    };
    let phases: Vec<Phase> = PHASES.into_iter().filter(expected).collect();
    let next = phases.iter().position(|phase| !seen(*phase)).filter(|at| phases[*at..].iter().all(|phase| !seen(*phase)));
    let marks = phases
        .iter()
        .enumerate()
        .map(|(at, phase)| {
            let facts: Vec<_> = rollout.evidence.iter().filter(|evidence| evidence.phase == *phase).collect();
            let tone = match (facts.is_empty(), next == Some(at), rollout.state) {
                (false, ..) => Tone::Ok,
                (true, true, RolloutState::Running) => Tone::Move,
                (true, true, RolloutState::Failed) => Tone::Bad,
                _ => Tone::Idle,
            };
            let word = match tone {
                Tone::Move => Some(t.run_running()),
                Tone::Bad => Some(t.rollout_failed()),
                Tone::Idle if rollout.state.ended() => Some(t.not_reached()),
                _ => None,
            };
            let word = word.map(|word| status(tone, word));
            let body = facts
                .into_iter()
                .map(|evidence| view! { <p>{sentence(t, &evidence.fact)}" "<span class="faint">{when(t, now, evidence.at)}</span></p> })
                .collect_view();
            Mark { tone, name: t.phase(*phase).to_owned(), body: view! { {word}{body} }.into_any() }
        })
        .collect();
    line(t.evidence(), marks)
}

fn plan(t: Lang, rollout: &Rollout) -> AnyView {
    if rollout.plan.is_empty() {
        return ().into_any();
    }
    let steps = rollout.plan.iter().map(|step| view! { <li><span>{sentence(t, step)}</span></li> }).collect_view();
    view! {
        <section class="card">
            <header><h2>{t.plan()}</h2></header>
            <ol class="body steps">{steps}</ol>
        </section>
    }
    .into_any()
}

fn last_lines(t: Lang, rollout: &Rollout) -> AnyView {
    if rollout.last_lines.is_empty() {
        return ().into_any();
    }
    let text = rollout.last_lines.join("\n");
    view! {
        <section class="card logcard">
            <header><h2>{t.last_lines()}</h2></header>
            <pre class="log plain" tabindex="0"><code>{text}</code></pre>
        </section>
    }
    .into_any()
}

fn about(caller: &Caller, rollout: &Rollout) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let mut rows = Vec::new();
    if let Some(candidate) = rollout.candidate {
        rows.push((t.candidate(), format!("c{candidate}").into_any()));
    }
    rows.push((t.image(), view! { <code title=rollout.image.clone()>{short_image(&rollout.image)}</code> }.into_any()));
    rows.push((t.reason(), t.stored(&rollout.reason).into_any()));
    rows.push((t.by(), rollout.by.clone().into_any()));
    if let Some(started) = rollout.started_at {
        rows.push((t.waited(), t.took(started.since(rollout.created_at)).into_any()));
    }
    if let Some(url) = rollout.url.clone() {
        rows.push((t.address(), view! { <a class="wrap" href=url.clone()>{url.clone()}</a> }.into_any()));
    }
    if let Some(finished) = rollout.finished_at {
        rows.push((t.ended(), when(t, now, finished)));
    }
    facts(rows)
}

/// Cancels, or rolls back to what ran before.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let id = RolloutId::from_text(caller.params.get("rollout"));
    let (actor, releases) = (caller.actor()?, &caller.backend.releases);
    match caller.verb() {
        "cancel" => {
            releases.cancel_rollout(actor, &id).await?;
            Ok(Answer::Go(format!("/rollouts/{id}?done=cancelling")))
        }
        "rollback" => {
            let rollout = releases.rollout(actor, &id).await?;
            let from =
                rollout.from.ok_or_else(|| Error::invalid("nothing_before", "Nothing ran here before; there is nothing to go back to."))?;
            let change =
                releases.deploy(actor, &rollout.team, &rollout.service, &rollout.environment, Source::Release(from), false).await?;
            let there = format!("{}/targets/{}", path_of(&rollout.team, &rollout.service), rollout.environment);
            Ok(super::target::after(&there, change))
        }
        _ => Err(no_such_form()),
    }
}
