//! The test reports of a step: found, read, held against those of the default branch and of other tries of the commit.

use std::{
    collections::BTreeSet,
    io::Read as _,
    sync::{Arc, Mutex, PoisonError},
};

use app::said;
use sha2::{Digest as _, Sha256};

use super::{
    Context,
    collect::{self, Bounds, Looked},
    log::Log,
    step::Job,
};
use crate::{
    ci::{
        compare,
        junit::{self, Case},
        kept::{self, Kept},
    },
    secrets::Masks,
    store::{
        StoreError,
        results::{self, Flipped, NewResults},
    },
};

/// The largest report.
const LARGEST: u64 = 8 << 20;
/// All reports of a run together.
const ALL: u64 = 64 << 20;
/// How many files are reports.
const FILES: usize = 2_000;
/// How many tests of a run are kept.
const TESTS: u64 = 100_000;
/// How many sentences about single reports are said.
const SAID: usize = 5;

/// A report that was read.
struct One {
    digest: String,
    bytes: u64,
    cases: Vec<Case>,
    trouble: Option<String>,
}

/// Reads the reports that fit the glob. None where there are none. What is wrong with them is said in the log.
pub(super) async fn read(ctx: &Context, job: &Job<'_>, glob: &str, log: &mut Log) -> Result<Option<NewResults>, StoreError> {
    let before = results::so_far(&ctx.db, &job.run.id).await?;
    let known: BTreeSet<String> = before.sources.into_iter().collect();
    let bounds = Bounds { files: FILES, each: LARGEST, all: ALL.saturating_sub(before.bytes) };
    let room = Arc::new(Mutex::new(TESTS.saturating_sub(before.tests)));
    let take = move |path: &str, file: &mut dyn std::io::Read| {
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes)?;
        let digest = digest(path, &bytes);
        // Left by a step before, and counted there.
        if known.contains(&digest) {
            return Ok(None);
        }
        let mut room = room.lock().unwrap_or_else(PoisonError::into_inner);
        let report = junit::read(&bytes, usize::try_from(*room).unwrap_or(usize::MAX));
        *room = room.saturating_sub(report.cases.len() as u64);
        let trouble = report.trouble.map(|trouble| said::report_trouble(path, trouble));
        Ok(Some(One { digest, bytes: bytes.len() as u64, cases: report.cases, trouble }))
    };
    let workspace = job.workspace();
    let globs = [glob.to_owned()];
    let Looked { taken, notes } = collect::files(ctx, &workspace, job.folder, &globs, bounds, take).await;
    for note in &notes {
        log.note(note).await?;
    }
    let nothing = taken.is_empty() && notes.is_empty();
    let read: Vec<One> = taken.into_iter().flatten().collect();
    if nothing {
        log.note(&said::reports_none(glob)).await?;
    }
    for trouble in read.iter().filter_map(|one| one.trouble.as_deref()).take(SAID) {
        log.note(trouble).await?;
    }
    if read.is_empty() {
        return Ok(None);
    }
    let new = put_together(ctx, job, read, log.masks()).await?;
    log.note(&said::tests_counted(new.counts.passed, new.counts.failed, new.counts.skipped)).await?;
    Ok(Some(new))
}

/// What a report is told again by in the same run.
fn digest(path: &str, bytes: &[u8]) -> String {
    let mut digest = Sha256::new();
    digest.update(path.as_bytes());
    digest.update([0]);
    digest.update(bytes);
    hex::encode(&digest.finalize()[..12])
}

async fn put_together(ctx: &Context, job: &Job<'_>, read: Vec<One>, masks: &Masks) -> Result<NewResults, StoreError> {
    let step = job.key();
    let on_default = job.run.branch == job.run.default_branch;
    let before = results::before(&ctx.db, &job.run.service_id, &step, job.run.number).await?;
    let others = results::of_commit(&ctx.db, &job.run.service_id, &job.run.commit, &step).await?;
    let (sources, bytes) = (read.iter().map(|one| one.digest.clone()).collect(), read.iter().map(|one| one.bytes).sum());
    let masks = masks.clone();
    let made = tokio::task::spawn_blocking(move || {
        let cases: Vec<Case> = read.into_iter().flat_map(|one| one.cases).map(|case| hidden(case, &masks)).collect();
        let mine: Vec<Kept> = cases.iter().map(Kept::from).collect();
        let before = before.and_then(|(run, packed)| Some((run, kept::unpack(&packed)?)));
        let others: Vec<Vec<Kept>> = others.iter().filter_map(|packed| kept::unpack(packed)).collect();
        let report = compare::report(&step, &cases, before.as_ref().map(|(run, tests)| (*run, tests.as_slice())));
        let flipped = compare::flipped(&cases, &mine, &others);
        let flipped = flipped.into_iter().map(|case| Flipped {
            id: kept::id(&case.suite, &case.name),
            suite: case.suite.clone(),
            name: case.name.clone(),
        });
        NewResults {
            flipped: flipped.collect(),
            counts: report.counts,
            report: serde_json::to_string(&report).unwrap_or_default(),
            cases: kept::pack(&mine),
            step,
            on_default,
            sources,
            bytes,
        }
    });
    // It only computes: where it ends early, Berth does.
    Ok(made.await.unwrap_or_default())
}

/// A test without the values that are hidden in logs too.
fn hidden(case: Case, masks: &Masks) -> Case {
    Case {
        suite: masks.hide(case.suite),
        name: masks.hide(case.name),
        message: case.message.map(|message| masks.hide_cut(message)),
        output: case.output.into_iter().map(|line| masks.hide_cut(line)).collect(),
        ..case
    }
}
