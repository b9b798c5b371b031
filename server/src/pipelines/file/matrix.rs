//! A step with a matrix becomes a step for each combination of the values.

use super::types::Step;

/// The most steps that one with a matrix becomes.
pub(super) const MOST: usize = 64;

/// The steps that a step comes to: itself, or one for each combination, named by its values, which are variables of it.
pub(super) fn expand(step: &Step) -> Vec<Step> {
    let mut steps = vec![Step { matrix: Default::default(), ..step.clone() }];
    let mut named: Vec<Vec<&str>> = vec![Vec::new()];
    for (variable, values) in &step.matrix {
        let with = |value: &String, step: &Step| {
            let mut step = step.clone();
            step.env.insert(variable.clone(), value.clone());
            step
        };
        steps = steps.iter().flat_map(|step| values.iter().map(|value| with(value, step))).collect();
        named = named.iter().flat_map(|name| values.iter().map(|value| [name.as_slice(), &[value.as_str()]].concat())).collect();
    }
    if !step.matrix.is_empty() {
        for (step, values) in steps.iter_mut().zip(named) {
            step.name = format!("{} ({})", step.name, values.join(", "));
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn step(matrix: &[(&str, &[&str])]) -> Step {
        let yaml = serde_json::json!({ "name": "unit", "image": "a", "run": ["true"], "env": { "DB": "none", "X": "1" } });
        let mut step: Step = serde_json::from_value(yaml).unwrap();
        let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        step.matrix = matrix.iter().map(|(name, all)| ((*name).to_owned(), values(all))).collect();
        step
    }

    #[test]
    fn one_step_for_each_combination() {
        type Case<'a> = (&'a [(&'a str, &'a [&'a str])], &'a [&'a str]);
        let cases: [Case<'_>; 4] = [
            (&[], &["unit"]),
            (&[("DB", &["pg"])], &["unit (pg)"]),
            (&[("DB", &["pg", "lite"]), ("OS", &["a", "b"])], &["unit (pg, a)", "unit (pg, b)", "unit (lite, a)", "unit (lite, b)"]),
            (&[("A", &["1", "2"]), ("B", &["x"]), ("C", &["y"])], &["unit (1, x, y)", "unit (2, x, y)"]),
        ];
        for (matrix, expected) in cases {
            let names: Vec<String> = expand(&step(matrix)).into_iter().map(|step| step.name).collect();
            assert_eq!(names, expected, "{matrix:?}");
        }
        let steps = expand(&step(&[("DB", &["pg", "lite"])]));
        let env = |db: &str| BTreeMap::from([("DB".to_owned(), db.to_owned()), ("X".to_owned(), "1".to_owned())]);
        assert_eq!(steps.iter().map(|step| step.env.clone()).collect::<Vec<_>>(), [env("pg"), env("lite")], "its values go before `env`");
        assert!(steps.iter().all(|step| step.matrix.is_empty()));
    }
}
