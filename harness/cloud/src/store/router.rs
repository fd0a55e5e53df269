//! Virtual routers: one for each VPC.

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{Result, all, execute, new_uuid, now, one, parsed, select::Select};

pub(crate) const RUNNING: &str = "Running";
pub(crate) const STARTING: &str = "Starting";
pub(crate) const STOPPING: &str = "Stopping";
pub(crate) const STOPPED: &str = "Stopped";
/// It could not be booted; the next start of the service, or startRouter, tries again.
pub(crate) const FAILED: &str = "Error";

pub(crate) struct DomainRouter {
    pub id: i64,
    pub uuid: Uuid,
    pub name: String,
    pub state: String,
    pub vpc: i64,
    pub created: String,
}

pub(crate) fn read(row: &Row<'_>) -> Result<DomainRouter> {
    Ok(DomainRouter {
        id: row.get("id")?,
        uuid: parsed(row, "uuid")?,
        name: row.get("name")?,
        state: row.get("state")?,
        vpc: row.get("vpc_id")?,
        created: row.get("created")?,
    })
}

/// The router of a VPC is made with its first boot.
pub(crate) fn of_vpc_or_new(db: &Connection, vpc: i64) -> Result<i64> {
    if let Some(router) = of_vpc(db, vpc)? {
        return Ok(router.id);
    }
    execute(
        db,
        "INSERT INTO domain_router (uuid, name, state, vpc_id, created) VALUES (?1, '', ?2, ?3, ?4)",
        (new_uuid(), STARTING, vpc, now()),
    )?;
    let id = db.last_insert_rowid();
    execute(db, "UPDATE domain_router SET name = ?1 WHERE id = ?2", (format!("r-{id}-VM"), id))?;
    Ok(id)
}

pub(crate) fn find(db: &Connection, id: i64) -> Result<Option<DomainRouter>> {
    one(db, "SELECT * FROM domain_router WHERE id = ?1 AND removed IS NULL", [id], read)
}

pub(crate) fn of_vpc(db: &Connection, vpc: i64) -> Result<Option<DomainRouter>> {
    one(db, "SELECT * FROM domain_router WHERE vpc_id = ?1 AND removed IS NULL", [vpc], read)
}

/// Newest first. `r` is the router, `v` its VPC.
pub(crate) fn select() -> Select {
    Select::of("r.*", "domain_router AS r JOIN vpc AS v ON v.id = r.vpc_id", "r.id DESC").when("r.removed IS NULL")
}

/// The VPCs that have one.
pub(crate) fn vpcs(db: &Connection) -> Result<Vec<i64>> {
    all(db, "SELECT vpc_id FROM domain_router WHERE removed IS NULL", [], |row| row.get(0))
}

pub(crate) fn set_state(db: &Connection, vpc: i64, state: &str) -> Result<()> {
    execute(db, "UPDATE domain_router SET state = ?1 WHERE vpc_id = ?2 AND removed IS NULL", (state, vpc))
}

pub(crate) fn remove(db: &Connection, vpc: i64) -> Result<()> {
    execute(db, "UPDATE domain_router SET removed = ?1 WHERE vpc_id = ?2 AND removed IS NULL", (now(), vpc))
}
