//! Every function of the store is in the histories that both databases are compared by, or stands here with the reason why not: who
//! adds one finds it here.

use std::collections::BTreeSet;

use crate::{house::source::files, support::proof};

/// What the histories do not call by its name, and why that is right.
const LEFT: [(&str, &str); 94] = [
    ("bases::abandon", "one plain UPDATE, of versions whose Berth is gone for a day"),
    ("bases::all", "pipelines::bases builds, rolls and gives up versions on both databases"),
    ("bases::ask_cancel", "pipelines::bases cancels what waits and what is built on both databases"),
    ("bases::begin", "as bases::all"),
    ("bases::by_name", "as bases::all"),
    ("bases::cancelled", "as bases::ask_cancel"),
    ("bases::failed", "as bases::all"),
    ("bases::goes_on", "as bases::ask_cancel"),
    ("bases::insert", "as bases::all"),
    ("bases::is_there", "as bases::all"),
    ("bases::keep_log", "as bases::all"),
    ("bases::let_go", "as bases::all"),
    ("bases::log", "as bases::all"),
    ("bases::next_version", "as bases::all"),
    ("bases::not_rolled", "as bases::all"),
    ("bases::open", "as bases::all"),
    ("bases::ready", "as bases::all"),
    ("bases::roll_count", "as bases::all"),
    ("bases::rolled", "as bases::all"),
    ("bases::rolls", "as bases::all"),
    ("bases::rolls_still", "as bases::all"),
    ("bases::stands_on", "as bases::all"),
    ("bases::to_roll", "as bases::all"),
    ("bases::under_way", "as bases::all"),
    ("bases::user_count", "as bases::all"),
    ("bases::users", "as bases::all"),
    ("bases::versions", "as bases::all"),
    ("bases::reference", "makes a text"),
    ("bases::shown", "makes what is shown of rows that are there already"),
    ("caches::any_unmeasured", "store::caches asks each function on both databases, by hand"),
    ("caches::clear", "as caches::any_unmeasured"),
    ("caches::copied", "as caches::any_unmeasured"),
    ("caches::forget", "as caches::any_unmeasured"),
    ("caches::give_back", "as caches::any_unmeasured"),
    ("caches::give_up", "as caches::any_unmeasured"),
    ("caches::give_up_left", "as caches::any_unmeasured"),
    ("caches::give_up_unused", "as caches::any_unmeasured"),
    ("caches::going", "as caches::any_unmeasured"),
    ("caches::kept", "as caches::any_unmeasured"),
    ("caches::list", "as caches::any_unmeasured"),
    ("caches::measured", "as caches::any_unmeasured"),
    ("caches::of_service", "as caches::any_unmeasured"),
    ("caches::removed", "as caches::any_unmeasured"),
    ("caches::services_over", "as caches::any_unmeasured"),
    ("caches::take", "as caches::any_unmeasured"),
    ("caches::there", "as caches::any_unmeasured"),
    ("db::readable", "reads rows that are there already"),
    ("db::unreadable", "makes an error"),
    ("dump::columns", "the backup's tests take every row of each database to the other"),
    ("dump::commits", "as dump::columns"),
    ("dump::is_empty", "as dump::columns"),
    ("dump::lines", "as dump::columns"),
    ("dump::put_back", "as dump::columns"),
    ("dump::repositories", "as dump::columns"),
    ("dump::sealed", "as dump::columns"),
    ("dump::tables", "as dump::columns"),
    ("environments::read_joined", "reads a row for targets::find"),
    ("events::paged", "cuts a list that is there already"),
    ("files::forget", "pipelines::rerun lets runs go on from others on both databases, whose sweep asks it"),
    ("files::goes_on", "as files::forget"),
    ("files::has_worked", "as files::forget"),
    ("files::hold", "as files::forget"),
    ("files::keep", "as files::forget"),
    ("files::kept", "as files::forget"),
    ("files::of_service", "reads what files::kept does, of one service"),
    ("files::take_over", "as files::forget"),
    ("files::taken", "as files::forget"),
    ("forge_statuses::again", "forges::mirrors, forges::statuses and forges::changes go the whole way on both databases"),
    ("forge_statuses::forget", "as forge_statuses::again"),
    ("forge_statuses::next", "as forge_statuses::again"),
    ("forge_statuses::not_told", "as forge_statuses::again"),
    ("forge_statuses::recent", "as forge_statuses::again"),
    ("forge_statuses::take", "as forge_statuses::again"),
    ("forge_statuses::told", "as forge_statuses::again"),
    ("mirrors::claim", "as forge_statuses::again"),
    ("mirrors::follow_head", "as forge_statuses::again"),
    ("mirrors::forget_host_keys", "one plain statement; forges::hooks and forges::ssh, on SQLite"),
    ("mirrors::insert", "as forge_statuses::again"),
    ("mirrors::next", "as forge_statuses::again"),
    ("mirrors::of", "as forge_statuses::again"),
    ("mirrors::of_hook", "one plain statement; forges::hooks and forges::ssh, on SQLite"),
    ("mirrors::release_held_by", "as forge_statuses::again"),
    ("mirrors::set", "as forge_statuses::again"),
    ("mirrors::want", "as forge_statuses::again"),
    ("mirrors::went", "as forge_statuses::again"),
    ("releases::insert", "called by rollout::request::release"),
    ("rollouts::enqueue", "called by rollout::request::release"),
    ("runs::approve", "as forge_statuses::again"),
    ("rollouts::give_up", "ends what does not read, which no history makes; store::garbage and crash::kill do"),
    ("runs::give_up", "as rollouts::give_up"),
    ("runs::insert_stage", "called by runs::insert and runs::take_up"),
    ("runs::stages", "reads what runs::take_up does; pipelines::rerun asks it on both databases"),
    ("runs::is_whole", "one plain SELECT, where a run that makes no image was cut short before its end was written"),
    ("services::clone_url", "makes a text"),
];

/// The functions of the store by module and name.
fn functions() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (path, code) in files("server/src/store") {
        let module = path.strip_prefix("server/src/store/").and_then(|path| path.strip_suffix(".rs")).unwrap();
        for line in code.lines() {
            let Some(rest) = line.strip_prefix("pub ") else { continue };
            let rest = rest.trim_start_matches("async ").trim_start_matches("const ");
            let Some(rest) = rest.strip_prefix("fn ") else { continue };
            all.insert(format!("{module}::{}", rest.split(['(', '<']).next().unwrap()));
        }
    }
    all
}

#[test]
fn every_function_of_the_store_is_compared_on_both_databases() {
    let all = functions();
    assert!(all.len() > 200, "the store reads: {}", all.len());
    let histories: String = files("tests/simulation")
        .into_iter()
        .filter(|(path, _)| path.ends_with("operations.rs") || path.ends_with("further.rs"))
        .map(|(_, code)| code)
        .collect();
    let called = |name: &str| {
        histories.match_indices(name).any(|(at, _)| {
            let before = histories[..at].chars().next_back();
            let after = histories[at + name.len()..].chars().next();
            before.is_some_and(|c| !c.is_alphanumeric() && c != '_' && c != ':') && after == Some('(')
        })
    };
    let left: BTreeSet<&str> = LEFT.iter().map(|(name, _)| *name).collect();
    let missing: Vec<&String> = all.iter().filter(|name| !called(name) && !left.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "in no history; add an operation, or the reason why not: {missing:#?}");
    let needless: Vec<&&str> = left.iter().filter(|name| !all.contains(**name) || called(name)).collect();
    assert!(needless.is_empty(), "not left out any more: {needless:?}");
    proof(
        "store covered",
        &format!(
            "{} functions, {} in the histories, {} left out with a reason, 0 forgotten",
            all.len(),
            all.len() - left.len(),
            left.len()
        ),
    );
}
