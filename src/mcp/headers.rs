//! The request's headers: media types, the headers that repeat the body, the session id.
//!
//! Each of these headers counts once. Of two, a proxy may have looked at the other one, so two
//! are refused whatever they say.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{
    preparse::Message,
    refusal::{HEADER_MISMATCH, INVALID_REQUEST, PARSE_ERROR, Refusal},
};

/// The revision that the client speaks.
pub const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// The protocol session of the 2025 revisions: a secret.
pub const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// Repeats the body's `method`.
pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// Repeats the tool, prompt, resource or task that the body names.
pub const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// What the protocol library wants to see in `Accept`.
pub const BOTH_MEDIA: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const EVENTS: &str = "text/event-stream";
const JSON: &str = "application/json";

/// The body of a POST must be JSON in UTF-8.
///
/// # Errors
/// 415.
pub fn content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let fits = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).is_some_and(|v| {
        let mut parts = v.split(';').map(str::trim);
        parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case(JSON))
            && parts.all(|parameter| {
                let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                !name.trim().eq_ignore_ascii_case("charset")
                    || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            })
    });
    if fits {
        Ok(())
    } else {
        Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            PARSE_ERROR,
            "send the message as `Content-Type: application/json`, in UTF-8",
        ))
    }
}

/// A POST may be answered with JSON or with events, so the client must take both.
///
/// # Errors
/// 406.
pub fn accepts_both(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.get(header::ACCEPT) == Some(&BOTH_MEDIA)
        || (accepts(headers, JSON) && accepts(headers, EVENTS))
    {
        return Ok(());
    }
    Err(not_acceptable("send `Accept: application/json, text/event-stream`"))
}

/// A GET opens a stream of events.
///
/// # Errors
/// 406.
pub fn accepts_events(headers: &HeaderMap) -> Result<(), Refusal> {
    if accepts(headers, EVENTS) {
        Ok(())
    } else {
        Err(not_acceptable("send `Accept: text/event-stream`"))
    }
}

fn not_acceptable(message: &'static str) -> Refusal {
    Refusal::new(StatusCode::NOT_ACCEPTABLE, INVALID_REQUEST, message)
}

fn accepts(headers: &HeaderMap, media: &str) -> bool {
    let lists = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let Some(essence) = parts.next() else { return false };
        let (kind, any) = media.split_once('/').map_or((media, ""), |(kind, _)| (kind, "*"));
        let covers = essence.eq_ignore_ascii_case(media)
            || essence == "*/*"
            || essence
                .split_once('/')
                .is_some_and(|(k, s)| k.eq_ignore_ascii_case(kind) && s == any);
        covers && !parts.any(|p| p.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32)))
    })
}

/// The one value of a header.
///
/// # Errors
/// When it stands there twice, or is no visible ASCII.
pub fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    match text {
        Some(text) => Ok(Some(text)),
        None => Err(mismatch(format!("the header `{name}` must stand once, in visible ASCII"))),
    }
}

/// Header and body disagree.
#[must_use]
pub fn mismatch(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::bad(HEADER_MISMATCH, message)
}

/// In the 2026-07-28 revision the headers repeat the body, so that a proxy can decide without
/// reading it. SECURITY: whoever lets them differ lets a caller show the proxy one tool and call
/// another.
///
/// # Errors
/// 400, -32020.
pub fn repeat_the_body(headers: &HeaderMap, message: &Message<'_>) -> Result<(), Refusal> {
    match one(headers, &METHOD)? {
        Some(method) if method == message.method => {}
        Some(_) => return Err(mismatch("the header `Mcp-Method` differs from `method`")),
        None => return Err(mismatch("the header `Mcp-Method` is missing")),
    }
    let Some(expected) = named(message) else { return Ok(()) };
    match one(headers, &NAME)? {
        Some(name) if decoded(name).as_deref() == Some(expected) => Ok(()),
        Some(_) => Err(mismatch("the header `Mcp-Name` differs from the body")),
        None => Err(mismatch("the header `Mcp-Name` is missing")),
    }
}

/// In the revisions with sessions nobody has to repeat the body; who does, repeats what is there.
/// SECURITY: a proxy that decides by these headers does not ask for the revision first.
///
/// # Errors
/// 400, -32020.
pub fn contradict_no_body(headers: &HeaderMap, message: &Message<'_>) -> Result<(), Refusal> {
    if one(headers, &METHOD)?.is_some_and(|method| method != message.method) {
        return Err(mismatch("the header `Mcp-Method` differs from `method`"));
    }
    match (one(headers, &NAME)?, named(message)) {
        (Some(name), Some(expected)) if decoded(name).as_deref() != Some(expected) => {
            Err(mismatch("the header `Mcp-Name` differs from the body"))
        }
        _ => Ok(()),
    }
}

/// What `Mcp-Name` repeats for this method, when the body says it.
fn named<'a>(message: &'a Message<'_>) -> Option<&'a str> {
    match &*message.method {
        "tools/call" | "prompts/get" => message.name.as_deref(),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
            message.uri.as_deref()
        }
        "tasks/get" | "tasks/update" | "tasks/cancel" => message.task.as_deref(),
        _ => None,
    }
}

/// A header value that may be wrapped as `=?base64?…?=`, because headers hold no Unicode.
fn decoded(value: &str) -> Option<Cow<'_, str>> {
    match value.strip_prefix("=?base64?").and_then(|v| v.strip_suffix("?=")) {
        Some(inner) => String::from_utf8(STANDARD.decode(inner).ok()?).ok().map(Cow::Owned),
        None => Some(Cow::Borrowed(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::preparse, *};

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in list {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        map
    }

    #[test]
    fn only_json_in_utf_8() {
        let fits = |value| content_type(&headers(&[("content-type", value)])).is_ok();
        assert!(fits("application/json") && fits("Application/JSON; charset=\"UTF-8\""));
        for bad in ["text/plain", "application/json; charset=utf-16", "application/jsonx", ""] {
            assert!(!fits(bad), "{bad}");
        }
        assert_eq!(content_type(&HeaderMap::new()).unwrap_err().status(), 415);
    }

    #[test]
    fn both_media_types_must_be_taken() {
        let both = |list: &[&str]| {
            let list: Vec<_> = list.iter().map(|v| ("accept", *v)).collect();
            accepts_both(&headers(&list)).is_ok()
        };
        assert!(both(&["application/json, text/event-stream"]));
        assert!(both(&["text/event-stream;q=0.5", "application/*"]));
        assert!(both(&["*/*"]));
        for bad in [
            "application/json",
            "text/event-stream",
            "text/html",
            "application/json, text/event-stream;q=0",
        ] {
            assert!(!both(&[bad]), "{bad}");
        }
        assert!(!both(&[]));
    }

    #[test]
    fn headers_repeat_the_body() {
        let body =
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"gr\u00fc"}}"#;
        let message = preparse::read(body).unwrap();
        let check = |list: &[(&str, &str)]| repeat_the_body(&headers(list), &message);
        let method = ("mcp-method", "tools/call");
        assert!(check(&[method, ("mcp-name", "=?base64?Z3LDvA==?=")]).is_ok());
        for bad in [
            &[("mcp-name", "=?base64?Z3LDvA==?=")][..],
            &[method],
            &[method, ("mcp-name", "gr")],
            // The same in capitals.
            &[method, ("mcp-name", "=?base64?R1LDvA==?=")],
            &[method, ("mcp-name", "=?base64?!?=")],
            &[method, method, ("mcp-name", "=?base64?Z3LDvA==?=")],
            &[("mcp-method", "tools/list"), ("mcp-name", "=?base64?Z3LDvA==?=")],
            &[("mcp-method", "TOOLS/CALL"), ("mcp-name", "=?base64?Z3LDvA==?=")],
        ] {
            assert_eq!(check(bad).unwrap_err().status(), 400, "{bad:?}");
        }
    }
}
