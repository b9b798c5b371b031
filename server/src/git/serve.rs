//! Smart HTTP: `git upload-pack` and `git receive-pack` as children, their streams handed through.

use std::{path::Path, process::Stdio, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::process::{ChildStdin, ChildStdout};

use super::{
    DEADLINE, GitError, Result, command,
    group::{GRACE, Group},
    output,
};

/// How long a push or a fetch may take.
const PASS_DEADLINE: Duration = Duration::from_secs(3_600);
/// The largest push, in bytes.
const LARGEST_PUSH: u64 = 2 << 30;

/// Which way the objects go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// To the client: clone and fetch.
    Upload,
    /// From the client: push.
    Receive,
}

impl Service {
    /// Git's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upload => "git-upload-pack",
            Self::Receive => "git-receive-pack",
        }
    }

    /// The service of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Upload, Self::Receive].into_iter().find(|service| service.name() == name)
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Upload => "upload-pack",
            Self::Receive => "receive-pack",
        }
    }
}

fn child(repository: &Path, service: Service, version_2: bool) -> tokio::process::Command {
    let mut command = command(None);
    let limit = format!("receive.maxInputSize={LARGEST_PUSH}");
    command.args(["-c", "receive.advertisePushOptions=true", "-c", "receive.fsckObjects=true", "-c", &limit]);
    command.args(["-c", "receive.denyDeleteCurrent=refuse", "-c", "receive.denyCurrentBranch=ignore", "-c", "receive.autogc=false"]);
    command.args(["-c", "uploadpack.allowFilter=true", "-c", "uploadpack.allowAnySHA1InWant=false"]);
    if version_2 && service == Service::Upload {
        command.env("GIT_PROTOCOL", "version=2");
    }
    command.arg(service.verb()).arg("--stateless-rpc");
    if service == Service::Upload {
        command.arg(format!("--timeout={}", DEADLINE.as_secs() * 20));
    }
    command.arg("--end-of-options");
    command.arg(repository);
    command
}

/// The answer to `info/refs`: what the repository has and can.
///
/// # Errors
/// Where `git` fails.
pub async fn advertise(repository: &Path, service: Service, version_2: bool) -> Result<Bytes> {
    let mut ask = command(None);
    ask.args(["-c", "receive.advertisePushOptions=true", "-c", "uploadpack.allowFilter=true"]);
    if version_2 && service == Service::Upload {
        ask.env("GIT_PROTOCOL", "version=2");
    }
    ask.arg(service.verb()).args(["--stateless-rpc", "--http-backend-info-refs"]).arg("--end-of-options").arg(repository);
    let refs = output(ask, "advertise refs", DEADLINE).await?;
    let title = format!("# service={}\n", service.name());
    let mut out = BytesMut::with_capacity(refs.len() + 64);
    out.extend_from_slice(format!("{:04x}{title}0000", title.len() + 4).as_bytes());
    out.extend_from_slice(&refs);
    Ok(out.freeze())
}

/// A push or a fetch under way. Dropping it ends the processes.
#[derive(Debug)]
pub struct Serving {
    group: Group,
    /// What the client sends goes here.
    pub input: Option<ChildStdin>,
    /// What the client gets comes from here.
    pub output: ChildStdout,
}

impl Serving {
    /// Waits for its end.
    ///
    /// # Errors
    /// Where it failed or took too long.
    pub async fn end(mut self) -> Result<()> {
        let waited = tokio::time::timeout(DEADLINE, self.group.wait()).await;
        let status = waited.map_err(|_| GitError::TooSlow("serve"))?.map_err(GitError::Start)?;
        if status.success() { Ok(()) } else { Err(GitError::Failed { what: "serve", message: status.to_string() }) }
    }

    /// Ends it before its time; whoever took its input has let go of it. A push takes away what it wrote half where its input ends,
    /// and not where it is killed: so it is given a while.
    pub async fn cut_short(self) {
        let Self { mut group, input, mut output } = self;
        drop(input);
        let over = async {
            let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
            group.wait().await
        };
        if tokio::time::timeout(GRACE, over).await.is_err() {
            group.end().await;
        }
    }

    /// How long it may take in all.
    pub const fn deadline() -> Duration {
        PASS_DEADLINE
    }
}

/// Starts a push or a fetch.
///
/// # Errors
/// Where `git` cannot be started.
pub fn serve(repository: &Path, service: Service, version_2: bool) -> Result<Serving> {
    let mut command = child(repository, service, version_2);
    command.stdin(Stdio::piped()).stderr(Stdio::null());
    let mut group = Group::spawn(command)?;
    let pipes = group.child().and_then(|child| Some((child.stdin.take()?, child.stdout.take()?)));
    let (input, output) = pipes.ok_or_else(|| GitError::Failed { what: "serve", message: "no pipes".into() })?;
    Ok(Serving { group, input: Some(input), output })
}
