//! Log lines on stderr: text for people or JSON for machines, one line an event.
//!
//! A line can neither steer a terminal nor pretend to be two lines: control characters and
//! those that reorder text are written as escapes (`LineWriter`). Libraries that would log what
//! is secret here are held to a level that nobody can raise (`CAPS`, I5).

use std::io::{self, Write};

use tracing::{Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer, filter::Targets, fmt::MakeWriter, layer::SubscriberExt as _, registry,
};

use crate::{
    config::telemetry::{LogFilter, LogFormat, Telemetry},
    domain::{Error, Result, client::is_hidden},
};

/// SECURITY: rmcp logs whole errors with what a caller wrote at WARN, session ids at INFO and
/// whole messages at DEBUG, so it logs nothing: what it has to say stands in our own lines. hyper
/// and h2 log headers, credentials among them, at TRACE (test
/// `i5_no_setting_makes_a_library_log_secrets`).
const CAPS: [(&str, LevelFilter); 4] = [
    ("rmcp", LevelFilter::OFF),
    ("h2", LevelFilter::INFO),
    ("hyper", LevelFilter::INFO),
    ("rustls", LevelFilter::INFO),
];

/// Our own events have this prefix; a bare level below `info` is meant for them.
const OURS: &str = "memgate";

/// Sends every event of this process to stderr.
///
/// # Errors
/// `Internal` when somebody else did so before.
pub fn init(settings: &Telemetry) -> Result<()> {
    let subscriber = subscriber(settings, io::stderr);
    tracing::subscriber::set_global_default(subscriber).map_err(Error::internal)
}

fn subscriber<W>(settings: &Telemetry, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Lines(writer));
    let lines = match settings.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let filter = targets(&settings.log_level);
    registry().with(filter).with(tracing_subscriber::filter::filter_fn(is_within_cap)).with(lines)
}

/// `debug` is for finding out what memgate does: libraries stay at `info` unless named.
fn targets(filter: &LogFilter) -> Targets {
    let level = filter.level.unwrap_or(LevelFilter::INFO);
    Targets::new()
        .with_default(level.min(LevelFilter::INFO))
        .with_target(OURS, level)
        .with_targets(filter.targets.iter().cloned())
}

fn is_within_cap(event: &Metadata<'_>) -> bool {
    let is_of = |library: &str| {
        let rest = event.target().strip_prefix(library);
        rest.is_some_and(|r| r.is_empty() || r.starts_with("::") || r.starts_with('_'))
    };
    CAPS.iter().all(|(library, cap)| !is_of(library) || event.level() <= cap)
}

/// Makes a [`LineWriter`] for each event.
struct Lines<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Lines<W> {
    type Writer = LineWriter<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter(self.0.make_writer())
    }
}

/// Writes one event as one line. The layer hands over a whole event at once, and its last
/// character is the line end.
struct LineWriter<W>(W);

impl<W: Write> Write for LineWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let body = text.strip_suffix('\n').unwrap_or(&text);
        if body.contains(is_hidden) {
            let escaped: String = body.chars().map(Shown).map(|c| c.to_string()).collect();
            self.0.write_all(format!("{escaped}\n").as_bytes())?;
        } else {
            self.0.write_all(event)?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// One character of a log line. The escape is the one of JSON, because the line may be JSON.
struct Shown(char);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !is_hidden(self.0) {
            return write!(f, "{}", self.0);
        }
        self.0.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(f, "\\u{unit:04x}"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;

    use super::*;
    use crate::config::form::{Form, Raw};
    use crate::config::telemetry::LogFilterForm;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: &str, log_format: LogFormat, events: impl FnOnce()) -> Vec<String> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let log_level = LogFilterForm::read(&Raw::Text(level.to_owned())).unwrap();
        let settings = Telemetry { log_level, log_format };
        with_default(subscriber(&settings, move || writer.clone()), events);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn one_event_is_one_line_and_steers_no_terminal() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = logged("info", format, || {
                tracing::info!(name = %"a\n2026 ERROR forged\u{1b}[31m\u{202e}b\u{7f}", "hello");
            });
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(!lines[0].contains(is_hidden), "{lines:?}");
            assert!(lines[0].contains("forged"), "{lines:?}");
        }
    }

    #[test]
    fn a_json_line_is_json_and_keeps_the_text() {
        let text = "tag \u{e0041} and \u{85} and \u{202e}";
        let lines = logged("info", LogFormat::Json, || tracing::info!(%text, "hello"));
        let event: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(event["message"], "hello");
        assert_eq!(event["text"], text);
    }

    #[test]
    fn i5_no_setting_makes_a_library_log_secrets() {
        for level in ["trace", "info,rmcp=trace,h2=trace", "rmcp::transport=trace,hyper_util=trace"]
        {
            let lines = logged(level, LogFormat::Text, || {
                tracing::warn!(target: "rmcp::service", "what a caller wrote");
                tracing::info!(target: "rmcp", "session id");
                tracing::info!(target: "rmcp::transport::streamable_http_server", "session id");
                tracing::debug!(target: "h2::hpack", "header");
                tracing::debug!(target: "hyper_util::client", "header");
                tracing::trace!(target: "hyper::proto", "header");
            });
            assert_eq!(lines, Vec::<String>::new(), "{level}");
        }
        let lines = logged("info", LogFormat::Text, || tracing::warn!(target: "rustls", "trouble"));
        assert_eq!(lines.len(), 1);
    }

    #[test]
    fn a_bare_level_is_for_memgate_and_directives_are_for_what_they_name() {
        let events = || {
            tracing::debug!(target: "memgate::http", "ours");
            tracing::debug!(target: "moka", "theirs");
            tracing::info!(target: "moka", "theirs");
        };
        assert_eq!(logged("debug", LogFormat::Text, events).len(), 2);
        assert_eq!(logged("warn", LogFormat::Text, events).len(), 0);
        assert_eq!(logged("off,moka=debug", LogFormat::Text, events).len(), 2);
    }
}
