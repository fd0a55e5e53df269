//! What follows from two configurations, and from any two.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::{Encryption, Hash, Policy, PreSharedKey, Proposals};

fn policy(ike: &str, esp: &str) -> Policy {
    Policy::new(ike.parse().unwrap(), esp.parse().unwrap())
}

/// Both ends of a connection of two networks, which differ in their policies only.
fn ends(router: &Policy, customer: &Policy, ike: IkeVersion) -> [End; 2] {
    let nets: [Ipv4Net; 2] = ["10.10.0.0/16".parse().unwrap(), "172.16.10.0/24".parse().unwrap()];
    let end = |policy: &Policy, [local, peer]: [Ipv4Net; 2]| End {
        daemon: None,
        policy: policy.clone(),
        ike,
        key: PreSharedKey::new("123123"),
        knows_peer: true,
        local_nets: vec![local],
        peer_nets: vec![peer],
    };
    [end(router, nets), end(customer, [nets[1], nets[0]])]
}

fn predicted(router: &Policy, customer: &Policy, ike: IkeVersion) -> Prediction {
    let [router, customer] = ends(router, customer, ike);
    predict(&router, &customer, Initiator::Cloud)
}

fn outcome(router: [&str; 2], customer: [&str; 2]) -> String {
    predicted(&policy(router[0], router[1]), &policy(customer[0], customer[1]), IkeVersion::V1).to_string()
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
        (
            ["3des-md5", "3des-md5"],
            ["aes128-md5", "3des-md5"],
            "fails in main mode after message 1, the customer gateway says NO-PROPOSAL-CHOSEN: no encryption is common",
        ),
        (
            ["3des-md5", "3des-md5"],
            ["3des-sha1", "3des-md5"],
            "fails in main mode after message 1, the customer gateway says NO-PROPOSAL-CHOSEN: no hash is common",
        ),
        (
            ["3des-md5", "3des-md5"],
            ["3des-md5;modp1024", "3des-md5"],
            "fails in main mode after message 1, the customer gateway says NO-PROPOSAL-CHOSEN: no group is common",
        ),
        (
            ["3des-md5", "3des-md5"],
            ["3des-md5", "3des-md5;modp1024"],
            "fails in quick mode after message 1, the customer gateway says NO-PROPOSAL-CHOSEN: no group is common",
        ),
        (
            ["3des-md5", "3des-md5,aes128-sha1"],
            ["3des-md5", "3des-sha1,aes128-md5"],
            "fails in quick mode after message 1, the customer gateway says NO-PROPOSAL-CHOSEN: no combination is common \
             (`esp`): the router has 3des-md5 or aes128-sha1, the customer gateway 3des-sha1 or aes128-md5",
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
        predicted(&router, &customer, IkeVersion::V2).to_string()
    };
    let router = ["aes256-sha256;modp2048", "aes256-sha256;modp2048,aes128-sha1"];
    let cases = [
        (["aes256-sha256;modp2048", "aes128-sha1"], "established with aes256-sha256;modp2048, ESP aes128-sha1 with"),
        (
            ["aes256-sha512;modp2048", "aes128-sha1"],
            "fails in IKE_SA_INIT after message 1, the customer gateway says NO_PROPOSAL_CHOSEN: no hash is common",
        ),
        (
            ["aes256-sha256;modp2048", "aes192-sha1"],
            "fails in IKE_AUTH after message 2, the customer gateway says NO_PROPOSAL_CHOSEN: no encryption is common",
        ),
        (
            ["aes256-sha256;modp2048", "aes256-sha256"],
            "established with aes256-sha256;modp2048, ESP aes256-sha256 without PFS; then fails in CREATE_CHILD_SA after \
             message 2 at the first rekey, the customer gateway says NO_PROPOSAL_CHOSEN: no combination is common",
        ),
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

fn versions() -> impl Strategy<Value = IkeVersion> {
    prop::sample::select(IkeVersion::ALL.to_vec())
}

fn initiators() -> impl Strategy<Value = Initiator> {
    prop::sample::select(Initiator::ALL.to_vec())
}

fn policies() -> impl Strategy<Value = Policy> {
    (proposals(), proposals()).prop_map(|(ike, esp)| Policy::new(ike, esp))
}

proptest! {
    #[test]
    fn equal_policies_establish_with_the_first_proposal(policy in policies(), version in versions()) {
        let first = policy.ike.first();
        let ike = Proposal { group: Some(first.ike_group()), ..first };
        let prediction = predicted(&policy, &policy, version);
        let Prediction::Established(agreement) = prediction else { panic!("{prediction}") };
        prop_assert_eq!((agreement.ike, agreement.esp), (ike, policy.esp.first()));
    }

    #[test]
    fn what_is_chosen_was_in_both_policies(
        router in policies(), customer in policies(), version in versions(), initiator in initiators(),
    ) {
        let [one, other] = ends(&router, &customer, version);
        if let Prediction::Established(Agreement { ike, esp, .. }) = predict(&one, &other, initiator) {
            for policy in [&router, &customer] {
                let same = |p: Proposal| Proposal { group: Some(p.ike_group()), ..p } == ike;
                prop_assert!(policy.ike.iter().any(same));
                prop_assert!(policy.esp.iter().any(|p| p == esp));
            }
        }
    }

    #[test]
    fn main_mode_does_not_depend_on_who_begins(router in policies(), customer in policies()) {
        let [one, other] = ends(&router, &customer, IkeVersion::V1);
        let fails = |initiator| {
            predict(&one, &other, initiator).failure().is_some_and(|failure| failure.stage == Stage::MainMode)
        };
        prop_assert_eq!(fails(Initiator::Cloud), fails(Initiator::Customer));
    }

    #[test]
    fn survives_json(
        router in policies(), customer in policies(), version in versions(), initiator in initiators(),
    ) {
        let [one, other] = ends(&router, &customer, version);
        let prediction = predict(&one, &other, initiator);
        let json = serde_json::to_string(&prediction).unwrap();
        prop_assert_eq!(serde_json::from_str::<Prediction>(&json).unwrap(), prediction);
    }
}
