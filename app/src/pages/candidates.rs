//! The board: candidates × environments.

use leptos::prelude::*;

use super::{page_of, path_of, service_tabs};
use crate::{
    caller::{Answer, Caller, Screen},
    components::{Tone, empty, head, pager, short_commit, status, table, when, when_short},
    error::Result,
    model::{Candidate, ReleaseBrief, RolloutState, ServiceName, Target, TeamName},
    way::Way,
};

/// How a candidate stands in an environment.
#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    /// It serves there.
    Serves(&'a ReleaseBrief),
    /// It serves one environment earlier, and something else here.
    Ready,
    /// Neither.
    Not,
}

/// How a candidate stands in the environment at this place of their order.
fn place(targets: &[Target], at: usize, number: u64) -> Place<'_> {
    let serves = |target: &Target| target.release.as_ref().and_then(|release| release.candidate) == Some(number);
    let Some(here) = targets.get(at) else { return Place::Not };
    match (&here.release, at.checked_sub(1).and_then(|before| targets.get(before))) {
        (Some(release), _) if serves(here) => Place::Serves(release),
        (_, Some(before)) if serves(before) && !is_moving(here) => Place::Ready,
        _ => Place::Not,
    }
}

fn is_moving(target: &Target) -> bool {
    target.rollout.as_ref().is_some_and(|rollout| matches!(rollout.state, RolloutState::Queued | RolloutState::Running))
}

/// The board.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let actor = caller.actor()?;
    let all = caller.backend.services.overview(actor, &team, &name).await?;
    let candidates = caller.backend.runs.candidates(actor, &team, &name, &page_of(caller)).await?;
    let path = path_of(&team, &name);
    let environments: Vec<String> = all.targets.iter().map(|target| target.environment.to_string()).collect();
    let body = view! {
        {head(name.to_string(), all.service.description.clone(), ())}
        {service_tabs(caller, &all.service, &environments, "candidates")}
        <section class="card" data-live="candidates">
            <header><h2>{t.candidate_board()}</h2><span class="small soft">{t.candidate_board_below()}</span></header>
            {rows(caller, &path, &all.targets, &candidates.items)}
        </section>
        {pager(t, &format!("{path}/candidates"), candidates.next.as_deref())}
    };
    let ways = [Way::get(t.way_look(), format!("{path}/candidates")).cli(format!("berth candidates {team}/{name}"))];
    Ok(Screen::new(format!("{} · {name}", t.candidates()), body.into_any())
        .at(Some(&team), format!("/teams/{team}"))
        .crumb(team.to_string(), format!("/teams/{team}"))
        .crumb(name.to_string(), path.clone())
        .crumb(t.candidates(), format!("{path}/candidates"))
        .live(&["service:", "rollout:", "target:"])
        .ways(ways)
        .into())
}

fn rows(caller: &Caller, path: &str, targets: &[Target], candidates: &[Candidate]) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    if candidates.is_empty() {
        return empty(t.candidates_empty(), ());
    }
    let names: Vec<String> = targets.iter().map(|target| target.environment.to_string()).collect();
    let rows = candidates.iter().map(|candidate| {
        let cells = targets.iter().enumerate().map(|(at, target)| {
            let cell = match place(targets, at, candidate.number) {
                Place::Serves(release) => {
                    view! { <span class="chip on">"v"{release.number.to_string()}</span>" "{when_short(t, now, release.created_at)} }.into_any()
                }
                Place::Ready => {
                    let to = format!("{path}/targets/{}#deploy", target.environment);
                    view! { <a class="small" href=to>{t.candidate_ready(&target.environment)}</a> }.into_any()
                }
                Place::Not => ().into_any(),
            };
            view! { <td data-label=target.environment.to_string()>{cell}</td> }
        });
        let gone = candidate.gone_at.map(|_| view! { " "{status(Tone::Idle, t.candidate_gone_on())} });
        view! {
            <tr>
                <th scope="row"><a class="rel" href=format!("{path}/candidates/{}", candidate.number)>"c"{candidate.number.to_string()}</a>{gone}</th>
                <td data-label=t.col_commit() class="grow">
                    <span class="cut">{candidate.title.clone()}</span>
                    <span class="small faint"><code>{short_commit(&candidate.commit)}</code>" "{t.of_ref(&candidate.branch)}</span>
                </td>
                {cells.collect_view()}
                <td data-label=t.col_when() class="small soft">{when(t, now, candidate.created_at)}</td>
            </tr>
        }
    });
    let mut columns = vec![t.col_number(), t.col_commit()];
    columns.extend(names.iter().map(String::as_str));
    columns.push(t.col_when());
    table(&columns, rows.collect_view())
}
