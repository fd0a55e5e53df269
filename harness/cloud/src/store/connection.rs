//! Connections between a VPN gateway and a customer gateway.

use rusqlite::{Connection as Db, Row};
use uuid::Uuid;

use super::{Result, account::Owner, all, execute, new_uuid, now, one, parsed};
use crate::state::State;

pub(crate) struct Connection {
    pub id: i64,
    pub uuid: Uuid,
    pub vpn_gateway: i64,
    pub customer_gateway: i64,
    pub state: State,
    pub passive: bool,
    pub display: bool,
    /// What the router knows it by.
    pub tunnel: Uuid,
    pub owner: Owner,
    pub created: String,
}

fn read(row: &Row<'_>) -> Result<Connection> {
    let state: String = row.get("state")?;
    Ok(Connection {
        id: row.get("id")?,
        uuid: parsed(row, "uuid")?,
        vpn_gateway: row.get("vpn_gateway_id")?,
        customer_gateway: row.get("customer_gateway_id")?,
        state: State::from_name(&state).ok_or_else(|| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, format!("state {state}").into())
        })?,
        passive: row.get("passive")?,
        display: row.get("display")?,
        tunnel: parsed(row, "tunnel")?,
        owner: Owner { account: row.get("account_id")?, domain: row.get("domain_id")? },
        created: row.get("created")?,
    })
}

pub(crate) struct New {
    pub vpn_gateway: i64,
    pub customer_gateway: i64,
    pub passive: bool,
    pub display: bool,
}

pub(crate) fn insert(db: &Db, new: &New, owner: Owner) -> Result<i64> {
    let uuid = new_uuid();
    execute(
        db,
        "INSERT INTO s2s_vpn_connection (uuid, vpn_gateway_id, customer_gateway_id, state, passive, display, domain_id,
                                         account_id, created, tunnel)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?1)",
        (
            uuid,
            new.vpn_gateway,
            new.customer_gateway,
            State::Pending.name(),
            new.passive,
            new.display,
            owner.domain,
            owner.account,
            now(),
        ),
    )?;
    Ok(db.last_insert_rowid())
}

pub(crate) fn find(db: &Db, id: i64) -> Result<Option<Connection>> {
    one(db, "SELECT * FROM s2s_vpn_connection WHERE id = ?1 AND removed IS NULL", [id], read)
}

/// Newest first.
pub(crate) fn list(db: &Db) -> Result<Vec<Connection>> {
    all(db, "SELECT * FROM s2s_vpn_connection WHERE removed IS NULL ORDER BY id DESC", [], read)
}

pub(crate) fn of_vpn_gateway(db: &Db, gateway: i64) -> Result<Vec<Connection>> {
    let sql = "SELECT * FROM s2s_vpn_connection WHERE vpn_gateway_id = ?1 AND removed IS NULL ORDER BY id";
    all(db, sql, [gateway], read)
}

pub(crate) fn of_customer_gateway(db: &Db, gateway: i64) -> Result<Vec<Connection>> {
    let sql = "SELECT * FROM s2s_vpn_connection WHERE customer_gateway_id = ?1 AND removed IS NULL ORDER BY id";
    all(db, sql, [gateway], read)
}

pub(crate) fn of_vpc(db: &Db, vpc: i64) -> Result<Vec<Connection>> {
    let sql = "SELECT s2s_vpn_connection.* FROM s2s_vpn_connection
               JOIN s2s_vpn_gateway ON s2s_vpn_gateway.id = vpn_gateway_id
               WHERE vpc_id = ?1 AND s2s_vpn_connection.removed IS NULL ORDER BY s2s_vpn_connection.id";
    all(db, sql, [vpc], read)
}

/// The VPC of a connection, removed or not.
pub(crate) fn vpc(db: &Db, id: i64) -> Result<Option<i64>> {
    let sql = "SELECT vpc_id FROM s2s_vpn_connection JOIN s2s_vpn_gateway ON s2s_vpn_gateway.id = vpn_gateway_id
               WHERE s2s_vpn_connection.id = ?1";
    one(db, sql, [id], |row| row.get(0))
}

pub(crate) fn set_state(db: &Db, id: i64, state: State) -> Result<()> {
    execute(db, "UPDATE s2s_vpn_connection SET state = ?1 WHERE id = ?2", (state.name(), id))
}

pub(crate) fn set_display(db: &Db, id: i64, display: bool) -> Result<()> {
    execute(db, "UPDATE s2s_vpn_connection SET display = ?1 WHERE id = ?2", (display, id))
}
