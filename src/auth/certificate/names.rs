//! The names in a certificate that was verified: exactly as they stand there.
//!
//! `Certificate { tbsCertificate { version?, serial, algorithm, issuer, validity, subject, key,
//! [1]?, [2]?, [3] extensions` … Nothing is decoded, unescaped or trimmed. A name that is not the
//! kind of text it should be is left out, so that it can mean nobody: control characters, bytes
//! beyond ASCII in an alternative name (RFC 5280, 4.2.1.6), a `*`.

use super::der::{BOOLEAN, OBJECT, OCTETS, SEQUENCE, SET, element, elements, expect};
use crate::{config::certificates::NameKind, domain::client::is_hidden};

const EXPLICIT_VERSION: u8 = 0xa0;
const EXPLICIT_EXTENSIONS: u8 = 0xa3;
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.29.17
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
/// `UTF8String`, `PrintableString`, `IA5String`: what a text can be that we read.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];

/// The names that may count, and no others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    dns: Vec<String>,
    uri: Vec<String>,
    email: Vec<String>,
    common: Vec<String>,
}

impl Names {
    /// Reads the names of a DER certificate; `None` when it is none.
    #[must_use]
    pub fn read(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = expect(certificate, SEQUENCE)?;
        let (mut body, _) = expect(certificate, SEQUENCE)?;
        if body.first() == Some(&EXPLICIT_VERSION) {
            (_, _, body) = element(body)?;
        }
        for _ in ["serial", "algorithm", "issuer", "validity"] {
            (_, _, body) = element(body)?;
        }
        let (subject, rest) = expect(body, SEQUENCE)?;
        let (_, _, rest) = element(rest)?;
        let mut names = Self { common: common(subject)?, ..Self::default() };
        for (tag, contents) in elements(rest)? {
            if tag == EXPLICIT_EXTENSIONS {
                let (extensions, _) = expect(contents, SEQUENCE)?;
                names.alternatives(extensions)?;
            }
        }
        Some(names)
    }

    /// The names of this kind.
    #[must_use]
    pub fn of(&self, kind: NameKind) -> &[String] {
        match kind {
            NameKind::SanDns => &self.dns,
            NameKind::SanUri => &self.uri,
            NameKind::SanEmail => &self.email,
            NameKind::SubjectCn => &self.common,
        }
    }

    fn alternatives(&mut self, extensions: &[u8]) -> Option<()> {
        for (_, extension) in elements(extensions)? {
            let (id, rest) = expect(extension, OBJECT)?;
            if id != ALTERNATIVE_NAMES {
                continue;
            }
            let rest = expect(rest, BOOLEAN).map_or(rest, |(_, rest)| rest);
            let (value, _) = expect(rest, OCTETS)?;
            let (list, _) = expect(value, SEQUENCE)?;
            for (tag, name) in elements(list)? {
                // GeneralName: [1] mail address, [2] DNS name, [6] URI.
                let (kind, may_have_star) = match tag {
                    0x81 => (&mut self.email, true),
                    0x82 => (&mut self.dns, false),
                    0x86 => (&mut self.uri, true),
                    _ => continue,
                };
                kind.extend(
                    text(name)
                        .filter(|name| name.is_ascii() && (may_have_star || !name.contains('*'))),
                );
            }
        }
        Some(())
    }
}

fn common(subject: &[u8]) -> Option<Vec<String>> {
    let mut found = Vec::new();
    for (tag, part) in elements(subject)? {
        let attributes = if tag == SET { elements(part)? } else { return None };
        for (_, attribute) in attributes {
            let (id, rest) = expect(attribute, OBJECT)?;
            let (tag, value, _) = element(rest)?;
            if id == COMMON_NAME && TEXTS.contains(&tag) {
                found.extend(text(value));
            }
        }
    }
    Some(found)
}

fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.is_empty() && !text.chars().any(is_hidden)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn made(common: &str, names: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common);
        params.subject_alt_names = names;
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn ia5(text: &str) -> rcgen::string::Ia5String {
        text.try_into().unwrap()
    }

    #[test]
    fn each_kind_is_read_as_it_stands_there() {
        let names = Names::read(&made(
            "Acme & Söhne",
            vec![
                SanType::DnsName(ia5("Agent.Example")),
                SanType::URI(ia5("spiffe://example.org/ns/prod/sa/acme")),
                SanType::Rfc822Name(ia5("Ada@example.com")),
                SanType::IpAddress([127, 0, 0, 1].into()),
                SanType::DnsName(ia5("second.example")),
            ],
        ))
        .unwrap();
        assert_eq!(names.of(NameKind::SanDns), ["Agent.Example", "second.example"]);
        assert_eq!(names.of(NameKind::SanUri), ["spiffe://example.org/ns/prod/sa/acme"]);
        assert_eq!(names.of(NameKind::SanEmail), ["Ada@example.com"]);
        assert_eq!(names.of(NameKind::SubjectCn).len(), 1, "{names:?}");
        assert!(names.of(NameKind::SubjectCn)[0].starts_with("Acme & "), "{names:?}");
        let none = Names::read(&made("x", vec![])).unwrap();
        assert!(none.of(NameKind::SanDns).is_empty() && none.of(NameKind::SanUri).is_empty());
    }

    #[test]
    fn i1_names_that_could_mean_two_things_are_left_out() {
        let hostile = ["acme\0.evil", "*.acme", "\u{1b}acme", ""];
        let names = hostile.iter().map(|name| SanType::DnsName(ia5(name))).collect();
        let names = Names::read(&made("acme\u{202e}", names)).unwrap();
        assert_eq!(names, Names::default());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Names::read(&bytes);
        }

        #[test]
        fn no_cut_or_changed_certificate_panics(at in 0_usize..500, to in any::<u8>()) {
            let mut bytes = made("acme", vec![SanType::DnsName(ia5("acme.example"))]);
            let _ = Names::read(bytes.get(..at).unwrap_or_default());
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            let _ = Names::read(&bytes);
        }
    }
}
