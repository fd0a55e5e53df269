//! What the service can be made to do wrong, so that somebody else can show that it would be noticed.
//!
//! Nothing that is served to clients comes here: only `Service::start_with_lapse`, behind the feature `sabotage`.

/// One thing that a service does wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// A router that has booted is told of no connection.
    ForgetsConnectionsAtBoot,
    /// A router that has booted is told of connections in Error too, and they are begun again.
    RestartsErrors,
    /// A change that the monitor sees is no alert.
    SendsNoAlerts,
    /// A reset says that it is done, and does nothing.
    ResetsNothing,
}
