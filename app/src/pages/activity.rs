//! Who did what: a team's activity, or everything one may see.

use leptos::prelude::*;

use super::page_of;
use crate::{
    caller::{Answer, Caller, Screen},
    components::{empty, head, pager, sentence, when},
    error::Result,
    locales::Lang,
    model::{Event, EventFilter, TeamName, Timestamp},
    way::Way,
};

/// The list, with a filter in the address.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let team = if caller.params.has("team") { Some(caller.param::<TeamName>("team")?) } else { None };
    let asked = |name: &str| Some(caller.query.get(name).to_owned()).filter(|value| !value.is_empty());
    let filter = EventFilter { team: team.clone(), service: asked("service"), actor: asked("actor") };
    let events = caller.backend.platform.events(caller.actor()?, &filter, &page_of(caller)).await?;
    let path = team.as_ref().map_or_else(|| "/activity".to_owned(), |team| format!("/teams/{team}/activity"));
    let filtered = filter.service.is_some() || filter.actor.is_some();
    let content = match (events.items.is_empty(), filtered) {
        (false, _) => days(t, caller.now(), team.is_none(), &events.items),
        (true, true) => empty(t.activity_no_match(), view! { <a class="btn" href=path.clone()>{t.show_all()}</a> }),
        (true, false) => empty(t.activity_empty(), ()),
    };
    let next = format!("{path}?service={}&actor={}", plain(filter.service.as_deref()), plain(filter.actor.as_deref()));
    let body = view! {
        {head(t.nav_activity(), t.activity_below(), ())}
        <form class="filter" method="get">
            <div class="field"><label for="f-service">{t.service()}</label><input id="f-service" name="service" value=filter.service.clone() autocapitalize="none" spellcheck="false" /></div>
            <div class="field"><label for="f-actor">{t.person()}</label><input id="f-actor" name="actor" value=filter.actor.clone() /></div>
            <button class="btn">{t.filter()}</button>
        </form>
        <section class="card" data-live="events" aria-label=t.nav_activity()>{content}</section>
        {pager(t, &next, events.next.as_deref())}
    };
    let mut screen = Screen::new(t.nav_activity(), body.into_any()).at(team.as_ref(), path.clone());
    if let Some(team) = &team {
        screen = screen.crumb(team.to_string(), format!("/teams/{team}"));
    }
    let way = match &team {
        Some(team) => Way::get(t.way_look(), format!("/events?team={team}")).cli(format!("berth events --team {team}")),
        None => Way::get(t.way_look(), "/events"),
    };
    Ok(screen.crumb(t.nav_activity(), path).live(&["events"]).ways([way]).into())
}

fn plain(value: Option<&str>) -> String {
    percent_encoding::utf8_percent_encode(value.unwrap_or_default(), percent_encoding::NON_ALPHANUMERIC).collect()
}

/// The events under the day (UTC) they happened on.
fn days(t: Lang, now: Timestamp, with_team: bool, events: &[Event]) -> AnyView {
    let day = |event: &Event| event.at.to_string().get(..10).unwrap_or_default().to_owned();
    let groups = events.chunk_by(|a, b| day(a) == day(b)).map(|group| {
        let date = group.first().map(day).unwrap_or_default();
        let rows = group.iter().map(|event| row(t, now, with_team, event)).collect_view();
        view! { <li><h2 class="small soft">{date}</h2><ol class="events">{rows}</ol></li> }
    });
    view! { <ol class="days">{groups.collect_view()}</ol> }.into_any()
}

fn row(t: Lang, now: Timestamp, with_team: bool, event: &Event) -> AnyView {
    let subject = match event.path.clone() {
        Some(path) => view! { <a href=path>{t.stored(&event.subject)}</a> }.into_any(),
        None => t.stored(&event.subject).into_any(),
    };
    let who = view! { <b>{event.actor.clone()}</b>" " };
    let verb = view! { <span class="verb">{t.action(&event.action)}</span> };
    let what = match (t.happened(&event.action), t) {
        (Some(happened), _) => view! { <b>{subject}</b>" "<span class="verb">{happened}</span> }.into_any(),
        (None, Lang::En) => view! { {who}{verb}" "{subject} }.into_any(),
        (None, Lang::Ko) => view! { {who}{subject}" "{verb} }.into_any(),
    };
    let team = event.team.as_ref().filter(|_| with_team).map(|team| view! { <span class="chip">{team.to_string()}</span> });
    let origin = event.origin.clone().filter(|origin| origin != "berth").map(|origin| t.from_origin(&origin));
    view! {
        <li>
            <span class="when small faint">{when(t, now, event.at)}</span>
            <span>
                {what}
                " "
                {team}
                {(!event.detail.is_empty()).then(|| view! { <span class="small soft block">{sentence(t, &event.detail)}</span> })}
            </span>
            <span class="small faint" title=event.request.clone()>{origin}</span>
        </li>
    }
    .into_any()
}
