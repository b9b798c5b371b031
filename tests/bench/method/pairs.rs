//! Two things measured in turn.

use super::stats::{Interval, bootstrap};

/// Which of the two is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The one of interest.
    A,
    /// The one it is compared with.
    B,
}

/// What was measured, pair by pair.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs {
    /// Of [`Side::A`].
    pub(crate) a: Vec<f64>,
    /// Of [`Side::B`].
    pub(crate) b: Vec<f64>,
}

impl Pairs {
    /// A as a multiple of B.
    pub(crate) fn ratio(&self) -> Interval {
        bootstrap(&self.a.iter().zip(&self.b).map(|(a, b)| a / b).collect::<Vec<_>>())
    }

    /// A alone.
    pub(crate) fn of_a(&self) -> Interval {
        bootstrap(&self.a)
    }

    /// B alone.
    pub(crate) fn of_b(&self) -> Interval {
        bootstrap(&self.b)
    }
}

/// Measures both so many times, in the order A B B A. The first of each is not counted: it warms up.
pub(crate) fn interleaved(pairs: usize, mut measure: impl FnMut(Side) -> f64) -> Pairs {
    measure(Side::A);
    measure(Side::B);
    let mut found = Pairs::default();
    for pair in 0..pairs {
        let order = if pair % 2 == 0 { [Side::A, Side::B] } else { [Side::B, Side::A] };
        for side in order {
            let value = measure(side);
            match side {
                Side::A => found.a.push(value),
                Side::B => found.b.push(value),
            }
        }
    }
    found
}

/// One thing against itself: how far from 1 a ratio is by chance alone.
pub(crate) fn control(pairs: usize, mut measure: impl FnMut() -> f64) -> Interval {
    interleaved(pairs, |_| measure()).ratio()
}
