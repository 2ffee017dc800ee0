//! Client certificates, as their holders and other people's holders use them.

use std::{
    fs,
    io::{BufReader, Write as _},
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::{
    ClientConfig, HandshakeKind,
    pki_types::{CertificateDer, ServerName},
};
use serde_json::json;
use tempfile::TempDir;
use tokio_rustls::TlsConnector;

use crate::audit;
use crate::oauth::issuer::{Signer, set};
use crate::world::{
    Caller, Process, World,
    authority::{Authority, Holder, dialect, now},
    wait_until,
    wire::{self, Response},
};

const SPIFFE: &str = "tenant_pattern = \"spiffe://example.org/ns/prod/sa/{tenant}\"\n";

/// The name that [`SPIFFE`] makes of a tenant.
fn sa(tenant: &str) -> String {
    format!("spiffe://example.org/ns/prod/sa/{tenant}")
}

/// A server that asks for certificates of an authority.
struct Scene {
    world: World,
    authority: Authority,
    server: CertificateDer<'static>,
}

impl Scene {
    /// Certificates are required, and stand alone.
    fn alone(lines: &str) -> Self {
        Self::with("required", lines, &[])
    }

    fn with(mode: &str, lines: &str, env: &[(&str, &str)]) -> Self {
        let authority = Authority::new("clients");
        let directory = tempfile::tempdir().unwrap();
        Self::inside(directory, authority, mode, lines, env)
    }

    fn inside(
        directory: TempDir,
        authority: Authority,
        mode: &str,
        lines: &str,
        env: &[(&str, &str)],
    ) -> Self {
        fs::write(directory.path().join("clients.pem"), authority.pem()).unwrap();
        let file = format!(
            "[listen.tls]\nclient_certificates = \"{mode}\"\nclient_ca = \"clients.pem\"\n\
             reload_interval = \"1s\"\n\n[auth.certificates]\n{lines}"
        );
        let (world, server) = World::encrypted(directory, &file, env);
        Self { world, authority, server }
    }

    fn tls(&self, holder: &Holder) -> Arc<ClientConfig> {
        dialect(&self.server, Some(holder))
    }

    /// Somebody with this certificate and no key.
    fn holder(&self, holder: &Holder) -> Caller {
        self.world.anonymous().over(&self.tls(holder))
    }

    /// Somebody with a good certificate of this tenant's service account.
    fn of(&self, tenant: &str) -> Caller {
        self.holder(&self.authority.of_uri(&sa(tenant)))
    }

    /// Whether the server turns this certificate away before anything is said over HTTP.
    fn refuses(&self, holder: &Holder) -> bool {
        self.holder(holder).exchange("GET", "/healthz", None).is_err()
    }

    /// Puts this text where the client authorities are, as a mounted secret would.
    fn replace(&self, name: &str, text: &str) {
        replace(self.world.root(), name, text);
    }
}

fn replace(root: &Path, name: &str, text: &str) {
    fs::write(root.join("new"), text).unwrap();
    fs::rename(root.join("new"), root.join(name)).unwrap();
}

fn list(caller: &Caller) -> Response {
    caller.rpc("tools/list", json!({})).http
}

#[test]
fn a_certificate_alone_opens_the_memory_of_its_tenant_and_no_other() {
    let scene = Scene::alone(SPIFFE);
    let acme = scene.of("acme");
    let id = acme.store("written with a certificate");
    let again = scene.of("acme").tool("get_memory_content", json!({"memory_id": id}));
    assert!(again.text().contains("written with a certificate"), "a renewed certificate reads it");
    let key = scene.world.acme().over(&scene.tls(&scene.authority.of_uri(&sa("acme"))));
    assert!(key.tool("get_memory_content", json!({"memory_id": id})).text().contains("written"));
    assert!(scene.of("globex").tool("get_memory_content", json!({"memory_id": id})).is_error());

    // A session opened on one connection goes on over another, and belongs to the holder alone.
    let session = acme.session();
    assert_eq!(session.rpc("tools/list", json!({})).http.status, 200);
    let stranger = session.used_by(&scene.of("globex"));
    assert_eq!(
        stranger.post("/mcp", &json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})).status,
        404
    );
}

#[test]
fn what_the_verifier_does_not_like_ends_in_the_handshake() {
    let scene = Scene::alone(SPIFFE);
    let (good, name) = (&scene.authority, [Authority::uri(&sa("acme"))]);
    assert_eq!(list(&scene.holder(&good.client(&name))).status, 200);
    assert!(
        scene.refuses(&Authority::new("clients").client(&name)),
        "another authority of that name"
    );
    assert!(scene.refuses(&good.client_with(&name, |wish| wish.until = now() - 60)), "expired");
    assert!(scene.refuses(&good.client_with(&name, |wish| wish.from = now() + 3600)), "too early");
    let server = |wish: &mut crate::world::authority::Wish| {
        wish.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    assert!(scene.refuses(&good.client_with(&name, server)), "a server's certificate");
    assert!(scene.world.acme().exchange("GET", "/healthz", None).is_err(), "no certificate");
}

#[test]
fn i1_hostile_names_open_nothing_and_are_never_cleaned_up() {
    let scene = Scene::alone(SPIFFE);
    let uris = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| Authority::uri(name)).collect();
        list(&scene.holder(&scene.authority.client(&names)))
    };
    let (acme, globex) = (sa("acme"), sa("globex"));
    for bad in
        ["../x", "ACME", "acme\0", "acme\0.evil", "*", "acme/", "a.b", "", "acme%2f..", "acme "]
    {
        let answer = uris(&[&sa(bad)]);
        assert_eq!(answer.status, 403, "{bad:?}: {answer:?}");
        assert!(answer.body.contains("opens no memory here"), "{answer:?}");
    }
    assert_eq!(uris(&[&acme, &globex]).status, 403, "two of them mean somebody");
    assert_eq!(uris(&[&acme, "https://profile.example/acme"]).status, 200);
    assert_eq!(uris(&["SPIFFE://example.org/ns/prod/sa/acme"]).status, 403);
    assert_eq!(list(&scene.of("nobody")).status, 403, "no tenant is made by a certificate");
    let tenants = scene.world.command(&["tenant", "list"]).stdout;
    assert!(!tenants.contains("nobody"), "{tenants}");
    // The other kinds of names do not count.
    let dns = scene.authority.client_with(&[Authority::dns("acme")], |wish| {
        wish.params.distinguished_name.push(rcgen::DnType::CommonName, sa("acme"));
    });
    assert_eq!(list(&scene.holder(&dns)).status, 403);
}

#[test]
fn names_of_hosts_are_mapped_without_regard_to_case() {
    let lines = "tenant_from = \"san_dns\"\ntenant_pattern = \"{tenant}.agents.example\"\n\
                 operator_values = [\"ops.example\"]\ncreate_tenants = true\n\n\
                 [auth.certificates.tenant_map]\n\"Laptop.example\" = \"globex\"\n";
    let scene = Scene::alone(lines);
    let of = |name: &str| scene.holder(&scene.authority.client(&[Authority::dns(name)]));
    assert_eq!(list(&of("ACME.agents.example")).status, 200);
    assert_eq!(list(&of("laptop.EXAMPLE")).status, 200);
    assert_eq!(list(&of("globex.agents.example")).status, 403, "reached by mapping only");
    assert_eq!(list(&of("*.agents.example")).status, 403);
    assert_eq!(list(&of("a.b.agents.example")).status, 403);
    assert_eq!(list(&of("fresh.agents.example")).status, 200, "the settings let it be made");
    assert_eq!(of("acme.agents.example").get("/admin/stats").status, 403);
    let operator = of("ops.example");
    assert_eq!(list(&operator).status, 403, "an operator opens no memory");
    let stats = operator.get("/admin/stats").json();
    let end = stats["tls"]["client_ca_not_after"].as_str().unwrap();
    assert!(end.parse::<jiff::Timestamp>().is_ok(), "{stats}");
    let sessions = operator.get("/admin/sessions").json().to_string();
    assert!(sessions.contains("\"cert-"), "{sessions}");
}

#[test]
fn i1_a_key_beside_the_certificate_of_another_tenant_is_refused() {
    for how in ["beside_key", "alone"] {
        let lines = format!("use = \"{how}\"\n{SPIFFE}");
        let scene = Scene::with("optional", &lines, &[("MEMGATE_LIMITS__FAILURES", "1000/1m")]);
        let world = &scene.world;
        let acme = scene.tls(&scene.authority.of_uri(&sa("acme")));
        let nobody = scene.tls(&scene.authority.of_uri("https://no.example"));
        let bad = list(&world.bearer("Zk3vQ9tYw2Lm7Pd4Rc8Xb6Hn1Js6").over(&acme));
        assert_eq!(bad.status, 401, "{bad:?}");
        assert_eq!(list(&world.acme().over(&acme)).status, 200, "{how}");
        let differs = "client certificate";
        for (stranger, claimed, detail) in [
            (world.globex().over(&acme), json!("env-globex"), differs),
            (world.acme().over(&nobody), json!("env-acme"), differs),
            (world.operator().over(&acme), json!("env-operator"), differs),
            (world.anonymous().with("x-api-key", "nonsense").over(&acme), json!(null), "not a key"),
        ] {
            let answer = list(&stranger);
            assert_eq!((answer.status, &answer.body), (401, &bad.body), "{how}: {answer:?}");
            let record = audit::record(world, &answer);
            let told = (&record["who"]["claimed"], &record["detail"]);
            assert_eq!(told, (&claimed, &json!(detail)), "i10: {record}");
        }
        assert_eq!(world.operator().over(&acme).get("/admin/stats").status, 401, "{how}");
        for (tenant, status) in [("globex", 401), ("acme", 200)] {
            let made = world.command(&["key", "create", "--tenant", tenant, "--json"]).stdout;
            let made: serde_json::Value = serde_json::from_str(&made).unwrap();
            let key = world.bearer(made["key"].as_str().unwrap()).over(&acme);
            assert_eq!(list(&key).status, status, "{how}: a made key of {tenant} is bound too");
        }
    }
}

#[test]
fn a_key_needs_a_certificate_beside_it() {
    let scene = Scene::with("optional", &format!("use = \"beside_key\"\n{SPIFFE}"), &[]);
    let acme = scene.tls(&scene.authority.of_uri(&sa("acme")));
    assert_eq!(list(&scene.world.acme().over(&acme)).status, 200);
    assert_eq!(list(&scene.world.acme()).status, 401, "a key alone");
    assert_eq!(list(&scene.world.anonymous().over(&acme)).status, 401, "a certificate alone");
    assert_eq!(scene.world.operator().get("/admin/stats").status, 401);
    assert_eq!(scene.world.anonymous().get("/healthz").status, 200, "probes need neither");

    let scene = Scene::with("optional", SPIFFE, &[]);
    assert_eq!(list(&scene.world.acme()).status, 200, "optional and alone: either will do");
    assert_eq!(list(&scene.of("acme")).status, 200);
    assert_eq!(list(&scene.world.anonymous()).status, 401);
}

#[test]
fn i1_no_header_stands_for_a_certificate() {
    let lines = format!("use = \"alone\"\n{SPIFFE}");
    let scene =
        Scene::with("optional", &lines, &[("MEMGATE_LISTEN__TRUSTED_PROXIES", "127.0.0.0/8")]);
    let (acme, globex) = (scene.authority.of_uri(&sa("acme")), sa("globex"));
    let escaped = acme.pem.replace('\n', "%0A");
    let flat = acme.pem.replace('\n', " ");
    for (name, value) in [
        ("x-client-cert", escaped.as_str()),
        ("x-ssl-client-cert", &escaped),
        ("x-ssl-cert", &flat),
        ("ssl-client-cert", &escaped),
        ("x-ssl-client-s-dn", "CN=acme"),
        ("x-ssl-client-verify", "SUCCESS"),
        ("x-client-verify", "SUCCESS"),
        ("x-forwarded-client-cert", &format!("By=spiffe://x;Hash=00;URI={}", sa("acme"))),
        ("client-cert", ":MIIB:"),
        ("x-tls-client-subject", "CN=acme"),
        ("x-spiffe-id", &sa("acme")),
    ] {
        let spoofed = scene.world.anonymous().with(name, value);
        assert_eq!(list(&spoofed).status, 401, "{name} is nobody");
        // And it changes nothing for somebody who has a certificate.
        let value = value.replace(&sa("acme"), &globex);
        let id = scene.holder(&acme).with(name, &value).store("mine");
        let read = scene.holder(&acme).tool("get_memory_content", json!({"memory_id": id}));
        assert!(!read.is_error(), "{name}: {:?}", read.http);
    }
}

#[test]
fn i9_a_connection_ends_with_its_authority() {
    let scene = Scene::alone(SPIFFE);
    let old = scene.of("acme");
    let session = old.session();
    let stream = session.stream();
    assert_eq!(stream.head.status, 200, "{:?}", stream.head);
    // A connection that is kept open, between two requests.
    let mut kept = BufReader::new(old.connect().unwrap());
    let request = old.instead("connection", "keep-alive").bytes("GET", "/healthz", None);
    kept.get_mut().write_all(&request).unwrap();
    assert_eq!(wire::read(&mut kept).unwrap().status, 200);

    let next = Authority::new("the next");
    scene.replace("clients.pem", &next.pem());
    let newcomer = scene.holder(&next.of_uri(&sa("acme")));
    wait_until(|| newcomer.exchange("GET", "/healthz", None).ok()).expect("the new one is trusted");
    let since = now();
    stream.cut_off();
    let ended = wire::read(&mut kept).is_err();
    assert!(ended, "the other connection ends too");
    assert!(now() - since <= 5, "within five seconds");
    assert!(old.exchange("GET", "/healthz", None).is_err(), "and there is no way back");
    assert_eq!(list(&newcomer).status, 200);
    // The session was the old certificate's, and ended with it.
    assert_eq!(
        session
            .used_by(&newcomer)
            .post("/mcp", &json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}))
            .status,
        404
    );
}

#[test]
fn i9_a_stream_of_a_key_ends_with_the_certificate_beside_it() {
    let scene = Scene::with("required", &format!("use = \"beside_key\"\n{SPIFFE}"), &[]);
    let holder = scene.authority.of_uri(&sa("acme"));
    let stream = scene.world.acme().over(&scene.tls(&holder)).session().stream();
    assert_eq!(stream.head.status, 200, "{:?}", stream.head);
    scene.replace("clients.pem", &Authority::new("the next").pem());
    stream.cut_off();
}

#[test]
fn i9_streams_of_http2_end_with_the_certificate() {
    let scene = Scene::with("required", &format!("use = \"beside_key\"\n{SPIFFE}"), &[]);
    let holder = scene.authority.of_uri(&sa("acme"));
    let tls = scene.tls(&holder);
    let session = scene.world.acme().over(&tls).session();
    let [key, ..] = World::secrets();
    let mut dialect = (*tls).clone();
    dialect.alpn_protocols = vec![b"h2".to_vec()];
    let address = scene.world.address();
    let talk = async {
        let socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let name = ServerName::from(IpAddr::from([127, 0, 0, 1]));
        let inside = TlsConnector::from(Arc::new(dialect)).connect(name, socket).await.unwrap();
        let io = TokioIo::new(inside);
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        let request = Request::get(format!("https://{address}/mcp"))
            .header("authorization", format!("Bearer {key}"))
            .header("accept", "text/event-stream")
            .header("mcp-session-id", &session.id)
            .header("mcp-protocol-version", "2025-11-25")
            .body(Empty::<Bytes>::new())
            .unwrap();
        let stream = async {
            let answer = sender.send_request(request).await.unwrap();
            assert_eq!(answer.status(), 200);
            scene.replace("clients.pem", &Authority::new("the next").pem());
            // It may end in order or be cut; it must not go on.
            let _ = answer.into_body().collect().await;
        };
        let both = async { tokio::join!(connection, stream) };
        let in_time = tokio::time::timeout(Duration::from_secs(10), both).await;
        assert!(in_time.is_ok(), "the stream goes on");
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(talk);
}

#[test]
fn i1_a_token_beside_the_certificate_of_another_tenant_is_refused() {
    let (directory, signer) = (tempfile::tempdir().unwrap(), Signer::es256("one"));
    fs::write(directory.path().join("keys.json"), set(&[signer.jwk()]).to_string()).unwrap();
    let lines = format!(
        "use = \"beside_key\"\n{SPIFFE}\n[auth]\nresource = \"https://memory.example/mcp\"\n\n\
         [[auth.issuer]]\nissuer = \"https://id.example\"\njwks_file = \"keys.json\"\n\
         role_claim = \"role\"\noperator_values = [\"ops\"]\n"
    );
    let scene = Scene::inside(directory, Authority::new("clients"), "optional", &lines, &[]);
    let token = |tenant: &str, role: &str| {
        let claims = json!({
            "iss": "https://id.example", "aud": "https://memory.example/mcp", "sub": "user-1",
            "tenant": tenant, "role": role, "exp": now() + 600, "iat": now(),
            "scope": "memgate:read memgate:write",
        });
        scene.world.bearer(&signer.token(&claims))
    };
    let acme = scene.tls(&scene.authority.of_uri(&sa("acme")));
    assert_eq!(list(&token("acme", "").over(&acme)).status, 200);
    assert_eq!(list(&token("globex", "").over(&acme)).status, 401);
    assert_eq!(token("acme", "ops").over(&acme).get("/admin/stats").status, 401);
    assert_eq!(list(&token("acme", "")).status, 401, "and without a certificate");
}

#[test]
fn i9_an_expired_certificate_ends_its_connection() {
    let scene = Scene::alone(SPIFFE);
    let name = [Authority::uri(&sa("acme"))];
    let short = scene.authority.client_with(&name, |wish| wish.until = now() + 6);
    let session = scene.holder(&short).session();
    let stream = session.stream();
    assert_eq!(stream.head.status, 200, "{:?}", stream.head);
    stream.cut_off();
    // In its last second the handshake still takes it, and no request does.
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    let answer = scene.holder(&short).try_post("/mcp", &body);
    assert!(answer.is_none_or(|answer| answer.status == 401));
    wait_until(|| scene.refuses(&short).then_some(())).expect("then nothing does");
    assert_eq!(list(&scene.of("acme")).status, 200);
}

#[test]
fn i9_a_revoked_certificate_is_refused_and_its_connections_end() {
    let authority = Authority::new("clients");
    let directory = tempfile::tempdir().unwrap();
    let name = [Authority::uri(&sa("acme"))];
    let (revoked, later, good) =
        (authority.client(&name), authority.client(&name), authority.client(&name));
    let hour = now() + 3600;
    fs::write(directory.path().join("revoked.pem"), authority.revocations(&[&revoked], hour))
        .unwrap();
    let env = [("MEMGATE_LISTEN__TLS__CLIENT_CRL", "revoked.pem")];
    let scene = Scene::inside(directory, authority, "required", SPIFFE, &env);
    assert!(scene.refuses(&revoked));
    let stream = scene.holder(&later).session().stream();
    assert_eq!(stream.head.status, 200, "{:?}", stream.head);
    scene.replace("revoked.pem", &scene.authority.revocations(&[&revoked, &later], hour));
    stream.cut_off();
    assert!(scene.refuses(&later));
    assert_eq!(list(&scene.holder(&good)).status, 200);

    // A list that nobody can read replaces nothing; one that is stale lets nobody in.
    scene
        .replace("revoked.pem", "-----BEGIN X509 CRL-----\nbm90aGluZw==\n-----END X509 CRL-----\n");
    wait_until(|| scene.world.log().contains("the old ones stay").then_some(()))
        .expect("it says so");
    assert!(scene.refuses(&later));
    assert_eq!(list(&scene.holder(&good)).status, 200);
    scene.replace("revoked.pem", &scene.authority.revocations(&[], now() - 60));
    wait_until(|| scene.refuses(&good).then_some(())).expect("stale lists vouch for nothing");
}

#[test]
fn i9_no_session_of_tls_is_resumed() {
    let scene = Scene::alone(SPIFFE);
    let caller = scene.of("acme");
    for attempt in 0..3 {
        let line = caller.connect().unwrap();
        let mut connection = wire::send(line, &caller.bytes("GET", "/healthz", None));
        assert_eq!(wire::read(&mut connection).unwrap().status, 200);
        let tls = connection.get_ref().tls().unwrap();
        assert_eq!(tls.handshake_kind(), Some(HandshakeKind::Full), "attempt {attempt}");
        assert!(!tls.is_early_data_accepted());
        assert_eq!(tls.tls13_tickets_received(), 0);
    }
}

#[test]
fn certificates_to_try_with_are_made_and_work() {
    let directory = tempfile::tempdir().unwrap();
    let made = Process::command(
        &directory.path().join("data"),
        &[],
        &["certs", "dev", "--client", "acme", "--client", "globex"],
        "",
    );
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    // What it says to write is what is written.
    let (_, said) = made.stdout.split_once("certificate, in `memgate.toml`:\n").unwrap();
    let (file, _) = said.split_once("make the tenants").unwrap();
    let read = |name: &str| fs::read_to_string(directory.path().join("certs").join(name)).unwrap();
    let holder = Holder::of_pem(&read("client-acme.pem"), &read("client-acme.key"));
    let (world, server) = World::encrypted(directory, file, &[]);
    let acme = world.anonymous().over(&dialect(&server, Some(&holder)));
    assert_eq!(list(&acme).status, 200, "{file}");
}

#[test]
fn settings_of_client_certificates_that_cannot_be_meant_are_refused_at_the_start() {
    let tls = "[listen.tls]\ncertificate = \"a\"\nprivate_key = \"b\"\n";
    for (file, words) in [
        ("client_ca = \"c\"\n", "no client is asked for a certificate"),
        ("client_certificates = \"required\"\n", "name the PEM file with the authorities"),
        (
            "client_certificates = \"required\"\nclient_ca = \"c\"\n",
            "does not say whose memory a client certificate opens",
        ),
        ("client_certificates = \"sometimes\"\n", "`off`, `optional` or `required`"),
        ("[auth.certificates]\nuse = \"beside_key\"\n", "no client is asked for a certificate"),
        ("[auth.certificates]\ntenant_pattern = \"acme\"\n", "must have `{tenant}` in it, once"),
        ("[auth.certificates]\ntenant_pattern = \"*.{tenant}\"\n", "has a `*`"),
        ("[auth.certificates]\ntenant_from = \"san\"\n", "`san_dns`, `san_uri`"),
        ("[auth.certificates]\ntenant_map = { \"x\" = \"No\" }\n", "maps `x`"),
        ("[auth.certificates]\ntenant_map = \"x=y\"\n", "is not a table"),
        (
            "[auth.certificates]\ntenant_map = { \"x\" = \"y\" }\noperator_values = [\"x\"]\n",
            "an operator opens no memory",
        ),
        (
            "[auth.certificates]\ntenant_from = \"san_dns\"\ntenant_map = { \"*.x\" = \"y\" }\n",
            "a certificate for many names is nobody's",
        ),
        (
            "[auth.certificates]\ntenant_form = \"san_dns\"\n",
            "did you mean `auth.certificates.tenant_from`?",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("memgate.toml"), format!("{tls}{file}")).unwrap();
        let data = directory.path().join("data");
        let ended = Process::command(&data, &[], &["config", "check"], "");
        assert_eq!(ended.code, Some(2), "{file}: {}", ended.stdout);
        assert!(ended.stderr.contains(words), "{file}: {}", ended.stderr);
    }
}
