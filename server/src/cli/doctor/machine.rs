//! The data folder, the disk, the database, Git.

use std::{
    fs, io,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use super::Finding;
use crate::{config::Config, store::Db};

/// Less than this is too little for images and databases to grow in.
const LEAST_DISK: u64 = 2 << 30;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether files can be made in the data folder, which is made if it can be.
pub(super) fn data(folder: &Path) -> Finding {
    let path = folder.display();
    let test = folder.join(format!(".doctor-{}", std::process::id()));
    let there = folder.is_dir();
    let tried = if there { fs::write(&test, b"") } else { nearest(folder).map(|_| ()) };
    // Only what was made here is removed.
    let _ = fs::remove_file(&test);
    match tried {
        Ok(()) if there => Finding::good("data", format!("{path} can be written.")),
        Ok(()) => Finding::good("data", format!("{path} is not there yet; it can be made.")),
        Err(error) => Finding::bad(
            "data",
            format!("{path} cannot be written: {error}."),
            format!("Make it the user's who runs Berth (`chown -R berth {path}`), or name another folder with --data."),
        ),
    }
}

/// The nearest folder above that is there, if a folder can be made in it.
fn nearest(folder: &Path) -> io::Result<&Path> {
    for above in folder.ancestors().skip(1) {
        match fs::metadata(above) {
            Ok(found) if found.is_dir() => {
                let test = above.join(format!(".doctor-{}", std::process::id()));
                fs::create_dir(&test)?;
                fs::remove_dir(&test)?;
                return Ok(above);
            }
            Ok(_) => return Err(io::Error::other(format!("{} is no folder", above.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("no folder above it is there"))
}

/// Whether there is room. `df` knows; the standard library does not.
pub(super) fn disk(folder: &Path) -> Finding {
    let there = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    let output = Command::new("df").arg("-Pk").arg("--").arg(there).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let free = output.ok().filter(|output| output.status.success()).and_then(|output| free(&String::from_utf8_lossy(&output.stdout)));
    match free {
        None => Finding::good("disk", "the free room could not be told (`df` did not answer)."),
        Some(free) if free < LEAST_DISK => Finding::bad(
            "disk",
            format!("only {} MiB are free under {}.", free >> 20, there.display()),
            "Make room: `docker image prune` removes images nothing uses; or move the data folder with --data.",
        ),
        Some(free) => Finding::good("disk", format!("{:.1} GiB are free under {}.", free as f64 / f64::from(1_u32 << 30), there.display())),
    }
}

/// The fourth column of the last line of `df -Pk`, in bytes.
fn free(text: &str) -> Option<u64> {
    text.lines().last()?.split_whitespace().nth(3)?.parse::<u64>().ok().map(|kib| kib << 10)
}

/// Whether the database answers. It is looked at, not brought up to date.
pub(super) async fn database(config: &Config) -> Finding {
    let shown = without_password(&config.database);
    let mend = if config.database.starts_with("sqlite:") {
        "Mend the file or its folder's owner, or name another with --database."
    } else {
        "Start PostgreSQL, and check address, user, password and that the database exists (`createdb berth`)."
    };
    match tokio::time::timeout(PATIENCE, Db::probe(&config.database)).await {
        Ok(Ok(found)) => Finding::good("database", format!("{shown}: {found}")),
        Ok(Err(error)) => Finding::bad("database", format!("{shown} cannot be reached: {error}."), mend),
        Err(_) => Finding::bad("database", format!("{shown} did not answer within {} s.", PATIENCE.as_secs()), mend),
    }
}

/// An address as it may be shown.
pub(in crate::cli) fn without_password(address: &str) -> String {
    match address.split_once("://").and_then(|(scheme, rest)| rest.rsplit_once('@').map(|(login, host)| (scheme, login, host))) {
        Some((scheme, login, host)) => format!("{scheme}://{}@{host}", login.split(':').next().unwrap_or_default()),
        None => address.to_owned(),
    }
}

/// Whether there is a `git` that can serve pushes.
pub(super) fn git() -> Finding {
    const MEND: &str = "Install Git 2.30 or newer (`apt-get install git`): pushes are received with it.";
    let output = Command::new("git").arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if version(&said).is_some_and(|version| version >= (2, 30)) {
                Finding::good("git", format!("{said}."))
            } else {
                Finding::bad("git", format!("{said} is too old."), MEND)
            }
        }
        _ => Finding::bad("git", "git cannot be started.", MEND),
    }
}

/// `git version 2.39.5` → `(2, 39)`.
fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.split_whitespace().nth(2)?.split('.').map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_below_a_file_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), b"").unwrap();
        let finding = data(&folder.path().join("file/data"));
        assert!(!finding.good && finding.mend.contains("--data"), "{finding:?}");
        assert!(data(folder.path()).good);
        assert!(data(&folder.path().join("a/b")).good);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "it leaves nothing behind");
    }

    #[test]
    fn df_is_read() {
        let text = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 263174212 40000000 56789 43% /\n";
        assert_eq!(free(text), Some(56_789 << 10));
        assert_eq!(free(""), None);
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(without_password("postgres://berth:secret@db/berth"), "postgres://berth@db/berth");
        assert_eq!(without_password("postgres://db/berth"), "postgres://db/berth");
        assert_eq!(without_password("sqlite:/data/berth.db"), "sqlite:/data/berth.db");
    }

    #[test]
    fn versions_of_git_are_read() {
        assert_eq!(version("git version 2.39.5"), Some((2, 39)));
        assert_eq!(version("git version 2.47.3.windows.1"), Some((2, 47)));
        assert_eq!(version("git"), None);
    }
}
