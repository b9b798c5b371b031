//! A team's home: every service × environment in one grid.

use leptos::prelude::*;

use super::{done, page_of, path_of};
use crate::{
    caller::{Answer, Caller, Screen},
    components::{
        berths, code_block, empty, following, head, health_tone, health_word, icon, run_status_of, short_commit, span_of, status, when,
        when_short,
    },
    error::Result,
    locales::Lang,
    model::{Board, BoardRow, Role, Target, TargetHealth, TeamName, Timestamp},
    way::Way,
};

/// Beyond this many services one looks for one by its name.
const MANY: usize = 8;

/// The field that finds a service by its name, on this page or not.
fn seek(t: Lang) -> AnyView {
    view! {
        <form class="seek" action="/search" role="search" aria-label=t.find_service()>
            <input type="search" name="q" placeholder=t.find_service() aria-label=t.find_service() autocapitalize="none" spellcheck="false" />
            <button class="btn">{icon("search")}{t.search()}</button>
        </form>
    }
    .into_any()
}

/// The grid.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let team: TeamName = caller.param("team")?;
    let board = caller.backend.services.board(caller.actor()?, &team, &page_of(caller)).await?;
    let create = format!("/teams/{team}/services/new");
    let may = caller.may(&team, Role::Developer);
    let buttons =
        (may && !board.rows.is_empty()).then(|| view! { <a class="btn main" href=create.clone()>{icon("plus")}{t.new_service()}</a> });
    let below = summary(t, &board);
    let content = if board.rows.is_empty() { nothing(t, &team, may) } else { grid(caller, &team, &board) };
    let body = view! {
        {done(caller)}
        {head(t.home_title(), view! { <span data-live="summary">{below}</span> }, buttons)}
        {(board.services > MANY).then(|| seek(t))}
        <section class="card" data-live="board" aria-label=t.home_title()>{content}</section>
        {following(t, &format!("/teams/{team}"), board.next.as_deref())}
    };
    let path = format!("/teams/{team}");
    Ok(Screen::new(team.to_string(), body.into_any())
        .at(Some(&team), path.clone())
        .crumb(team.to_string(), path)
        .live(&["run:", "rollout:", "target:", "service:"])
        .ways([Way::get(t.way_look(), format!("/teams/{team}/targets")).cli(format!("berth status --team {team}"))])
        .into())
}

/// "6 services in 3 environments. One is moving, one needs you."
fn summary(t: Lang, board: &Board) -> String {
    if board.rows.is_empty() {
        return t.home_empty_below().to_owned();
    }
    let count = |wanted: fn(TargetHealth) -> bool| {
        board.rows.iter().flat_map(|row| row.cells.values()).filter(|target| wanted(target.health)).count()
    };
    let moving = count(|health| health == TargetHealth::Moving);
    let needing = count(|health| matches!(health, TargetHealth::Down | TargetHealth::Degraded | TargetHealth::FailedServing));
    let mut said = t.home_counts(board.services, board.environments.len());
    if board.rows.len() < board.services {
        said.push(' ');
        said.push_str(&t.home_part(board.rows.len()));
    }
    for part in [(moving > 0).then(|| t.home_moving(moving)), (needing > 0).then(|| t.home_needing(needing))].into_iter().flatten() {
        said.push(' ');
        said.push_str(&part);
    }
    said
}

fn nothing(t: Lang, team: &TeamName, may: bool) -> AnyView {
    let how = view! {
        {may.then(|| view! { <a class="btn main" href=format!("/teams/{team}/services/new")>{t.new_service()}</a> })}
        {code_block(t, &format!("berth service create hello --team {team}"))}
    };
    empty(t.home_empty(), how)
}

fn grid(caller: &Caller, team: &TeamName, board: &Board) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let columns = board.environments.iter().map(|name| view! { <th scope="col">{name.to_string()}</th> }).collect_view();
    let rows = board.rows.iter().map(|row| service(t, now, team, board, row)).collect_view();
    view! {
        <table class="board">
            <thead>
                <tr>
                    <th scope="col">{t.service()}</th>
                    {columns}
                    <th scope="col">{t.last_run()}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        <p class="pad small faint">{t.board_legend()}</p>
    }
    .into_any()
}

fn service(t: Lang, now: Timestamp, team: &TeamName, board: &Board, row: &BoardRow) -> AnyView {
    let path = path_of(team, &row.service);
    let cells = board
        .environments
        .iter()
        .map(|environment| {
            let content = match row.cells.get(environment) {
                Some(target) => cell(t, now, &path, target),
                None => view! { <span class="faint small">{t.not_here()}</span> }.into_any(),
            };
            view! { <td data-label=environment.to_string()>{content}</td> }
        })
        .collect_view();
    let run = match &row.run {
        Some(run) => view! {
            <a class="cell" href=format!("{path}/runs/{}", run.number)>
                {run_status_of(t, run.state, run.kept, run.stage.as_deref())}
                <span class="small soft cut">{run.number.to_string()}" · “"{run.title.clone()}"”"</span>
                <span class="small faint">
                    <code>{short_commit(&run.commit)}</code>
                    " · "
                    {when(t, now, run.created_at)}
                    {run.started_at.map(|_| " · ")}
                    {span_of(t, now, run.started_at, run.finished_at)}
                </span>
            </a>
        }
        .into_any(),
        None => view! { <span class="faint small">{t.no_run_yet()}</span> }.into_any(),
    };
    view! {
        <tr>
            <th scope="row">
                <a href=path>{row.service.to_string()}</a>
                <div class="small faint">{row.description.clone()}</div>
            </th>
            {cells}
            <td data-label=t.last_run()>{run}</td>
        </tr>
    }
    .into_any()
}

/// One target: how it is, which release, its berths.
fn cell(t: Lang, now: Timestamp, path: &str, target: &Target) -> AnyView {
    let failed = target.rollout.as_ref().filter(|_| target.health == TargetHealth::FailedServing);
    let why = failed.and_then(|rollout| rollout.failure.as_ref()).map(|failure| t.stored(failure));
    view! {
        <a class="cell" href=format!("{path}/targets/{}", target.environment)>
            {status(health_tone(target.health), health_word(t, target))}
            {versions(t, now, target)}
            {match why {
                Some(why) => view! { <span class="small soft cut" title=why.clone()>{why.clone()}</span> }.into_any(),
                None => berths(t, target),
            }}
        </a>
    }
    .into_any()
}

/// "v31 → v32 · c41" while moving, "v48 · c41 · 4 min" at rest.
pub(super) fn versions(t: Lang, now: Timestamp, target: &Target) -> AnyView {
    let of_candidate = |candidate: Option<u64>| candidate.map(|number| format!(" · c{number}"));
    if let Some(rollout) = target.rollout.as_ref().filter(|_| target.health == TargetHealth::Moving) {
        let from = rollout.from.map(|from| format!("v{from} → "));
        let says = t.version_says(rollout.to, rollout.candidate);
        return view! { <span class="rel" title=says>{from}"v"{rollout.to.to_string()}{of_candidate(rollout.candidate)}</span> }.into_any();
    }
    match &target.release {
        Some(release) => view! {
            <span class="rel" title=t.version_says(release.number, release.candidate)>
                "v"{release.number.to_string()}{of_candidate(release.candidate)}" · "{when_short(t, now, release.created_at)}
            </span>
        }
        .into_any(),
        None => ().into_any(),
    }
}
