//! An issuer for tests: keys made on the spot, tokens as wished, a server of documents with
//! faults. The tests over the network (`tests/it`) include this very file, so it knows nothing of
//! the crate.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A key that signs.
pub(crate) struct Signer {
    kid: String,
    pair: Pair,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl Signer {
    pub(crate) fn es256(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: kid.to_owned(), pair: Pair::Ec(pair) }
    }

    pub(crate) fn eddsa(kid: &str) -> Self {
        Self { kid: kid.to_owned(), pair: Pair::Ed(Ed25519KeyPair::generate().unwrap()) }
    }

    pub(crate) fn rs256(kid: &str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        Self { kid: kid.to_owned(), pair: Pair::Rsa(Box::new(pair)) }
    }

    fn algorithm(&self) -> &'static str {
        match &self.pair {
            Pair::Ec(_) => "ES256",
            Pair::Ed(_) => "EdDSA",
            Pair::Rsa(_) => "RS256",
        }
    }

    /// Its public half.
    pub(crate) fn jwk(&self) -> Value {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let kid = &self.kid;
        match &self.pair {
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (part(&point[1..33]), part(&point[33..65]));
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y})
            }
            Pair::Ed(pair) => {
                let x = part(pair.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x})
            }
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                let n = part(public.modulus().big_endian_without_leading_zero());
                let e = part(public.exponent().big_endian_without_leading_zero());
                json!({"kty": "RSA", "kid": kid, "n": n, "e": e})
            }
        }
    }

    /// A token with these claims, and a header that these members change.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let mut all = json!({"alg": self.algorithm(), "kid": self.kid, "typ": "JWT"});
        all.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        let signed = format!("{}.{}", part(&all), part(claims));
        let message = signed.as_bytes();
        let signature = match &self.pair {
            Pair::Ec(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_owned(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_owned(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .unwrap();
                signature
            }
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({}), claims)
    }
}

/// A token that nobody signed.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}.c2ln", part(header), part(claims))
}

/// A set of these keys.
pub(crate) fn set(keys: &[Value]) -> Value {
    json!({ "keys": keys })
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// What the server says under a path.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    /// 200 and this document.
    Document(Value),
    /// This status, a `Location` and nothing else.
    Redirect(String),
    /// This status and a good set all the same.
    Status(u16, Value),
    /// 200 and more than anybody should read.
    Huge,
    /// Nothing, for as long as the client waits.
    Silence,
}

/// A server on the loopback address, for as long as it lives.
pub(crate) struct Server {
    address: SocketAddr,
    documents: Arc<Mutex<BTreeMap<String, Says>>>,
    hits: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            documents: Arc::default(),
            hits: Arc::default(),
            stopped: Arc::default(),
        };
        let documents = Arc::clone(&server.documents);
        let (hits, stopped) = (Arc::clone(&server.hits), Arc::clone(&server.stopped));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (documents, hits) = (Arc::clone(&documents), Arc::clone(&hits));
                thread::spawn(move || {
                    // A client that hangs up early is one of the things under test.
                    let _ = answer(&mut stream?, &documents, &hits);
                    std::io::Result::Ok(())
                });
            }
        });
        server
    }

    pub(crate) fn says(&self, path: &str, what: Says) {
        self.documents.lock().unwrap().insert(path.to_owned(), what);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Requests so far, unknown paths included.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

fn answer(
    stream: &mut TcpStream,
    documents: &Mutex<BTreeMap<String, Says>>,
    hits: &AtomicU64,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            n => head.extend_from_slice(&chunk[..n]),
        }
    }
    hits.fetch_add(1, Ordering::Relaxed);
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let says = documents.lock().unwrap().get(path).cloned();
    let (status, location, body) = match says {
        None => (404, String::new(), String::new()),
        Some(Says::Document(document)) => (200, String::new(), document.to_string()),
        Some(Says::Status(status, document)) => (status, String::new(), document.to_string()),
        Some(Says::Redirect(to)) => (302, format!("Location: {to}\r\n"), String::new()),
        Some(Says::Huge) => {
            (200, String::new(), format!("{{\"keys\":\"{}\"}}", "x".repeat(2 << 20)))
        }
        Some(Says::Silence) => {
            while stream.read(&mut chunk)? > 0 {}
            return Ok(());
        }
    };
    write!(
        stream,
        "HTTP/1.1 {status} x\r\n{location}Content-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
