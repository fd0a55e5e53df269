//! Databases in memory. Making the tables and planning the statements costs more than all that a short-lived service asks
//! of its database. So one that ends leaves both to the next of the same profile in this process: all that a service
//! writes is one transaction, which is rolled back when the service ends.

use std::{
    mem,
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

use rusqlite::Connection;

use super::{Result, prepare};
use crate::Profile;

/// So many wait for a service; there are seldom two services in a process.
const ROOM: usize = 4;

/// As they were before their first service wrote anything.
static WAITING: Mutex<Vec<(Profile, Connection)>> = Mutex::new(Vec::new());

/// A database that no other service has.
pub(crate) struct Database {
    profile: Profile,
    /// Until it is dropped.
    connection: Option<Connection>,
}

impl Database {
    pub fn open(profile: Profile) -> Result<Self> {
        let waiting = {
            let mut all = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
            all.iter().position(|(of, _)| *of == profile).map(|at| all.swap_remove(at).1)
        };
        let connection = match waiting {
            Some(connection) => connection,
            None => {
                let mut connection = Connection::open_in_memory()?;
                prepare(&mut connection, profile)?;
                connection
            }
        };
        connection.execute_batch("BEGIN")?;
        Ok(Self { profile, connection: Some(connection) })
    }
}

impl Deref for Database {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("it is there until it is dropped")
    }
}

impl DerefMut for Database {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("it is there until it is dropped")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(connection) = mem::take(&mut self.connection) else { return };
        // One whose transaction has ended already would keep what its service wrote.
        if connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_err() {
            return;
        }
        let mut all = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < ROOM {
            all.push((self.profile, connection));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn rows(db: &Connection) -> Vec<i64> {
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
        let names: Vec<String> =
            db.prepare(tables).unwrap().query_map([], |row| row.get(0)).unwrap().collect::<Result<_>>().unwrap();
        let count =
            |name: &String| db.query_row(&format!("SELECT count(*) FROM \"{name}\""), [], |row| row.get(0)).unwrap();
        names.iter().map(count).collect()
    }

    #[test]
    fn the_next_service_finds_nothing_of_the_former() {
        let first = Database::open(Profile::V4_22).unwrap();
        let new = rows(&first);
        first.execute("INSERT INTO domain (uuid, name, path) VALUES ('u', 'left', '/left')", []).unwrap();
        first.execute("CREATE TABLE left_over (id INTEGER)", []).unwrap();
        assert_ne!(rows(&first), new);
        drop(first);
        // Whichever of those that wait it gets.
        let all: Vec<_> = (0..=ROOM).map(|_| Database::open(Profile::V4_22).unwrap()).collect();
        assert!(all.iter().all(|db| rows(db) == new));
    }

    #[test]
    fn a_database_whose_transaction_has_ended_is_given_to_nobody() {
        let first = Database::open(Profile::Spec2012).unwrap();
        first.execute("INSERT INTO domain (uuid, name, path) VALUES ('u', 'left', '/left')", []).unwrap();
        first.execute_batch("COMMIT").unwrap();
        let with_a_row_more = rows(&first);
        drop(first);
        let all: Vec<_> = (0..=ROOM).map(|_| Database::open(Profile::Spec2012).unwrap()).collect();
        assert!(all.iter().all(|db| rows(db) != with_a_row_more));
    }
}
