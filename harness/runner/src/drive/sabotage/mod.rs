//! Sabotage: a run with one defect, which shows whether the scenarios find what they are for.
//!
//! A defect is somewhere between the service and the packets. Most of them change what the service asks of a router, or
//! what it is answered. What cannot be had there is a lapse of the service or a flaw of the laboratory's routers; both do
//! one thing otherwise where it is done, and nothing else asks them to.

mod defect;

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cloud::{
    Config, Fabric, IkeVersion, Lapse, Router, RouterPlan, Tier, Tunnel, TunnelStatus, Usage,
    router::{Future, Uuid},
};
use ipnet::Ipv4Net;
use lab::topology::{Deployment, Flaw, Lab};
use policy::{Encryption, Lifetime, PreSharedKey, Proposal};

pub use defect::Defect;

impl Defect {
    /// What is wrong with the service itself.
    pub(crate) fn lapse(self) -> Option<Lapse> {
        Some(match self {
            Self::NoRestartAfterReboot => Lapse::ForgetsConnectionsAtBoot,
            Self::RestartAlsoOfError => Lapse::RestartsErrors,
            Self::AlertMissing => Lapse::SendsNoAlerts,
            Self::ResetDoesNothing => Lapse::ResetsNothing,
            _ => return None,
        })
    }

    /// How often the monitor looks; zero is never.
    pub(crate) fn router_check_interval(self) -> Duration {
        if self == Self::MonitorAsleep { Duration::ZERO } else { Config::ROUTER_CHECK_INTERVAL }
    }

    fn flaw(self) -> Option<Flaw> {
        Some(match self {
            Self::NatExemptionMissing => Flaw::Translates,
            Self::ClearTextWithoutTunnel => Flaw::LetsPass,
            Self::ClearTextDuringReboot => Flaw::ForwardsWhenStopped,
            _ => return None,
        })
    }

    /// The tunnel that a router makes of the one that it is told of.
    fn changed(self, tunnel: Tunnel) -> Tunnel {
        let mut tunnel = tunnel;
        let policy = &mut tunnel.policy;
        match self {
            Self::DpdIgnored => policy.dpd = false,
            Self::DpdForced => policy.dpd = true,
            Self::PfsDropped => policy.esp = policy.esp.map(|proposal| Proposal { group: None, ..proposal }),
            Self::EncryptionDowngraded => {
                policy.esp = policy.esp.map(|proposal| Proposal { encryption: Encryption::TripleDes, ..proposal });
            }
            Self::LifetimeDoubled => policy.esp_lifetime = Lifetime(2 * policy.esp_lifetime.0),
            Self::IkeLifetimeHalved => policy.ike_lifetime = Lifetime(policy.ike_lifetime.0 / 2),
            Self::WrongSubnetInstalled => tunnel.peer_cidrs.iter_mut().for_each(|net| *net = next_to(*net)),
            Self::SubnetForgotten => tunnel.peer_cidrs.truncate(1),
            Self::IkeVersionIgnored => tunnel.ike = IkeVersion::V1,
            Self::PassiveIgnored => tunnel.passive = false,
            Self::EncapsulationNotForced => tunnel.force_encapsulation = false,
            _ => {}
        }
        tunnel
    }
}

/// The network of the same length that follows.
fn next_to(net: Ipv4Net) -> Ipv4Net {
    let size = 1_u32 << (32 - u32::from(net.prefix_len()));
    let address = Ipv4Addr::from_bits(net.network().to_bits().wrapping_add(size));
    Ipv4Net::new(address, net.prefix_len()).unwrap_or(net)
}

/// The routers of a laboratory, with a defect if there is to be one.
pub(crate) fn fabric(lab: &Arc<Lab>, defect: Option<Defect>) -> Arc<dyn Fabric> {
    let lab = Arc::clone(lab);
    match defect {
        None => Arc::new(Deployment::new(lab)),
        Some(defect) => {
            let sound = match defect.flaw() {
                Some(flaw) => Deployment::with_flaw(lab, flaw),
                None => Deployment::new(lab),
            };
            Arc::new(Sabotaged { fabric: sound, defect })
        }
    }
}

struct Sabotaged {
    fabric: Deployment,
    defect: Defect,
}

impl Fabric for Sabotaged {
    fn deploy(&self, plan: RouterPlan) -> Future<'_, Arc<dyn Router>> {
        Box::pin(async move {
            let router = self.fabric.deploy(plan).await?;
            let (keys, read) = (Mutex::default(), Mutex::default());
            Ok(Arc::new(SabotagedRouter { router, defect: self.defect, keys, read }) as Arc<dyn Router>)
        })
    }

    fn resolve(&self, name: &str) -> Future<'_, Ipv4Addr> {
        self.fabric.resolve(name)
    }
}

struct SabotagedRouter {
    router: Arc<dyn Router>,
    defect: Defect,
    /// The first that it was told, by connection.
    keys: Mutex<BTreeMap<Uuid, PreSharedKey>>,
    /// What its counters were when they were last read, by connection.
    read: Mutex<BTreeMap<Uuid, Usage>>,
}

impl SabotagedRouter {
    fn first_key(&self, tunnel: &Tunnel) -> PreSharedKey {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.entry(tunnel.connection).or_insert_with(|| tunnel.key.clone()).clone()
    }

    /// What came since it was asked the last time.
    fn since_last(&self, connection: Uuid, now: Usage) -> Usage {
        let last = self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(connection, now).unwrap_or_default();
        Usage {
            sent_bytes: now.sent_bytes.saturating_sub(last.sent_bytes),
            received_bytes: now.received_bytes.saturating_sub(last.received_bytes),
        }
    }
}

impl Router for SabotagedRouter {
    fn add_tier(&self, tier: Tier) -> Future<'_, ()> {
        self.router.add_tier(tier)
    }

    fn remove_tier(&self, name: &str) -> Future<'_, ()> {
        self.router.remove_tier(name)
    }

    fn apply(&self, tunnel: Tunnel) -> Future<'_, ()> {
        match self.defect {
            Defect::StuckInPending => Box::pin(std::future::pending()),
            Defect::ConnectedWithoutSa => Box::pin(async { Ok(()) }),
            Defect::WrongKeyAfterUpdate => self.router.apply(Tunnel { key: self.first_key(&tunnel), ..tunnel }),
            defect => self.router.apply(defect.changed(tunnel)),
        }
    }

    fn remove(&self, connection: Uuid) -> Future<'_, ()> {
        match self.defect {
            Defect::OldSaKeptAfterDelete => Box::pin(async { Ok(()) }),
            _ => self.router.remove(connection),
        }
    }

    fn status(&self, connection: Uuid) -> Future<'_, TunnelStatus> {
        match self.defect {
            Defect::StatusAlwaysUp | Defect::ConnectedWithoutSa => Box::pin(async { Ok(TunnelStatus::Up) }),
            Defect::StatusAlwaysDown => Box::pin(async { Ok(TunnelStatus::Down) }),
            _ => self.router.status(connection),
        }
    }

    fn usage(&self, connection: Uuid) -> Future<'_, Usage> {
        Box::pin(async move {
            let usage = self.router.usage(connection).await?;
            Ok(match self.defect {
                Defect::UsageNotCounted => Usage::default(),
                Defect::UsageCounterReset => self.since_last(connection, usage),
                Defect::UsageDirectionsSwapped => {
                    Usage { sent_bytes: usage.received_bytes, received_bytes: usage.sent_bytes }
                }
                _ => usage,
            })
        })
    }

    fn stop(&self) -> Future<'_, ()> {
        match self.defect {
            Defect::StopDoesNothing => Box::pin(async { Ok(()) }),
            _ => self.router.stop(),
        }
    }

    fn start(&self) -> Future<'_, ()> {
        match self.defect {
            // It runs.
            Defect::StopDoesNothing => Box::pin(async { Ok(()) }),
            _ => self.router.start(),
        }
    }

    fn destroy(&self) -> Future<'_, ()> {
        self.router.destroy()
    }
}
