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
