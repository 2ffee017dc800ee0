//! The certificates as a client sees them, and files that are in the way.

use std::{os::unix::fs::PermissionsExt as _, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};

use super::*;
use crate::cli::output::tests::captured;

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// A handshake in memory: what the client says to a server with this chain.
fn handshake(ca: &str, chain: &str, key: &str, host: &str) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap())?;
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name)?;
    let mut server = ServerConnection::new(Arc::new(server))?;
    while client.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

fn now() -> Timestamp {
    SystemClock::new().now()
}

#[test]
fn a_client_that_trusts_the_authority_trusts_the_server_by_each_of_its_names() {
    let made = Made::new(&["memory.lan".to_owned(), "10.1.2.3".to_owned()], now(), 30).unwrap();
    for host in ["localhost", "127.0.0.1", "::1", "memory.lan", "10.1.2.3"] {
        handshake(&made.ca, &made.chain, &made.key, host).unwrap();
    }
    assert!(handshake(&made.ca, &made.chain, &made.key, "example.com").is_err());
    let other = Made::new(&[], now(), 30).unwrap();
    assert!(handshake(&other.ca, &made.chain, &made.key, "localhost").is_err());
}

#[test]
fn i3_the_authority_signs_for_its_names_alone() {
    let names = ALWAYS.map(str::to_owned);
    let (from, until) = (now() - Duration::from_hours(24), now() + Duration::from_hours(24));
    let ca_params = authority(&names, from, until).unwrap();
    let ca = CertifiedIssuer::self_signed(ca_params, KeyPair::generate().unwrap()).unwrap();
    for (host, trusted) in [("localhost", true), ("bank.example", false), ("192.0.2.1", false)] {
        let key = KeyPair::generate().unwrap();
        let forged = leaf(&[host.to_owned()], from, until).unwrap().signed_by(&key, &ca).unwrap();
        let result = handshake(&ca.pem(), &forged.pem(), &key.serialize_pem(), host);
        assert_eq!(result.is_ok(), trusted, "{host}: {result:?}");
    }
}

#[test]
fn keys_are_private_and_nothing_is_overwritten_unasked() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("certs");
    let dev = |force| Dev {
        out: out.clone(),
        name: vec![],
        client: vec![TenantLabel::parse("acme").unwrap()],
        days: 30,
        force,
    };
    let (printer, printed, _) = captured(false);
    dev(false).run(&printer).unwrap();
    for (name, mode) in [
        ("ca.key", 0o600),
        ("server.key", 0o600),
        ("client-ca.key", 0o600),
        ("client-acme.key", 0o600),
    ] {
        let found = fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
        let key = fs::read_to_string(out.join(name)).unwrap();
        assert!(!printed.text().contains(key.lines().nth(1).unwrap()));
    }
    let before = fs::read_to_string(out.join("server.pem")).unwrap();
    assert!(dev(false).run(&printer).unwrap_err().public().contains("--force"));
    assert_eq!(fs::read_to_string(out.join("server.pem")).unwrap(), before);
    dev(true).run(&printer).unwrap();
    assert_ne!(fs::read_to_string(out.join("server.pem")).unwrap(), before);
}

#[test]
fn a_name_that_is_none_is_refused() {
    for bad in ["nöt-ascii", "", "*.example.com", "a b", "x:3000", "https://x"] {
        assert!(Made::new(&[bad.to_owned()], now(), 30).is_err(), "{bad:?}");
    }
    let made = Made::new(&["[fd00::1]".to_owned(), "localhost".to_owned()], now(), 30).unwrap();
    assert_eq!(made.names, ["localhost", "127.0.0.1", "::1", "fd00::1"]);
}
