//! Certificates made on the spot: an authority, its clients, its revocation list. Nothing of it is
//! ever written outside a test's own directory.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SanType, SerialNumber, date_time_ymd, string::Ia5String,
};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _},
};

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the process under test has the machine's clock")]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Whose word counts for certificates.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    serials: AtomicU64,
}

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Holder {
    /// The certificate, DER.
    pub(crate) certificate: CertificateDer<'static>,
    /// The certificate, PEM.
    pub(crate) pem: String,
    /// Its key, PEM.
    pub(crate) key: String,
    serial: u64,
    key_der: Vec<u8>,
}

impl Holder {
    /// Of a certificate and a key in PEM.
    pub(crate) fn of_pem(certificate: &str, key: &str) -> Self {
        Self {
            certificate: CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap(),
            pem: certificate.to_owned(),
            key: key.to_owned(),
            serial: 0,
            key_der: PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes())
                .unwrap()
                .secret_pkcs8_der()
                .to_vec(),
        }
    }
}

/// What a certificate is made of, and the times of its validity in seconds since 1970.
pub(crate) struct Wish {
    pub(crate) params: CertificateParams,
    pub(crate) from: u64,
    pub(crate) until: u64,
}

impl Authority {
    /// A new one.
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, serials: AtomicU64::new(1) }
    }

    /// Its own certificate, PEM.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A client certificate with these alternative names, good for an hour.
    pub(crate) fn client(&self, names: &[SanType]) -> Holder {
        self.client_with(names, |_| {})
    }

    /// One whose only name is this URI.
    pub(crate) fn of_uri(&self, uri: &str) -> Holder {
        self.client(&[Self::uri(uri)])
    }

    /// A name that is a URI.
    pub(crate) fn uri(text: &str) -> SanType {
        SanType::URI(Ia5String::try_from(text).unwrap())
    }

    /// A name that is a DNS name.
    pub(crate) fn dns(text: &str) -> SanType {
        SanType::DnsName(Ia5String::try_from(text).unwrap())
    }

    /// The same, changed by `change`.
    pub(crate) fn client_with(&self, names: &[SanType], change: impl FnOnce(&mut Wish)) -> Holder {
        let serial = self.serials.fetch_add(1, Ordering::Relaxed);
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from(serial));
        params.subject_alt_names = names.to_vec();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let mut wish = Wish { params, from: now() - 3600, until: now() + 3600 };
        change(&mut wish);
        let epoch = date_time_ymd(1970, 1, 1);
        wish.params.not_before = epoch + Duration::from_secs(wish.from);
        wish.params.not_after = epoch + Duration::from_secs(wish.until);
        let key = KeyPair::generate().unwrap();
        let made = wish.params.signed_by(&key, &self.issuer).unwrap();
        Holder {
            certificate: made.der().clone(),
            pem: made.pem(),
            key: key.serialize_pem(),
            serial,
            key_der: key.serialize_der(),
        }
    }

    /// Its revocation list, PEM, good until `until`.
    pub(crate) fn revocations(&self, revoked: &[&Holder], until: u64) -> String {
        let epoch = date_time_ymd(1970, 1, 1);
        let earlier = epoch + Duration::from_secs(now() - 3600);
        let revoked = revoked.iter().map(|holder| RevokedCertParams {
            serial_number: SerialNumber::from(holder.serial),
            revocation_time: earlier,
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: epoch + Duration::from_secs(now() - 7200),
            next_update: epoch + Duration::from_secs(until),
            crl_number: SerialNumber::from(self.serials.fetch_add(1, Ordering::Relaxed)),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

/// How a client talks TLS to a server with this certificate, with its own certificate or none. It
/// would resume sessions if the server let it.
pub(crate) fn dialect(
    server: &CertificateDer<'static>,
    client: Option<&Holder>,
) -> Arc<ClientConfig> {
    dialect_of_any(std::slice::from_ref(server), client)
}

/// The same, with a server that may have any of these certificates.
pub(crate) fn dialect_of_any(
    servers: &[CertificateDer<'static>],
    client: Option<&Holder>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for server in servers {
        roots.add(server.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some(holder) => {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(holder.key_der.clone()));
            builder.with_client_auth_cert(vec![holder.certificate.clone()], key).unwrap()
        }
    };
    config.resumption = Resumption::in_memory_sessions(32);
    config.enable_early_data = true;
    Arc::new(config)
}
