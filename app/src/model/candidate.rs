//! What is known of a candidate beyond its number: how it was made, what vouches for it, how it differs from another.

use serde::{Deserialize, Serialize};

use super::{Candidate, CandidateId, EnvironmentName, Sibling, TestCounts, Timestamp};

/// How an image was made.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Made {
    /// How long the build took, in milliseconds.
    pub build_ms: u64,
    /// What it was built on or from.
    pub bases: Vec<BaseImage>,
    /// How many packages its own databases list; none where it has no database that is read.
    pub packages: Option<u64>,
    /// Who pushed the commit.
    pub by: String,
    /// What its run's tests came to; none where no report was read.
    #[serde(default)]
    pub tests: Option<TestCounts>,
}

/// An image that a build started from or copied from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct BaseImage {
    /// As it was written.
    pub name: String,
    /// What that was: the image's id.
    pub id: String,
}

/// A signed statement, as DSSE envelopes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// What the payload is: `application/vnd.in-toto+json`.
    pub payload_type: String,
    /// The statement, as base64.
    pub payload: String,
    /// Who signed it.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct EnvelopeSignature {
    /// The id of the key.
    pub keyid: String,
    /// The signature, as base64.
    pub sig: String,
}

/// The public half of the key that a Berth signs with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct SigningKey {
    /// Its id: what envelopes call `keyid`.
    pub id: String,
    /// `ed25519`.
    pub algorithm: String,
    /// Its 32 bytes, as base64.
    pub public: String,
    /// The same as other programs read it.
    pub pem: String,
}

/// Whether something vouches for a candidate's image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Vouched {
    /// Its statement is signed by this Berth and names this image.
    Verified,
    /// It was made before candidates were signed.
    Unsigned,
    /// What should vouch for it does not: it is not deployed.
    Refused,
}

/// The image of a run, held against the candidate before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RunImage {
    /// Its size in bytes.
    pub size: u64,
    /// How long its build took, in milliseconds.
    pub build_ms: Option<u64>,
    /// The number of the candidate before; none: it is the first.
    pub before: Option<u64>,
    /// That one's size.
    pub size_before: Option<u64>,
    /// How long that one's build took.
    pub build_ms_before: Option<u64>,
}

impl RunImage {
    /// The image of a candidate beside the one before.
    pub fn of(candidate: &Candidate, before: Option<&Candidate>) -> Self {
        let took = |candidate: &Candidate| candidate.made.as_ref().map(|made| made.build_ms);
        Self {
            size: candidate.size,
            build_ms: took(candidate),
            before: before.map(|before| before.number),
            size_before: before.map(|before| before.size),
            build_ms_before: before.and_then(took),
        }
    }
}

/// A candidate as its page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct CandidateShown {
    /// The candidate.
    pub candidate: Candidate,
    /// Whether something vouches for it.
    pub vouched: Vouched,
    /// Why not, as a sentence.
    pub refusal: Option<String>,
    /// The id of the key that signed its statement.
    pub key: Option<String>,
    /// Where it runs.
    pub places: Vec<CandidatePlace>,
    /// The candidates of one version, made together with it, itself among them; empty where it stands alone.
    #[serde(default)]
    pub together: Vec<Sibling>,
}

/// An environment in which a candidate runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct CandidatePlace {
    /// The environment.
    pub environment: EnvironmentName,
    /// The number of the release there.
    pub release: u64,
    /// Since when.
    pub since: Timestamp,
}

/// How one candidate differs from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Comparison {
    /// The first.
    pub before: Candidate,
    /// The second.
    pub after: Candidate,
    /// The commits that only the second has, newest first.
    pub commits: Vec<CommitLine>,
    /// The commits that only the first has, newest first: going to the second takes them back.
    pub taken_back: Vec<CommitLine>,
    /// Why the commits cannot be told, as a sentence.
    pub commits_unread: Option<String>,
    /// The packages that differ; none where one of them has no list.
    pub packages: Option<PackageChanges>,
    /// The fields of processes, health and release command that differ.
    pub shape: Vec<FieldChange>,
    /// How the variables differ with which they ran last, by environment; of those alone where one of them ran.
    #[serde(default)]
    pub config: Vec<ConfigCompared>,
}

/// How the variables differ with which two candidates ran last in an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ConfigCompared {
    /// The environment.
    pub environment: EnvironmentName,
    /// The number of the config set the first ran with last. None: it never ran here, and would with the newest.
    pub before: Option<u64>,
    /// The same of the second.
    pub after: Option<u64>,
    /// The variables that differ, by name.
    pub changes: Vec<VariableChange>,
}

/// A variable that differs. The value of one whose name says that it is a secret is not in here, and none is for who may not
/// read variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct VariableChange {
    /// Its name.
    pub name: String,
    /// How it differs.
    pub change: VariableChanged,
    /// What it was, where that may be read.
    pub before: Option<String>,
    /// What it is, where that may be read.
    pub after: Option<String>,
}

/// How a variable differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum VariableChanged {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Its value is another.
    Changed,
}

/// A commit in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct CommitLine {
    /// The commit.
    pub id: String,
    /// Its author.
    pub author: String,
    /// The first line of its message.
    pub title: String,
}

/// The packages that differ.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct PackageChanges {
    /// Only in the second.
    pub added: Vec<PackageVersion>,
    /// Only in the first.
    pub removed: Vec<PackageVersion>,
    /// In both, of other versions.
    pub changed: Vec<FieldChange>,
}

/// A package and its version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct PackageVersion {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct FieldChange {
    /// Its name, `processes.web.port` for instance.
    pub field: String,
    /// What it was; none: it was not there.
    pub before: Option<String>,
    /// What it is; none: it is not there any more.
    pub after: Option<String>,
}

/// A candidate whose image is there, as far as it matters for how long it stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptImage {
    /// Which one.
    pub id: CandidateId,
    /// Its number within its service.
    pub number: u64,
    /// The image.
    pub image: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether somebody holds it.
    pub held: bool,
}
