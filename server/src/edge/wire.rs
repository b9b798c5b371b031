//! A client's connection as the proxy library gets it.
//!
//! The library answers a head that it cannot read by itself, with a bare status and no request id, and takes heads of any size
//! up to one MiB. Both are seen from here: whatever it writes while no request is under way is such an answer, and whatever it
//! reads then is a head. So the edge's own page goes out instead, and a head that grows too large is given up.
//!
//! The head of an answer waits for a moment, so that it goes out together with the beginning of its body.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID, UniqueIDType,
    l4::stream::Stream, raw_connect::ProxyDigest,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Sleep, sleep},
};

use super::{
    listen::Pace,
    pages::{self, Page},
    strict::HEAD_MAX,
};
use crate::clock;

/// Bytes that are read before a request is known: its head, and what came along with it.
const AHEAD: usize = 3 * HEAD_MAX;

/// The largest head that waits for what follows it, in bytes.
const TOGETHER: usize = 4_096;

/// How long and how much a refused client may go on sending until it has read why.
const LINGER: (Duration, usize) = (Duration::from_secs(1), 1 << 20);

/// A connection whose refusals are the edge's own.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    pace: Arc<Pace>,
    /// Bytes read since the last request.
    ahead: usize,
    /// A head that is written and waits to be sent.
    held: BytesMut,
    /// Whether it has waited long enough.
    waited: bool,
    /// Whether the connection ends with a refusal, which is held.
    refused: bool,
    linger: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    pub(super) fn new(stream: Stream, pace: Arc<Pace>) -> Self {
        Self { stream, pace, ahead: 0, held: BytesMut::new(), waited: false, refused: false, linger: None }
    }

    /// Sends what is held.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.held))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                some => self.held.advance(some),
            }
        }
        // An idle connection holds no memory.
        self.held = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// Sends what is held and the beginning of this, in one go; says how much of this was taken.
    fn poll_with_held(&mut self, cx: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let held = self.held.len();
        let mut all = Vec::with_capacity(parts.len() + 1);
        all.push(io::IoSlice::new(&self.held));
        all.extend(parts.iter().copied());
        match ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &all))? {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            some if some > held => {
                self.held = BytesMut::new();
                Poll::Ready(Ok(some - held))
            }
            some => {
                self.held.advance(some);
                ready!(self.poll_held(cx))?;
                Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
            }
        }
    }

    fn refuse(&mut self, page: Page) {
        self.held = BytesMut::from(pages::bare(page, &clock::new_request_id()).as_bytes());
        self.refused = true;
    }

    /// Says why, and waits for a moment until the client has read it: a connection that is closed with bytes unread is reset.
    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        let linger = self.linger.get_or_insert_with(|| Box::pin(sleep(LINGER.0)));
        let mut part = [0; 4_096];
        while linger.as_mut().poll(cx).is_pending() && self.ahead < AHEAD + LINGER.1 {
            let mut part = ReadBuf::new(&mut part);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part)) {
                Ok(()) if !part.filled().is_empty() => self.ahead += part.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.held.is_empty() && !self.refused {
            // The service may take its time with the body. Who else has something to do in this turn is asked first.
            if self.waited {
                if let Poll::Ready(Err(error)) = self.poll_held(cx) {
                    return Poll::Ready(Err(error));
                }
            } else {
                self.waited = true;
                cx.waker().wake_by_ref();
            }
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if !self.pace.waits() {
            self.ahead = 0;
            return Poll::Ready(Ok(()));
        }
        self.ahead += buffer.filled().len() - before;
        if self.ahead > AHEAD {
            self.refuse(Page::HeadTooLarge);
            return Poll::Ready(Err(io::Error::other("a head without an end")));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.pace.waits()
            && let Some(status) = bytes.strip_prefix(b"HTTP/1.1 4")
        {
            self.refuse(if status.starts_with(b"05") { Page::MethodRefused } else { Page::BadRequest("its head is malformed") });
            return Poll::Ready(Ok(bytes.len()));
        }
        if !self.held.is_empty() {
            return self.poll_with_held(cx, &[io::IoSlice::new(bytes)]);
        }
        if bytes.len() <= TOGETHER && bytes.starts_with(b"HTTP/1.") {
            self.held.extend_from_slice(bytes);
            self.waited = false;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_held(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(self.poll_held(cx))?;
        }
        if self.refused { self.poll_farewell(cx) } else { Pin::new(&mut self.stream).poll_shutdown(cx) }
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.held.is_empty() { Pin::new(&mut self.stream).poll_write_vectored(cx, parts) } else { self.poll_with_held(cx, parts) }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

#[async_trait]
impl Shutdown for Wire {
    async fn shutdown(&mut self) {
        // Whoever has gone away need not be told anything.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for Wire {
    fn id(&self) -> UniqueIDType {
        self.stream.id()
    }
}

impl Ssl for Wire {}

impl Peek for Wire {}

impl GetTimingDigest for Wire {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.stream.get_timing_digest()
    }
}

impl GetProxyDigest for Wire {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.stream.get_proxy_digest()
    }
}

impl GetSocketDigest for Wire {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.stream.get_socket_digest()
    }
}
