//! `berth serve`.

use std::{pin::pin, process::ExitCode};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    args::Configured,
    failure::{Done, Failure},
};
use crate::{serve, telemetry};

/// `berth serve`: every setting is a flag, a variable and a line of the file, in this order of weight.
#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    configured: Configured,
}

/// Takes memory from the system in small pages: of the large ones (2 MiB) an idle Berth touched a few bytes each, which was
/// half of all it held.
fn small_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "the system decides about large pages");
    }
}

/// Runs Berth until it is told to stop. A second signal stops it at once.
pub(super) async fn run(serve: Serve) -> Done<ExitCode> {
    let config = serve.configured.load()?;
    telemetry::start(config.log_json, &config.data);
    small_pages();
    if !crate::http::assets::HAS_WASM {
        tracing::warn!("built without the console's WebAssembly: every page works, without live parts. `make build` builds it in");
    }
    let running = serve::start(config, serve::Engine::Docker).await?;
    say(&running);
    let mut signals = signals()?;
    let stop = CancellationToken::new();
    let mut ended = pin!(running.until(stop.clone()));
    tokio::select! {
        () = &mut ended => return Err(Failure::new("A part of Berth ended by itself; its log says which. Services go on running.")),
        _ = signals.recv() => {}
    }
    tracing::info!("stopping: what is under way goes on at the next start; services go on running");
    stop.cancel();
    tokio::select! {
        () = ended => Ok(ExitCode::SUCCESS),
        _ = signals.recv() => Err(Failure::new("Stopped at once, by a second signal.")),
    }
}

fn say(running: &serve::Running) {
    eprintln!("Berth is running.\n  console  {}\n  edge     http://{}", running.config.url, running.edge);
    if let Some(link) = &running.first_link {
        eprintln!("\nNobody is here yet. This link creates the first administrator, once:\n\n  {link}\n");
    }
}

fn signals() -> Done<tokio::sync::mpsc::Receiver<()>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let mut stream = signal(kind).map_err(|error| Failure::new(format!("Signals cannot be listened for: {error}.")))?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if sender.send(()).await.is_err() {
                    break;
                }
            }
        });
    }
    Ok(receiver)
}
