//! How a call can fail.

use std::time::Duration;

use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClientError {
    /// The cloud refused the command.
    #[error("{command}: error {code}: {text}")]
    Api { command: String, status: u16, code: i64, text: String },
    /// The cloud took the command, and its job failed.
    #[error("{command}: job {job} failed with error {code}: {text}")]
    Job { command: String, job: String, code: i64, text: String },
    #[error("{command}: job {job} is still not done after {} s; ask for it with queryAsyncJobResult", waited.as_secs())]
    Unfinished { command: String, job: String, waited: Duration },
    #[error("{command}: {endpoint}: {reason}; is a CloudStack API there?")]
    Transport { command: String, endpoint: String, reason: String },
    #[error("{command}: the answer (HTTP {status}) {what}")]
    Unexpected { command: String, status: u16, what: String },
}
