//! The image: from the Dockerfile in the service's folder, with the commit's files as its context.

use std::{collections::BTreeMap, io::Read as _, path::PathBuf, time::Duration};

use app::{
    model::{BaseImage, RunState, StepId},
    said,
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Context, bake, context, disk,
    file::Pipeline,
    log::{Log, telling},
    secrets,
    step::StepEnd,
    vouch::{self, Baked, Built, VouchError},
};
use crate::{
    clock, git,
    platform::{Build, PlatformError},
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
    (notes, until): (&[String], Instant),
    cancel: &CancellationToken,
) -> Result<(StepEnd, Option<Baked>), StoreError> {
    let mut log = Log::open(ctx, &run.team_id, step, run.fence);
    log.mask(secrets::all_hidden(ctx, run, &pipeline.args).await?);
    for note in notes {
        log.note(note).await?;
    }
    log.command(&format!("build {}", pipeline.made_from())).await?;
    let context = ctx.config.scratch().join(format!("{}-context.tar", run.id));
    let built = match files(ctx, run, pipeline, &context, cancel).await {
        Ok(Ok(())) => {
            let build = order(ctx, run, pipeline, context.clone(), until);
            let began = clock::now();
            let built = match its_bases(ctx, &build).await {
                Ok(bases) => {
                    let (sink, output) = mpsc::channel(64);
                    let (built, pumped) = tokio::join!(ctx.platform.build(&build, sink, cancel.clone()), log.pump(output));
                    pumped?;
                    built.map(|image| Built { run, pipeline, image, bases, began })
                }
                Err(error) => Err(error),
            };
            match built {
                Ok(built) => vouched(ctx, built).await?.map_err(|error| judge(&error, &log, pipeline)),
                Err(error) => Err(judge(&error, &log, pipeline)),
            }
        }
        Ok(Err(error)) => Err(judge(&error, &log, pipeline)),
        Err(error) => Err(StepEnd { state: RunState::Errored, exit_code: None, failure: Some(error.to_string()), tries: 1 }),
    };
    // What is left over goes with the scratch folder at the next start.
    let _ = tokio::fs::remove_file(&context).await;
    let (end, image) = match built {
        Ok(image) => {
            log.note(&format!("The image is {} ({} MiB).", short(&image.id), image.size >> 20)).await?;
            log.note(&image.says()).await?;
            (StepEnd { state: RunState::Passed, exit_code: None, failure: None, tries: 1 }, Some(image))
        }
        Err(end) => {
            if end.state != RunState::Cancelled {
                log.exit(end.failure.as_deref().unwrap_or_default());
            }
            (end, None)
        }
    };
    log.close().await?;
    Ok((end, image))
}

/// What is said of the image that was built; an engine that goes away meanwhile is as one that goes away in the build.
async fn vouched(ctx: &Context, built: Built<'_>) -> Result<Result<Baked, PlatformError>, StoreError> {
    match vouch::gather(ctx, built).await {
        Ok(baked) => Ok(Ok(baked)),
        Err(VouchError::Store(error)) => Err(error),
        Err(VouchError::Engine(error)) => Ok(Err(error)),
        Err(VouchError::Key(error)) => Ok(Err(PlatformError::Refused(error.to_string()))),
    }
}

/// The image's id as people compare it.
pub fn short(id: &str) -> &str {
    let digest = id.strip_prefix("sha256:").unwrap_or(id);
    digest.get(..12).unwrap_or(digest)
}

/// The files the image is built from: those of the commit, or of a recipe what the stages left.
async fn files(
    ctx: &Context,
    run: &RunRow,
    pipeline: &Pipeline,
    to: &std::path::Path,
    cancel: &CancellationToken,
) -> git::Result<Result<(), PlatformError>> {
    tokio::fs::create_dir_all(ctx.config.scratch()).await.map_err(git::GitError::Unwritable)?;
    let (repository, folder) = (ctx.repository(&run.repository_id), pipeline.context().0);
    match &pipeline.recipe {
        Some(recipe) => {
            let made = disk::written(ctx, run, to, cancel, || bake::context(ctx, run, recipe, to)).await;
            Ok(made.unwrap_or(Err(PlatformError::Cancelled)))
        }
        None => {
            let made = disk::written(ctx, run, to, cancel, || git::archive(&repository, &run.commit, folder, to)).await;
            made.map_or(Ok(Err(PlatformError::Cancelled)), |made| made.map(Ok))
        }
    }
}

/// Holds that everything the build starts from is there for its team, and says what that is. In the Dockerfile as the engine
/// gets it: what is in a commit may be changed on its way into the archive.
async fn its_bases(ctx: &Context, build: &Build) -> Result<Vec<BaseImage>, PlatformError> {
    let (archive, name) = (build.context.clone(), build.dockerfile.clone());
    let looked = move || Ok((context::refusal(&archive, context::Bounds::default())?, dockerfile_in(&archive, &name)?));
    let looked = tokio::task::spawn_blocking(looked).await.map_err(std::io::Error::other);
    let refused = |why: &dyn std::fmt::Display| PlatformError::BuildFailed(why.to_string());
    let (refusal, text) = looked.flatten().map_err(|error| refused(&error))?;
    if let Some(why) = refusal {
        return Err(refused(&why));
    }
    let text = text.ok_or_else(|| refused(&said::dockerfile_no_file()))?;
    if escapes(&text) {
        return Err(refused(&said::dockerfile_escapes()));
    }
    if names_its_reader(&text) {
        return Err(refused(&said::dockerfile_syntax()));
    }
    let mut bases = Vec::new();
    for name in images_of(&text, &build.args) {
        let id = ctx.platform.image(&name, &build.team).await?.id;
        bases.push(BaseImage { name, id });
    }
    Ok(bases)
}

/// The text of a file in an archive; none where there is no file of that name, but a link for instance.
fn dockerfile_in(archive: &std::path::Path, name: &str) -> std::io::Result<Option<String>> {
    let mut archive = tar::Archive::new(std::io::BufReader::new(std::fs::File::open(archive)?));
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.path()?.components().eq(std::path::Path::new(name.trim_start_matches("./")).components()) {
            let mut bytes = Vec::new();
            let file = entry.header().entry_type().is_file() && entry.size() <= LARGEST_DOCKERFILE as u64;
            entry.take(LARGEST_DOCKERFILE as u64).read_to_end(&mut bytes)?;
            return Ok(file.then(|| String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(None)
}

fn order(ctx: &Context, run: &RunRow, pipeline: &Pipeline, context: PathBuf, until: Instant) -> Build {
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
        dockerfile: if pipeline.recipe.is_some() { bake::DOCKERFILE.to_owned() } else { pipeline.context().1 },
        target: pipeline.target.clone(),
        args: pipeline.args.clone(),
        labels: labels.map(|(name, value)| (name.to_owned(), value)).into(),
        limits: ctx.limits(),
        timeout: Duration::from_millis(pipeline.build_timeout_ms).min(until.saturating_duration_since(Instant::now())),
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
            said::not_built(pipeline.made_from(), format!("{cause}{}", line.unwrap_or_default()))
        }
        other => other.to_string(),
    };
    // What an engine says of a failure may quote what was printed.
    StepEnd { state, exit_code: None, failure: Some(log.masks().hide(failure)), tries: 1 }
}

/// Whether a Dockerfile says that something else than a backslash continues a line (its directive `escape`): then what it
/// starts from could not be told.
pub fn escapes(dockerfile: &str) -> bool {
    let directive = |line: &str| Some(line.trim().strip_prefix('#')?.split_once('=')?.0.trim().eq_ignore_ascii_case("escape"));
    dockerfile.trim_start_matches('\u{feff}').lines().any(|line| directive(line) == Some(true))
}

/// Whether a Dockerfile asks to be read by another program, an image from anywhere (its directive `syntax`): directives
/// stand before everything else.
pub fn names_its_reader(dockerfile: &str) -> bool {
    let head = dockerfile.trim_start_matches('\u{feff}').lines().map(str::trim).take_while(|line| line.starts_with('#'));
    let named = |line: &str| Some(line.strip_prefix('#')?.split_once('=')?.0.trim().eq_ignore_ascii_case("syntax"));
    head.into_iter().any(|line| named(line) == Some(true))
}

/// The images a Dockerfile starts from or copies from. Stages of its own and `scratch` are left out. A name made of unknown
/// variables stands as it is: an engine would find nothing by it either.
pub fn images_of(dockerfile: &str, args: &BTreeMap<String, String>) -> Vec<String> {
    let mut known = BTreeMap::new();
    let mut stages: Vec<String> = Vec::new();
    let mut images = Vec::new();
    for line in logical_lines(dockerfile) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = words.iter().take_while(|word| word.eq_ignore_ascii_case("onbuild")).count();
        let Some((instruction, rest)) = words[after..].split_first() else { continue };
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
                let image = rest.next().map(|word| named(word, &known));
                let name = rest.next().filter(|word| word.eq_ignore_ascii_case("as")).and_then(|_| rest.next());
                images.extend(image.filter(|image| !stages.contains(&image.to_lowercase())));
                stages.push(name.map(|name| name.to_lowercase()).unwrap_or_default());
            }
            "COPY" | "ADD" => {
                let flags = rest.iter().map(|word| unquoted(word));
                let from = flags.filter_map(|word| Some(named(word.strip_prefix("--from=")?, &known)));
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

/// What a word of a Dockerfile names.
fn named(word: &str, known: &BTreeMap<String, String>) -> String {
    expand(word, known).map_or_else(|| word.to_owned(), |word| unquoted(&word))
}

/// A word without what quotes: `--fr\om="x"` is `--from=x` to an engine.
fn unquoted(word: &str) -> String {
    word.replace(['\\', '"', '\''], "")
}

/// The lines of a Dockerfile with continued ones joined; comments and empty ones are left out, as engines do it.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for piece in text.lines().filter(|piece| !piece.trim().is_empty() && !piece.trim_start().starts_with('#')) {
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

/// A word with `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+instead}` replaced; none where one of them is not known.
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
        if let Some((name, instead)) = name.split_once(":+") {
            out.push_str(if known.get(name).is_some_and(|value| !value.is_empty()) { instead } else { "" });
            rest = next;
            continue;
        }
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
        let cases: [(&str, &[&str]); 15] = [
            ("FROM alpine\nRUN true", &["alpine"]),
            ("# FROM x\nfrom rust:1 as b\nRUN x\nFROM scratch\nCOPY --from=b /a /a", &["rust:1"]),
            ("FROM --platform=linux/amd64 \\\n  debian:12\nCOPY --from=busybox:1 /bin/sh /sh", &["busybox:1", "debian:12"]),
            ("ARG TAG=1\nFROM app:${TAG}", &["app:2"]),
            ("ARG OTHER=7\nFROM app:$OTHER", &["app:7"]),
            ("ARG NONE\nFROM app:${NONE:-3}\nFROM $NONE", &["$NONE", "app:3"]),
            ("FROM a AS one\nFROM one AS two\nCOPY --from=0 x y", &["a"]),
            ("FROM ${UNKNOWN}", &["${UNKNOWN}"]),
            // Ways to name an image that engines understand.
            ("ARG X=1\nFROM ${X:+sha256:0a}", &["sha256:0a"]),
            ("FROM a\nCOPY \\\n\n  # why\n --from=b x y", &["a", "b"]),
            ("FROM a\nCOPY --fr\\om=\"b\" x y\nADD --'from'=c x y", &["a", "b", "c"]),
            ("FROM 'a'\nFROM \\b", &["a", "b"]),
            ("FROM a\nONBUILD COPY --from=b x y\nonbuild onbuild copy --from=c x y", &["a", "b", "c"]),
            ("FROM a\nCOPY --from=b --from=c x y", &["a", "b", "c"]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(images_of(text, &args), expected, "{text}");
        }
        let named = ["# syntax=docker/dockerfile:1\nFROM a", "#Syntax = x", "# escape=\\\n# syntax=x\nFROM a"];
        assert!(named.into_iter().all(names_its_reader));
        assert!(!["FROM a\n# syntax=x", "# see syntax\nFROM a", ""].into_iter().any(names_its_reader));
        assert!(["# escape=`\nFROM a", "FROM a\n #\tEscape = \\"].into_iter().all(escapes) && !escapes("# no escape\nENV escape=x"));
    }
}
