//! The five measures of delivery of the DORA programme, of one service and its last environment.
//!
//! Their names and meaning are those of “DORA's software delivery performance metrics” (dora.dev): deployment frequency,
//! change lead time and change fail rate are in its reports since 2014; the time to restore became the failed deployment
//! recovery time in 2023, because outages that no deployment caused are something else; the rework rate was added in 2024.
//! What Berth can see of each is said beside it, in `definition`. A measure tells a team about itself, over time; services
//! and teams are never put in an order by it.

use std::time::Duration;

use app::{
    model::{Measure, Measured, Timestamp},
    said,
};

use super::lights::{DAYS, median, share};

/// A deployment to the last environment: a rollout that brought another image and has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// When it ended.
    pub at: Timestamp,
    /// Whether it was proven.
    pub good: bool,
    /// Whether it went back to an earlier release.
    pub back: bool,
    /// When the change it brings was pushed, where it brings a candidate.
    pub pushed_at: Option<Timestamp>,
}

/// The measures. `deployments` are in the order in which they ended.
pub fn measures(deployments: &[Deployment], now: Timestamp) -> Vec<Measured> {
    let begin = now.minus(Duration::from_secs(u64::from(DAYS) * 24 * 3_600));
    let recent: Vec<&Deployment> = deployments.iter().filter(|one| one.at >= begin).collect();
    let planned: Vec<&&Deployment> = recent.iter().filter(|one| !one.back).collect();
    let arrived = planned.iter().filter(|one| one.good).count();
    let lead: Vec<Duration> = planned.iter().filter(|one| one.good).filter_map(|one| Some(one.at.since(one.pushed_at?))).collect();
    let failed = |at: usize| !recent[at].back && (!recent[at].good || recent.get(at + 1).is_some_and(|next| next.back));
    let failures: Vec<usize> = (0..recent.len()).filter(|at| failed(*at)).collect();
    let recovered = |at: &usize| recent[at + 1..].iter().find(|next| next.good).map(|next| next.at.since(recent[*at].at));
    let recovery: Vec<Duration> = failures.iter().filter_map(recovered).collect();
    // Nobody plans to go back, nor to deploy again because the one before did not hold.
    let rework = (0..recent.len()).filter(|at| recent[*at].back || (*at > 0 && failed(at - 1))).count();
    let ms = |times: &[Duration]| median(times.to_vec()).map(millis);
    let some = |count: usize, value: f64| (count > 0).then_some(value);
    let one = |measure, value, unit: &str, of: usize, definition, year| Measured {
        measure,
        value,
        unit: unit.to_owned(),
        of: of as u64,
        definition,
        year,
    };
    let weeks = f64::from(DAYS) / 7.0;
    vec![
        one(Measure::DeploymentFrequency, Some(share(arrived, 1) / weeks), "per_week", arrived, said::dora_frequency(DAYS), 2014),
        one(Measure::ChangeLeadTime, ms(&lead), "ms", lead.len(), said::dora_lead(), 2014),
        one(
            Measure::ChangeFailRate,
            some(planned.len(), share(failures.len(), planned.len())),
            "share",
            planned.len(),
            said::dora_failed(),
            2014,
        ),
        one(Measure::FailedDeploymentRecoveryTime, ms(&recovery), "ms", recovery.len(), said::dora_recovery(), 2023),
        one(Measure::ReworkRate, some(recent.len(), share(rework, recent.len())), "share", recent.len(), said::dora_rework(), 2024),
    ]
}

#[allow(clippy::cast_precision_loss)]
fn millis(time: Duration) -> f64 {
    time.as_millis() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);
    const HOUR: f64 = 3_600_000.0;

    /// Deployments: hours ago, good, back, hours from push to end.
    fn all(table: &[(u64, bool, bool, Option<u64>)]) -> Vec<Deployment> {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        let one = |(ago, good, back, lead): &(u64, bool, bool, Option<u64>)| {
            let at = NOW.minus(hours(*ago));
            Deployment { at, good: *good, back: *back, pushed_at: lead.map(|lead| at.minus(hours(lead))) }
        };
        table.iter().map(one).collect()
    }

    #[test]
    fn five_measures_of_histories() {
        type Case<'a> = (&'a str, &'a [(u64, bool, bool, Option<u64>)], [Option<f64>; 5]);
        #[rustfmt::skip]
        let table: &[Case<'_>] = &[
            ("nothing", &[], [Some(0.0), None, None, None, None]),
            ("one", &[(5, true, false, Some(2))], [Some(0.25), Some(2.0 * HOUR), Some(0.0), None, Some(0.0)]),
            ("too long ago", &[(5_000, true, false, Some(2))], [Some(0.0), None, None, None, None]),
            ("an image from outside", &[(5, true, false, None)], [Some(0.25), None, Some(0.0), None, Some(0.0)]),
            ("one did not hold", &[(9, true, false, Some(1)), (8, false, false, Some(1)), (5, true, false, Some(3))],
             [Some(0.5), Some(3.0 * HOUR), Some(1.0 / 3.0), Some(3.0 * HOUR), Some(1.0 / 3.0)]),
            ("one was taken back", &[(9, true, false, Some(1)), (7, true, true, None)],
             [Some(0.25), Some(HOUR), Some(1.0), Some(2.0 * HOUR), Some(0.5)]),
            ("still broken", &[(9, true, false, Some(1)), (7, false, false, Some(1))],
             [Some(0.25), Some(HOUR), Some(0.5), None, Some(0.0)]),
            ("twice in a row", &[(9, false, false, None), (8, false, false, None), (6, true, false, Some(1))],
             [Some(0.25), Some(HOUR), Some(2.0 / 3.0), Some(3.0 * HOUR), Some(2.0 / 3.0)]),
        ];
        for (what, history, expected) in table {
            let found = measures(&all(history), NOW);
            let values: Vec<Option<f64>> = found.iter().map(|one| one.value).collect();
            assert_eq!(values, expected, "{what}");
            assert!(found.iter().all(|one| !one.definition.is_empty() && one.year >= 2014), "{what}");
        }
        println!("proof  delivery: 5 measures of {} histories, 0 wrong", table.len());
    }
}
