//! `memgate.toml`: sections and keys, checked one by one so that every problem is found.
//!
//! A value keeps the line it stands on, for messages and for `config show`. Messages never
//! repeat a line of the file: it may hold a secret.

use std::path::Path;

use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::{
    form::{Raw, shown},
    issuer::{self, table},
    load::{Given, Origin, is_open_to_others, small_file},
    nearest,
    problem::Problem,
    setting,
};

/// The largest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// Reads the file at `path`. Without `required`, a file that is not there gives nothing.
pub(in crate::config) fn read(path: &Path, required: bool, problems: &mut Vec<Problem>) -> Found {
    let name = path.display().to_string();
    let text = match small_file(path, MAX_BYTES) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => {
            return Found::default();
        }
        Err(error) => {
            problems.push(Problem::new(name, format!("cannot be read: {error}")));
            return Found::default();
        }
    };
    let found = parse(&name, &text, problems);
    let secret = found.given.iter().find(|g| g.setting.secret && !g.own_file);
    // SECURITY: a key in a file that everybody may read is everybody's key (test
    // `i3_a_key_in_a_readable_file_is_refused`).
    if let Some(secret) = secret
        && is_open_to_others(path)
    {
        problems.push(Problem::new(
            name,
            format!("holds a key ({}) and others may read it; `chmod o=` it", secret.setting.key),
        ));
    }
    found
}

/// Takes the text of the file apart.
fn parse(name: &str, text: &str, problems: &mut Vec<Problem>) -> Found {
    let (table, errors) = DeTable::parse_recoverable(text);
    let line = |at: usize| 1 + text.bytes().take(at).filter(|b| *b == b'\n').count();
    for error in &errors {
        let line = error.span().map_or(1, |s| line(s.start));
        // The parser's own message names what it expected and repeats nothing but one token.
        let sentence = format!("is not TOML: {}", error.message().lines().next().unwrap_or(""));
        problems.push(Problem::new(format!("{name} line {line}"), sentence));
    }
    if !errors.is_empty() {
        return Found::default();
    }
    let mut file = File { name, line: &line, given: vec![], issuers: vec![], problems };
    file.table("", table.get_ref());
    Found { given: file.given, issuers: file.issuers }
}

/// What stands in the file.
#[derive(Default)]
pub(in crate::config) struct Found {
    pub given: Vec<Given>,
    pub issuers: Vec<table::Given>,
}

pub(in crate::config) struct File<'a> {
    pub name: &'a str,
    line: &'a dyn Fn(usize) -> usize,
    given: Vec<Given>,
    pub issuers: Vec<table::Given>,
    pub problems: &'a mut Vec<Problem>,
}

impl File<'_> {
    /// The line that byte `at` stands on.
    pub(in crate::config) fn line_of(&self, at: usize) -> usize {
        (self.line)(at)
    }

    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            let line = (self.line)(name.span().start);
            let section = format!("{key}.");
            let is_section = setting::all().any(|s| s.key.starts_with(&section));
            match value.get_ref() {
                value if key == issuer::KEY => self.issuers(line, value),
                DeValue::Table(inner) if is_section => self.table(&section, inner),
                value => self.value(&key, line, value),
            }
        }
    }

    fn value(&mut self, key: &str, line: usize, value: &DeValue<'_>) {
        let place = || format!("{} line {line}: {}", self.name, shown(key));
        let origin = Origin::File { name: self.name.to_owned(), line };
        let twin = setting::all().find(|s| s.file_key().as_deref() == Some(key));
        let Some(setting) = setting::find(key).or(twin) else {
            let known: Vec<String> = keys().collect();
            let sentence = nearest::unknown(key, &known);
            self.problems.push(Problem::new(place(), sentence));
            return;
        };
        let table = match value {
            DeValue::Table(table) if setting.is_table() => table::pairs(table),
            _ => None,
        };
        let Some(raw) = table.or_else(|| raw(value)) else {
            let sentence = format!("is a {}; write {}", value.type_str(), setting.form);
            self.problems.push(Problem::new(place(), sentence));
            return;
        };
        if twin.is_none() {
            self.given.push(Given { setting, raw, origin, own_file: false });
            return;
        }
        match raw.text() {
            Ok(path) => {
                let path = Path::new(path);
                self.given.extend(Given::from_file(setting, path, origin, self.problems));
            }
            Err(sentence) => self.problems.push(Problem::new(place(), sentence)),
        }
    }
}

/// Every key of the file.
pub(in crate::config) fn keys() -> impl Iterator<Item = String> {
    setting::all()
        .flat_map(|s| std::iter::once(s.key.to_owned()).chain(s.file_key()))
        .chain(std::iter::once(issuer::KEY.to_owned()))
}

/// Scalars as text, arrays of scalars as a list.
pub(in crate::config) fn raw(value: &DeValue<'_>) -> Option<Raw> {
    match value {
        DeValue::Array(array) => {
            array.iter().map(|e| scalar(e.get_ref())).collect::<Option<_>>().map(Raw::List)
        }
        value => scalar(value).map(Raw::Text),
    }
}

pub(in crate::config) fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(&'static str, Raw)>, Vec<String>) {
        let mut problems = vec![];
        let given = parse("memgate.toml", text, &mut problems);
        (
            given.given.into_iter().map(|g| (g.setting.key, g.raw)).collect(),
            problems.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn sections_nest_and_values_keep_their_line() {
        let text = "[listen]\nport = 3001\n\n[listen.tls]\ncertificate = \"a.pem\"\n\n[http]\n\
                    allowed_origins = [\"https://a\", \"https://b\"]\n";
        let (given, problems) = read(text);
        assert_eq!(problems, Vec::<String>::new());
        let keys: Vec<_> = given.iter().map(|g| g.0).collect();
        assert_eq!(keys, ["http.allowed_origins", "listen.port", "listen.tls.certificate"]);
        assert!(given[0].1 == Raw::List(vec!["https://a".to_owned(), "https://b".to_owned()]));
        assert!(given[1].1 == Raw::Text("3001".to_owned()));
    }

    #[test]
    fn i3_unknown_keys_name_the_nearest_and_their_line() {
        let (_, problems) =
            read("[limits]\nper_kee = \"1/1s\"\n[limtis]\nx = 1\n[listen]\ntls = 1\n");
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert_eq!(
            problems[0],
            "memgate.toml line 2: limits.per_kee is not a setting; did you mean `limits.per_key`?"
        );
        assert!(problems[1].starts_with("memgate.toml line 3: limtis is not a setting"));
    }

    #[test]
    fn i5_a_broken_file_is_named_by_line_and_not_repeated() {
        let (_, problems) = read("[auth]\napi_key = \"hunter2hunter2hunter2\nx = 1\n");
        assert!(problems[0].starts_with("memgate.toml line 2 is not TOML"), "{problems:?}");
        assert!(!problems.concat().contains("hunter2"), "{problems:?}");
    }

    #[test]
    fn a_setting_that_is_a_table_is_read_with_its_names() {
        let (given, problems) =
            read("[limits]\nper_key = \"1/1s\"\n[limits.classes]\nci = \"9/1s\"\n");
        assert_eq!(problems, Vec::<String>::new());
        let pairs = Raw::Pairs(vec![("ci".to_owned(), "9/1s".to_owned())]);
        assert!(given.iter().any(|(key, raw)| *key == "limits.classes" && *raw == pairs));
        let (_, problems) = read("[limits.classes]\nci = { rate = \"9/1s\" }\n");
        assert_eq!(problems.len(), 1, "{problems:?}");
    }

    #[test]
    fn shapes_that_no_setting_has_are_refused() {
        let (_, problems) = read("[listen]\nport = 1.5\nhost = { a = 1 }\n[http]\ncors = [[1]]\n");
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
