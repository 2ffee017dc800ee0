//! Sockets, connection caps and deadlines, TLS files.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;

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
    /// Connections at once, over all listeners.
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
            write_timeout: Duration::from_secs(60),
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
