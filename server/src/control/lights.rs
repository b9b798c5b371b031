//! The lights of services, kept for as long as nothing new happened: they stand on pages that are read often, and rest on
//! thousands of runs and pushes of a busy service.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use app::{
    error::{Error, Result},
    model::{Answered, ServiceId, TeamId, Timestamp},
};

use super::Control;
use crate::{
    ci::lights::{self, Branch, Push, Ran},
    git,
    pipelines::select::branch,
    store::{self, ci::Newest},
};

/// They are looked at anew after this long in any case: days go by for them too.
const FRESH: Duration = Duration::from_secs(600);
/// Of how many services they are kept, a few kilobytes each.
const MOST: usize = 1_000;

/// What a service's lights say.
#[derive(Debug)]
pub(super) struct Lit {
    /// The three answers.
    pub(super) answers: Vec<Answered>,
    /// Since when its default branch is red.
    pub(super) red_since: Option<Timestamp>,
    rests_on: (String, Newest),
    at: Timestamp,
}

/// The lights of services.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<HashMap<ServiceId, Arc<Lit>>>);

impl Kept {
    fn all(&self) -> MutexGuard<'_, HashMap<ServiceId, Arc<Lit>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of a service, if they rest on just this and are no older than they may be.
    fn get(&self, service: &ServiceId, rests_on: &(String, Newest), now: Timestamp) -> Option<Arc<Lit>> {
        let lit = self.all().get(service).cloned()?;
        (lit.rests_on == *rests_on && lit.at <= now && now.since(lit.at) < FRESH).then_some(lit)
    }

    fn put(&self, service: &ServiceId, lit: &Arc<Lit>) {
        let mut all = self.all();
        if all.len() >= MOST && !all.contains_key(service) {
            let oldest = all.iter().min_by_key(|(_, lit)| lit.at).map(|(service, _)| service.clone());
            oldest.map(|service| all.remove(&service));
        }
        all.insert(service.clone(), lit.clone());
    }
}

impl Control {
    /// The lights of a service, and what it is as far as they go.
    pub(super) async fn lights(&self, team: &TeamId, service: &ServiceId, now: Timestamp) -> Result<(store::ci::Looked, Arc<Lit>)> {
        let looked = store::ci::of_service(&self.db, team, service).await?.ok_or_else(super::unknown_team)?;
        let newest = store::ci::newest(&self.db, &looked.repository, service, &looked.branch).await?;
        let lit = self.lights_of(service, &looked, newest, now).await?;
        Ok((looked, lit))
    }

    /// The lights of a service of which this is known.
    pub(super) async fn lights_of(
        &self,
        service: &ServiceId,
        looked: &store::ci::Looked,
        newest: Newest,
        now: Timestamp,
    ) -> Result<Arc<Lit>> {
        let rests_on = (looked.branch.clone(), newest);
        if let Some(lit) = self.lit.get(service, &rests_on, now) {
            return Ok(lit);
        }
        let since = now.minus(Duration::from_secs(u64::from(lights::DAYS) * 24 * 3_600));
        let main = format!("refs/heads/{}", looked.branch);
        let pushed = store::ci::pushes(&self.db, &looked.repository, since).await?;
        let pushes: Vec<Push> = pushed.into_iter().map(|(by, at, reference)| Push { by, at, on_default: reference == main }).collect();
        let branches = self.unmerged(looked).await?;
        let runs: Vec<Ran> = store::ci::runs(&self.db, service, &looked.branch, since).await?.iter().map(ran).collect();
        let answers =
            vec![lights::integrates(&looked.branch, &pushes, &branches, now), lights::validates(&runs, now), lights::fixes(&runs, now)];
        let red_since = lights::red_stretches(&runs).last().filter(|red| red.mended.is_none()).map(|red| red.since);
        let lit = Arc::new(Lit { answers, red_since, rests_on, at: now });
        self.lit.put(service, &lit);
        Ok(lit)
    }

    /// The branches that hold something the default one does not, each with when it was pushed first.
    async fn unmerged(&self, looked: &store::ci::Looked) -> Result<Vec<Branch>> {
        let folder = self.config.repository(&looked.repository);
        let mut branches = Vec::new();
        for reference in git::unmerged(&folder, &looked.branch).await.map_err(Error::internal)? {
            if let (Some(name), Some(since)) = (branch(&reference), store::ci::begun(&self.db, &looked.repository, &reference).await?) {
                branches.push(Branch { name: name.to_owned(), since });
            }
        }
        Ok(branches)
    }
}

fn ran(run: &store::ci::Ended) -> Ran {
    Ran {
        number: run.number,
        state: run.state,
        pushed_at: run.pushed_at,
        ended_at: run.ended_at,
        tests: run.tests,
        steps: run.steps,
        candidate: run.candidate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lit(run: i64, at: i64) -> Arc<Lit> {
        let newest = Newest { repository: "r".into(), run_ended: Some(Timestamp(run)), runs: 1, change: None };
        Arc::new(Lit { answers: Vec::new(), red_since: None, rests_on: ("main".into(), newest), at: Timestamp(at) })
    }

    #[test]
    fn they_are_kept_until_something_happens_or_time_goes_by() {
        let (kept, service) = (Kept::default(), ServiceId::from_text("s"));
        let known = lit(1, 1_000);
        kept.put(&service, &known);
        let cases = [
            (&known, 1_000, true),
            (&known, 600_999, true),
            (&known, 601_000, false),
            // The clock was moved back.
            (&known, 999, false),
            (&lit(2, 1_000), 1_000, false),
        ];
        for (now_on, now, there) in cases {
            assert_eq!(kept.get(&service, &now_on.rests_on, Timestamp(now)).is_some(), there, "{now_on:?} at {now}");
        }
        for number in 0..=MOST {
            kept.put(&ServiceId::from_text(format!("s{number}")), &lit(1, 2_000));
        }
        assert_eq!(kept.all().len(), MOST);
        assert!(kept.get(&service, &known.rests_on, Timestamp(1_000)).is_none(), "the oldest went");
    }
}
