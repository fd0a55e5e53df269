//! VPN gateways: a VPC's end of its connections.

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{Result, account::Owner, execute, new_uuid, one, parsed, select::Select};

pub(crate) struct VpnGateway {
    pub id: i64,
    pub uuid: Uuid,
    /// Row of its public address.
    pub address: i64,
    pub vpc: i64,
    pub display: bool,
    pub owner: Owner,
}

pub(crate) fn read(row: &Row<'_>) -> Result<VpnGateway> {
    Ok(VpnGateway {
        id: row.get("id")?,
        uuid: parsed(row, "uuid")?,
        address: row.get("addr_id")?,
        vpc: row.get("vpc_id")?,
        display: row.get("display")?,
        owner: Owner { account: row.get("account_id")?, domain: row.get("domain_id")? },
    })
}

pub(crate) fn insert(db: &Connection, vpc: i64, address: i64, display: bool, owner: Owner) -> Result<i64> {
    execute(
        db,
        "INSERT INTO s2s_vpn_gateway (uuid, addr_id, vpc_id, display, domain_id, account_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (new_uuid(), address, vpc, display, owner.domain, owner.account),
    )?;
    Ok(db.last_insert_rowid())
}

pub(crate) fn find(db: &Connection, id: i64) -> Result<Option<VpnGateway>> {
    one(db, "SELECT * FROM s2s_vpn_gateway WHERE id = ?1 AND removed IS NULL", [id], read)
}

pub(crate) fn of_vpc(db: &Connection, vpc: i64) -> Result<Option<VpnGateway>> {
    one(db, "SELECT * FROM s2s_vpn_gateway WHERE vpc_id = ?1 AND removed IS NULL", [vpc], read)
}

/// Newest first.
pub(crate) fn select() -> Select {
    Select::of("*", "s2s_vpn_gateway", "id DESC").when("removed IS NULL")
}

pub(crate) fn set_display(db: &Connection, id: i64, display: bool) -> Result<()> {
    execute(db, "UPDATE s2s_vpn_gateway SET display = ?1 WHERE id = ?2", (display, id))
}
