//! Gateways: an IKE daemon on a machine, behind one trait.
//!
//! A daemon is started once; tunnels come and go over its own control interface. Whether a tunnel is up
//! is never asked of the daemon: the kernel's SAs and policies tell it.

mod killed;
mod libreswan;
mod metered;
mod secrets;
mod strongswan;

use std::{fmt, net::Ipv4Addr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use ipnet::Ipv4Net;
use policy::{Daemon, IkeVersion, Policy, PreSharedKey};

use self::metered::Metered;
pub(crate) use self::secrets::{ask_for as ask_for_secrets, forget as forget_secrets, shared_secrets};
use crate::{
    Result,
    machine::Machine,
    meter::{self, Work},
    wait::Wait,
    xfrm,
};

/// The daemons rekey this long before the end of a lifetime, and at random up to as much earlier, in seconds:
/// Openswan's defaults (`rekeymargin=9m`, `rekeyfuzz=100%`), which CloudStack leaves alone. libreswan has them by
/// itself, strongSwan is told.
const REKEY_MARGIN: u32 = 540;
/// Dead peer detection as the specification wants it, in seconds.
const DPD_DELAY: u32 = 30;
const DPD_TIMEOUT: u32 = 120;
/// How long a daemon may take to listen.
const START: Duration = Duration::from_secs(20);

/// One connection as one of its ends sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Its name in the daemon: letters, digits and hyphens.
    pub name: String,
    pub local: Ipv4Addr,
    /// What this end calls itself, if not by its address: that which its peer sees behind a NAT.
    pub identity: Option<Ipv4Addr>,
    pub peer: Ipv4Addr,
    pub local_nets: Vec<Ipv4Net>,
    pub peer_nets: Vec<Ipv4Net>,
    pub policy: Policy,
    pub key: PreSharedKey,
    pub ike: IkeVersion,
    /// Wrap ESP in UDP even where no address is translated on the way.
    pub encapsulate: bool,
}

impl Tunnel {
    /// The same connection, as the other end sees it.
    pub(crate) fn seen_from_the_peer(&self) -> Self {
        Self {
            local: self.peer,
            identity: None,
            peer: self.identity(),
            local_nets: self.peer_nets.clone(),
            peer_nets: self.local_nets.clone(),
            ..self.clone()
        }
    }

    /// What this end calls itself.
    pub(crate) fn identity(&self) -> Ipv4Addr {
        self.identity.unwrap_or(self.local)
    }

    /// IKEv1 negotiates one pair of networks at a time (RFC 2409 section 5.5). In IKEv2 each pair has a child SA of its
    /// own too, as with CloudStack's `splitconnections`: not every daemon takes several at once.
    pub fn pairs(&self) -> impl Iterator<Item = (Ipv4Net, Ipv4Net)> + '_ {
        self.local_nets.iter().flat_map(|&local| self.peer_nets.iter().map(move |&peer| (local, peer)))
    }
}

/// An IKE daemon that runs until this value is dropped.
pub trait Gateway: Send + Sync {
    /// Makes the daemon know the tunnel; it answers the peer from now on.
    fn apply<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<()>>;

    /// Asks the daemon to bring the tunnel up, without waiting for it.
    fn initiate<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<()>>;

    /// Brings the tunnel down and makes the daemon forget it.
    fn terminate<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<()>>;

    /// What the kernel has of the tunnel.
    fn status<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<Status>>;

    /// What the daemon still knows of tunnels, in words; nothing after the last of them was terminated, in the end.
    fn remains(&self) -> BoxFuture<'_, Result<Option<String>>>;

    /// Ends the daemon at once, as the end of its machine would. An orderly end is not asked for: charon spins
    /// while it waits for its threads, and a thread that spins never lets virtual time go on.
    fn stop(&self) -> BoxFuture<'_, ()>;
}

/// Starts a daemon on a machine that has the file tree of its image.
pub async fn start(daemon: Daemon, machine: Arc<Machine>) -> Result<Arc<dyn Gateway>> {
    let _clock = meter::start(Work::Daemons);
    Ok(match daemon {
        Daemon::Libreswan => Arc::new(Metered(libreswan::Libreswan::start(machine).await?)),
        Daemon::Strongswan | Daemon::Strongswan59 => {
            Arc::new(Metered(strongswan::Strongswan::start(daemon, machine).await?))
        }
    })
}

/// What a gateway is without its daemon: tunnels can still be taken away there, and looked at.
pub(crate) fn without_daemon(machine: Arc<Machine>) -> Arc<dyn Gateway> {
    Arc::new(killed::Killed(machine))
}

/// The kernel's part of a tunnel: which pairs of networks have a policy and an SA for each direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub up: Vec<(Ipv4Net, Ipv4Net)>,
    pub down: Vec<(Ipv4Net, Ipv4Net)>,
    /// SAs of any age between the two gateways.
    pub sas: usize,
}

impl Status {
    pub fn is_up(&self) -> bool {
        self.down.is_empty() && !self.up.is_empty()
    }

    /// Nothing of it is left.
    pub fn is_gone(&self) -> bool {
        self.up.is_empty() && self.sas == 0
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = |pairs: &[(Ipv4Net, Ipv4Net)]| {
            let words: Vec<_> = pairs.iter().map(|(local, peer)| format!("{local} to {peer}")).collect();
            if words.is_empty() { "none".to_owned() } else { words.join(", ") }
        };
        write!(f, "up: {}; down: {}; {} SAs", pairs(&self.up), pairs(&self.down), self.sas)
    }
}

/// Waits until the tunnel is up; in words what there was of it when the time was over.
pub(crate) async fn comes_up(
    gateway: &dyn Gateway,
    tunnel: &Tunnel,
    limit: Duration,
) -> Result<std::result::Result<(), String>> {
    let _clock = meter::start(Work::Negotiation);
    let wait = Wait::new("the tunnel", limit);
    loop {
        let status = gateway.status(tunnel).await?;
        if status.is_up() {
            return Ok(Ok(()));
        }
        if wait.again(&status).await.is_err() {
            return Ok(Err(status.to_string()));
        }
    }
}

/// Waits until nothing of the tunnel is left.
pub(crate) async fn is_gone(gateway: &dyn Gateway, tunnel: &Tunnel, limit: Duration) -> Result<()> {
    let _clock = meter::start(Work::Negotiation);
    let wait = Wait::new(format!("the SAs of {} to go", tunnel.name), limit);
    loop {
        let status = gateway.status(tunnel).await?;
        if status.is_gone() {
            return Ok(());
        }
        wait.again(status).await?;
    }
}

async fn kernel_status(machine: &Machine, tunnel: &Tunnel) -> Result<Status> {
    let sas = xfrm::sas(machine).await?.sas;
    let policies = xfrm::policies(machine).await?;
    let has_sa = |source, destination, reqid| {
        sas.iter().any(|sa| sa.source == source && sa.destination == destination && sa.reqid == reqid)
    };
    let is_up = |&(local, peer): &(Ipv4Net, Ipv4Net)| {
        let way = |direction, from: Ipv4Net, to: Ipv4Net, source, destination| {
            policies.iter().any(|policy| {
                policy.direction == direction
                    && policy.source == from
                    && policy.destination == to
                    && has_sa(source, destination, policy.reqid)
            })
        };
        way(xfrm::Direction::Out, local, peer, tunnel.local, tunnel.peer)
            && way(xfrm::Direction::In, peer, local, tunnel.peer, tunnel.local)
    };
    let between = |sa: &&xfrm::Sa| {
        [(tunnel.local, tunnel.peer), (tunnel.peer, tunnel.local)].contains(&(sa.source, sa.destination))
    };
    let (up, down) = tunnel.pairs().partition(is_up);
    Ok(Status { up, down, sas: sas.iter().filter(between).count() })
}
