//! What follows from two configurations, and from any two.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::{Daemon, Encryption, Hash, Policy, PreSharedKey, Proposals};

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
            "fails in IKE_SA_INIT after message 2, the customer gateway says NO_PROPOSAL_CHOSEN: no hash is common",
        ),
        (
            ["aes256-sha256;modp2048", "aes192-sha1"],
            "fails in IKE_AUTH after message 2, the customer gateway says NO_PROPOSAL_CHOSEN: no encryption is common",
        ),
        (
            ["aes256-sha256;modp2048", "aes256-sha256"],
            "established with aes256-sha256;modp2048, ESP aes256-sha256 without PFS; then fails in CREATE_CHILD_SA after \
             message 2 at the first rekey, whoever is asked says NO_PROPOSAL_CHOSEN: no combination is common",
        ),
    ];
    for (customer, expected) in cases {
        let outcome = outcome(router, customer);
        assert!(outcome.starts_with(expected), "{outcome}");
    }
}

/// How the ends differ, and what then fails, where, and who says what: `R` is the router, `C` the customer gateway.
#[test]
fn each_difference_fails_where_it_must_and_each_daemon_has_its_own_word_for_it() {
    use Daemon::{Libreswan, Strongswan};
    type Differ = fn(&mut End);
    let cases: [(Differ, Initiator, [Daemon; 2], IkeVersion, &str); 20] = [
        (
            |c| c.knows_peer = false,
            Initiator::Cloud,
            [Libreswan, Strongswan],
            IkeVersion::V1,
            "peer: main mode 1, C NO-PROPOSAL-CHOSEN",
        ),
        (
            |c| c.knows_peer = false,
            Initiator::Cloud,
            [Strongswan, Libreswan],
            IkeVersion::V1,
            "peer: main mode 1, silence",
        ),
        (
            |c| c.knows_peer = false,
            Initiator::Cloud,
            [Strongswan, Libreswan],
            IkeVersion::V2,
            "peer: IKE_SA_INIT 2, C NO_PROPOSAL_CHOSEN",
        ),
        (
            |c| c.knows_peer = false,
            Initiator::Customer,
            [Libreswan, Strongswan],
            IkeVersion::V1,
            "peer: main mode 1, silence",
        ),
        (
            |c| c.knows_peer = false,
            Initiator::Customer,
            [Libreswan, Strongswan],
            IkeVersion::V2,
            "peer: IKE_SA_INIT 1, silence",
        ),
        (
            |c| c.ike = IkeVersion::V2,
            Initiator::Cloud,
            [Strongswan, Libreswan],
            IkeVersion::V1,
            "ike-version: main mode 1, silence",
        ),
        (
            |c| c.ike = IkeVersion::V2,
            Initiator::Cloud,
            [Libreswan, Strongswan],
            IkeVersion::V1,
            "ike-version: main mode 1, C NO-PROPOSAL-CHOSEN",
        ),
        (
            |c| c.ike = IkeVersion::V2,
            Initiator::Customer,
            [Libreswan, Strongswan],
            IkeVersion::V1,
            "ike-version: IKE_SA_INIT 2, R NO_PROPOSAL_CHOSEN",
        ),
        (
            |c| c.ike = IkeVersion::V1,
            Initiator::Customer,
            [Libreswan, Strongswan],
            IkeVersion::V2,
            "ike-version: main mode 1, silence",
        ),
        (|c| c.ike = IkeVersion::Either, Initiator::Cloud, [Libreswan, Strongswan], IkeVersion::V1, "nothing"),
        (
            |c| c.key = PreSharedKey::new("1"),
            Initiator::Cloud,
            [Libreswan, Strongswan],
            IkeVersion::V1,
            "psk: main mode 5, C PAYLOAD-MALFORMED",
        ),
        (
            |c| c.key = PreSharedKey::new("1"),
            Initiator::Customer,
            [Libreswan, Strongswan],
            IkeVersion::V1,
            "psk: main mode 5, silence",
        ),
        (
            |c| c.key = PreSharedKey::new("1"),
            Initiator::Customer,
            [Libreswan, Strongswan],
            IkeVersion::V2,
            "psk: IKE_AUTH 2, R AUTHENTICATION_FAILED",
        ),
        (
            |c| c.local_nets = c.peer_nets.clone(),
            Initiator::Cloud,
            [Libreswan, Strongswan],
            IkeVersion::V1,
            "subnets: quick mode 1, C INVALID-ID-INFORMATION",
        ),
        (
            |c| c.local_nets = c.peer_nets.clone(),
            Initiator::Customer,
            [Libreswan, Strongswan],
            IkeVersion::V2,
            "subnets: IKE_AUTH 2, R TS_UNACCEPTABLE",
        ),
        (
            |c| c.peer_nets = c.local_nets.clone(),
            Initiator::Customer,
            [Libreswan, Strongswan],
            IkeVersion::V1,
            "peer-nets: quick mode 1, R INVALID-ID-INFORMATION",
        ),
        (|c| c.policy.dpd = true, Initiator::Customer, [Libreswan, Strongswan], IkeVersion::V1, "nothing"),
        (
            |c| c.policy.ike_lifetime = Lifetime(60),
            Initiator::Cloud,
            [Libreswan, Strongswan],
            IkeVersion::V1,
            "nothing",
        ),
        (
            |c| c.policy.esp = "aes256-sha1".parse().unwrap(),
            Initiator::Customer,
            [Libreswan, Strongswan],
            IkeVersion::V1,
            "esp.encryption: quick mode 1, R NO-PROPOSAL-CHOSEN",
        ),
        (
            |c| c.policy.ike = "3des-sha1".parse().unwrap(),
            Initiator::Cloud,
            [Strongswan, Libreswan],
            IkeVersion::V2,
            "ike.encryption: IKE_SA_INIT 2, C NO_PROPOSAL_CHOSEN",
        ),
    ];
    let policy = policy("aes128-sha1", "aes128-sha1");
    for (number, (differ, initiator, daemons, ike, expected)) in cases.into_iter().enumerate() {
        let [mut router, mut customer] = ends(&policy, &policy, ike);
        [router.daemon, customer.daemon] = daemons.map(Some);
        differ(&mut customer);
        let prediction = predict(&router, &customer, initiator);
        let told = prediction.failure().map_or("nothing".to_owned(), |failure| {
            let said = failure.notice.map_or("silence".to_owned(), |Notice { by, kind }| {
                let by = if by == Some(Initiator::Cloud) { "R" } else { "C" };
                format!("{by} {}", kind.name(failure.stage.version()))
            });
            format!("{}: {} {}, {said}", failure.difference.setting, failure.stage, failure.message)
        });
        assert_eq!(told, expected, "case {number}: {prediction}");
    }
}

/// Groups of perfect forward secrecy, the initiator's and the responder's.
#[test]
fn libreswan_grants_perfect_forward_secrecy_that_it_would_not_ask_for_and_strongswan_does_not() {
    let cases = [
        (Daemon::Libreswan, ["aes128-sha1;modp1024", "aes128-sha1;modp1536"], Some("aes128-sha1;modp1024")),
        (Daemon::Libreswan, ["aes128-sha1;modp1024", "aes128-sha1"], Some("aes128-sha1;modp1024")),
        (Daemon::Libreswan, ["aes128-sha1", "aes128-sha1;modp1536"], None),
        (Daemon::Libreswan, ["aes256-sha1;modp1024", "aes128-sha1"], None),
        (Daemon::Strongswan, ["aes128-sha1;modp1024", "aes128-sha1;modp1536"], None),
        (Daemon::Strongswan, ["aes128-sha1;modp1024", "aes128-sha1"], None),
        (Daemon::Strongswan59, ["aes128-sha1", "aes128-sha1;modp1536"], None),
    ];
    for (responder, [offered, accepted], expected) in cases {
        let [router, mut customer] =
            ends(&policy("aes128-sha1", offered), &policy("aes128-sha1", accepted), IkeVersion::V1);
        customer.daemon = Some(responder);
        let prediction = predict(&router, &customer, Initiator::Cloud);
        let agreed = prediction.agreement().map(|agreement| agreement.esp.to_string());
        assert_eq!(agreed.as_deref(), expected, "{responder}: {prediction}");
    }
}

#[test]
fn the_networks_that_both_have_come_up_without_the_others() {
    let policy = policy("aes128-sha1", "aes128-sha1");
    let [mut router, customer] = ends(&policy, &policy, IkeVersion::V1);
    router.peer_nets.push("192.168.10.0/24".parse().unwrap());
    let Prediction::Partly(agreement, failure) = predict(&router, &customer, Initiator::Cloud) else { panic!() };
    assert_eq!((agreement.pairs.len(), failure.stage), (1, Stage::QuickMode));
    assert_eq!(failure.difference.problem, "no tunnel is known from 10.10.0.0/16 to 192.168.10.0/24");
    // Whoever begins knows nothing of what only the other one has.
    assert!(predict(&router, &customer, Initiator::Customer).failure().is_none());
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
