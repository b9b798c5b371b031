//! What a pusher sees after a push: what it comes to for each service, then the runs as they go, until their candidates are
//! live or it is known why not.

mod told;

use std::{sync::Arc, time::Duration};

use app::model::{Run, RunState};
use tokio::{
    sync::{broadcast, mpsc},
    time::{Instant, timeout},
};

use self::told::Told;
use super::Control;
use crate::{
    pipelines::file::at_one_version,
    store::{
        StoreError,
        repositories::{self, RepositoryRow},
        runs,
        selection::{self, OfPush},
    },
};

/// How long a push waits for its runs to be written down.
const RUN_WAIT: Duration = Duration::from_secs(30);
/// How long runs and their rollouts are relayed at most.
const LONGEST: Duration = Duration::from_secs(2 * 3_600);
/// Without a wake-up it is looked again after this long.
const LOOK: Duration = Duration::from_secs(2);
/// So many services that nothing is run for are told by their names; of more only how many they are.
const MOST_NAMED: usize = 20;

/// A branch or a tag that a push moved.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// The change of the ref, by its id.
    pub change: String,
    /// The commit it names now; of a tag perhaps an object that names it.
    pub commit: String,
    /// The tag, where it is one.
    pub tag: Option<String>,
    /// Whether to stop once the runs' addresses were said.
    pub no_wait: bool,
}

/// Relays until the end, or until nobody listens any more.
pub async fn relay(control: Arc<Control>, repository: RepositoryRow, pushed: Pushed, out: mpsc::Sender<String>) {
    let mut relay = Relay { changes: control.wake.listen(), to: Listener { control, repository, out } };
    // An error means that nobody listens.
    let _ = relay.all(&pushed).await;
}

/// Nobody listens any more.
struct Gone;

/// Who is told, and where what is told comes from.
struct Listener {
    control: Arc<Control>,
    repository: RepositoryRow,
    out: mpsc::Sender<String>,
}

impl Listener {
    async fn say(&self, line: impl Into<String>) -> Result<(), Gone> {
        self.out.send(line.into()).await.map_err(|_| Gone)
    }
}

struct Relay {
    to: Listener,
    changes: broadcast::Receiver<app::backend::Changed>,
}

impl Relay {
    async fn all(&mut self, pushed: &Pushed) -> Result<(), Gone> {
        if self.to.repository.services.is_empty() {
            let name = &self.to.repository.name;
            let how = format!("`berth service create NAME --repository {name}` makes one.");
            return self.to.say(format!("The push is taken. No service is built from `{name}`. {how}")).await;
        }
        let runs = self.runs_of(pushed).await;
        if let (Some(tag), true) = (&pushed.tag, runs.is_empty()) {
            return self.to.say(format!("The tag {tag} is taken. No service runs on it (`on: {{ tag: … }}` in its file).")).await;
        }
        if runs.is_empty() {
            return self.to.say("The push is taken. Its run is not written down yet; the service's page will show it.").await;
        }
        self.to.say("").await?;
        self.plan(&runs).await?;
        let bad = self.warnings(&pushed.commit).await?;
        if pushed.no_wait {
            return self.to.say("").await;
        }
        let several = runs.len() > 1;
        // What nothing is run for was told with the plan.
        let told = runs.into_iter().filter(|run| !several || !(run.shown.kept || run.shown.state == RunState::Skipped));
        self.follow(told.map(|run| Told::new(run, several, bad)).collect()).await?;
        self.to.say("").await
    }

    /// Tells of the runs as they go, to the end of the last.
    async fn follow(&mut self, mut open: Vec<Told>) -> Result<(), Gone> {
        let began = Instant::now();
        while !open.is_empty() && began.elapsed() < LONGEST {
            let mut still = Vec::new();
            for mut told in open {
                let over = match self.show(&told).await {
                    Ok(Some(run)) => told.look(&self.to, &run).await?,
                    // Its service was deleted meanwhile.
                    Ok(None) => true,
                    Err(_) => false,
                };
                if !over {
                    still.push(told);
                }
            }
            open = still;
            if !open.is_empty() {
                self.woken().await;
            }
            if self.to.out.is_closed() {
                return Err(Gone);
            }
        }
        Ok(())
    }

    async fn show(&self, told: &Told) -> Result<Option<Run>, StoreError> {
        runs::show(&self.to.control.db, &self.to.repository.team_id, &told.service, told.number).await
    }

    async fn runs_of(&mut self, pushed: &Pushed) -> Vec<OfPush> {
        let began = Instant::now();
        while began.elapsed() < RUN_WAIT && !self.to.out.is_closed() {
            match selection::of_push(&self.to.control.db, &self.to.repository.team_id, &pushed.change).await {
                Ok(runs) if !runs.is_empty() => return runs,
                // A tag may come to nothing.
                Ok(_) if pushed.tag.is_some() && self.is_handled(pushed).await => return Vec::new(),
                _ => self.woken().await,
            }
        }
        Vec::new()
    }

    /// Whether a change came to what it comes to. Its runs are there by then: they are looked for once more.
    async fn is_handled(&self, pushed: &Pushed) -> bool {
        let db = &self.to.control.db;
        let handled = repositories::is_handled(db, &pushed.change).await.unwrap_or(false);
        handled && selection::of_push(db, &self.to.repository.team_id, &pushed.change).await.is_ok_and(|runs| runs.is_empty())
    }

    /// What the push comes to: the runs with their addresses first, then what nothing is run for.
    async fn plan(&self, runs: &[OfPush]) -> Result<(), Gone> {
        let still = |run: &&OfPush| run.shown.kept || run.shown.state == RunState::Skipped;
        let together: Vec<_> = runs.iter().filter(|run| run.together).map(|run| &run.shown.service).collect();
        if !together.is_empty() {
            self.to.say(at_one_version(together)).await?;
        }
        for run in runs.iter().filter(|run| runs.len() == 1 || !still(run)) {
            let (service, number) = (&run.shown.service, run.shown.number);
            let address = self.to.control.run_url(&self.to.repository.team, service, number);
            self.to.say(format!("Run {number} of {service}: {address}")).await?;
            if run.shown.state != RunState::Skipped && !run.shown.plan.is_empty() {
                self.to.say(format!("  {service}: {}", run.shown.plan)).await?;
            }
        }
        if runs.len() == 1 {
            return Ok(());
        }
        for run in runs.iter().filter(still).take(MOST_NAMED) {
            self.to.say(format!("– {}: {}", run.shown.service, run.shown.plan)).await?;
        }
        match runs.iter().filter(still).count().saturating_sub(MOST_NAMED) {
            0 => Ok(()),
            more => self.to.say(format!("– and {more} more services for which nothing is run")).await,
        }
    }

    /// What is wrong with the pipeline file; says whether it does not read at all.
    async fn warnings(&self, commit: &str) -> Result<bool, Gone> {
        let warnings = self.to.control.file_warnings(&self.to.repository, commit).await.unwrap_or_default();
        for sentence in &warnings.sentences {
            self.to.say(format!("warning: {sentence}")).await?;
        }
        Ok(warnings.bad)
    }

    async fn woken(&mut self) {
        let topics = ["run:", "step:", "rollout:", "push:"];
        let _ = timeout(LOOK, async {
            loop {
                match self.changes.recv().await {
                    Ok(changed)
                        if changed.team.as_ref() == Some(&self.to.repository.team_id)
                            && topics.iter().any(|topic| changed.topic.starts_with(topic)) =>
                    {
                        return;
                    }
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => return,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        })
        .await;
    }
}
