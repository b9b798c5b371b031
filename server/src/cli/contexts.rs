//! The servers one is signed in to: a file that only oneself can read.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::failure::{Done, Failure};

/// A server and the token it gave.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Context {
    /// Its address, without a final slash.
    pub(super) url: String,
    /// The token.
    pub(super) token: String,
    /// The token's id, to revoke it with.
    #[serde(default)]
    pub(super) token_id: Option<String>,
    /// Who one is there.
    #[serde(default)]
    pub(super) email: Option<String>,
}

/// All of them.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Contexts {
    /// The name of the one in use.
    #[serde(default)]
    pub(super) current: Option<String>,
    /// By name.
    #[serde(default)]
    pub(super) contexts: BTreeMap<String, Context>,
}

fn path() -> Done<PathBuf> {
    let folder = match env::var_os("BERTH_CONFIG_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => dirs::config_dir().ok_or_else(|| Failure::new("There is no home folder. Set BERTH_CONFIG_DIR."))?.join("berth"),
    };
    Ok(folder.join("contexts.json"))
}

impl Contexts {
    /// Reads the file; one that is not there has none.
    pub(super) fn load() -> Done<Self> {
        let path = path()?;
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Failure::new(format!("{} does not read: {error}. Mend or delete it.", path.display()))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Failure::new(format!("{} cannot be read: {error}.", path.display()))),
        }
    }

    /// Writes the file anew, readable for oneself alone.
    pub(super) fn save(&self) -> Done<()> {
        let path = path()?;
        let failed = |error: std::io::Error| Failure::new(format!("{} cannot be written: {error}.", path.display()));
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder).map_err(failed)?;
        let fresh = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh).map_err(failed)?;
        let text = serde_json::to_string_pretty(self).map_err(|error| Failure::new(error.to_string()))?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        fs::rename(&fresh, &path).map_err(failed)
    }

    /// The one of this name, or the current one.
    pub(super) fn pick(&self, name: Option<&str>) -> Done<Option<&Context>> {
        let Some(name) = name.or(self.current.as_deref()) else { return Ok(None) };
        match self.contexts.get(name) {
            Some(context) => Ok(Some(context)),
            None => Err(Failure::new(format!("There is no context called {name}. See `berth context list`."))),
        }
    }
}

/// The name a server gets where none is given: its host and port.
pub(super) fn usual_name(url: &str) -> String {
    url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/').to_owned()
}
