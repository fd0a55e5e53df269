//! Accounts: one so far, the root administrator, but every row names its owner.

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::{Result, new_uuid, parsed};

/// CloudStack numbers its system account and user 1, and its administrator 2.
pub(crate) const ADMIN: Owner = Owner { account: 2, domain: 1 };
pub(crate) const ADMIN_USER: i64 = 2;

/// Who a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub account: i64,
    pub domain: i64,
}

pub(crate) struct Account {
    pub uuid: Uuid,
    pub name: String,
    pub domain_uuid: Uuid,
    pub domain: String,
}

pub(super) fn seed(db: &Connection) -> Result<()> {
    db.execute("INSERT INTO domain (id, uuid, name, path) VALUES (1, ?1, 'ROOT', '/')", [new_uuid()])?;
    for (id, name) in [(1, "system"), (ADMIN.account, "admin")] {
        db.execute(
            "INSERT INTO account (id, uuid, account_name, type, domain_id) VALUES (?1, ?2, ?3, 1, 1)",
            (id, new_uuid(), name),
        )?;
        db.execute(
            "INSERT INTO user (id, uuid, username, account_id) VALUES (?1, ?2, ?3, ?1)",
            (id, new_uuid(), name),
        )?;
    }
    Ok(())
}

pub(crate) fn get(db: &Connection, owner: Owner) -> Result<Account> {
    let sql = "SELECT account.uuid, account_name, domain.uuid AS domain_uuid, domain.name AS domain
               FROM account JOIN domain ON domain.id = account.domain_id WHERE account.id = ?1";
    db.query_row(sql, [owner.account], |row| {
        Ok(Account {
            uuid: parsed(row, "uuid")?,
            name: row.get("account_name")?,
            domain_uuid: parsed(row, "domain_uuid")?,
            domain: row.get("domain")?,
        })
    })
}

pub(crate) fn user_uuid(db: &Connection, id: i64) -> Result<Uuid> {
    db.query_row("SELECT uuid FROM user WHERE id = ?1", [id], |row| parsed(row, "uuid"))
}

/// The account of this name in a domain; the system's own account is nobody's to name.
pub(crate) fn find(db: &Connection, name: &str, domain: i64) -> Result<Option<Owner>> {
    let sql = "SELECT id FROM account WHERE account_name = ?1 AND domain_id = ?2 AND id <> 1";
    let found = db.query_row(sql, (name, domain), |row| row.get(0)).optional()?;
    Ok(found.map(|account| Owner { account, domain }))
}
