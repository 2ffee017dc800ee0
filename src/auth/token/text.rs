//! A token taken apart: its header and its claims, read strictly and not yet believed.
//!
//! Lenient readers are how tokens are forged: a member that stands twice, a number where a text
//! belongs, a list of issuers with a good one in it. Each is refused here, before any key is
//! looked at. SECURITY: the text itself is never kept or printed (I5).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::flaw::Flaw;
use crate::{
    config::issuer::Algorithm,
    domain::{client::is_hidden, strict_json},
};

/// The longest token, in bytes; a request's head hardly holds more.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// The longest header, in characters of base64url.
const MAX_HEADER_CHARS: usize = 1024;
/// The longest key id.
const MAX_KID_BYTES: usize = 256;
/// The longest subject and issuer (OpenID Connect allows a subject 255).
const MAX_NAME_BYTES: usize = 255;
/// The end of the year 9999; no date lies behind it.
const LAST_DATE: f64 = 253_402_300_799.0;
/// Members of a header that bring a key or lead to one.
const OWN_KEYS: [&str; 4] = ["jwk", "jku", "x5u", "x5c"];

/// A token that reads well.
pub struct Token<'t> {
    text: &'t str,
    /// Its header.
    pub header: Header,
    /// Its claims.
    pub claims: Claims,
}

/// The members of a header that mean something here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `alg`.
    pub algorithm: Algorithm,
    /// `kid`.
    pub kid: Option<String>,
    /// `typ`.
    pub kind: Option<String>,
}

/// The claims that every token must have, and the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// `aud`, one or more.
    pub audience: Vec<String>,
    /// `exp`, in seconds since 1970, like all dates here.
    pub expires: i64,
    /// `nbf`.
    pub not_before: Option<i64>,
    /// `iat`.
    pub issued: Option<i64>,
    /// All of them, as they were written.
    pub all: Map<String, Value>,
}

/// SECURITY: a token does not print.
impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("algorithm", &self.header.algorithm).finish_non_exhaustive()
    }
}

impl<'t> Token<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// The first thing that is wrong with its form.
    pub fn read(text: &'t str) -> Result<Self, Flaw> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(Flaw::Shape);
        }
        let mut parts = text.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Flaw::Shape);
        };
        if header.len() > MAX_HEADER_CHARS {
            return Err(Flaw::Shape);
        }
        let header = Header::read(&object(header)?)?;
        if signature.is_empty() {
            return Err(Flaw::Shape);
        }
        Ok(Self { text, header, claims: Claims::read(object(claims)?)? })
    }

    /// The whole text, for the verifier.
    pub(super) fn text(&self) -> &'t str {
        self.text
    }
}

impl Header {
    fn read(members: &Map<String, Value>) -> Result<Self, Flaw> {
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(Flaw::Type),
        };
        // SECURITY: nobody who must be understood and is not may be let in (RFC 7515 4.1.11).
        if members.contains_key("crit") || members.contains_key("b64") {
            return Err(Flaw::Critical);
        }
        // SECURITY: keys come from the settings alone (test `i3_no_key_of_its_own`).
        if OWN_KEYS.iter().any(|name| members.contains_key(*name)) {
            return Err(Flaw::OwnKey);
        }
        let algorithm = text("alg")?.and_then(Algorithm::parse).ok_or(Flaw::Algorithm)?;
        let kid = text("kid")?;
        if kid.is_some_and(|kid| kid.is_empty() || kid.len() > MAX_KID_BYTES) {
            return Err(Flaw::Type);
        }
        Ok(Self { algorithm, kid: kid.map(str::to_owned), kind: text("typ")?.map(str::to_owned) })
    }
}

impl Claims {
    fn read(all: Map<String, Value>) -> Result<Self, Flaw> {
        let name = |claim: &str| match all.get(claim) {
            None => Err(Flaw::Missing),
            Some(Value::String(text)) if is_name(text) => Ok(text.clone()),
            Some(_) => Err(Flaw::Type),
        };
        let audience = match all.get("aud") {
            None => return Err(Flaw::Missing),
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(some)) => texts(some).ok_or(Flaw::Type)?,
            Some(_) => return Err(Flaw::Type),
        };
        Ok(Self {
            issuer: name("iss")?,
            subject: name("sub")?,
            audience,
            expires: date(all.get("exp"))?.ok_or(Flaw::Missing)?,
            not_before: date(all.get("nbf"))?,
            issued: date(all.get("iat"))?,
            all,
        })
    }

    /// The claim under this name, or under this path of names with dots between. A claim whose
    /// own name has dots in it comes first: Auth0 calls them after URLs.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Value> {
        if let Some(value) = self.all.get(path) {
            return Some(value);
        }
        let (first, rest) = path.split_once('.')?;
        rest.split('.').try_fold(self.all.get(first)?, |value, name| value.get(name))
    }
}

/// The texts of a list that has nothing else in it.
pub(super) fn texts(list: &[Value]) -> Option<Vec<String>> {
    list.iter().map(|value| value.as_str().map(str::to_owned)).collect()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME_BYTES && !text.chars().any(is_hidden)
}

fn object(part: &str) -> Result<Map<String, Value>, Flaw> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Flaw::Shape)?;
    strict_json::object(&bytes).ok_or(Flaw::Shape)
}

/// A number of seconds; parts of a second, which the standard allows, are cut off.
fn date(value: Option<&Value>) -> Result<Option<i64>, Flaw> {
    let Some(value) = value else { return Ok(None) };
    let seconds = match value {
        Value::Number(number) => number.as_f64().ok_or(Flaw::Type)?,
        _ => return Err(Flaw::Type),
    };
    if !(0.0..=LAST_DATE).contains(&seconds) {
        return Err(Flaw::Type);
    }
    #[expect(clippy::cast_possible_truncation, reason = "it lies between 0 and the last date")]
    let seconds = seconds as i64;
    Ok(Some(seconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(header: &str, claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", part(header), part(claims))
    }

    fn flaw(header: &str, claims: &str) -> Option<Flaw> {
        Token::read(&token(header, claims)).err()
    }

    const HEADER: &str = r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#;
    const CLAIMS: &str = r#"{"iss":"https://i","sub":"u","aud":"a","exp":9}"#;

    #[test]
    fn a_good_token_is_read() {
        let text =
            token(HEADER, r#"{"iss":"i","sub":"u","aud":["a","b"],"exp":9.7,"nbf":1,"iat":2}"#);
        let token = Token::read(&text).unwrap();
        assert_eq!(token.header.kid.as_deref(), Some("k"));
        let claims = &token.claims;
        assert_eq!((claims.expires, claims.not_before, claims.issued), (9, Some(1), Some(2)));
        assert_eq!(claims.audience, ["a", "b"]);
        assert!(!format!("{token:?}").contains("eyJ"));
    }

    #[test]
    fn i3_no_key_of_its_own_and_nothing_critical() {
        assert_eq!(flaw(HEADER, CLAIMS), None);
        for (header, wrong) in [
            (r#"{"alg":"none"}"#, Flaw::Algorithm),
            (r#"{"alg":"None"}"#, Flaw::Algorithm),
            (r#"{"alg":"HS256"}"#, Flaw::Algorithm),
            (r#"{"alg":"es256"}"#, Flaw::Algorithm),
            (r#"{"alg":["ES256"]}"#, Flaw::Type),
            ("{}", Flaw::Algorithm),
            (r#"{"alg":"ES256","jku":"https://x"}"#, Flaw::OwnKey),
            (r#"{"alg":"ES256","jwk":{}}"#, Flaw::OwnKey),
            (r#"{"alg":"ES256","x5u":"https://x"}"#, Flaw::OwnKey),
            (r#"{"alg":"ES256","x5c":[]}"#, Flaw::OwnKey),
            (r#"{"alg":"ES256","crit":["exp2"]}"#, Flaw::Critical),
            (r#"{"alg":"ES256","crit":null}"#, Flaw::Critical),
            (r#"{"alg":"ES256","b64":false}"#, Flaw::Critical),
            (r#"{"alg":"ES256","kid":5}"#, Flaw::Type),
            (r#"{"alg":"ES256","kid":""}"#, Flaw::Type),
            (r#"{"alg":"ES256","typ":1}"#, Flaw::Type),
            (r#"{"alg":"ES256","alg":"ES256"}"#, Flaw::Shape),
            ("[]", Flaw::Shape),
        ] {
            assert_eq!(flaw(header, CLAIMS), Some(wrong), "{header}");
        }
        let long = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(300));
        assert_eq!(flaw(&long, CLAIMS), Some(Flaw::Type));
        let long = format!(r#"{{"alg":"ES256","x":"{}"}}"#, "k".repeat(900));
        assert_eq!(flaw(&long, CLAIMS), Some(Flaw::Shape));
    }

    #[test]
    fn i3_claims_have_their_types() {
        let with = |name: &str, value: &str| {
            let mut all: Map<String, Value> = serde_json::from_str(CLAIMS).unwrap();
            all.remove(name);
            let rest = serde_json::to_string(&all).unwrap();
            format!("{},\"{name}\":{value}}}", rest.trim_end_matches('}'))
        };
        for (name, values) in [
            ("iss", &["5", "null", "[\"https://i\"]", "\"\"", "\"a\\u0000\""][..]),
            ("sub", &["5", "null", "[]", "\"\"", "\"\\u202e\""]),
            ("aud", &["5", "null", "[5]", "{}", "[\"a\",5]", "true"]),
            ("exp", &["\"9\"", "null", "1e300", "-1", "[]", "true", "253402300800"]),
            ("nbf", &["\"x\"", "null", "-1", "1e300"]),
            ("iat", &["\"x\"", "null", "-1", "{}"]),
        ] {
            for value in values {
                assert_eq!(flaw(HEADER, &with(name, value)), Some(Flaw::Type), "{name} {value}");
            }
        }
        for name in ["iss", "sub", "aud", "exp"] {
            let mut all: Map<String, Value> = serde_json::from_str(CLAIMS).unwrap();
            all.remove(name);
            let rest = serde_json::to_string(&all).unwrap();
            assert_eq!(flaw(HEADER, &rest), Some(Flaw::Missing), "{name}");
        }
        let twice = CLAIMS.replace("\"exp\":9", "\"exp\":1,\"exp\":9");
        assert_eq!(flaw(HEADER, &twice), Some(Flaw::Shape));
        let deep = with("x", &format!("{}{}", "[".repeat(2000), "]".repeat(2000)));
        assert_eq!(flaw(HEADER, &deep), Some(Flaw::Shape));
    }

    #[test]
    fn other_shapes_are_no_tokens() {
        let good = token(HEADER, CLAIMS);
        let (head, _) = good.rsplit_once('.').unwrap();
        let long = format!("{good}{}", "A".repeat(9000));
        for bad in ["", "..", "eyJ.", head, &format!("{head}."), &format!("{good}.a"), &long] {
            assert_eq!(Token::read(bad).err(), Some(Flaw::Shape), "{}", &bad[..bad.len().min(60)]);
        }
        assert!(Token::read(&format!(" {good}")).is_err());
        assert!(Token::read(&good.replacen('.', "=.", 1)).is_err(), "no padding");
    }

    #[test]
    fn a_path_leads_into_objects_and_a_name_with_dots_comes_first() {
        let text = token(
            HEADER,
            r#"{"iss":"i","sub":"u","aud":"a","exp":9,"o":{"t":{"id":"x"}},"https://e.x/t":"y"}"#,
        );
        let claims = Token::read(&text).unwrap().claims;
        assert_eq!(claims.find("o.t.id"), Some(&Value::from("x")));
        assert_eq!(claims.find("https://e.x/t"), Some(&Value::from("y")));
        for none in ["o.t.id.x", "o..id", "o.x", "", ".", "x.t"] {
            assert_eq!(claims.find(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,80}", header in "\\PC{0,40}", claims in "\\PC{0,40}") {
            let _ = Token::read(&text);
            let _ = Token::read(&token(&header, CLAIMS));
            let _ = Token::read(&token(HEADER, &claims));
        }

        #[test]
        fn any_json_in_a_claim_is_judged_without_panic(name in "(iss|sub|aud|exp|nbf|iat|x)", value in "[0-9\\[\\]{}\",:.eE+a-]{0,12}") {
            let text = token(HEADER, &format!("{{\"iss\":\"i\",\"sub\":\"u\",\"aud\":\"a\",\"exp\":9,\"{name}\":{value}}}"));
            if let Ok(token) = Token::read(&text) {
                prop_assert!(token.claims.expires >= 0);
            }
        }
    }
}
