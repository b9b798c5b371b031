//! What a run says while it waits for an engine that keeps silent, whatever call it is in.

use app::said;
use tokio::sync::watch;

use super::Context;
use crate::{
    platform::silence,
    store::{
        StoreError,
        runs::{self, RunRow},
    },
};

/// Does the work of a run; meanwhile, an engine that keeps silent is what it says it waits for.
pub(super) async fn aloud<T>(ctx: &Context, run: &RunRow, work: impl Future<Output = T>) -> T {
    let (ears, heard) = watch::channel(None);
    tokio::select! {
        done = silence::heard(ears, work) => done,
        never = write_down(ctx, run, heard) => match never {},
    }
}

async fn write_down(ctx: &Context, run: &RunRow, mut heard: watch::Receiver<Option<String>>) -> std::convert::Infallible {
    loop {
        if heard.changed().await.is_err() {
            return std::future::pending().await;
        }
        let silent = heard.borrow_and_update().clone().map(said::waiting_engine);
        note_wait(ctx, run, silent.as_deref()).await;
    }
}

/// Writes down what a run waits for; none: nothing. False: it could not be written down, so that nobody can read it either.
pub(in crate::pipelines) async fn note_wait(ctx: &Context, run: &RunRow, waits: Option<&str>) -> bool {
    let noted = async {
        let mut tx = ctx.db.begin().await?;
        runs::say(&mut tx, &run.id, run.fence, waits).await?;
        tx.commit().await?;
        Ok::<_, StoreError>(())
    };
    let noted = noted.await;
    if let Err(error) = &noted {
        tracing::debug!(%error, "what is waited for could not be written down");
    }
    ctx.run_changed(&run.team_id, &run.id);
    noted.is_ok()
}
