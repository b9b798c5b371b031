//! Searches among what somebody may see.

use app::{
    error::Result,
    fuzzy::fits,
    model::{Actor, EnvironmentName, Found, FoundKind, RunState, TeamName},
};

use super::{Control, authorize, platform::seen};
use crate::{
    auth::rights::Action,
    store::{
        environments,
        search::{self, ServiceRow, Wanted},
    },
};

/// Most letters of a search that are looked at, and most words.
const LONGEST: usize = 100;
const MOST_WORDS: usize = 8;

/// The words of a search, told apart by what they may mean.
struct Asked<'a> {
    /// Everything but the number.
    words: Vec<&'a str>,
    /// What is left when the environments' names are taken out.
    names: Vec<&'a str>,
    /// The environments that a word begins.
    within: Vec<&'a EnvironmentName>,
    /// The number of a run.
    number: Option<u64>,
    /// The beginning of a commit's hash, in small letters.
    commit: Option<String>,
}

/// Fewest and most letters of a hash that are looked up.
const HASH: std::ops::RangeInclusive<usize> = 6..=40;

fn is_hash(word: &str) -> bool {
    HASH.contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn read<'a>(query: &'a str, environments: &'a [EnvironmentName]) -> Asked<'a> {
    let end = query.char_indices().nth(LONGEST).map_or(query.len(), |(at, _)| at);
    let is_number = |word: &str| word.trim_start_matches('#').parse::<u64>().ok();
    let all = query[..end].split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).take(MOST_WORDS);
    let all: Vec<&str> = all.collect();
    let commit = all.iter().find(|word| is_hash(word)).map(|word| word.to_ascii_lowercase());
    let (numbers, words): (Vec<&str>, Vec<&str>) = all.into_iter().partition(|word| is_number(word).is_some());
    let begins = |word: &str, name: &EnvironmentName| word.len() > 1 && name.as_str().starts_with(&word.to_lowercase());
    let within = environments.iter().filter(|name| words.iter().any(|word| begins(word, name))).collect();
    let names = words.iter().copied().filter(|word| !environments.iter().any(|name| begins(word, name))).collect();
    Asked { words, names, within, number: numbers.first().and_then(|word| is_number(word)), commit }
}

fn of_service(kind: FoundKind, (team, service, detail): ServiceRow, words: &[&str]) -> Found {
    let path = format!("/teams/{team}/services/{service}");
    // A word that stands only in what it does counts little.
    let query = words.join(" ");
    let score = fits(&query, service.as_str()).map(|score| score + 50);
    let score = score.or_else(|| fits(&query, &format!("{team}/{service}"))).unwrap_or(1);
    Found { kind, team, service: Some(service), environment: None, run: None, state: None, detail, path, score }
}

fn of_team(team: TeamName, words: &[&str]) -> Found {
    let score = fits(&words.join(" "), team.as_str()).unwrap_or(1);
    let path = format!("/teams/{team}");
    Found { kind: FoundKind::Team, team, service: None, environment: None, run: None, state: None, detail: String::new(), path, score }
}

fn of_target(row: ServiceRow, environment: EnvironmentName, words: &[&str]) -> Found {
    let found = of_service(FoundKind::Target, row, words);
    Found { path: format!("{}/targets/{environment}", found.path), environment: Some(environment), score: found.score + 100, ..found }
}

fn of_run(row: ServiceRow, number: u64, state: RunState, words: &[&str]) -> Found {
    let found = of_service(FoundKind::Run, row, words);
    Found { path: format!("{}/runs/{number}", found.path), run: Some(number), state: Some(state), score: found.score + 100, ..found }
}

impl Control {
    /// What fits these words, best first.
    pub(super) async fn find(&self, actor: &Actor, query: &str, limit: u32) -> Result<Vec<Found>> {
        authorize(actor, Action::ViewPlatform, None)?;
        let environments: Vec<EnvironmentName> = environments::list(&self.db).await?.into_iter().map(|one| one.name).collect();
        let (of, asked) = (seen(actor), read(query, &environments));
        let (all, names) = (Wanted { of: &of, words: &asked.words }, Wanted { of: &of, words: &asked.names });
        let mut found = Vec::new();
        match asked.number {
            Some(number) => {
                let runs = search::runs(&self.db, &all, number).await?;
                found.extend(runs.into_iter().map(|(row, state)| of_run(row, number, state, &asked.words)));
            }
            None => {
                let services = search::services(&self.db, &all).await?;
                found.extend(services.into_iter().map(|row| of_service(FoundKind::Service, row, &asked.words)));
                let teams = search::teams(&self.db, &all).await?;
                found.extend(teams.into_iter().map(|team| of_team(team, &asked.words)));
            }
        }
        if let Some(commit) = &asked.commit {
            let words: Vec<&str> = asked.words.iter().copied().filter(|word| !is_hash(word)).collect();
            let runs = search::commits(&self.db, &Wanted { of: &of, words: &words }, commit).await?;
            found.extend(runs.into_iter().map(|(row, number, state)| of_run(row, number, state, &words)));
        }
        if !asked.within.is_empty() && asked.number.is_none() {
            let targets = search::targets(&self.db, &names, &asked.within).await?;
            found.extend(targets.into_iter().map(|(row, environment)| of_target(row, environment, &asked.names)));
        }
        // The sort keeps the order of the store among equals: the shorter name first.
        found.sort_by_key(|found| std::cmp::Reverse(found.score));
        found.truncate(limit.clamp(1, 50) as usize);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart() {
        let environments: Vec<EnvironmentName> = ["dev", "staging", "production"].map(|name| name.parse().unwrap()).to_vec();
        let asked = read("  orders Prod #12 ", &environments);
        assert_eq!((asked.words, asked.names, asked.number), (vec!["orders", "Prod"], vec!["orders"], Some(12)));
        assert_eq!(asked.within.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["production"]);
        for (query, commit) in [("orders 0A1B2c3", Some("0a1b2c3")), ("1234567", Some("1234567")), ("12345", None), ("orders", None)] {
            assert_eq!(read(query, &environments).commit.as_deref(), commit, "{query}");
        }
        let asked = read("d", &environments);
        assert!(asked.within.is_empty(), "one letter names no environment");
        assert_eq!(read(&"ö".repeat(300), &environments).words[0].chars().count(), LONGEST);
    }
}
