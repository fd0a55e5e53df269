//! Guests in tiers.

use std::net::Ipv4Addr;

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{Result, account::Owner, all, execute, new_uuid, now, one, parsed, select::Select};

pub(crate) struct Vm {
    pub id: i64,
    pub uuid: Uuid,
    pub name: String,
    pub display_name: String,
    pub state: String,
    pub network: i64,
    pub address: Ipv4Addr,
    pub service_offering: i64,
    pub template: i64,
    pub owner: Owner,
    pub created: String,
}

pub(crate) struct New<'a> {
    pub name: Option<&'a str>,
    pub display_name: Option<&'a str>,
    pub network: i64,
    pub address: Ipv4Addr,
    pub service_offering: i64,
    pub template: i64,
}

pub(crate) fn read(row: &Row<'_>) -> Result<Vm> {
    Ok(Vm {
        id: row.get("id")?,
        uuid: parsed(row, "uuid")?,
        name: row.get("name")?,
        display_name: row.get("display_name")?,
        state: row.get("state")?,
        network: row.get("network_id")?,
        address: parsed(row, "ip_address")?,
        service_offering: row.get("service_offering_id")?,
        template: row.get("template_id")?,
        owner: Owner { account: row.get("account_id")?, domain: row.get("domain_id")? },
        created: row.get("created")?,
    })
}

pub(crate) fn insert(db: &Connection, new: &New<'_>, owner: Owner) -> Result<i64> {
    let uuid = new_uuid();
    let name = new.name.map_or_else(|| format!("VM-{uuid}"), str::to_owned);
    execute(db,
        "INSERT INTO user_vm (uuid, name, display_name, state, network_id, ip_address, service_offering_id, template_id,
                              domain_id, account_id, created)
         VALUES (?1, ?2, ?3, 'Starting', ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        (
            uuid,
            &name,
            new.display_name.unwrap_or(&name),
            new.network,
            new.address.to_string(),
            new.service_offering,
            new.template,
            owner.domain,
            owner.account,
            now(),
        ),
    )?;
    Ok(db.last_insert_rowid())
}

pub(crate) fn find(db: &Connection, id: i64) -> Result<Option<Vm>> {
    one(db, "SELECT * FROM user_vm WHERE id = ?1 AND removed IS NULL", [id], read)
}

/// Newest first. `m` is the guest, `n` its network.
pub(crate) fn select() -> Select {
    Select::of("m.*", "user_vm AS m JOIN networks AS n ON n.id = m.network_id", "m.id DESC").when("m.removed IS NULL")
}

pub(crate) fn of_network(db: &Connection, network: i64) -> Result<Vec<Vm>> {
    all(db, "SELECT * FROM user_vm WHERE network_id = ?1 AND removed IS NULL ORDER BY id", [network], read)
}

pub(crate) fn set_state(db: &Connection, id: i64, state: &str) -> Result<()> {
    execute(db, "UPDATE user_vm SET state = ?1 WHERE id = ?2", (state, id))
}

/// Guests that were starting when the service ended are running: nothing but their row was to be made.
pub(crate) fn finish_starting(db: &Connection) -> Result<()> {
    execute(db, "UPDATE user_vm SET state = 'Running' WHERE state = 'Starting' AND removed IS NULL", [])
}
