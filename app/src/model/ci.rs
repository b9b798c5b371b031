//! Whether a service is really integrated continuously, and how it is delivered.

use serde::{Deserialize, Serialize};

use super::{ServiceName, TeamName, Timestamp};

/// The colour of a light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Light {
    /// It is so.
    Green,
    /// It is so in part.
    Amber,
    /// It is not so.
    Red,
    /// Too little happened to say.
    Grey,
}

impl Light {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
            Self::Grey => "grey",
        }
    }
}

/// One of the three questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Does everybody integrate into the default branch daily?
    Integrates,
    /// Does a suite of tests validate each change?
    Validates,
    /// Is a broken build fixed first?
    Fixes,
}

/// A fact behind a light, and where it is seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Fact {
    /// The fact, as a sentence.
    pub says: String,
    /// The run that shows it.
    pub run: Option<u64>,
    /// When it was.
    pub at: Option<Timestamp>,
}

/// The answer to one of the questions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Answered {
    /// Which question.
    pub question: Question,
    /// Its colour.
    pub light: Light,
    /// Why, in a sentence.
    pub why: String,
    /// What that rests on, newest first.
    pub evidence: Vec<Fact>,
}

/// One of the five measures of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// How often changes reach the last environment.
    DeploymentFrequency,
    /// From the push of a change until it serves there.
    ChangeLeadTime,
    /// The share of deployments that had to be set right at once.
    ChangeFailRate,
    /// From such a deployment until the next good one.
    FailedDeploymentRecoveryTime,
    /// The share of deployments nobody had planned: they set right what another broke.
    ReworkRate,
}

/// A measure with its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Measured {
    /// Which.
    pub measure: Measure,
    /// Its value in its unit; none where nothing happened.
    pub value: Option<f64>,
    /// `per_week`, `ms` or `share` (0 to 1).
    pub unit: String,
    /// What was counted.
    pub of: u64,
    /// How it is defined here.
    pub definition: String,
    /// The year in which the measure got its present form.
    pub year: u32,
}

/// Whether a service is really integrated continuously, with the evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct CiReport {
    /// The team.
    pub team: TeamName,
    /// The service.
    pub service: ServiceName,
    /// The branch that is looked at.
    pub branch: String,
    /// Whether it is red now, and since when.
    pub red_since: Option<Timestamp>,
    /// The three answers.
    pub answers: Vec<Answered>,
    /// The five measures, of the last environment the service is in.
    pub measures: Vec<Measured>,
    /// That environment.
    pub environment: Option<String>,
    /// How many days are looked at.
    pub days: u32,
    /// Whether pushes onto a red default branch are refused unless they fix it.
    pub guards_red: bool,
    /// Whether everybody may see the badges of the team's services.
    pub public_badges: bool,
}

/// The lights of a service in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct CiBrief {
    /// The service.
    pub service: ServiceName,
    /// Its lights, in the order of the questions.
    pub lights: Vec<Light>,
    /// What each of them says.
    pub why: Vec<String>,
}

/// The week of a team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct CiDigest {
    /// The team.
    pub team: TeamName,
    /// The text, to be sent as it is.
    pub text: String,
    /// Its services.
    pub services: Vec<CiBrief>,
    /// Whether everybody may see the badges of its services.
    pub public_badges: bool,
}

/// What is asked to change how a service is guarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct GuardRed {
    /// Whether pushes onto a red default branch are refused unless they fix it.
    pub guards_red: bool,
}

/// What is asked to open or close the badges of a team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PublicBadges {
    /// Whether everybody may see them.
    pub public_badges: bool,
}
