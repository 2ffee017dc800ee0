//! What every handler of the administration does with a request and an answer.

use std::{fmt, sync::Arc};

use axum::{body::Body, response::Response};
use http::{HeaderValue, Request, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    audit::slot::Target,
    domain::{Error, Result, client::is_hidden},
    http::{
        error::{JSON, Refusal, json},
        state::State,
    },
};

/// The largest body of an administrative request, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// How much of a complaint about a body is repeated, in characters.
const MAX_COMPLAINT: usize = 200;

/// 200 with this body.
pub(super) fn ok<T: Serialize>(value: &T) -> Response {
    answer(StatusCode::OK, json(value))
}

/// 201 with this body, for what is now at `place`.
pub(super) fn created<T: Serialize>(place: &str, value: &T) -> Response {
    let mut response = answer(StatusCode::CREATED, json(value));
    if let Ok(place) = HeaderValue::try_from(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// 204.
pub(super) fn done() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The same answer; what it is about stands in the audit record.
pub(super) fn about(target: impl fmt::Display, mut response: Response) -> Response {
    response.extensions_mut().insert(Target(target.to_string()));
    response
}

fn answer(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// The part of the path after the last slash: the `{id}` of a route that ends in one. Ids have
/// no characters that are encoded in paths, so what does not parse as written is not one.
pub(super) fn id(request: &Request<Body>) -> &str {
    request.uri().path().rsplit('/').next().unwrap_or_default()
}

/// The part of the path before `/verb` at its end.
pub(super) fn id_before<'r>(request: &'r Request<Body>, verb: &str) -> &'r str {
    let path = request.uri().path();
    let place = path.strip_suffix(verb).and_then(|path| path.strip_suffix('/'));
    place.and_then(|path| path.rsplit('/').next()).unwrap_or_default()
}

/// The body, as strict JSON.
///
/// # Errors
/// 415 for another content type, 413 for a body over 64 KiB, 400 with the first fault found.
pub(super) async fn read<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Refusal> {
    if !is_json(&request) {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the body as `application/json`",
        ));
    }
    let body = axum::body::to_bytes(request.into_body(), MAX_BODY).await.map_err(|_| {
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the request body is larger than 64 KiB")
    })?;
    serde_json::from_slice(&body).map_err(|fault| Refusal::from(complaint(&fault)))
}

fn is_json(request: &Request<Body>) -> bool {
    let mut types = request.headers().get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else { return false };
    let essence = only.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// How serde begins and ends what it repeats of a body.
const REPEATED: [(&str, &str); 5] = [
    ("unknown field `", "`, expected"),
    ("unknown field `", "`, there are no fields"),
    ("unknown variant `", "`, expected"),
    ("invalid type: string \"", "\", expected"),
    ("invalid value: string \"", "\", expected"),
];
/// The longest text that is repeated as a name, in bytes.
const MAX_NAME: usize = 24;

/// What is wrong with a body, in a sentence that names the field.
fn complaint(fault: &serde_json::Error) -> Error {
    if !fault.is_data() {
        return Error::bad_input("the request body is not JSON");
    }
    let text = fault.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let text = without_foreign_text(text);
    let shown = text.chars().take(MAX_COMPLAINT);
    Error::bad_input(shown.map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect::<String>())
}

/// INVARIANT I5: what a caller wrote is repeated only when it can be a misspelt name of ours; a key
/// that was pasted into the wrong place is not, since answers are logged by whoever calls. Test:
/// `i5_a_complaint_repeats_names_alone`.
fn without_foreign_text(text: &str) -> String {
    let is_name = |text: &str| {
        text.len() <= MAX_NAME && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    for (start, end) in REPEATED {
        // The last end is serde's own, whatever the caller's text contains.
        let Some((said, rest)) = text.strip_prefix(start).and_then(|rest| rest.rsplit_once(end))
        else {
            continue;
        };
        let said = if is_name(said) { said } else { "…" };
        return format!("{start}{said}{end}{rest}");
    }
    text.to_owned()
}

/// Runs something that writes to the disk where it holds nobody up.
///
/// # Errors
/// As `work` does.
pub(super) async fn blocking<T: Send + 'static>(
    state: &Arc<State>,
    work: impl FnOnce(&State) -> Result<T> + Send + 'static,
) -> Result<T> {
    let shared = Arc::clone(state);
    let task = state.tasks.spawn_blocking(move || work(&shared));
    task.await.map_err(Error::internal)?
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        #[serde(rename = "name")]
        _name: String,
    }

    async fn status(kind: &str, body: &str) -> u16 {
        let request = Request::builder()
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(body.to_owned()))
            .unwrap();
        read::<Wanted>(request).await.map_or_else(|r| r.status().as_u16(), |_| 200)
    }

    #[tokio::test]
    async fn a_body_is_json_and_nothing_but_what_was_asked_for() {
        assert_eq!(status("application/json; charset=utf-8", r#"{"name":"a"}"#).await, 200);
        assert_eq!(status("text/plain", r#"{"name":"a"}"#).await, 415);
        for bad in ["", "{", "[]", "{}", r#"{"name":1}"#, r#"{"name":"a","role":"b"}"#] {
            assert_eq!(status("application/json", bad).await, 400, "{bad}");
        }
        assert_eq!(status("application/json", r#"{"name":"a","name":"b"}"#).await, 400);
        assert_eq!(status("application/json", &" ".repeat(MAX_BODY + 1)).await, 413);
    }

    #[test]
    fn a_complaint_names_the_field_and_no_position() {
        let fault = serde_json::from_str::<Wanted>(r#"{"name":"a","ro\u001ble":1}"#).unwrap_err();
        let said = complaint(&fault);
        assert!(said.public().starts_with("unknown field `…`, expected `name`"), "{said}");
        assert!(!said.public().contains("line"));
        let fault = serde_json::from_str::<Wanted>(r#"{"name":"a","rolle":1}"#).unwrap_err();
        assert!(complaint(&fault).public().starts_with("unknown field `rolle`"));
    }

    #[test]
    fn i5_a_complaint_repeats_names_alone() {
        for secret in ["k7Qd93jf8sLw02Xm", "a`, expected b2", "x\", expected y3", "mg_abc1"] {
            for body in [json!({"name": "a", secret: 1}), json!({"name": [secret]}), json!(secret)]
            {
                let fault = serde_json::from_value::<Wanted>(body).unwrap_err();
                let said = complaint(&fault);
                for part in [secret, "b2", "y3"] {
                    assert!(!said.public().contains(part), "{said}");
                }
            }
        }
    }
}
