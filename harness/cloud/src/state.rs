//! The states of a connection, as one table. Pure.

use std::fmt;

/// What a connection's `state` can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Trying to reach the customer gateway.
    Pending,
    Connected,
    /// Lost, or waiting for the peer.
    Disconnected,
    /// Could not be established; only a reset or a deletion gets it out of here.
    Error,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Connected, Self::Disconnected, Self::Error];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Connected => "Connected",
            Self::Disconnected => "Disconnected",
            Self::Error => "Error",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// "Mgmt server would only check the connections which states are Connected or Disconnected."
    pub(crate) fn is_monitored(self) -> bool {
        matches!(self, Self::Connected | Self::Disconnected)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// The router is about to be configured.
    Start,
    /// The router has the tunnel: established, or, if passive, waiting for the peer.
    Started {
        passive: bool,
    },
    StartFailed,
    /// The router is about to be told to forget the tunnel.
    Stop,
    StopFailed,
    /// The monitor's finding.
    Seen {
        up: bool,
    },
    /// The router is gone, with whoever was waiting for it.
    RouterLost,
}

/// What a connection refuses in the state it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// The state that follows, or a refusal that leaves everything as it is.
pub(crate) fn next(state: State, trigger: Trigger) -> Result<State, Refused> {
    use State::{Connected, Disconnected, Error, Pending};
    use Trigger::{RouterLost, Seen, Start, StartFailed, Started, Stop, StopFailed};
    match (state, trigger) {
        (Pending | Disconnected, Start) => Ok(Pending),
        (Pending, Started { passive: false }) => Ok(Connected),
        (Pending, Started { passive: true }) => Ok(Disconnected),
        (Pending, StartFailed) => Ok(Error),
        (Connected | Error, Stop) => Ok(Disconnected),
        (Disconnected, StopFailed) => Ok(Error),
        (Connected | Disconnected, Seen { up }) => Ok(if up { Connected } else { Disconnected }),
        (Pending | Error, Seen { .. }) => Ok(state),
        (Pending | Connected | Disconnected, RouterLost) => Ok(Disconnected),
        (Error, RouterLost) => Ok(Error),
        (Connected | Error, Start)
        | (Pending | Disconnected, Stop)
        | (Connected | Disconnected | Error, Started { .. } | StartFailed)
        | (Pending | Connected | Error, StopFailed) => Err(Refused),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        State::{Connected, Disconnected, Error, Pending},
        *,
    };

    const NO: Result<State, Refused> = Err(Refused);

    #[test]
    fn the_whole_table() {
        // One row per trigger; columns are the states in the order of State::ALL.
        let table = [
            (Trigger::Start, [Ok(Pending), NO, Ok(Pending), NO]),
            (Trigger::Started { passive: false }, [Ok(Connected), NO, NO, NO]),
            (Trigger::Started { passive: true }, [Ok(Disconnected), NO, NO, NO]),
            (Trigger::StartFailed, [Ok(Error), NO, NO, NO]),
            (Trigger::Stop, [NO, Ok(Disconnected), NO, Ok(Disconnected)]),
            (Trigger::StopFailed, [NO, NO, Ok(Error), NO]),
            (Trigger::Seen { up: true }, [Ok(Pending), Ok(Connected), Ok(Connected), Ok(Error)]),
            (Trigger::Seen { up: false }, [Ok(Pending), Ok(Disconnected), Ok(Disconnected), Ok(Error)]),
            (Trigger::RouterLost, [Ok(Disconnected), Ok(Disconnected), Ok(Disconnected), Ok(Error)]),
        ];
        for (trigger, row) in table {
            for (state, expected) in State::ALL.into_iter().zip(row) {
                assert_eq!(next(state, trigger), expected, "{state} on {trigger:?}");
            }
        }
    }

    #[test]
    fn names_are_read_back() {
        for state in State::ALL {
            assert_eq!(State::from_name(state.name()), Some(state));
        }
        assert_eq!(State::from_name("Connecting"), None);
    }

    #[test]
    fn the_monitor_moves_only_what_it_checks() {
        for state in State::ALL {
            for up in [true, false] {
                assert!(state.is_monitored() || next(state, Trigger::Seen { up }) == Ok(state));
            }
        }
    }
}
