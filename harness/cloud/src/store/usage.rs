//! Bytes that connections have carried, by day. They only ever grow.

use rusqlite::{Connection, Row};

use super::{Result, account::Owner, execute, now, one, select::Select};
use crate::Usage;

/// NETWORK_BYTES_SENT and NETWORK_BYTES_RECEIVED of CloudStack's UsageTypes.
pub(crate) const SENT: i64 = 4;
pub(crate) const RECEIVED: i64 = 5;

/// Adds what a counter has grown by since it was last read. One that fell was started again by
/// somebody else, and has counted from nothing.
pub(crate) fn read(db: &Connection, connection: i64, usage: Usage) -> Result<()> {
    let (sent, received) = (bytes(usage.sent_bytes), bytes(usage.received_bytes));
    let last = "SELECT sent, received FROM vpn_counter WHERE connection_id = ?1";
    let last: Option<(i64, i64)> = one(db, last, [connection], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (last_sent, last_received) = last.filter(|last| last.0 <= sent && last.1 <= received).unwrap_or((0, 0));
    execute(
        db,
        "INSERT INTO vpn_counter (connection_id, sent, received) VALUES (?1, ?2, ?3)
         ON CONFLICT (connection_id) DO UPDATE SET sent = excluded.sent, received = excluded.received",
        (connection, sent, received),
    )?;
    execute(db, "INSERT INTO cloud_usage (connection_id, day, sent, received) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (connection_id, day) DO UPDATE SET sent = sent + excluded.sent, received = received + excluded.received",
        (connection, today(), sent - last_sent, received - last_received),
    )
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The counter of a connection, or of all, is about to begin at nothing.
pub(crate) fn restart(db: &Connection, connection: Option<i64>) -> Result<()> {
    execute(db, "UPDATE vpn_counter SET sent = 0, received = 0 WHERE ?1 IS NULL OR connection_id = ?1", [connection])
}

fn today() -> String {
    now().chars().take(10).collect()
}

/// Bytes one way, of a connection on a day.
pub(crate) struct Record {
    /// [`SENT`] or [`RECEIVED`].
    pub kind: i64,
    pub bytes: i64,
    /// `2026-11-25`.
    pub day: String,
    /// UUIDs of the connection and of its VPC.
    pub connection: String,
    pub vpc: String,
    pub owner: Owner,
}

/// The oldest first. `u` is the record, `k` which way, `c` the connection.
pub(crate) fn select() -> Select {
    Select::of(
        "k.kind, CASE k.kind WHEN 4 THEN u.sent ELSE u.received END, u.day, c.uuid, vpc.uuid, c.account_id, c.domain_id",
        "cloud_usage AS u JOIN s2s_vpn_connection AS c ON c.id = u.connection_id
         JOIN (SELECT 4 AS kind UNION ALL SELECT 5) AS k",
        "u.day, u.connection_id, k.kind",
    )
    .with("JOIN s2s_vpn_gateway AS g ON g.id = c.vpn_gateway_id JOIN vpc ON vpc.id = g.vpc_id")
}

pub(crate) fn read_record(row: &Row<'_>) -> Result<Record> {
    Ok(Record {
        kind: row.get(0)?,
        bytes: row.get(1)?,
        day: row.get(2)?,
        connection: row.get(3)?,
        vpc: row.get(4)?,
        owner: Owner { account: row.get(5)?, domain: row.get(6)? },
    })
}
