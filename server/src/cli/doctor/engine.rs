//! Whether the container engine answers, is new enough, and agrees about the time.

use std::{io, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::Finding;
use crate::{clock, platform::docker};

/// How long an engine may take to answer a ping.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clocks further apart than this make times of logs and health confusing.
const MOST_SKEW: Duration = Duration::from_secs(5);

/// The oldest API of an engine that Berth talks to.
const LEAST_API: (u32, u32) = (1, 41);

const MEND: &str = "Start it (`systemctl start docker`), install it (`apt-get install docker.io`), or name another with --docker.";

/// Looks at the engine and at its clock.
pub(super) async fn examine(configured: Option<&str>) -> Vec<Finding> {
    let address = match docker::locate(configured) {
        Ok(address) => address,
        Err(error) => return vec![Finding::bad("engine", error.to_string(), MEND)],
    };
    let pinged = timeout(PATIENCE, ask(&address, "/_ping")).await;
    match pinged {
        Err(_) => {
            let found = format!("{address} takes connections and does not answer within {} s: it hangs.", PATIENCE.as_secs());
            vec![Finding::bad("engine", found, "Look at its log and restart it (`systemctl restart docker`).")]
        }
        Ok(Err(error)) => vec![Finding::bad("engine", why(&address, &error), mend(&error))],
        Ok(Ok(head)) => {
            let mut findings = read(&address, &head);
            if let Ok(Ok(info)) = timeout(PATIENCE, ask(&address, "/info")).await {
                findings.extend(hold(&info));
            }
            findings
        }
    }
}

fn why(address: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("there is no engine at {address}."),
        io::ErrorKind::PermissionDenied => format!("{address} may not be used by this user."),
        io::ErrorKind::ConnectionRefused => format!("nothing answers at {address}."),
        _ => format!("{address} cannot be reached: {error}."),
    }
}

fn mend(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::PermissionDenied {
        "Put the user who runs Berth into the group docker (`usermod -aG docker USER`), and sign in anew."
    } else {
        MEND
    }
}

/// Asks for a path and answers with the whole response.
async fn ask(address: &str, path: &str) -> io::Result<String> {
    if let Some(socket) = address.strip_prefix("unix://") {
        return get(UnixStream::connect(socket).await?, path).await;
    }
    let host = address.strip_prefix("tcp://").or_else(|| address.strip_prefix("http://")).unwrap_or(address);
    get(TcpStream::connect(host).await?, path).await
}

/// The old version of HTTP: the answer comes in one piece, and the connection ends with it.
async fn get(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> io::Result<String> {
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(1 << 20).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Whether the engine's host holds containers as Berth asks: a limit the kernel lacks is taken, and not there.
fn hold(response: &str) -> Option<Finding> {
    let info: Value = serde_json::from_str(response.split_once("\r\n\r\n")?.1).ok()?;
    let options: Vec<&str> = info["SecurityOptions"].as_array()?.iter().filter_map(Value::as_str).collect();
    let seccomp = options.iter().any(|option| option.starts_with("name=seccomp") && !option.contains("unconfined"));
    let limits = [("MemoryLimit", "memory"), ("PidsLimit", "processes"), ("CpuCfsQuota", "CPU")];
    let mut lacks: Vec<&str> = limits.iter().filter(|(key, _)| info[*key] != true).map(|(_, what)| *what).collect();
    if !seccomp {
        lacks.push("system calls (seccomp)");
    }
    Some(if lacks.is_empty() {
        Finding::good("limits", "containers are held in memory, processes, CPU and system calls.")
    } else {
        let found = format!("this host is weaker than it should be: containers are not limited in {}.", lacks.join(", "));
        Finding::bad("limits", found, "Use a kernel and an engine with these controls, or let only people you trust deploy here.")
    })
}

fn read(address: &str, head: &str) -> Vec<Finding> {
    let header = |name: &str| {
        head.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()))
    };
    let Some(api) = header("api-version") else {
        return vec![Finding::bad("engine", format!("what answers at {address} is no container engine."), MEND)];
    };
    let server = header("server").unwrap_or("an engine");
    let mut findings = vec![if number(api).is_some_and(|api| api >= LEAST_API) {
        Finding::good("engine", format!("{server} answers at {address} (API {api})."))
    } else {
        Finding::bad("engine", format!("{server} at {address} speaks API {api}."), "Install an engine of API 1.41 or newer (20.10).")
    }];
    findings.extend(header("date").and_then(skew));
    findings
}

fn number(api: &str) -> Option<(u32, u32)> {
    let (major, minor) = api.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// How far the engine's clock (an HTTP date, to the second) is from ours.
fn skew(date: &str) -> Option<Finding> {
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp().as_millisecond();
    let apart = Duration::from_millis(theirs.abs_diff(clock::now().0)).saturating_sub(Duration::from_secs(1));
    Some(if apart > MOST_SKEW {
        Finding::bad(
            "clock",
            format!("the engine's clock is {} s off.", apart.as_secs()),
            "Set both clocks with NTP (`timedatectl set-ntp true`).",
        )
    } else {
        Finding::good("clock", "the engine's clock agrees.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(api: &str, date: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nApi-Version: {api}\r\nServer: Docker/20.10.24\r\nDate: {date}\r\n\r\nOK")
    }

    #[test]
    fn old_engines_wrong_clocks_and_strangers_are_told() {
        let good = |findings: &[Finding]| findings.iter().map(|finding| finding.good).collect::<Vec<_>>();
        assert_eq!(good(&read("unix:///x", &head("1.41", "Tue, 01 Jan 2030 00:00:00 GMT"))), [true, false]);
        assert_eq!(good(&read("unix:///x", &head("1.39", "nonsense"))), [false]);
        assert_eq!(good(&read("tcp://x", "HTTP/1.1 200 OK\r\n\r\n<html>")), [false]);
    }

    #[test]
    fn a_host_that_does_not_hold_containers_is_told() {
        let info = |pids: bool, options: &str| {
            let rest = r#""MemoryLimit":true,"CpuCfsQuota":true"#;
            hold(&format!("HTTP/1.0 200 OK\r\n\r\n{{\"SecurityOptions\":[{options}],\"PidsLimit\":{pids},{rest}}}")).unwrap()
        };
        assert!(info(true, "\"name=seccomp,profile=default\"").good);
        let weak = info(false, "\"name=seccomp,profile=unconfined\"");
        assert!(!weak.good && weak.found.contains("processes, system calls"), "{weak:?}");
        assert_eq!(hold("HTTP/1.0 404 Not Found\r\n\r\n{}"), None);
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_said_with_the_mend() {
        let findings = examine(Some("unix:///nowhere/docker.sock")).await;
        assert_eq!(findings.len(), 1);
        assert!(!findings[0].good && findings[0].found.contains("no engine at unix:///nowhere"), "{findings:?}");
        assert!(findings[0].mend.contains("--docker"));
    }
}
