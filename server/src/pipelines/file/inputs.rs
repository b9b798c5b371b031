//! What a run takes: what was given is held against what its file describes.

use std::collections::BTreeMap;

use app::{
    error::{Error, Result},
    model::RunInput,
    said,
};

/// The longest value, in bytes.
const LONGEST: usize = 4_096;

/// Why a text is no value of what has this name; none where it is one.
pub(super) fn unfit(name: &str, text: &str) -> Option<String> {
    if text.len() > LONGEST {
        return Some(said::file::value_long(name, LONGEST));
    }
    text.contains('\0').then(|| said::file::value_zero(name))
}

/// What a run is given that nobody asked for: what its file says.
pub fn defaults(inputs: &[RunInput]) -> BTreeMap<String, String> {
    inputs.iter().filter_map(|input| Some((input.name.clone(), input.default.clone()?))).collect()
}

/// What each of several runs is given, one of a service: each what it takes of what was given, and the rest as its file says.
/// An empty value is none.
///
/// # Errors
/// `unknown_input`, `missing_input`, `invalid_input`, each at `inputs.NAME`.
pub fn give(takes: &[&[RunInput]], given: &BTreeMap<String, String>) -> Result<Vec<BTreeMap<String, String>>> {
    let given: BTreeMap<&String, &String> = given.iter().filter(|(_, value)| !value.is_empty()).collect();
    if let Some(name) = given.keys().find(|name| !takes.iter().any(|inputs| inputs.iter().any(|input| input.name == ***name))) {
        return Err(Error::invalid("unknown_input", unknown(name, takes)).at(format!("inputs.{name}")));
    }
    let one = |inputs: &&[RunInput]| {
        let mut values = defaults(inputs);
        for input in *inputs {
            match given.get(&input.name) {
                Some(value) => {
                    check(input, value)?;
                    values.insert(input.name.clone(), (*value).clone());
                }
                None if input.required && input.default.is_none() => {
                    let sentence = format!("`{}` must be given. Add it to `inputs`, or give `--input {}=…`.", input.name, input.name);
                    return Err(Error::invalid("missing_input", sentence).at(format!("inputs.{}", input.name)));
                }
                None => {}
            }
        }
        Ok(values)
    };
    takes.iter().map(one).collect()
}

fn unknown(name: &str, takes: &[&[RunInput]]) -> String {
    let mut known: Vec<String> = takes.iter().flat_map(|inputs| inputs.iter()).map(|input| format!("`{}`", input.name)).collect();
    known.sort();
    known.dedup();
    let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    match known.is_empty() {
        true => format!("A run of this branch takes no `{name}`: its file describes no inputs."),
        false => format!("A run of this branch takes no `{name}`. It takes {}.", known.join(", ")),
    }
}

fn check(input: &RunInput, value: &str) -> Result<()> {
    let invalid = |sentence: String| Err(Error::invalid("invalid_input", sentence).at(format!("inputs.{}", input.name)));
    if let Some(why) = unfit(&input.name, value) {
        return invalid(why);
    }
    if !input.options.is_empty() && !input.options.iter().any(|option| option == value) {
        return invalid(format!("`{}` is one of {}.", input.name, input.options.join(", ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(name: &str, default: Option<&str>, options: &[&str], required: bool) -> RunInput {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        RunInput { name: name.into(), description: String::new(), default: default.map(str::to_owned), options, required }
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_was_given_is_held_against_what_is_taken() {
        let takes =
            [input("PLACE", Some("here"), &["here", "there"], false), input("WHO", None, &[], true), input("NOTE", None, &[], false)];
        type Case<'a> = (&'a [(&'a str, &'a str)], Result<&'a [(&'a str, &'a str)], (&'a str, &'a str)>);
        let long = "x".repeat(LONGEST + 1);
        let cases: &[Case<'_>] = &[
            (&[("WHO", "ann")], Ok(&[("PLACE", "here"), ("WHO", "ann")])),
            (&[("WHO", "ann"), ("PLACE", "there"), ("NOTE", "a b\nc")], Ok(&[("NOTE", "a b\nc"), ("PLACE", "there"), ("WHO", "ann")])),
            (&[("WHO", "ann"), ("PLACE", "")], Ok(&[("PLACE", "here"), ("WHO", "ann")])),
            (&[], Err(("missing_input", "inputs.WHO"))),
            (&[("WHO", "")], Err(("missing_input", "inputs.WHO"))),
            (&[("WHO", "ann"), ("PLACE", "nowhere")], Err(("invalid_input", "inputs.PLACE"))),
            (&[("WHO", "a\0b")], Err(("invalid_input", "inputs.WHO"))),
            (&[("WHO", &long)], Err(("invalid_input", "inputs.WHO"))),
            (&[("WHO", "ann"), ("WHERE", "x")], Err(("unknown_input", "inputs.WHERE"))),
            (&[("who", "ann")], Err(("unknown_input", "inputs.who"))),
        ];
        for (given, expected) in cases {
            let found = give(&[&takes], &map(given));
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, [map(expected)], "{given:?}"),
                (Err(error), Err((code, field))) => {
                    assert_eq!((error.code, error.field.as_deref()), (*code, Some(*field)), "{given:?}: {}", error.sentence);
                }
                (found, _) => panic!("{given:?}: {found:?}"),
            }
        }
        println!("proof  inputs: {} cases, 0 wrong", cases.len());
    }

    #[test]
    fn each_of_several_is_given_what_it_takes() {
        let (left, right) = ([input("PLACE", None, &[], true)], [input("WHO", Some("ann"), &[], false)]);
        assert_eq!(give(&[&left, &right], &map(&[("PLACE", "x")])).unwrap(), [map(&[("PLACE", "x")]), map(&[("WHO", "ann")])]);
        assert!(give(&[&left, &right], &map(&[("WHO", "bob")])).is_err());
        let sentence = give(&[&left, &right], &map(&[("PLACE", "x"), ("Y", "z")])).unwrap_err().sentence;
        assert_eq!(sentence, "A run of this branch takes no `Y`. It takes `PLACE`, `WHO`.");
        assert_eq!(
            give(&[&[]], &map(&[("Y", "z")])).unwrap_err().sentence,
            "A run of this branch takes no `Y`: its file describes no inputs."
        );
    }
}
