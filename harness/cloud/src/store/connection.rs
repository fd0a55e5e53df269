//! Connections between a VPN gateway and a customer gateway.

use policy::PreSharedKey;
use rusqlite::{Connection as Db, Row};
use uuid::Uuid;

use super::{
    Result, account::Owner, all, customer_gateway, execute, new_uuid, now, one, parsed, parsed_at, select::Select,
};
use crate::{Usage, rule::host::Host, state::State};

pub(crate) struct Connection {
    pub id: i64,
    pub uuid: Uuid,
    pub vpn_gateway: i64,
    pub customer_gateway: i64,
    pub state: State,
    pub passive: bool,
    /// What the router knows it by.
    pub tunnel: Uuid,
    pub owner: Owner,
}

fn read(row: &Row<'_>) -> Result<Connection> {
    Ok(Connection {
        id: row.get("id")?,
        uuid: parsed(row, "uuid")?,
        vpn_gateway: row.get("vpn_gateway_id")?,
        customer_gateway: row.get("customer_gateway_id")?,
        state: parsed(row, "state")?,
        passive: row.get("passive")?,
        tunnel: parsed(row, "tunnel")?,
        owner: Owner { account: row.get("account_id")?, domain: row.get("domain_id")? },
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

/// A connection with all that a list shows of it.
pub(crate) struct Shown {
    pub uuid: String,
    pub vpn_gateway: String,
    pub customer_gateway: String,
    pub state: String,
    pub passive: bool,
    pub display: bool,
    pub created: String,
    pub public_address: String,
    pub customer: customer_gateway::New,
    pub owner: Owner,
}

/// Newest first. `c` is the connection.
pub(crate) fn select() -> Select {
    Select::of(
        "c.uuid, g.uuid, k.uuid, c.state, c.passive, c.display, c.created, a.public_ip_address, c.account_id,
         c.domain_id, k.name, k.gateway_ip, k.guest_cidr_list, k.ipsec_psk, k.ike_policy, k.esp_policy, k.ike_lifetime,
         k.esp_lifetime, k.dpd, k.force_encap, k.ike_version, k.split_connections",
        "s2s_vpn_connection AS c",
        "c.id DESC",
    )
    .with(
        "JOIN s2s_vpn_gateway AS g ON g.id = c.vpn_gateway_id JOIN user_ip_address AS a ON a.id = g.addr_id
         JOIN s2s_customer_gateway AS k ON k.id = c.customer_gateway_id",
    )
    .when("c.removed IS NULL")
}

/// By position: looking columns up by name would take as long as all the rest of a list.
pub(crate) fn read_shown(row: &Row<'_>) -> Result<Shown> {
    Ok(Shown {
        uuid: row.get(0)?,
        vpn_gateway: row.get(1)?,
        customer_gateway: row.get(2)?,
        state: row.get(3)?,
        passive: row.get(4)?,
        display: row.get(5)?,
        created: row.get(6)?,
        public_address: row.get(7)?,
        owner: Owner { account: row.get(8)?, domain: row.get(9)? },
        customer: customer_gateway::New {
            name: row.get(10)?,
            gateway: Host::stored(row.get(11)?),
            cidr_list: row.get(12)?,
            psk: PreSharedKey::new(row.get::<_, String>(13)?),
            ike_policy: row.get(14)?,
            esp_policy: row.get(15)?,
            ike_lifetime: row.get(16)?,
            esp_lifetime: row.get(17)?,
            dpd: row.get(18)?,
            force_encap: row.get(19)?,
            ike_version: row.get(20)?,
            split: row.get(21)?,
        },
    })
}

/// Every one that is not deleted, oldest first.
pub(crate) fn ids(db: &Db) -> Result<Vec<i64>> {
    all(db, "SELECT id FROM s2s_vpn_connection WHERE removed IS NULL ORDER BY id", [], |row| row.get(0))
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

/// The VPCs whose connections the monitor looks at: as by CloudStack, those with an implemented tier.
pub(crate) fn monitored_vpcs(db: &Db) -> Result<Vec<i64>> {
    let sql = "SELECT vpc_id FROM s2s_vpn_gateway AS g
               WHERE g.removed IS NULL AND EXISTS (
                   SELECT 1 FROM networks AS n
                   WHERE n.vpc_id = g.vpc_id AND n.state = 'Implemented' AND n.removed IS NULL)
               ORDER BY vpc_id";
    all(db, sql, [], |row| row.get(0))
}

/// What of a connection the monitor has to know.
pub(crate) struct Watched {
    pub id: i64,
    pub tunnel: Uuid,
    pub state: State,
    /// The last reading of its counter.
    pub counted: Option<Usage>,
}

/// A VPC with connections.
pub(crate) struct WatchedVpc {
    pub vpc: i64,
    /// The state of its router, if it has one.
    pub router: Option<String>,
    pub connections: Vec<Watched>,
}

/// Those of a range of VPCs that have connections, in the order of their ids. One query for many, since there may be
/// thousands of VPCs in a sweep.
pub(crate) fn watched(db: &Db, first: i64, last: i64) -> Result<Vec<WatchedVpc>> {
    let sql = "SELECT c.id, c.tunnel, c.state, n.sent, n.received, r.state, g.vpc_id FROM s2s_vpn_gateway AS g
               JOIN s2s_vpn_connection AS c ON c.vpn_gateway_id = g.id
               LEFT JOIN domain_router AS r ON r.vpc_id = g.vpc_id AND r.removed IS NULL
               LEFT JOIN vpn_counter AS n ON n.connection_id = c.id
               WHERE g.vpc_id BETWEEN ?1 AND ?2 AND c.removed IS NULL ORDER BY g.vpc_id";
    let mut vpcs: Vec<WatchedVpc> = Vec::new();
    let mut sql = db.prepare_cached(sql)?;
    let mut rows = sql.query([first, last])?;
    while let Some(row) = rows.next()? {
        let bytes = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(i64::unsigned_abs));
        let counted = bytes(3)?.zip(bytes(4)?);
        let watched = Watched {
            id: row.get(0)?,
            tunnel: parsed_at(row, 1)?,
            state: parsed_at(row, 2)?,
            counted: counted.map(|(sent_bytes, received_bytes)| Usage { sent_bytes, received_bytes }),
        };
        let vpc = row.get(6)?;
        match vpcs.last_mut().filter(|last| last.vpc == vpc) {
            Some(last) => last.connections.push(watched),
            None => vpcs.push(WatchedVpc { vpc, router: row.get(5)?, connections: vec![watched] }),
        }
    }
    Ok(vpcs)
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
