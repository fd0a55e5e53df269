//! The database: CloudStack's tables in SQLite. Rows are soft-deleted: `removed` is their end.

pub(crate) mod account;
pub(crate) mod connection;
pub(crate) mod customer_gateway;
pub(crate) mod job;
pub(crate) mod journal;
mod memory;
pub(crate) mod offering;
mod random;
pub(crate) mod router;
pub(crate) mod select;
pub(crate) mod tier;
pub(crate) mod usage;
pub(crate) mod vm;
pub(crate) mod vpc;
pub(crate) mod vpn_gateway;

use std::{
    fs::{File, TryLockError},
    path::Path,
    str::FromStr,
    sync::Mutex,
};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, config::DbConfig, types::Type};
use uuid::Uuid;

use account::Owner;

use crate::{CloudError, Profile, StoreLocation, lock};

pub(crate) type Result<T, E = rusqlite::Error> = std::result::Result<T, E>;

/// Kept ready; there are about as many in this room.
const STATEMENTS: usize = 256;

pub(crate) enum Store {
    Memory(Mutex<memory::Database>),
    File {
        db: Mutex<Connection>,
        /// The database's file, locked: two services over one database would each undo what the other is doing. It is
        /// closed after `db`, whose own locks (fcntl(2), not flock(2)) would end with it.
        claim: File,
    },
}

impl Store {
    pub(crate) fn open(location: &StoreLocation, profile: Profile) -> Result<Self, CloudError> {
        match location {
            StoreLocation::Memory => {
                let db = memory::Database::open(profile).map_err(|source| CloudError::Memory { source })?;
                Ok(Self::Memory(Mutex::new(db)))
            }
            StoreLocation::File(path) => {
                let failed = |source| CloudError::Store { path: path.clone(), source };
                let no_file = |source| CloudError::File { path: path.clone(), source };
                let file = for_its_owner(path).map_err(no_file)?;
                file.try_lock().map_err(|error| match error {
                    TryLockError::WouldBlock => CloudError::InUse { path: path.clone() },
                    TryLockError::Error(source) => no_file(source),
                })?;
                let mut db = Connection::open(path).map_err(failed)?;
                db.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
                let found = prepare(&mut db, profile).map_err(failed)?;
                if found != profile.name() {
                    return Err(CloudError::OtherProfile { path: path.clone(), found, wanted: profile.name() });
                }
                Ok(Self::File { db: Mutex::new(db), claim: file })
            }
        }
    }

    /// Another service may have the database now, although tasks of this one may still hold it for a moment.
    pub(crate) fn release(&self) {
        if let Self::File { claim, .. } = self {
            // What cannot be unlocked is unlocked when it is closed.
            let _ = claim.unlock();
        }
    }

    /// Reads only, and so costs less than a transaction; each query sees what is committed then.
    pub(crate) fn read<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        match self {
            Self::Memory(db) => work(&lock(db)),
            Self::File { db, .. } => work(&lock(db)),
        }
    }

    /// Everything in `work` happens, or, if it fails, nothing of it.
    pub(crate) fn transaction<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        match self {
            Self::Memory(db) => {
                let mut db = lock(db);
                let point = db.savepoint()?;
                let done = work(&point)?;
                point.commit()?;
                Ok(done)
            }
            Self::File { db, .. } => {
                let mut db = lock(db);
                let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let done = work(&transaction)?;
                transaction.commit()?;
                Ok(done)
            }
        }
    }
}

/// The database holds pre-shared keys. SQLite gives its other files the mode of this one.
fn for_its_owner(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Makes the tables and what every CloudStack has, unless they are there; says whose profile they are.
fn prepare(db: &mut Connection, profile: Profile) -> Result<String> {
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    // Otherwise a statement is planned anew whenever it is bound, in case a value fits a partial index.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    // In KiB, if negative. What does not fit is read from the file again and again.
    db.pragma_update(None, "cache_size", -65_536)?;
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        transaction.execute_batch(include_str!("schema.sql"))?;
        transaction.execute("INSERT INTO profile (name) VALUES (?1)", [profile.name()])?;
        account::seed(&transaction)?;
        offering::seed(&transaction)?;
    }
    let found = transaction.query_row("SELECT name FROM profile", [], |row| row.get(0))?;
    transaction.commit()?;
    Ok(found)
}

/// What an id in a request may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entity {
    Domain,
    Account,
    User,
    Zone,
    VpcOffering,
    NetworkOffering,
    ServiceOffering,
    Template,
    Vpc,
    Network,
    Router,
    Address,
    Vm,
    VpnGateway,
    CustomerGateway,
    Connection,
    Job,
    Event,
    Alert,
}

impl Entity {
    fn table(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Account => "account",
            Self::User => "user",
            Self::ServiceOffering => "disk_offering",
            Self::Template => "vm_template",
            Self::Router => "domain_router",
            Self::Address => "user_ip_address",
            Self::Vm => "user_vm",
            Self::Zone => "data_center",
            Self::VpcOffering => "vpc_offerings",
            Self::NetworkOffering => "network_offerings",
            Self::Vpc => "vpc",
            Self::Network => "networks",
            Self::VpnGateway => "s2s_vpn_gateway",
            Self::CustomerGateway => "s2s_customer_gateway",
            Self::Connection => "s2s_vpn_connection",
            Self::Job => "async_job",
            Self::Event => "event",
            Self::Alert => "alert",
        }
    }

    /// The row with this UUID or, where `numbers` are taken as before CloudStack 3, with this number;
    /// removed ones included.
    pub(crate) fn resolve(self, db: &Connection, text: &str, numbers: bool) -> Result<Option<i64>> {
        let sql = format!("SELECT id FROM {} WHERE uuid = ?1 OR id = ?2", self.table());
        let number = text.parse::<i64>().ok().filter(|_| numbers);
        one(db, &sql, (text, number), |row| row.get(0))
    }

    /// Who a row belongs to, if rows of its kind belong to anybody.
    pub(crate) fn owner(self, db: &Connection, id: i64) -> Result<Option<Owner>> {
        let sql = match self {
            Self::Vpc
            | Self::Network
            | Self::VpnGateway
            | Self::CustomerGateway
            | Self::Connection
            | Self::Vm
            | Self::Event => format!("SELECT account_id, domain_id FROM {} WHERE id = ?1", self.table()),
            Self::Account => "SELECT id AS account_id, domain_id FROM account WHERE id = ?1".to_owned(),
            Self::User | Self::Job => format!(
                "SELECT account_id, domain_id FROM {0} JOIN account ON account.id = account_id WHERE {0}.id = ?1",
                self.table()
            ),
            Self::Router => "SELECT account_id, domain_id FROM domain_router JOIN vpc ON vpc.id = vpc_id
                             WHERE domain_router.id = ?1"
                .to_owned(),
            Self::Address => {
                "SELECT account_id, domain_id FROM user_ip_address WHERE id = ?1 AND vpc_id IS NOT NULL".to_owned()
            }
            Self::Domain
            | Self::Zone
            | Self::VpcOffering
            | Self::NetworkOffering
            | Self::ServiceOffering
            | Self::Template
            | Self::Alert => return Ok(None),
        };
        let read = |row: &Row<'_>| Ok(Owner { account: row.get("account_id")?, domain: row.get("domain_id")? });
        one(db, &sql, [id], read)
    }

    /// Gives a row another UUID.
    pub(crate) fn rename(self, db: &Connection, id: i64, uuid: Uuid) -> Result<()> {
        let sql = format!("UPDATE {} SET uuid = ?1 WHERE id = ?2", self.table());
        execute(db, &sql, (uuid.to_string(), id))
    }

    pub(crate) fn uuid(self, db: &Connection, id: i64) -> Result<Uuid> {
        let sql = format!("SELECT uuid FROM {} WHERE id = ?1", self.table());
        db.prepare_cached(&sql)?.query_row([id], |row| parsed(row, "uuid"))
    }

    pub(crate) fn remove(self, db: &Connection, id: i64) -> Result<()> {
        let sql = format!("UPDATE {} SET removed = ?1 WHERE id = ?2 AND removed IS NULL", self.table());
        execute(db, &sql, (now(), id))
    }
}

/// A column of a type that is kept as text.
fn parsed<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(row: &Row<'_>, column: &str) -> Result<T> {
    parsed_at(row, row.as_ref().column_index(column)?)
}

fn parsed_at<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(row: &Row<'_>, index: usize) -> Result<T> {
    let text = row.get_ref(index)?.as_str()?;
    text.parse().map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error)))
}

/// Every row of a query.
fn all<T>(
    db: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: fn(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    db.prepare_cached(sql)?.query_map(parameters, read)?.collect()
}

/// The first row of a query.
fn one<T>(
    db: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    db.prepare_cached(sql)?.query_row(parameters, read).optional()
}

/// Changes rows.
fn execute(db: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Result<()> {
    db.prepare_cached(sql)?.execute(parameters).map(drop)
}

fn new_uuid() -> String {
    random::uuid().to_string()
}

/// The time as a `datetime` column holds it: UTC, to the second.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A `datetime` column as the API writes it.
pub(crate) fn api_time(column: &str) -> String {
    format!("{}+0000", column.replacen(' ', "T", 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_failed_transaction_leaves_nothing() {
        let store = Store::open(&StoreLocation::Memory, Profile::Spec2012).unwrap();
        let failed: Result<()> = store.transaction(|db| {
            journal::alert(db, "never seen")?;
            db.execute("nonsense", []).map(drop)
        });
        assert!(failed.is_err());
        let alert = store.read(|db| journal::select_alerts().one(db, journal::read_alert));
        assert!(alert.unwrap().is_none());
    }

    #[test]
    fn what_does_not_fit_a_column_is_refused() {
        let store = Store::open(&StoreLocation::Memory, Profile::Spec2012).unwrap();
        let gateway = |policy: &str| customer_gateway::New {
            name: "n".to_owned(),
            gateway: crate::rule::host::Host::Address([198, 51, 100, 7].into()),
            cidr_list: "10.0.0.0/8".to_owned(),
            psk: policy::PreSharedKey::new("k"),
            ike_policy: policy.to_owned(),
            esp_policy: "aes128-sha1".to_owned(),
            ike_lifetime: 86_400,
            esp_lifetime: 3_600,
            dpd: false,
            force_encap: false,
            ike_version: "ike".to_owned(),
            split: false,
        };
        let insert =
            |policy| store.transaction(|db| customer_gateway::insert(db, &gateway(policy), account::ADMIN.owner));
        assert!(insert("3des-sha1,aes128-sha1;modp1536").is_ok());
        assert!(insert("3des-sha1;modp1024,aes128-sha1;modp1536").is_err());
    }

    #[test]
    fn the_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("tunnelproof-store-{}.db", Uuid::new_v4()));
        let store = Store::open(&StoreLocation::File(path.clone()), Profile::Spec2012).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(store);
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
        }
    }
}
