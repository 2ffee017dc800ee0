//! The manual's examples against tokens of the shapes that providers document.
//!
//! Every shape was built from the provider's documents, none was taken from a live provider:
//! Microsoft's *Access token claims reference* (versions 1.0 and 2.0), Keycloak's *Server
//! Administration Guide*, Auth0's *Access Token Profiles*, Okta's *API access tokens*, GitHub's
//! *`OpenID` Connect reference*.

use serde_json::{Value, json};

use super::{grant::Grant, rules::Rules, testing::unsigned, text::Token};
use crate::{
    config::load::{Sources, survey},
    domain::{
        key::Role,
        scope::{Scope, Scopes},
    },
};

const NOW: i64 = 1_800_000_000;
const MANUAL: &str = include_str!("../../manual/identity.rs");

/// The settings under a heading of the manual.
fn example(heading: &str) -> String {
    let page = MANUAL.replace("//! ", "").replace("//!", "");
    let (_, section) = page.split_once(&format!("### {heading}\n")).unwrap();
    let (_, block) = section.split_once("```toml\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// What a token of this shape grants with the settings under the heading.
fn granted(heading: &str, header: &Value, claims: &Value) -> Grant {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("memgate.toml"), example(heading)).unwrap();
    let sources = Sources { directory: directory.path().to_owned(), ..Sources::default() };
    let (loaded, problems) = survey(&sources);
    assert!(problems.is_empty(), "{heading}: {problems:?}");
    let auth = &loaded.settings.auth;
    let rules = Rules::new(&auth.issuers[0], auth);
    let text = unsigned(header, claims);
    let token = Token::read(&text).unwrap();
    assert_eq!(rules.check(&token, NOW), Ok(()), "{heading}");
    Grant::of(&token.claims, &rules).unwrap()
}

fn is(grant: &Grant, tenant: &str, scopes: Scopes) {
    assert_eq!(grant.role, Role::Agent);
    assert_eq!(grant.tenant.as_ref().unwrap().as_str(), tenant);
    assert_eq!(grant.scopes, scopes);
}

#[test]
fn every_example_for_entra_id_fits_its_token() {
    let reads = Scopes::NONE.with(Scope::Read);
    let mut entra = json!({
        "aud": "11111111-2222-3333-4444-555555555555",
        "iss": "https://login.microsoftonline.com/99999999-8888-7777-6666-555555555555/v2.0",
        "iat": NOW - 300, "nbf": NOW - 300, "exp": NOW + 4200,
        "aio": "AXQAi/8TAAAA", "azp": "22222222-2222-3333-4444-555555555555", "azpacr": "0",
        "name": "Ada", "oid": "aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb",
        "preferred_username": "ada@example.com", "rh": "0.AAAA", "scp": "memgate:read",
        "sub": "HKZpfaHyWadeOouYlitjrI", "tid": "99999999-8888-7777-6666-555555555555",
        "uti": "fqiBqXLPj0eQa82S", "ver": "2.0",
    });
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "i6lGk3FZzxRcUb2C3nEQ7syHJlY"});
    is(&granted("Entra ID, version 2 tokens", &header, &entra), "ada", reads);
    entra["roles"] = json!(["memgate.operator"]);
    assert_eq!(granted("Entra ID, version 2 tokens", &header, &entra).role, Role::Operator);

    let header = json!({"typ": "JWT", "alg": "RS256", "x5t": "i6lGk3FZzxRcUb2C3nEQ7syHJlY",
                        "kid": "i6lGk3FZzxRcUb2C3nEQ7syHJlY"});
    let claims = json!({
        "aud": "api://11111111-2222-3333-4444-555555555555",
        "iss": "https://sts.windows.net/99999999-8888-7777-6666-555555555555/",
        "iat": NOW - 300, "nbf": NOW - 300, "exp": NOW + 4200, "acr": "1", "aio": "AXQAi/8IAAAA",
        "amr": ["pwd"], "appid": "22222222-2222-3333-4444-555555555555", "appidacr": "0",
        "ipaddr": "192.0.2.7", "name": "Ada", "oid": "aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb",
        "rh": "0.AAAA", "scp": "memgate:read memgate:write", "sub": "l3_roISQU222bULS9yi2k0",
        "tid": "99999999-8888-7777-6666-555555555555", "unique_name": "ada@example.com",
        "upn": "ada@example.com", "uti": "fqiBqXLPj0eQa82S", "ver": "1.0",
    });
    is(&granted("Entra ID, version 1 tokens", &header, &claims), "ada", Scopes::ALL);
}

#[test]
fn every_example_fits_its_token() {
    let reads = Scopes::NONE.with(Scope::Read);
    let header =
        json!({"alg": "RS256", "typ": "JWT", "kid": "FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQ"});
    let claims = json!({
        "exp": NOW + 300, "iat": NOW, "jti": "onrtac:2f6a", "iss": "https://id.example.com/realms/acme",
        "aud": ["https://memory.example.com/mcp", "account"],
        "sub": "b7f6a6a0-0f62-4e4f-9a55-4f4b9c3c4d5e", "typ": "Bearer", "azp": "cursor",
        "sid": "3f0e", "acr": "1", "allowed-origins": ["*"],
        "realm_access": {"roles": ["offline_access", "uma_authorization"]},
        "resource_access": {"account": {"roles": ["view-profile"]}},
        "scope": "openid memgate:read profile", "email_verified": true, "tenant": "acme",
        "preferred_username": "ada",
    });
    is(&granted("Keycloak", &header, &claims), "acme", reads);

    let header =
        json!({"alg": "RS256", "typ": "at+jwt", "kid": "NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4"});
    let claims = json!({
        "https://memory.example.com/tenant": "acme", "iss": "https://acme.eu.auth0.com/",
        "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "aud": ["https://memory.example.com/mcp", "https://acme.eu.auth0.com/userinfo"],
        "iat": NOW, "exp": NOW + 86_400, "azp": "my_client_id", "scope": "openid memgate:write",
        "permissions": ["memgate:write"],
    });
    let writes = Scopes::NONE.with(Scope::Write).with(Scope::Delete);
    is(&granted("Auth0", &header, &claims), "acme", writes);

    let header = json!({"kid": "lVHTCTjUqLYXkVyMYmOL", "alg": "RS256"});
    let claims = json!({
        "ver": 1, "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
        "iss": "https://acme.okta.com/oauth2/default", "aud": "api://default", "iat": NOW,
        "exp": NOW + 3600, "cid": "nmdP1fcyvdVO11AL7ECm", "uid": "00ulthapbErVUwVJy4x6",
        "scp": ["openid", "memgate:read"], "sub": "ada@example.com",
    });
    is(&granted("Okta", &header, &claims), "ada", reads);

    let header =
        json!({"typ": "JWT", "alg": "RS256", "x5t": "example-thumbprint", "kid": "example-key-id"});
    let claims = json!({
        "jti": "example-id", "sub": "repo:octo-org/octo-repo:environment:prod",
        "environment": "prod", "aud": "https://memory.example.com/mcp", "ref": "refs/heads/main",
        "sha": "example-sha", "repository": "octo-org/octo-repo", "repository_owner": "octo-org",
        "actor_id": "12", "repository_visibility": "private", "repository_id": "74",
        "repository_owner_id": "65", "run_id": "example-run-id", "run_number": "10",
        "run_attempt": "2", "runner_environment": "github-hosted", "actor": "octocat",
        "workflow": "example-workflow", "head_ref": "", "base_ref": "", "event_name":
        "workflow_dispatch", "ref_type": "branch", "iss": "https://token.actions.githubusercontent.com",
        "nbf": NOW - 600, "iat": NOW, "exp": NOW + 300,
    });
    is(&granted("GitHub Actions", &header, &claims), "octo-ci", Scopes::ALL);
}
