//! `[[auth.issuer]]` out of the file: every field with its line, every unknown one named.

use toml::de::{DeArray, DeTable, DeValue};

use super::{FIELDS, Field, Issuer};
use crate::config::{
    file::{File, raw, scalar},
    form::{Raw, shown},
    load::Origin,
    nearest,
    problem::Problem,
};

/// How the table is called.
pub const ISSUER: &str = "auth.issuer";

/// One table as it was written.
pub(in crate::config) struct Given {
    pub origin: Origin,
    pub fields: Vec<(&'static Field, Raw, Origin)>,
}

impl File<'_> {
    /// The value of `auth.issuer`.
    pub(in crate::config) fn issuers(&mut self, line: usize, value: &DeValue<'_>) {
        let all: Option<Vec<_>> = match value {
            DeValue::Array(array) => tables(array),
            _ => None,
        };
        let Some(all) = all else {
            let sentence = "is not a list of tables; begin each issuer with `[[auth.issuer]]`";
            self.problem(line, ISSUER, sentence);
            return;
        };
        for (at, table) in all {
            let mut given = Given { origin: self.origin(self.line_of(at)), fields: Vec::new() };
            for (name, value) in table {
                let line = self.line_of(name.span().start);
                given.fields.extend(self.field(line, name.get_ref(), value.get_ref()));
            }
            self.issuers.push(given);
        }
    }

    fn field(
        &mut self,
        line: usize,
        name: &str,
        value: &DeValue<'_>,
    ) -> Option<(&'static Field, Raw, Origin)> {
        let key = format!("{ISSUER}.{name}");
        let Some(field) = FIELDS.iter().find(|field| field.name == name) else {
            let known: Vec<_> = FIELDS.iter().map(|f| format!("{ISSUER}.{}", f.name)).collect();
            self.problem(line, &key, &nearest::unknown(&key, &known));
            return None;
        };
        let raw = match value {
            DeValue::Table(table) => pairs(table),
            value => raw(value),
        };
        let Some(raw) = raw else {
            let sentence = format!("is a {}; write {}", value.type_str(), field.form);
            self.problem(line, &key, &sentence);
            return None;
        };
        Some((field, raw, self.origin(line)))
    }

    fn problem(&mut self, line: usize, key: &str, sentence: &str) {
        let place = format!("{} line {line}: {}", self.name, shown(key));
        self.problems.push(Problem::new(place, sentence));
    }

    fn origin(&self, line: usize) -> Origin {
        Origin::File { name: self.name.to_owned(), line }
    }
}

impl Given {
    /// The issuer that was written, with where each field came from.
    pub(in crate::config) fn read(self, problems: &mut Vec<Problem>) -> Written {
        let mut written =
            Written { issuer: Issuer::default(), origin: self.origin, fields: Vec::new() };
        for (field, raw, origin) in self.fields {
            if let Err(sentence) = (field.set)(&mut written.issuer, &raw) {
                problems.push(Problem::new(format!("{origin}: {ISSUER}.{}", field.name), sentence));
            }
            written.fields.push((field.name, origin));
        }
        written
    }
}

/// An issuer, and where it came from.
#[derive(Debug, Clone)]
pub struct Written {
    /// The issuer.
    pub issuer: Issuer,
    /// Where its table begins.
    pub origin: Origin,
    fields: Vec<(&'static str, Origin)>,
}

impl Written {
    /// Where a field came from.
    #[must_use]
    pub fn field(&self, name: &str) -> Origin {
        let found = self.fields.iter().find(|(field, _)| *field == name);
        found.map(|(_, origin)| origin.clone()).unwrap_or_default()
    }
}

fn tables<'d, 'i>(array: &'d DeArray<'i>) -> Option<Vec<(usize, &'d DeTable<'i>)>> {
    array
        .iter()
        .map(|element| match element.get_ref() {
            DeValue::Table(table) => Some((element.span().start, table)),
            _ => None,
        })
        .collect()
}

/// A table of scalars.
pub(in crate::config) fn pairs(table: &DeTable<'_>) -> Option<Raw> {
    let pair = |(name, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = name.get_ref();
        Some((name.clone().into_owned(), scalar(value.get_ref())?))
    };
    table.iter().map(pair).collect::<Option<_>>().map(Raw::Pairs)
}
