//! Bytes that connections have carried, by day. They only ever grow.

use rusqlite::Connection;

use super::{Result, all, execute, now, one};
use crate::Usage;

/// Adds what a counter has grown by since it was last read. One that fell was started again by
/// somebody else, and has counted from nothing.
pub(crate) fn read(db: &Connection, connection: i64, usage: Usage) -> Result<()> {
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
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

/// The counter of a connection, or of all, is about to begin at nothing.
pub(crate) fn restart(db: &Connection, connection: Option<i64>) -> Result<()> {
    execute(db, "UPDATE vpn_counter SET sent = 0, received = 0 WHERE ?1 IS NULL OR connection_id = ?1", [connection])
}

fn today() -> String {
    now().chars().take(10).collect()
}

pub(crate) struct Record {
    pub connection: i64,
    /// `2026-11-25`.
    pub day: String,
    pub sent: i64,
    pub received: i64,
}

/// Of days from the first to the last, both included; the oldest first.
pub(crate) fn records(db: &Connection, first: &str, last: &str) -> Result<Vec<Record>> {
    let sql = "SELECT * FROM cloud_usage WHERE day BETWEEN ?1 AND ?2 ORDER BY day, connection_id";
    all(db, sql, [first, last], |row| {
        Ok(Record {
            connection: row.get("connection_id")?,
            day: row.get("day")?,
            sent: row.get("sent")?,
            received: row.get("received")?,
        })
    })
}
