//! People, teams, invitations and tokens.

use serde::{Deserialize, Serialize};

use super::{LinkId, PlatformRole, Role, Scope, TeamId, TeamName, Timestamp, TokenId, UserId};

/// The signed-in person as they see themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Me {
    /// Their id.
    pub id: UserId,
    /// Their address, which they sign in with.
    pub email: String,
    /// How others see them.
    pub name: String,
    /// `en` or `ko`; none: as the browser says.
    pub language: Option<String>,
    /// Their role on the platform.
    pub platform: PlatformRole,
    /// The teams they are in, by name.
    pub teams: Vec<TeamOfMine>,
}

/// A team and one's role in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct TeamOfMine {
    /// The team's id.
    pub id: TeamId,
    /// The team's name.
    pub name: TeamName,
    /// One's role.
    pub role: Role,
}

/// A team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its name.
    pub name: TeamName,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// How many people are in it.
    pub members: u32,
    /// How many services it owns.
    pub services: u32,
}

/// Somebody in a team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Their role.
    pub role: Role,
    /// Since when.
    pub since: Timestamp,
}

/// An invitation that was not taken up yet. The link itself is shown once, to the one who invited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Invitation {
    /// Its id.
    pub id: LinkId,
    /// The address it is bound to.
    pub email: String,
    /// The role it gives.
    pub role: Role,
    /// Who invited.
    pub by: String,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// A fresh invitation with its secret part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct NewInvitation {
    /// What others see.
    pub invitation: Invitation,
    /// The one-time link to hand over; never shown again.
    pub link: String,
}

/// An API token as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What it is for, in its owner's words.
    pub name: String,
    /// The first letters, to tell it from others.
    pub prefix: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// The one team it is bound to, if it is.
    pub team: Option<TeamName>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; none: when revoked.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// What is asked for a new token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// What it may be used for; at least one.
    pub scopes: Vec<Scope>,
    /// Bind it to one team.
    #[serde(default)]
    pub team: Option<TeamName>,
    /// Days until it ends, 1 to 3650; absent: never.
    #[serde(default)]
    pub days: Option<u32>,
}

/// A fresh token with its secret part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct CreatedToken {
    /// What is seen later too.
    pub token: Token,
    /// The token itself; never shown again.
    pub secret: String,
}

/// A person as an administrator sees them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Person {
    /// Their id.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Their role on the platform.
    pub platform: PlatformRole,
    /// The names of their teams.
    pub teams: Vec<TeamName>,
    /// Since when they may not sign in, if so.
    pub suspended_at: Option<Timestamp>,
    /// Since when Berth knows them.
    pub created_at: Timestamp,
}

/// What makes a person: at the first run, or when an invitation is taken up.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// The secret of the one-time link.
    pub token: String,
    /// Their address (for an invitation: the one it is bound to).
    pub email: String,
    /// Their name.
    pub name: String,
    /// At least 10 characters.
    pub password: String,
}
