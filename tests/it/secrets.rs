//! Secrets of every kind, used rightly and wrongly, and then looked for everywhere.
//!
//! INVARIANT I5: a secret is where it was put and nowhere else: not in a log, not in an answer, not
//! in a number or a list for operators, not in a file besides its owner's. What this test does not
//! look at is the process's own environment (`/proc/PID/environ`): whoever sets a key there has put
//! it there, and memgate cannot take it back; `config check --posture` says so.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use memgate::domain::{key::PresentedKey, random::OsEntropy};
use serde_json::{Value, json};

use crate::{
    oauth::issuer::{Signer, set},
    world::{
        Caller, World,
        authority::{Authority, Holder, dialect, now},
        wire::{self, Response},
    },
};

/// A memory's text, as its owner wrote it.
const CONTENT: &str = "Vq8rTz3nLw6yHk1mXc9bGp4dSj7f";
/// A search, as its owner wrote it.
const SEARCHED: &str = "Mx2cPd7hWq5vRt9kYb3nZg8jLs6a";

/// What was planted: a name for messages, and the text that must not be found.
struct Secrets(BTreeMap<&'static str, Planted>);

/// A secret, as it is and in every dress.
#[derive(Clone)]
struct Planted {
    text: String,
    dresses: Vec<String>,
}

impl From<String> for Planted {
    fn from(text: String) -> Self {
        Self { dresses: dresses(&text), text }
    }
}

impl Secrets {
    /// The first secret that stands in `text`, in whatever dress.
    fn found_in(&self, text: &str, allowed: &[&str]) -> Option<&'static str> {
        let hit = self.0.iter().find(|(name, secret)| {
            !allowed.contains(*name) && secret.dresses.iter().any(|dress| text.contains(dress))
        });
        hit.map(|(name, _)| *name)
    }
}

/// How a text may stand inside another: as it is, in hexadecimal, percent-encoded, in base64 of
/// either alphabet, at each of the three places where a triple of bytes can begin.
fn dresses(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let hex = |format: fn(&u8) -> String| bytes.iter().map(format).collect::<String>();
    let mut all = vec![
        secret.to_owned(),
        hex(|b| format!("{b:02x}")),
        hex(|b| format!("{b:02X}")),
        hex(|b| format!("%{b:02x}")),
        hex(|b| format!("%{b:02X}")),
    ];
    for first in 0..3 {
        // Letters at the seams depend on the neighbours, and are left out.
        let whole = &bytes[first..];
        let text = STANDARD.encode(&whole[..whole.len() / 3 * 3]);
        all.push(text.replace('+', "-").replace('/', "_"));
        all.push(text);
    }
    all
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |done, byte| format!("{done}%{byte:02X}"))
}

#[test]
fn a_secret_is_found_in_every_dress() {
    let secrets = Secrets(BTreeMap::from([("it", CONTENT.to_owned().into())]));
    for lead in ["", "a", "ab", "abc"] {
        let inside = STANDARD.encode(format!("{lead}{CONTENT}:x"));
        assert_eq!(secrets.found_in(&inside, &[]), Some("it"), "{inside}");
    }
    let percent = percent(CONTENT);
    assert_eq!(secrets.found_in(&percent, &[]), Some("it"));
    assert_eq!(secrets.found_in(CONTENT, &["it"]), None);
    assert_eq!(secrets.found_in("nothing", &[]), None);
}

/// A deployment with everything that can be secret, and everything that it said.
struct Scene {
    world: World,
    secrets: Secrets,
    tls: std::sync::Arc<rustls::ClientConfig>,
    heard: Vec<(String, Response, Vec<&'static str>)>,
}

/// The longest line of a PEM file: no other file has it.
fn pem_line(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("---")).max_by_key(|l| l.len()).unwrap().to_owned()
}

impl Scene {
    fn start(format: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (authority, signer) = (Authority::new("clients"), Signer::es256("one"));
        let holder: Holder = authority.of_uri("spiffe://example.org/acme");
        fs::write(directory.path().join("clients.pem"), authority.pem()).unwrap();
        fs::write(directory.path().join("keys.json"), set(&[signer.jwk()]).to_string()).unwrap();
        let file = "[auth]\nresource = \"https://memory.example/mcp\"\n\n[[auth.issuer]]\n\
                    issuer = \"https://id.example\"\njwks_file = \"keys.json\"\n\n\
                    [listen.tls]\nclient_certificates = \"optional\"\n\
                    client_ca = \"clients.pem\"\n\n[auth.certificates]\n\
                    tenant_pattern = \"spiffe://example.org/{tenant}\"\n";
        let env = [
            ("LOG_LEVEL", "debug"),
            ("LOG_FORMAT", format),
            ("MEMGATE_LIMITS__FAILURES", "100000/1m"),
            ("MEMGATE_LIMITS__PER_ADDRESS", "100000/1m"),
            ("RATE_LIMIT_REQUESTS", "100000"),
        ];
        let (world, server) = World::encrypted(directory, file, &env);
        let token = signer.token(&json!({
            "iss": "https://id.example", "aud": "https://memory.example/mcp", "sub": "user-1",
            "tenant": "acme", "exp": now() + 600, "iat": now(),
            "scope": "memgate:read memgate:write",
        }));
        let [acme, globex, operator] = World::secrets();
        let server_key = fs::read_to_string(world.root().join("server.key")).unwrap();
        let stranger = PresentedKey::random(&OsEntropy).reveal();
        let signature = token.rsplit('.').next().unwrap().to_owned();
        let secrets = Secrets(BTreeMap::from([
            ("the key of acme", acme.to_owned().into()),
            ("the key of globex", globex.to_owned().into()),
            ("the operator's key", operator.to_owned().into()),
            ("a token", token.clone().into()),
            ("a token's signature", signature.into()),
            ("the server's private key", pem_line(&server_key).into()),
            ("the client's private key", pem_line(&holder.key).into()),
            ("a memory", CONTENT.to_owned().into()),
            ("a search", SEARCHED.to_owned().into()),
            ("a key that nobody made", stranger.expose().to_owned().into()),
        ]));
        let tls = dialect(&server, Some(&holder));
        Self { world, secrets, tls, heard: Vec::new() }
    }

    /// Remembers an answer, and the secrets that belong into it.
    fn hear(&mut self, what: &str, answer: Response, allowed: &[&'static str]) {
        self.heard.push((what.to_owned(), answer, allowed.to_vec()));
    }

    fn secret(&self, name: &str) -> String {
        self.secrets.0[name].text.clone()
    }

    /// Everything that a right use of a secret is.
    fn use_rightly(&mut self) {
        let made =
            self.world.operator().post("/admin/keys", &json!({"tenant": "acme", "name": "made"}));
        assert_eq!(made.status, 201, "{made:?}");
        let key = made.json()["secret"].as_str().unwrap().to_owned();
        let secret_part = key.split('_').nth(2).unwrap().to_owned();
        self.secrets.0.insert("a made key", key.clone().into());
        self.secrets.0.insert("a made key's secret", secret_part.into());
        self.hear("make a key", made, &["a made key", "a made key's secret"]);

        let callers = [
            ("the environment's key", self.world.acme()),
            ("a made key", self.world.bearer(&key)),
            ("a made key in the other header", self.world.anonymous().with("x-api-key", &key)),
            ("a token", self.world.bearer(&self.secret("a token"))),
            ("a certificate", self.world.anonymous().over(&self.tls)),
            ("a key beside a certificate", self.world.acme().over(&self.tls)),
        ];
        for (who, caller) in &callers {
            let stored = caller.tool("store_memory", json!({"content": CONTENT}));
            assert!(!stored.is_error(), "{who}: {:?}", stored.http);
            self.hear(&format!("store, by {who}"), stored.http, &["a memory"]);
            let found = caller.tool("retrieve_memories", json!({"query": SEARCHED}));
            assert_eq!(found.http.status, 200, "{who}: {:?}", found.http);
            self.hear(&format!("search, by {who}"), found.http, &["a memory", "a search"]);
        }
        let session = self.world.acme().session();
        self.secrets.0.insert("a session's id", session.id.clone().into());
        for (method, params) in [
            ("tools/list", json!({})),
            ("tools/call", json!({"name": "retrieve_memories", "arguments": {"query": SEARCHED}})),
        ] {
            let answer = session.rpc(method, params).http;
            assert_eq!(answer.status, 200, "{answer:?}");
            self.hear(method, answer, &["a memory", "a search"]);
        }
        let stranger = session
            .used_by(&self.world.globex())
            .post("/mcp", &json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}));
        assert_eq!(stranger.status, 404);
        self.hear("somebody else's session", stranger, &[]);
    }

    /// Every `nth` secret in every wrong place.
    #[expect(clippy::too_many_lines, reason = "a list of places")]
    fn use_wrongly(&mut self, nth: usize) {
        let list =
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}).to_string();
        let mut sent = 0;
        for (name, Planted { text: secret, .. }) in self.secrets.0.clone().into_iter().step_by(nth)
        {
            let anyone = self.world.anonymous();
            let acme = self.world.acme();
            let basic = STANDARD.encode(format!("user:{secret}"));
            let percent = percent(&secret);
            let mut tried: Vec<(String, &str, String, Caller, Option<String>)> = Vec::new();
            // In header fields that are no place for it, or with something wrong about it.
            for (field, value) in [
                ("authorization", format!("Basic {basic}")),
                ("authorization", format!("Bearer {secret}x")),
                ("authorization", format!("bearer  {secret} {secret}")),
                ("authorization", secret.clone()),
                ("x-api-key", format!("{secret}x")),
                ("cookie", format!("key={secret}")),
                ("mcp-session-id", secret.clone()),
                ("user-agent", secret.clone()),
                ("origin", format!("https://{secret}.example")),
                ("host", format!("{}.example", secret.replace(['/', '+', '='], "-"))),
                ("host", secret.clone()),
                ("x-forwarded-for", secret.clone()),
                ("x-request-id", secret.clone()),
                ("accept", secret.clone()),
                ("content-type", secret.clone()),
                ("mcp-protocol-version", secret.clone()),
                ("mcp-method", secret.clone()),
                ("mcp-name", secret.clone()),
                ("last-event-id", secret.clone()),
            ] {
                let what = format!("{field}: <{name}>");
                tried.push((
                    what.clone(),
                    "POST",
                    "/mcp".into(),
                    anyone.instead(field, &value),
                    Some(list.clone()),
                ));
                if field != "authorization" && field != "x-api-key" {
                    let caller = acme.instead(field, &value);
                    tried.push((
                        format!("{what}, with a key"),
                        "POST",
                        "/mcp".into(),
                        caller,
                        Some(list.clone()),
                    ));
                }
            }
            for target in [
                format!("/mcp?api_key={percent}"),
                format!("/mcp?x={percent}"),
                format!("/{percent}"),
                format!("/mcp/{percent}"),
                format!("/admin/keys/{percent}"),
                format!("/admin/sessions/{percent}"),
                format!("/healthz?token={percent}"),
            ] {
                let operator = self.world.operator();
                for (who, caller) in
                    [("nobody", &anyone), ("acme", &acme), ("the operator", &operator)]
                {
                    let what = format!(
                        "<{name}> in the target {}, by {who}",
                        target.replace(&percent, "…")
                    );
                    tried.push((what.clone(), "GET", target.clone(), caller.clone(), None));
                    tried.push((what, "DELETE", target.clone(), caller.clone(), None));
                }
            }
            let quoted = Value::from(secret.as_str()).to_string();
            for body in [
                secret.clone(),
                format!("{{{quoted}"),
                format!("{{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": {quoted}}}"),
                format!(
                    "{{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"tools/list\", {quoted}: 1}}"
                ),
                format!(
                    "{{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"tools/call\", \"params\": {{\"name\": \"store_memory\", \"arguments\": {{{quoted}: {quoted}}}}}}}"
                ),
                format!("{{\"jsonrpc\": {quoted}, \"id\": 1, \"method\": \"ping\"}}"),
                format!("[{quoted}, {quoted}]"),
                format!(
                    "{{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"ping\", \"method\": {quoted}}}"
                ),
            ] {
                for (who, caller) in [("nobody", &anyone), ("acme", &acme)] {
                    tried.push((
                        format!("<{name}> in a body, by {who}"),
                        "POST",
                        "/mcp".into(),
                        caller.clone(),
                        Some(body.clone()),
                    ));
                }
            }
            tried.push((
                format!("<{name}> in a wish for a key"),
                "POST",
                "/admin/keys".into(),
                self.world.operator(),
                Some(format!("{{\"tenant\": {quoted}, {quoted}: 1}}")),
            ));
            for (what, method, target, caller, body) in tried {
                // A header field or target that cannot be written gets no answer, which says nothing.
                sent += 1;
                if let Ok(answer) = caller.exchange(method, &target, body.as_deref()) {
                    self.hear(&what, answer, &[]);
                }
            }
            // Arguments, where the answer is the caller's own.
            for (tool, arguments) in [
                (
                    "store_memory",
                    json!({"content": CONTENT, "tags": 5, "no_such_argument": secret}),
                ),
                ("store_memory", json!({"content": {"nested": secret}})),
                ("get_memory_content", json!({"memory_id": secret})),
                ("delete_memory", json!({"memory_id": secret})),
                ("retrieve_memories", json!({"query": "x", "user_id": secret})),
                ("retrieve_memories", json!({"query": "x", "limit": secret})),
                ("no_such_tool", json!({"x": secret})),
            ] {
                let answer = acme.tool(tool, arguments).http;
                self.hear(&format!("<{name}> as an argument of {tool}"), answer, &[]);
            }
            // A memory may hold a key; then it is in that tenant's room, and nowhere else.
            let stored = self.world.globex().tool("store_memory", json!({"content": secret})).http;
            assert_eq!(stored.status, 200, "{stored:?}");
            self.hear(&format!("<{name}> stored by globex"), stored, &[]);
            // And in clear, before any TLS.
            let address = self.world.address();
            if let Ok(mut line) = std::net::TcpStream::connect(address) {
                let _ = line.set_read_timeout(Some(std::time::Duration::from_secs(5)));
                let _ = write!(
                    line,
                    "GET /{percent} HTTP/1.1\r\nAuthorization: Bearer {secret}\r\n\r\n"
                );
                if let Ok(answer) = wire::read(&mut std::io::BufReader::new(line)) {
                    self.hear(&format!("<{name}> in clear"), answer, &[]);
                }
            }
        }
        let heard = self.heard.len();
        assert!(heard > sent * 9 / 10 && sent > 400, "{heard} answers to {sent} requests");
    }

    /// What operators see, and what the machine shows of the process.
    fn look_around(&mut self) {
        for target in
            ["/admin/stats", "/admin/sessions", "/admin/keys", "/admin/tenants", "/readyz?verbose"]
        {
            let answer = self.world.operator().get(target);
            assert_eq!(answer.status, 200, "{target}: {answer:?}");
            self.hear(target, answer, &[]);
        }
        let command = self.world.command(&["config", "show"]);
        self.heard.push((
            "config show".to_owned(),
            Response { status: 0, headers: Vec::new(), body: command.stdout + &command.stderr },
            Vec::new(),
        ));
    }

    /// INVARIANT I5.
    fn nothing_is_told(&mut self) {
        let mut told = Vec::new();
        for (what, answer, allowed) in &self.heard {
            let mut text = answer.body.clone();
            text.extend(answer.headers.iter().map(|(field, value)| format!("\n{field}: {value}")));
            let found = self.secrets.found_in(&text, allowed);
            told.extend(found.map(|secret| format!("{what}: {secret} in {text}")));
        }
        assert!(told.is_empty(), "{} times: {:#?}", told.len(), &told[..told.len().min(20)]);
        let log = self.world.log();
        assert!(log.contains("credential refused"), "the log is at debug");
        let told = self.secrets.found_in(&log, &[]);
        let line = log.lines().find(|line| self.secrets.found_in(line, &[]) == told);
        assert_eq!(told, None, "{line:?}");
        let process = PathBuf::from(format!("/proc/{}", self.world.process().pid()));
        let arguments = fs::read(process.join("cmdline")).unwrap();
        assert_eq!(self.secrets.found_in(&String::from_utf8_lossy(&arguments), &[]), None);
        let limits = fs::read_to_string(process.join("limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let sizes: Vec<_> = core.split_whitespace().skip(4).take(2).collect();
        assert_eq!(sizes, ["0", "0"], "{core}");
        self.no_file_tells();
    }

    /// Every file of the data directory. A tenant's room may hold what that tenant stored.
    fn no_file_tells(&self) {
        let data = self.world.data();
        let tenants = self.world.operator().get("/admin/tenants").json();
        let room = |label: &str| {
            let all = tenants["tenants"].as_array().unwrap();
            let tenant = all.iter().find(|tenant| tenant["label"] == label).unwrap();
            data.join("tenants").join(tenant["id"].as_str().unwrap())
        };
        let (acme, globex) = (room("acme"), room("globex"));
        let everything: Vec<&str> = self.secrets.0.keys().copied().collect();
        let (mut seen, mut kept) = (0, 0);
        for file in files(&data) {
            let text = fs::read(&file).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let allowed: &[&str] = if file.starts_with(&acme) {
                &["a memory"]
            } else if file.starts_with(&globex) {
                kept += usize::from(self.secrets.found_in(&text, &[]).is_some());
                &everything
            } else {
                &[]
            };
            assert_eq!(self.secrets.found_in(&text, allowed), None, "{}", file.display());
            seen += 1;
        }
        assert!(seen > 2 && kept > 0, "{seen} files, {kept} of them with what globex stored");
    }
}

/// Every file below a directory; what cannot be read is no file, like the control socket.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

fn run(format: &str, nth: usize) {
    let mut scene = Scene::start(format);
    scene.use_rightly();
    scene.use_wrongly(nth);
    scene.look_around();
    scene.nothing_is_told();
}

#[test]
fn i5_planted_secrets_are_nowhere_beside_a_log_of_text() {
    run("text", 1);
}

#[test]
fn i5_planted_secrets_are_nowhere_beside_a_log_of_json() {
    // What is logged is the same; here it is how.
    run("json", 3);
}
