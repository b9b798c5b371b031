//! Teams and who is in them.

use app::{
    backend::Teams,
    error::{Error, Result},
    model::{Actor, Invitation, LinkId, Member, NewInvitation, PlatformRole, Role, Team, TeamId, TeamName, UserId},
    said,
};
use async_trait::async_trait;

use super::{Control, accounts, authorize, unknown_team};
use crate::{
    auth::{links as auth_links, rights::Action, secret},
    clock,
    store::{
        StoreError, Tx,
        events::{self, NewEvent},
        links::{self, Purpose},
        teams, users,
    },
};

fn last_owner() -> Error {
    Error::conflict("last_owner", "A team has at least one owner. Make somebody else an owner first.")
}

fn no_member() -> Error {
    Error::not_found("unknown_member", "That person is not in this team. Its list of members shows who is.")
}

/// Names that paths of the console use.
pub(super) fn not_reserved(name: &str) -> Result<()> {
    if name == "new" {
        return Err(Error::invalid("invalid_name", "`new` is a word of the console. Choose another name.").at("name"));
    }
    Ok(())
}

/// The path of a team's page.
fn path(team: &TeamName) -> Option<String> {
    Some(format!("/teams/{team}"))
}

/// Holds that a team keeps an owner, after a change and before its commit.
async fn keeps_an_owner(tx: &mut Tx, team: &TeamId) -> Result<()> {
    if teams::owners(&mut *tx, team).await? == 0 { Err(last_owner()) } else { Ok(()) }
}

#[async_trait]
impl Teams for Control {
    async fn create(&self, actor: &Actor, name: &TeamName) -> Result<Team> {
        authorize(actor, Action::CreateTeam, None)?;
        not_reserved(name.as_str())?;
        let owner = actor.user.as_ref().ok_or_else(super::not_signed_in)?;
        let (id, now) = (TeamId::from_text(clock::new_id()), clock::now());
        let mut tx = self.db.begin().await?;
        teams::insert(&mut tx, &id, name, now).await.map_err(|error| match error {
            StoreError::Taken(_) => {
                Error::conflict("name_taken", format!("There is a team `{name}` already. Choose another name.")).at("name")
            }
            error => error.into(),
        })?;
        teams::put_member(&mut tx, &id, owner, Role::Owner, now).await?;
        let event = NewEvent {
            team: Some(&id),
            action: "team.created",
            subject: said::subject_team(name),
            path: path(name),
            ..NewEvent::default()
        };
        events::insert(&mut tx, actor, event).await?;
        tx.commit().await?;
        Ok(Team { id, name: name.clone(), created_at: now, members: 1, services: 0 })
    }

    async fn list(&self, actor: &Actor) -> Result<Vec<Team>> {
        authorize(actor, Action::ViewPlatform, None)?;
        let every = actor.platform == PlatformRole::Admin;
        let mut teams = teams::list(&self.db, if every { None } else { actor.user.as_ref() }).await?;
        teams.retain(|team| authorize(actor, Action::ViewTeam, Some(&team.id)).is_ok());
        Ok(teams)
    }

    async fn show(&self, actor: &Actor, team: &TeamName) -> Result<Team> {
        let id = self.team(actor, team, Action::ViewTeam).await?;
        teams::show(&self.db, &id).await?.ok_or_else(unknown_team)
    }

    async fn members(&self, actor: &Actor, team: &TeamName) -> Result<Vec<Member>> {
        let id = self.team(actor, team, Action::ViewTeam).await?;
        Ok(teams::members(&self.db, &id).await?)
    }

    async fn invitations(&self, actor: &Actor, team: &TeamName) -> Result<Vec<Invitation>> {
        let id = self.team(actor, team, Action::ManageTeam).await?;
        Ok(links::invitations(&self.db, &id, clock::now()).await?)
    }

    async fn invite(&self, actor: &Actor, team: &TeamName, email: &str, role: Role) -> Result<NewInvitation> {
        let id = self.team(actor, team, Action::ManageTeam).await?;
        let email = accounts::email(email)?;
        let (secret, now) = (secret::fresh(), clock::now());
        let link = links::LinkRow {
            team: Some(id.clone()),
            role: Some(role),
            created_by: actor.user.clone(),
            ..auth_links::open(Purpose::Invitation, Some(email.clone()), now, auth_links::INVITATION)
        };
        let mut tx = self.db.begin().await?;
        if let Some(user) = users::by_email(&mut tx, &email).await?
            && teams::role_of(&mut tx, &id, &user.id).await?.is_some_and(|held| held >= role)
        {
            return Err(Error::conflict("already_member", format!("`{email}` is in the team already.")).at("email"));
        }
        links::insert(&mut tx, &link, &secret::hash(&secret)).await?;
        let event = NewEvent {
            team: Some(&id),
            action: "member.invited",
            subject: email.clone(),
            path: path(team),
            detail: said::detail_as(role.name()),
            ..NewEvent::default()
        };
        events::insert(&mut tx, actor, event).await?;
        tx.commit().await?;
        self.wake.changed(Some(&id), "events");
        let invitation = Invitation { id: link.id, email, role, by: actor.name.clone(), expires_at: link.expires_at };
        Ok(NewInvitation { invitation, link: format!("{}/invite/{secret}", self.config.url) })
    }

    async fn withdraw(&self, actor: &Actor, team: &TeamName, invitation: &LinkId) -> Result<()> {
        let id = self.team(actor, team, Action::ManageTeam).await?;
        let mut tx = self.db.begin().await?;
        let email = links::withdraw(&mut tx, &id, invitation, clock::now()).await?.ok_or_else(|| {
            Error::not_found("unknown_invitation", "There is no such open invitation: it was taken up, withdrawn or never made.")
        })?;
        let event = NewEvent { team: Some(&id), action: "invitation.withdrawn", subject: email, path: path(team), ..NewEvent::default() };
        events::insert(&mut tx, actor, event).await?;
        tx.commit().await?;
        self.wake.changed(Some(&id), "events");
        Ok(())
    }

    async fn set_role(&self, actor: &Actor, team: &TeamName, user: &UserId, role: Role) -> Result<()> {
        let id = self.team(actor, team, Action::ManageTeam).await?;
        let mut tx = self.db.begin().await?;
        tx.lock(&format!("team:{id}")).await?;
        let held = teams::role_of(&mut tx, &id, user).await?.ok_or_else(no_member)?;
        if held == role {
            return Ok(());
        }
        let person = users::by_id(&mut tx, user).await?.ok_or_else(no_member)?;
        teams::put_member(&mut tx, &id, user, role, clock::now()).await?;
        keeps_an_owner(&mut tx, &id).await?;
        let event = NewEvent {
            team: Some(&id),
            action: "member.role_changed",
            subject: person.email,
            path: path(team),
            detail: said::detail_from(held.name(), role.name()),
            ..NewEvent::default()
        };
        events::insert(&mut tx, actor, event).await?;
        tx.commit().await?;
        self.wake.rights_moved();
        self.wake.changed(Some(&id), "events");
        Ok(())
    }

    async fn remove_member(&self, actor: &Actor, team: &TeamName, user: &UserId) -> Result<()> {
        let leaving = actor.user.as_ref() == Some(user);
        let id = self.team(actor, team, if leaving { Action::LeaveTeam } else { Action::ManageTeam }).await?;
        let mut tx = self.db.begin().await?;
        tx.lock(&format!("team:{id}")).await?;
        teams::role_of(&mut tx, &id, user).await?.ok_or_else(no_member)?;
        let person = users::by_id(&mut tx, user).await?.ok_or_else(no_member)?;
        teams::remove_member(&mut tx, &id, user).await?;
        keeps_an_owner(&mut tx, &id).await?;
        let action = if leaving { "member.left" } else { "member.removed" };
        let event = NewEvent { team: Some(&id), action, subject: person.email, path: path(team), ..NewEvent::default() };
        events::insert(&mut tx, actor, event).await?;
        tx.commit().await?;
        self.wake.rights_moved();
        self.wake.changed(Some(&id), "events");
        Ok(())
    }
}
