//! The secrets that steps name: looked for before anything runs, opened for the step alone. They are in no pipeline, no
//! label and no argument, and hidden on their way into a log.

use std::collections::BTreeMap;

use app::said;

use super::{
    Context,
    file::{AFTER, Pipeline},
};
use crate::{
    secrets::Masks,
    store::{
        StoreError,
        runs::RunRow,
        secrets::{self, Sealed},
    },
};

/// What steps need and the service does not have, in a sentence that says how to mend it.
pub async fn missing(ctx: &Context, run: &RunRow, pipeline: &Pipeline) -> Result<Option<String>, StoreError> {
    let after = || pipeline.on_failure.iter().map(|step| (AFTER, step));
    let needed = || pipeline.stages.iter().flat_map(|stage| stage.may_run().map(|step| (stage.name.as_str(), step))).chain(after());
    if needed().all(|(_, step)| step.secrets.is_empty()) {
        return Ok(None);
    }
    if run.untrusted {
        let first =
            needed().find_map(|(stage, step)| Some(said::in_step(stage, &step.name, said::secret_untrusted(step.secrets.first()?))));
        return Ok(first);
    }
    let there = secrets::list(&ctx.db, &run.service_id).await?;
    let missing = needed().find_map(|(stage, step)| {
        let name = step.secrets.iter().find(|name| there.iter().all(|secret| secret.name != **name))?;
        Some(said::in_step(stage, &step.name, not_there(run, name)))
    });
    Ok(missing)
}

fn not_there(run: &RunRow, name: &str) -> String {
    said::secret_missing(name, format!("berth secret set {}/{} {name}", run.team, run.service))
}

/// What is hidden in a log that is written beside the steps: every secret of the service, though nothing was given one. What a
/// step left in a file may be printed by what reads that file. One that does not open cannot have been given to a step.
pub async fn all_hidden(ctx: &Context, run: &RunRow, named: &BTreeMap<String, String>) -> Result<Masks, StoreError> {
    let sealed = secrets::sealed(&ctx.db, &run.service_id).await?;
    let opened: BTreeMap<String, String> =
        sealed.iter().filter_map(|secret| Some((secret.name.clone(), unseal(ctx, run, secret)?))).collect();
    Ok(Masks::sealed_and_named(&opened, named))
}

/// The values of these names; or why one of them cannot be given.
pub async fn open(ctx: &Context, run: &RunRow, names: &[String]) -> Result<Result<BTreeMap<String, String>, String>, StoreError> {
    if names.is_empty() {
        return Ok(Ok(BTreeMap::new()));
    }
    // Whatever the file says: this is the door.
    if run.untrusted {
        return Ok(Err(said::secret_untrusted(names.first().map_or("", String::as_str))));
    }
    let sealed = secrets::sealed(&ctx.db, &run.service_id).await?;
    let value = |name: &String| {
        let found = sealed.iter().find(|secret| secret.name == *name).ok_or_else(|| not_there(run, name))?;
        unseal(ctx, run, found).ok_or_else(|| said::secret_shut(name)).map(|value| (name.clone(), value))
    };
    Ok(names.iter().map(value).collect())
}

fn unseal(ctx: &Context, run: &RunRow, secret: &Sealed) -> Option<String> {
    let plain = ctx.secrets.unseal(&run.team_id, &secret.id, "variables", &secret.variables).ok()?;
    serde_json::from_slice::<BTreeMap<String, String>>(&plain).ok()?.remove(&secret.name)
}
