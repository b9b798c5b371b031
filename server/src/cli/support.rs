//! `berth admin support-bundle`: what somebody who helps needs to know, in one file, without a secret in it.
//!
//! Works also where Berth does not run, or its database does not answer: each piece that cannot be had says why.

use std::{collections::BTreeMap, fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, time::Duration};

use app::error::Result;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use super::{
    doctor,
    failure::{Done, Failure},
};
use crate::{
    clock,
    config::Config,
    secrets::{RootKey, Secrets},
    store::{Db, Open, counts, dump, leases, settings},
    telemetry::tail,
};

/// Lines of the log that go in.
const LINES: usize = 2_000;
/// How long each piece may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Values shorter than this are in every text.
const LEAST: usize = 6;

/// Writes the bundle, and says what is in it.
pub(super) async fn make(config: &Config, file: &Path) -> Done<Vec<&'static str>> {
    let mut pieces: Vec<(&'static str, String)> = vec![
        ("about.json", text(&about())),
        ("settings.json", text(&shown(config))),
        ("doctor.json", text(&json!(doctor::examine(config).await))),
        ("state.json", text(&state(config).await)),
        ("ready.txt", ready(config).await),
    ];
    pieces.push(("log.jsonl", tail::last(&config.data, LINES).join("\n")));
    let masked = Masks::of(config).await;
    let no = |error: std::io::Error| Failure::new(format!("{} cannot be written: {error}.", file.display()));
    let out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file).map_err(no)?;
    let mut tar = tar::Builder::new(GzEncoder::new(out, Compression::default()));
    for (name, text) in &pieces {
        let text = masked.apply(text);
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(clock::now().0 / 1_000).unwrap_or(0));
        tar.append_data(&mut header, format!("berth-support/{name}"), text.as_bytes()).map_err(no)?;
    }
    tar.into_inner().and_then(GzEncoder::finish).and_then(|mut out| out.flush()).map_err(no)?;
    Ok(pieces.into_iter().map(|(name, _)| name).collect())
}

fn text(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default()
}

fn about() -> Value {
    let kernel = std::fs::read_to_string("/proc/version").unwrap_or_default();
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or_default().trim_matches('"').to_owned();
    json!({ "berth": env!("CARGO_PKG_VERSION"), "made_at": clock::now().to_string(), "kernel": kernel.trim(), "system": system })
}

/// The settings by name: one that is added later is not in it until somebody has looked whether it is a secret.
fn shown(config: &Config) -> Value {
    json!({
        "listen": config.listen, "edge_listen": config.edge_listen, "data": config.data, "domain": config.domain, "url": config.url,
        "database": doctor::without_password(&config.database), "docker": config.docker, "subnets": config.subnets, "runs": config.runs,
        "trusted_proxies": config.trusted_proxies, "log_json": config.log_json,
    })
}

async fn state(config: &Config) -> Value {
    match tokio::time::timeout(PATIENCE, counted(config)).await {
        Ok(Ok(state)) => state,
        Ok(Err(error)) => json!({ "error": error.to_string() }),
        Err(_) => json!({ "error": "the database did not answer in time" }),
    }
}

/// Numbers alone: no name of anybody or anything.
async fn counted(config: &Config) -> Result<Value> {
    let db = Db::connect(&config.database, Open::Look).await?;
    let numbers = |rows: Vec<(String, u64)>| rows.into_iter().collect::<BTreeMap<_, _>>();
    let leases: Vec<Value> =
        leases::all(&db).await?.into_iter().map(|l| json!({ "duty": l.name, "fence": l.fence, "until": l.until.to_string() })).collect();
    let state = json!({
        "schema": db.schema().await?, "things": counts::things(&db).await?.into_iter().collect::<BTreeMap<_, _>>(),
        "open_runs": numbers(counts::open_runs(&db).await?), "open_rollouts": numbers(counts::open_rollouts(&db).await?),
        "instances": counts::instances(&db).await?, "leases": leases,
        "last_backup": settings::last_backup(&db).await?.map(|at| at.to_string()),
    });
    db.close().await;
    Ok(state)
}

async fn ready(config: &Config) -> String {
    match doctor::readiness(config.listen).await {
        Some((status, lines)) => format!("{status}\n{lines}"),
        None => "No Berth answers at its address.\n".into(),
    }
}

/// Everything that is known to be a secret, to be taken out wherever it might have got in all the same.
struct Masks {
    values: Option<aho_corasick::AhoCorasick>,
    count: usize,
}

impl Masks {
    async fn of(config: &Config) -> Self {
        let mut values = Vec::new();
        if let Some((_, password)) = login(&config.database).and_then(|login| login.split_once(':')) {
            values.push(password.to_owned());
        }
        if let Ok(key) = RootKey::read(&config.key_file()) {
            values.push(hex::encode(key.as_slice()));
            values.extend(tokio::time::timeout(PATIENCE, variables(config, &key)).await.ok().and_then(Result::ok).unwrap_or_default());
        }
        values.retain(|value| value.len() >= LEAST);
        let count = values.len();
        let values = aho_corasick::AhoCorasick::builder().match_kind(aho_corasick::MatchKind::LeftmostLongest).build(&values).ok();
        Self { values, count }
    }

    fn apply(&self, text: &str) -> String {
        let text = match &self.values {
            Some(values) => values.replace_all(text, &vec!["***"; self.count]),
            None => text.to_owned(),
        };
        hide_tokens(&text)
    }
}

fn login(address: &str) -> Option<&str> {
    Some(address.split_once("://")?.1.rsplit_once('@')?.0)
}

/// The value of every variable of every service. They are in memory for as long as this runs, and nowhere else.
async fn variables(config: &Config, key: &RootKey) -> Result<Vec<String>> {
    let db = Db::connect(&config.database, Open::Look).await?;
    let mut tx = db.snapshot().await?;
    let sealed = dump::sealed(&mut tx).await?;
    drop(tx);
    db.close().await;
    let secrets = Secrets::with_key(key);
    let open = |(team, id, value): (String, String, String)| {
        let plain = secrets.unseal(&app::model::TeamId::from_text(team), &id, "variables", &value).ok()?;
        serde_json::from_slice::<BTreeMap<String, String>>(&plain).ok()
    };
    Ok(sealed.into_iter().filter_map(open).flat_map(BTreeMap::into_values).collect())
}

/// What begins like one of our tokens, or follows the address of a one-time link.
fn hide_tokens(text: &str) -> String {
    let mut hidden = text.to_owned();
    for mark in ["berth_", "/setup/", "/invite/", "/sign-in/", "Bearer "] {
        let mut parts = hidden.split(mark);
        let mut done = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let secret = part.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'=')).count();
            done.push_str(mark);
            // A short word after it is a word: `berth_data`.
            done.push_str(if secret >= 16 { "***" } else { &part[..secret] });
            done.push_str(&part[secret..]);
        }
        hidden = done;
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_links_are_hidden_and_words_are_not() {
        let text = "berth_0123456789abcdefXYZ berth_data https://x/sign-in/abcdefghijklmnopqrst?a Bearer abcdefghijklmnopqrstu";
        assert_eq!(hide_tokens(text), "berth_*** berth_data https://x/sign-in/***?a Bearer ***");
    }
}
