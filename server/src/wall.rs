//! The wall on the host: containers reach neither the host's own addresses (Berth's console, its database, an engine that
//! listens on TCP, whatever else listens there) nor the addresses clouds keep their metadata at.
//!
//! An engine has no option for it. Berth's networks have bridges of one recognisable name, and where Berth may change the
//! host's filter it keeps one small table of its own there, before the engine's rules. It only adds: what the table lets pass
//! is still for the rules behind it to say. Nothing removes it but an administrator (`nft delete table inet berth`): containers
//! run on while Berth is stopped.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::{
    io::AsyncWriteExt as _,
    process::Command,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// The wall, for `nft -f -`: made anew in one step each time.
///
/// Answers to what the host itself asked come through, so that health checks and the edge work; so do questions for names,
/// where the host is the name server its containers were told of.
pub const RULES: &str = r#"table inet berth
delete table inet berth
table inet berth {
  chain to_host {
    type filter hook input priority filter - 10; policy accept;
    iifname != "berth-*" accept
    ct state established,related accept
    meta l4proto { tcp, udp } th dport 53 accept
    counter drop
  }
  chain through_host {
    type filter hook forward priority filter - 10; policy accept;
    iifname "berth-*" ip daddr 169.254.0.0/16 counter drop
    iifname "berth-*" ip6 daddr { fd00:ec2::254, fe80::/10 } counter drop
  }
}
"#;

/// The wall before commands of BuildKit, which are on the engine's default bridge: a table of its own, so that a Berth on this
/// host which lets BuildKit in and one which does not leave each other's alone. It holds for whatever else is on that bridge.
///
/// Commands reach neither the host nor metadata nor Berth's networks; nor each other, where the kernel passes what crosses a
/// bridge by the filter (`bridge-nf-call-iptables`, as engines set it).
fn rules_of_builds(bridge: &str) -> String {
    format!(
        r#"table inet berth_builds
delete table inet berth_builds
table inet berth_builds {{
  chain to_host {{
    type filter hook input priority filter - 10; policy accept;
    iifname != "{bridge}" accept
    ct state established,related accept
    meta l4proto {{ tcp, udp }} th dport 53 accept
    counter drop
  }}
  chain through_host {{
    type filter hook forward priority filter - 10; policy accept;
    iifname "{bridge}" ip daddr 169.254.0.0/16 counter drop
    iifname "{bridge}" ip6 daddr {{ fd00:ec2::254, fe80::/10 }} counter drop
    iifname "{bridge}" oifname {{ "berth-*", "{bridge}" }} counter drop
  }}
}}
"#
    )
}

/// Raises a wall, or says why it cannot, as the end of a sentence.
pub type Raise = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Something else may clear the host's filter, a reload of its own rules for instance.
const AGAIN: Duration = Duration::from_secs(300);
/// How long `nft` may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The command that raises the wall by hand, from the file Berth leaves in its data folder.
pub fn mend(data: &Path) -> String {
    format!(
        "Install nftables and start Berth as root or with CAP_NET_ADMIN; or raise the wall yourself, now and after each start of the host: \
         `sudo nft -f {}`.",
        file(data).display()
    )
}

fn file(data: &Path) -> PathBuf {
    data.join("wall.nft")
}

/// Whether the engine at this address runs on this host, so that a wall here stands before its containers.
pub fn is_local(engine: &str) -> bool {
    engine.starts_with("unix://")
}

/// Keeps the wall up until stopped, and with it what `builds` raises. Where that cannot be done it is said once, with the command
/// that does it.
pub async fn keep(data: PathBuf, builds: Option<Raise>, stop: CancellationToken) {
    if let Err(error) = tokio::fs::write(file(&data), RULES).await {
        tracing::warn!(%error, "the rules of the wall could not be left in the data folder");
    }
    let mut said = false;
    loop {
        if let Some(builds) = &builds
            && let Err(why) = builds().await
        {
            tracing::warn!("commands of BuildKit can reach this host's own addresses: {why}");
        }
        match raise().await {
            Ok(()) => said = false,
            Err(why) if !said => {
                tracing::warn!("containers can reach this host's own addresses: {why}. {}", mend(&data));
                said = true;
            }
            Err(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(AGAIN) => {}
        }
    }
}

/// Raises the wall, or says why it cannot.
///
/// # Errors
/// What stands in the way, as the end of a sentence.
pub async fn raise() -> Result<(), String> {
    nft(&["-f", "-"], RULES).await.map(|_| ())
}

/// Raises the wall before commands of BuildKit, on this bridge; or says why it cannot.
///
/// # Errors
/// What stands in the way, as the end of a sentence.
pub async fn raise_for_builds(bridge: &str) -> Result<(), String> {
    // It stands between quotes.
    if !bridge.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) || bridge.is_empty() {
        return Err(format!("`{bridge}` is no name of a bridge"));
    }
    nft(&["-f", "-"], &rules_of_builds(bridge)).await.map(|_| ())
}

/// Whether the wall before commands of BuildKit is up.
///
/// # Errors
/// Why that cannot be told, as the end of a sentence.
pub async fn is_up_for_builds() -> Result<bool, String> {
    is_there("table inet berth_builds").await
}

/// Whether the wall is up.
///
/// # Errors
/// Why that cannot be told, as the end of a sentence.
pub async fn is_up() -> Result<bool, String> {
    is_there("table inet berth").await
}

async fn is_there(table: &str) -> Result<bool, String> {
    Ok(nft(&["list", "tables"], "").await?.lines().any(|line| line.trim() == table))
}

/// Runs `nft` with fixed arguments and what it reads, and answers with what it says.
async fn nft(args: &[&str], input: &str) -> Result<String, String> {
    let mut command = Command::new("nft");
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "the program nft is not here".to_owned(),
        _ => format!("nft does not start: {error}"),
    })?;
    let mut stdin = child.stdin.take();
    let run = async {
        if let Some(stdin) = &mut stdin {
            stdin.write_all(input.as_bytes()).await?;
        }
        drop(stdin);
        child.wait_with_output().await
    };
    let output = timeout(PATIENCE, run).await.map_err(|_| "nft does not end".to_owned())?.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().next().unwrap_or("nft failed and said nothing").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::network::BRIDGE_PREFIX;

    #[test]
    fn the_rules_are_of_the_bridges_alone() {
        assert!(RULES.contains(&format!("iifname != \"{BRIDGE_PREFIX}*\" accept")));
        assert!(RULES.lines().filter(|line| line.contains("drop") && line.contains("daddr")).all(|line| line.contains(BRIDGE_PREFIX)));
        let builds = rules_of_builds("docker0");
        assert!(
            builds.lines().filter(|line| line.contains("drop") && line.contains("name")).all(|line| line.contains("iifname \"docker0\""))
        );
        assert!(builds.contains("oifname { \"berth-*\", \"docker0\" } counter drop"), "{builds}");
        assert!(is_local("unix:///var/run/docker.sock") && !is_local("tcp://10.0.0.1:2375"));
    }
}
