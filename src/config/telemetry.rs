//! Logs.

use super::{
    form::{Form, Raw, wrong},
    nearest::nearest,
    setting::{Setting, setting},
};
use tracing::level_filters::LevelFilter;

/// `[telemetry]`
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// A level, or directives for single modules (`LOG_LEVEL`).
    pub log_level: LogFilter,
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
        Self {
            log_level: LogFilter { level: Some(LevelFilter::INFO), targets: Vec::new() },
            log_format: LogFormat::Text,
        }
    }
}

/// Which events are logged: `info`, or `info,memgate::http=debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter {
    /// For every target without an entry below; `None` when only targets were named.
    pub level: Option<LevelFilter>,
    /// Target prefix and its level.
    pub targets: Vec<(String, LevelFilter)>,
}

/// A [`LogFilter`].
#[derive(Debug)]
pub struct LogFilterForm;

const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

impl Form for LogFilterForm {
    type Value = LogFilter;

    const NAME: &'static str = "level or directives";

    /// A misspelt level is an error: the usual reader of directives takes `inof` for the name of
    /// a module and logs nothing.
    fn read(raw: &Raw) -> Result<LogFilter, String> {
        let mut filter = LogFilter { level: None, targets: Vec::new() };
        for element in raw.elements() {
            match element.split_once('=') {
                None => filter.level = Some(level(element)?),
                Some((target, text)) => {
                    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b':';
                    if target.is_empty() || !target.bytes().all(fits) {
                        return Err(wrong(raw, "directives like `info,memgate::http=debug`"));
                    }
                    filter.targets.push((target.to_owned(), level(text)?));
                }
            }
        }
        if filter.level.is_none() && filter.targets.is_empty() {
            return Err("is empty; write a level, for example `info`".to_owned());
        }
        Ok(filter)
    }

    fn show(value: &LogFilter) -> String {
        let level = value.level.iter().map(ToString::to_string);
        let targets = value.targets.iter().map(|(target, level)| format!("{target}={level}"));
        level.chain(targets).collect::<Vec<_>>().join(",")
    }
}

fn level(text: &str) -> Result<LevelFilter, String> {
    let name = text.to_ascii_lowercase();
    // What Python programs, whose settings these are too, call it.
    let name = if name == "warning" { "warn" } else { &name };
    LEVELS.iter().find(|(known, _)| *known == name).map(|(_, level)| *level).ok_or_else(|| {
        let known = LEVELS.map(|(known, _)| known);
        let hint = nearest(name, known).map(|n| format!("; did you mean `{n}`?"));
        let hint = hint.unwrap_or_else(|| format!("; there are {}", known.join(", ")));
        format!("names no log level with `{}`{hint}", super::form::shown(text))
    })
}

impl Form for LogFormat {
    type Value = Self;

    const NAME: &'static str = "`text` or `json`";

    fn read(raw: &Raw) -> Result<Self, String> {
        match raw.text()? {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(wrong(raw, "`text` or `json`")),
        }
    }

    fn show(value: &Self) -> String {
        match value {
            Self::Text => "text".to_owned(),
            Self::Json => "json".to_owned(),
        }
    }
}

pub(in crate::config) const SETTINGS: &[Setting] = &[
    setting!(telemetry.log_level: LogFilterForm; "a level, or directives for single modules"),
    setting!(telemetry.log_format: LogFormat; "one line of text or of JSON per event"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LogFilter, String> {
        LogFilterForm::read(&Raw::Text(text.to_owned()))
    }

    #[test]
    fn levels_and_directives_read_and_show() {
        for text in ["info", "off", "warn,memgate::http=debug", "memgate=trace"] {
            assert_eq!(LogFilterForm::show(&read(text).unwrap()), text);
        }
        assert_eq!(read("WARNING").unwrap().level, Some(LevelFilter::WARN));
    }

    #[test]
    fn a_misspelt_level_is_an_error() {
        assert!(read("inof").unwrap_err().contains("did you mean `info`?"));
        for bad in ["", "memgate=", "=info", "memgate=loud", "a[b]=info", "info=x y"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
