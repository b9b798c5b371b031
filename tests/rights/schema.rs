//! The API against its own description: schemathesis makes requests out of the OpenAPI document, good ones and bad ones, as
//! three people; no answer is a fault, and none is of a status, type or shape that the document does not name.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use futures::future::join_all;
use tokio::process::Command;

use super::world::{STEP, World};
use crate::support::{app::ADMIN, proof};

/// Made requests for each operation, beside those that try the edges of each field.
const EXAMPLES: &str = "6";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,unsupported_method,use_after_free,ignored_auth";

/// Where `.ci/setup test` puts it.
fn program() -> Option<PathBuf> {
    let cache = std::env::var_os("BERTH_CACHE").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache/berth")))?;
    Some(cache.join("schemathesis/bin/schemathesis")).filter(|path| path.is_file())
}

/// Names and ids of what is there, so that requests get beyond "there is no such thing".
fn settings(world: &World) -> String {
    let of = |path: &str, id: &str| format!("[[operations]]\ninclude-path-regex = \"{path}\"\nparameters = {{ \"path.id\" = \"{id}\" }}\n");
    let ids = [of("/rollouts/", &world.rollout), of("/steps/", STEP), of("/routes/", &world.route), of("/people/", &world.member)];
    let names = "[parameters]\nteam = \"a\"\nservice = \"hello\"\nenvironment = \"dev\"\nnumber = 1\nbase = \"debian\"\n";
    format!("{names}\n{}", ids.join("\n"))
}

/// Tries it as this person; what came of it.
async fn tried(program: &Path, role: &str, email: &str) -> String {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("schemathesis.toml");
    std::fs::write(&config, settings(&world)).unwrap();
    let client = world.app.client(email).await;
    let began = Instant::now();
    let output = Command::new(program)
        .arg("--config-file")
        .arg(&config)
        .args(["run", &format!("{}/api/v1/openapi.json", world.app.url()), "--header"])
        .arg(format!("Authorization: Bearer {}", client.secret()))
        // Streams do not end, and logs that are followed; a token that ends itself ends the trial.
        .args(["--exclude-path-regex", "/stream$", "--exclude-operation-id", "target_logs", "--exclude-operation-id", "revoke_token"])
        .args(["--phases", "coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", "1", "--no-shrink", "--continue-on-failure"])
        .args(["--checks", CHECKS, "--request-timeout", "20", "--warnings", "off", "--generation-database", "none"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "as {role}:\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    // "1558 generated, 1558 passed, 56 skipped"
    let made = said.lines().find_map(|line| line.trim().split_once(" generated, ")?.0.parse::<u64>().ok());
    client.get("/me").await.is(200);
    format!("{role} {} in {} s", made.expect("the number of cases"), began.elapsed().as_secs())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_as_it_is_described() {
    let Some(program) = program() else {
        return proof(
            "API against its document",
            "skipped: schemathesis is not installed; `.ci/setup test` installs it and says why it cannot",
        );
    };
    let people = [("viewer", "viewer@a.test"), ("owner", "owner@a.test"), ("administrator", ADMIN)];
    let cases = join_all(people.map(|(role, email)| tried(&program, role, email))).await;
    proof("API against its document", &format!("{}: 0 faults, 0 statuses, types or shapes not described", cases.join(", ")));
}
