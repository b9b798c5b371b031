//! Folders of steps that are kept from one run to the next: what package managers fetched, what compilers made.
//!
//! A step has a cache for itself: files that two write at once are worth nothing. What comes meanwhile begins with another of the
//! same folder and image, or with an empty one, and leaves one more behind. Where nothing is kept for the files it is keyed by, it
//! begins with a copy of what was left last for others, which stays as it is. What a step left that ended by itself, well or not, is
//! kept; what one left that was ended from outside is given up, since nobody knows what it had half written. Runs of commits that
//! anybody may have written get none: what they left would be run by those that are trusted.

use std::{collections::BTreeSet, time::Duration};

use app::{model::CacheId, said};
use globset::GlobSet;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Context, collect, log::Log, step::Job};
use crate::{
    git,
    platform::CacheMount,
    store::{
        StoreError,
        caches::{self, Kept, Taken, Wanted},
    },
};

/// How many digits of a digest are shown and stored: two sets of files with the same are not met by chance.
const DIGITS: usize = 32;

/// A cache that no step used for so long is given up.
pub const UNUSED: Duration = Duration::from_secs(14 * 86_400);
/// How long it is shown why a cache was given up.
pub const SHOWN: Duration = Duration::from_secs(7 * 86_400);

/// What a step has from the runs before it, each said in its log.
pub(super) async fn take(ctx: &Context, job: &Job<'_>, log: &mut Log, cancel: &CancellationToken) -> Result<Vec<CacheMount>, StoreError> {
    let wanted = &job.step.caches;
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    // Whatever the file says: this is the door.
    if job.run.untrusted {
        log.note(&said::no_caches_untrusted()).await?;
        return Ok(Vec::new());
    }
    let keys: Vec<&[String]> = wanted.values().map(Vec::as_slice).collect();
    let digests = match digests(ctx, job, &keys).await {
        Ok(digests) => digests,
        Err(why) => {
            log.note(&said::no_caches(why)).await?;
            return Ok(Vec::new());
        }
    };
    let mut mounts = Vec::new();
    for ((path, files), digest) in wanted.iter().zip(digests) {
        if !files.is_empty() && digest.is_empty() {
            log.note(&said::cache_no_files(path, files.join(", "))).await?;
        }
        let wanted = Wanted { path, image: &job.step.image, made_for: &digest };
        let mut tx = ctx.db.begin().await?;
        let taken = caches::take(&mut tx, job.run, job.id, wanted).await?;
        tx.commit().await?;
        // Lost: whoever has the run now does without what was taken so far, and so does this.
        let Some(taken) = taken else { return Ok(Vec::new()) };
        if let Some(from) = &taken.copy_of {
            let copy = ctx.platform.copy_cache(&job.workspace(), from, &taken.id, cancel.clone()).await;
            let mut tx = ctx.db.begin().await?;
            caches::copied(&mut tx, job.id, copy.is_err().then_some(&taken.id)).await?;
            tx.commit().await?;
            if let Err(error) = copy {
                log.note(&said::no_caches(error)).await?;
                continue;
            }
        }
        // An engine's volumes can be lost, with their host for instance.
        let lost = taken.copy_of.is_none() && taken.of_run.is_some() && !is_there(ctx, &taken.id).await;
        log.note(&if lost { said::cache_empty(path) } else { sentence(path, &taken) }).await?;
        mounts.push(CacheMount { id: taken.id, path: path.clone() });
    }
    Ok(mounts)
}

/// Whether a cache is there. Where an engine does not say, the step itself will find out.
async fn is_there(ctx: &Context, id: &CacheId) -> bool {
    ctx.platform.caches().await.map_or(true, |caches| caches.contains(id))
}

fn sentence(path: &str, taken: &Taken) -> String {
    match (taken.of_run, &taken.copy_of) {
        (None, _) => said::cache_empty(path),
        (Some(run), None) => said::cache_of(path, run),
        (Some(run), Some(_)) => said::cache_of_others(path, run),
    }
}

/// For each list of globs the digest of the files of the commit that fit it: their paths and what Git calls their contents.
/// Empty where there is none. From Git, since what is in the workspace by then was written by steps.
async fn digests(ctx: &Context, job: &Job<'_>, keys: &[&[String]]) -> Result<Vec<String>, String> {
    let sets: Vec<Option<GlobSet>> = keys
        .iter()
        .map(|globs| if globs.is_empty() { Ok(None) } else { collect::globs(job.folder, globs).map(Some) })
        .collect::<Result<_, _>>()?;
    let mut hashes: Vec<Option<Sha256>> = vec![None; keys.len()];
    if sets.iter().any(Option::is_some) {
        let each = |path: &str, object: &str| {
            for (set, hash) in sets.iter().zip(&mut hashes) {
                if set.as_ref().is_some_and(|set| set.is_match(path)) {
                    // No path and no name of an object has a NUL in it.
                    hash.get_or_insert_default().update(format!("{path}\0{object}\0"));
                }
            }
        };
        let repository = ctx.repository(&job.run.repository_id);
        git::tree(&repository, &job.run.commit, job.folder, each).await.map_err(|error| error.to_string())?;
    }
    let digits = |hash: Sha256| hex::encode(hash.finalize()).chars().take(DIGITS).collect();
    Ok(hashes.into_iter().map(|hash| hash.map(digits).unwrap_or_default()).collect())
}

/// Whether a step that ended like this ended by itself, so that what it left is whole. A shell tells of a signal by a code above
/// 128.
pub const fn leaves_whole(exit_code: Option<i64>) -> bool {
    matches!(exit_code, Some(0..=128))
}

/// What is given up of a service's caches so that the rest has room in so many bytes: those not used for longest, as far as no step
/// has them. `kept`: all of them, the one not used for longest first.
pub fn beyond(kept: &[Kept], budget: u64) -> BTreeSet<CacheId> {
    let mut all: u64 = kept.iter().map(|one| one.size).sum();
    let mut going = BTreeSet::new();
    for one in kept.iter().filter(|one| !one.in_use && one.size > 0) {
        if all <= budget {
            break;
        }
        all -= one.size;
        going.insert(one.id.clone());
    }
    going
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first_and_never_what_a_step_has() {
        let kept = |sizes: &[(u64, bool)]| -> Vec<Kept> {
            let one =
                |(n, (size, in_use)): (usize, &(u64, bool))| Kept { id: CacheId::from_text(n.to_string()), size: *size, in_use: *in_use };
            sizes.iter().enumerate().map(one).collect()
        };
        for (sizes, budget, going) in [
            (&[][..], 0, &[][..]),
            (&[(5, false), (5, false)], 10, &[]),
            (&[(5, false), (5, false), (1, false)], 10, &["0"]),
            (&[(1, false), (5, false), (6, false)], 6, &["0", "1"]),
            (&[(5, true), (5, false), (5, false)], 10, &["1"]),
            (&[(50, true), (0, false), (5, false)], 10, &["2"]),
            (&[(20, false)], 10, &["0"]),
            (&[(u64::MAX / 4, false), (u64::MAX / 4, false)], 0, &["0", "1"]),
        ] {
            let ids: Vec<String> = beyond(&kept(sizes), budget).iter().map(ToString::to_string).collect();
            assert_eq!(ids, going, "{sizes:?} in {budget}");
        }
    }

    #[test]
    fn what_was_killed_leaves_nothing_whole() {
        for (code, whole) in [(Some(0), true), (Some(1), true), (Some(127), true), (Some(137), false), (Some(143), false), (None, false)] {
            assert_eq!(leaves_whole(code), whole, "{code:?}");
        }
    }
}
