//! Whether containers are kept from the host's own addresses.

use super::Finding;
use crate::{config::Config, platform::docker, wall};

/// Looks for the wall, where the engine is on this host.
pub(super) async fn examine(config: &Config) -> Option<Finding> {
    docker::locate(config.docker.as_deref()).ok().filter(|engine| wall::is_local(engine))?;
    Some(match wall::is_up().await {
        Ok(true) => Finding::good("wall", "containers reach neither this host's own addresses nor a cloud's metadata."),
        Ok(false) => Finding::good("wall", "not there yet: Berth raises it when it is started by this user."),
        Err(why) => {
            let found = format!("containers can reach this host's own addresses, as far as can be told: {why}.");
            Finding::bad("wall", found, wall::mend(&config.data))
        }
    })
}

/// What it means that BuildKit is let in, where it is.
pub(super) async fn of_builds(config: &Config) -> Option<Finding> {
    if !config.buildkit {
        return None;
    }
    let held = "commands of such builds have no limit of memory and processor, and are on the engine's default network";
    let local = docker::locate(config.docker.as_deref()).is_ok_and(|engine| wall::is_local(&engine));
    let reach = match wall::is_up_for_builds().await {
        Ok(true) if local => "reach neither this host nor Berth's networks",
        Ok(false) if local => "the wall before them is raised when Berth is started by this user, and before each build",
        _ => "can reach the host's own addresses, as far as can be told",
    };
    let mend = "Leave --buildkit out unless you trust whoever may push.";
    Some(Finding::note("buildkit", format!("teams may use it: {held}; {reach}."), mend))
}
