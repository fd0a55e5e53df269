//! What the service reports while it works, one line for each step: for whoever finds out why a VPN
//! does not work. A line has no field that could hold a secret.

use std::{fmt, sync::Arc};

/// One step of a command, or one change of a connection's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub level: Level,
    /// As in listEvents: `VPN.S2S.CONNECTION.CREATE`.
    pub kind: &'static str,
    /// How far the command has come: `Scheduled`, `Started`, `Completed`; `Changed` for a state.
    pub step: &'static str,
    /// Who it is done for; empty where the service acts of its own accord.
    pub account: String,
    /// UUID of the connection or job it is about, or empty.
    pub subject: String,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
    Warn,
    Error,
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, kind, step, account, subject, text } = self;
        write!(f, "{} {kind} {step} account={account:?} subject={subject:?} {text:?}", level.name())
    }
}

/// Where lines go. It is called from the service's tasks and must not block.
#[derive(Clone)]
pub struct Log(Arc<dyn Fn(&LogLine) + Send + Sync>);

impl Log {
    pub fn new(sink: impl Fn(&LogLine) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    pub(crate) fn write(&self, line: &LogLine) {
        (self.0)(line);
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}
