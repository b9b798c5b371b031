//! What steps of a service left for those of the next runs.

use app::model::Cache;
use clap::Subcommand;

use super::{args::OfService, client, failure::Done, output, session::Session};

/// `berth cache …`.
#[derive(Subcommand)]
pub(super) enum CacheCommand {
    /// List what is kept for the steps of the next runs, and what was given up lately
    List(OfService),
    /// Give all of it up: the next run begins with nothing
    Clear(OfService),
}

/// Runs it.
pub(super) async fn run(command: CacheCommand, session: &Session) -> Done<()> {
    match command {
        CacheCommand::List(of) => {
            let path = session.service_path(&of).await?;
            session.show(session.client.get(&format!("{path}/caches")).await?, |answer| {
                let caches: Vec<Cache> = client::rows(answer)?;
                output::listing(
                    &["FOLDER", "IMAGE", "SIZE", "RUN", "USED", "STATE"],
                    &caches.iter().map(row).collect::<Vec<_>>(),
                    "Nothing is kept. A step with `caches:` in berth.yaml keeps folders.",
                );
                Ok(())
            })
        }
        CacheCommand::Clear(of) => {
            let path = session.service_path(&of).await?;
            session.client.delete(&format!("{path}/caches")).await?;
            if !session.json {
                output::line("Cleared. The next run begins with nothing kept.");
            }
            Ok(())
        }
    }
}

fn row(cache: &Cache) -> Vec<String> {
    let state = match (cache.why, cache.in_use) {
        (Some(why), _) => format!("given up: {}", why.name().replace('_', " ")),
        (None, true) => "in use".to_owned(),
        (None, false) => "kept".to_owned(),
    };
    let size = cache.size.map_or_else(|| "—".to_owned(), output::size);
    vec![cache.path.clone(), cache.image.clone(), size, format!("#{}", cache.run), output::ago(cache.used_at), state]
}
