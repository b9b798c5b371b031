//! One's API tokens.

use leptos::prelude::*;
use serde_json::json;

use super::done;
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{Confirm, Field, Formed, empty, head, once, submit, table, when},
    error::{Error, Result},
    model::{CreatedToken, NewToken, Scope, Token, TokenId},
    way::Way,
};

/// The list and the form.
pub async fn page(caller: &Caller) -> Result<Answer> {
    show(caller, None).await
}

async fn show(caller: &Caller, made: Option<CreatedToken>) -> Result<Answer> {
    let t = caller.lang;
    let tokens = caller.backend.tokens.list(caller.actor()?).await?;
    let list = if tokens.is_empty() { empty(t.tokens_empty(), ()) } else { all(caller, &tokens) };
    let first = tokens.first().map_or_else(|| "ID".to_owned(), |token| token.id.to_string());
    let body = view! {
        {done(caller)}
        {head(t.nav_tokens(), t.tokens_below(), ())}
        {made.map(|made| once(t, &t.token_made(&made.token.name), &made.secret))}
        <div class="two">
            <section class="card" aria-label=t.nav_tokens()>{list}</section>
            {new(caller)}
        </div>
    };
    Ok(Screen::new(t.nav_tokens(), body.into_any())
        .at(None, "/tokens")
        .crumb(t.nav_tokens(), "/tokens")
        .ways([
            Way::get(t.way_look(), "/tokens").cli("berth token list"),
            Way::send(t.new_token_do(), "POST", "/tokens", &json!({ "name": "ci", "scopes": ["git", "deploy"], "days": 90 }))
                .cli("berth token create ci --scope git,deploy --days 90"),
            Way::act(t.revoke_does(), "DELETE", format!("/tokens/{first}")).cli(format!("berth token revoke {first}")),
        ])
        .into())
}

fn all(caller: &Caller, tokens: &[Token]) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let rows = tokens
        .iter()
        .map(|token| {
            let form = Formed::of(caller, "revoke", token.id.as_str());
            let says = t.revoke_says(&token.name);
            let revoke = Confirm { open: t.revoke(), says: &says, does: t.revoke_does(), name: None, bad: true }.show(t, &form);
            let scopes = token.scopes.iter().map(|scope| view! { <span class="chip">{scope.name()}</span> }).collect_view();
            view! {
                <tr>
                    <th scope="row">
                        {token.name.clone()}
                        <span class="small faint block"><code>{token.prefix.clone()}"…"</code></span>
                    </th>
                    <td data-label=t.col_scopes()><span>{scopes}{token.team.as_ref().map(|team| t.only_team(team))}</span></td>
                    <td data-label=t.col_used() class="small soft">
                        <span>{match token.last_used_at { Some(at) => when(t, now, at), None => t.never_used().into_any() }}</span>
                        <span class="block took">{match token.expires_at {
                            Some(at) => t.ends_on(at.to_string().get(..10).unwrap_or_default()),
                            None => t.no_end().to_owned(),
                        }}</span>
                    </td>
                    <td class="acts">{revoke}</td>
                </tr>
            }
        })
        .collect_view();
    table(&[t.name(), t.col_scopes(), t.col_used(), ""], rows)
}

fn new(caller: &Caller) -> AnyView {
    let t = caller.lang;
    let form = Formed::new(caller, "create");
    let scopes = Scope::ALL
        .into_iter()
        .map(|scope| {
            let ticked = form.ticked("scopes", scope.name(), matches!(scope, Scope::Read | Scope::Git));
            view! {
                <label class="tick">
                    <input type="checkbox" name="scopes" value=scope.name() checked=ticked />
                    <span><b>{scope.name()}</b>" "<span class="small soft">{t.scope_says(scope)}</span></span>
                </label>
            }
        })
        .collect_view();
    let teams = caller.me.iter().flat_map(|me| &me.teams).map(|mine| {
        let name = mine.name.to_string();
        let chosen = form.value("team", "") == name;
        view! { <option selected=chosen>{name}</option> }
    });
    let teams = teams.collect_view();
    let wanted = form.value("days", "90");
    let days = ["30", "90", "365", ""].into_iter().map(|days| {
        let word = days.parse().map_or_else(|_| t.no_end().to_owned(), |days| t.in_days(days));
        view! { <option value=days selected=wanted == days>{word}</option> }
    });
    let days = days.collect_view();
    view! {
        <form method="post" class="card pad stack">
            <h2>{t.new_token()}</h2>
            {form.names()}
            {form.trouble(&["name", "scopes"])}
            {Field { hint: t.token_name_hint(), ..Field::text("name", t.name()) }.show(&form)}
            <fieldset>
                <legend>{t.col_scopes()}</legend>
                {scopes}
                {form.error("scopes").map(|error| view! { <span class="error" role="alert">{error}</span> })}
            </fieldset>
            <div class="field">
                <label for="token-team">{t.bound_to()}</label>
                <select id="token-team" name="team"><option value="">{t.every_team()}</option>{teams}</select>
            </div>
            <div class="field">
                <label for="token-days">{t.ends()}</label>
                <select id="token-days" name="days">{days}</select>
            </div>
            {submit("main", t.new_token_do())}
        </form>
    }
    .into_any()
}

/// Makes a token and shows its secret once, or ends one.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let (actor, tokens, form) = (caller.actor()?, &caller.backend.tokens, &caller.form);
    match caller.verb() {
        "create" => {
            let scopes: Vec<Scope> = form.all("scopes").filter_map(Scope::from_name).collect();
            if scopes.is_empty() {
                return Err(Error::invalid("no_scopes", "Choose at least one thing that the token may be used for.").at("scopes"));
            }
            let team = Some(form.get("team")).filter(|team| !team.is_empty()).map(str::parse).transpose()?;
            let new = NewToken { name: form.get("name").to_owned(), scopes, team, days: form.get("days").parse().ok() };
            let made = tokens.create(actor, new).await?;
            show(&caller.without_form(), Some(made)).await
        }
        "revoke" => {
            tokens.revoke(actor, &TokenId::from_text(form.get("of"))).await?;
            Ok(Answer::Go("/tokens?done=revoked".into()))
        }
        _ => Err(no_such_form()),
    }
}
