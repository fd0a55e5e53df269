//! Waiting for a predicate with a deadline; the failure tells what was seen last.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Error, Result};

/// How often a predicate is looked at. In virtual time a look costs nothing while nothing else happens.
const PERIOD: Duration = Duration::from_millis(50);

/// One wait: look, and as long as it is not so, call [`Wait::again`] with what was seen instead.
///
/// A loop and not a closure, because a future that borrows from an asynchronous closure cannot be sent to
/// another thread.
pub struct Wait {
    what: String,
    limit: Duration,
    deadline: Instant,
}

impl Wait {
    pub fn new(what: impl Into<String>, limit: Duration) -> Self {
        Self { what: what.into(), limit, deadline: Instant::now() + limit }
    }

    /// Returns when it is time to look again; an error when the time is up.
    pub async fn again(&self, last: impl ToString) -> Result<()> {
        if Instant::now() >= self.deadline {
            let (what, waited_ms) = (self.what.clone(), self.limit.as_millis());
            return Err(Error::Deadline { what, waited_ms, last: last.to_string() });
        }
        tokio::time::sleep(PERIOD).await;
        Ok(())
    }
}
