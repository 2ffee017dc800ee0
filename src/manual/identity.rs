//! # Tokens of an identity provider
//!
//! memgate can stand behind the identity provider that an organisation has already: it is then an
//! OAuth 2.1 resource server, and a client's access token (a JWT) is a credential like a key. It
//! issues no tokens, passes none on, and needs no secret of the provider's: public keys are all
//! it reads.
//!
//! ```toml
//! [auth]
//! # How clients reach /mcp: the audience of tokens, and what the metadata says.
//! resource = "https://memory.example.com/mcp"
//!
//! # One table for each issuer.
//! [[auth.issuer]]
//! issuer = "https://id.example.com/realms/acme"
//! discovery = true
//! tenant_claim = "tenant"
//! ```
//!
//! The tables stand in `memgate.toml` only: a list of tables has no sensible name in the
//! environment. Keys of memgate's own work beside tokens, and so do keys from the environment.
//! `memgate config check` says what is wrong, `memgate config show` where each field came from.
//! A reload (SIGHUP) reads keys anew; a changed table needs a restart.
//!
//! ## What makes a token good
//!
//! All of it, in this order, and before any claim means anything:
//!
//! - Three parts of strict base64url and JSON, at most 8 KiB, no member twice. `alg` is ES256, EdDSA
//!   or RS256, allowed for this issuer, and the very algorithm of the key. `typ` is one of `types`,
//!   `crit` is not there, and no member brings a key or leads to one (`jwk`, `jku`, `x5u`, `x5c`).
//! - `iss` is exactly the `issuer` of a table: a text, no list, no other slash at the end.
//! - `aud` is `audience` (or `auth.resource`) or one of `accepted_audiences`, exactly. A token that
//!   is for other services too is refused unless `other_audiences = true`, because each of them
//!   could use it here.
//! - `exp` lies ahead, `nbf` and `iat` do not, give or take `leeway`; from `iat` to `exp` it is at
//!   most `max_lifetime`. `sub` is there.
//! - The signature is by a key of that issuer, chosen by `kid`; a token without `kid` is good only
//!   where the issuer has one single key. RSA keys have at least 2048 bits.
//!
//! A bad token gets the same 401 as every bad credential. The reason stands in the log (level
//! `debug`, `credential refused`), the token never does. A token that is good and opens nothing here
//! gets 403, and the log says which claim was missing.
//!
//! ## Whose memory it opens
//!
//! The value of `tenant_claim`, which must be a text, is looked up in `tenant_map`; what is not
//! there must be the name of a tenant as it stands. Nothing is cleaned up: `Acme`, `acme ` and
//! `../acme` are refused, and a value like `ada@example.com` needs the map. A tenant that the map
//! names is reached through the map alone. `tenants` bounds what an issuer may open at all: write it
//! wherever an issuer is not yours. Tenants in the map and in `tenants` are made on the start;
//! others must exist, or `create_tenants = true` makes them. A claim may be a path with dots
//! (`realm_access.name`); a claim whose own name has dots in it comes first.
//!
//! A token is an agent's. It is an operator's only when `role_claim` holds one of
//! `operator_values`; an operator opens no memory.
//!
//! In lists, logs and policies a token's holder is `jwt-` and twenty characters: a hash of issuer,
//! subject and tenant, the same for every token of that holder. Rates count for the holder. A
//! session belongs to the token that opened it and ends with that token; whoever renews a token
//! opens a new session, as clients do by themselves.
//!
//! ## Scopes
//!
//! | scope | setting | lets a token |
//! |---|---|---|
//! | `memgate:read` | `auth.read_scope` | use the tools that only read |
//! | `memgate:write` | `auth.write_scope` | store and change memories |
//! | the one for writing | `auth.delete_scope` | delete memories |
//!
//! The scope is asked for by the tool that is called. A token without it gets 403 with
//! `WWW-Authenticate: Bearer error="insufficient_scope"`, the scope to ask for, and where the
//! metadata is; policies decide after that. Where the protocol's answer is a stream of events that
//! has begun (`mcp.json_response = false`), it is a tool error with the code `insufficient_scope`
//! instead. Writing does not include reading. Scopes are read from the first of `scope_claims` that
//! is there, a text with spaces or a list; `granted_scopes` gives every token of an issuer more,
//! for issuers that know no scopes. Keys of memgate's own have every scope.
//!
//! ## What clients are told
//!
//! `/.well-known/oauth-protected-resource` and `/.well-known/oauth-protected-resource/mcp` (RFC 9728)
//! name the resource, the issuers and the scopes, all from the settings and nothing from `Host`. A
//! 401 points there. Without an issuer both are 404 and a 401 points nowhere.
//!
//! ## Keys of the issuer
//!
//! They are fetched over HTTPS, from `jwks_url` or where discovery says, without redirects, at most
//! 1 MiB within `timeout`, one fetch at a time and one a minute at most. An unknown `kid` has them
//! fetched again within these limits and is then remembered as unknown for five minutes, so a new
//! key is in use within a minute. A set that cannot be fetched, is empty or has no usable key
//! replaces nothing: the last good one is used until it is older than `max_stale`, and then every
//! token gets 503 until there is a new one. A key that leaves the set takes its tokens and their
//! streams along. memgate connects directly: it knows no HTTP proxy. A file (`jwks_file`) needs no
//! network at all and is read again on a reload.
//!
//! ## Every field
//!
//! | field | default | what to write | what it is |
//! |---|---|---|---|
//! | `issuer` | `none` | text | its name, exactly as `iss` in its tokens says it |
//! | `audience` | `none` | text | who its tokens must be for (`aud`); without it, `auth.resource` |
//! | `accepted_audiences` | `none` | text | other names of this server that its tokens may be for |
//! | `other_audiences` | `false` | `true` or `false` | a token may be for other services besides this one |
//! | `jwks_url` | `none` | https URL | where its keys are |
//! | `discovery` | `false` | `true` or `false` | its `/.well-known/openid-configuration` says where its keys are |
//! | `jwks_file` | `none` | path | a file with its keys, a JWK set |
//! | `ca_file` | `none` | path | PEM file of the authorities to trust when fetching, instead of the public ones |
//! | `allow_http` | `false` | `true` or `false` | an `http://` URL on a loopback host is meant: development only |
//! | `refresh` | `15m` | duration, 1m to 1d | keys that are older are fetched again |
//! | `max_stale` | `1d` | duration, 5m to 30d | keys that are older are not used any more |
//! | `timeout` | `5s` | duration, 50ms to 5s | one fetch may take so long |
//! | `algorithms` | `ES256,EdDSA,RS256` | list of ES256, EdDSA, RS256 | what its tokens may be signed with |
//! | `types` | `JWT,at+jwt` | text | good values of `typ`; a token without one counts as `JWT` |
//! | `leeway` | `5s` | duration, 0s to 1m | how far its clock may be from ours |
//! | `max_lifetime` | `1d` | duration, 1m to 31d | a token that lives longer is refused |
//! | `tenant_claim` | `tenant` | text | the claim that names the tenant; dots lead into objects |
//! | `tenant_map` | `none` | `{ "value" = "tenant" }` | values of that claim, and the tenants that they mean |
//! | `tenants` | `none` | tenant list | the tenants that its tokens may open; empty means any |
//! | `create_tenants` | `false` | `true` or `false` | a tenant that is not there is made when its first token comes |
//! | `role_claim` | `none` | text | the claim that can make a token an operator's |
//! | `operator_values` | `none` | text | the values of that claim which do |
//! | `scope_claims` | `scope,scp` | text | claims with the scopes; the first that is there counts |
//! | `granted_scopes` | `none` | text | scopes that every token of it has |
//!
//! ## Worked examples
//!
//! They were written after the providers' documents, and the tests `every_example_fits_its_token`
//! and `every_example_for_entra_id_fits_its_token` hold each against a token of the documented shape; none of them was tried against the provider
//! itself. Names and numbers in them are to be replaced.
//!
//! ### Entra ID, version 2 tokens
//!
//! In the app registration: `"requestedAccessTokenVersion": 2` in the manifest (formerly
//! `accessTokenAcceptedVersion`), the scopes
//! `memgate:read` and `memgate:write` under *Expose an API*. Tokens carry the application's id as
//! audience and the short names of scopes; clients ask for `api://<application id>/memgate:read`,
//! which is what `scope_prefix` is for. Entra ID refuses the `resource` parameter that MCP clients
//! send (AADSTS9010010) where it is not the application's own URI.
//!
//! ```toml
//! [auth]
//! resource = "https://memory.example.com/mcp"
//! scope_prefix = "api://11111111-2222-3333-4444-555555555555/"
//!
//! [[auth.issuer]]
//! issuer = "https://login.microsoftonline.com/99999999-8888-7777-6666-555555555555/v2.0"
//! audience = "11111111-2222-3333-4444-555555555555"
//! discovery = true
//! algorithms = ["RS256"]
//! tenant_claim = "oid"
//! tenant_map = { "aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb" = "ada" }
//! role_claim = "roles"
//! operator_values = ["memgate.operator"]
//! ```
//!
//! ### Entra ID, version 1 tokens
//!
//! The default of app registrations that name no version. The issuer ends in a slash.
//!
//! ```toml
//! [auth]
//! resource = "https://memory.example.com/mcp"
//! scope_prefix = "api://11111111-2222-3333-4444-555555555555/"
//!
//! [[auth.issuer]]
//! issuer = "https://sts.windows.net/99999999-8888-7777-6666-555555555555/"
//! audience = "api://11111111-2222-3333-4444-555555555555"
//! jwks_url = "https://login.microsoftonline.com/99999999-8888-7777-6666-555555555555/discovery/keys"
//! algorithms = ["RS256"]
//! tenant_claim = "upn"
//! tenant_map = { "ada@example.com" = "ada" }
//! tenants = ["ada"]
//! ```
//!
//! ### Keycloak
//!
//! Keycloak knows no resource indicators yet: give the client an *audience* mapper for the resource,
//! and a *user attribute* mapper for the claim `tenant`. Its tokens are for `account` as well unless
//! the default role scope is taken away, so `other_audiences` is set here.
//!
//! ```toml
//! [auth]
//! resource = "https://memory.example.com/mcp"
//!
//! [[auth.issuer]]
//! issuer = "https://id.example.com/realms/acme"
//! discovery = true
//! other_audiences = true
//! algorithms = ["RS256", "ES256", "EdDSA"]
//! max_lifetime = "1h"
//! tenant_claim = "tenant"
//! role_claim = "realm_access.roles"
//! operator_values = ["memgate-operator"]
//! ```
//!
//! ### Auth0
//!
//! The API's identifier is the resource. Claims of one's own are named after a URL and come from an
//! Action; with the scope `openid` a token is for `/userinfo` too.
//!
//! ```toml
//! [auth]
//! resource = "https://memory.example.com/mcp"
//!
//! [[auth.issuer]]
//! issuer = "https://acme.eu.auth0.com/"
//! accepted_audiences = ["https://acme.eu.auth0.com/userinfo"]
//! discovery = true
//! algorithms = ["RS256"]
//! tenant_claim = "https://memory.example.com/tenant"
//! ```
//!
//! ### Okta
//!
//! A custom authorization server. Its access tokens have no `typ`, their scopes are a list in `scp`,
//! and `sub` is the user's name.
//!
//! ```toml
//! [auth]
//! resource = "https://memory.example.com/mcp"
//!
//! [[auth.issuer]]
//! issuer = "https://acme.okta.com/oauth2/default"
//! audience = "api://default"
//! discovery = true
//! algorithms = ["RS256"]
//! tenant_claim = "sub"
//! tenant_map = { "ada@example.com" = "ada" }
//! tenants = ["ada"]
//! ```
//!
//! ### GitHub Actions
//!
//! A workflow asks for an OIDC token with this audience and needs no stored secret. GitHub signs for
//! every repository there is: `tenants` and the map are what keeps the others out. There are no
//! scopes.
//!
//! ```toml
//! [auth]
//! resource = "https://memory.example.com/mcp"
//!
//! [[auth.issuer]]
//! issuer = "https://token.actions.githubusercontent.com"
//! discovery = true
//! algorithms = ["RS256"]
//! max_lifetime = "15m"
//! tenant_claim = "repository"
//! tenant_map = { "octo-org/octo-repo" = "octo-ci" }
//! tenants = ["octo-ci"]
//! granted_scopes = ["memgate:read", "memgate:write"]
//! ```
//!
//! # Client certificates
//!
//! memgate can ask clients for a certificate (mutual TLS), by itself or beside a key. What counts is
//! the handshake of its own listener and nothing else: a header such as `X-Forwarded-Client-Cert` or
//! `X-SSL-Client-Cert` is never read, so behind a proxy that ends TLS there are no client
//! certificates.
//!
//! ```toml
//! [listen.tls]
//! certificate = "/etc/memgate/tls/tls.crt"
//! private_key = "/etc/memgate/tls/tls.key"
//! client_certificates = "required"
//! client_ca = "/etc/memgate/clients/ca.crt"
//! client_crl = "/etc/memgate/clients/revoked.pem"
//!
//! [auth.certificates]
//! use = "alone"
//! tenant_from = "san_uri"
//! tenant_pattern = "spiffe://example.org/ns/prod/sa/{tenant}"
//!
//! [auth.certificates.tenant_map]
//! "spiffe://example.org/ns/laptops/ada" = "ada"
//! ```
//!
//! `client_certificates` is `off`, `optional` (who has none goes on without; who shows a bad one does
//! not) or `required` (without a good one there is no connection, for `/healthz` neither: give probes
//! `listen.ops`). The handshake refuses a chain that leads to none of the authorities in `client_ca`,
//! dates that are over or not yet come, and a certificate that is not for `clientAuth`. Use an
//! authority that signs for these clients and for nobody else. With `client_crl` every authority in a
//! chain needs its list there, and a stale list (`nextUpdate`) lets nobody in.
//!
//! ## Whose memory a certificate opens
//!
//! The names of one kind count: `tenant_from` is `san_uri`, `san_dns`, `san_email` or `subject_cn`.
//! A name in `tenant_map` or `operator_values` must be there exactly; `tenant_pattern` is a name with
//! one `{tenant}` in it, the rest to the letter. Only DNS names are compared without regard to case.
//! Nothing is cleaned up: `Acme`, `acme/` and `../acme` open nothing, and neither does a DNS name
//! with a `*`. Of several names of the kind exactly one may mean somebody. A tenant that the map
//! names is reached through the map alone; `tenants` bounds what certificates may open at all.
//! Tenants in the map and in `tenants` are made on the start; others must exist, or
//! `create_tenants = true` makes them. A good certificate that opens nothing gets 403, and the log
//! says why.
//!
//! `use = "alone"`: the certificate is the credential. `use = "beside_key"`: every request needs a
//! certificate and a key (or token), and the callers' rights are the key's. Whenever both are there,
//! with either `use`, they must open the same tenant, or both be an operator's; otherwise it is the
//! 401 of every bad credential. So a stolen key is worth nothing without the certificate that belongs
//! to it. The control socket in the data directory needs neither.
//!
//! In lists, logs and policies the holder of a certificate is `cert-` and twenty characters: a hash
//! of the name and its tenant, which a renewed certificate keeps.
//!
//! ## When trust ends
//!
//! The files are read again every `listen.tls.reload_interval` and on SIGHUP. Files that are broken
//! replace nothing. After new ones are in force, every certificate that is here is judged again by
//! them, on its next request and within a second anyway; and all of them once a minute, since lists
//! and intermediates grow old. One that is no longer good is refused and its connections are cut,
//! open streams and sessions included. The same happens when its date comes. There are no tickets
//! and no resumed sessions, so no connection is older than its handshake. An authority past its own
//! date vouches until it is taken out of the file: `memgate doctor`, the posture and
//! `/admin/stats` (`tls.client_ca_not_after`, `tls.client_crl_next_update`) say when that is.
//!
//! To change the authority without a break, put the next one into `client_ca` beside the old one,
//! renew the clients, and take the old one out.
//!
//! ## To try it
//!
//! ```sh
//! memgate certs dev --client acme
//! ```
//!
//! It makes an authority for clients (another than the server's) and a certificate for the tenant,
//! and prints the settings and a `curl` line that fit.
//!
//! ## Kubernetes, with cert-manager
//!
//! An authority of its own for the clients of memgate, and one certificate for each of them. memgate
//! mounts the authority's secret (`ca.crt` alone) at `/etc/memgate/clients`, the client mounts its
//! own secret; cert-manager renews both, and neither has to be restarted.
//!
//! ```yaml
//! apiVersion: cert-manager.io/v1
//! kind: Certificate
//! metadata: {name: agent-acme, namespace: prod}
//! spec:
//!   secretName: agent-acme-memgate
//!   duration: 24h
//!   renewBefore: 8h
//!   privateKey: {algorithm: ECDSA, size: 256, rotationPolicy: Always}
//!   usages: [client auth, digital signature]
//!   uris: ["spiffe://example.org/ns/prod/sa/acme"]
//!   issuerRef: {name: memgate-clients, kind: Issuer}
//! ```
//!
//! With SPIRE the certificates are the workloads' SVIDs, whose one URI is the SPIFFE id: write the
//! trust bundle to the file of `client_ca` (spiffe-helper does), map the ids that may call, and give
//! `tenants`, because the same authority signs for every workload of the trust domain.
//!
//! The settings are rows of `memgate config show`, so they have names in the environment too
//! (`MEMGATE_AUTH__CERTIFICATES__TENANT_FROM`); a table like `tenant_map` stands in the file only.
