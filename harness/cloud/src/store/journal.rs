//! What happened: alerts and events.

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{
    Result,
    account::{Actor, Owner},
    execute, new_uuid, now, parsed,
    select::Select,
};

/// `ALERT.SERVICE.DOMAINROUTER`, CloudStack's type for all that a virtual router has to say.
pub(crate) const DOMAIN_ROUTER: i64 = 9;

pub(crate) struct Alert {
    pub uuid: Uuid,
    pub kind: i64,
    pub subject: String,
    pub sent: String,
}

pub(crate) fn read_alert(row: &Row<'_>) -> Result<Alert> {
    Ok(Alert {
        uuid: parsed(row, "uuid")?,
        kind: row.get("type")?,
        subject: row.get("subject")?,
        sent: row.get("last_sent")?,
    })
}

/// Stored per occurrence: alerts of this type are never merged.
pub(crate) fn alert(db: &Connection, subject: &str) -> Result<()> {
    execute(
        db,
        "INSERT INTO alert (uuid, type, data_center_id, subject, created, last_sent) VALUES (?1, ?2, 1, ?3, ?4, ?4)",
        (new_uuid(), DOMAIN_ROUTER, subject, now()),
    )
}

/// Newest first.
pub(crate) fn select_alerts() -> Select {
    Select::of("*", "alert", "id DESC")
}

pub(crate) struct Event {
    pub uuid: Uuid,
    pub kind: String,
    pub state: String,
    pub level: String,
    pub description: String,
    pub owner: Owner,
    pub username: String,
    pub created: String,
    /// The first event of the same command, unless this is it.
    pub parent: Option<Uuid>,
}

/// Newest first.
pub(crate) fn select_events() -> Select {
    Select::of("event.*, parent.uuid AS parent, username", "event", "event.id DESC")
        .with("LEFT JOIN event AS parent ON parent.id = event.start_id JOIN user ON user.id = event.user_id")
}

pub(crate) fn read_event(row: &Row<'_>) -> Result<Event> {
    let parent: Option<String> = row.get("parent")?;
    Ok(Event {
        uuid: parsed(row, "uuid")?,
        kind: row.get("type")?,
        state: row.get("state")?,
        level: row.get("level")?,
        description: row.get("description")?,
        owner: Owner { account: row.get("account_id")?, domain: row.get("domain_id")? },
        username: row.get("username")?,
        created: row.get("created")?,
        parent: parent.and_then(|uuid| uuid.parse().ok()),
    })
}

/// One step of a command: its kind is such as `VPN.S2S.CONNECTION.CREATE`, its state how far it has come.
/// Returns the row; `start` is the row of the command's first event, or 0.
pub(crate) fn event(db: &Connection, actor: Actor, step: &Step<'_>, start: i64) -> Result<i64> {
    let (user, owner) = (actor.user, actor.owner);
    execute(
        db,
        "INSERT INTO event (uuid, type, state, description, user_id, account_id, domain_id, created, level, start_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        (
            new_uuid(),
            step.kind,
            step.state,
            step.text,
            user,
            owner.account,
            owner.domain,
            now(),
            step.level.name(),
            start,
        ),
    )?;
    Ok(db.last_insert_rowid())
}

pub(crate) struct Step<'a> {
    pub kind: &'a str,
    pub state: &'a str,
    pub level: crate::Level,
    pub text: &'a str,
}
