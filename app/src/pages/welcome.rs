//! The checklist after the first run: what stands, what is missing, and the one thing that does each.

use leptos::prelude::*;

use crate::{
    caller::{Answer, Caller, Screen},
    components::{Tone, head, sentence, status},
    error::Result,
    locales::Lang,
    model::{EngineState, PageRequest},
    way::Way,
};

struct Item {
    tone: Tone,
    word: &'static str,
    what: String,
    how: String,
    button: Option<(String, &'static str)>,
}

/// The checklist.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let (t, actor, me) = (caller.lang, caller.actor()?, caller.me()?);
    let mut items = Vec::new();
    if caller.is_admin() {
        items.push(engine(caller).await);
        let environments = caller.backend.platform.environments(actor).await?;
        let names = environments.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(" → ");
        items.push(Item {
            tone: Tone::Ok,
            word: t.ready(),
            what: t.nav_environments().to_owned(),
            how: t.welcome_environments(&names),
            button: Some(("/platform/environments".into(), t.nav_environments())),
        });
    }
    let team = me.teams.first().map(|team| team.name.clone());
    items.push(Item {
        tone: if team.is_some() { Tone::Ok } else { Tone::Warn },
        word: if team.is_some() { t.ready() } else { t.to_do() },
        what: t.welcome_team().to_owned(),
        how: team.as_ref().map_or_else(|| t.teams_below().to_owned(), |team| t.welcome_team_done(team)),
        button: team.is_none().then(|| ("/teams/new".to_owned(), t.new_team())),
    });
    let has_service = match &team {
        Some(team) => {
            let one = PageRequest { cursor: None, limit: Some(1) };
            !caller.backend.services.list(actor, team, &one).await?.items.is_empty()
        }
        None => false,
    };
    items.push(Item {
        tone: if has_service { Tone::Ok } else { Tone::Warn },
        word: if has_service { t.ready() } else { t.to_do() },
        what: t.welcome_service().to_owned(),
        how: if team.is_some() { t.welcome_service_how() } else { t.welcome_service_later() }.to_owned(),
        button: team.filter(|_| !has_service).map(|team| (format!("/teams/{team}/services/new"), t.new_service())),
    });
    let rows = items.into_iter().map(|item| row(t, item)).collect_view();
    let body = view! {
        {head(t.welcome_title(&me.name), t.welcome_below(), ())}
        <ol class="card checklist">{rows}</ol>
    };
    Ok(Screen::new(t.welcome(), body.into_any())
        .at(None, "/welcome")
        .crumb(t.welcome(), "/welcome")
        .ways([Way::get(t.way_look(), "/me").cli("berth whoami")])
        .into())
}

async fn engine(caller: &Caller) -> Item {
    let t = caller.lang;
    let hosts = match caller.actor() {
        Ok(actor) => caller.backend.platform.hosts(actor).await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let good = hosts.iter().find(|host| matches!(host.state, EngineState::Answers | EngineState::Slow));
    Item {
        tone: if good.is_some() { Tone::Ok } else { Tone::Bad },
        word: if good.is_some() { t.ready() } else { t.missing() },
        what: t.welcome_engine().to_owned(),
        how: match good {
            Some(host) => t.welcome_engine_done(host.engine.as_deref().unwrap_or("?")),
            None => t.welcome_engine_how().to_owned(),
        },
        button: Some(("/platform/hosts".into(), t.nav_hosts())),
    }
}

fn row(t: Lang, item: Item) -> AnyView {
    let button = item.button.map(|(path, word)| {
        let class = if item.tone == Tone::Warn { "btn main" } else { "btn" };
        view! { <a class=class href=path>{word}</a> }
    });
    let how = sentence(t, &item.how);
    view! {
        <li>
            {status(item.tone, item.word)}
            <div>
                <h2>{item.what}</h2>
                <p class="soft">{how}</p>
            </div>
            {button}
        </li>
    }
    .into_any()
}
