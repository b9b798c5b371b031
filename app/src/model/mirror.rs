//! Repositories that live elsewhere and are mirrored here.

use serde::{Deserialize, Serialize};

use super::{RepositoryName, RunState, ServiceName, Timestamp};

/// Whose API is spoken, and whose hooks are believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Forge {
    /// Nobody's: Git alone.
    #[default]
    Git,
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
    /// Gitea or Forgejo.
    Gitea,
}

impl Forge {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Git, Self::Github, Self::Gitlab, Self::Gitea];

    /// Its name in store, API and command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Gitea => "gitea",
        }
    }

    /// The forge of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|forge| forge.name() == name)
    }
}

/// A repository that lives elsewhere, to be mirrored here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewMirror {
    /// Its address: `https://…`, `ssh://…` or `git@host:path`.
    pub address: String,
    /// A token for it, where it is not open to all, and for telling it how commits fare.
    #[serde(default)]
    pub token: Option<String>,
    /// Whose API it speaks; absent: as its host tells.
    #[serde(default)]
    pub forge: Option<Forge>,
    /// Where its API is, without the path; absent: on the host of the address.
    #[serde(default)]
    pub forge_url: Option<String>,
}

/// What is changed of a mirror; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MirrorChange {
    /// How often it is fetched by itself, in seconds: 30 to 86,400.
    #[serde(default)]
    pub every_seconds: Option<u32>,
    /// A token in the place of the one it has; empty: none.
    #[serde(default)]
    pub token: Option<String>,
    /// Whose API it speaks.
    #[serde(default)]
    pub forge: Option<Forge>,
    /// Where its API is; empty: on the host of the address.
    #[serde(default)]
    pub forge_url: Option<String>,
    /// Whether commits are told how they fare.
    #[serde(default)]
    pub statuses: Option<bool>,
}

/// How a mirror is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MirrorState {
    /// Nothing was fetched yet.
    NeverFetched,
    /// It is being fetched.
    Fetching,
    /// It is as it was there when it was fetched last.
    UpToDate,
    /// It cannot be fetched.
    Failing,
}

/// A mirror as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Mirror {
    /// The repository here.
    pub repository: RepositoryName,
    /// The address of the one it mirrors.
    pub address: String,
    /// Whose API that speaks.
    pub forge: Forge,
    /// Where that API is, where it was said.
    pub forge_url: Option<String>,
    /// How it is.
    pub state: MirrorState,
    /// Why it cannot be fetched, in a sentence.
    pub failure: Option<String>,
    /// Since when.
    pub failing_since: Option<Timestamp>,
    /// When it was fetched last.
    pub fetched_at: Option<Timestamp>,
    /// Whether somebody wants it fetched, and it was not yet.
    pub wanted: bool,
    /// How often it is fetched by itself, in seconds.
    pub every_seconds: u32,
    /// Whether it has a token.
    pub has_token: bool,
    /// The public half of its deploy key, to be given to the forge.
    pub deploy_key: Option<String>,
    /// Fingerprints of the keys its host showed at first sight, each with its kind; no other is taken.
    pub host_keys: Vec<String>,
    /// Where the forge sends its hooks.
    pub hook_url: String,
    /// Whether they have a secret, without which none is believed.
    pub has_hook_secret: bool,
    /// When one was believed last.
    pub hooked_at: Option<Timestamp>,
    /// Whether commits are told how they fare.
    pub statuses: bool,
    /// What the forge was told, or is to be told; the newest first, 20 at most.
    pub told: Vec<ForgeStatus>,
}

/// What a forge is told of a commit and a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ForgeStatus {
    /// The service.
    pub service: ServiceName,
    /// The commit.
    pub commit: String,
    /// The number of the run.
    pub run: u64,
    /// How that is.
    pub state: RunState,
    /// When the forge took it; none: not this state yet.
    pub told_at: Option<Timestamp>,
    /// When it is tried again.
    pub next_try: Option<Timestamp>,
    /// Why it was not taken, in a sentence.
    pub failure: Option<String>,
}

/// Where hooks are sent, and the secret, which is shown once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct NewHook {
    /// The address.
    pub url: String,
    /// The secret.
    pub secret: String,
}
