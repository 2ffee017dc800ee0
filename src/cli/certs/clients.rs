//! Client certificates for trying them: an authority that signs for named tenants and for no
//! server, and a certificate for each.
//!
//! The authority is another than the server's, as it should be everywhere: who may speak for the
//! server and who may call it are two questions.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, string::Ia5String,
};

use super::{unmade, valid};
use crate::{
    cli::output::Printer,
    domain::{Error, Result, tenant::TenantLabel},
};

/// What stands before the tenant in a certificate's name.
const NAME: &str = "spiffe://memgate.dev/tenant/";

/// An authority, and a certificate and key for each tenant.
pub(super) struct Clients {
    authority: (String, String),
    made: Vec<(TenantLabel, String, String)>,
}

impl Clients {
    /// `None` for nobody.
    pub(super) fn new(tenants: &[TenantLabel], now: Timestamp, days: u16) -> Result<Option<Self>> {
        if tenants.is_empty() {
            return Ok(None);
        }
        let from = now - Duration::from_hours(24);
        let until = now + Duration::from_hours(24 * u64::from(days));
        let params = authority(from, until)?;
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().map_err(unmade)?);
        let ca = ca.map_err(unmade)?;
        let mut made: Vec<(TenantLabel, String, String)> = Vec::new();
        for tenant in tenants {
            if made.iter().any(|(known, ..)| known == tenant) {
                continue;
            }
            let key = KeyPair::generate().map_err(unmade)?;
            let leaf = leaf(tenant, from, until)?.signed_by(&key, &ca).map_err(unmade)?;
            made.push((tenant.clone(), leaf.pem(), key.serialize_pem()));
        }
        Ok(Some(Self { authority: (ca.pem(), ca.key().serialize_pem()), made }))
    }

    /// The files, with what is in them.
    pub(super) fn files(&self) -> Vec<(String, &String)> {
        let (certificate, key) = &self.authority;
        let authority =
            [("client-ca.pem".to_owned(), certificate), ("client-ca.key".to_owned(), key)];
        let clients = self.made.iter().flat_map(|(tenant, certificate, key)| {
            [(format!("client-{tenant}.pem"), certificate), (format!("client-{tenant}.key"), key)]
        });
        authority.into_iter().chain(clients).collect()
    }

    /// What to do with them.
    pub(super) fn tell(&self, directory: &Path, printer: &Printer) -> Result<()> {
        let shown = |name: &str| directory.join(name).display().to_string();
        let (ca, server_ca) = (shown("client-ca.pem"), shown("ca.pem"));
        printer.line(format_args!(
            "\nask clients for a certificate, in `memgate.toml`:\n  \
             [listen.tls]\n  \
             client_certificates = \"required\"\n  \
             client_ca = \"{ca}\"\n\n  \
             [auth.certificates]\n  \
             use = \"alone\"\n  \
             tenant_from = \"san_uri\"\n  \
             tenant_pattern = \"{NAME}{{tenant}}\"\n\n\
             make the tenants, and call with their certificates:"
        ))?;
        for (tenant, ..) in &self.made {
            let [certificate, key] =
                ["pem", "key"].map(|kind| shown(&format!("client-{tenant}.{kind}")));
            printer.line(format_args!(
                "  memgate tenant create {tenant}\n  \
                 curl --cacert {server_ca} --cert {certificate} --key {key} \
                 https://localhost:3000/healthz"
            ))?;
        }
        Ok(())
    }
}

fn authority(from: Timestamp, until: Timestamp) -> Result<CertificateParams> {
    let mut params = valid(CertificateParams::default(), from, until)?;
    params.distinguished_name.push(DnType::CommonName, "memgate development clients");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // It vouches for clients; a server with a certificate of it is refused by every client.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn leaf(tenant: &TenantLabel, from: Timestamp, until: Timestamp) -> Result<CertificateParams> {
    let mut params = valid(CertificateParams::default(), from, until)?;
    params.distinguished_name.push(DnType::CommonName, format!("memgate client {tenant}"));
    let name = Ia5String::try_from(format!("{NAME}{tenant}")).map_err(Error::internal)?;
    params.subject_alt_names = vec![SanType::URI(name)];
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}
