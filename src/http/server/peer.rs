//! What the socket alone says of a caller.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use crate::auth::ClientCertificate;

/// Which listener a connection came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Surface {
    /// Anybody's: `/mcp`, health, and the administration when it has no listener of its own.
    Public,
    /// The administration's own.
    Admin,
    /// Health only.
    Ops,
    /// The Unix socket in the data directory.
    Control,
}

/// The other end of a connection; in the extensions of every request as `Arc<Peer>`.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address; a local socket counts as [`Peer::LOCAL`].
    pub address: IpAddr,
    /// The listener it came to.
    pub surface: Surface,
    /// Whether we ended TLS on this connection.
    pub encrypted: bool,
    /// The name the client asked for in the TLS handshake.
    pub server_name: Option<Box<str>>,
    /// The certificate that the client showed in it, verified.
    pub certificate: Option<Arc<ClientCertificate>>,
}

impl Peer {
    /// The address of callers on this machine's Unix socket.
    pub const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// A plain connection to the public loopback listener, for tests of what stands above.
    #[cfg(test)]
    pub(crate) fn plain(address: IpAddr) -> Self {
        let surface = Surface::Public;
        Self { address, surface, encrypted: false, server_name: None, certificate: None }
    }
}
