//! The search: things, pages and actions in one list, best first. The palette shows the same list as one types.

use leptos::prelude::*;

use super::own_path;
use crate::{
    caller::{Answer, Caller, Screen},
    components::{head, icon, run_status},
    error::Result,
    fuzzy::fits,
    locales::Lang,
    model::{Found, FoundKind, Role, TeamName},
    way::Way,
};

/// Most things, and most lines altogether.
const THINGS: u32 = 10;
const LINES: usize = 14;

/// A line of the list.
struct Hit {
    score: u32,
    kind: &'static str,
    title: AnyView,
    detail: String,
    path: String,
}

/// The form and what it finds.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let query = caller.query.get("q");
    let found = caller.backend.platform.search(caller.actor()?, query, THINGS).await?;
    let mut hits: Vec<Hit> = places(caller).into_iter().filter_map(|place| place.hit(query)).collect();
    hits.extend(found.into_iter().map(|found| thing(t, found)));
    // The sort keeps the order of equals.
    hits.sort_by_key(|hit| std::cmp::Reverse(hit.score));
    hits.truncate(LINES);
    let said = if hits.is_empty() { t.search_nothing().to_owned() } else { t.search_found(hits.len()) };
    let list = if hits.is_empty() {
        view! { <p class="empty">{t.search_nothing()}</p> }.into_any()
    } else {
        view! { <ul>{hits.into_iter().map(line).collect_view()}</ul> }.into_any()
    };
    let body = view! {
        {head(t.search(), t.search_below(), ())}
        <form class="seek" role="search" aria-label=t.search()>
            <label class="sr" for="q">{t.search_what()}</label>
            <input id="q" name="q" type="search" value=query.to_owned() placeholder=t.search_what() autocomplete="off" autocapitalize="none" spellcheck="false" autofocus=true />
            <button class="btn main">{icon("search")}{t.search()}</button>
        </form>
        <section class="card hits" id="hits" data-said=said aria-label=t.search_results()>{list}</section>
    };
    let words = if query.is_empty() { "orders" } else { query };
    let encoded: String = percent_encoding::utf8_percent_encode(words, percent_encoding::NON_ALPHANUMERIC).collect();
    let plain = words.chars().all(|c| c.is_alphanumeric() || c == ' ' || c == '-');
    let way = Way::get(t.way_look(), format!("/search?q={encoded}"));
    let way = if plain { way.cli(format!("berth search {words}")) } else { way };
    Ok(Screen::new(t.search(), body.into_any()).at(None, "/search").crumb(t.search(), "/search").ways([way]).into())
}

fn line(hit: Hit) -> AnyView {
    view! {
        <li>
            <a href=hit.path>
                <span class="chip">{hit.kind}</span>
                <span class="what">{hit.title}</span>
                <span class="small soft cut">{hit.detail}</span>
            </a>
        </li>
    }
    .into_any()
}

/// A thing that was found, in the words of the console.
fn thing(t: Lang, found: Found) -> Hit {
    let Found { kind, team, service, environment, run, state, detail, path, score } = found;
    let service = service.map(|name| name.to_string()).unwrap_or_default();
    let (kind, title) = match kind {
        FoundKind::Team => (t.team(), team.to_string().into_any()),
        FoundKind::Service => (t.service(), service.clone().into_any()),
        FoundKind::Target => {
            (t.environment(), t.target_title(&service, environment.map(|name| name.to_string()).unwrap_or_default()).into_any())
        }
        FoundKind::Run => {
            let state = state.map(|state| run_status(t, state, None));
            (t.run(), view! { {t.run_title(run.unwrap_or(0), &service)}" "{state} }.into_any())
        }
    };
    let detail = match (service.is_empty(), detail.is_empty()) {
        (true, _) => detail,
        (false, true) => team.to_string(),
        (false, false) => format!("{team} · {detail}"),
    };
    Hit { score, kind, title, detail, path }
}

/// A page of the console, or something to do on one.
struct Place {
    kind: &'static str,
    title: String,
    /// Other words for it, in English: who types does not switch the keyboard.
    also: &'static str,
    detail: String,
    path: String,
    /// What it weighs beyond how well it fits: more where it belongs to the page one comes from.
    weight: u32,
}

impl Place {
    fn hit(self, query: &str) -> Option<Hit> {
        let score = fits(query, &format!("{} {} {}", self.title, self.also, self.detail))?;
        Some(Hit { score: score + self.weight, kind: self.kind, title: self.title.into_any(), detail: self.detail, path: self.path })
    }
}

/// Everywhere one can go and everything one can begin, seen from the page one comes from.
fn places(caller: &Caller) -> Vec<Place> {
    let t = caller.lang;
    let from: Vec<&str> = own_path(caller.query.get("from")).unwrap_or_default().trim_start_matches('/').split('/').collect();
    let mut all = Vec::new();
    let team: Option<TeamName> = match from.as_slice() {
        ["teams", team, ..] => team.parse().ok(),
        _ => None,
    };
    let team = team.or_else(|| caller.me.as_ref().and_then(|me| me.teams.first()).map(|mine| mine.name.clone()));
    if let (Some(team), ["teams", _, "services", service, rest @ ..]) = (&team, from.as_slice()) {
        all.extend(of_service(caller, team, service, rest));
    }
    if let Some(team) = &team {
        all.extend(of_team(caller, team));
    }
    let page = |title: &str, also, path: &str| Place::new(t.page(), title, also, String::new(), path.to_owned());
    let act = |title: &str, also, path: &str| Place::new(t.action_word(), title, also, String::new(), path.to_owned());
    all.extend([
        page(t.nav_teams(), "teams", "/teams"),
        page(t.nav_tokens(), "tokens api keys", "/tokens"),
        page(t.welcome(), "getting started welcome", "/welcome"),
        act(t.new_team(), "new team create", "/teams/new"),
        act(t.new_token(), "new token create", "/tokens"),
        Place::new(t.setting(), t.language(), "language 한국어 english settings", t.nav_you().to_owned(), "/me".into()),
        Place::new(t.setting(), t.password(), "password settings", t.nav_you().to_owned(), "/me".into()),
        Place::new(t.setting(), t.sessions(), "sessions sign out settings", t.nav_you().to_owned(), "/me".into()),
    ]);
    if caller.is_admin() {
        let platform = t.nav_platform();
        let page = |title: &str, also, path: &str| Place::new(t.page(), title, also, platform.to_owned(), path.to_owned());
        all.extend([
            page(t.nav_hosts(), "hosts engine", "/platform/hosts"),
            page(t.nav_environments(), "environments", "/platform/environments"),
            page(t.nav_everybody(), "everybody people users", "/platform/people"),
            page(t.nav_everything(), "all activity audit", "/activity"),
        ]);
    }
    all
}

impl Place {
    fn new(kind: &'static str, title: &str, also: &'static str, detail: String, path: String) -> Self {
        Self { kind, title: title.to_owned(), also, detail, path, weight: 0 }
    }

    /// It belongs to the page one comes from.
    fn near(self) -> Self {
        Self { weight: 60, ..self }
    }
}

fn of_team(caller: &Caller, team: &TeamName) -> Vec<Place> {
    let t = caller.lang;
    let path = format!("/teams/{team}");
    let place = |kind, title: &str, also, path: String| Place::new(kind, title, also, team.to_string(), path);
    let mut all = vec![
        place(t.page(), t.nav_home(), "home board", path.clone()),
        place(t.page(), t.nav_activity(), "activity events", format!("{path}/activity")),
        place(t.page(), t.nav_people(), "people members", format!("{path}/people")),
    ];
    if caller.may(team, Role::Developer) {
        all.push(place(t.action_word(), t.new_service(), "new service create", format!("{path}/services/new")));
    }
    if caller.may(team, Role::Owner) {
        all.push(place(t.action_word(), t.invite(), "invite somebody", format!("{path}/people")));
    }
    all
}

/// What belongs to the service, and to the environment, whose page one comes from.
fn of_service(caller: &Caller, team: &TeamName, service: &str, rest: &[&str]) -> Vec<Place> {
    let t = caller.lang;
    let path = format!("/teams/{team}/services/{service}");
    let place = |kind, title: &str, also, path: String| Place::new(kind, title, also, service.to_owned(), path).near();
    let mut all = vec![
        place(t.page(), t.tab_runs(), "runs", format!("{path}/runs")),
        place(t.page(), t.candidates(), "candidates board", format!("{path}/candidates")),
        place(t.page(), t.tab_ci(), "ci lights flaky badge", format!("{path}/ci")),
        place(t.page(), t.tab_pipeline(), "pipeline berth.yaml edit lint check", format!("{path}/pipeline")),
        place(t.setting(), t.tab_settings(), "settings delete repository", format!("{path}/settings")),
    ];
    if let ["targets", environment, ..] = rest {
        let there = format!("{path}/targets/{environment}");
        let detail = t.target_title(service, environment);
        let place = |kind, title: &str, also, path: String| Place::new(kind, title, also, detail.clone(), path).near();
        all.push(place(t.page(), t.logs(), "logs output", format!("{there}/logs")));
        if caller.may(team, Role::Developer) {
            all.push(place(t.action_word(), t.deploy(), "deploy promote", format!("{there}#deploy")));
            all.push(place(t.action_word(), t.scale(), "scale instances replicas", format!("{there}#scale")));
            all.push(place(t.setting(), t.config(), "variables config environment", format!("{there}#config")));
            all.push(place(t.setting(), t.routes(), "addresses routes hosts domain", format!("{there}#routes")));
        }
    }
    all
}
