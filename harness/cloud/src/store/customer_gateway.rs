//! Customer gateways: the far end of connections, as its owner described it.

use policy::PreSharedKey;
use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{Result, account::Owner, all, execute, new_uuid, now, one, parsed, select::Select};
use crate::rule::host::Host;

pub(crate) struct CustomerGateway {
    pub id: i64,
    pub uuid: Uuid,
    pub data: New,
    pub owner: Owner,
}

/// Policies and networks stay as they were typed; the API returns them so.
pub(crate) struct New {
    pub name: String,
    pub gateway: Host,
    pub cidr_list: String,
    pub psk: PreSharedKey,
    pub ike_policy: String,
    pub esp_policy: String,
    pub ike_lifetime: i64,
    pub esp_lifetime: i64,
    pub dpd: bool,
    pub force_encap: bool,
    pub ike_version: String,
    pub split: bool,
}

pub(crate) fn read(row: &Row<'_>) -> Result<CustomerGateway> {
    Ok(CustomerGateway {
        id: row.get("id")?,
        uuid: parsed(row, "uuid")?,
        data: New {
            name: row.get("name")?,
            gateway: Host::stored(row.get("gateway_ip")?),
            cidr_list: row.get("guest_cidr_list")?,
            psk: PreSharedKey::new(row.get::<_, String>("ipsec_psk")?),
            ike_policy: row.get("ike_policy")?,
            esp_policy: row.get("esp_policy")?,
            ike_lifetime: row.get("ike_lifetime")?,
            esp_lifetime: row.get("esp_lifetime")?,
            dpd: row.get("dpd")?,
            force_encap: row.get("force_encap")?,
            ike_version: row.get("ike_version")?,
            split: row.get("split_connections")?,
        },
        owner: Owner { account: row.get("account_id")?, domain: row.get("domain_id")? },
    })
}

pub(crate) fn insert(db: &Connection, new: &New, owner: Owner) -> Result<i64> {
    execute(
        db,
        "INSERT INTO s2s_customer_gateway (uuid, name, gateway_ip, guest_cidr_list, ike_policy, esp_policy, domain_id,
                                           account_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (
            new_uuid(),
            &new.name,
            new.gateway.to_string(),
            &new.cidr_list,
            &new.ike_policy,
            &new.esp_policy,
            owner.domain,
            owner.account,
        ),
    )?;
    let id = db.last_insert_rowid();
    update(db, id, new)?;
    Ok(id)
}

/// Replaces all that its owner says of it.
pub(crate) fn update(db: &Connection, id: i64, new: &New) -> Result<()> {
    execute(
        db,
        "UPDATE s2s_customer_gateway
         SET name = ?1, gateway_ip = ?2, guest_cidr_list = ?3, ipsec_psk = ?4, ike_policy = ?5, esp_policy = ?6,
             ike_lifetime = ?7, esp_lifetime = ?8, dpd = ?9, force_encap = ?10, ike_version = ?11,
             split_connections = ?12
         WHERE id = ?13",
        (
            &new.name,
            new.gateway.to_string(),
            &new.cidr_list,
            new.psk.expose(),
            &new.ike_policy,
            &new.esp_policy,
            new.ike_lifetime,
            new.esp_lifetime,
            new.dpd,
            new.force_encap,
            &new.ike_version,
            new.split,
            id,
        ),
    )
}

pub(crate) fn find(db: &Connection, id: i64) -> Result<Option<CustomerGateway>> {
    one(db, "SELECT * FROM s2s_customer_gateway WHERE id = ?1 AND removed IS NULL", [id], read)
}

/// Newest first.
pub(crate) fn select() -> Select {
    Select::of("*", "s2s_customer_gateway", "id DESC").when("removed IS NULL")
}

/// Those at an address, or of a name, whoever owns them.
pub(crate) fn with_address(db: &Connection, gateway: &Host) -> Result<Vec<i64>> {
    let sql = "SELECT id FROM s2s_customer_gateway WHERE gateway_ip = ?1 AND removed IS NULL";
    all(db, sql, [gateway.to_string()], |row| row.get(0))
}

/// Those with a name, which CloudStack's database compares without minding case.
pub(crate) fn with_name(db: &Connection, name: &str, owner: Owner) -> Result<Vec<i64>> {
    let sql = "SELECT id FROM s2s_customer_gateway
               WHERE account_id = ?1 AND name = ?2 COLLATE NOCASE AND removed IS NULL";
    all(db, sql, (owner.account, name), |row| row.get(0))
}

/// Removes all that an account has.
pub(crate) fn remove_of(db: &Connection, account: i64) -> Result<()> {
    let sql = "UPDATE s2s_customer_gateway SET removed = ?1 WHERE account_id = ?2 AND removed IS NULL";
    execute(db, sql, (now(), account))
}
