//! A socket that ends by itself when the other side dawdles.
//!
//! Four deadlines: the head of a request (slow loris), idleness between requests, a write that
//! makes no progress, and an HTTP/2 stream whose window the client leaves shut. Timers are made
//! only when a read or a write has to wait, and an armed timer is left alone while its deadline
//! moves away, so a busy connection pays next to nothing.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use super::activity::Activity;
use crate::config::listen::Listen;

/// The first bytes of an HTTP/2 connection.
const HTTP2_PREFACE: &[u8] = b"PRI ";

/// The wrapped socket.
#[derive(Debug)]
pub(super) struct Timed<IO> {
    inner: IO,
    activity: Arc<Activity>,
    head_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
    /// When the head that is being read began, and how many requests had come then.
    head: Option<(Instant, u64)>,
    /// Whether bytes with nothing under way are a head: not so on HTTP/2.
    sees_heads: bool,
    first_read: bool,
    read_timer: Option<Pin<Box<Sleep>>>,
    write_timer: Option<Pin<Box<Sleep>>>,
    writing: bool,
}

impl<IO> Timed<IO> {
    pub(super) fn new(inner: IO, activity: Arc<Activity>, settings: &Listen) -> Self {
        Self {
            inner,
            activity,
            head_timeout: settings.header_timeout,
            idle_timeout: settings.idle_timeout,
            write_timeout: settings.write_timeout,
            head: None,
            sees_heads: true,
            first_read: true,
            read_timer: None,
            write_timer: None,
            writing: false,
        }
    }

    /// Bytes have come: with nothing under way they are (the rest of) a head.
    fn has_read(&mut self, bytes: &[u8]) {
        if self.first_read && !bytes.is_empty() {
            self.first_read = false;
            self.sees_heads = !bytes.starts_with(HTTP2_PREFACE);
        }
        let begun = self.activity.begun();
        let reading = self.head.is_some_and(|(_, then)| then == begun);
        if self.sees_heads && !reading && self.activity.is_idle() {
            self.head = Some((Instant::now(), begun));
        }
    }

    /// Until when a read may wait.
    fn read_deadline(&self) -> Option<Instant> {
        let head = self.head.filter(|(_, then)| *then == self.activity.begun());
        match head {
            Some((since, _)) if self.activity.is_idle() => {
                let patience =
                    if self.activity.is_draining() { Duration::ZERO } else { self.head_timeout };
                Some(since + patience)
            }
            _ => self.activity.deadline(self.idle_timeout, self.write_timeout),
        }
    }

    /// Ready when a read has waited too long.
    ///
    /// While an answer is under way there is no deadline, but the timer is armed all the same:
    /// nobody polls this read again when the answer is done, so it has to look for itself.
    fn poll_read_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let deadline = self.read_deadline();
            let armed = self.read_timer.as_ref().filter(|timer| !timer.is_elapsed());
            let due = match (armed.map(|timer| timer.deadline()), deadline) {
                (Some(armed), Some(deadline)) => armed.min(deadline),
                (Some(armed), None) => armed,
                (None, Some(deadline)) => deadline,
                (None, None) => Instant::now() + self.idle_timeout,
            };
            let timer =
                self.read_timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(cx));
            if deadline.is_some_and(|deadline| deadline <= due) {
                return Poll::Ready(());
            }
        }
    }

    /// Bounds a write's wait; `progress` is what the socket just said.
    fn bound<T>(
        &mut self,
        cx: &mut Context<'_>,
        progress: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            if self.writing {
                self.activity.touch();
                self.writing = false;
            }
            return progress;
        }
        let deadline = Instant::now() + self.write_timeout;
        let timer =
            self.write_timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if !self.writing {
            self.writing = true;
            timer.as_mut().reset(deadline);
        }
        match timer.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(timed_out("the client takes nothing"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn timed_out(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why)
}

impl<IO: AsyncRead + Unpin> AsyncRead for Timed<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buf) {
            Poll::Ready(done) => {
                if let Some(read) = buf.filled().get(before..) {
                    this.has_read(read);
                }
                Poll::Ready(done)
            }
            Poll::Pending => {
                ready!(this.poll_read_deadline(cx));
                Poll::Ready(Err(timed_out("no request came, or its head did not end")))
            }
        }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Timed<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.inner).poll_write(cx, buf);
        this.bound(cx, progress)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.inner).poll_write_vectored(cx, bufs);
        this.bound(cx, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.inner).poll_flush(cx);
        this.bound(cx, progress)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.inner).poll_shutdown(cx);
        this.bound(cx, progress)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const NEVER: Duration = Duration::from_hours(1);

    /// A wrapped pipe of 16 bytes, its other end, and its activity.
    fn pipe(
        head: Duration,
        idle: Duration,
        write: Duration,
    ) -> (Timed<DuplexStream>, DuplexStream, Arc<Activity>) {
        let (ours, theirs) = duplex(16);
        let settings = Listen {
            header_timeout: head,
            idle_timeout: idle,
            write_timeout: write,
            ..Listen::default()
        };
        let activity = Activity::new();
        (Timed::new(ours, Arc::clone(&activity), &settings), theirs, activity)
    }

    async fn read(from: &mut Timed<DuplexStream>) -> io::Result<usize> {
        from.read(&mut [0; 16]).await
    }

    #[tokio::test]
    async fn silence_ends_after_the_idle_deadline() {
        let (mut socket, _theirs, _) = pipe(NEVER, SOON, NEVER);
        assert_eq!(read(&mut socket).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn half_a_head_ends_after_the_head_deadline() {
        let (mut socket, mut theirs, _) = pipe(SOON, NEVER, NEVER);
        theirs.write_all(b"GET / HT").await.unwrap();
        assert_eq!(read(&mut socket).await.unwrap(), 8);
        assert_eq!(read(&mut socket).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_request_under_way_may_take_its_time() {
        let (mut socket, mut theirs, activity) = pipe(SOON, SOON, SOON);
        theirs.write_all(b"GET / HTTP/1.1").await.unwrap();
        read(&mut socket).await.unwrap();
        let request = activity.begin();
        let waited = tokio::time::timeout(SOON * 5, read(&mut socket)).await;
        assert!(waited.is_err(), "still waiting");
        drop(request);
        assert_eq!(read(&mut socket).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_write_without_progress_ends() {
        let (mut socket, _theirs, _) = pipe(NEVER, NEVER, SOON);
        let error = socket.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_slow_reader_that_reads_is_served() {
        let (mut socket, mut theirs, _) = pipe(NEVER, NEVER, Duration::from_secs(30));
        let write = socket.write_all(&[7; 64]);
        let mut got = Vec::new();
        let read = async {
            while got.len() < 64 {
                got.push(theirs.read_u8().await.unwrap());
            }
        };
        let (written, ()) = tokio::join!(write, read);
        written.unwrap();
        assert_eq!(got, [7; 64]);
    }
}
