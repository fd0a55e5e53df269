//! Domains, accounts and their users: who owns things, and who asks for them.

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{Result, all, execute, new_uuid, now, one, parsed};
use crate::Credentials;

/// CloudStack numbers its system account and user 1, and its administrator 2.
pub(crate) const SYSTEM: i64 = 1;
pub(crate) const ADMIN: Actor = Actor { user: 2, owner: Owner { account: 2, domain: ROOT } };
pub(crate) const ROOT: i64 = 1;

/// Who a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub account: i64,
    pub domain: i64,
}

/// A user, and the account it acts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Actor {
    pub user: i64,
    pub owner: Owner,
}

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    User,
    RootAdmin,
    /// Of its domain, and of those below.
    DomainAdmin,
}

impl Role {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::User => 0,
            Self::RootAdmin => 1,
            Self::DomainAdmin => 2,
        }
    }

    pub(crate) fn of(number: i64) -> Option<Self> {
        [Self::User, Self::RootAdmin, Self::DomainAdmin].into_iter().find(|role| role.number() == number)
    }
}

pub(crate) struct Account {
    pub id: i64,
    pub uuid: Uuid,
    pub name: String,
    pub role: Role,
    pub state: String,
    pub created: String,
    pub domain_id: i64,
    pub domain_uuid: Uuid,
    pub domain: String,
    pub domain_path: String,
}

impl Account {
    pub(crate) fn owner(&self) -> Owner {
        Owner { account: self.id, domain: self.domain_id }
    }
}

pub(crate) struct User {
    pub id: i64,
    pub uuid: Uuid,
    pub username: String,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub state: String,
    pub account: i64,
    pub created: String,
}

pub(crate) struct Domain {
    pub id: i64,
    pub uuid: Uuid,
    pub name: String,
    pub parent: Option<i64>,
    /// `/` for the root, `/a/b/` below it.
    pub path: String,
}

pub(super) fn seed(db: &Connection) -> Result<()> {
    db.execute("INSERT INTO domain (id, uuid, name, path) VALUES (1, ?1, 'ROOT', '/')", [new_uuid()])?;
    for (id, name) in [(SYSTEM, "system"), (ADMIN.owner.account, "admin")] {
        db.execute(
            "INSERT INTO account (id, uuid, account_name, type, domain_id, created) VALUES (?1, ?2, ?3, 1, 1, ?4)",
            (id, new_uuid(), name, now()),
        )?;
        db.execute(
            "INSERT INTO user (id, uuid, username, account_id, created) VALUES (?1, ?2, ?3, ?1, ?4)",
            (id, new_uuid(), name, now()),
        )?;
    }
    Ok(())
}

const ACCOUNTS: &str = "SELECT account.*, domain.uuid AS domain_uuid, domain.name AS domain, domain.path AS path
    FROM account JOIN domain ON domain.id = account.domain_id";

fn read(row: &Row<'_>) -> Result<Account> {
    Ok(Account {
        id: row.get("id")?,
        uuid: parsed(row, "uuid")?,
        name: row.get("account_name")?,
        role: Role::of(row.get("type")?).unwrap_or(Role::User),
        state: row.get("state")?,
        created: row.get("created")?,
        domain_id: row.get("domain_id")?,
        domain_uuid: parsed(row, "domain_uuid")?,
        domain: row.get("domain")?,
        domain_path: row.get("path")?,
    })
}

/// The account that owns something, removed or not.
pub(crate) fn get(db: &Connection, owner: Owner) -> Result<Account> {
    let sql = format!("{ACCOUNTS} WHERE account.id = ?1");
    db.prepare_cached(&sql)?.query_row([owner.account], read)
}

/// The account of this name in a domain; the system's own account is nobody's to name.
pub(crate) fn find(db: &Connection, name: &str, domain: i64) -> Result<Option<Account>> {
    let sql = format!(
        "{ACCOUNTS} WHERE account_name = ?1 AND domain_id = ?2 AND account.id <> {SYSTEM} AND account.removed IS NULL"
    );
    one(db, &sql, (name, domain), read)
}

pub(crate) fn list(db: &Connection) -> Result<Vec<Account>> {
    let sql = format!("{ACCOUNTS} WHERE account.id <> {SYSTEM} AND account.removed IS NULL ORDER BY account.id");
    all(db, &sql, [], read)
}

/// Those whose deletion has begun and is not done.
pub(crate) fn half_removed(db: &Connection) -> Result<Vec<Account>> {
    all(db, &format!("{ACCOUNTS} WHERE account.state = 'removing' AND account.removed IS NULL"), [], read)
}

pub(crate) fn insert(db: &Connection, name: &str, role: Role, domain: i64) -> Result<i64> {
    db.execute(
        "INSERT INTO account (uuid, account_name, type, domain_id, created) VALUES (?1, ?2, ?3, ?4, ?5)",
        (new_uuid(), name, role.number(), domain, now()),
    )?;
    Ok(db.last_insert_rowid())
}

pub(crate) fn set_state(db: &Connection, id: i64, state: &str) -> Result<()> {
    execute(db, "UPDATE account SET state = ?1 WHERE id = ?2", (state, id))
}

fn read_user(row: &Row<'_>) -> Result<User> {
    Ok(User {
        id: row.get("id")?,
        uuid: parsed(row, "uuid")?,
        username: row.get("username")?,
        first_name: row.get("firstname")?,
        last_name: row.get("lastname")?,
        email: row.get("email")?,
        state: row.get("state")?,
        account: row.get("account_id")?,
        created: row.get("created")?,
    })
}

pub(crate) fn users(db: &Connection) -> Result<Vec<User>> {
    all(db, "SELECT * FROM user WHERE account_id <> 1 AND removed IS NULL ORDER BY id", [], read_user)
}

pub(crate) fn user_uuid(db: &Connection, id: i64) -> Result<Uuid> {
    db.prepare_cached("SELECT uuid FROM user WHERE id = ?1")?.query_row([id], |row| parsed(row, "uuid"))
}

pub(crate) struct NewUser<'a> {
    pub username: &'a str,
    pub first_name: &'a str,
    pub last_name: &'a str,
    pub email: &'a str,
}

pub(crate) fn insert_user(db: &Connection, new: &NewUser<'_>, account: i64) -> Result<i64> {
    db.execute(
        "INSERT INTO user (uuid, username, firstname, lastname, email, account_id, created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        (new_uuid(), new.username, new.first_name, new.last_name, new.email, account, now()),
    )?;
    Ok(db.last_insert_rowid())
}

pub(crate) fn set_keys(db: &Connection, user: i64, keys: &Credentials) -> Result<()> {
    let sql = "UPDATE user SET api_key = ?1, secret_key = ?2 WHERE id = ?3";
    execute(db, sql, (&keys.api_key, &keys.secret_key, user))
}

pub(crate) fn keys(db: &Connection, user: i64) -> Result<Option<Credentials>> {
    let sql = "SELECT api_key, secret_key FROM user WHERE id = ?1 AND api_key IS NOT NULL";
    one(db, sql, [user], |row| Ok(Credentials { api_key: row.get(0)?, secret_key: row.get(1)? }))
}

/// The user with this key, and its secret; only if it and its account may act.
pub(crate) fn by_key(db: &Connection, api_key: &str) -> Result<Option<(i64, String)>> {
    let sql = "SELECT user.id, secret_key FROM user JOIN account ON account.id = account_id
               WHERE api_key = ?1 AND user.state = 'enabled' AND user.removed IS NULL
                     AND account.state = 'enabled' AND account.removed IS NULL";
    one(db, sql, [api_key], |row| Ok((row.get(0)?, row.get(1)?)))
}

pub(crate) fn of_user(db: &Connection, user: i64) -> Result<Account> {
    let sql = format!("{ACCOUNTS} JOIN user ON user.account_id = account.id WHERE user.id = ?1");
    db.prepare_cached(&sql)?.query_row([user], read)
}

pub(crate) fn remove(db: &Connection, id: i64) -> Result<()> {
    db.execute("UPDATE user SET removed = ?1 WHERE account_id = ?2", (now(), id))?;
    execute(db, "UPDATE account SET removed = ?1, state = 'removed' WHERE id = ?2", (now(), id))
}

pub(crate) fn domains(db: &Connection) -> Result<Vec<Domain>> {
    all(db, "SELECT * FROM domain ORDER BY id", [], |row| {
        Ok(Domain {
            id: row.get("id")?,
            uuid: parsed(row, "uuid")?,
            name: row.get("name")?,
            parent: row.get("parent")?,
            path: row.get("path")?,
        })
    })
}

/// A domain and all below it.
pub(crate) fn tree(db: &Connection, domain: i64) -> Result<Vec<i64>> {
    let sql =
        "SELECT below.id FROM domain JOIN domain AS below ON substr(below.path, 1, length(domain.path)) = domain.path
               WHERE domain.id = ?1";
    all(db, sql, [domain], |row| row.get(0))
}

pub(crate) fn insert_domain(db: &Connection, name: &str, parent: &Domain) -> Result<i64> {
    let path = format!("{}{name}/", parent.path);
    db.execute(
        "INSERT INTO domain (uuid, name, parent, path) VALUES (?1, ?2, ?3, ?4)",
        (new_uuid(), name, parent.id, path),
    )?;
    Ok(db.last_insert_rowid())
}
