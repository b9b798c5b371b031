//! A new service.

use leptos::prelude::*;
use serde_json::json;

use super::{mirror::named, path_of};
use crate::{
    caller::{Answer, Caller, Screen},
    components::{Field, Formed, Tone, code_block, head, say, submit},
    error::{Error, Result},
    locales::Lang,
    model::{Environment, EnvironmentName, NewService, Role, TeamName},
    way::Way,
};

/// The smallest pipeline that tests something.
const SAMPLE: &str = "version: 1
services:
  hello:
    stages:
      - name: fast
        steps:
          - name: unit
            image: debian:12
            run: [\"./test.sh\"]
    processes:
      web:
        port: 8080
        health: { path: / }
";

/// The form, and what comes next beside it.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let team: TeamName = caller.param("team")?;
    let actor = caller.actor()?;
    caller.backend.teams.show(actor, &team).await?;
    let environments = caller.backend.platform.environments(actor).await?;
    let form = Formed::new(caller, "create");
    let content = if caller.may(&team, Role::Developer) {
        fields(t, &form, &environments)
    } else {
        say(Tone::Idle, t.needs_role(t.role(Role::Developer)))
    };
    let body = view! {
        {head(t.new_service(), t.new_service_below(), ())}
        <div class="two">
            {content}
            <aside class="card pad stack">
                <h2>{t.then_what()}</h2>
                <ol class="steps">
                    <li>{t.then_push()}</li>
                    <li>{t.then_stages()}</li>
                    <li>{t.then_dev()}</li>
                    <li>{t.then_promote()}</li>
                </ol>
                <p class="small soft">{t.sample_below()}</p>
                <div class="as-is">{code_block(t, SAMPLE)}</div>
            </aside>
        </div>
    };
    let path = format!("/teams/{team}");
    Ok(Screen::new(t.new_service(), body.into_any())
        .at(Some(&team), path.clone())
        .crumb(team.to_string(), path.clone())
        .crumb(t.new_service(), format!("{path}/services/new"))
        .ways([
            Way::send(t.new_service_do(), "POST", format!("/teams/{team}/services"), &json!({ "name": "orders" }))
                .cli(format!("berth service create orders --team {team}")),
            Way::send(t.repository(), "POST", format!("/teams/{team}/services"), &json!({ "name": "orders", "repository": "shop" }))
                .cli(format!("berth service create orders --repository shop --team {team}")),
            Way::send(
                t.mirror(),
                "POST",
                format!("/teams/{team}/services"),
                &json!({ "name": "orders", "mirror": { "address": "https://github.com/acme/orders" } }),
            )
            .cli(format!("berth service create orders --mirror https://github.com/acme/orders --team {team}")),
        ])
        .into())
}

fn fields(t: Lang, form: &Formed<'_>, environments: &[Environment]) -> AnyView {
    let boxes = environments
        .iter()
        .enumerate()
        .map(|(at, environment)| {
            let name = environment.name.to_string();
            let ticked = form.ticked("environments", &name, at == 0);
            view! {
                <label class="tick">
                    <input type="checkbox" name="environments" value=name.clone() checked=ticked />
                    <span>
                        <b>{name}</b>
                        <span class="small soft">{t.environment_says(environment)}</span>
                    </span>
                </label>
            }
        })
        .collect_view();
    let (described, repository) = (form.value("description", ""), form.value("repository", ""));
    let mirror = form.value("mirror", "");
    let token =
        Field { kind: "password", fill: "off", required: false, hint: t.mirror_token_hint(), ..Field::text("token", t.mirror_token()) };
    view! {
        <form method="post" class="card pad stack">
            {form.names()}
            {form.trouble(&["name", "description", "repository", "mirror", "token"])}
            {Field { hint: t.name_hint(), ..Field::text("name", t.name()) }.show(form)}
            {Field { required: false, value: &described, hint: t.description_hint(), ..Field::text("description", t.description()) }.show(form)}
            {Field { required: false, value: &repository, hint: t.repository_hint(), ..Field::text("repository", t.repository()) }.show(form)}
            {Field { required: false, value: &mirror, hint: t.mirror_hint(), ..Field::text("mirror", t.mirror_address()) }.show(form)}
            {token.show(form)}
            <fieldset>
                <legend>{t.nav_environments()}</legend>
                <p class="hint">{t.environments_hint()}</p>
                {boxes}
            </fieldset>
            {submit("main", t.new_service_do())}
        </form>
    }
    .into_any()
}

/// Creates the service.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let team: TeamName = caller.param("team")?;
    let environments = caller.form.all("environments").map(str::parse).collect::<Result<Vec<EnvironmentName>>>()?;
    let repository = match caller.form.get("repository") {
        "" => None,
        name => Some(name.parse().map_err(|error: Error| error.at("repository"))?),
    };
    let service = NewService {
        name: caller.form.get("name").parse()?,
        description: caller.form.get("description").to_owned(),
        environments: Some(environments),
        repository,
        mirror: named(caller),
    };
    let service = caller.backend.services.create(caller.actor()?, &team, service).await?;
    Ok(Answer::Go(path_of(&team, &service.name)))
}
