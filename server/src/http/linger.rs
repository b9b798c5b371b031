//! Connections that are closed while the client still sends: an answer that comes before the end of a request, since that is too
//! large for instance, would be lost on its way if the connection ended at once. So, once everything was said, what still comes
//! is taken for a while and thrown away.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// A client that sends nothing more for so long has its answer, or does not look for it.
const SILENT: Duration = Duration::from_secs(1);
/// What still comes is taken for so long at most …
const LINGER: Duration = Duration::from_secs(30);
/// … and so much of it.
const MOST: usize = 256 << 20;

/// Whether the request under way has a body that was not read to its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Unread(Arc<AtomicBool>);

/// A body that notes whether it was read to its end.
pub(super) struct Watched {
    body: Incoming,
    unread: Unread,
}

impl Unread {
    /// The body of a request that begins now.
    pub(super) fn watch(&self, body: Incoming) -> Watched {
        self.0.store(!body.is_end_stream(), Ordering::Relaxed);
        Watched { body, unread: self.clone() }
    }

    /// Whether it has one that was not read to its end until now.
    pub(super) fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.unread.0.store(false, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that lingers where it is closed with something unread.
pub(super) struct Lingering<S> {
    inner: S,
    unread: Unread,
    /// Since when it lingers, and when it stops to unless something comes.
    since: Option<(Instant, Pin<Box<Sleep>>)>,
    taken: usize,
}

impl<S> Lingering<S> {
    /// Over this connection.
    pub(super) fn new(inner: S, unread: Unread) -> Self {
        Self { inner, unread, since: None, taken: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.since.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            if !this.unread.is() {
                return Poll::Ready(Ok(()));
            }
        }
        let (since, silent) = this.since.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(SILENT))));
        let mut space = [0; 16 << 10];
        while this.taken < MOST && since.elapsed() < LINGER {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut this.inner).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    this.taken += buffer.filled().len();
                    silent.as_mut().reset(Instant::now() + SILENT);
                }
                // It ends, or went away.
                Poll::Ready(_) => break,
                Poll::Pending => {
                    ready!(silent.as_mut().poll(cx));
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }
}
