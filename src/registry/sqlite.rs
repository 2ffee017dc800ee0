//! The control plane in SQLite: `control.db`.
//!
//! Rows become domain values here and nowhere else, through the same parsers that outside text
//! goes through, so a row that was changed by hand cannot smuggle in a name that no parser
//! would let pass. One connection behind a mutex is enough: it is used at start, for rare
//! administration and for the ledger's batches, never on the path of a request.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use rusqlite::{ErrorCode, Row, TransactionBehavior, named_params, params};

use super::{
    control::{ControlStore, Loaded, StoredKey, TagKey},
    keyring::Proof,
    ledger::Totals,
};
use crate::{
    db::{
        data_dir::DataDir,
        migrate::{IfEmpty, Migration, Schema},
        sqlite::{Database, Limits, Mode},
    },
    domain::{
        Error, Kind, Result,
        clock::Clock,
        key::{KeyId, KeyRecord, Role},
        last_use::LastUse,
        tenant::{Tenant, TenantId, TenantLabel},
    },
};

/// `control.db` as this version knows it.
const SCHEMA: Schema = Schema {
    // "mgcp": memgate, control plane.
    application_id: 0x6d67_6370,
    migrations: &[
        Migration { name: "0001_control", sql: include_str!("migrations/sqlite/0001_control.sql") },
        Migration {
            name: "0002_capabilities",
            sql: include_str!("migrations/sqlite/0002_capabilities.sql"),
        },
    ],
};

/// The control plane's database.
pub(in crate::registry) struct SqliteControl {
    database: Mutex<Database>,
}

impl SqliteControl {
    /// Opens `control.db` in a directory that this process holds, and brings it to the present
    /// schema.
    pub(in crate::registry) fn open(data_dir: &DataDir, clock: Arc<dyn Clock>) -> Result<Self> {
        let path = data_dir.paths().control_db();
        let mut database = Database::open(&path, Mode::Create, &Limits::default(), clock)?;
        SCHEMA.bring_up(&mut database, "control", IfEmpty::Install)?;
        Ok(Self { database: Mutex::new(database) })
    }

    fn database(&self) -> MutexGuard<'_, Database> {
        // A panic inside a transaction rolled it back when the guard was dropped.
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SqliteControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteControl")
    }
}

impl ControlStore for SqliteControl {
    fn load(&self, fresh: &TagKey, now: Timestamp) -> Result<Loaded> {
        let mut database = self.database();
        let work = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work.execute(
            "INSERT INTO tag_key (one, bytes) VALUES (1, ?1) ON CONFLICT (one) DO NOTHING",
            params![fresh.0],
        )?;
        work.execute(
            "INSERT INTO session_totals VALUES (1, ?1, 0, 0, 0, 0, 0) ON CONFLICT (one) DO NOTHING",
            params![now.to_string()],
        )?;
        let tag_key = TagKey(work.query_row("SELECT bytes FROM tag_key", [], |row| row.get(0))?);
        let totals =
            work.query_row("SELECT * FROM session_totals", [], |row| Ok(totals(row)))??;

        let mut tenants = HashMap::new();
        let mut statement = work.prepare("SELECT id, label, created_at FROM tenant")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let tenant = tenant(row).map_err(|e| damaged("tenant", e))?;
            tenants.insert(tenant.id.clone(), tenant);
        }
        drop(rows);
        drop(statement);

        let mut keys = Vec::new();
        let mut statement = work.prepare("SELECT * FROM api_key")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            keys.push(stored_key(row, &tenants).map_err(|e| damaged("api_key", e))?);
        }
        drop(rows);
        drop(statement);

        work.commit()?;
        Ok(Loaded { tenants: tenants.into_values().collect(), keys, totals, tag_key })
    }

    fn insert_tenant(&self, tenant: &Tenant) -> Result<()> {
        let done = self.database().execute(
            "INSERT INTO tenant (id, label, created_at) VALUES (?1, ?2, ?3)",
            params![tenant.id.as_str(), tenant.label.as_str(), tenant.created_at.to_string()],
        );
        match done {
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                let sentence = format!("there is a tenant `{}` already", tenant.label);
                Err(Error::new(Kind::Conflict, sentence).caused_by(e))
            }
            done => Ok(done.map(drop)?),
        }
    }

    fn insert_key(&self, record: &KeyRecord, proof: &Proof) -> Result<()> {
        let (tag, hash) = proof.to_store();
        let json = |value: serde_json::Result<String>| value.map_err(Error::internal);
        let done = self.database().execute(
            "INSERT INTO api_key
               (id, role, tenant_id, name, packs, act_as, bounds, created_at, expires_at,
                revoked_at, tag, hash)
             VALUES
               (:id, :role, :tenant_id, :name, :packs, :act_as, :bounds, :created_at, :expires_at,
                :revoked_at, :tag, :hash)",
            named_params! {
                ":id": record.id.as_str(),
                ":role": record.role.as_str(),
                ":tenant_id": record.tenant.as_ref().map(|t| t.id.as_str()),
                ":name": record.name,
                ":packs": record.packs.map(|p| json(serde_json::to_string(&p))).transpose()?,
                ":act_as": json(serde_json::to_string(&record.act_as))?,
                ":bounds": json(serde_json::to_string(&record.bounds))?,
                ":created_at": record.created_at.to_string(),
                ":expires_at": record.expires_at.map(|t| t.to_string()),
                ":revoked_at": record.revoked_at.map(|t| t.to_string()),
                ":tag": tag,
                ":hash": hash,
            },
        );
        match done {
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                Err(Error::not_found("tenant").caused_by(e))
            }
            done => Ok(done.map(drop)?),
        }
    }

    fn revoke_key(&self, id: &KeyId, at: Timestamp) -> Result<()> {
        let changed = self.database().execute(
            "UPDATE api_key SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
            params![id.as_str(), at.to_string()],
        )?;
        if changed == 1 { Ok(()) } else { Err(Error::internal("no such key row to revoke")) }
    }

    fn rotate_key(&self, id: &KeyId, proof: &Proof, end: Timestamp) -> Result<()> {
        let (tag, hash) = proof.to_store();
        let changed = self.database().execute(
            "UPDATE api_key
                SET old_tag = tag, old_hash = hash, old_until = ?2, tag = ?3, hash = ?4
              WHERE id = ?1 AND revoked_at IS NULL",
            params![id.as_str(), end.to_string(), tag, hash],
        )?;
        if changed == 1 { Ok(()) } else { Err(Error::internal("no such key row to rotate")) }
    }

    fn save_uses(&self, uses: &[(KeyId, LastUse)]) -> Result<()> {
        let mut database = self.database();
        let work = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut update = work.prepare(
                "UPDATE api_key SET last_used = ?2, last_address = ?3, last_client = ?4
                  WHERE id = ?1",
            )?;
            for (id, LastUse { at, address, client }) in uses {
                let address = address.map(|address| address.to_string());
                update.execute(params![id.as_str(), at.to_string(), address, client])?;
            }
        }
        Ok(work.commit()?)
    }

    fn save_totals(&self, totals: &Totals) -> Result<()> {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.database().execute(
            "UPDATE session_totals
                SET sessions = ?1, calls = ?2, errors = ?3, bytes_in = ?4, bytes_out = ?5",
            params![
                number(totals.sessions),
                number(totals.calls),
                number(totals.errors),
                number(totals.bytes_in),
                number(totals.bytes_out)
            ],
        )?;
        Ok(())
    }
}

fn tenant(row: &Row<'_>) -> Result<Tenant> {
    Ok(Tenant {
        id: TenantId::parse(&text(row, "id")?)?,
        label: TenantLabel::parse(&text(row, "label")?)?,
        created_at: time(&text(row, "created_at")?)?,
    })
}

fn stored_key(row: &Row<'_>, tenants: &HashMap<TenantId, Tenant>) -> Result<StoredKey> {
    let tenant = match row.get::<_, Option<String>>("tenant_id")? {
        None => None,
        Some(id) => Some(
            tenants
                .get(&TenantId::parse(&id)?)
                .cloned()
                .ok_or_else(|| Error::unavailable("a key of a tenant that is not there"))?,
        ),
    };
    let role = match text(row, "role")?.as_str() {
        "agent" => Role::Agent,
        "operator" => Role::Operator,
        _ => return Err(Error::unavailable("a key with an unknown role")),
    };
    let packs = row.get::<_, Option<String>>("packs")?;
    let optional_time = |column| -> Result<_> {
        row.get::<_, Option<String>>(column)?.map(|t| time(&t)).transpose()
    };
    let mut proofs = vec![Arc::new(Proof::stored(row.get("tag")?, &text(row, "hash")?)?)];
    if let Some(until) = optional_time("old_until")? {
        let old = Proof::stored(row.get("old_tag")?, &text(row, "old_hash")?)?;
        old.end_at(until);
        proofs.push(Arc::new(old));
    }
    let address = row.get::<_, Option<String>>("last_address")?;
    let address = address.map(|a| a.parse().map_err(Error::unavailable)).transpose()?;
    let client = row.get("last_client")?;
    Ok(StoredKey {
        record: KeyRecord {
            id: KeyId::parse(&text(row, "id")?)?,
            role,
            tenant,
            name: text(row, "name")?,
            packs: packs
                .map(|p| serde_json::from_str(&p))
                .transpose()
                .map_err(Error::unavailable)?,
            act_as: serde_json::from_str(&text(row, "act_as")?).map_err(Error::unavailable)?,
            bounds: serde_json::from_str(&text(row, "bounds")?).map_err(Error::unavailable)?,
            created_at: time(&text(row, "created_at")?)?,
            expires_at: optional_time("expires_at")?,
            revoked_at: optional_time("revoked_at")?,
        },
        proofs,
        last_use: optional_time("last_used")?.map(|at| LastUse { at, address, client }),
    })
}

fn totals(row: &Row<'_>) -> Result<Totals> {
    let number = |column| -> Result<u64> {
        u64::try_from(row.get::<_, i64>(column)?).map_err(Error::unavailable)
    };
    Ok(Totals {
        counted_since: time(&text(row, "counted_since")?)?,
        sessions: number("sessions")?,
        calls: number("calls")?,
        errors: number("errors")?,
        bytes_in: number("bytes_in")?,
        bytes_out: number("bytes_out")?,
    })
}

fn text(row: &Row<'_>, column: &str) -> Result<String> {
    Ok(row.get(column)?)
}

fn time(text: &str) -> Result<Timestamp> {
    text.parse().map_err(Error::unavailable)
}

/// INVARIANT I3: one bad row stops the start, because what it would have said is unknown.
/// Test: `i3_a_damaged_row_stops_the_start`.
fn damaged(table: &'static str, cause: Error) -> Error {
    Error::unavailable(format!("control.db: a row of `{table}` is damaged")).caused_by(cause)
}

#[cfg(test)]
mod tests;
