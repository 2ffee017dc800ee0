//! `memgate certs dev`: a certificate authority and a certificate for trying TLS at home.
//!
//! The authority can sign for the named hosts and nothing else (name constraints), so whoever
//! steals its key cannot pretend to be a bank. Keys are for their owner's eyes; nothing that
//! exists is overwritten unless asked.

mod clients;

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand};
use jiff::{Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CidrSubnet, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints,
    date_time_ymd,
};

use self::clients::Clients;
use super::{failure::Failure, output::Printer};
use crate::{
    config::form::{Form as _, Raw, net::HostPattern},
    db::secret_file,
    domain::{
        Error, Kind, Result,
        clock::{Clock, SystemClock},
        tenant::TenantLabel,
    },
};

/// Names and addresses that every certificate is for.
const ALWAYS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Longer ones are refused by some clients.
const MAX_DAYS: u16 = 397;

/// What to do with certificates.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a certificate authority and a certificate signed by it, for development
    #[command(after_help = "Examples:\n  \
        memgate certs dev\n  \
        memgate certs dev --out certs --name memory.lan --name 192.168.1.7\n  \
        memgate certs dev --client acme      with a client certificate for tenant `acme`")]
    Dev(Dev),
}

/// Arguments of `certs dev`.
#[derive(Debug, Args)]
pub struct Dev {
    /// Directory for the files
    #[arg(long, value_name = "DIR", default_value = "certs")]
    out: PathBuf,
    /// Another host name or address besides `localhost`, `127.0.0.1` and `::1`; can be repeated
    #[arg(long, value_name = "HOST")]
    name: Vec<String>,
    /// Make a client certificate for this tenant too, and an authority for clients; can be repeated
    #[arg(long, value_name = "TENANT", value_parser = super::tenant::label)]
    client: Vec<TenantLabel>,
    /// How long they are valid
    #[arg(long, default_value_t = MAX_DAYS, value_parser = clap::value_parser!(u16).range(1..=397))]
    days: u16,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
}

impl Command {
    pub(in crate::cli) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let Self::Dev(dev) = self;
        Ok(dev.run(printer)?)
    }
}

impl Dev {
    fn run(self, printer: &Printer) -> Result<()> {
        let now = SystemClock::new().now();
        let made = Made::new(&self.name, now, self.days)?;
        let clients = Clients::new(&self.client, now, self.days)?;
        let files: Vec<(String, &String)> = [
            ("ca.pem", &made.ca),
            ("ca.key", &made.ca_key),
            ("server.pem", &made.chain),
            ("server.key", &made.key),
        ]
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .chain(clients.iter().flat_map(Clients::files))
        .collect();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        prepare(&self.out, &names, self.force)?;
        for (name, text) in &files {
            let path = self.out.join(name);
            if Path::new(name).extension().is_some_and(|e| e == "key") {
                secret_file::write_text(&path, text)?;
            } else {
                fs::write(&path, text).map_err(|e| unwritable(&path, e))?;
            }
        }
        let shown = |name: &str| self.out.join(name).display().to_string();
        let (ca, certificate, key) = (shown("ca.pem"), shown("server.pem"), shown("server.key"));
        let until = made.until.strftime("%Y-%m-%d");
        let names = made.names.join(", ");
        printer.line(format_args!(
            "made a certificate for {names}, valid until {until}\n\n\
             serve with it:\n  \
             memgate serve --tls-certificate {certificate} --tls-key {key}\n\n\
             or in `memgate.toml`:\n  \
             [listen.tls]\n  \
             certificate = \"{certificate}\"\n  \
             private_key = \"{key}\"\n\n\
             clients trust it when they trust {ca}:\n  \
             curl --cacert {ca} https://localhost:3000/healthz\n  \
             NODE_EXTRA_CA_CERTS={ca}   Claude Code, Cursor, VS Code and other Node programs\n  \
             SSL_CERT_FILE={ca}         Python programs\n\n\
             keep {} to yourself: it can sign for the names above",
            shown("ca.key")
        ))?;
        clients.map_or(Ok(()), |clients| clients.tell(&self.out, printer))
    }
}

/// The four texts.
struct Made {
    ca: String,
    ca_key: String,
    chain: String,
    key: String,
    names: Vec<String>,
    until: Timestamp,
}

impl Made {
    fn new(more: &[String], now: Timestamp, days: u16) -> Result<Self> {
        let mut names: Vec<String> = ALWAYS.map(str::to_owned).to_vec();
        for name in more {
            let name = host(name)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        // A day back, for clients whose clock is behind.
        let from = now - Duration::from_hours(24);
        let until = now + Duration::from_hours(24 * u64::from(days));

        let ca_key = KeyPair::generate().map_err(unmade)?;
        let ca = CertifiedIssuer::self_signed(authority(&names, from, until)?, ca_key);
        let ca = ca.map_err(unmade)?;
        let key = KeyPair::generate().map_err(unmade)?;
        let leaf = leaf(&names, from, until)?.signed_by(&key, &ca).map_err(unmade)?;
        Ok(Self {
            ca: ca.pem(),
            ca_key: ca.key().serialize_pem(),
            chain: leaf.pem() + &ca.pem(),
            key: key.serialize_pem(),
            names,
            until,
        })
    }
}

/// A host name or an address. What is neither is refused here: the writer of certificates
/// panics on some of it.
fn host(text: &str) -> Result<String> {
    let raw = Raw::Text(text.to_owned());
    let name = HostPattern::read(&raw).ok().filter(|name| !name.contains('*'));
    let name = name.ok_or_else(|| {
        Error::bad_input("`--name` takes a host name or an IP address, without `*` and port")
    })?;
    Ok(name.trim_matches(['[', ']']).to_owned())
}

fn authority(names: &[String], from: Timestamp, until: Timestamp) -> Result<CertificateParams> {
    let mut params = valid(CertificateParams::default(), from, until)?;
    params.distinguished_name.push(DnType::CommonName, "memgate development authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let subtree = |name: &String| match name.parse::<IpAddr>() {
        Ok(ip) => {
            let all = if ip.is_ipv4() { 32 } else { 128 };
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(ip, all))
        }
        Err(_) => GeneralSubtree::DnsName(name.clone()),
    };
    // SECURITY: test `i3_the_authority_signs_for_its_names_alone`.
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: names.iter().map(subtree).collect(),
        excluded_subtrees: vec![],
    });
    Ok(params)
}

fn leaf(names: &[String], from: Timestamp, until: Timestamp) -> Result<CertificateParams> {
    let params = CertificateParams::new(names).map_err(unmade)?;
    let mut params = valid(params, from, until)?;
    params.distinguished_name.push(DnType::CommonName, "memgate development server");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn valid(
    mut params: CertificateParams,
    from: Timestamp,
    until: Timestamp,
) -> Result<CertificateParams> {
    let day = |time: Timestamp| -> Result<_> {
        let date = time.to_zoned(TimeZone::UTC).date();
        let [month, day] = [date.month(), date.day()].map(u8::try_from);
        let (month, day) = (month.map_err(Error::internal)?, day.map_err(Error::internal)?);
        Ok(date_time_ymd(date.year().into(), month, day))
    };
    params.not_before = day(from)?;
    params.not_after = day(until)?;
    Ok(params)
}

/// Makes room for the files, or says which of them is in the way before any is written.
fn prepare(directory: &Path, names: &[&str], force: bool) -> Result<()> {
    fs::create_dir_all(directory).map_err(|e| unwritable(directory, e))?;
    for path in names.iter().map(|name| directory.join(name)) {
        if path.symlink_metadata().is_err() {
            continue;
        }
        if !force {
            return Err(Error::bad_input(format!(
                "{} exists already; `--force` replaces it, `--out DIR` writes elsewhere",
                path.display()
            )));
        }
        fs::remove_file(&path).map_err(|e| unwritable(&path, e))?;
    }
    Ok(())
}

fn unwritable(path: &Path, cause: std::io::Error) -> Error {
    let sentence = format!("{} cannot be written", path.display());
    Error::new(Kind::Unavailable, sentence).caused_by(cause)
}

fn unmade(cause: rcgen::Error) -> Error {
    Error::new(Kind::Internal, "the certificate cannot be made").caused_by(cause)
}

#[cfg(test)]
mod tests;
