//! Loading and reloading, with certificates made on the spot.

use std::{fs, path::Path, time::Duration};

use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::*;

/// Writes a new self-signed certificate and its key, and returns the certificate.
fn write_pair(directory: &Path) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    fs::write(directory.join("cert.pem"), made.cert.pem()).unwrap();
    made.cert.der().to_vec()
}

fn settings(directory: &Path) -> Tls {
    Tls {
        certificate: directory.join("cert.pem"),
        private_key: directory.join("key.pem"),
        reload_interval: Duration::from_hours(1),
        ..Tls::default()
    }
}

#[test]
fn a_key_of_another_certificate_is_refused_and_the_old_pair_stays() {
    let directory = TempDir::new().unwrap();
    write_pair(directory.path());
    let certificates = Certificates::load(&settings(directory.path()), true).unwrap();
    let old = certificates.config();

    let stranger = rcgen::KeyPair::generate().unwrap();
    fs::write(directory.path().join("key.pem"), stranger.serialize_pem()).unwrap();
    let error = certificates.reload().unwrap_err();
    assert!(error.public().contains("does not belong"), "{error}");
    assert!(Arc::ptr_eq(&old, &certificates.config()));
    assert!(certificates.status().problem.is_some());

    write_pair(directory.path());
    assert!(certificates.reload().unwrap());
    assert!(!Arc::ptr_eq(&old, &certificates.config()));
    assert_eq!(certificates.status().problem, None);
    assert!(!certificates.reload().unwrap(), "nothing has changed since");
}

#[test]
fn broken_files_are_named_and_never_quoted() {
    let directory = TempDir::new().unwrap();
    let load = || Certificates::load(&settings(directory.path()), true).unwrap_err();
    assert!(load().public().contains("certificate file cannot be read"));
    write_pair(directory.path());
    fs::write(directory.path().join("key.pem"), "hunter2").unwrap();
    let error = load();
    assert!(error.public().contains("key file holds no PEM"));
    assert!(!format!("{error:?}").contains("hunter2"));
    fs::write(directory.path().join("cert.pem"), "").unwrap();
    assert!(load().public().contains("certificate file holds no PEM"));
}

#[tokio::test]
async fn a_notice_reloads_through_swapped_links() {
    let directory = TempDir::new().unwrap();
    let [one, two] = ["one", "two"].map(|name| directory.path().join(name));
    for place in [&one, &two] {
        fs::create_dir(place).unwrap();
        write_pair(place);
    }
    let link = directory.path().join("data");
    std::os::unix::fs::symlink(&one, &link).unwrap();
    let certificates = Arc::new(Certificates::load(&settings(&link), true).unwrap());
    let old = certificates.config();
    let (now, stopped) = (Arc::new(Notify::new()), CancellationToken::new());
    let watching = watch(Arc::clone(&certificates), Arc::clone(&now), stopped.clone());

    let swap = directory.path().join("swap");
    std::os::unix::fs::symlink(&two, &swap).unwrap();
    fs::rename(&swap, &link).unwrap();
    now.notify_one();
    let seen = async {
        while Arc::ptr_eq(&old, &certificates.config()) {
            tokio::task::yield_now().await;
        }
        stopped.cancel();
    };
    tokio::time::timeout(Duration::from_secs(10), async { tokio::join!(watching, seen) })
        .await
        .unwrap();
}
