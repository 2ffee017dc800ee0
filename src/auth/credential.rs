//! Finding the credential in a request: one, in one of two headers, or none.
//!
//! `Authorization: Bearer …` or `X-API-Key: …`, exactly once. Anything ambiguous is an error
//! before anybody is asked who it is: two values, two ways, or a key in the URL, where it ends
//! up in histories and logs. Cookies and bodies are never read here, so a web page cannot make
//! a browser authenticate. What the text means is the business of the schemes.

use std::{borrow::Cow, fmt};

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header::AUTHORIZATION};

use crate::domain::{Error, Result};

/// The other header that carries a key.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Longer ones are turned away unread. Schemes may set tighter bounds.
const MAX_BYTES: usize = 8 * 1024;

/// Names of query parameters that people put keys into, with `-` as `_`.
const QUERY_NAMES: [&str; 6] = ["api_key", "apikey", "key", "token", "access_token", "x_api_key"];

/// What a request carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'r> {
    /// The text after `Bearer`.
    Bearer(&'r str),
    /// The text of `X-API-Key`.
    ApiKey(&'r str),
    /// Something that no scheme can read: another authentication scheme, no text at all, text
    /// that is too long or not ASCII.
    Unusable,
}

impl<'r> Credential<'r> {
    /// Finds the credential; `None` when there is none.
    ///
    /// # Errors
    /// `BadInput` when there is more than one, or one in the URL.
    pub fn find(headers: &'r HeaderMap, uri: &Uri) -> Result<Option<Self>> {
        if in_url(uri) {
            return Err(Error::bad_input(
                "a key never goes into the URL; send it as `Authorization: Bearer` or `X-API-Key`",
            ));
        }
        let mut authorization = headers.get_all(AUTHORIZATION).iter();
        let mut api_key = headers.get_all(X_API_KEY).iter();
        match (authorization.next(), authorization.next(), api_key.next(), api_key.next()) {
            (None, _, None, _) => Ok(None),
            (Some(value), None, None, _) => Ok(Some(Self::bearer(value))),
            (None, _, Some(value), None) => Ok(Some(Self::api_key(value))),
            _ => Err(Error::bad_input(
                "more than one credential; send one of `Authorization: Bearer` and `X-API-Key`, once",
            )),
        }
    }

    fn bearer(value: &'r HeaderValue) -> Self {
        let Some((scheme, text)) = readable(value).and_then(|text| text.split_once(' ')) else {
            return Self::Unusable;
        };
        match text.trim_start_matches(' ') {
            "" => Self::Unusable,
            text if scheme.eq_ignore_ascii_case("bearer") => Self::Bearer(text),
            _ => Self::Unusable,
        }
    }

    fn api_key(value: &'r HeaderValue) -> Self {
        match readable(value) {
            None | Some("") => Self::Unusable,
            Some(text) => Self::ApiKey(text),
        }
    }
}

/// SECURITY: a credential does not print. Test: `i5_no_debug_output_shows_a_secret`.
impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer(…)",
            Self::ApiKey(_) => "ApiKey(…)",
            Self::Unusable => "Unusable",
        })
    }
}

fn readable(value: &HeaderValue) -> Option<&str> {
    if value.len() > MAX_BYTES { None } else { value.to_str().ok() }
}

/// A parameter with one of the names, however it is written, or `user:password@` before the
/// host.
fn in_url(uri: &Uri) -> bool {
    uri.authority().is_some_and(|authority| authority.as_str().contains('@'))
        || uri.query().is_some_and(|query| query.split(['&', ';']).any(names_a_key))
}

fn names_a_key(parameter: &str) -> bool {
    let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
    // The longest name, every byte of it percent-encoded.
    if name.len() > 3 * 12 {
        return false;
    }
    let name = percent_decoded(name);
    let name: String =
        name.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect();
    QUERY_NAMES.contains(&name.as_str())
}

fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let digits = (byte == b'%').then(|| (hex(ahead.next()), hex(ahead.next())));
        if let Some((Some(high), Some(low))) = digits {
            out.push(high << 4 | low);
            bytes = ahead;
        } else {
            out.push(byte);
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

fn hex(digit: Option<u8>) -> Option<u8> {
    match digit? {
        d @ b'0'..=b'9' => Some(d - b'0'),
        d @ b'a'..=b'f' => Some(d - b'a' + 10),
        d @ b'A'..=b'F' => Some(d - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        map
    }

    fn found(pairs: &[(&str, &str)], uri: &str) -> Result<Option<String>> {
        let headers = headers(pairs);
        let credential = Credential::find(&headers, &uri.parse().unwrap())?;
        Ok(credential.map(|c| match c {
            Credential::Bearer(text) | Credential::ApiKey(text) => text.to_owned(),
            Credential::Unusable => "unusable".to_owned(),
        }))
    }

    #[test]
    fn a_credential_of_eight_kibibytes_is_read_and_a_longer_one_is_not() {
        let longest = "k".repeat(8192);
        assert_eq!(found(&[("x-api-key", &longest)], "/").unwrap().unwrap(), longest);
        let longer = "k".repeat(8193);
        assert_eq!(found(&[("x-api-key", &longer)], "/").unwrap().unwrap(), "unusable");
    }

    #[test]
    fn one_credential_in_either_header_is_found() {
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            let value = format!("{scheme} k1");
            assert_eq!(found(&[("authorization", &value)], "/").unwrap().unwrap(), "k1");
        }
        assert_eq!(found(&[("authorization", "Bearer   k1")], "/").unwrap().unwrap(), "k1");
        assert_eq!(found(&[("X-API-Key", "k2")], "/mcp?x=1").unwrap().unwrap(), "k2");
        assert_eq!(found(&[("cookie", "api_key=k3"), ("x-key", "k")], "/").unwrap(), None);
    }

    #[test]
    fn two_credentials_are_refused_even_when_they_agree() {
        for pairs in [
            &[("authorization", "Bearer a"), ("authorization", "Bearer a")][..],
            &[("x-api-key", "a"), ("x-api-key", "a")],
            &[("authorization", "Bearer a"), ("x-api-key", "a")],
            &[("authorization", "Basic a"), ("x-api-key", "a")],
            &[("authorization", ""), ("x-api-key", "a")],
            &[("x-api-key", "a"), ("x-api-key", "b"), ("x-api-key", "c")],
        ] {
            assert_eq!(
                found(pairs, "/").unwrap_err().kind(),
                crate::domain::Kind::BadInput,
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn a_key_in_the_url_is_refused() {
        for query in [
            "api_key=a",
            "API_KEY=a",
            "a=b&key=a",
            "a=b;key=a",
            "token",
            "access_token=",
            "X-Api-Key=a",
            "x%2Dapi%2dkey=a",
            "%61%70%69%5f%6b%65%79=a",
            "apikey=a",
        ] {
            let error = found(&[("x-api-key", "k")], &format!("/mcp?{query}")).unwrap_err();
            assert!(!error.public().contains("=a"), "the message repeats nothing: {error}");
        }
        assert!(found(&[], "http://user:secret@localhost/mcp").is_err());
        for query in ["tenant=key", "monkey=1", "keys=1", "q=api_key", "%zz=1", "a%=1", "k%65=1"] {
            assert!(found(&[], &format!("/mcp?{query}")).is_ok(), "{query}");
        }
    }

    #[test]
    fn what_no_scheme_reads_is_presented_all_the_same() {
        let long = format!("Bearer {}", "A".repeat(100_000));
        for value in ["Digest username=\"a\"", "Basic YTpi", "Bearer", "Bearer ", "", "k1", &long] {
            assert_eq!(
                found(&[("authorization", value)], "/").unwrap().as_deref(),
                Some("unusable"),
                "{}",
                value.len()
            );
        }
        for value in ["", "caf\u{e9}"] {
            assert_eq!(found(&[("x-api-key", value)], "/").unwrap().unwrap(), "unusable");
        }
    }

    proptest! {
        #[test]
        fn no_query_panics_and_decoding_finds_every_spelling(
            query in "[a-z%=&;0-9A-F]{0,60}",
            escaped in proptest::collection::vec(any::<bool>(), 7),
        ) {
            let _ = names_a_key(&query);
            let spelled: String = "api_key".bytes().zip(escaped).map(|(byte, escape)| {
                if escape { format!("%{byte:02X}") } else { char::from(byte).to_string() }
            }).collect();
            prop_assert!(names_a_key(&spelled));
        }
    }
}
