//! Teams and who is in them.

use app::model::{Invitation, Member, NewInvitation, Role, Team, TeamName};
use clap::Subcommand;
use serde_json::json;

use super::{
    args, client,
    failure::{Done, Failure},
    output,
    session::Session,
    token::path_part,
};

/// `berth team …`.
#[derive(Subcommand)]
pub(super) enum TeamCommand {
    /// Create a team, with oneself as its owner
    Create {
        /// Its name
        name: TeamName,
    },
    /// List one's teams
    List,
    /// Show a team, its members and open invitations
    Show {
        /// Its name [default: the team of this folder]
        name: Option<TeamName>,
    },
    /// Invite somebody; prints a link to hand over
    Invite {
        /// Their address
        email: String,
        /// owner, developer or viewer
        #[arg(long, value_parser = args::role, default_value = "developer")]
        role: Role,
    },
    /// Members
    #[command(subcommand)]
    Member(MemberCommand),
}

/// `berth team member …`.
#[derive(Subcommand)]
pub(super) enum MemberCommand {
    /// List who is in the team
    List,
    /// Give somebody another role
    Set {
        /// Their address
        email: String,
        /// owner, developer or viewer
        #[arg(value_parser = args::role)]
        role: Role,
    },
    /// Take somebody out of the team
    Remove {
        /// Their address
        email: String,
    },
}

/// Runs it.
pub(super) async fn run(command: TeamCommand, session: &Session) -> Done<()> {
    match command {
        TeamCommand::Create { name } => session.show(session.client.post("/teams", &json!({ "name": name })).await?, |answer| {
            let team: Team = client::read(answer)?;
            output::line(&format!("Team {} is there, and you own it. Next: berth service create NAME --team {}", team.name, team.name));
            Ok(())
        }),
        TeamCommand::List => session.show(session.client.get("/teams").await?, |answer| {
            let teams: Vec<Team> = client::rows(answer)?;
            let row = |team: &Team| {
                vec![team.name.to_string(), team.members.to_string(), team.services.to_string(), output::ago(team.created_at)]
            };
            output::listing(
                &["NAME", "MEMBERS", "SERVICES", "CREATED"],
                &teams.iter().map(row).collect::<Vec<_>>(),
                "You are in no team yet. `berth team create NAME` makes one.",
            );
            Ok(())
        }),
        TeamCommand::Show { name } => show(name, session).await,
        TeamCommand::Invite { email, role } => {
            let team = session.team().await?;
            let body = json!({ "email": email, "role": role });
            session.show(session.client.post(&format!("/teams/{team}/invitations"), &body).await?, |answer| {
                let new: NewInvitation = client::read(answer)?;
                eprintln!("Hand this link to {email}. It works once, until {}:", new.invitation.expires_at);
                output::line(&new.link);
                Ok(())
            })
        }
        TeamCommand::Member(command) => member(command, session).await,
    }
}

async fn show(name: Option<TeamName>, session: &Session) -> Done<()> {
    let team = match name {
        Some(name) => name,
        None => session.team().await?,
    };
    let answer = session.client.get(&format!("/teams/{team}")).await?;
    if session.json {
        return output::json(&answer);
    }
    let shown: Team = client::read(answer)?;
    output::line(&format!("{}: {} services, created {}", shown.name, shown.services, output::ago(shown.created_at)));
    members(session, &team).await?;
    // Who may not see invitations still sees the team.
    let open = session.client.get(&format!("/teams/{team}/invitations")).await.and_then(client::rows::<Invitation>).unwrap_or_default();
    for invitation in open {
        output::line(&format!("invited: {} as {}, by {}", invitation.email, invitation.role.name(), invitation.by));
    }
    Ok(())
}

async fn members(session: &Session, team: &TeamName) -> Done<()> {
    session.show(session.client.get(&format!("/teams/{team}/members")).await?, |answer| {
        let members: Vec<Member> = client::rows(answer)?;
        let row =
            |member: &Member| vec![member.email.clone(), member.role.name().to_owned(), output::ago(member.since), member.name.clone()];
        output::table(&["ADDRESS", "ROLE", "SINCE", "NAME"], &members.iter().map(row).collect::<Vec<_>>());
        Ok(())
    })
}

async fn member(command: MemberCommand, session: &Session) -> Done<()> {
    let team = session.team().await?;
    match command {
        MemberCommand::List => members(session, &team).await,
        MemberCommand::Set { email, role } => {
            let path = member_path(session, &team, &email).await?;
            session.client.put(&path, &json!({ "role": role })).await?;
            done(session, &format!("{email} is {} of {team} now.", role.name()))
        }
        MemberCommand::Remove { email } => {
            let path = member_path(session, &team, &email).await?;
            session.sure(&format!("Take {email} out of {team}?"))?;
            session.client.delete(&path).await?;
            done(session, &format!("{email} is no longer in {team}."))
        }
    }
}

fn done(session: &Session, sentence: &str) -> Done<()> {
    if !session.json {
        output::line(sentence);
    }
    Ok(())
}

async fn member_path(session: &Session, team: &TeamName, email: &str) -> Done<String> {
    let members: Vec<Member> = client::rows(session.client.get(&format!("/teams/{team}/members")).await?)?;
    match members.iter().find(|member| member.email.eq_ignore_ascii_case(email)) {
        Some(member) => Ok(format!("/teams/{team}/members/{}", path_part(member.user.as_str()))),
        None => Err(Failure::new(format!("{email} is not in {team}. See `berth team member list`."))),
    }
}
