//! Networks: the tiers of VPCs.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{Result, account::Owner, all, execute, new_uuid, now, one, parsed, select::Select};

pub(crate) struct Network {
    pub id: i64,
    pub uuid: Uuid,
    pub name: String,
    pub display_text: String,
    pub gateway: Ipv4Addr,
    pub cidr: Ipv4Net,
    pub state: String,
    pub offering: i64,
    pub zone: i64,
    pub vpc: i64,
    pub owner: Owner,
}

impl Network {
    /// The router has it.
    pub(crate) const IMPLEMENTED: &str = "Implemented";

    pub(crate) fn as_tier(&self) -> crate::Tier {
        crate::Tier { name: self.name.clone(), gateway: self.gateway, network: self.cidr }
    }
}

pub(crate) struct New<'a> {
    pub name: &'a str,
    pub display_text: &'a str,
    pub gateway: Ipv4Addr,
    pub cidr: Ipv4Net,
    pub offering: i64,
    pub zone: i64,
    pub vpc: i64,
}

pub(crate) fn read(row: &Row<'_>) -> Result<Network> {
    Ok(Network {
        id: row.get("id")?,
        uuid: parsed(row, "uuid")?,
        name: row.get("name")?,
        display_text: row.get("display_text")?,
        gateway: parsed(row, "gateway")?,
        cidr: parsed(row, "cidr")?,
        state: row.get("state")?,
        offering: row.get("network_offering_id")?,
        zone: row.get("data_center_id")?,
        vpc: row.get("vpc_id")?,
        owner: Owner { account: row.get("account_id")?, domain: row.get("domain_id")? },
    })
}

pub(crate) fn insert(db: &Connection, new: &New<'_>, owner: Owner) -> Result<i64> {
    execute(
        db,
        "INSERT INTO networks (uuid, name, display_text, gateway, cidr, state, network_offering_id, data_center_id,
                               domain_id, account_id, vpc_id, created)
         VALUES (?1, ?2, ?3, ?4, ?5, 'Allocated', ?6, ?7, ?8, ?9, ?10, ?11)",
        (
            new_uuid(),
            new.name,
            new.display_text,
            new.gateway.to_string(),
            new.cidr.to_string(),
            new.offering,
            new.zone,
            owner.domain,
            owner.account,
            new.vpc,
            now(),
        ),
    )?;
    Ok(db.last_insert_rowid())
}

pub(crate) fn find(db: &Connection, id: i64) -> Result<Option<Network>> {
    one(db, "SELECT * FROM networks WHERE id = ?1 AND removed IS NULL", [id], read)
}

/// Newest first.
pub(crate) fn select() -> Select {
    Select::of("*", "networks", "id DESC").when("removed IS NULL")
}

/// Oldest first.
pub(crate) fn of_vpc(db: &Connection, vpc: i64) -> Result<Vec<Network>> {
    all(db, "SELECT * FROM networks WHERE vpc_id = ?1 AND removed IS NULL ORDER BY id", [vpc], read)
}

pub(crate) fn set_state(db: &Connection, id: i64, state: &str) -> Result<()> {
    execute(db, "UPDATE networks SET state = ?1 WHERE id = ?2", (state, id))
}

/// Forgets the networks whose creation nobody waits for any longer.
pub(crate) fn remove_unimplemented(db: &Connection) -> Result<()> {
    execute(db, "UPDATE networks SET removed = ?1 WHERE removed IS NULL AND state = 'Allocated'", [now()])
}
