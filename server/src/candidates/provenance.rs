//! Where an image came from: a statement with the predicate SLSA Provenance v1
//! (<https://slsa.dev/spec/v1.0/provenance>).
//!
//! The build type [`BUILD_TYPE`] means: Berth took the files of `commit` below the folder `path` of `repository`, and had the
//! container engine's `builder` (`classic`, `buildkit`) build `dockerfile` with them, up to the stage `target` and with `args`, once every stage of the
//! repository's `berth.yaml` had passed. Everything the Dockerfile starts or copies from is among the resolved dependencies,
//! by the id of the image it meant. With a `recipe`, what the stages left at the path `artifact` was baked onto a base image
//! by a Dockerfile of Berth's own instead. Where the run went on from one of the same commit that had failed, not every stage
//! passed in it: what passed in another run is a byproduct called `taken over`, with that run's address. Commands of the Dockerfile may fetch more: that is not followed.

use std::collections::BTreeMap;

use app::model::{BaseImage, TestCounts, Timestamp};
use serde_json::{Value, json};

use super::{Subject, digits, statement};

/// The type of the predicate.
pub const PREDICATE: &str = "https://slsa.dev/provenance/v1";
/// How candidates are built; its meaning stands above.
pub const BUILD_TYPE: &str = "urn:berth:build:v1";

/// What is known of a build.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    /// The address of this Berth.
    pub builder: &'a str,
    /// Where the repository is cloned from.
    pub repository: &'a str,
    /// The ref that was pushed.
    pub reference: &'a str,
    /// The commit.
    pub commit: &'a str,
    /// The SHA-256 of its `berth.yaml`, where it has one.
    pub file: Option<&'a str>,
    /// The folder whose files were built from; empty: all of them.
    pub path: &'a str,
    /// What was built, relative to the folder.
    pub dockerfile: &'a str,
    /// Which of the engine's builders built it.
    pub engine_builder: &'a str,
    /// The recipe that was baked in the place of a Dockerfile of the repository: its kind, and the artifact's path.
    pub recipe: Option<(&'a str, &'a str)>,
    /// The stage it stopped at.
    pub target: Option<&'a str>,
    /// The build arguments.
    pub args: &'a BTreeMap<String, String>,
    /// The images it started or copied from.
    pub bases: &'a [BaseImage],
    /// The address of the run.
    pub run: &'a str,
    /// Who pushed.
    pub by: &'a str,
    /// What was not run but taken over, since the run went on where another of the same commit had failed: by the address of the
    /// run in which it passed, its stages and steps.
    pub taken: &'a BTreeMap<String, Vec<String>>,
    /// What its tests came to, where reports of them were read.
    pub tests: Option<&'a TestCounts>,
    /// When the build began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
}

/// The statement.
pub fn about(subject: &Subject, origin: &Origin<'_>) -> Value {
    let source = format!("git+{}@{}", origin.repository, origin.reference);
    let commit = json!({ "uri": source, "name": "source", "digest": { "gitCommit": origin.commit } });
    let base = |base: &BaseImage| {
        let names_an_id = base.name.starts_with("sha256:");
        let uri = if names_an_id { base.name.clone() } else { format!("docker:{}", base.name) };
        json!({ "uri": uri, "name": "base image", "digest": { "sha256": digits(&base.id) } })
    };
    let dependencies: Vec<Value> = std::iter::once(commit).chain(origin.bases.iter().map(base)).collect();
    let file = origin.file.map(|digest| json!({ "path": "berth.yaml", "digest": { "sha256": digest } }));
    let run = json!({ "name": "run", "uri": origin.run });
    let tests = origin.tests.map(|tests| {
        let counts = json!({ "passed": tests.passed, "failed": tests.failed, "skipped": tests.skipped });
        json!({ "name": "tests", "uri": origin.run, "annotations": counts })
    });
    let taken = |(run, steps): (&String, &Vec<String>)| json!({ "name": "taken over", "uri": run, "annotations": { "steps": steps } });
    let byproducts: Vec<Value> = std::iter::once(run).chain(origin.taken.iter().map(taken)).chain(tests).collect();
    let predicate = json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "repository": origin.repository,
                "ref": origin.reference,
                "commit": origin.commit,
                "file": file,
                "path": origin.path,
                "dockerfile": origin.dockerfile,
                "builder": origin.engine_builder,
                "recipe": origin.recipe.map(|(kind, artifact)| json!({ "kind": kind, "artifact": artifact })),
                "target": origin.target,
                "args": origin.args,
            },
            "internalParameters": { "pushedBy": origin.by },
            "resolvedDependencies": dependencies,
        },
        "runDetails": {
            "builder": { "id": origin.builder, "version": { "berth": env!("CARGO_PKG_VERSION") } },
            "metadata": { "invocationId": origin.run, "startedOn": origin.began.to_string(), "finishedOn": origin.ended.to_string() },
            "byproducts": byproducts,
        },
    });
    statement(subject, PREDICATE, &predicate)
}
