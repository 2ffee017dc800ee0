//! Policies for common wishes, ready to be copied, each with cases that prove what it says.
//!
//! A template forbids something to one key on top of the built-in policies; written out it is a
//! whole policy directory. The files are those of `policies/templates/`, embedded.

use super::builtin;
use crate::domain::key::KeyId;

/// The key that the templates speak of until a real one is put in its place.
pub const PLACEHOLDER: &str = "0123456789ab";

/// One template.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    /// What it is called.
    pub name: &'static str,
    /// What it does, for lists.
    pub summary: &'static str,
    /// The name of its policy file.
    file: &'static str,
    policy: &'static str,
    cases: &'static str,
}

macro_rules! template {
    ($name:literal, $summary:literal) => {
        Template {
            name: $name,
            summary: $summary,
            file: concat!("20-", $name, ".cedar"),
            policy: include_str!(concat!(
                "../../policies/templates/",
                $name,
                "/20-",
                $name,
                ".cedar"
            )),
            cases: include_str!(concat!(
                "../../policies/templates/",
                $name,
                "/tests/",
                $name,
                ".json"
            )),
        }
    };
}

/// Every template.
pub const ALL: [Template; 5] = [
    template!("guest", "a guest that sees the memories with one tag and nothing else"),
    template!("office-hours", "a key that works from Monday to Friday, 8 to 18 o'clock UTC"),
    template!("only-these-tools", "a key with the tools on a list and no other"),
    template!("read-only", "a key that reads and never writes"),
    template!("shared-tenant", "a tenant that many read and one key writes"),
];

/// The template with this name.
#[must_use]
pub fn find(name: &str) -> Option<Template> {
    ALL.into_iter().find(|template| template.name == name)
}

impl Template {
    /// Its policy alone, with `key` in the placeholder's place.
    #[must_use]
    pub fn policy(&self, key: Option<&KeyId>) -> String {
        with(self.policy, key)
    }

    /// A whole policy directory, as (path in it, text).
    #[must_use]
    pub fn files(&self, key: Option<&KeyId>) -> Vec<(String, String)> {
        let roles = builtin::ROLES.map(|role| (role.file.to_owned(), role.text.to_owned()));
        let mut files = vec![
            ("schema.cedarschema".to_owned(), builtin::SCHEMA.to_owned()),
            (self.file.to_owned(), self.policy(key)),
            (format!("tests/{}.json", self.name), with(self.cases, key)),
        ];
        files.extend(roles);
        files.sort();
        files
    }
}

fn with(text: &str, key: Option<&KeyId>) -> String {
    key.map_or_else(|| text.to_owned(), |key| text.replace(PLACEHOLDER, key.as_str()))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;
    use crate::policy::{cases, load};

    #[test]
    fn every_template_passes_its_check_and_its_cases_with_any_key() {
        let other = KeyId::parse("zz0000000000").unwrap();
        for template in ALL {
            for key in [None, Some(&other)] {
                let directory = tempfile::tempdir().unwrap();
                fs::create_dir(directory.path().join("tests")).unwrap();
                for (file, text) in template.files(key) {
                    fs::write(directory.path().join(file), text).unwrap();
                }
                let set = load::load(Some(directory.path())).unwrap();
                let files = load::cases(Some(directory.path())).unwrap();
                let outcomes = cases::run(&set, &files).unwrap();
                assert!(outcomes.len() >= 7, "{}", template.name);
                for outcome in &outcomes {
                    assert!(outcome.passed, "{}: {outcome}", template.name);
                }
                // The policy of the template itself decides, and both answers are tried.
                let id = template.name.replace('-', "_");
                assert!(outcomes.iter().any(|o| o.because.iter().any(|b| b.starts_with(&id))));
                assert!(outcomes.iter().any(|o| o.allowed));
            }
        }
    }

    #[test]
    fn every_template_is_listed() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/templates");
        let on_disk: BTreeSet<_> = fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(on_disk, ALL.iter().map(|t| t.name.to_owned()).collect());
    }
}
