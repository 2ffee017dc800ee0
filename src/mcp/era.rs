//! Which era a message belongs to, and the revisions that are served.
//!
//! Up to 2025-11-25 a client opens a session with `initialize`; from 2026-07-28 on each request
//! carries everything itself. The choice is made here, once, and from header and body together:
//! what they do not say with one voice is refused.

use http::HeaderMap;
use rmcp::model::ProtocolVersion;
use serde_json::json;

use super::{
    headers::{self, PROTOCOL_VERSION},
    preparse::{Kind, Message},
    refusal::{INVALID_PARAMS, INVALID_REQUEST, Refusal, UNSUPPORTED_VERSION},
};

/// The revisions that are served, oldest first. 2025-03-26 is not among them: it asks servers
/// to take batches, which are refused here.
pub const REVISIONS: [ProtocolVersion; 3] =
    [ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];
/// The first revision without sessions.
pub const STATELESS: &str = "2026-07-28";
/// The newest revision with sessions.
const NEWEST_WITH_SESSIONS: &str = "2025-11-25";

/// How a message is to be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// By itself.
    Stateless,
    /// It opens a session.
    Initialize,
    /// Within a session.
    Session,
}

/// Decides for a POST.
///
/// # Errors
/// 400 with -32020 (header and body differ), -32022 (not served), -32602 (`_meta` is missing)
/// or -32600 (a request without `id`, an answer that nobody asked for).
pub fn of(headers: &HeaderMap, message: &Message<'_>) -> Result<Era, Refusal> {
    if message.kind == Kind::Notification && !message.method.starts_with("notifications/") {
        // A request without an id would act and tell nobody how it ended.
        return Err(Refusal::bad(INVALID_REQUEST, "a request needs an `id`"));
    }
    let request = message.kind == Kind::Request;
    let header = headers::one(headers, &PROTOCOL_VERSION)?;
    // Whatever revision it offers; but without an offer in the revision that has no such method,
    // it is a method that is not there.
    if request
        && message.method == "initialize"
        && (message.offered_version.is_some() || header != Some(STATELESS))
    {
        headers::contradict_no_body(headers, message)?;
        let offered = message.offered_version.as_deref();
        if let (Some(header), Some(offered)) = (header, offered)
            && header != offered
        {
            return Err(headers::mismatch(
                "the header `MCP-Protocol-Version` differs from `params.protocolVersion`; leave \
                 the header out of `initialize`",
            ));
        }
        return Ok(Era::Initialize);
    }
    if let Some(meta) = message.meta_version.as_deref()
        && header != Some(meta)
    {
        return Err(headers::mismatch(
            "the header `MCP-Protocol-Version` must equal the revision in `params._meta`",
        ));
    }
    if let Some(version) = header.filter(|version| !is_served(version)) {
        return Err(unsupported(version));
    }
    let stateless = header == Some(STATELESS);
    if request
        && message.meta_version.is_none()
        && (stateless || message.method == "server/discover")
    {
        return Err(Refusal::bad(
            INVALID_PARAMS,
            "`params._meta` must name io.modelcontextprotocol/protocolVersion and \
             io.modelcontextprotocol/clientCapabilities",
        ));
    }
    if !stateless {
        headers::contradict_no_body(headers, message)?;
        return Ok(Era::Session);
    }
    if message.kind == Kind::Response {
        return Err(Refusal::bad(INVALID_REQUEST, "this revision has no requests to answer"));
    }
    headers::repeat_the_body(headers, message)?;
    Ok(Era::Stateless)
}

/// Whether GET and DELETE say that they belong to a revision that has neither.
///
/// # Errors
/// 400 as in [`of`].
pub fn is_stateless(headers: &HeaderMap) -> Result<bool, Refusal> {
    match headers::one(headers, &PROTOCOL_VERSION)? {
        Some(version) if !is_served(version) => Err(unsupported(version)),
        version => Ok(version == Some(STATELESS)),
    }
}

/// The revision that a session gets when a client offers `offered`.
#[must_use]
pub fn negotiated(offered: Option<&str>) -> &'static str {
    match offered {
        Some("2025-06-18") => "2025-06-18",
        _ => NEWEST_WITH_SESSIONS,
    }
}

fn is_served(version: &str) -> bool {
    REVISIONS.iter().any(|served| served.as_str() == version)
}

fn unsupported(version: &str) -> Refusal {
    let supported: Vec<_> = REVISIONS.iter().map(ProtocolVersion::as_str).collect();
    let requested: String = version.chars().take(32).collect();
    Refusal::bad(UNSUPPORTED_VERSION, "unsupported protocol version")
        .with("supported", json!(supported))
        .with("requested", json!(requested))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::{super::preparse, *};

    /// Status and code of the refusal, or the era.
    fn decide(header: Option<&str>, body: &str) -> Result<Era, String> {
        let mut map = HeaderMap::new();
        if let Some(version) = header {
            map.insert(PROTOCOL_VERSION, version.parse().unwrap());
        }
        let message = preparse::read(body.as_bytes()).unwrap();
        map.insert(headers::METHOD, message.method.parse().unwrap());
        of(&map, &message).map_err(|refusal| format!("{refusal:?}"))
    }

    fn with_meta(method: &str, version: &str) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"{version}"}}}}}}"#
        )
    }

    #[test]
    fn header_and_body_speak_with_one_voice() {
        let list = with_meta("tools/list", STATELESS);
        assert_eq!(decide(Some(STATELESS), &list), Ok(Era::Stateless));
        assert!(decide(None, &list).unwrap_err().contains("-32020"));
        assert!(decide(Some("2025-11-25"), &list).unwrap_err().contains("-32020"));
        let plain = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        assert!(decide(Some(STATELESS), plain).unwrap_err().contains("-32602"));
        assert_eq!(decide(Some("2025-06-18"), plain), Ok(Era::Session));
        assert_eq!(decide(None, plain), Ok(Era::Session));
    }

    #[test]
    fn no_era_lets_a_header_contradict_the_body() {
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"forget"}}"#;
        let open = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
        let decide = |list: &[(HeaderName, &'static str)], body: &str| {
            let map = list.iter().map(|(n, v)| (n.clone(), HeaderValue::from_static(v))).collect();
            of(&map, &preparse::read(body.as_bytes()).unwrap()).map_err(|r| format!("{r:?}"))
        };
        assert_eq!(decide(&[], call), Ok(Era::Session));
        let same = [(headers::METHOD, "tools/call"), (headers::NAME, "forget")];
        assert_eq!(decide(&same, call), Ok(Era::Session));
        assert_eq!(decide(&[(headers::METHOD, "initialize")], open), Ok(Era::Initialize));
        assert_eq!(decide(&[(PROTOCOL_VERSION, "2025-11-25")], open), Ok(Era::Initialize));
        for (list, body) in [
            (&[(headers::METHOD, "tools/list")], call),
            (&[(headers::NAME, "recall")], call),
            (&[(headers::METHOD, "tools/list")], open),
            (&[(PROTOCOL_VERSION, STATELESS)], open),
            (&[(PROTOCOL_VERSION, "1900-01-01")], open),
        ] {
            let refusal = decide(list, body).unwrap_err();
            assert!(refusal.contains("-32020"), "{list:?} {refusal}");
        }
    }

    #[test]
    fn only_what_is_served_is_served() {
        for version in ["2025-03-26", "2024-11-05", "2099-01-01", "x"] {
            let refusal = decide(Some(version), &with_meta("tools/list", version)).unwrap_err();
            assert!(refusal.contains("-32022") && refusal.contains("2026-07-28"), "{refusal}");
        }
        let discover = r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#;
        assert!(decide(None, discover).unwrap_err().contains("-32602"));
    }

    #[test]
    fn a_request_needs_an_id() {
        for version in [Some(STATELESS), Some("2025-11-25"), None] {
            let call =
                r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"delete_memory"}}"#;
            assert!(decide(version, call).unwrap_err().contains("-32600"));
        }
        let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert_eq!(decide(None, note), Ok(Era::Session));
        assert_eq!(decide(Some(STATELESS), note), Ok(Era::Stateless));
    }

    #[test]
    fn initialize_opens_a_session_whatever_it_names() {
        assert_eq!(decide(None, &with_meta("initialize", STATELESS)), Ok(Era::Initialize));
        assert_eq!(negotiated(Some("2025-06-18")), "2025-06-18");
        for offered in [Some("2026-07-28"), Some("2025-11-25"), Some("1999-01-01"), None] {
            assert_eq!(negotiated(offered), NEWEST_WITH_SESSIONS);
        }
    }
}
