//! Binding: every address and the control socket, before anything is served.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::net::{TcpListener, UnixListener};

use super::{Bound, Door, peer::Surface};
use crate::{
    config::listen::Listen,
    domain::{Error, Kind, Result},
    http::tls::Certificates,
};

/// One bound socket.
#[derive(Debug)]
pub(super) enum Listener {
    /// On an address.
    Tcp(TcpListener),
    /// On a path; the file goes with the listener.
    Unix { listener: UnixListener, _file: SocketFile },
}

/// Binds every listener of the settings, and the control socket at `control`.
///
/// # Errors
/// Names the address and what stands in the way.
pub async fn bind(
    settings: &Listen,
    control: Option<&Path>,
    certificates: Option<Arc<Certificates>>,
) -> Result<Bound> {
    let encrypted = certificates.is_some();
    // Health is asked for by machines on the same network, with no certificate to check.
    let wanted = [
        (Surface::Public, Some(settings.public), encrypted),
        (Surface::Admin, settings.admin, encrypted),
        (Surface::Ops, settings.ops, false),
    ];
    let mut listeners = Vec::with_capacity(wanted.len() + 1);
    for (surface, address, encrypted) in wanted {
        let Some(address) = address else { continue };
        let listener = TcpListener::bind(address).await.map_err(|e| cannot(address, e))?;
        let address = listener.local_addr().map_err(|e| cannot(address, e))?;
        listeners
            .push((Door { surface, address: Some(address), encrypted }, Listener::Tcp(listener)));
    }
    if let Some(path) = control {
        let door = Door { surface: Surface::Control, address: None, encrypted: false };
        listeners.push((door, bind_control(path)?));
    }
    Ok(Bound { settings: settings.clone(), certificates, listeners })
}

fn cannot(address: SocketAddr, cause: io::Error) -> Error {
    let why = match cause.kind() {
        io::ErrorKind::AddrInUse => "another program listens there; stop it or set another port",
        io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege; set another port",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address",
        _ => "the system refused",
    };
    Error::new(Kind::Unavailable, format!("cannot listen on {address}: {why}")).caused_by(cause)
}

/// SECURITY: the directory is 0700 and locked by this process, so nobody else can have put
/// anything at `path`; the mode of the socket is a second wall.
fn bind_control(path: &Path) -> Result<Listener> {
    let failed = |cause: io::Error| {
        let why = "cannot open the control socket; the path of the data directory may be too long \
                   (about 90 characters) or on a file system without sockets";
        Error::new(Kind::Unavailable, why).caused_by(cause)
    };
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        // Left by a process that was killed.
        fs::remove_file(path).map_err(failed)?;
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(Listener::Unix { listener, _file: SocketFile(path.to_owned()) })
}

/// Removes the socket's file when its listener goes.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!(%error, "the control socket was gone already");
        }
    }
}
