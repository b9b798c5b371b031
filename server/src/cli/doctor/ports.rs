//! Whether the ports are free, or Berth's already.

use std::{
    fs,
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use tokio::net::TcpListener;

use super::Finding;

/// Looks at one port. `flag` is the setting that names another.
pub(super) async fn examine(what: &'static str, flag: &str, address: SocketAddr) -> Finding {
    match TcpListener::bind(address).await {
        Ok(_) => Finding::good(what, format!("{address} is free.")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => taken(what, flag, address).await,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Finding::bad(
            what,
            format!("{address} may not be listened on by this user."),
            format!("Choose a port above 1023 with --{flag}, or give the program the right: setcap cap_net_bind_service=+ep berth."),
        ),
        Err(error) => Finding::bad(what, format!("{address} cannot be listened on: {error}."), format!("Choose another with --{flag}.")),
    }
}

async fn taken(what: &'static str, flag: &str, address: SocketAddr) -> Finding {
    let holder = holder(address.port());
    // A Berth of the same machine is what one hopes to find there.
    if answers_as_berth(address).await || holder.as_ref().is_some_and(|(_, name)| name == "berth") {
        return Finding::good(what, format!("{address} is held by a Berth that runs."));
    }
    let by = holder.map_or_else(|| "another program".to_owned(), |(pid, name)| format!("{name} (process {pid})"));
    Finding::bad(what, format!("{address} is taken by {by}."), format!("Stop it, or choose another port with --{flag}."))
}

/// Asks the Berth at this address whether it is ready: the status, and a line for each part. None where none answers.
pub(in crate::cli) async fn readiness(address: SocketAddr) -> Option<(u16, String)> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().ok()?;
    let answer = client.get(format!("http://{}/readyz", reachable(address))).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

/// How the Berth that serves at this address is, by its own word; none where none does.
pub(super) async fn running(address: SocketAddr) -> Option<Finding> {
    if !answers_as_berth(address).await {
        return None;
    }
    let (status, lines) = readiness(address).await?;
    let not: Vec<String> = lines
        .lines()
        .filter_map(|line| line.split_once(' ').filter(|(_, how)| how.trim() != "ready"))
        .map(|(part, how)| format!("its {part} {}", how.trim()))
        .collect();
    Some(if status == 200 && not.is_empty() {
        Finding::good("running", "the Berth here is ready: store, engine and edge.")
    } else {
        Finding::bad("running", format!("the Berth here is not as it should be: {}.", not.join(", ")), "Its log says more.")
    })
}

/// An address to ask one that listens everywhere.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

async fn answers_as_berth(address: SocketAddr) -> bool {
    let url = format!("http://{}/api/v1/openapi.json", reachable(address));
    let Ok(client) = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build() else { return false };
    match client.get(url).send().await {
        Ok(answer) => answer.text().await.is_ok_and(|text| text.contains("\"Berth")),
        Err(_) => false,
    }
}

/// The process that listens on a port, where the kernel tells (Linux; other users' processes only to root).
fn holder(port: u16) -> Option<(u32, String)> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|file| listening_inode(&fs::read_to_string(file).ok()?, port))?;
    let wanted = PathBuf::from(format!("socket:[{inode}]"));
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Ok(pid) = process.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        if files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target == wanted)) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some((pid, name.trim().to_owned()));
        }
    }
    None
}

/// The inode of the socket that listens on this port, out of the kernel's table (proc(5)).
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state) = (fields.get(1)?, fields.get(3)?);
        let here = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
        // 0A: listening.
        if *state == "0A" && here == port { fields.get(9)?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_names_the_taker() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (pid, _) = holder(address.port()).unwrap();
        assert_eq!(pid, std::process::id());
        let finding = examine("console", "listen", address).await;
        assert!(!finding.good && finding.found.contains("taken") && finding.mend.contains("--listen"), "{finding:?}");
        drop(listener);
        assert!(examine("console", "listen", address).await.good);
    }

    #[test]
    fn the_table_of_the_kernel_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0000 100 0\n   \
                     1: 0100007F:1F91 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 999 1 0000 100 0\n";
        assert_eq!(listening_inode(table, 8_080), Some(12_345));
        assert_eq!(listening_inode(table, 8_081), None);
    }
}
