//! Bodies on their way to and from `git`, in pieces: no pack is ever whole in memory.

use std::{io::Write as _, time::Duration};

use app::error::{Error, Result};
use axum::{body::Body, extract::Request};
use bytes::Bytes;
use flate2::write::GzDecoder;
use futures::StreamExt;
use http::header;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{ChildStdin, ChildStdout},
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;

use crate::git::{Head, Serving, read_head};

/// The largest body of a fetch, unpacked.
const LARGEST_FETCH: u64 = 64 << 20;
/// The largest body of a push, unpacked.
const LARGEST_PUSH: u64 = 2 << 30;
/// How long the other end may be silent.
const IDLE: Duration = Duration::from_secs(120);
/// A piece of output.
const PIECE: usize = 64 << 10;

/// Pieces on their way to the client.
pub(super) type Pieces = mpsc::Sender<Result<Bytes, std::io::Error>>;

fn broken(cause: impl std::fmt::Display) -> Error {
    Error::unavailable("transfer_broken", format!("The transfer broke off: {cause}. Try again."))
}

/// Unpacks a body that came packed.
enum Unpacker {
    Plain,
    Gzip(Box<GzDecoder<Vec<u8>>>),
}

impl Unpacker {
    fn of(request: &Request) -> Result<Self> {
        let encoding = request.headers().get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok());
        match encoding {
            None | Some("identity") => Ok(Self::Plain),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip(Box::new(GzDecoder::new(Vec::new())))),
            Some(other) => {
                Err(Error::invalid("unknown_encoding", format!("A body packed with `{other}` cannot be read; send it as gzip.")))
            }
        }
    }

    /// The plain bytes of a piece, handed out in bounded pieces: a small one may hold very much.
    fn unpack(&mut self, piece: &[u8], mut each: impl FnMut(Vec<u8>)) -> Result<()> {
        let Self::Gzip(decoder) = self else {
            each(piece.to_vec());
            return Ok(());
        };
        for part in piece.chunks(1_024) {
            decoder.write_all(part).map_err(broken)?;
            each(std::mem::take(decoder.get_mut()));
        }
        Ok(())
    }
}

/// What a push waits for once its head is known: the head goes out, and the word whether it is taken comes back.
struct Gate {
    head: oneshot::Sender<Head>,
    taken: oneshot::Receiver<bool>,
    /// What came so far.
    first: Vec<u8>,
}

/// Where a body goes.
enum Way {
    /// It waits for its head.
    Waits(Gate),
    /// To the child.
    Through,
    /// Nowhere: it is read to its end, so that its sender hears why.
    Aside,
}

impl Way {
    /// What is to be written of a part; `end`: nothing follows it.
    async fn pass(&mut self, part: Vec<u8>, end: bool) -> Vec<u8> {
        match std::mem::replace(self, Self::Aside) {
            Self::Aside => Vec::new(),
            Self::Through => {
                *self = Self::Through;
                part
            }
            Self::Waits(mut gate) => {
                gate.first.extend_from_slice(&part);
                let found = read_head(&gate.first).or_else(|| end.then(Head::default));
                let Some(found) = found else {
                    *self = Self::Waits(gate);
                    return Vec::new();
                };
                // Whoever waits for it may be gone.
                let taken = gate.head.send(found).is_ok() && gate.taken.await.unwrap_or(false);
                if !taken {
                    return Vec::new();
                }
                *self = Self::Through;
                gate.first
            }
        }
    }
}

/// Feeds a request's body to the child, once it may.
async fn feed(request: Request, mut input: ChildStdin, most: u64, mut way: Way) -> Result<()> {
    let mut unpacker = Unpacker::of(&request)?;
    let mut body = request.into_body().into_data_stream();
    let mut total = 0_u64;
    while let Some(piece) = timeout(IDLE, body.next()).await.map_err(broken)? {
        let piece = piece.map_err(broken)?;
        let mut plain = Vec::new();
        unpacker.unpack(&piece, |part| plain.push(part))?;
        for part in plain {
            total += part.len() as u64;
            if total > most {
                return Err(Error::too_large("too_large", format!("This is larger than {} MiB.", most >> 20)));
            }
            let part = way.pass(part, false).await;
            timeout(IDLE, input.write_all(&part)).await.map_err(broken)?.map_err(broken)?;
        }
    }
    // A packed body may end with bytes still inside.
    let mut rest = Vec::new();
    if let Unpacker::Gzip(decoder) = &mut unpacker {
        decoder.try_finish().map_err(broken)?;
        rest = std::mem::take(decoder.get_mut());
    }
    let rest = way.pass(rest, true).await;
    input.write_all(&rest).await.map_err(broken)?;
    input.shutdown().await.map_err(broken)
}

/// The next piece of output; empty at its end.
pub(super) async fn piece(output: &mut ChildStdout) -> Result<Bytes> {
    let mut buffer = vec![0; PIECE];
    let read = timeout(Serving::deadline(), output.read(&mut buffer)).await.map_err(broken)?.map_err(broken)?;
    buffer.truncate(read);
    Ok(buffer.into())
}

/// The input of a child, taken once.
fn input_of(serving: &mut Serving) -> Result<ChildStdin> {
    serving.input.take().ok_or_else(|| broken("no pipe"))
}

/// How a push began.
pub(super) enum Begun {
    /// The first output of the child, and what goes on feeding it: with it its input ends.
    Taken(Bytes, AbortOnDropHandle<Result<()>>),
    /// Nothing of it reached the child, for this reason.
    Refused(String),
}

/// Starts feeding a push, unless `refuses` says from its head why not. Answers with its head, and how it began.
pub(super) async fn begin_push(
    serving: &mut Serving,
    request: Request,
    refuses: impl AsyncFnOnce(&Head) -> Result<Option<String>>,
) -> Result<(Head, Begun)> {
    let ((tell, head), (say, taken)) = (oneshot::channel(), oneshot::channel());
    let input = input_of(serving)?;
    let way = Way::Waits(Gate { head: tell, taken, first: Vec::new() });
    let mut feeding = AbortOnDropHandle::new(tokio::spawn(feed(request, input, LARGEST_PUSH, way)));
    let Ok(head) = head.await else {
        feeding.await.map_err(Error::internal)??;
        return Err(broken("no head"));
    };
    let refused = refuses(&head).await?;
    // Whoever feeds it may have given up.
    let _ = say.send(refused.is_none());
    if let Some(why) = refused {
        feeding.await.map_err(Error::internal)??;
        return Ok((head, Begun::Refused(why)));
    }
    let first = tokio::select! {
        first = piece(&mut serving.output) => first?,
        fed = &mut feeding => {
            fed.map_err(Error::internal)??;
            piece(&mut serving.output).await?
        }
    };
    Ok((head, Begun::Taken(first, feeding)))
}

/// Passes a fetch through.
pub(super) async fn fetch(mut serving: Serving, request: Request) -> Result<Body> {
    let input = input_of(&mut serving)?;
    let mut feeding = tokio::spawn(feed(request, input, LARGEST_FETCH, Way::Through));
    let first = tokio::select! {
        first = piece(&mut serving.output) => first?,
        fed = &mut feeding => {
            fed.map_err(Error::internal)??;
            piece(&mut serving.output).await?
        }
    };
    let (out, pieces) = mpsc::channel(4);
    tokio::spawn(async move {
        let mut next = Ok(first);
        loop {
            match next {
                Ok(piece) if piece.is_empty() => break,
                Ok(piece) => {
                    if out.send(Ok(piece)).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    let _ = out.send(Err(std::io::Error::other(error))).await;
                    return;
                }
            }
            next = piece(&mut serving.output).await;
        }
        if let Err(error) = serving.end().await {
            tracing::debug!(%error, "a fetch ended badly");
        }
    });
    Ok(Body::from_stream(ReceiverStream::new(pieces)))
}
