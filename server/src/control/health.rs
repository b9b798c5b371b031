//! How a target is, in one word.

use app::model::{RolloutState, TargetHealth};

/// What the word is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signs {
    /// Instances of `web` that the proven release wants; none: nothing was ever proven.
    pub(super) wanted: Option<u32>,
    /// Instances that take new requests.
    pub(super) serving: u32,
    /// How the newest rollout is, if there was one.
    pub(super) rollout: Option<RolloutState>,
}

/// Decides. A movement comes before everything else: while it lasts the numbers are in between.
pub(super) fn of(signs: Signs) -> TargetHealth {
    use RolloutState as R;
    match (signs.rollout, signs.wanted) {
        (Some(R::Queued | R::Running), _) => TargetHealth::Moving,
        (Some(R::Failed), None) => TargetHealth::Down,
        (_, None) => TargetHealth::Empty,
        (_, Some(0)) => TargetHealth::Stopped,
        (_, Some(_)) if signs.serving == 0 => TargetHealth::Down,
        (_, Some(wanted)) if signs.serving < wanted => TargetHealth::Degraded,
        (Some(R::Failed), Some(_)) => TargetHealth::FailedServing,
        (_, Some(_)) => TargetHealth::Healthy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_for_every_case() {
        use RolloutState as R;
        use TargetHealth as H;
        for (wanted, serving, rollout, word) in [
            (None, 0, None, H::Empty),
            (None, 0, Some(R::Queued), H::Moving),
            (None, 1, Some(R::Running), H::Moving),
            (None, 0, Some(R::Failed), H::Down),
            (None, 0, Some(R::Cancelled), H::Empty),
            (None, 0, Some(R::Superseded), H::Empty),
            (Some(2), 2, Some(R::Succeeded), H::Healthy),
            (Some(2), 3, Some(R::Succeeded), H::Healthy),
            (Some(2), 1, Some(R::Succeeded), H::Degraded),
            (Some(2), 0, Some(R::Succeeded), H::Down),
            (Some(0), 0, Some(R::Succeeded), H::Stopped),
            (Some(2), 2, Some(R::Running), H::Moving),
            (Some(2), 2, Some(R::Failed), H::FailedServing),
            (Some(2), 1, Some(R::Failed), H::Degraded),
            (Some(2), 0, Some(R::Failed), H::Down),
            (Some(2), 2, Some(R::Cancelled), H::Healthy),
        ] {
            assert_eq!(of(Signs { wanted, serving, rollout }), word, "{wanted:?} {serving} {rollout:?}");
        }
    }
}
