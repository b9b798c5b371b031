//! A service's settings: what it is, and the end of it.

use leptos::prelude::*;

use super::{path_of, service_tabs};
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{Confirm, Formed, Tone, code_block, facts, head, say, when},
    error::Result,
    model::{Role, ServiceName, TeamName},
    way::Way,
};

/// The settings.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let all = caller.backend.services.overview(caller.actor()?, &team, &name).await?;
    let service = &all.service;
    let path = path_of(&team, &name);
    let environments: Vec<String> = all.targets.iter().map(|target| target.environment.to_string()).collect();
    let rows = vec![
        (t.repository(), service.repository.to_string().into_any()),
        (t.clone_address(), code_block(t, &service.clone_url)),
        (t.col_since(), when(t, caller.now(), service.created_at)),
    ];
    let end = if caller.may(&team, Role::Owner) {
        let form = Formed::new(caller, "delete");
        let says = t.delete_service_says(&name, environments.join(", "));
        let open = t.delete_service(&name);
        Confirm { open: &open, says: &says, does: t.delete_service_does(), name: Some(name.as_str()), bad: true }.show(t, &form)
    } else {
        say(Tone::Idle, t.needs_role(t.role(Role::Owner)))
    };
    let body = view! {
        {head(name.to_string(), service.description.clone(), ())}
        {service_tabs(caller, service, &environments, "settings")}
        <section class="card narrow">
            <header><h2>{t.about()}</h2></header>
            <div class="body">{facts(rows)}</div>
        </section>
        <section class="card narrow danger-zone">
            <header><h2>{t.delete_title()}</h2></header>
            <div class="body"><p class="soft">{t.delete_below()}</p>{end}</div>
        </section>
    };
    Ok(Screen::new(format!("{} · {name}", t.tab_settings()), body.into_any())
        .at(Some(&team), format!("/teams/{team}"))
        .crumb(team.to_string(), format!("/teams/{team}"))
        .crumb(name.to_string(), path.clone())
        .crumb(t.tab_settings(), format!("{path}/settings"))
        .ways([
            Way::get(t.way_look(), format!("/teams/{team}/services/{name}")).cli(format!("berth service show {team}/{name}")),
            Way::act(t.delete_service_does(), "DELETE", format!("/teams/{team}/services/{name}?confirm={name}"))
                .cli(format!("berth service delete {team}/{name}")),
        ])
        .into())
}

/// Deletes the service.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    if caller.verb() != "delete" {
        return Err(no_such_form());
    }
    let confirm = caller.form.get("confirm");
    caller.backend.services.delete(caller.actor()?, &team, &name, confirm).await.map_err(|error| error.at("confirm"))?;
    Ok(Answer::Go(format!("/teams/{team}?done=deleted")))
}
