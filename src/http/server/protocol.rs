//! HTTP/1.1 and HTTP/2, with every limit written out.
//!
//! hyper's defaults are good and may change; what the threat model counts on stands here. The
//! deadlines of a connection are not hyper's but those of `timed`, which also cover the bytes
//! before hyper knows which protocol it has.

use std::{future::Future, time::Duration};

use hyper::rt::Executor;
use hyper_util::{rt::TokioTimer, server::conn::auto};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::config::listen::Listen;

/// The smallest buffer that hyper takes.
const MIN_BUFFER: usize = 8 * 1024;
/// Fields that hyper parses without a heap allocation for each request. Our own, usually lower
/// bound is checked in `layers::head_size`, where it holds for HTTP/2 as well.
const HEADERS_ON_STACK: usize = 100;
/// What one stream may send before we have read it, in bytes.
const STREAM_WINDOW: u32 = 64 * 1024;
/// What one connection may send before we have read it, in bytes.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What we keep for a stream whose client does not read, in bytes.
const SEND_BUFFER: usize = 64 * 1024;
/// Frames, in bytes: the least that HTTP/2 allows to demand.
const FRAME: u32 = 16 * 1024;
/// A quiet HTTP/2 connection with open streams is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// And closed when it does not say so.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Streams that were reset before we accepted them ("rapid reset"); more ends the connection.
const RESET_STREAMS: usize = 20;
/// Streams that we had to reset because of the client ("made you reset").
const ERROR_STREAMS: usize = 100;

/// The protocols of one listener; tasks of HTTP/2 streams are tracked, and end with `cut`.
pub(super) fn builder(
    settings: &Listen,
    tasks: &TaskTracker,
    cut: &CancellationToken,
) -> auto::Builder<Tracked> {
    let tracked = Tracked { tasks: tasks.clone(), cut: cut.clone() };
    let mut builder = auto::Builder::new(tracked);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(settings.max_header_bytes.max(MIN_BUFFER))
        .keep_alive(true)
        .half_close(false);
    if settings.max_headers > HEADERS_ON_STACK {
        builder.http1().max_headers(settings.max_headers);
    }
    let header_list = u32::try_from(settings.max_header_bytes).unwrap_or(u32::MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.http2_max_streams)
        .max_header_list_size(header_list)
        .max_frame_size(FRAME)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .adaptive_window(false)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_local_error_reset_streams(ERROR_STREAMS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    if settings.http2 { builder } else { builder.http1_only() }
}

/// Runs the tasks of HTTP/2 streams where the drain sees them (I12).
#[derive(Debug, Clone)]
pub(super) struct Tracked {
    tasks: TaskTracker,
    cut: CancellationToken,
}

impl<F> Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, task: F) {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            cut.run_until_cancelled(task).await;
        });
    }
}
