//! What must follow from two policies, before anything runs: the negotiation of IKEv1 (RFC 2408, RFC 2409) or IKEv2
//! (RFC 7296).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Group, Policy, Proposal, Version};

/// The outcome that the policies of both ends force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prediction {
    /// `ike` always names its group; the group of `esp` is the one of perfect forward secrecy.
    Established {
        ike: Proposal,
        esp: Proposal,
    },
    Fails {
        stage: Stage,
        reason: String,
    },
}

/// The part of a negotiation in which it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    MainMode,
    QuickMode,
    IkeSaInit,
    IkeAuth,
    /// The tunnel comes up, and cannot be rekeyed.
    CreateChildSa,
}

/// Predicts the negotiation that the router begins, in a version that the customer answers. The first of its proposals
/// which the customer accepts is chosen: an initiator sends them in order of preference (RFC 2408 section 4.2, RFC 7296
/// section 2.7).
///
/// - An IKE proposal without a group means [`Proposal::ike_group`].
/// - Both ends must want the same PFS group, or none. RFC 2409 leaves it to a responder to grant PFS
///   which its own policy does not ask for; policies that differ in this are no agreement here.
/// - Lifetimes and DPD never prevent a tunnel: the shorter lifetime rules, and DPD needs no consent.
pub fn predict(router: &Policy, customer: &Policy, version: Version) -> Prediction {
    let with_group = |p: Proposal| Proposal { group: Some(p.ike_group()), ..p };
    let offered: Vec<_> = router.ike.iter().map(with_group).collect();
    let accepted: Vec<_> = customer.ike.iter().map(with_group).collect();
    let stage = match version {
        Version::V1 => Stage::MainMode,
        Version::V2 => Stage::IkeSaInit,
    };
    let ike = match choose(&offered, &accepted) {
        Ok(ike) => ike,
        Err(reason) => return Prediction::Fails { stage, reason },
    };
    let esp = match version {
        Version::V1 => quick_mode(router, customer),
        Version::V2 => child_sa(router, customer),
    };
    match esp {
        Ok(esp) => Prediction::Established { ike, esp },
        Err((stage, reason)) => Prediction::Fails { stage, reason },
    }
}

/// There is one key exchange payload in Quick Mode, and every transform in it must name its group (RFC 2409 section
/// 5.5). Alternatives with another group cannot be offered beside the first.
fn quick_mode(router: &Policy, customer: &Policy) -> Result<Proposal, (Stage, String)> {
    let pfs = router.esp.first().group;
    let offered: Vec<_> = router.esp.iter().filter(|p| p.group == pfs).collect();
    let accepted: Vec<_> = customer.esp.iter().collect();
    choose(&offered, &accepted).map_err(|reason| (Stage::QuickMode, reason))
}

/// The first child SA is made without a key exchange of its own, so that a group of perfect forward secrecy is not
/// spoken of before the first rekey (RFC 7296 section 1.2).
fn child_sa(router: &Policy, customer: &Policy) -> Result<Proposal, (Stage, String)> {
    let bare = |policy: &Policy| -> Vec<_> { policy.esp.iter().map(|p| Proposal { group: None, ..p }).collect() };
    choose(&bare(router), &bare(customer)).map_err(|reason| (Stage::IkeAuth, reason))?;
    let whole = |policy: &Policy| -> Vec<_> { policy.esp.iter().collect() };
    choose(&whole(router), &whole(customer)).map_err(|reason| (Stage::CreateChildSa, reason))
}

/// The first proposal offered that is accepted, or why there is none.
fn choose(offered: &[Proposal], accepted: &[Proposal]) -> Result<Proposal, String> {
    if let Some(chosen) = offered.iter().find(|p| accepted.contains(p)) {
        return Ok(*chosen);
    }
    let common = |same: fn(&Proposal, &Proposal) -> bool| offered.iter().any(|o| accepted.iter().any(|a| same(o, a)));
    let missing = if !common(|o, a| o.encryption == a.encryption) {
        "no encryption is common"
    } else if !common(|o, a| o.hash == a.hash) {
        "no hash is common"
    } else if !common(|o, a| o.group == a.group) {
        "no group is common"
    } else {
        "no combination is common"
    };
    Err(format!("{missing}: the router offers {}, the customer gateway accepts {}", list(offered), list(accepted)))
}

fn list(proposals: &[Proposal]) -> String {
    proposals.iter().map(Proposal::to_string).collect::<Vec<_>>().join(" or ")
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Established { ike, esp } => {
                write!(f, "established with {ike}, ESP {}-{} ", esp.encryption, esp.hash)?;
                match esp.group {
                    Some(group) => write!(f, "with PFS {group}"),
                    None => f.write_str("without PFS"),
                }
            }
            Self::Fails { stage, reason } => write!(f, "fails in {stage}: {reason}"),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MainMode => "main mode",
            Self::QuickMode => "quick mode",
            Self::IkeSaInit => "IKE_SA_INIT",
            Self::IkeAuth => "IKE_AUTH",
            Self::CreateChildSa => "CREATE_CHILD_SA",
        })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::{Encryption, Hash, Proposals};

    fn policy(ike: &str, esp: &str) -> Policy {
        Policy::new(ike.parse().unwrap(), esp.parse().unwrap())
    }

    fn outcome(router: [&str; 2], customer: [&str; 2]) -> String {
        predict(&policy(router[0], router[1]), &policy(customer[0], customer[1]), Version::V1).to_string()
    }

    #[test]
    fn reads_as_a_sentence() {
        let example = ["3des-md5;modp1536", "3des-md5"];
        assert_eq!(outcome(example, example), "established with 3des-md5;modp1536, ESP 3des-md5 without PFS");
        let pfs = ["aes128-sha1", "aes256-sha1;modp1024"];
        assert_eq!(outcome(pfs, pfs), "established with aes128-sha1;modp1536, ESP aes256-sha1 with PFS modp1024");
    }

    #[test]
    fn the_first_common_proposal_wins() {
        let router = ["aes256-sha1;modp1536,aes128-sha1;modp1024,3des-md5;modp1024", "aes256-sha1,3des-md5"];
        let customer = ["3des-md5;modp1024,aes128-sha1;modp1024", "3des-md5,aes256-sha1"];
        assert_eq!(outcome(router, customer), "established with aes128-sha1;modp1024, ESP aes256-sha1 without PFS");
    }

    #[test]
    fn says_what_is_not_common() {
        let cases = [
            (["3des-md5", "3des-md5"], ["aes128-md5", "3des-md5"], "fails in main mode: no encryption is common"),
            (["3des-md5", "3des-md5"], ["3des-sha1", "3des-md5"], "fails in main mode: no hash is common"),
            (["3des-md5", "3des-md5"], ["3des-md5;modp1024", "3des-md5"], "fails in main mode: no group is common"),
            (["3des-md5", "3des-md5"], ["3des-md5", "3des-md5;modp1024"], "fails in quick mode: no group is common"),
            (
                ["3des-md5", "3des-md5,aes128-sha1"],
                ["3des-md5", "3des-sha1,aes128-md5"],
                "fails in quick mode: no combination is common: the router offers 3des-md5 or aes128-sha1, \
                 the customer gateway accepts 3des-sha1 or aes128-md5",
            ),
        ];
        for (router, customer, expected) in cases {
            let outcome = outcome(router, customer);
            assert!(outcome.starts_with(expected), "{outcome}");
        }
    }

    #[test]
    fn alternatives_with_another_pfs_group_are_not_offered() {
        let router = ["3des-md5", "aes128-sha1;modp1024,3des-md5"];
        assert!(outcome(router, ["3des-md5", "3des-md5"]).starts_with("fails in quick mode"));
    }

    #[test]
    fn version_2_agrees_on_perfect_forward_secrecy_when_it_rekeys() {
        let outcome = |router: [&str; 2], customer: [&str; 2]| {
            let [router, customer] = [router, customer].map(|[ike, esp]| policy(ike, esp));
            predict(&router, &customer, Version::V2).to_string()
        };
        let router = ["aes256-sha256;modp2048", "aes256-sha256;modp2048,aes128-sha1"];
        let cases = [
            (
                ["aes256-sha256;modp2048", "aes128-sha1"],
                "established with aes256-sha256;modp2048, ESP aes128-sha1 with",
            ),
            (["aes256-sha512;modp2048", "aes128-sha1"], "fails in IKE_SA_INIT: no hash is common"),
            (["aes256-sha256;modp2048", "aes192-sha1"], "fails in IKE_AUTH: no encryption is common"),
            (["aes256-sha256;modp2048", "aes256-sha256"], "fails in CREATE_CHILD_SA: no combination is common"),
        ];
        for (customer, expected) in cases {
            let outcome = outcome(router, customer);
            assert!(outcome.starts_with(expected), "{outcome}");
        }
    }

    fn proposals() -> impl Strategy<Value = Proposals> {
        // Few of each, so that two policies often have something in common; the weakest and the strongest.
        let hashes = prop::sample::select(vec![Hash::Md5, Hash::Sha512]);
        let groups = prop::sample::select(vec![None, Some(Group::Modp1024), Some(Group::Modp8192)]);
        let proposal = (prop::sample::select(Encryption::ALL.to_vec()), hashes, groups)
            .prop_map(|(encryption, hash, group)| Proposal { encryption, hash, group });
        proptest::collection::vec(proposal, 1..5).prop_map(|list| {
            let words: Vec<_> = list.iter().map(Proposal::to_string).collect();
            words.join(",").parse().unwrap()
        })
    }

    fn versions() -> impl Strategy<Value = Version> {
        prop::sample::select(vec![Version::V1, Version::V2])
    }

    fn policies() -> impl Strategy<Value = Policy> {
        (proposals(), proposals()).prop_map(|(ike, esp)| Policy::new(ike, esp))
    }

    proptest! {
        #[test]
        fn equal_policies_establish_with_the_first_proposal(policy in policies(), version in versions()) {
            let first = policy.ike.first();
            let ike = Proposal { group: Some(first.ike_group()), ..first };
            prop_assert_eq!(predict(&policy, &policy, version), Prediction::Established { ike, esp: policy.esp.first() });
        }

        #[test]
        fn what_is_chosen_was_in_both_policies(
            router in policies(), customer in policies(), version in versions(),
        ) {
            if let Prediction::Established { ike, esp } = predict(&router, &customer, version) {
                for policy in [&router, &customer] {
                    let same = |p: Proposal| Proposal { group: Some(p.ike_group()), ..p } == ike;
                    prop_assert!(policy.ike.iter().any(same));
                    prop_assert!(policy.esp.iter().any(|p| p == esp));
                }
            }
        }

        #[test]
        fn main_mode_does_not_depend_on_who_begins(router in policies(), customer in policies()) {
            let fails = |a, b| {
                matches!(predict(a, b, Version::V1), Prediction::Fails { stage: Stage::MainMode, .. })
            };
            prop_assert_eq!(fails(&router, &customer), fails(&customer, &router));
        }

        #[test]
        fn survives_json(router in policies(), customer in policies(), version in versions()) {
            let prediction = predict(&router, &customer, version);
            let json = serde_json::to_string(&prediction).unwrap();
            prop_assert_eq!(serde_json::from_str::<Prediction>(&json).unwrap(), prediction);
        }
    }
}
