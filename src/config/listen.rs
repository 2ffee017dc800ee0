//! Sockets, connection caps and deadlines, TLS files.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;

use super::{
    Settings,
    form::{
        Count, FilePath, Flag, Form, List, Optional, Raw, net, size::Size, time::Time, within,
        wrong,
    },
    setting::{Setting, setting},
};

/// `[listen]`
#[derive(Debug, Clone)]
pub struct Listen {
    /// The public listener.
    pub public: SocketAddr,
    /// Moves `/admin` to a listener of its own.
    pub admin: Option<SocketAddr>,
    /// Adds a listener for health only.
    pub ops: Option<SocketAddr>,
    /// A proxy in front ends TLS; without it a non-loopback address needs TLS of our own.
    pub behind_proxy: bool,
    /// Peers whose `X-Forwarded-For` and `X-Forwarded-Proto` count.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections at once on the public listener; the others have 64 places of their own, so
    /// that operators and probes get in while it is full.
    pub max_connections: usize,
    /// Connections at once from one address (IPv6: from one /64).
    pub max_connections_per_address: usize,
    /// For the whole request head to arrive.
    pub header_timeout: Duration,
    /// For the whole request body to arrive.
    pub body_timeout: Duration,
    /// For the TLS handshake.
    pub handshake_timeout: Duration,
    /// A connection without a request ends after this.
    pub idle_timeout: Duration,
    /// A client that takes nothing of an answer for so long is cut off.
    pub write_timeout: Duration,
    /// The request head, in bytes.
    pub max_header_bytes: usize,
    /// Header fields in a request.
    pub max_headers: usize,
    /// A request body, in bytes.
    pub max_body_bytes: usize,
    /// A request target, in bytes.
    pub max_uri_bytes: usize,
    /// Whether HTTP/2 is spoken (by ALPN on TLS, by prior knowledge on plain HTTP).
    pub http2: bool,
    /// Streams at once on one HTTP/2 connection.
    pub http2_max_streams: u32,
    /// For requests under way when the server is asked to stop.
    pub drain_timeout: Duration,
    /// Certificate chain and key; `None` serves plain HTTP.
    pub tls: Option<Tls>,
}

/// `[listen.tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// PEM file: the leaf first, then its chain.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub private_key: PathBuf,
    /// How often the files are looked at for a change.
    pub reload_interval: Duration,
    /// Whether clients are asked for a certificate.
    pub client_certificates: ClientCertificates,
    /// PEM file with the authorities whose client certificates are good.
    pub client_ca: Option<PathBuf>,
    /// PEM file with the lists of certificates that they have revoked.
    pub client_crl: Option<PathBuf>,
}

/// Whether clients are asked for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCertificates {
    /// Nobody is.
    #[default]
    Off,
    /// Everybody is; who has none goes on without, and who shows a bad one does not.
    Optional,
    /// Everybody is; without a good one there is no connection.
    Required,
}

impl Form for ClientCertificates {
    type Value = Self;

    const NAME: &'static str = "off, optional or required";

    fn read(raw: &Raw) -> Result<Self, String> {
        match raw.text()? {
            "off" => Ok(Self::Off),
            "optional" => Ok(Self::Optional),
            "required" => Ok(Self::Required),
            _ => Err(wrong(raw, "`off`, `optional` or `required`")),
        }
    }

    fn show(value: &Self) -> String {
        match value {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        }
        .to_owned()
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            public: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3000),
            admin: None,
            ops: None,
            behind_proxy: false,
            trusted_proxies: Vec::new(),
            max_connections: 4096,
            max_connections_per_address: 1024,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_mins(1),
            max_header_bytes: 32 * 1024,
            max_headers: 64,
            max_body_bytes: 1024 * 1024,
            max_uri_bytes: 8 * 1024,
            http2: true,
            http2_max_streams: 100,
            drain_timeout: Duration::from_secs(20),
            tls: None,
        }
    }
}

impl Listen {
    /// Whether a listener can be reached from another machine.
    #[must_use]
    pub fn is_open(address: SocketAddr) -> bool {
        !address.ip().to_canonical().is_loopback()
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: PathBuf::new(),
            private_key: PathBuf::new(),
            reload_interval: Duration::from_mins(1),
            client_certificates: ClientCertificates::Off,
            client_ca: None,
            client_crl: None,
        }
    }
}

const TENTH: Duration = Duration::from_millis(100);
const HOUR: Duration = Duration::from_hours(1);

/// Shortest and longest time between two looks at the certificate files.
const RELOADS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(24));

pub(in crate::config) const SETTINGS: &[Setting] = &[
    Setting {
        key: "listen.host",
        summary: "address of the public listener",
        form: net::Host::NAME,
        bounds: || None,
        secret: false,
        set: |settings, raw| {
            settings.listen.public.set_ip(net::Host::read(raw)?);
            Ok(())
        },
        show: |settings| net::Host::show(&settings.listen.public.ip()),
    },
    Setting {
        key: "listen.port",
        summary: "port of the public listener; 0 takes a free one",
        form: Count::<u16>::NAME,
        bounds: || Some(("0".to_owned(), "65535".to_owned())),
        secret: false,
        set: |settings, raw| {
            settings.listen.public.set_port(Count::<u16>::read(raw)?);
            Ok(())
        },
        show: |settings| settings.listen.public.port().to_string(),
    },
    setting!(listen.admin: Optional<net::Address>; "moves `/admin` to a listener of its own"),
    setting!(listen.ops: Optional<net::Address>; "adds a listener for health only"),
    setting!(listen.behind_proxy: Flag; "a proxy in front ends TLS"),
    setting!(listen.trusted_proxies: List<net::Network>;
        "peers whose `X-Forwarded-For` and `X-Forwarded-Proto` count"),
    setting!(listen.max_connections: Count<usize>, 1..=1_000_000;
        "connections at once on the public listener"),
    setting!(listen.max_connections_per_address: Count<usize>, 1..=1_000_000;
        "connections at once from one address (IPv6: from one /64)"),
    setting!(listen.header_timeout: Time, TENTH..=HOUR; "for the whole request head to arrive"),
    setting!(listen.body_timeout: Time, TENTH..=HOUR; "for the whole request body to arrive"),
    setting!(listen.handshake_timeout: Time, TENTH..=HOUR; "for the TLS handshake"),
    setting!(listen.idle_timeout: Time, TENTH..=HOUR;
        "a connection without a request ends after this"),
    setting!(listen.write_timeout: Time, TENTH..=HOUR;
        "a client that takes nothing of an answer for so long is cut off"),
    setting!(listen.max_header_bytes: Size, 8192..=1 << 20; "a request head"),
    setting!(listen.max_headers: Count<usize>, 16..=1024; "header fields in a request"),
    setting!(listen.max_body_bytes: Size, 1024..=64 << 20; "a request body"),
    setting!(listen.max_uri_bytes: Size, 256..=64 << 10; "a request target"),
    setting!(listen.http2: Flag; "speak HTTP/2 too"),
    setting!(listen.http2_max_streams: Count<u32>, 1..=10_000;
        "streams at once on one HTTP/2 connection"),
    setting!(listen.drain_timeout: Time, TENTH..=HOUR;
        "for requests under way when the server is asked to stop"),
    Setting {
        key: "listen.tls.certificate",
        summary: "PEM file: the leaf first, then its chain; without it plain HTTP is served",
        form: FilePath::NAME,
        bounds: || None,
        secret: false,
        set: |settings, raw| {
            settings.listen.tls.get_or_insert_default().certificate = FilePath::read(raw)?;
            Ok(())
        },
        show: |settings| tls(settings.listen.tls.as_ref(), |t| &t.certificate),
    },
    Setting {
        key: "listen.tls.private_key",
        summary: "PEM file with the private key, readable by memgate alone",
        form: FilePath::NAME,
        bounds: || None,
        secret: false,
        set: |settings, raw| {
            settings.listen.tls.get_or_insert_default().private_key = FilePath::read(raw)?;
            Ok(())
        },
        show: |settings| tls(settings.listen.tls.as_ref(), |t| &t.private_key),
    },
    Setting {
        key: "listen.tls.reload_interval",
        summary: "how often these files are looked at for a change",
        form: Time::NAME,
        bounds: || Some((Time::show(&RELOADS.0), Time::show(&RELOADS.1))),
        secret: false,
        set: |settings, raw| {
            let interval = within::<Time>(Time::read(raw)?, &(RELOADS.0..=RELOADS.1))?;
            settings.listen.tls.get_or_insert_default().reload_interval = interval;
            Ok(())
        },
        show: |settings| {
            let default = Tls::default().reload_interval;
            Time::show(&settings.listen.tls.as_ref().map_or(default, |t| t.reload_interval))
        },
    },
    Setting {
        key: "listen.tls.client_certificates",
        summary: "whether clients are asked for a certificate",
        form: ClientCertificates::NAME,
        bounds: || None,
        secret: false,
        set: |settings, raw| {
            let mode = ClientCertificates::read(raw)?;
            settings.listen.tls.get_or_insert_default().client_certificates = mode;
            Ok(())
        },
        show: |settings| {
            let tls = settings.listen.tls.as_ref();
            ClientCertificates::show(&tls.map(|t| t.client_certificates).unwrap_or_default())
        },
    },
    Setting {
        key: "listen.tls.client_ca",
        summary: "PEM file with the authorities whose client certificates are good",
        form: FilePath::NAME,
        bounds: || None,
        secret: false,
        set: |settings, raw| {
            settings.listen.tls.get_or_insert_default().client_ca =
                Optional::<FilePath>::read(raw)?;
            Ok(())
        },
        show: |settings| Optional::<FilePath>::show(&client(settings, |t| &t.client_ca)),
    },
    Setting {
        key: "listen.tls.client_crl",
        summary: "PEM file with the revocation lists of these authorities, one of each",
        form: FilePath::NAME,
        bounds: || None,
        secret: false,
        set: |settings, raw| {
            settings.listen.tls.get_or_insert_default().client_crl =
                Optional::<FilePath>::read(raw)?;
            Ok(())
        },
        show: |settings| Optional::<FilePath>::show(&client(settings, |t| &t.client_crl)),
    },
];

fn client(settings: &Settings, file: fn(&Tls) -> &Option<PathBuf>) -> Option<PathBuf> {
    settings.listen.tls.as_ref().and_then(|tls| file(tls).clone())
}

fn tls(tls: Option<&Tls>, path: fn(&Tls) -> &PathBuf) -> String {
    let path = tls.map(path).filter(|p| !p.as_os_str().is_empty());
    path.map_or_else(|| "none".to_owned(), FilePath::show)
}
