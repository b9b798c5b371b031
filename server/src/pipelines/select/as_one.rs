//! What becomes of services that are built together: all run, or all keep what they have.

use app::said;

use super::choose::Choice;

/// Makes one decision of those about each: where one runs, the others run with it, and say whose doing it is.
pub fn as_one<'n>(choices: &mut [(&'n str, Choice)]) {
    let first = choices.iter().find(|(_, choice)| matches!(choice, Choice::Run(_)));
    let Some((first, _)) = first else { return };
    let first: &'n str = first;
    for (_, choice) in choices {
        if matches!(choice, Choice::Keep(_)) {
            *choice = Choice::Run(Some(said::why_together(first)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any mixture of what can become of four services.
    #[test]
    fn all_run_or_all_keep() {
        let of = |digit: usize| match digit {
            0 => Choice::Keep(41),
            1 => Choice::Run(None),
            _ => Choice::Run(Some("README changed since candidate 41".to_owned())),
        };
        let names = ["billing", "catalog", "front", "orders"];
        let (mut ran, mut kept) = (0, 0);
        for mixture in 0..81_usize {
            let before: Vec<(&str, Choice)> = names.into_iter().zip((0..).map(|place| of(mixture / 3_usize.pow(place) % 3))).collect();
            let mut after = before.clone();
            as_one(&mut after);
            let keeps = |choices: &[(&str, Choice)]| choices.iter().filter(|(_, choice)| matches!(choice, Choice::Keep(_))).count();
            match keeps(&before) {
                4 => {
                    assert_eq!(after, before, "untouched: each keeps what it has, and says so");
                    kept += 1;
                }
                _ => {
                    assert_eq!(keeps(&after), 0, "{before:?}");
                    ran += 1;
                }
            }
            let touched = before.iter().find(|(_, choice)| matches!(choice, Choice::Run(_))).map(|(name, _)| *name);
            for ((_, before), (_, after)) in before.iter().zip(&after) {
                match (before, touched) {
                    (Choice::Keep(_), Some(name)) => assert_eq!(*after, Choice::Run(Some(said::why_together(name)))),
                    _ => assert_eq!(after, before, "what is touched itself says why"),
                }
            }
        }
        println!("proof: selection together: 81 mixtures of 4 services, {ran} run all, {kept} keep all, 0 half");
    }
}
