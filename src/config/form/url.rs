//! URLs that memgate fetches or is known by.
//!
//! `https://host[:port]/path`, nothing hidden in it: no user, no fragment, no spaces. Plain
//! `http://` reads only for a loopback host, for tests and development; whether it is good
//! enough there is the business of the setting.

use std::fmt;

use http::Uri;

use super::{Form, Raw, wrong};

/// A URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    text: String,
    encrypted: bool,
    host: String,
    port: u16,
    target: String,
}

impl Url {
    /// Reads a URL.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if !text.bytes().all(|b| b.is_ascii_graphic()) || text.contains(['#', '\\', '"']) {
            return None;
        }
        let uri: Uri = text.parse().ok()?;
        let encrypted = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if !encrypted && !is_loopback(&host) {
            return None;
        }
        let port = match authority.port() {
            // Something stands behind the host, and it is no port.
            None if authority.as_str() != authority.host() => return None,
            None => {
                if encrypted {
                    443
                } else {
                    80
                }
            }
            Some(port) => port.as_u16(),
        };
        let target = uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        Some(Self { text: text.to_owned(), encrypted, host, port, target })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is `https`.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// The host, an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What stands in a request line.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// `scheme://host[:port]`, as it was written.
    #[must_use]
    pub fn origin(&self) -> &str {
        let scheme = self.text.find("://").map_or(0, |at| at + 3);
        let end = self.text.get(scheme..).and_then(|rest| rest.find(['/', '?']));
        end.and_then(|end| self.text.get(..scheme + end)).unwrap_or(&self.text)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback())
}

/// A URL as a setting.
#[derive(Debug)]
pub struct HttpsUrl;

impl Form for HttpsUrl {
    type Value = Url;

    const NAME: &'static str = "https URL";

    fn read(raw: &Raw) -> Result<Url, String> {
        const EXPECTED: &str =
            "a URL that begins with `https://` (`http://` for a loopback host only)";
        Url::parse(raw.text()?).ok_or_else(|| wrong(raw, EXPECTED))
    }

    fn show(value: &Url) -> String {
        value.text.clone()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url = Url::parse("https://id.example.com:8443/realms/a?x=1").unwrap();
        assert_eq!(
            (url.host(), url.port(), url.target()),
            ("id.example.com", 8443, "/realms/a?x=1")
        );
        assert_eq!(url.origin(), "https://id.example.com:8443");
        let url = Url::parse("https://a.example").unwrap();
        assert_eq!((url.port(), url.target(), url.origin()), (443, "/", "https://a.example"));
        let url = Url::parse("http://[::1]:80/x").unwrap();
        assert_eq!((url.host(), url.is_encrypted()), ("::1", false));
    }

    #[test]
    fn i3_what_could_lead_elsewhere_is_refused() {
        for bad in [
            "",
            "a.example",
            "/x",
            "ftp://a.example",
            "file:///etc/passwd",
            "http://a.example/keys",
            "http://127.0.0.1.evil.example/",
            "http://localhost@evil.example/",
            "https://user:pw@a.example/",
            "https://a.example/#x",
            "https://a.example/ x",
            "https://a.example\\@b/",
            "https://a.example:/",
            "https://a.example:99999/",
            "https:///x",
        ] {
            assert_eq!(Url::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_plain_http_stays_on_this_machine(text in "(https?://)?[a-z0-9.:@/\\[\\]#?-]{0,30}") {
            if let Some(url) = Url::parse(&text) {
                prop_assert!(url.is_encrypted() || is_loopback(url.host()));
                prop_assert!(url.as_str().starts_with(url.origin()));
            }
        }
    }
}
