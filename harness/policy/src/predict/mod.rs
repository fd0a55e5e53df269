//! What must follow from how two gateways are configured, before anything runs: the negotiation of IKEv1 (RFC 2408, RFC
//! 2409) or IKEv2 (RFC 7296).

mod choose;
mod failure;
#[cfg(test)]
mod tests;
mod ways;

use std::fmt;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use self::choose::Side;
use crate::{End, Group, IkeVersion, Initiator, Lifetime, Proposal, Version};

pub use failure::{Difference, Failure, Notice, Notification, Stage};

/// The outcome that the configurations of both ends force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prediction {
    Established(Agreement),
    /// What is agreed on comes up. The rest does not, or it cannot be rekeyed.
    Partly(Agreement, Failure),
    Fails(Failure),
}

/// What both ends come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Agreement {
    pub initiator: Initiator,
    pub version: Version,
    /// It always names its group.
    pub ike: Proposal,
    /// Its group is the one of perfect forward secrecy.
    pub esp: Proposal,
    /// The router's lifetime, and the customer gateway's.
    pub ike_lifetimes: [Lifetime; 2],
    pub esp_lifetimes: [Lifetime; 2],
    /// Whether the router asks for dead peers, and whether the customer gateway does.
    pub dpd: [bool; 2],
    /// The networks that it connects, the cloud's first.
    pub pairs: Vec<(Ipv4Net, Ipv4Net)>,
}

impl Prediction {
    pub fn agreement(&self) -> Option<&Agreement> {
        match self {
            Self::Established(agreement) | Self::Partly(agreement, _) => Some(agreement),
            Self::Fails(_) => None,
        }
    }

    /// The version of IKE in which they negotiate, or would.
    pub fn version(&self) -> Version {
        match self {
            Self::Established(agreement) | Self::Partly(agreement, _) => agreement.version,
            Self::Fails(failure) => failure.stage.version(),
        }
    }

    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Established(_) => None,
            Self::Partly(_, failure) | Self::Fails(failure) => Some(failure),
        }
    }

    /// Why the tunnel does not come up, if it does not. One that cannot be rekeyed does.
    pub fn keeps_down(&self) -> Option<&Failure> {
        self.failure().filter(|failure| !failure.at_rekey)
    }
}

impl Agreement {
    /// The lifetime that rules: each end keeps its own, and whoever has the shorter one rekeys, or ends the SA, first
    /// (RFC 2407 section 4.5.4, RFC 7296 section 2.8).
    pub fn esp_lifetime(&self) -> Lifetime {
        let [router, customer] = self.esp_lifetimes;
        router.min(customer)
    }
}

/// Predicts the negotiation that one of the ends begins. The first of its proposals which the other accepts is chosen:
/// an initiator sends them in order of preference (RFC 2408 section 4.2, RFC 7296 section 2.7).
///
/// - An IKE proposal without a group means [`Proposal::ike_group`].
/// - Both ends must want the same PFS group, or none, but for the ways of a daemon.
/// - Lifetimes and DPD never prevent a tunnel: each end keeps its own lifetime, and DPD needs no consent.
/// - Each pair of networks is negotiated on its own.
pub fn predict(router: &End, customer: &End, initiator: Initiator) -> Prediction {
    let case = Case { router, customer, initiator };
    let ike = match case.phase_1() {
        Ok(ike) => ike,
        Err(failure) => return Prediction::Fails(failure),
    };
    let (esp, at_rekey) = match case.phase_2() {
        Ok(esp) => esp,
        Err(failure) => return Prediction::Fails(failure),
    };
    let (pairs, strange) = case.pairs();
    let lifetimes = |of: fn(&End) -> Lifetime| [of(router), of(customer)];
    let agreement = Agreement {
        initiator,
        version: case.version(),
        ike,
        esp,
        ike_lifetimes: lifetimes(|end| end.policy.ike_lifetime),
        esp_lifetimes: lifetimes(|end| end.policy.esp_lifetime),
        dpd: [router.policy.dpd, customer.policy.dpd],
        pairs,
    };
    match strange.or(at_rekey) {
        None => Prediction::Established(agreement),
        Some(failure) if agreement.pairs.is_empty() => Prediction::Fails(failure),
        Some(failure) => Prediction::Partly(agreement, failure),
    }
}

/// Two ends, and which of them begins.
struct Case<'a> {
    router: &'a End,
    customer: &'a End,
    initiator: Initiator,
}

impl Case<'_> {
    fn first(&self) -> &End {
        match self.initiator {
            Initiator::Cloud => self.router,
            Initiator::Customer => self.customer,
        }
    }

    fn second(&self) -> &End {
        match self.initiator {
            Initiator::Cloud => self.customer,
            Initiator::Customer => self.router,
        }
    }

    fn version(&self) -> Version {
        self.first().ike.initiates()
    }

    fn phase_1(&self) -> Result<Proposal, Failure> {
        let (first, second) = (self.first(), self.second());
        let stage = match self.version() {
            Version::V1 => Stage::MainMode,
            Version::V2 => Stage::IkeSaInit,
        };
        // An answer of version 2 says what is wrong in the same exchange.
        let fails = |kind: Option<Notification>, difference| Failure {
            stage,
            message: if stage == Stage::IkeSaInit && kind.is_some() { 2 } else { 1 },
            at_rekey: false,
            notice: kind.map(|kind| self.said(kind)),
            difference,
        };
        if !first.knows_peer {
            return Err(fails(None, self.difference("peer", "it calls another address", address)));
        }
        if !second.knows_peer {
            let difference = self.difference("peer", "it knows no gateway of this address", address);
            return Err(fails(ways::to_a_stranger(second.daemon, self.version()), difference));
        }
        if !second.ike.answers(self.version()) {
            let problem = format!("{} is not spoken", self.version());
            let difference = self.difference("ike-version", &problem, |end| end.ike.name().to_owned());
            return Err(fails(ways::to_another_version(second.daemon, self.version()), difference));
        }
        let of = |end: &End| -> Vec<_> {
            end.policy.ike.iter().map(|p| Proposal { group: Some(p.ike_group()), ..p }).collect()
        };
        let (offered, accepted) = (of(first), of(second));
        let side = Side { offered: &offered, accepted: &accepted };
        let ike = side.choose().ok_or_else(|| {
            let difference = self.about("ike", &side);
            fails(Some(Notification::NoProposalChosen), difference)
        })?;
        if first.key.expose() == second.key.expose() {
            return Ok(ike);
        }
        let difference = self.difference("psk", "the pre-shared keys differ", |_| "one of its own".to_owned());
        let failure = fails(ways::to_another_key(second.daemon, self.version()), difference);
        Err(match self.version() {
            // The first message that is encrypted, with keys that follow from the pre-shared one.
            Version::V1 => Failure { message: 5, ..failure },
            Version::V2 => Failure { stage: Stage::IkeAuth, message: 2, ..failure },
        })
    }

    /// What is chosen, and what then keeps it from being rekeyed.
    fn phase_2(&self) -> Result<(Proposal, Option<Failure>), Failure> {
        match self.version() {
            Version::V1 => Ok((self.quick_mode()?, None)),
            Version::V2 => self.child_sa(),
        }
    }

    /// There is one key exchange payload in Quick Mode, and every transform in it must name its group (RFC 2409 section
    /// 5.5). Alternatives with another group cannot be offered beside the first.
    fn quick_mode(&self) -> Result<Proposal, Failure> {
        let pfs = self.first().policy.esp.first().group;
        let offered: Vec<_> = self.first().policy.esp.iter().filter(|p| p.group == pfs).collect();
        let accepted: Vec<_> = self.second().policy.esp.iter().collect();
        let side = Side { offered: &offered, accepted: &accepted };
        let daemon = self.second().daemon;
        let chosen = side.choose_by(|offered, accepted| ways::grants(daemon, offered, accepted));
        chosen.ok_or_else(|| self.refused(Stage::QuickMode, 1, &side))
    }

    /// The first child SA is made without a key exchange of its own, so that a group of perfect forward secrecy is not
    /// spoken of before the first rekey (RFC 7296 section 1.2).
    fn child_sa(&self) -> Result<(Proposal, Option<Failure>), Failure> {
        let of = |end: &End, bare: bool| -> Vec<_> {
            end.policy.esp.iter().map(|p| if bare { Proposal { group: None, ..p } } else { p }).collect()
        };
        let (offered, accepted) = (of(self.first(), true), of(self.second(), true));
        let bare = Side { offered: &offered, accepted: &accepted };
        let chosen = bare.choose().ok_or_else(|| self.refused(Stage::IkeAuth, 2, &bare))?;
        let (offered, accepted) = (of(self.first(), false), of(self.second(), false));
        let whole = Side { offered: &offered, accepted: &accepted };
        Ok(match whole.choose() {
            Some(chosen) => (chosen, None),
            None => {
                let failure = self.refused(Stage::CreateChildSa, 2, &whole);
                // Either end may be the first to rekey.
                let notice = failure.notice.map(|notice| Notice { by: None, ..notice });
                (chosen, Some(Failure { at_rekey: true, notice, ..failure }))
            }
        })
    }

    fn refused(&self, stage: Stage, message: u32, side: &Side<'_>) -> Failure {
        let notice = Some(self.said(Notification::NoProposalChosen));
        Failure { stage, message, at_rekey: false, notice, difference: self.about("esp", side) }
    }

    /// By whoever was called.
    fn said(&self, kind: Notification) -> Notice {
        Notice { by: Some(self.initiator.other()), kind }
    }

    /// The pairs of networks that both ends have, and what becomes of the first that only the initiator has.
    fn pairs(&self) -> (Vec<(Ipv4Net, Ipv4Net)>, Option<Failure>) {
        let known: Vec<_> = self.second().pairs().collect();
        let (common, strange): (Vec<_>, Vec<_>) =
            self.first().pairs().partition(|&(local, peer)| known.contains(&(peer, local)));
        let seen_by_the_cloud = |(local, peer): (Ipv4Net, Ipv4Net)| match self.initiator {
            Initiator::Cloud => (local, peer),
            Initiator::Customer => (peer, local),
        };
        let failure = strange.first().map(|&(local, peer)| {
            let (_, behind_the_customer) = seen_by_the_cloud((local, peer));
            let both = [&self.router.peer_nets, &self.customer.local_nets];
            let agreed = both.iter().all(|nets| nets.contains(&behind_the_customer));
            let setting = if agreed { "peer-nets" } else { "subnets" };
            let problem = format!("no tunnel is known from {local} to {peer}");
            let (stage, message, kind) = match self.version() {
                Version::V1 => (Stage::QuickMode, 1, Notification::InvalidIdInformation),
                Version::V2 => (Stage::IkeAuth, 2, Notification::TsUnacceptable),
            };
            let notice = Some(self.said(kind));
            let difference = self.difference(setting, &problem, networks);
            Failure { stage, message, at_rekey: false, notice, difference }
        });
        (common.into_iter().map(seen_by_the_cloud).collect(), failure)
    }

    /// What keeps proposals from being accepted.
    fn about(&self, phase: &str, side: &Side<'_>) -> Difference {
        let (part, problem) = side.difference();
        let setting = if part.is_empty() { phase.to_owned() } else { format!("{phase}.{part}") };
        let (offered, accepted) = (choose::list(side.offered), choose::list(side.accepted));
        let [router, customer] = match self.initiator {
            Initiator::Cloud => [offered, accepted],
            Initiator::Customer => [accepted, offered],
        };
        Difference { setting, problem: problem.to_owned(), router, customer }
    }

    fn difference(&self, setting: &str, problem: &str, value: impl Fn(&End) -> String) -> Difference {
        Difference {
            setting: setting.to_owned(),
            problem: problem.to_owned(),
            router: value(self.router),
            customer: value(self.customer),
        }
    }
}

fn address(end: &End) -> String {
    if end.knows_peer { "the right one" } else { "a wrong one" }.to_owned()
}

fn networks(end: &End) -> String {
    let list = |nets: &[Ipv4Net]| nets.iter().map(Ipv4Net::to_string).collect::<Vec<_>>().join(" and ");
    format!("{} to {}", list(&end.local_nets), list(&end.peer_nets))
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Established(agreement) => agreement.fmt(f),
            Self::Partly(agreement, failure) => write!(f, "{agreement}; then {failure}"),
            Self::Fails(failure) => failure.fmt(f),
        }
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ike, esp, .. } = self;
        write!(f, "established with {ike}, ESP {}-{} ", esp.encryption, esp.hash)?;
        match esp.group {
            Some(group) => write!(f, "with PFS {group}"),
            None => f.write_str("without PFS"),
        }
    }
}

impl IkeVersion {
    /// Whether it answers who begins with this version.
    pub fn answers(self, version: Version) -> bool {
        self == Self::Either || self.initiates() == version
    }
}

impl Proposal {
    /// The group of an IKE proposal. A CloudStack policy such as `aes128-sha1` may leave it open; the
    /// daemons' own defaults differ and change with their versions, so the harness always writes group 5,
    /// which is the one of the specification's own example, into both configurations.
    pub fn ike_group(self) -> Group {
        self.group.unwrap_or(Group::Modp1536)
    }
}
