//! The first start: a tenant, a key for an agent, a key for an operator, and what to do next.
//!
//! [`make`] does it when there is no key at all, neither in the data directory nor in the
//! settings; [`Bootstrap::print`] tells it once the listener is bound. The keys always go to
//! files that only their owner can read; they are printed only to a terminal (I5).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::output::Printer;
use crate::{
    config::auth::DEFAULT_TENANT,
    db::{data_dir::private_dir, secret_file},
    domain::{
        Error, Kind, Result,
        bounds::Bounds,
        key::{KeyId, Role},
        secret::Secret,
        tenant::{Tenant, TenantLabel},
    },
    registry::{Registry, keyring::NewKey},
};

/// The two keys of a first start.
#[derive(Debug)]
pub struct Bootstrap {
    agent: Issued,
    operator: Issued,
}

#[derive(Debug)]
struct Issued {
    id: KeyId,
    secret: Secret,
    path: PathBuf,
}

/// Makes tenant, keys and files when there is no key at all; `None` on every later start.
/// Hashes and writes to the disk: call it before serving begins, or from the blocking pool.
///
/// # Errors
/// `Unavailable` when something cannot be written; what was made until then stays and works.
pub fn make(registry: &Registry, directory: &Path) -> Result<Option<Bootstrap>> {
    if !registry.keys.list().is_empty() {
        return Ok(None);
    }
    let tenant = registry.tenants.ensure(&TenantLabel::parse(DEFAULT_TENANT)?)?;
    private_dir(directory)?;
    let issue = |role: Role, tenant: Option<Tenant>| -> Result<Issued> {
        let name = "made on the first start".to_owned();
        let new = NewKey {
            role,
            tenant,
            name,
            packs: None,
            act_as: vec![],
            bounds: Bounds::default(),
            expires_at: None,
        };
        let (key, secret) = registry.keys.create(new)?;
        let path = directory.join(format!("{role}.key"));
        // A file of that name belongs to keys that no longer exist.
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                let sentence = format!("{} cannot be replaced", path.display());
                return Err(Error::new(Kind::Unavailable, sentence).caused_by(e));
            }
            _ => {}
        }
        secret_file::write(&path, &secret)?;
        Ok(Issued { id: key.record.id.clone(), secret, path })
    };
    let agent = issue(Role::Agent, Some(tenant))?;
    let operator = issue(Role::Operator, None)?;
    Ok(Some(Bootstrap { agent, operator }))
}

impl Bootstrap {
    /// The ids of the keys.
    #[must_use]
    pub fn keys(&self) -> [&KeyId; 2] {
        [&self.agent.id, &self.operator.id]
    }

    /// Says where memgate is, how to connect, and what comes next. `url` is where it listens,
    /// `http://127.0.0.1:3000`.
    ///
    /// # Errors
    /// `Unavailable` when the output cannot be written.
    pub fn print(&self, url: &str, printer: &Printer) -> Result<()> {
        let (agent, operator) = (self.agent.path.display(), self.operator.path.display());
        printer.line(format_args!(
            "memgate serves for the first time\n\n  \
             MCP endpoint    {url}/mcp\n  \
             administration  {url}/admin\n  \
             agent key       {agent} (tenant `{DEFAULT_TENANT}`)\n  \
             operator key    {operator}"
        ))?;
        if printer.is_terminal() {
            printer.line("\nthe keys, shown this once:\n\n  agent")?;
            printer.secret(&self.agent.secret)?;
            printer.line("  operator")?;
            printer.secret(&self.operator.secret)?;
        }
        printer.line(format_args!(
            "\nconnect a client, for example Claude Code:\n  \
             claude mcp add --transport http memgate {url}/mcp \
             --header \"Authorization: Bearer $(cat {agent})\"\n\n\
             next:\n  \
             memgate tenant create acme                       a memory of its own\n  \
             memgate key create --tenant acme --name laptop   a key that opens it\n  \
             memgate session list                             who is connected"
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt as _, sync::Arc};

    use super::*;
    use crate::{
        cli::output::tests::captured,
        config::{auth::EnvironmentKey, limits::Limits},
        db::data_dir::DataDir,
        domain::{clock::ManualClock, key::PresentedKey, random::OsEntropy},
    };

    fn open(data: &DataDir, environment: &[EnvironmentKey]) -> Registry {
        let clock = Arc::new(ManualClock::at("2026-07-28T12:00:00Z".parse().unwrap()));
        Registry::open(data, clock, Arc::new(OsEntropy), &Limits::default(), environment).unwrap()
    }

    #[test]
    fn the_first_start_makes_two_keys_and_the_second_none() {
        let temp = tempfile::tempdir().unwrap();
        let data = DataDir::open(&temp.path().join("data")).unwrap();
        let directory = data.paths().bootstrap_dir();
        let registry = open(&data, &[]);
        assert!(make(&registry, &directory).unwrap().is_some());
        for (name, tenant) in [("agent", Some("default")), ("operator", None)] {
            let path = directory.join(format!("{name}.key"));
            let text = fs::read_to_string(&path).unwrap();
            let key = PresentedKey::parse(text.strip_suffix('\n').unwrap()).unwrap();
            let key = registry.keys.get(&key.id).unwrap();
            assert_eq!(key.record.role.as_str(), name);
            assert_eq!(key.record.tenant.as_ref().map(|t| t.label.as_str()), tenant);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(make(&registry, &directory).unwrap().is_none());
        assert!(make(&open(&data, &[]), &directory).unwrap().is_none());
    }

    #[test]
    fn a_key_in_the_settings_is_key_enough() {
        let temp = tempfile::tempdir().unwrap();
        let data = DataDir::open(&temp.path().join("data")).unwrap();
        let key = EnvironmentKey {
            tenant: None,
            role: Role::Operator,
            secret: Secret::new("k7Qd93jf8sLw02Xm".to_owned()),
        };
        let directory = data.paths().bootstrap_dir();
        assert!(make(&open(&data, &[key]), &directory).unwrap().is_none());
        assert!(!directory.exists());
    }

    #[test]
    fn files_of_keys_that_are_gone_are_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let data = DataDir::open(&temp.path().join("data")).unwrap();
        let directory = data.paths().bootstrap_dir();
        private_dir(&directory).unwrap();
        fs::write(directory.join("agent.key"), "old").unwrap();
        make(&open(&data, &[]), &directory).unwrap();
        assert_ne!(fs::read_to_string(directory.join("agent.key")).unwrap(), "old");
    }

    #[test]
    fn i5_keys_are_printed_to_a_terminal_and_nowhere_else() {
        let issued = |secret: &str, path: &str| Issued {
            id: KeyId::parse("000000000000").unwrap(),
            secret: Secret::new(secret.to_owned()),
            path: path.into(),
        };
        let bootstrap = Bootstrap {
            agent: issued("agent-secret", "bootstrap/agent.key"),
            operator: issued("operator-secret", "bootstrap/operator.key"),
        };
        for is_terminal in [true, false] {
            let (printer, out, err) = captured(is_terminal);
            bootstrap.print("http://127.0.0.1:3000", &printer).unwrap();
            let text = out.text() + &err.text();
            assert!(text.contains("http://127.0.0.1:3000/mcp"), "{text}");
            assert_eq!(text.contains("agent-secret"), is_terminal, "{text}");
            assert_eq!(text.contains("operator-secret"), is_terminal, "{text}");
            assert_eq!(text.matches("memgate key create").count(), 1);
        }
        assert!(!format!("{bootstrap:?}").contains("-secret"));
    }
}
