//! Streams of the engine, which may be silent for hours: a silent one is told from a dead one by asking the engine.

use std::time::Duration;

use bollard::{container::LogOutput, errors::Error};
use futures::{Stream, StreamExt};

use super::{
    super::{Output, PlatformError},
    Docker, errors,
};

/// Which stream a piece belongs to.
pub(super) fn output(piece: LogOutput) -> Output {
    let error = matches!(piece, LogOutput::StdErr { .. });
    Output { error, bytes: piece.into_bytes() }
}

impl Docker {
    /// Passes the items on; after each `idle` of silence the engine is asked whether it is there, and the stream ends with
    /// an error if it is not.
    pub(super) fn watched<T: Send + 'static>(
        &self,
        idle: Duration,
        stream: impl Stream<Item = Result<T, Error>> + Send + 'static,
    ) -> impl Stream<Item = Result<T, PlatformError>> + Send + 'static {
        let docker = self.clone();
        async_stream::stream! {
            let mut stream = std::pin::pin!(stream);
            loop {
                match tokio::time::timeout(idle, stream.next()).await {
                    Ok(Some(Ok(item))) => yield Ok(item),
                    Ok(Some(Err(error))) => {
                        yield Err(errors::read(error).into());
                        return;
                    }
                    Ok(None) => return,
                    Err(_) => if let Err(error) = docker.ping_patiently().await {
                        yield Err(error);
                        return;
                    },
                }
            }
        }
    }
}
