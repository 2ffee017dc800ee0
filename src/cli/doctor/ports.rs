//! The listeners: free to be taken, or taken by our own server.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use super::{Finding, Patient};

const CHECK: &str = "ports";

pub(in crate::cli::doctor) fn examine(patient: &Patient) -> Vec<Finding> {
    let listen = &patient.settings().listen;
    let listeners = [
        ("listen.port", Some(listen.public)),
        ("listen.admin", listen.admin),
        ("listen.ops", listen.ops),
    ];
    let found = listeners.into_iter().filter_map(|(key, address)| Some((key, address?)));
    found.map(|(key, address)| one(key, address, patient.server_runs)).collect()
}

/// Taking the port for a moment is the only answer that counts.
fn one(key: &str, address: SocketAddr, server_runs: bool) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) if server_runs && address.port() != 0 => Finding::warning(
            CHECK,
            format!("a server runs on the data directory, and not on {address}"),
            format!("it was started with another `{key}`; restart it, or give doctor the same"),
        ),
        Ok(_) => Finding::fine(CHECK, format!("{address} is free")),
        Err(e) if e.kind() == io::ErrorKind::AddrInUse && server_runs => {
            Finding::fine(CHECK, format!("{address} is taken, as it should be: a server runs"))
        }
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => Finding::wrong(
            CHECK,
            format!("{address} is taken by another program"),
            format!("stop it (`ss -ltnp` shows who it is), or set another `{key}`"),
        ),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Finding::wrong(
            CHECK,
            format!("{address} may not be taken by this user"),
            format!("set `{key}` to a port above 1023"),
        ),
        Err(e) => Finding::wrong(
            CHECK,
            format!("{address} cannot be taken: {e}"),
            "set `listen.host` to an address of this machine",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Verdict;

    #[test]
    fn a_port_is_free_or_ours_or_taken() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(one("listen.port", address, false).verdict, Verdict::Wrong);
        assert_eq!(one("listen.port", address, true).verdict, Verdict::Fine);
        drop(taken);
        assert_eq!(one("listen.port", address, false).verdict, Verdict::Fine);
        assert_eq!(one("listen.port", address, true).verdict, Verdict::Warning);
        let elsewhere = "192.0.2.1:3000".parse().unwrap();
        assert_eq!(one("listen.port", elsewhere, false).verdict, Verdict::Wrong);
    }
}
