//! Who asks, and what that one may do.

use serde::{Deserialize, Serialize};

use super::{TeamId, TokenId, UserId};

/// What a person is in a team. Each role includes the ones below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees everything of the team but secrets.
    Viewer,
    /// Ships and changes the team's services.
    Developer,
    /// Also decides who is in the team.
    Owner,
}

/// What a person is to the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PlatformRole {
    /// Only what the teams give.
    None,
    /// Defines environments, hosts and plans, and sees every team.
    Admin,
}

/// What a token may be used for. What it does not name it does not grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Read everything its owner may read.
    Read,
    /// Push and fetch over Git.
    Git,
    /// Deploy, promote, roll back, scale, cancel.
    Deploy,
    /// Change services, config, routes.
    Write,
    /// Change teams, people and tokens.
    Admin,
    /// Read Berth's own figures, and nothing else.
    Metrics,
}

impl Scope {
    /// All of them, for the form and the help.
    pub const ALL: [Self; 6] = [Self::Read, Self::Git, Self::Deploy, Self::Write, Self::Admin, Self::Metrics];

    /// Its name in the API and the CLI.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Git => "git",
            Self::Deploy => "deploy",
            Self::Write => "write",
            Self::Admin => "admin",
            Self::Metrics => "metrics",
        }
    }

    /// The scope of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

impl Role {
    /// All of them, lowest first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Developer, Self::Owner];

    /// Its name in the API and the CLI.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Owner => "owner",
        }
    }

    /// The role of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Through which door a request came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A signed-in browser.
    Session,
    /// An API token with its scopes.
    Token {
        /// Which one.
        id: TokenId,
        /// What it may be used for.
        scopes: Vec<Scope>,
        /// The one team it is bound to, if it is.
        team: Option<TeamId>,
    },
    /// Berth itself: a background task.
    System,
}

/// The one who asks: built by `server::auth` from a session or a token, taken by every method of the seam.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The person; none for Berth itself.
    pub user: Option<UserId>,
    /// How the activity names them.
    pub name: String,
    /// Their role on the platform.
    pub platform: PlatformRole,
    /// Their roles in teams.
    pub roles: Vec<(TeamId, Role)>,
    /// How they came in.
    pub credential: Credential,
    /// The id of the request, for the events and the log.
    pub request: String,
    /// The address they came from, if from outside.
    pub peer: Option<String>,
}

impl Actor {
    /// Berth itself, in a background task; `what` names the task in the activity.
    pub fn system(what: &str) -> Self {
        Self {
            user: None,
            name: what.to_owned(),
            platform: PlatformRole::None,
            roles: Vec::new(),
            credential: Credential::System,
            request: String::new(),
            peer: None,
        }
    }

    /// The role in this team, if any.
    pub fn role_in(&self, team: &TeamId) -> Option<Role> {
        self.roles.iter().find(|(id, _)| id == team).map(|(_, role)| *role)
    }
}
