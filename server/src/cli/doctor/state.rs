//! How a Berth that is here does: its rights, its key, its schema, its unfinished work, the age of its backup.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, time::Duration};

use app::model::Timestamp;

use super::Finding;
use crate::{
    clock,
    config::Config,
    store::{Db, Open, StoreError, counts, leases, settings, users},
};

/// A backup older than this is worth a word.
const OLD_BACKUP: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Work that has been open for longer than this is worth a word.
const LONG_WORK: Duration = Duration::from_secs(2 * 3_600);
/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether nobody else reads what is in the data folder.
pub(super) fn rights(data: &Path) -> Option<Finding> {
    let mode = fs::metadata(data).ok()?.mode() & 0o777;
    let path = data.display();
    Some(if mode & 0o077 == 0 {
        Finding::good("rights", format!("{path} is for its owner alone."))
    } else {
        Finding::note("rights", format!("{path} can be looked into by others (mode {mode:o})."), format!("Close it: chmod 700 {path}."))
    })
}

/// Whether the root key is there, whole, and for its owner alone. `needed`: somebody lives here.
pub(super) fn key(path: &Path, needed: bool) -> Option<Finding> {
    let shown = path.display();
    match fs::metadata(path) {
        Err(_) if !needed => None,
        Err(error) => {
            let mend = "Put the `root.key` of this Berth back, from beside its backups: nothing else opens its secrets.";
            Some(Finding::bad("key", format!("{shown} cannot be read, and the database holds what it sealed: {error}."), mend))
        }
        Ok(meta) if meta.mode() & 0o077 != 0 => {
            let mode = meta.mode() & 0o777;
            let mend = format!("Close it: chmod 400 {shown}. Who has read it can read every secret: then make the secrets anew.");
            Some(Finding::bad("key", format!("{shown} can be read by others (mode {mode:o})."), mend))
        }
        Ok(meta) if meta.len() != 32 => Some(Finding::bad("key", format!("{shown} is no key."), "Put the right file back.")),
        Ok(_) => Some(Finding::good("key", format!("{shown} is for its owner alone."))),
    }
}

/// What the address says that people and services are reached under.
pub(super) fn addresses(config: &Config) -> Finding {
    let outside = !config.listen.ip().is_loopback();
    let tls = config.url.starts_with("https://");
    let local = config.url.contains("://localhost") || config.url.contains("://127.") || config.url.contains("://[::1]");
    if outside && !tls {
        let found = format!("the console listens on {} and its address is {}: passwords pass in clear.", config.listen, config.url);
        return Finding::note("tls", found, "Put a TLS proxy before it, listen on loopback, and set --url to the proxy's https address.");
    }
    if !local && !tls {
        return Finding::note("tls", format!("people reach the console at {}, without TLS.", config.url), "Give --url an https address.");
    }
    if tls && config.domain == "localhost" {
        let mend = "Set --domain to a domain whose names lead to the edge (*.apps.example.org).";
        return Finding::note("tls", "the console has a public address and services answer under `localhost` only.".to_owned(), mend);
    }
    Finding::good("tls", format!("the console is at {}, services under `{}`.", config.url, config.domain))
}

/// What the database tells, where there is one.
pub(super) async fn stored(config: &Config) -> Vec<Finding> {
    let path = config.database.strip_prefix("sqlite:").map(|path| Path::new(path.trim_start_matches("//")));
    if path.is_some_and(|path| !path.exists()) {
        return key(&config.key_file(), false).into_iter().collect();
    }
    let look = async {
        let db = Db::connect(&config.database, Open::Look).await?;
        let findings = look(config, &db).await;
        db.close().await;
        findings
    };
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(findings)) => findings,
        // That it cannot be reached is said already.
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

async fn look(config: &Config, db: &Db) -> Result<Vec<Finding>, StoreError> {
    let newest = Db::newest_schema();
    let Some(schema) = db.schema().await? else {
        return Ok(key(&config.key_file(), false).into_iter().collect());
    };
    let mut findings = vec![match schema {
        schema if schema > newest => Finding::bad(
            "schema",
            format!("the database has the schema {schema} and this program knows {newest}."),
            "Install the version of Berth that made it, or a newer one.",
        ),
        schema if schema < newest => Finding::good("schema", format!("{schema}; it is brought up to {newest} at the next start.")),
        schema => Finding::good("schema", format!("{schema}, up to date.")),
    }];
    if schema != newest {
        return Ok(findings);
    }
    findings.extend(key(&config.key_file(), users::any(db).await?));
    findings.push(work(db).await?);
    findings.push(backup(settings::last_backup(db).await?, clock::now()));
    Ok(findings)
}

async fn work(db: &Db) -> Result<Finding, StoreError> {
    let now = clock::now();
    let said =
        |what: &str, states: Vec<(String, u64)>| states.into_iter().map(|(state, n)| format!("{n} {what} {state}")).collect::<Vec<_>>();
    let mut open = said("runs", counts::open_runs(db).await?);
    open.extend(said("rollouts", counts::open_rollouts(db).await?));
    let oldest = counts::oldest_open(db).await?.map(|at| now.since(at));
    let lapsed: Vec<String> = leases::all(db).await?.into_iter().filter(|lease| lease.until < now).map(|lease| lease.name).collect();
    let mut found = if open.is_empty() { "nothing is unfinished".to_owned() } else { open.join(", ") };
    if !lapsed.is_empty() {
        found.push_str(&format!("; nobody holds the duty {}", lapsed.join(", ")));
    }
    found.push('.');
    Ok(match oldest {
        Some(age) if age > LONG_WORK => {
            let hours = age.as_secs() / 3_600;
            Finding::note(
                "work",
                format!("{found} The oldest was asked for {hours} h ago."),
                "Look at why it waits: `berth status`, the log.",
            )
        }
        _ => Finding::good("work", found),
    })
}

/// Pure: how old the newest backup is.
fn backup(last: Option<Timestamp>, now: Timestamp) -> Finding {
    const MEND: &str = "Make one every day: `berth backup --to FOLDER --keep 7`.";
    match last.map(|last| now.since(last)) {
        None => Finding::note("backup", "its age is not known: this Berth never made one with `berth backup`.", MEND),
        Some(age) if age > OLD_BACKUP => Finding::note("backup", format!("the newest is {} days old.", age.as_secs() / 86_400), MEND),
        Some(age) => Finding::good("backup", format!("the newest is {} h old.", age.as_secs() / 3_600)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_that_others_read_is_bad() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        assert_eq!(key(&path, false), None);
        assert!(!key(&path, true).unwrap().good);
        fs::write(&path, [7; 32]).unwrap();
        for (mode, good) in [(0o400, true), (0o600, true), (0o644, false), (0o440, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(key(&path, true).unwrap().good, good, "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"short").unwrap();
        assert!(!key(&path, true).unwrap().good);
    }

    #[test]
    fn the_age_of_a_backup_is_said() {
        let day = 86_400_000;
        assert!(backup(None, Timestamp(day)).found.contains("not known"));
        assert_eq!(backup(Some(Timestamp(0)), Timestamp(day)).mend, "");
        assert!(backup(Some(Timestamp(0)), Timestamp(9 * day)).found.contains("9 days"));
    }

    #[test]
    fn passwords_in_clear_are_worth_a_word() {
        let config = |listen: &str, url: &str, domain: &str| {
            let settings = crate::config::Settings {
                listen: listen.parse().ok(),
                url: Some(url.into()),
                domain: Some(domain.into()),
                ..crate::config::Settings::default()
            };
            addresses(&settings.resolve().unwrap()).mend
        };
        assert!(config("127.0.0.1:8080", "http://localhost:8080", "localhost").is_empty());
        assert!(config("127.0.0.1:8080", "https://berth.example.org", "apps.example.org").is_empty());
        assert!(config("127.0.0.1:8080", "https://berth.example.org", "localhost").contains("--domain"));
        assert!(config("127.0.0.1:8080", "http://berth.example.org", "apps.example.org").contains("https"));
        assert!(config("0.0.0.0:8080", "http://localhost:8080", "localhost").contains("TLS"));
    }
}
