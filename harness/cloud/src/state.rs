//! The states of a connection, as one table for each release. Pure.

use std::fmt;

use thiserror::Error;

/// What a connection's `state` can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Trying to reach the customer gateway.
    Pending,
    /// The router has been told; whether the tunnel is up is for the monitor to find out. From 4.15.2.
    Connecting,
    Connected,
    /// Lost, or waiting for the peer.
    Disconnected,
    /// Could not be established; only a reset, an update or a deletion gets it out of here.
    Error,
    /// Deleted; no list shows it. From 4.21.
    Removed,
}

impl State {
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Connecting, Self::Connected, Self::Disconnected, Self::Error, Self::Removed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Connecting => "Connecting",
            Self::Connected => "Connected",
            Self::Disconnected => "Disconnected",
            Self::Error => "Error",
            Self::Removed => "Removed",
        }
    }

    /// "Mgmt server would only check the connections which states are Connected or Disconnected."
    /// Connecting came later, and is checked as well.
    pub(crate) fn is_monitored(self) -> bool {
        matches!(self, Self::Connecting | Self::Connected | Self::Disconnected)
    }
}

impl std::str::FromStr for State {
    type Err = UnknownState;

    fn from_str(name: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or_else(|| UnknownState(name.to_owned()))
    }
}

/// What no release calls a state.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no connection is in a state `{0}`")]
pub struct UnknownState(String);

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// resetVpnConnection, before anything else.
    Reset,
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
    /// stopRouter, and what includes it.
    RouterStopped,
    /// The router is gone, with whoever was waiting for it; or the monitor finds that it does not run.
    RouterLost,
    Remove,
}

/// What a connection refuses in the state it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// How a release's connections behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    /// 4.0: a connection has begun once its tunnel is established.
    Original,
    /// 4.22: a connection has begun once its router is told, and is stopped in almost every state.
    Current,
}

impl Machine {
    pub(crate) fn waits(self) -> bool {
        self == Self::Original
    }

    /// The state that follows, or a refusal that leaves everything as it is.
    pub(crate) fn next(self, state: State, trigger: Trigger) -> Result<State, Refused> {
        use State::{Connected, Connecting, Disconnected, Error, Pending, Removed};
        use Trigger::{Remove, Reset, RouterLost, RouterStopped, Seen, Start, StartFailed, Started, Stop, StopFailed};
        match (self, state, trigger) {
            (_, Removed, _) => Err(Refused),
            // A state that a release does not know is left by what every release has.
            (Self::Original, Connecting, Remove) => Ok(Connecting),
            (Self::Original, Connecting, RouterLost | RouterStopped) => Ok(Disconnected),
            (Self::Original, Connecting, _) => Err(Refused),

            (Self::Original, Pending, Reset) => Err(Refused),
            (Self::Original, Connected | Disconnected | Error, Reset) => Ok(state),
            (Self::Current, Pending | Connecting | Connected | Disconnected | Error, Reset) => Ok(Disconnected),

            (_, Pending | Disconnected, Start) => Ok(Pending),
            (_, Connecting | Connected | Error, Start) => Err(Refused),
            (Self::Original, Pending, Started { passive: false }) => Ok(Connected),
            (Self::Current, Pending, Started { passive: false }) => Ok(Connecting),
            (_, Pending, Started { passive: true }) => Ok(Disconnected),
            (_, Pending, StartFailed) => Ok(Error),
            (_, Connecting | Connected | Disconnected | Error, Started { .. } | StartFailed) => Err(Refused),

            (Self::Original, Connected | Error, Stop) => Ok(Disconnected),
            (Self::Original, Pending | Disconnected, Stop) => Err(Refused),
            (Self::Current, Connecting | Connected | Disconnected | Error, Stop) => Ok(Disconnected),
            (Self::Current, Pending, Stop) => Err(Refused),
            (_, Disconnected, StopFailed) => Ok(Error),
            (_, Pending | Connecting | Connected | Error, StopFailed) => Err(Refused),

            (_, Connecting | Connected | Disconnected, Seen { up: true }) => Ok(Connected),
            (_, Connecting | Connected | Disconnected, Seen { up: false }) => Ok(Disconnected),
            (_, Pending | Error, Seen { .. }) => Ok(state),

            (_, Connecting | Connected, RouterStopped) => Ok(Disconnected),
            (_, Pending | Disconnected | Error, RouterStopped) => Ok(state),
            (_, Pending | Connecting | Connected | Disconnected, RouterLost) => Ok(Disconnected),
            (_, Error, RouterLost) => Ok(Error),

            (Self::Original, Pending | Connected | Disconnected | Error, Remove) => Ok(state),
            (Self::Current, Pending | Connecting | Connected | Disconnected | Error, Remove) => Ok(Removed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        State::{Connected, Connecting, Disconnected, Error, Pending, Removed},
        *,
    };

    const NO: Result<State, Refused> = Err(Refused);
    const PE: Result<State, Refused> = Ok(Pending);
    const CG: Result<State, Refused> = Ok(Connecting);
    const CD: Result<State, Refused> = Ok(Connected);
    const DI: Result<State, Refused> = Ok(Disconnected);
    const ER: Result<State, Refused> = Ok(Error);
    const RE: Result<State, Refused> = Ok(Removed);

    type Row = (Trigger, [Result<State, Refused>; 6]);

    // One row per trigger; columns are the states in the order of State::ALL:
    // Pending, Connecting, Connected, Disconnected, Error, Removed.
    const ORIGINAL: [Row; 12] = [
        (Trigger::Reset, [NO, NO, CD, DI, ER, NO]),
        (Trigger::Start, [PE, NO, NO, PE, NO, NO]),
        (Trigger::Started { passive: false }, [CD, NO, NO, NO, NO, NO]),
        (Trigger::Started { passive: true }, [DI, NO, NO, NO, NO, NO]),
        (Trigger::StartFailed, [ER, NO, NO, NO, NO, NO]),
        (Trigger::Stop, [NO, NO, DI, NO, DI, NO]),
        (Trigger::StopFailed, [NO, NO, NO, ER, NO, NO]),
        (Trigger::Seen { up: true }, [PE, NO, CD, CD, ER, NO]),
        (Trigger::Seen { up: false }, [PE, NO, DI, DI, ER, NO]),
        (Trigger::RouterStopped, [PE, DI, DI, DI, ER, NO]),
        (Trigger::RouterLost, [DI, DI, DI, DI, ER, NO]),
        (Trigger::Remove, [PE, CG, CD, DI, ER, NO]),
    ];

    const CURRENT: [Row; 12] = [
        (Trigger::Reset, [DI, DI, DI, DI, DI, NO]),
        (Trigger::Start, [PE, NO, NO, PE, NO, NO]),
        (Trigger::Started { passive: false }, [CG, NO, NO, NO, NO, NO]),
        (Trigger::Started { passive: true }, [DI, NO, NO, NO, NO, NO]),
        (Trigger::StartFailed, [ER, NO, NO, NO, NO, NO]),
        (Trigger::Stop, [NO, DI, DI, DI, DI, NO]),
        (Trigger::StopFailed, [NO, NO, NO, ER, NO, NO]),
        (Trigger::Seen { up: true }, [PE, CD, CD, CD, ER, NO]),
        (Trigger::Seen { up: false }, [PE, DI, DI, DI, ER, NO]),
        (Trigger::RouterStopped, [PE, DI, DI, DI, ER, NO]),
        (Trigger::RouterLost, [DI, DI, DI, DI, ER, NO]),
        (Trigger::Remove, [RE, RE, RE, RE, RE, NO]),
    ];

    #[test]
    fn the_whole_table() {
        for (machine, table) in [(Machine::Original, ORIGINAL), (Machine::Current, CURRENT)] {
            for (trigger, row) in table {
                for (state, expected) in State::ALL.into_iter().zip(row) {
                    assert_eq!(machine.next(state, trigger), expected, "{machine:?}: {state} on {trigger:?}");
                }
            }
        }
    }

    #[test]
    fn the_original_never_reaches_a_later_state() {
        for (_, row) in ORIGINAL {
            let known = [Pending, Connected, Disconnected, Error];
            for (state, next) in State::ALL.into_iter().zip(row) {
                assert!(!known.contains(&state) || next.is_ok_and(|next| known.contains(&next)) || next == NO);
            }
        }
    }

    #[test]
    fn names_are_read_back() {
        for state in State::ALL {
            assert_eq!(state.name().parse(), Ok(state));
        }
        assert!("connected".parse::<State>().is_err());
    }

    #[test]
    fn the_monitor_moves_only_what_it_checks() {
        for machine in [Machine::Original, Machine::Current] {
            for state in State::ALL {
                for up in [true, false] {
                    let next = machine.next(state, Trigger::Seen { up });
                    assert!(state.is_monitored() || next.is_err() || next == Ok(state));
                }
            }
        }
    }
}
