//! What memgate says of itself to clients that need a token (RFC 9728, RFC 6750).
//!
//! The metadata document, and the challenges that point to it. INVARIANT I3: every word comes
//! from the settings, none from a request: whoever could choose the `Host` could otherwise send
//! clients to an authorization server of their own (test
//! `i3_metadata_follows_the_settings_and_not_the_host`). Without an issuer none of it is said.

use axum::{body::Body, response::Response};
use http::{HeaderValue, Request, StatusCode, header};
use serde_json::json;

use super::{
    error::{JSON, Refusal, json},
    state::State,
};
use crate::{config::auth::Auth, domain::scope::Scope};

/// Where the document is, for the whole host.
pub const METADATA_PATH: &str = "/.well-known/oauth-protected-resource";

/// GET of the document, under either path.
///
/// # Errors
/// 404 without an issuer; the route is not there then.
pub(super) fn metadata(state: &State, _: &Request<Body>) -> Result<Response, Refusal> {
    let auth = &state.settings.auth;
    let Some(resource) = auth.resource.as_ref().filter(|_| !auth.issuers.is_empty()) else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "there is nothing here"));
    };
    let servers: Vec<_> = auth.issuers.iter().map(|issuer| &issuer.issuer).collect();
    let mut response = Response::new(json(&json!({
        "resource": resource.as_str(),
        "authorization_servers": servers,
        "scopes_supported": scopes(auth),
        "bearer_methods_supported": ["header"],
        "resource_name": state.settings.mcp.server_name,
    })));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    Ok(response)
}

/// What stands in `WWW-Authenticate`.
#[derive(Debug, Clone)]
pub struct Challenges {
    /// `None`: the one without any parameters but the realm.
    unauthorized: Option<HeaderValue>,
    insufficient: [HeaderValue; 3],
}

impl Challenges {
    /// The challenges that follow from the settings.
    #[must_use]
    pub fn new(auth: &Auth) -> Self {
        let metadata = auth.resource.as_ref().filter(|_| !auth.issuers.is_empty()).map(|url| {
            // RFC 9728 3.1: between the host and the path.
            let path = url.target().trim_end_matches('/');
            format!(", resource_metadata=\"{}{METADATA_PATH}{path}\"", url.origin())
        });
        let pointer = metadata.as_deref().unwrap_or_default();
        let value = |text: String| HeaderValue::try_from(text).unwrap_or(BARE);
        Self {
            unauthorized: metadata.as_ref().map(|_| {
                let scopes = scopes(auth).join(" ");
                value(format!("Bearer realm=\"memgate\"{pointer}, scope=\"{scopes}\""))
            }),
            insufficient: Scope::ALL.map(|scope| {
                let needed = asked_for(auth, scope);
                value(format!(
                    "Bearer realm=\"memgate\", error=\"insufficient_scope\", scope=\"{needed}\"{pointer}"
                ))
            }),
        }
    }

    /// Puts the challenge that belongs to it into a refusal; any other answer stays as it is.
    pub fn put_into(&self, response: &mut Response) {
        let missing = response.extensions_mut().remove::<Scope>();
        let challenge = match (response.status(), missing) {
            (StatusCode::UNAUTHORIZED, _) => self.unauthorized.clone(),
            (StatusCode::FORBIDDEN, Some(scope)) => self.insufficient.get(scope as usize).cloned(),
            _ => None,
        };
        if let Some(challenge) = challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
    }
}

const BARE: HeaderValue = HeaderValue::from_static("Bearer realm=\"memgate\"");

/// The names of all scopes, each once.
fn scopes(auth: &Auth) -> Vec<String> {
    let mut names: Vec<_> = Scope::ALL.iter().map(|scope| asked_for(auth, *scope)).collect();
    names.dedup();
    names
}

/// The name under which a client asks for a scope.
fn asked_for(auth: &Auth, scope: Scope) -> String {
    let name = match scope {
        Scope::Read => &auth.read_scope,
        Scope::Write => &auth.write_scope,
        Scope::Delete => auth.delete_scope.as_ref().unwrap_or(&auth.write_scope),
    };
    format!("{}{name}", auth.scope_prefix.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{form::url::Url, issuer::Issuer};

    fn auth(resource: &str) -> Auth {
        Auth {
            resource: Url::parse(resource),
            issuers: vec![Issuer { issuer: "https://id.example".to_owned(), ..Issuer::default() }],
            ..Auth::default()
        }
    }

    fn challenge(auth: &Auth, status: StatusCode, scope: Option<Scope>) -> Option<String> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        if let Some(scope) = scope {
            response.extensions_mut().insert(scope);
        }
        Challenges::new(auth).put_into(&mut response);
        let value = response.headers().get(header::WWW_AUTHENTICATE)?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn challenges_point_to_the_metadata_and_name_scopes() {
        let auth = auth("https://m.example/mcp");
        assert_eq!(
            challenge(&auth, StatusCode::UNAUTHORIZED, None).unwrap(),
            "Bearer realm=\"memgate\", resource_metadata=\"https://m.example/.well-known/\
             oauth-protected-resource/mcp\", scope=\"memgate:read memgate:write\""
        );
        assert_eq!(
            challenge(&auth, StatusCode::FORBIDDEN, Some(Scope::Write)).unwrap(),
            "Bearer realm=\"memgate\", error=\"insufficient_scope\", scope=\"memgate:write\", \
             resource_metadata=\"https://m.example/.well-known/oauth-protected-resource/mcp\""
        );
        assert_eq!(challenge(&auth, StatusCode::FORBIDDEN, None), None);
        assert_eq!(challenge(&auth, StatusCode::OK, None), None);
        let at_root = self::auth("https://m.example");
        let root = challenge(&at_root, StatusCode::UNAUTHORIZED, None).unwrap();
        assert!(root.contains("/.well-known/oauth-protected-resource\""), "{root}");
    }

    #[test]
    fn a_prefix_stands_where_clients_ask_and_without_an_issuer_nothing_does() {
        let mut auth = auth("https://m.example/mcp");
        auth.scope_prefix = Some("api://memgate/".to_owned());
        auth.delete_scope = Some("memgate:delete".to_owned());
        let text = challenge(&auth, StatusCode::UNAUTHORIZED, None).unwrap();
        assert!(text.contains(
            "scope=\"api://memgate/memgate:read api://memgate/memgate:write \
             api://memgate/memgate:delete\""
        ));
        auth.issuers.clear();
        assert_eq!(challenge(&auth, StatusCode::UNAUTHORIZED, None), None);
    }
}
