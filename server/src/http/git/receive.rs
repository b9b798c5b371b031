//! A push: `git receive-pack`'s answer up to its last flush, then what Berth has to say, then the flush.

use std::{pin::Pin, sync::Arc, time::Duration};

use app::{
    error::{Error, Result},
    model::{Actor, tag_of},
};
use axum::{body::Body, extract::Request};
use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;

use super::body::{Begun, Pieces, begin_push, piece};
use crate::{
    control::{
        Control,
        relay::{Pushed, relay},
    },
    git::{Band, Head, Packets, Serving, band, flush, packet},
    http::standing::Ends,
    pipelines::{intake::MOST_TAGS, select::branch},
    store::repositories::{RefChange, RepositoryRow},
};

/// While there is nothing to say, an empty packet keeps the connection open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Who pushes where.
pub(super) struct Push {
    pub(super) control: Arc<Control>,
    pub(super) actor: Arc<Actor>,
    pub(super) repository: RepositoryRow,
    pub(super) ends: Ends,
}

/// Takes a push. It goes on to its end even where the client goes away: what half a push wrote is taken away, and what a whole one
/// moved is written down.
pub(super) async fn push(push: Push, serving: Serving, request: Request) -> Result<Body> {
    let (begun, begins) = oneshot::channel();
    tokio::spawn(carry(push, serving, request, begun));
    begins.await.map_err(Error::internal)?
}

async fn carry(push: Push, mut serving: Serving, request: Request, begun: oneshot::Sender<Result<Body>>) {
    let judge = async |head: &Head| push.control.refuses(&push.repository, head).await;
    let (head, first, feeding) = match begin_push(&mut serving, request, judge).await {
        Ok((head, Begun::Taken(first, feeding))) => (head, first, feeding),
        // Nobody may wait for it any more, here and below.
        Ok((head, Begun::Refused(why))) => return drop(begun.send(Ok(refusal(&head, &why)))),
        Err(error) => {
            let _ = begun.send(Err(error));
            return break_off(&push, serving).await;
        }
    };
    let (out, pieces) = mpsc::channel(16);
    let _ = begun.send(Ok(Body::from_stream(ReceiverStream::new(pieces))));
    let flushed = match pass(&mut serving, &head, first, &out).await {
        Ok(flushed) => flushed,
        Err(error) => {
            let _ = out.send(Err(std::io::Error::other(error))).await;
            drop(feeding);
            return break_off(&push, serving).await;
        }
    };
    if let Err(error) = serving.end().await {
        tracing::debug!(%error, "a push ended badly");
    }
    let changes = if head.commands.is_empty() { Ok(Vec::new()) } else { push.control.pushed(&push.actor, &push.repository).await };
    if flushed {
        tell(push, &head, changes, &out).await;
        let _ = out.send(Ok(flush())).await;
    }
}

/// Ends a push that cannot go on. It may have moved a ref all the same.
async fn break_off(push: &Push, serving: Serving) {
    serving.cut_short().await;
    if let Err(error) = push.control.pushed(&push.actor, &push.repository).await {
        tracing::warn!(%error, "what a push moved before it broke off is written down later");
    }
}

/// What Git's own receiver would say had its hook refused: every ref of the push is, in the words of the protocol.
fn refusal(head: &Head, why: &str) -> Body {
    let mut report = packet("unpack ok\n").to_vec();
    for (name, ..) in &head.commands {
        report.extend_from_slice(&packet(&format!("ng {name} the branch is red\n")));
    }
    report.extend_from_slice(&flush());
    if !head.side_band {
        return Body::from(report);
    }
    let said = band(Band::Progress, format!("{why}\n").as_bytes());
    Body::from([said, band(Band::Data, &report), flush()].concat())
}

/// Passes the child's output on, but for its last flush; says whether that was met.
async fn pass(serving: &mut Serving, head: &Head, first: Bytes, out: &Pieces) -> Result<bool> {
    let mut packets = Packets::default();
    let mut next = first;
    let mut flushed = false;
    while !next.is_empty() {
        if !head.side_band || flushed {
            // A client that has gone away does not undo its push.
            let _ = out.send(Ok(next)).await;
        } else {
            packets.push(&next);
            let (bytes, end) = packets.take_until_flush();
            flushed |= end;
            let rest = if end { packets.rest() } else { Bytes::new() };
            for bytes in [bytes, rest].into_iter().filter(|bytes| !bytes.is_empty()) {
                let _ = out.send(Ok(bytes)).await;
            }
        }
        next = piece(&mut serving.output).await?;
    }
    Ok(flushed)
}

/// Says on the side band what the push leads to.
async fn tell(push: Push, head: &Head, changes: Result<Vec<RefChange>>, out: &Pieces) {
    let changes = match changes {
        Ok(changes) => changes,
        Err(error) => {
            let _ = line(out, &format!("The push is taken. Its run is late: {error}")).await;
            return;
        }
    };
    let no_wait = head.options.iter().any(|option| option == "no-wait");
    for option in head.options.iter().filter(|option| !["no-wait", "fix"].contains(&option.as_str())) {
        let _ = line(out, &format!("The push option `{option}` is not known. Known are `no-wait` and `fix`.")).await;
    }
    let mut ends = std::pin::pin!(push.ends.reached());
    let tags = changes.iter().filter(|change| change.new.is_some() && tag_of(&change.reference).is_some()).count();
    let too_many = u64::try_from(tags).is_ok_and(|tags| tags > MOST_TAGS);
    if too_many
        && line(out, &format!("{tags} tags came at once, so none of them makes a run: of up to {MOST_TAGS} each does.")).await.is_err()
    {
        return;
    }
    for change in changes {
        let tag = tag_of(&change.reference).map(ToOwned::to_owned);
        let Some(commit) = change.new.filter(|_| branch(&change.reference).is_some() || tag.is_some() && !too_many) else { continue };
        let pushed = Pushed { change: change.id, commit, tag, no_wait };
        let (say, lines) = mpsc::channel(64);
        let relaying = tokio::spawn(relay(Arc::clone(&push.control), push.repository.clone(), pushed, say));
        let on = forward(lines, out, ends.as_mut()).await;
        relaying.abort();
        if !on {
            return;
        }
    }
}

/// Passes on what is said, to its end. False: nothing more is to be said, whatever comes.
async fn forward(mut lines: mpsc::Receiver<String>, out: &Pieces, mut ends: Pin<&mut impl Future<Output = &'static str>>) -> bool {
    loop {
        let next = tokio::select! {
            next = timeout(KEEP_ALIVE, lines.recv()) => next,
            why = ends.as_mut() => {
                let _ = line(out, why).await;
                return false;
            }
        };
        let sent = match next {
            Ok(Some(text)) => line(out, &text).await,
            Ok(None) => return true,
            Err(_) => out.send(Ok(band(Band::Data, b""))).await,
        };
        if sent.is_err() {
            return false;
        }
    }
}

async fn line(out: &Pieces, text: &str) -> Result<(), mpsc::error::SendError<Result<Bytes, std::io::Error>>> {
    let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\t' | '\u{1b}')).collect();
    out.send(Ok(band(Band::Progress, format!("{text}\n").as_bytes()))).await
}
