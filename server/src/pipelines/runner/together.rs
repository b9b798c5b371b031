//! Runs that come to one version or to none, carried out side by side under the claim of the first. Once one of them did not
//! pass, the others begin nothing more: there is no version any more that their stages could become.

use app::{
    model::{RunState, ServiceName},
    said,
};
use futures::{
    future::{BoxFuture, FutureExt as _},
    stream::{self, StreamExt as _},
};

use super::{Context, Left, Outcome, cancelled, stages, watch::Halt, worst_of};
use crate::{
    pipelines::file::Pipeline,
    store::{runs::RunRow, together},
};

/// One of them, at its end.
pub(super) struct Part {
    /// The run.
    pub(super) run: RunRow,
    /// What it was to do.
    pub(super) pipeline: Option<Pipeline>,
    /// How it ends.
    pub(super) outcome: Outcome,
    /// Whether its files are still there, for another run to go on with.
    pub(super) files_kept: bool,
}

/// Carries out a run, and those that come to one version with it.
pub(super) async fn carry_out(ctx: &Context, run: &RunRow, halt: &Halt) -> Result<Vec<Part>, Left> {
    let members = match &run.lead {
        Some(lead) => together::members(&ctx.db, lead).await?,
        None => vec![run.clone()],
    };
    let works: Vec<BoxFuture<'_, (usize, Result<Part, Left>)>> =
        members.into_iter().enumerate().map(|(place, run)| part(ctx, run, halt).map(move |end| (place, end)).boxed()).collect();
    // As many at once as Berth carries out at once where they stand alone.
    let mut ends: Vec<(usize, Result<Part, Left>)> = stream::iter(works).buffer_unordered(ctx.config.runs.max(1)).collect().await;
    ends.sort_by_key(|(place, _)| *place);
    let mut parts = ends.into_iter().map(|(_, end)| end).collect::<Result<Vec<Part>, Left>>()?;
    let ends: Vec<(ServiceName, RunState)> = parts.iter().map(|part| (part.run.service.clone(), part.outcome.state)).collect();
    for (part, instead) in parts.iter_mut().zip(settle(&ends)) {
        if let Some((state, failure)) = instead {
            part.outcome.state = state;
            part.outcome.failure = Some(failure);
            // Its image becomes no candidate: it is swept.
            part.outcome.image.iter().for_each(|_| halt.leave_something());
        }
    }
    Ok(parts)
}

async fn part(ctx: &Context, run: RunRow, halt: &Halt) -> Result<Part, Left> {
    ctx.run_changed(&run.team_id, &run.id);
    let pipeline: Option<Pipeline> = serde_json::from_str(&run.pipeline).ok().flatten();
    let outcome = match &pipeline {
        None => Ok(Outcome::not(RunState::Errored, said::pipeline_unread())),
        Some(pipeline) => stages(ctx, &run, pipeline, halt).await,
    };
    if !outcome.as_ref().is_ok_and(|outcome| outcome.state == RunState::Passed) {
        halt.spoil();
    }
    Ok(Part { run, pipeline, outcome: outcome?, files_kept: false })
}

/// How those end that did not fail themselves, where one of them did: as that one, and saying so. Those that were left off
/// are `skipped` until then. None: as they are.
fn settle(ends: &[(ServiceName, RunState)]) -> Vec<Option<(RunState, String)>> {
    let own: Vec<RunState> = ends.iter().map(|(_, state)| *state).collect();
    let decides = worst_of(&own).and_then(|index| ends.get(index));
    let instead = |state: RunState| {
        let (service, decided) = decides.filter(|_| matches!(state, RunState::Passed | RunState::Skipped))?;
        match decided {
            RunState::Cancelled => cancelled().failure.map(|failure| (RunState::Cancelled, failure)),
            decided => Some((*decided, said::sibling_did_not_pass(service))),
        }
    };
    ends.iter().map(|(_, state)| instead(*state)).collect()
}

#[cfg(test)]
mod tests {
    use super::{RunState::*, *};

    /// Every way in which three of them can end.
    #[test]
    fn all_pass_or_none_does() {
        let ways = [Passed, Failed, Errored, Cancelled, TimedOut, Lost, Skipped];
        let names: Vec<ServiceName> = ["billing", "front", "orders"].map(|name| name.parse().unwrap()).into();
        let (mut whole, mut none) = (0, 0);
        for number in 0..ways.len().pow(3) {
            let own: Vec<RunState> = (0..3).map(|place| ways[number / ways.len().pow(place) % ways.len()]).collect();
            // Nothing is left off where nothing did not pass.
            if own.iter().all(|state| matches!(state, Passed | Skipped)) && own.contains(&Skipped) {
                continue;
            }
            let ends: Vec<(ServiceName, RunState)> = names.iter().cloned().zip(own.iter().copied()).collect();
            let settled = settle(&ends);
            let after: Vec<RunState> = own.iter().zip(&settled).map(|(own, to)| to.as_ref().map_or(*own, |to| to.0)).collect();
            if own.iter().all(|state| *state == Passed) {
                assert_eq!(settled, [None, None, None]);
                whole += 1;
                continue;
            }
            none += 1;
            assert!(!after.contains(&Passed) && !after.contains(&Skipped), "{own:?} became {after:?}");
            for (own, to) in own.iter().zip(&settled) {
                assert_eq!(to.is_some(), matches!(own, Passed | Skipped), "who failed says how, in {own:?}");
            }
            let wanted = [Cancelled, Failed].into_iter().find(|state| own.contains(state));
            if let (Some(wanted), Some((state, _))) = (wanted, settled.iter().flatten().next()) {
                assert_eq!(*state, wanted, "{own:?}");
            }
        }
        println!("proof: one version or none: {} ways for 3 runs to end, {whole} makes candidates, {none} make none, 0 half", whole + none);
    }
}
