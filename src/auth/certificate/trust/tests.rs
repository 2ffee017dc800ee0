//! Trust that ends, by a clock that stands still until it is moved. The handshakes are real ones, in
//! memory, and the machine's clock is theirs.

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber,
    date_time_ymd,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig,
    crypto::CryptoProvider,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
    server::WebPkiClientVerifier,
};

use super::*;
use crate::domain::clock::{ManualClock, SystemClock};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn now() -> Timestamp {
    SystemClock::new().now()
}

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "clients");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn time(at: Timestamp) -> impl Fn(&mut CertificateParams) {
    let end = date_time_ymd(1970, 1, 1) + Duration::from_secs(at.as_second().unsigned_abs());
    move |params| params.not_after = end
}

/// Judges by this authority, and by a revocation list of it that is stale from `until` on.
fn verifier(authority: &Authority, until: Option<Timestamp>) -> Arc<dyn ClientCertVerifier> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.as_ref().der().clone()).unwrap();
    let lists = until.map(|until| {
        let mut params = CertificateParams::default();
        time(until)(&mut params);
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: params.not_after,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(authority).unwrap().der().clone()
    });
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .with_crls(lists)
        .enforce_revocation_expiration()
        .build()
        .unwrap()
}

/// A client whose certificate ends at `until`, and the server's side of its connections.
fn connect(
    authority: &Authority,
    until: Timestamp,
) -> impl Fn(Arc<dyn ClientCertVerifier>) -> ServerConnection {
    let pair = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = date_time_ymd(2026, 1, 1);
    time(until)(&mut params);
    let client = params.signed_by(&pair, authority).unwrap().der().clone();
    let key = pair.serialize_der();
    let server = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    move |verifier| {
        let der = |bytes: Vec<u8>| PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(bytes));
        let mut roots = RootCertStore::empty();
        roots.add(server.cert.der().clone()).unwrap();
        let ours = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![server.cert.der().clone()],
                der(server.signing_key.serialize_der()),
            )
            .unwrap();
        let theirs = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![client.clone()], der(key.clone()))
            .unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut theirs = ClientConnection::new(Arc::new(theirs), name).unwrap();
        let mut ours = ServerConnection::new(Arc::new(ours)).unwrap();
        while ours.is_handshaking() || theirs.wants_write() {
            let mut wire = Vec::new();
            theirs.write_tls(&mut wire).unwrap();
            ours.read_tls(&mut wire.as_slice()).unwrap();
            ours.process_new_packets().unwrap();
            let mut wire = Vec::new();
            ours.write_tls(&mut wire).unwrap();
            theirs.read_tls(&mut wire.as_slice()).unwrap();
            theirs.process_new_packets().unwrap();
        }
        ours
    }
}

fn in_hours(hours: i64) -> Timestamp {
    now() + jiff::SignedDuration::from_hours(hours)
}

#[test]
fn connections_with_one_chain_share_it_and_nobody_left_is_forgotten() {
    let (ca, clock) = (authority(), ManualClock::at(now()));
    let trust = Trust::new(verifier(&ca, None));
    let (one, two) = (connect(&ca, in_hours(9)), connect(&ca, in_hours(9)));
    let first = trust.admit(&one(verifier(&ca, None))).unwrap();
    let again = trust.admit(&one(verifier(&ca, None))).unwrap();
    let other = trust.admit(&two(verifier(&ca, None))).unwrap();
    assert!(Arc::ptr_eq(&first, &again) && !Arc::ptr_eq(&first, &other));
    drop((again, other));
    trust.tend(&clock);
    assert_eq!(trust.live.lock().unwrap().len(), 1);
    drop(first);
    trust.tend(&clock);
    assert!(trust.live.lock().unwrap().is_empty());
}

#[test]
fn i9_exchanged_authorities_are_asked_on_the_next_request_and_on_the_next_tick() {
    let (old, clock) = (authority(), ManualClock::at(now()));
    let trust = Trust::new(verifier(&old, None));
    let client = connect(&old, in_hours(9));
    let [asked, silent] =
        [client(verifier(&old, None)), connect(&old, in_hours(9))(verifier(&old, None))]
            .map(|connection| trust.admit(&connection).unwrap());
    assert!(trust.still_has(&asked, &clock) && trust.still_has(&silent, &clock));
    trust.exchange(verifier(&old, None));
    assert!(trust.still_has(&asked, &clock), "the same authority in a new file");
    trust.exchange(verifier(&authority(), None));
    assert!(!trust.still_has(&asked, &clock));
    assert!(asked.gone().is_cancelled());
    trust.tend(&clock);
    assert!(silent.gone().is_cancelled(), "without a request of its own");

    // A handshake that was begun under the old files and ends after the exchange.
    let late = trust.admit(&client(verifier(&old, None))).unwrap();
    assert!(!Arc::ptr_eq(&late, &asked));
    assert!(!trust.still_has(&late, &clock));
}

#[test]
fn i9_a_list_that_grows_stale_is_noticed_within_a_minute() {
    let (ca, clock) = (authority(), ManualClock::at(now()));
    let judge = verifier(&ca, Some(in_hours(1)));
    let trust = Trust::new(Arc::clone(&judge));
    let shown = trust.admit(&connect(&ca, in_hours(9))(judge)).unwrap();
    assert!(trust.still_has(&shown, &clock));
    clock.advance(Duration::from_mins(59));
    trust.tend(&clock);
    assert!(!shown.gone().is_cancelled());
    clock.advance(Duration::from_mins(2));
    trust.tend(&clock);
    assert!(shown.gone().is_cancelled());
}

#[test]
fn i9_a_date_that_comes_is_noticed_at_once() {
    let (ca, clock) = (authority(), ManualClock::at(now()));
    let trust = Trust::new(verifier(&ca, None));
    let client = connect(&ca, in_hours(1));
    let shown = trust.admit(&client(verifier(&ca, None))).unwrap();
    assert!(trust.still_has(&shown, &clock));
    clock.advance(Duration::from_mins(61));
    assert!(!trust.still_has(&shown, &clock));
    assert!(shown.gone().is_cancelled());
}
