//! How a value is written: one [`Form`] for each kind of text, with its name for the reference.
//!
//! The same forms read TOML, the environment and flags: TOML brings numbers, booleans and arrays
//! as text ([`Raw`]), the environment and flags bring text in which a comma separates a list. A
//! form that reads a text back from what it showed gives the same value.

pub mod net;
pub mod rate;
pub mod size;
pub mod time;
pub mod url;

use std::{
    fmt::{self, Display},
    marker::PhantomData,
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
};

use zeroize::Zeroize as _;

use crate::domain::client::is_hidden;

/// A value as it was written. It may be a secret, so `Debug` shows nothing (I5).
#[derive(Clone, PartialEq, Eq)]
pub enum Raw {
    /// One text: from the environment, a flag, or a scalar in TOML.
    Text(String),
    /// An array in TOML.
    List(Vec<String>),
    /// A table in TOML, for the settings that are one: names and scalars.
    Pairs(Vec<(String, String)>),
}

/// It may be a secret, so its memory is wiped.
impl Drop for Raw {
    fn drop(&mut self) {
        match self {
            Self::Text(text) => text.zeroize(),
            Self::List(list) => list.zeroize(),
            Self::Pairs(pairs) => {
                for (name, value) in pairs {
                    name.zeroize();
                    value.zeroize();
                }
            }
        }
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raw(…)")
    }
}

impl Raw {
    /// The one text this value is.
    ///
    /// # Errors
    /// It is a list, or empty.
    pub fn text(&self) -> Result<&str, String> {
        match self {
            Self::Text(text) if text.trim().is_empty() => {
                Err("is empty; give it a value or leave it out".to_owned())
            }
            Self::Text(text) => Ok(text.trim()),
            Self::List(_) => Err("is one value, not a list".to_owned()),
            Self::Pairs(_) => Err("is one value, not a table".to_owned()),
        }
    }

    /// The elements of this value: an array, or text separated by commas and line ends. A comma
    /// or line end after the last element is no further element.
    #[must_use]
    pub fn elements(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => text
                .lines()
                .map(|line| line.trim().trim_end_matches(','))
                .filter(|line| !line.is_empty())
                .flat_map(|line| line.split(',').map(str::trim))
                .collect(),
            Self::List(list) => list.iter().map(|e| e.trim()).collect(),
            Self::Pairs(pairs) => pairs.iter().map(|(name, _)| name.trim()).collect(),
        }
    }
}

/// A kind of value.
pub trait Form {
    /// What the rest of the crate sees.
    type Value;

    /// What a person may write, for the reference and for messages.
    const NAME: &'static str;

    /// Reads a value.
    ///
    /// # Errors
    /// A sentence without its subject: "is not …; write …".
    fn read(raw: &Raw) -> Result<Self::Value, String>;

    /// Writes a value so that [`Form::read`] reads it again.
    fn show(value: &Self::Value) -> String;
}

/// `true` or `false`.
#[derive(Debug)]
pub struct Flag;

impl Form for Flag {
    type Value = bool;

    const NAME: &'static str = "`true` or `false`";

    fn read(raw: &Raw) -> Result<bool, String> {
        match raw.text()?.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(wrong(raw, "`true` or `false`")),
        }
    }

    fn show(value: &bool) -> String {
        value.to_string()
    }
}

/// Any text that is not empty.
#[derive(Debug)]
pub struct Text;

impl Form for Text {
    type Value = String;

    const NAME: &'static str = "text";

    fn read(raw: &Raw) -> Result<String, String> {
        let text = raw.text()?;
        if text.chars().any(is_hidden) {
            return Err("contains a control character; leave it out".to_owned());
        }
        Ok(text.to_owned())
    }

    fn show(value: &String) -> String {
        value.clone()
    }
}

/// A path, taken from the directory memgate is started in.
#[derive(Debug)]
pub struct FilePath;

impl Form for FilePath {
    type Value = PathBuf;

    const NAME: &'static str = "path";

    fn read(raw: &Raw) -> Result<PathBuf, String> {
        Text::read(raw).map(PathBuf::from)
    }

    fn show(value: &PathBuf) -> String {
        value.display().to_string()
    }
}

/// A whole number.
#[derive(Debug)]
pub struct Count<T>(PhantomData<T>);

impl<T: FromStr + Display> Form for Count<T> {
    type Value = T;

    const NAME: &'static str = "number";

    fn read(raw: &Raw) -> Result<T, String> {
        raw.text()?.replace('_', "").parse().map_err(|_| wrong(raw, "a whole number"))
    }

    fn show(value: &T) -> String {
        value.to_string()
    }
}

/// `none`, or a value.
#[derive(Debug)]
pub struct Optional<F>(PhantomData<F>);

impl<F: Form> Form for Optional<F> {
    type Value = Option<F::Value>;

    const NAME: &'static str = F::NAME;

    fn read(raw: &Raw) -> Result<Self::Value, String> {
        if raw.text()? == "none" { Ok(None) } else { F::read(raw).map(Some) }
    }

    fn show(value: &Self::Value) -> String {
        value.as_ref().map_or_else(|| "none".to_owned(), F::show)
    }
}

/// An array in TOML, a comma list elsewhere.
#[derive(Debug)]
pub struct List<F>(PhantomData<F>);

impl<F: Form> Form for List<F> {
    type Value = Vec<F::Value>;

    const NAME: &'static str = F::NAME;

    fn read(raw: &Raw) -> Result<Self::Value, String> {
        let elements = raw.elements().into_iter().enumerate();
        elements
            .map(|(i, element)| {
                F::read(&Raw::Text(element.to_owned())).map_err(|e| format!("entry {} {e}", i + 1))
            })
            .collect()
    }

    fn show(value: &Self::Value) -> String {
        value.iter().map(F::show).collect::<Vec<_>>().join(",")
    }
}

/// Holds a value to its bounds.
///
/// # Errors
/// Names the bounds.
pub(in crate::config) fn within<F: Form>(
    value: F::Value,
    bounds: &RangeInclusive<F::Value>,
) -> Result<F::Value, String>
where
    F::Value: PartialOrd,
{
    if bounds.contains(&value) {
        return Ok(value);
    }
    let (low, high) = (F::show(bounds.start()), F::show(bounds.end()));
    Err(format!("is {}, and must be {low} to {high}", F::show(&value)))
}

/// "is `x`; write …", with what was written made safe to show and cut to a sensible length.
pub(in crate::config) fn wrong(raw: &Raw, expected: &str) -> String {
    match raw.text() {
        Ok(text) => format!("is `{}`; write {expected}", shown(text)),
        Err(error) => error,
    }
}

/// Text from outside, safe for a terminal and a log, at most 64 characters of it.
pub(in crate::config) fn shown(text: &str) -> String {
    let mut shown: String =
        text.chars().take(64).map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(64).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    #[test]
    fn flags_read_what_deployments_write() {
        for yes in ["true", "TRUE", "True", "1", "yes", "on"] {
            assert_eq!(Flag::read(&text(yes)), Ok(true), "{yes}");
        }
        for no in ["false", "False", "0", "no", "off"] {
            assert_eq!(Flag::read(&text(no)), Ok(false), "{no}");
        }
        // INVARIANT I3: a typing error in `DISABLE_AUTH` is an error, not a guess.
        for bad in ["", "tru", "2", "null"] {
            assert!(Flag::read(&text(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_list_is_an_array_or_comma_text() {
        let names = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(List::<Text>::read(&text(" a , b ")), Ok(names.clone()));
        assert_eq!(List::<Text>::read(&Raw::List(names.clone())), Ok(names));
        assert_eq!(List::<Text>::read(&text("a,\nb\n")), List::<Text>::read(&text("a,b,")));
        assert_eq!(List::<Text>::read(&text("")), Ok(vec![]));
        let error = List::<Text>::read(&text("a,,b")).unwrap_err();
        assert!(error.starts_with("entry 2 is empty"), "{error}");
    }

    #[test]
    fn what_is_echoed_cannot_steer_a_terminal() {
        let error = Flag::read(&text("\u{1b}[2J\u{202e}x")).unwrap_err();
        assert!(!error.contains(['\u{1b}', '\u{202e}']), "{error:?}");
        assert!(shown(&"x".repeat(1000)).chars().count() < 70);
    }

    #[test]
    fn bounds_are_named() {
        let error = within::<Count<u32>>(0, &(1..=9)).unwrap_err();
        assert_eq!(error, "is 0, and must be 1 to 9");
    }
}
