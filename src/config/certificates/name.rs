//! Words of the settings: which name of a certificate counts, and what a certificate is for.

use crate::config::form::{Form, Raw, wrong};

/// Which name in a certificate says whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameKind {
    /// A DNS name among the alternative names; case does not count in it (RFC 4343).
    SanDns,
    /// A URI among the alternative names, byte for byte: a SPIFFE id is one.
    #[default]
    SanUri,
    /// A mail address among the alternative names, byte for byte.
    SanEmail,
    /// The common name of the subject, byte for byte.
    SubjectCn,
}

impl NameKind {
    const ALL: [Self; 4] = [Self::SanDns, Self::SanUri, Self::SanEmail, Self::SubjectCn];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SanDns => "san_dns",
            Self::SanUri => "san_uri",
            Self::SanEmail => "san_email",
            Self::SubjectCn => "subject_cn",
        }
    }
}

impl Form for NameKind {
    type Value = Self;

    const NAME: &'static str = "san_dns, san_uri, san_email or subject_cn";

    fn read(raw: &Raw) -> Result<Self, String> {
        let text = raw.text()?;
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| wrong(raw, "`san_dns`, `san_uri`, `san_email` or `subject_cn`"))
    }

    fn show(value: &Self) -> String {
        value.as_str().to_owned()
    }
}

/// What a client certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Use {
    /// It is a credential by itself.
    #[default]
    Alone,
    /// Every request needs one and a key (or token) of the same tenant.
    BesideKey,
}

impl Form for Use {
    type Value = Self;

    const NAME: &'static str = "alone or beside_key";

    fn read(raw: &Raw) -> Result<Self, String> {
        match raw.text()? {
            "alone" => Ok(Self::Alone),
            "beside_key" => Ok(Self::BesideKey),
            _ => Err(wrong(raw, "`alone` or `beside_key`")),
        }
    }

    fn show(value: &Self) -> String {
        match value {
            Self::Alone => "alone",
            Self::BesideKey => "beside_key",
        }
        .to_owned()
    }
}
