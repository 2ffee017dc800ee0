//! The PEM files: certificate and key, and what client certificates are judged by.

use std::{fmt, fs, path::Path};

use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject,
};
use zeroize::Zeroizing;

use crate::{
    config::listen::Tls,
    domain::{Error, Kind, Result},
};

/// The largest file that is read: a long chain is some kilobytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// What is in the files now. Contents are compared, not times or names: that works for a file
/// written in place, one moved over it, and the swapped links of a mounted secret alike.
#[derive(PartialEq, Eq)]
pub(super) struct Files {
    certificate: Vec<u8>,
    private_key: Zeroizing<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
    client_crl: Option<Vec<u8>>,
}

impl Files {
    pub(super) fn read(settings: &Tls) -> Result<Self> {
        Ok(Self {
            certificate: read(&settings.certificate, "certificate")?,
            private_key: Zeroizing::new(read(&settings.private_key, "private key")?),
            client_ca: optional(settings.client_ca.as_deref(), "client authority")?,
            client_crl: optional(settings.client_crl.as_deref(), "client revocation list")?,
        })
    }

    pub(super) fn parse(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<std::result::Result<Vec<_>, _>>()
            .ok()
            .filter(|chain| !chain.is_empty())
            .ok_or_else(|| Error::bad_input("the TLS certificate file holds no PEM certificate"))?;
        // SECURITY: the parser's own error is dropped, since it may quote the file (I5).
        let key = PrivateKeyDer::from_pem_slice(&self.private_key)
            .map_err(|_| Error::bad_input("the TLS key file holds no PEM private key"))?;
        Ok((chain, key))
    }

    /// The authorities whose client certificates are good.
    pub(super) fn authorities(&self) -> Result<Vec<CertificateDer<'static>>> {
        let all = CertificateDer::pem_slice_iter(self.client_ca.as_deref().unwrap_or_default());
        all.collect::<std::result::Result<Vec<_>, _>>()
            .ok()
            .filter(|all| !all.is_empty())
            .ok_or_else(|| {
                Error::bad_input("the TLS client authority file holds no PEM certificate")
            })
    }

    /// Their revocation lists; none where no file is named.
    pub(super) fn revocations(&self) -> Result<Vec<CertificateRevocationListDer<'static>>> {
        let Some(text) = &self.client_crl else { return Ok(Vec::new()) };
        let all = CertificateRevocationListDer::pem_slice_iter(text);
        // A file without a list would revoke nothing, and nobody names one for that.
        all.collect::<std::result::Result<Vec<_>, _>>()
            .ok()
            .filter(|all| !all.is_empty())
            .ok_or_else(|| {
                Error::bad_input("the TLS client revocation list file holds no PEM list (X509 CRL)")
            })
    }
}

/// INVARIANT I5: the key does not print.
impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files(…)")
    }
}

fn optional(path: Option<&Path>, what: &'static str) -> Result<Option<Vec<u8>>> {
    path.map(|path| read(path, what)).transpose()
}

fn read(path: &Path, what: &'static str) -> Result<Vec<u8>> {
    let failed = |cause| {
        Error::new(Kind::Unavailable, format!("the TLS {what} file cannot be read"))
            .caused_by(cause)
    };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > MAX_BYTES {
        return Err(Error::bad_input(format!("the TLS {what} file is larger than 1 MiB")));
    }
    fs::read(path).map_err(failed)
}
