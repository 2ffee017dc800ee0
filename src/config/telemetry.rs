//! Logs.

/// `[telemetry]`
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// A level, or `tracing` directives (`LOG_LEVEL`).
    pub log_level: String,
    /// One line of text or of JSON per event.
    pub log_format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { log_level: "info".to_owned(), log_format: LogFormat::Text }
    }
}
