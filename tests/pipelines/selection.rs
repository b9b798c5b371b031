//! The decision about a push, as a table of cases.

use std::{collections::BTreeMap, time::Instant};

use server::pipelines::{
    file::{parse, types::File},
    select::{Choice, Since, Watched, as_one, choose},
};

use crate::support::proof;

/// Two services that share a library, and one that watches more.
const FILE: &str = "version: 1
services:
  billing: { path: services/billing, watch: [\"libs/money/**\", \"*.lock\"] }
  orders: { path: ./services/orders/, watch: [\"libs/money/**\", \"docs\", \"proto/*.proto\"] }
  ordersx: { path: services/ordersx }
";

fn file(text: &str) -> File {
    parse(text).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// What is known of a service in a case.
#[derive(Clone, Copy)]
enum Known<'a> {
    Since(Since<'a>),
    /// These paths changed since candidate 41.
    Changed(&'a [&'a str]),
}

/// The names of those that run, in a push of which this is known for all; each by itself, or built together.
fn running(file: &File, known: Known<'_>, together: bool) -> String {
    let watched = Watched::new(file.services.values());
    let mut seen = watched.nothing();
    if let Known::Changed(paths) = known {
        paths.iter().for_each(|path| watched.see(path, &mut seen));
    }
    let choices = file.services.keys().enumerate().map(|(place, name)| {
        let since = match known {
            Known::Since(since) => since,
            Known::Changed(_) => Since::Read(41, &seen, place),
        };
        (name.as_str(), choose(since))
    });
    let mut choices: Vec<(&str, Choice)> = choices.collect();
    if together {
        as_one(&mut choices);
    }
    let running = choices.into_iter().filter(|(_, choice)| match choice {
        Choice::Run(why) => !why.as_ref().is_some_and(String::is_empty),
        Choice::Keep(number) => *number != 41,
    });
    running.map(|(name, _)| name).collect::<Vec<_>>().join(" ")
}

#[test]
fn which_services_a_push_touches() {
    use Known::{Changed, Since as Of};
    const ALL: &str = "billing orders ordersx";
    let cases: &[(&str, Known<'_>, &str)] = &[
        ("first push", Of(Since::Never), ALL),
        ("the base is gone", Of(Since::Missing(41)), ALL),
        ("force push", Of(Since::Rewritten(41)), ALL),
        ("the difference cannot be read", Of(Since::Unread(41)), ALL),
        ("the whole repository", Of(Since::Whole), ALL),
        ("nothing changed", Changed(&[]), ""),
        ("only what belongs to nobody", Changed(&["README.md", "services/README.md"]), ""),
        ("the pipeline file", Changed(&["berth.yaml"]), ALL),
        ("another file of its name", Changed(&["docs2/berth.yaml"]), ""),
        ("one service", Changed(&["services/orders/src/main.rs"]), "orders"),
        ("one service, deep", Changed(&["services/orders/a/b/c/d/e/f"]), "orders"),
        ("a name that begins alike", Changed(&["services/ordersx/main.rs"]), "ordersx"),
        ("the folder become a file", Changed(&["services/orders"]), "orders"),
        ("a folder above", Changed(&["services"]), ""),
        ("two services", Changed(&["services/orders/a", "services/billing/b"]), "billing orders"),
        ("moved from one to the other", Changed(&["services/orders/x", "services/ordersx/x"]), "orders ordersx"),
        ("a shared library", Changed(&["libs/money/src/lib.rs"]), "billing orders"),
        ("another library", Changed(&["libs/text/src/lib.rs"]), ""),
        ("a watched folder by its name", Changed(&["docs/orders/how.md"]), "orders"),
        ("a watched kind of file", Changed(&["Cargo.lock"]), "billing"),
        ("that kind elsewhere: a star stays in its folder", Changed(&["tools/Cargo.lock"]), ""),
        ("a glob in a folder", Changed(&["proto/order.proto"]), "orders"),
        ("a glob below it", Changed(&["proto/v2/order.proto"]), ""),
        ("letters of another case", Changed(&["services/Orders/a"]), ""),
        ("a name that is a glob", Changed(&["services/*/a"]), ""),
        ("a name of other letters", Changed(&["services/orders/주문\n.rs"]), "orders"),
    ];
    let file = file(FILE);
    let wrong: Vec<String> = cases
        .iter()
        .flat_map(|(case, known, expected)| {
            // Built together: where one of them is touched, all run; where none is, each keeps what it has.
            let together = if expected.is_empty() { "" } else { ALL };
            [(case, running(&file, *known, false), *expected), (case, running(&file, *known, true), together)]
        })
        .filter(|(_, found, expected)| found != expected)
        .map(|(case, found, expected)| format!("{case}: `{found}` and not `{expected}`"))
        .collect();
    proof("selection", &format!("{} cases, each apart and together, {} wrong", cases.len(), wrong.len()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_choice_says_why() {
    let file = file(FILE);
    let watched = Watched::new(file.services.values());
    let mut seen = watched.nothing();
    watched.see("libs/money/a.rs", &mut seen);
    watched.see("services/orders/b.rs", &mut seen);
    let why = |since| match choose(since) {
        Choice::Run(why) => why.unwrap_or_default(),
        Choice::Keep(number) => said_kept(number),
    };
    assert_eq!(why(Since::Read(41, &seen, 1)), "libs/money/a.rs changed since candidate 41");
    assert_eq!(why(Since::Read(41, &seen, 2)), "unchanged since candidate 41");
    assert_eq!(why(Since::Rewritten(3)), "history was rewritten since candidate 3");
}

fn said_kept(number: u64) -> String {
    app::said::unchanged_since(number)
}

/// 200 services, each with a folder, a library of five, and a kind of file; 10,000 paths.
#[test]
fn many_files_of_many_services() {
    let services: BTreeMap<String, String> = (0..200)
        .map(|n| (format!("s{n}"), format!("{{ path: services/s{n}, watch: [\"libs/l{}/**\", \"schemas/**/s{n}-*.json\"] }}", n % 40)))
        .collect();
    let lines: String = services.iter().map(|(name, of)| format!("  {name}: {of}\n")).collect();
    let file = file(&format!("version: 1\nservices:\n{lines}"));
    let paths: Vec<String> = (0..10_000)
        .map(|n| match n % 4 {
            0 => format!("services/s{}/src/module{}/file{n}.rs", n % 100, n % 7),
            1 => format!("libs/l{}/src/deep/down/file{n}.rs", n % 4 + 36),
            2 => format!("schemas/v{}/s{}-{n}.json", n % 9, 150 + n % 2),
            _ => format!("elsewhere/file{n}"),
        })
        .collect();
    let began = Instant::now();
    let watched = Watched::new(file.services.values());
    let mut seen = watched.nothing();
    paths.iter().for_each(|path| watched.see(path, &mut seen));
    let took = began.elapsed();
    let touched: Vec<&str> =
        file.services.keys().enumerate().filter(|(place, _)| seen.touched(*place).is_some()).map(|(_, name)| name.as_str()).collect();
    let mut expected: Vec<String> =
        (0..200).filter(|n| (*n < 100 && n % 4 == 0) || matches!(n % 40, 37) || *n == 150).map(|n| format!("s{n}")).collect();
    expected.sort();
    let figures = format!("{} paths among {} services in {} ms, unoptimised", paths.len(), services.len(), took.as_millis());
    proof("selection", &figures);
    assert_eq!(touched, expected);
}
