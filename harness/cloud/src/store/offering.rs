//! What a fresh CloudStack offers: a zone, and a kind of VPC, tier and guest.

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{Result, all, new_uuid, parsed};

pub(super) fn seed(db: &Connection) -> Result<()> {
    db.execute(
        "INSERT INTO data_center (id, uuid, name, networktype) VALUES (1, ?1, 'zone-1', 'Advanced')",
        [new_uuid()],
    )?;
    db.execute(
        "INSERT INTO disk_offering (id, uuid, name, display_text)
         VALUES (1, ?1, 'System Offering For Software Router', 'System Offering For Software Router')",
        [new_uuid()],
    )?;
    db.execute(
        "INSERT INTO disk_offering (id, uuid, name, display_text) VALUES (2, ?1, 'Small Instance', 'Small Instance')",
        [new_uuid()],
    )?;
    db.execute(
        "INSERT INTO vm_template (id, uuid, name, display_text) VALUES (1, ?1, 'guest', 'A guest that answers')",
        [new_uuid()],
    )?;
    db.execute(
        "INSERT INTO vpc_offerings (id, uuid, name, display_text, state, \"default\")
         VALUES (1, ?1, 'Default VPC offering', 'Default VPC offering', 'Enabled', 1)",
        [new_uuid()],
    )?;
    db.execute(
        "INSERT INTO network_offerings (id, uuid, name, display_text, state, guest_type, traffic_type, service_offering_id)
         VALUES (1, ?1, 'DefaultIsolatedNetworkOfferingForVpcNetworks',
                 'Offering for Isolated Vpc networks with Source Nat service enabled', 'Enabled', 'Isolated', 'Guest', 1)",
        [new_uuid()],
    )?;
    Ok(())
}

pub(crate) struct Zone {
    pub id: i64,
    pub uuid: Uuid,
    pub name: String,
    pub network_type: String,
}

pub(crate) fn zones(db: &Connection) -> Result<Vec<Zone>> {
    all(db, "SELECT * FROM data_center ORDER BY id", [], |row| {
        Ok(Zone {
            id: row.get("id")?,
            uuid: parsed(row, "uuid")?,
            name: row.get("name")?,
            network_type: row.get("networktype")?,
        })
    })
}

pub(crate) fn zone_name(db: &Connection, id: i64) -> Result<String> {
    db.prepare_cached("SELECT name FROM data_center WHERE id = ?1")?.query_row([id], |row| row.get(0))
}

pub(crate) struct VpcOffering {
    pub id: i64,
    pub uuid: Uuid,
    pub name: String,
    pub display_text: String,
    pub state: String,
    pub is_default: bool,
}

pub(crate) fn vpc_offerings(db: &Connection) -> Result<Vec<VpcOffering>> {
    all(db, "SELECT * FROM vpc_offerings ORDER BY id", [], |row| {
        Ok(VpcOffering {
            id: row.get("id")?,
            uuid: parsed(row, "uuid")?,
            name: row.get("name")?,
            display_text: row.get("display_text")?,
            state: row.get("state")?,
            is_default: row.get("default")?,
        })
    })
}

pub(crate) struct NetworkOffering {
    pub id: i64,
    pub uuid: Uuid,
    pub name: String,
    pub display_text: String,
    pub state: String,
    pub guest_type: String,
    pub traffic_type: String,
    pub service_offering: Uuid,
}

const NETWORK_OFFERINGS: &str = "SELECT network_offerings.*, disk_offering.uuid AS service_offering
    FROM network_offerings JOIN disk_offering ON disk_offering.id = service_offering_id";

fn network_offering_of(row: &Row<'_>) -> Result<NetworkOffering> {
    Ok(NetworkOffering {
        id: row.get("id")?,
        uuid: parsed(row, "uuid")?,
        name: row.get("name")?,
        display_text: row.get("display_text")?,
        state: row.get("state")?,
        guest_type: row.get("guest_type")?,
        traffic_type: row.get("traffic_type")?,
        service_offering: parsed(row, "service_offering")?,
    })
}

pub(crate) fn network_offerings(db: &Connection) -> Result<Vec<NetworkOffering>> {
    all(db, &format!("{NETWORK_OFFERINGS} ORDER BY network_offerings.id"), [], network_offering_of)
}

pub(crate) fn network_offering(db: &Connection, id: i64) -> Result<NetworkOffering> {
    let sql = format!("{NETWORK_OFFERINGS} WHERE network_offerings.id = ?1");
    db.prepare_cached(&sql)?.query_row([id], network_offering_of)
}

/// A guest's size, or what it is made from.
pub(crate) struct Named {
    pub id: i64,
    pub uuid: Uuid,
    pub name: String,
    pub display_text: String,
}

fn named(row: &Row<'_>) -> Result<Named> {
    Ok(Named {
        id: row.get("id")?,
        uuid: parsed(row, "uuid")?,
        name: row.get("name")?,
        display_text: row.get("display_text")?,
    })
}

/// Sizes of guests; the routers' own is not among them.
pub(crate) fn service_offerings(db: &Connection) -> Result<Vec<Named>> {
    all(db, "SELECT * FROM disk_offering WHERE id > 1 ORDER BY id", [], named)
}

pub(crate) fn templates(db: &Connection) -> Result<Vec<Named>> {
    all(db, "SELECT * FROM vm_template ORDER BY id", [], named)
}
