//! A record such as a run leaves: tunnels that are proven, one that is refuted, and cells that did
//! not come to a tunnel. Addresses are of the blocks for documentation (RFC 5737).

pub mod conversation;

use std::{collections::BTreeMap, net::Ipv4Addr};

use policy::{Encryption, Group, Hash, Policy, Version};
use runner::record::{
    ApiCall, CellRecord, Check, Evidence, ImageRecord, Laboratory, Negotiated, Record, SaSummary, StateChange,
    StepRecord, StepStatus, Verdict,
};
use wire::{
    audit::{
        Account, ChosenTransform, Code, FlowAccount, LeftOut, Negotiation, PointAccount, Rekey, SaAccount, Secrecy,
        Side,
    },
    probe::Probe,
};

const ROUTER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);
const CUSTOMER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 20);
const WEB: Ipv4Addr = Ipv4Addr::new(10, 10, 1, 10);
const APP: Ipv4Addr = Ipv4Addr::new(10, 10, 2, 10);
const BRANCH: Ipv4Addr = Ipv4Addr::new(172, 16, 10, 10);

/// Two cells proven, one refuted, and one of each other verdict.
pub fn record() -> Record {
    let cells = vec![
        proven("libreswan", "strongSwan 5.9.14 standing in for Cisco IOS", "aes128"),
        proven("strongswan", "Libreswan 5.2 standing in for Juniper SRX", "3des"),
        refuted(),
        untried(
            Verdict::Unsupported,
            "libreswan",
            "modp1024",
            "Libreswan 5.2 is built without modp1024 (RFC 8247 section 2.4)",
        ),
        untried(Verdict::Skipped, "strongswan", "rekey-24h", "the host world cannot turn its clock: run in `guest`"),
        untried(
            Verdict::Broken,
            "strongswan",
            "nat",
            "the machine `customer` did not start within 20s: last seen `booting`",
        ),
    ];
    Record {
        format: runner::record::FORMAT,
        program: "0.1.0".into(),
        started: "2026-03-03T14:05:09Z".into(),
        wall_ms: 83_420,
        world: "guest".into(),
        sabotage: None,
        laboratory: Laboratory {
            kernel: "6.12.9 (User Mode Linux)".into(),
            images: vec![
                image("libreswan", "Libreswan 5.2", "9f8b2c44d1e07a3355f0"),
                image("strongswan", "strongSwan 5.9.14", "41c07de2a9b85c1190ab"),
            ],
            cloud: None,
        },
        choice: None,
        diagnoses: Vec::new(),
        gate: None,
        cells,
    }
}

/// A cell that holds nothing but its verdict.
pub fn bare(id: &str, verdict: Verdict) -> CellRecord {
    CellRecord {
        id: id.into(),
        scenario: "policies of the specification".into(),
        about: "Every policy that the specification allows.".into(),
        axes: Vec::new(),
        verdict,
        reason: "the world `modelled` carries no packets".into(),
        prediction: "established with aes128-sha1;modp1536".into(),
        grade: None,
        negotiated: None,
        router: "Libreswan 5.2".into(),
        customer: "strongSwan 5.9.14 standing in for Cisco IOS".into(),
        checks: Vec::new(),
        steps: Vec::new(),
        api: Vec::new(),
        states: Vec::new(),
        faults: Vec::new(),
        sas: Vec::new(),
        account: None,
        evidence: Evidence::default(),
        wall_ms: 3,
        began_ns: 0,
        virtual_ms: 0,
        machines: Vec::new(),
        spent: Default::default(),
        key: None,
        reused: None,
        expected: None,
    }
}

pub fn proven(router: &str, customer: &str, encryption: &str) -> CellRecord {
    let router_name = if router == "libreswan" { "Libreswan 5.2" } else { "strongSwan 5.9.14" };
    let id = format!("one-tunnel/router={router},ike.encryption={encryption}");
    let suite = format!("{encryption}-sha1;modp1536");
    CellRecord {
        scenario: "one tunnel, both subnets".into(),
        about: "A VPC reaches two subnets of a branch office behind a gateway of another make, and goes on doing so over a rekey and a reboot of its router.".into(),
        axes: vec![("cloud.vpcs.main.router".into(), router.into()), ("ike.encryption".into(), encryption.into())],
        reason: "prediction, API, kernel and packets agree: all 80 packets were seen protected, decrypted and equal".into(),
        prediction: format!("established with IKE {suite} and ESP {suite}, with perfect forward secrecy"),
        grade: Some(policy::grade(&Policy::new(suite.parse().unwrap(), suite.parse().unwrap()), Version::V1)),
        negotiated: Some(Negotiated { ike: suite.clone(), esp: suite.clone() }),
        router: router_name.into(),
        customer: customer.into(),
        checks: checks(&suite, true),
        steps: steps(true),
        api: api(),
        states: states(),
        sas: sas(&suite),
        account: Some(account(encryption.parse().unwrap(), true)),
        evidence: evidence(&id),
        wall_ms: 14_210,
        virtual_ms: 7_412_800,
        ..bare(&id, Verdict::Proven)
    }
}

fn refuted() -> CellRecord {
    let mut cell = proven("libreswan", "strongSwan 5.9.14 standing in for Cisco IOS", "aes256");
    cell.verdict = Verdict::Refuted;
    cell.reason =
        "3 packets from 10.10.1.10 to 172.16.10.10 crossed the internet in clear while the router rebooted".into();
    cell.checks = checks("aes256-sha1;modp1536", false);
    cell.steps = steps(false);
    cell.account = Some(account(Encryption::Aes256, false));
    for sa in cell.sas.iter_mut().filter(|sa| sa.spi == 0xc100_0001) {
        sa.packets = 17;
    }
    cell
}

fn untried(verdict: Verdict, router: &str, what: &str, reason: &str) -> CellRecord {
    let id = format!("one-tunnel/router={router},{what}");
    CellRecord {
        scenario: "the long run".into(),
        router: if router == "libreswan" { "Libreswan 5.2" } else { "strongSwan 5.9.14" }.into(),
        about: "What a tunnel does in a day.".into(),
        reason: reason.into(),
        ..bare(&id, verdict)
    }
}

fn image(name: &str, version: &str, digest: &str) -> ImageRecord {
    ImageRecord { name: name.into(), digest: digest.repeat(2), version: version.into() }
}

fn checks(suite: &str, holds: bool) -> Vec<Check> {
    let check = |code: &str, requirement: &str, expected: &str, observed: &str, holds| Check {
        code: code.into(),
        requirement: requirement.into(),
        expected: expected.into(),
        observed: observed.into(),
        holds,
        frames: Vec::new(),
    };
    vec![
        check("prediction-agrees", "what happened is what the policies say", "established", "established", true),
        check("ike-matches-policy", "the responder's choice is the policy's", suite, suite, true),
        check("sa-matches-policy", "both kernels hold SAs of the policy", suite, suite, true),
        check("api-state", "the connection is Connected", "Connected within 60s", "Connected after 3.1s", true),
        check(
            "no-clear-text",
            "nothing between VPC and customer is ever in clear on the internet",
            "0 packets",
            if holds { "0 packets" } else { "3 packets" },
            holds,
        ),
        check("nothing-left-over", "every frame is classified", "0 frames left over", "0 frames left over", true),
    ]
}

fn steps(resumed: bool) -> Vec<StepRecord> {
    let step = |text: &str, outcome: &str, ok, begin_ms, end_ms| StepRecord {
        text: text.into(),
        outcome: outcome.into(),
        status: if ok { StepStatus::Done } else { StepStatus::Failed },
        begin_ms,
        end_ms,
    };
    let traffic = if resumed { "Connected after 9.7s, traffic resumed" } else { "3 packets in clear before Connected" };
    vec![
        step("connect main to branch", "accepted, job succeeded", true, 120, 2_050),
        step("expect connection Connected within 60s", "Connected after 3.1s", true, 2_050, 3_100),
        step("exchange 20 packets between main.web and branch", "20 there, 20 back", true, 3_100, 3_900),
        step("hold 2h", "2 rekeys", true, 3_900, 7_203_900),
        step("reboot router main", "up after 21.2s", true, 7_203_900, 7_225_100),
        step("expect connection Connected within 180s, traffic resumed", traffic, resumed, 7_225_100, 7_234_800),
        step("exchange 20 packets between main.app and branch", "20 there, 20 back", true, 7_234_800, 7_236_000),
        step("disconnect main from branch", "connection removed", true, 7_408_000, 7_410_600),
        step("expect no traffic in clear", "0 packets", true, 7_410_600, 7_412_800),
    ]
}

fn api() -> Vec<ApiCall> {
    let call = |at_ms, command: &str, parameters: &[(&str, &str)], answer: &str| ApiCall {
        at_ms,
        command: command.into(),
        parameters: parameters.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        status: 200,
        answer: answer.into(),
    };
    let job = |at_ms, done: bool| {
        let answer = if done {
            r#"{"queryasyncjobresultresponse":{"jobstatus":1,"jobresult":{"vpnconnection":{"id":"c-1","state":"Connected"}}}}"#
        } else {
            r#"{"queryasyncjobresultresponse":{"jobstatus":0}}"#
        };
        call(at_ms, "queryAsyncJobResult", &[("jobid", "j-9")], answer)
    };
    vec![
        call(
            0,
            "createVPC",
            &[("name", "main"), ("cidr", "10.10.0.0/16")],
            r#"{"createvpcresponse":{"id":"v-1","jobid":"j-1"}}"#,
        ),
        call(
            20,
            "createNetwork",
            &[("name", "web"), ("gateway", "10.10.1.1"), ("netmask", "255.255.255.0"), ("vpcid", "v-1")],
            "{}",
        ),
        call(
            35,
            "createNetwork",
            &[("name", "app"), ("gateway", "10.10.2.1"), ("netmask", "255.255.255.0"), ("vpcid", "v-1")],
            "{}",
        ),
        call(
            60,
            "createVpnGateway",
            &[("vpcid", "v-1")],
            r#"{"createvpngatewayresponse":{"vpngateway":{"id":"g-1","publicip":"198.51.100.10","vpcid":"v-1"}}}"#,
        ),
        call(
            90,
            "createVpnCustomerGateway",
            &[
                ("name", "branch"),
                ("gateway", "203.0.113.20"),
                ("cidrlist", "172.16.10.0/24,192.168.10.0/24"),
                ("ikepolicy", "aes128-sha1;modp1536"),
                ("esppolicy", "aes128-sha1;modp1536"),
                ("ipsecpsk", "***"),
            ],
            r#"{"createvpncustomergatewayresponse":{"id":"u-1","gateway":"203.0.113.20"}}"#,
        ),
        call(
            120,
            "createVpnConnection",
            &[("s2svpngatewayid", "g-1"), ("s2scustomergatewayid", "u-1")],
            r#"{"createvpnconnectionresponse":{"id":"c-1","jobid":"j-9"}}"#,
        ),
        job(620, false),
        job(1_120, false),
        job(2_050, true),
        call(7_203_900, "rebootRouter", &[("id", "r-1")], r#"{"rebootrouterresponse":{"jobid":"j-10"}}"#),
        call(7_408_000, "deleteVpnConnection", &[("id", "c-1")], r#"{"deletevpnconnectionresponse":{"jobid":"j-11"#),
    ]
}

fn states() -> Vec<StateChange> {
    let change = |at_ms, state: &str| StateChange { at_ms, connection: "main -> branch".into(), state: state.into() };
    vec![
        change(120, "Pending"),
        change(900, "Connecting"),
        change(3_100, "Connected"),
        change(7_203_900, "Disconnected"),
        change(7_225_100, "Connecting"),
        change(7_234_800, "Connected"),
        change(7_410_600, "Removed"),
    ]
}

/// Two rekeys and a reboot: four pairs of SAs, each seen by both kernels.
fn sas(suite: &str) -> Vec<SaSummary> {
    let lives = [(2_900, 3_240_500), (2_839_000, 6_440_000), (5_690_000, 7_203_900), (7_234_100, 7_410_600)];
    let mut sas = Vec::new();
    for (i, (added_ms, deleted_ms)) in (1..).zip(lives) {
        for machine in ["router", "customer"] {
            for (spi, source, destination) in [(0xc100_0000 + i, ROUTER, CUSTOMER), (0x4e00_0000 + i, CUSTOMER, ROUTER)]
            {
                let (suite, deleted_ms) = (suite.to_owned(), Some(deleted_ms));
                let packets = 20;
                sas.push(SaSummary {
                    machine: machine.into(),
                    spi,
                    source,
                    destination,
                    suite,
                    added_ms,
                    deleted_ms,
                    packets,
                    bytes: 1680,
                });
            }
        }
    }
    sas
}

fn account(encryption: Encryption, clean: bool) -> Account {
    let point = |name: &str, side, classes: &[(&str, u64)]| PointAccount {
        name: name.into(),
        side,
        classes: classes.iter().map(|(class, count)| (class.to_string(), *count)).collect::<BTreeMap<_, _>>(),
    };
    let clear = if clean { 0 } else { 3 };
    let points = vec![
        point(
            "internet",
            Side::Internet,
            &[("esp", 80 - clear), ("isakmp", 1_184), ("arp", 8), ("marker", 1), ("clear-text", clear)],
        ),
        point("main.web", Side::Local, &[("probe", 40), ("arp", 4), ("marker", 1)]),
        point("main.app", Side::Local, &[("probe", 40), ("arp", 4), ("marker", 1)]),
        point("branch", Side::Remote, &[("probe", 80), ("arp", 4), ("marker", 1)]),
    ];
    let flow = |exchange, source, destination, lost| FlowAccount {
        exchange,
        source,
        destination,
        sent: 20,
        protected: 20 - lost,
        received: 20,
        first_sent_ns: 0,
        last_sent_ns: 0,
        losses: Vec::new(),
    };
    let sa = |spi, source, destination, packets: u64| SaAccount {
        spi,
        source,
        destination,
        encryption,
        integrity: Hash::Sha1,
        packets,
        inner_bytes: packets * 84,
        verified: packets,
        first_sequence: 1,
        last_sequence: packets as u32,
        first_frame: 12,
        first_seen_ns: 1_772_546_712_000_000_000,
        last_seen_ns: 1_772_546_712_780_000_000,
        encapsulated: 0,
        added_ns: None,
        deleted_ns: None,
    };
    let probe = |sequence| Probe { exchange: 1, source: WEB, destination: BRANCH, sequence };
    let in_clear = |sequence, frame| {
        Code::ClearText.finding([frame], format!("{} in clear between {WEB} and {BRANCH}", probe(sequence)))
    };
    let unprotected = |sequence| {
        Code::ProbeNotProtected.finding([], format!("{} was not seen in ESP on the internet", probe(sequence)))
    };
    Account {
        frames: points.iter().flat_map(|point| point.classes.values()).sum(),
        points,
        path_mtus: Vec::new(),
        flows: vec![
            flow(1, WEB, BRANCH, clear),
            flow(1, BRANCH, WEB, 0),
            flow(2, APP, BRANCH, 0),
            flow(2, BRANCH, APP, 0),
            // After the tunnel was taken down: nothing of it may be seen in clear.
            FlowAccount { exchange: 3, source: WEB, destination: BRANCH, sent: 5, protected: 0, received: 0, first_sent_ns: 0, last_sent_ns: 0, losses: Vec::new() },
        ],
        sas: vec![
            sa(0xc100_0001, ROUTER, CUSTOMER, 20 - clear),
            sa(0x4e00_0001, CUSTOMER, ROUTER, 20),
            sa(0xc100_0004, ROUTER, CUSTOMER, 20),
            sa(0x4e00_0004, CUSTOMER, ROUTER, 20),
        ],
        rekeys: [(ROUTER, CUSTOMER, 0xc100_0000), (CUSTOMER, ROUTER, 0x4e00_0000)]
            .map(|(source, destination, spi)| Rekey {
                source,
                destination,
                selectors: ["10.10.0.0/16".into(), "172.16.10.0/24".into()],
                spis: [spi + 1, spi + 4],
                frame: 1_298,
                overlap_ns: 1_250_000_000,
                late_packets: 3,
            })
            .into(),
        negotiations: vec![Negotiation {
            initiator: ROUTER,
            responder: CUSTOMER,
            cookies: ["7d2f01aa93c4be10".into(), "e1904c5577d0a3f2".into()],
            version: policy::Version::V1,
            exchange: "main mode".into(),
            answer_frame: Some(7),
            chosen: Some(ChosenTransform {
                encryption: Some(encryption),
                hash: Some(Hash::Sha1),
                group: Some(Group::Modp1536),
                pre_shared_key: true,
                lifetime_seconds: Some(86_400),
                text: "Encryption AES-CBC, key length 128, hash SHA, group 5, authentication pre-shared key, life 86400 seconds".into(),
            }),
            offered: 1,
            vendor_ids: vec!["Dead Peer Detection v1.0 (RFC 3706)".into(), "RFC 3947 NAT-T".into(), "strongSwan".into()],
            secrecy: Secrecy::Decrypted,
            identities: [Some(ROUTER.to_string()), Some(CUSTOMER.to_string())],
            quick_modes: vec![conversation::quick_mode(encryption)],
            dpd: [586, 586],
            authenticated: 1_180,
        }],
        messages: conversation::messages(encryption),
        left_out: LeftOut::default(),
        encryption_keys: Vec::new(),
        findings: if clean {
            Vec::new()
        } else {
            vec![
                in_clear(5, 1_204),
                in_clear(6, 1_206),
                in_clear(7, 1_208),
                unprotected(5),
                unprotected(6),
                unprotected(7),
            ]
        },
    }
}

fn evidence(id: &str) -> Evidence {
    let file = |name: &str| format!("cells/{id}/{name}");
    Evidence {
        capture: Some(file("capture.pcapng")),
        keys: Some(file("keys")),
        events: Some(file("events.jsonl")),
        api: Some(file("api.jsonl")),
        logs: vec![file("logs/router-main/pluto.log"), file("logs/gateway-branch/charon.log")],
    }
}
