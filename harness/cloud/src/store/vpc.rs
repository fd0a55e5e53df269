//! VPCs and the public addresses they hold.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{Result, account::Owner, all, execute, new_uuid, now, one, parsed, select::Select};

pub(crate) struct Vpc {
    pub id: i64,
    pub uuid: Uuid,
    pub name: String,
    pub display_text: String,
    pub cidr: Ipv4Net,
    pub state: String,
    pub offering: i64,
    pub zone: i64,
    pub network_domain: Option<String>,
    /// Its router was to be deployed with it, and not only with its first tier.
    pub start: bool,
    pub owner: Owner,
    pub created: String,
}

pub(crate) struct New<'a> {
    pub name: &'a str,
    pub display_text: &'a str,
    pub cidr: Ipv4Net,
    pub offering: i64,
    pub zone: i64,
    pub network_domain: Option<&'a str>,
    pub start: bool,
}

pub(crate) fn read(row: &Row<'_>) -> Result<Vpc> {
    Ok(Vpc {
        id: row.get("id")?,
        uuid: parsed(row, "uuid")?,
        name: row.get("name")?,
        display_text: row.get("display_text")?,
        cidr: parsed(row, "cidr")?,
        state: row.get("state")?,
        offering: row.get("vpc_offering_id")?,
        zone: row.get("zone_id")?,
        network_domain: row.get("network_domain")?,
        start: row.get("start")?,
        owner: Owner { account: row.get("account_id")?, domain: row.get("domain_id")? },
        created: row.get("created")?,
    })
}

pub(crate) fn insert(db: &Connection, new: &New<'_>, owner: Owner) -> Result<i64> {
    execute(
        db,
        "INSERT INTO vpc (uuid, name, display_text, cidr, state, vpc_offering_id, zone_id, domain_id, account_id,
                          network_domain, created, start)
         VALUES (?1, ?2, ?3, ?4, 'Enabled', ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        (
            new_uuid(),
            new.name,
            new.display_text,
            new.cidr.to_string(),
            new.offering,
            new.zone,
            owner.domain,
            owner.account,
            new.network_domain,
            now(),
            new.start,
        ),
    )?;
    Ok(db.last_insert_rowid())
}

pub(crate) fn find(db: &Connection, id: i64) -> Result<Option<Vpc>> {
    one(db, "SELECT * FROM vpc WHERE id = ?1 AND removed IS NULL", [id], read)
}

/// Newest first.
pub(crate) fn select() -> Select {
    Select::of("*", "vpc", "id DESC").when("removed IS NULL")
}

/// Those that are not deleted, oldest first.
pub(crate) fn ids(db: &Connection) -> Result<Vec<i64>> {
    all(db, "SELECT id FROM vpc WHERE removed IS NULL ORDER BY id", [], |row| row.get(0))
}

/// One that the account has.
pub(crate) fn any_of(db: &Connection, account: i64) -> Result<Option<i64>> {
    one(db, "SELECT id FROM vpc WHERE account_id = ?1 AND removed IS NULL LIMIT 1", [account], |row| row.get(0))
}

pub(crate) fn set_state(db: &Connection, id: i64, state: &str) -> Result<()> {
    execute(db, "UPDATE vpc SET state = ?1 WHERE id = ?2", (state, id))
}

/// The job that was deleting them has failed, so they are as they were.
pub(crate) fn keep_half_deleted(db: &Connection) -> Result<()> {
    execute(db, "UPDATE vpc SET state = 'Enabled' WHERE state = 'Inactive' AND removed IS NULL", [])
}

pub(crate) fn rename(db: &Connection, id: i64, name: &str, display_text: &str) -> Result<()> {
    execute(db, "UPDATE vpc SET name = ?1, display_text = ?2 WHERE id = ?3", (name, display_text, id))
}

pub(crate) struct Address {
    pub id: i64,
    pub address: Ipv4Addr,
}

/// A public address and who has it.
pub(crate) struct Public {
    pub uuid: Uuid,
    pub address: Ipv4Addr,
    pub source_nat: bool,
    pub allocated: Option<String>,
    pub zone: i64,
    pub vpc: i64,
    pub owner: Owner,
}

/// Those that a VPC holds, newest first.
pub(crate) fn select_public() -> Select {
    Select::of("*", "user_ip_address", "id DESC").when("vpc_id IS NOT NULL")
}

pub(crate) fn read_public(row: &Row<'_>) -> Result<Public> {
    Ok(Public {
        uuid: parsed(row, "uuid")?,
        address: parsed(row, "public_ip_address")?,
        source_nat: row.get("source_nat")?,
        allocated: row.get("allocated")?,
        zone: row.get("data_center_id")?,
        vpc: row.get("vpc_id")?,
        owner: Owner { account: row.get("account_id")?, domain: row.get("domain_id")? },
    })
}

/// The source NAT address of a VPC.
pub(crate) fn source_nat(db: &Connection, vpc: i64) -> Result<Option<Address>> {
    let sql = "SELECT id, public_ip_address FROM user_ip_address
               WHERE vpc_id = ?1 AND source_nat = 1 AND state = 'Allocated'";
    let read = |row: &Row<'_>| Ok(Address { id: row.get("id")?, address: parsed(row, "public_ip_address")? });
    one(db, sql, [vpc], read)
}

/// Gives a VPC one of `addresses` that nobody has: one that was given back, or the next.
pub(crate) fn allocate_source_nat(db: &Connection, vpc: &Vpc, addresses: &[Ipv4Addr]) -> Result<Option<Ipv4Addr>> {
    let Some(address) = free_address(db, addresses)? else { return Ok(None) };
    execute(
        db,
        "INSERT INTO user_ip_address (uuid, public_ip_address, state, source_nat, allocated, domain_id, account_id,
                                      data_center_id, vpc_id)
         VALUES (?1, ?2, 'Allocated', 1, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (public_ip_address) DO UPDATE SET state = 'Allocated', source_nat = 1,
            allocated = excluded.allocated, domain_id = excluded.domain_id, account_id = excluded.account_id,
            data_center_id = excluded.data_center_id, vpc_id = excluded.vpc_id",
        (new_uuid(), address.to_string(), now(), vpc.owner.domain, vpc.owner.account, vpc.zone, vpc.id),
    )?;
    Ok(Some(address))
}

fn free_address(db: &Connection, addresses: &[Ipv4Addr]) -> Result<Option<Ipv4Addr>> {
    let given_back = "SELECT public_ip_address FROM user_ip_address WHERE state = 'Free' ORDER BY id";
    let given_back: Vec<Ipv4Addr> = all(db, given_back, [], |row| parsed(row, "public_ip_address"))?;
    // A service that was started with other addresses may have left some that are not ours to give.
    if let Some(address) = given_back.into_iter().find(|address| addresses.contains(address)) {
        return Ok(Some(address));
    }
    // Rows are never deleted, so the number of rows is that of addresses which were given before.
    let given: i64 = db.prepare_cached("SELECT count(*) FROM user_ip_address")?.query_row([], |row| row.get(0))?;
    let known = "SELECT 1 FROM user_ip_address WHERE public_ip_address = ?1";
    let given = usize::try_from(given).unwrap_or_default().min(addresses.len());
    for address in addresses[given..].iter().chain(&addresses[..given]) {
        if one(db, known, [address.to_string()], |_| Ok(()))?.is_none() {
            return Ok(Some(*address));
        }
    }
    Ok(None)
}

pub(crate) fn release_addresses(db: &Connection, vpc: i64) -> Result<()> {
    execute(
        db,
        "UPDATE user_ip_address SET state = 'Free', source_nat = 0, allocated = NULL, domain_id = NULL,
                account_id = NULL, vpc_id = NULL WHERE vpc_id = ?1",
        [vpc],
    )
}

pub(crate) fn address(db: &Connection, id: i64) -> Result<Ipv4Addr> {
    let sql = "SELECT public_ip_address FROM user_ip_address WHERE id = ?1";
    db.prepare_cached(sql)?.query_row([id], |row| parsed(row, "public_ip_address"))
}
