//! Runs, logs, candidates.

use app::{
    backend::{Live, Runs},
    error::{Error, Result},
    model::{Actor, Candidate, LogLine, LogRange, Page, PageRequest, Run, RunBrief, ServiceName, StepId, TeamName},
};
use async_trait::async_trait;

use super::Control;

fn absent<T>() -> Result<T> {
    Err(Error::unavailable("not_yet", "Pipelines are not built yet."))
}

#[async_trait]
impl Runs for Control {
    async fn list(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: &PageRequest) -> Result<Page<RunBrief>> {
        absent()
    }
    async fn show(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: u64) -> Result<Run> {
        absent()
    }
    async fn cancel(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: u64) -> Result<()> {
        absent()
    }
    async fn retry(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: u64) -> Result<RunBrief> {
        absent()
    }
    async fn log(&self, _: &Actor, _: &StepId, _: u64, _: u32) -> Result<LogRange> {
        absent()
    }
    async fn follow(&self, _: &Actor, _: &StepId, _: u64) -> Result<Live<LogLine>> {
        absent()
    }
    async fn candidates(&self, _: &Actor, _: &TeamName, _: &ServiceName, _: &PageRequest) -> Result<Page<Candidate>> {
        absent()
    }
}
