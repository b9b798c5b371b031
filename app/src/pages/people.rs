//! Who is in a team, and who is invited.

use leptos::prelude::*;
use serde_json::json;

use super::done;
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{Confirm, Field, Formed, head, once, submit, table, when},
    error::{Error, Result},
    locales::Lang,
    model::{Invitation, LinkId, Member, NewInvitation, Role, TeamName, UserId},
    way::Way,
};

/// Members, invitations, the form.
pub async fn page(caller: &Caller) -> Result<Answer> {
    show(caller, None).await
}

async fn show(caller: &Caller, made: Option<NewInvitation>) -> Result<Answer> {
    let t = caller.lang;
    let team: TeamName = caller.param("team")?;
    let (actor, teams) = (caller.actor()?, &caller.backend.teams);
    let members = teams.members(actor, &team).await?;
    let owner = caller.may(&team, Role::Owner);
    let open = if owner { teams.invitations(actor, &team).await? } else { Vec::new() };
    let side = if owner {
        view! { <div class="stack">{invite(caller)}{(!open.is_empty()).then(|| invitations(caller, &open))}</div> }.into_any()
    } else {
        view! { <p class="card pad soft">{t.needs_role(t.role(Role::Owner))}</p> }.into_any()
    };
    let body = view! {
        {done(caller)}
        {head(t.nav_people(), t.people_below(members.len(), &team), ())}
        {made.map(|made| once(t, &t.invitation_made(&made.invitation.email), &made.link))}
        <div class="two">
            <section class="card" aria-label=t.col_members()>{list(caller, &members, owner)}</section>
            {side}
        </div>
    };
    let path = format!("/teams/{team}/people");
    Ok(Screen::new(t.nav_people(), body.into_any())
        .at(Some(&team), path.clone())
        .crumb(team.to_string(), format!("/teams/{team}"))
        .crumb(t.nav_people(), path)
        .ways([
            Way::get(t.way_look(), format!("/teams/{team}/members")).cli(format!("berth team member list --team {team}")),
            Way::send(
                t.invite(),
                "POST",
                format!("/teams/{team}/invitations"),
                &json!({ "email": "dana@example.com", "role": "developer" }),
            )
            .cli(format!("berth team invite dana@example.com --role developer --team {team}")),
        ])
        .into())
}

fn role_options(t: Lang, chosen: &str) -> AnyView {
    let chosen = chosen.to_owned();
    Role::ALL
        .into_iter()
        .map(|role| view! { <option value=role.name() selected=role.name() == chosen>{t.role(role)}</option> })
        .collect_view()
        .into_any()
}

fn list(caller: &Caller, members: &[Member], owner: bool) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let me = caller.me.as_ref().map(|me| me.id.clone());
    let owners = members.iter().filter(|member| member.role == Role::Owner).count();
    let rows = members
        .iter()
        .map(|member| {
            let own = me.as_ref() == Some(&member.user);
            // A team keeps an owner: the only one neither leaves nor becomes something else.
            let only = member.role == Role::Owner && owners == 1;
            let role = match owner && !only {
                true => change_role(caller, member),
                false => t.role(member.role).into_any(),
            };
            let why = (owner && only).then(|| view! { <span class="small faint block">{t.only_owner()}</span> });
            let out = (!only && (owner || own)).then(|| {
                let form = Formed::of(caller, "remove", member.user.as_str());
                let (open, says) =
                    if own { (t.leave(), t.leave_says().to_owned()) } else { (t.remove(), t.remove_member_says(&member.name)) };
                Confirm { open, says: &says, does: open, name: None, bad: true }.show(t, &form)
            });
            view! {
                <tr>
                    <th scope="row">
                        {member.name.clone()}
                        {own.then(|| view! { " "<span class="chip">{t.you()}</span> })}
                        <span class="small faint block">{member.email.clone()}</span>
                    </th>
                    <td data-label=t.col_role()><div>{role}{why}</div></td>
                    <td data-label=t.col_since() class="small soft">{when(t, now, member.since)}</td>
                    <td class="acts">{out}</td>
                </tr>
            }
        })
        .collect_view();
    table(&[t.name(), t.col_role(), t.col_since(), ""], rows)
}

fn change_role(caller: &Caller, member: &Member) -> AnyView {
    let t = caller.lang;
    let form = Formed::of(caller, "role", member.user.as_str());
    let label = t.role_of(&member.name);
    view! {
        <form method="post" class="inline">
            {form.names()}
            <select name="role" aria-label=label>{role_options(t, &form.value("role", member.role.name()))}</select>
            {submit("small", t.change())}
            {form.trouble(&[])}
        </form>
    }
    .into_any()
}

fn invite(caller: &Caller) -> AnyView {
    let t = caller.lang;
    let form = Formed::new(caller, "invite");
    let roles = Role::ALL.into_iter().map(|role| view! { <div><dt>{t.role(role)}</dt><dd>{t.role_says(role)}</dd></div> }).collect_view();
    view! {
        <form method="post" class="card pad stack">
            <h2>{t.invite()}</h2>
            {form.names()}
            {form.trouble(&["email"])}
            {Field { kind: "email", hint: t.invite_hint(), ..Field::text("email", t.email()) }.show(&form)}
            <div class="field">
                <label for="invite-role">{t.col_role()}</label>
                <select id="invite-role" name="role">{role_options(t, &form.value("role", Role::Developer.name()))}</select>
            </div>
            <dl class="facts small">{roles}</dl>
            {submit("main", t.invite_do())}
        </form>
    }
    .into_any()
}

fn invitations(caller: &Caller, open: &[Invitation]) -> AnyView {
    let t = caller.lang;
    let rows = open
        .iter()
        .map(|invitation| {
            let form = Formed::of(caller, "withdraw", invitation.id.as_str());
            let until = invitation.expires_at.to_string();
            let said = t.invitation_says(t.role(invitation.role), &invitation.by, until.get(..10).unwrap_or_default());
            view! {
                <li class="spread">
                    <span>{invitation.email.clone()}<span class="small faint block">{said}</span></span>
                    <form method="post">{form.names()}{submit("small", t.withdraw())}</form>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="card">
            <header><h2>{t.open_invitations()}</h2></header>
            <ul class="body plain">{rows}</ul>
        </section>
    }
    .into_any()
}

/// Invites, withdraws, changes a role, removes.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let team: TeamName = caller.param("team")?;
    let (actor, teams, form) = (caller.actor()?, &caller.backend.teams, &caller.form);
    let role = || Role::from_name(form.get("role")).ok_or_else(|| Error::invalid("invalid_role", "Choose one of the roles.").at("role"));
    let of = UserId::from_text(form.get("of"));
    let done = match caller.verb() {
        "invite" => {
            // The page is shown afterwards, with what is told once: who may not see it is refused before.
            teams.members(actor, &team).await?;
            let made = teams.invite(actor, &team, form.get("email"), role()?).await?;
            return show(&caller.without_form(), Some(made)).await;
        }
        "withdraw" => {
            teams.withdraw(actor, &team, &LinkId::from_text(form.get("of"))).await?;
            "withdrawn"
        }
        "role" => {
            teams.set_role(actor, &team, &of, role()?).await?;
            "role"
        }
        "remove" => {
            teams.remove_member(actor, &team, &of).await?;
            if actor.user.as_ref() == Some(&of) && !caller.is_admin() {
                return Ok(Answer::Go("/".into()));
            }
            "removed"
        }
        _ => return Err(no_such_form()),
    };
    Ok(Answer::Go(format!("/teams/{team}/people?done={done}")))
}
