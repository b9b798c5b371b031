//! The image: from the Dockerfile in the service's folder, with the commit's files as its context.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use app::{
    model::{RunState, StepId},
    said,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    Context,
    file::Pipeline,
    log::{Log, telling},
    step::{LIMITS, StepEnd},
};
use crate::{
    git,
    platform::{Build, ImageInfo, PlatformError},
    store::{StoreError, runs::RunRow},
};

/// The largest Dockerfile that is read, in bytes.
pub const LARGEST_DOCKERFILE: usize = 1 << 20;

/// Builds the image of a run. Its end is written by the caller.
///
/// # Errors
/// Those of the store.
pub async fn carry_out(
    ctx: &Context,
    run: &RunRow,
    pipeline: &Pipeline,
    step: &StepId,
    notes: &[String],
    cancel: &CancellationToken,
) -> Result<(StepEnd, Option<ImageInfo>), StoreError> {
    let mut log = Log::open(ctx, &run.team_id, step, run.fence);
    for note in notes {
        log.note(note).await?;
    }
    log.command(&format!("build {}", pipeline.dockerfile_path())).await?;
    let context = ctx.config.scratch().join(format!("{}-context.tar", run.id));
    let built = match archive(ctx, run, pipeline, &context).await {
        Ok(()) => {
            let build = order(run, pipeline, context.clone());
            let (sink, output) = mpsc::channel(64);
            let (built, pumped) = tokio::join!(ctx.platform.build(&build, sink, cancel.clone()), log.pump(output));
            pumped?;
            built.map_err(|error| judge(&error, &log, pipeline))
        }
        Err(error) => Err(StepEnd { state: RunState::Errored, exit_code: None, failure: Some(error.to_string()) }),
    };
    // What is left over goes with the scratch folder at the next start.
    let _ = tokio::fs::remove_file(&context).await;
    let (end, image) = match built {
        Ok(image) => {
            log.note(&format!("The image is {} ({} MiB).", short(&image.id), image.size >> 20)).await?;
            (StepEnd { state: RunState::Passed, exit_code: None, failure: None }, Some(image))
        }
        Err(end) => {
            if end.state != RunState::Cancelled {
                log.note(end.failure.as_deref().unwrap_or_default()).await?;
            }
            (end, None)
        }
    };
    log.close().await?;
    Ok((end, image))
}

/// The image's id as people compare it.
pub fn short(id: &str) -> &str {
    let digest = id.strip_prefix("sha256:").unwrap_or(id);
    digest.get(..12).unwrap_or(digest)
}

async fn archive(ctx: &Context, run: &RunRow, pipeline: &Pipeline, to: &std::path::Path) -> git::Result<()> {
    tokio::fs::create_dir_all(ctx.config.scratch()).await.map_err(git::GitError::Start)?;
    git::archive(&ctx.repository(&run.repository_id), &run.commit, &pipeline.path, to).await
}

fn order(run: &RunRow, pipeline: &Pipeline, context: PathBuf) -> Build {
    let labels = [
        ("org.opencontainers.image.revision", run.commit.clone()),
        ("org.opencontainers.image.title", run.service.to_string()),
        ("org.opencontainers.image.version", format!("run {}", run.number)),
    ];
    Build {
        run: run.id.clone(),
        team: run.team_id.clone(),
        service: run.service_id.clone(),
        context,
        dockerfile: pipeline.dockerfile.clone(),
        target: pipeline.target.clone(),
        args: pipeline.args.clone(),
        labels: labels.map(|(name, value)| (name.to_owned(), value)).into(),
        limits: LIMITS,
        timeout: Duration::from_millis(pipeline.build_timeout_ms),
    }
}

fn judge(error: &PlatformError, log: &Log, pipeline: &Pipeline) -> StepEnd {
    let state = match error {
        PlatformError::BuildFailed(_) | PlatformError::ImageNotFound { .. } => RunState::Failed,
        PlatformError::TimedOut(_) => RunState::TimedOut,
        PlatformError::Cancelled => RunState::Cancelled,
        // Nobody knows how it ended: it is tried again.
        error if error.passing() => RunState::Lost,
        _ => RunState::Errored,
    };
    let failure = match error {
        PlatformError::BuildFailed(cause) => {
            let line = telling(&log.last_lines()).filter(|line| !cause.contains(line.as_str())).map(|line| format!(" ({line})"));
            said::not_built(pipeline.dockerfile_path(), format!("{cause}{}", line.unwrap_or_default()))
        }
        other => other.to_string(),
    };
    StepEnd { state, exit_code: None, failure: Some(failure) }
}

/// The images a Dockerfile starts from or copies from, as far as they can be told before it is built. Stages of its own,
/// `scratch` and names made of unknown variables are left out.
pub fn images_of(dockerfile: &str, args: &BTreeMap<String, String>) -> Vec<String> {
    let mut known = BTreeMap::new();
    let mut stages: Vec<String> = Vec::new();
    let mut images = Vec::new();
    for line in logical_lines(dockerfile) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((instruction, rest)) = words.split_first() else { continue };
        match instruction.to_uppercase().as_str() {
            "ARG" if stages.is_empty() => {
                for word in rest {
                    let (name, default) = word.split_once('=').unwrap_or((word, ""));
                    let value = args.get(name).cloned().unwrap_or_else(|| default.trim_matches(['"', '\'']).to_owned());
                    known.insert(name.to_owned(), value);
                }
            }
            "FROM" => {
                let mut rest = rest.iter().filter(|word| !word.starts_with("--"));
                let image = rest.next().and_then(|word| expand(word, &known));
                let name = rest.next().filter(|word| word.eq_ignore_ascii_case("as")).and_then(|_| rest.next());
                images.extend(image.filter(|image| !stages.contains(&image.to_lowercase())));
                stages.push(name.map(|name| name.to_lowercase()).unwrap_or_default());
            }
            "COPY" | "ADD" => {
                let from = rest.iter().find_map(|word| word.strip_prefix("--from=")).and_then(|word| expand(word, &known));
                images.extend(from.filter(|from| !stages.contains(&from.to_lowercase()) && from.parse::<usize>().is_err()));
            }
            _ => {}
        }
    }
    images.retain(|image| image != "scratch");
    images.sort();
    images.dedup();
    images
}

/// The lines of a Dockerfile with continued ones joined and comments left out.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for piece in text.lines().filter(|piece| !piece.trim_start().starts_with('#')) {
        match piece.trim_end().strip_suffix('\\') {
            Some(more) => {
                line.push_str(more);
                line.push(' ');
            }
            None => {
                line.push_str(piece);
                lines.push(std::mem::take(&mut line));
            }
        }
    }
    lines.push(line);
    lines
}

/// A word with `$NAME`, `${NAME}` and `${NAME:-default}` replaced; none where one of them is not known.
fn expand(word: &str, known: &BTreeMap<String, String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = word.trim_matches('"');
    while let Some(start) = rest.find('$') {
        out.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        let (name, next) = match after.strip_prefix('{') {
            Some(braced) => braced.split_once('}')?,
            None => after.split_at(after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len())),
        };
        let (name, default) = name.split_once(":-").map_or((name, None), |(name, default)| (name, Some(default)));
        let value = known.get(name).map(String::as_str).filter(|value| !value.is_empty()).or(default)?;
        out.push_str(value);
        rest = next;
    }
    out.push_str(rest);
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_of_a_dockerfile_are_told_before_it_is_built() {
        let args = BTreeMap::from([("TAG".to_owned(), "2".to_owned())]);
        let cases: [(&str, &[&str]); 9] = [
            ("FROM alpine\nRUN true", &["alpine"]),
            ("# FROM x\nfrom rust:1 as b\nRUN x\nFROM scratch\nCOPY --from=b /a /a", &["rust:1"]),
            ("FROM --platform=linux/amd64 \\\n  debian:12\nCOPY --from=busybox:1 /bin/sh /sh", &["busybox:1", "debian:12"]),
            ("ARG TAG=1\nFROM app:${TAG}", &["app:2"]),
            ("ARG OTHER=7\nFROM app:$OTHER", &["app:7"]),
            ("ARG NONE\nFROM app:${NONE:-3}\nFROM $NONE", &["app:3"]),
            ("FROM a AS one\nFROM one AS two\nCOPY --from=0 x y", &["a"]),
            ("FROM ${UNKNOWN}", &[]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(images_of(text, &args), expected, "{text}");
        }
    }
}
