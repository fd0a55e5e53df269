//! Every check can fail: evidence of a tunnel that is as it should be, and one defect at a time in it.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddrV4};

use policy::{Encryption, Group, Hash, Version};
use wire::audit::{
    ChosenChild, ChosenTransform, Code, Expected, FlowAccount, IkeMessage, Negotiation, PayloadShown, Pfs,
    PointAccount, ProbeSent, QuickMode, SaAccount, SaKeys, Sealed, Secrecy, Side,
};

use super::*;
use crate::{
    observation::{Answer, Usage},
    record::{SaSummary, StateChange, StepRecord},
};

const ROUTER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
const CUSTOMER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
const GUEST: Ipv4Addr = Ipv4Addr::new(10, 10, 1, 10);
const HOST: Ipv4Addr = Ipv4Addr::new(172, 16, 10, 10);

const SCENARIO: &str = "
scenario: one tunnel
cloud: { vpcs: { main: { cidr: 10.10.0.0/16, tiers: { web: 10.10.1.0/24 } } } }
customers: { branch: { subnets: [172.16.10.0/24], psk: '123123' } }
policy: { ike: 3des-md5;modp1536, esp: 3des-md5, dpd: true }
steps:
  - connect: { vpc: main, customer: branch }
  - expect: { connection: Connected, within: 60s }
  - exchange: { between: [main, branch], packets: 1 }
  - hold: 1h
  - disconnect: { vpc: main, customer: branch }
";

/// Everything that is judged, owned.
struct Case {
    cell: Cell,
    prediction: Prediction,
    observation: Observation,
    facts: Facts,
    account: Account,
}

impl Case {
    /// Two generations of SAs, and a probe each way.
    fn right() -> Self {
        Self::of(SCENARIO)
    }

    /// The same in CloudStack 4.22, where version 2 of IKE is spoken.
    fn right_in_4_22() -> Self {
        let mut case = Self::of(&SCENARIO.replace("vpcs:", "profile: 4.22, vpcs:"));
        let states = &mut case.observation.states;
        let before = StateChange { state: "Connecting".into(), ..states[0].clone() };
        states.insert(0, before);
        let negotiation = &mut case.account.negotiations[0];
        (negotiation.version, negotiation.exchange) = (Version::V2, "IKE_SA_INIT".into());
        negotiation.vendor_ids.clear();
        negotiation.quick_modes.clear();
        let chosen = negotiation.chosen.as_mut().unwrap();
        (chosen.pre_shared_key, chosen.lifetime_seconds) = (false, None);
        case
    }

    fn of(scenario: &str) -> Self {
        let cell = scenario::parse("one.yaml", scenario).unwrap().cells().remove(0);
        let mut case = Self {
            prediction: predict(&cell),
            observation: Observation::default(),
            facts: Facts::default(),
            account: Account::default(),
            cell,
        };
        for number in 0..case.cell.steps.len() + 2 {
            let (text, outcome) = (format!("step {number}"), "done".to_owned());
            case.observation.steps.push(StepRecord { text, outcome, status: StepStatus::Done, begin_ms: 0, end_ms: 0 });
        }
        for state in ["Connected", "deleted"] {
            let (connection, state) = ("main -> branch".to_owned(), state.to_owned());
            case.observation.states.push(StateChange { at_ms: 0, connection, state });
        }
        for (generation, packets) in [(1, 1), (2, 0)] {
            case.sa(generation, ROUTER, CUSTOMER, packets);
            case.sa(generation + 10, CUSTOMER, ROUTER, packets);
        }
        let usage = Usage { router: ROUTER, customer: CUSTOMER, sent_bytes: 92, received_bytes: 92 };
        case.observation.usage.push(usage);
        let (command, field) = ("createVpnCustomerGateway".into(), "cidrlist".into());
        let (asked, told) = ("172.16.10.0/24,172.16.11.0/24".into(), "172.16.11.0/24, 172.16.10.0/24".into());
        case.observation.answers.push(Answer { command, field, asked, told });
        case.flow(GUEST, HOST);
        case.flow(HOST, GUEST);
        case.account.negotiations.push(negotiation());
        case.observation.routers = vec![ROUTER];
        case.account.messages.push(message(1, ROUTER, "main mode", 1, None));
        let classes = [("esp".to_owned(), 2), ("isakmp".to_owned(), 9)].into();
        case.account.points.push(PointAccount { name: "internet".into(), side: Side::Internet, classes });
        case.account.frames = 11;
        case
    }

    fn sa(&mut self, spi: u32, source: Ipv4Addr, destination: Ipv4Addr, packets: u64) {
        for machine in ["router-main", "gateway-branch"] {
            self.observation.sas.push(SaSummary {
                machine: machine.into(),
                spi,
                source,
                destination,
                suite: "3des-md5".into(),
                added_ms: 0,
                deleted_ms: Some(3_000_000),
                packets,
                bytes: 92 * packets,
            });
        }
        let (encryption, integrity) = (Encryption::TripleDes, Hash::Md5);
        let (encryption_key, integrity_key) = ("00".repeat(24), "00".repeat(16));
        self.facts.sas.push(SaKeys {
            spi,
            source,
            destination,
            encryption,
            encryption_key,
            integrity,
            integrity_key,
            added_ns: None,
            deleted_ns: None,
        });
        if packets > 0 {
            self.account.sas.push(SaAccount {
                spi,
                source,
                destination,
                encryption,
                integrity,
                packets,
                inner_bytes: 92 * packets,
                verified: packets,
                first_sequence: 1,
                last_sequence: 1,
                first_frame: 0,
                first_seen_ns: 0,
                last_seen_ns: 0,
                encapsulated: 0,
                added_ns: None,
                deleted_ns: None,
            });
        }
    }

    fn flow(&mut self, source: Ipv4Addr, destination: Ipv4Addr) {
        let expected = Expected::Delivered;
        self.facts.probes.push(ProbeSent { exchange: 1, source, destination, sequence: 1, expected, asked_ns: None });
        let flow = FlowAccount {
            exchange: 1,
            source,
            destination,
            sent: 1,
            protected: 1,
            received: 1,
            first_sent_ns: 0,
            last_sent_ns: 0,
            losses: Vec::new(),
        };
        self.account.flows.push(flow);
    }

    fn judged(&self) -> Judgement {
        let Self { cell, prediction, observation, facts, account } = self;
        judge(&Evidence { cell, prediction, observation, facts, account })
    }
}

fn negotiation() -> Negotiation {
    Negotiation {
        initiator: ROUTER,
        responder: CUSTOMER,
        cookies: ["01".repeat(8), "02".repeat(8)],
        version: Version::V1,
        exchange: "main mode".into(),
        answer_frame: Some(2),
        chosen: Some(ChosenTransform {
            encryption: Some(Encryption::TripleDes),
            hash: Some(Hash::Md5),
            group: Some(Group::Modp1536),
            pre_shared_key: true,
            lifetime_seconds: Some(86_400),
            text: "3DES-CBC".into(),
        }),
        offered: 1,
        vendor_ids: vec!["DPD (RFC 3706)".into()],
        secrecy: Secrecy::Decrypted,
        identities: [Some(ROUTER.to_string()), Some(CUSTOMER.to_string())],
        quick_modes: vec![quick_mode()],
        dpd: [0; 2],
        authenticated: 4,
    }
}

/// A message that says this, if it says anything; without a word of its payloads if it is `closed`.
fn message(frame: u64, source: Ipv4Addr, exchange: &str, ordinal: u32, said: Option<&str>) -> IkeMessage {
    let version = if exchange.starts_with(char::is_uppercase) { Version::V2 } else { Version::V1 };
    let destination = if source == ROUTER { CUSTOMER } else { ROUTER };
    let payload = |name: &str| PayloadShown { name: "N".into(), details: vec![name.into()] };
    IkeMessage {
        frame,
        time_ns: frame,
        source: SocketAddrV4::new(source, 500),
        destination: SocketAddrV4::new(destination, 500),
        cookies: ["01".repeat(8), "02".repeat(8)],
        version,
        exchange: exchange.into(),
        message_id: 0,
        length: 92,
        ordinal,
        pieces: Vec::new(),
        sealed: if said == Some("closed") { Sealed::Closed } else { Sealed::Clear },
        payloads: said.filter(|said| *said != "closed").map(payload).into_iter().collect(),
        retransmissions: 0,
        repeats: 0,
        last_frame: None,
    }
}

fn quick_mode() -> QuickMode {
    QuickMode {
        message_id: 7,
        initiator: ROUTER,
        frames: vec![7, 8, 9],
        chosen: Some(ChosenChild {
            encryption: Some(Encryption::TripleDes),
            integrity: Some(Hash::Md5),
            group: None,
            lifetime_seconds: Some(3_600),
            lifetime_kilobytes: None,
            text: "3DES".into(),
        }),
        pfs: Pfs::None,
        selectors: Some(["10.10.0.0/16".into(), "172.16.10.0/24".into()]),
        spis: [Some(11), Some(1)],
        keys_match: Some(true),
    }
}

#[test]
fn a_tunnel_that_is_as_it_should_be_is_proven() {
    let judgement = Case::right().judged();
    assert_eq!(judgement.verdict, Verdict::Proven, "{}", judgement.reason);
    assert_eq!(judgement.checks.len(), 18);
    let negotiated = judgement.negotiated.unwrap();
    assert_eq!((negotiated.ike.as_str(), negotiated.esp.as_str()), ("3des-md5;modp1536", "3des-md5"));
}

fn mode(case: &mut Case) -> &mut QuickMode {
    &mut case.account.negotiations[0].quick_modes[0]
}

/// Without keys the group is told by the lengths of messages alone, and the verdict says so.
#[test]
fn a_quick_mode_that_stays_closed_is_judged_by_its_length() {
    let mut case = Case::right();
    let reason = "no key was given".to_owned();
    case.account.negotiations[0].secrecy = Secrecy::NotDecrypted { reason };
    let closed = QuickMode { chosen: None, pfs: Pfs::Inferred { group: None }, keys_match: None, ..quick_mode() };
    case.account.negotiations[0].quick_modes = vec![closed];
    let judgement = case.judged();
    assert_eq!(judgement.verdict, Verdict::Proven, "{}", judgement.reason);
    let check = judgement.checks.iter().find(|check| check.code == "phase-2").unwrap();
    assert!(check.observed.contains("no key was given") && check.frames == [7], "{check:?}");
}

#[test]
fn each_defect_refutes_by_the_check_that_is_there_for_it() {
    type Plant = fn(&mut Case);
    let defects: [(&str, Plant); 29] = [
        ("encapsulation", |case| case.account.sas[0].encapsulated = 1),
        ("steps", |case| case.observation.steps[3].status = StepStatus::Failed),
        ("steps", |case| drop(case.observation.steps.pop())),
        ("prediction", |case| case.facts.sas.clear()),
        ("initiator", |case| case.account.messages[0].source = SocketAddrV4::new(CUSTOMER, 500)),
        ("api-state", |case| case.observation.states[0].state = "Error".into()),
        ("api-state", |case| case.observation.states.clear()),
        ("api-answers", |case| case.observation.answers[0].told = "172.16.10.0/24".into()),
        ("phase-1", |case| case.account.negotiations[0].exchange = "aggressive mode".into()),
        ("phase-1", |case| case.account.negotiations[0].chosen.as_mut().unwrap().group = Some(Group::Modp1024)),
        ("phase-1", |case| case.account.negotiations[0].chosen.as_mut().unwrap().lifetime_seconds = Some(3_600)),
        ("phase-1", |case| case.account.negotiations.clear()),
        ("phase-2", |case| mode(case).pfs = Pfs::Seen { group: Some(Group::Modp1024) }),
        ("phase-2", |case| mode(case).pfs = Pfs::Inferred { group: Some(Group::Modp1536) }),
        ("phase-2", |case| mode(case).chosen.as_mut().unwrap().integrity = Some(Hash::Sha1)),
        ("phase-2", |case| mode(case).chosen.as_mut().unwrap().lifetime_seconds = Some(28_800)),
        ("phase-2", |case| case.account.negotiations[0].quick_modes.clear()),
        ("phase-2-keys", |case| mode(case).keys_match = Some(false)),
        ("dpd-announced", |case| case.account.negotiations[0].vendor_ids.clear()),
        ("sa-matches-policy", |case| case.observation.sas[0].suite = "aes128-md5".into()),
        ("sa-matches-policy", |case| case.observation.strange_sas.push("an AH SA".into())),
        ("sas-watched", |case| case.observation.gaps.push("notifications were lost".into())),
        ("sas-watched", |case| drop(case.observation.sas.pop())),
        ("rekeyed", |case| case.observation.sas[0].deleted_ms = Some(3_700_000)),
        ("kernel-counters", |case| case.observation.sas[0].packets += 1),
        ("usage", |case| case.observation.usage[0].sent_bytes += 1),
        ("probes", |case| case.account.flows[1].received = 0),
        ("clear-text", |case| {
            case.account.findings.push(Code::ClearText.finding([7], "in clear"));
        }),
        ("nothing-left-over", |case| case.account.frames += 1),
    ];
    for (code, plant) in defects {
        let mut case = Case::right();
        plant(&mut case);
        let judgement = case.judged();
        let failed: Vec<_> = judgement.checks.iter().filter(|check| !check.holds).map(|check| &check.code).collect();
        assert_eq!(judgement.verdict, Verdict::Refuted, "{code}");
        assert!(failed.iter().any(|failed| *failed == code), "{code}: {failed:?}");
    }
}

#[test]
fn a_tunnel_of_4_22_is_proven_by_its_first_exchange_and_passes_through_connecting() {
    let judgement = Case::right_in_4_22().judged();
    assert_eq!(judgement.verdict, Verdict::Proven, "{}", judgement.reason);
    assert!(judgement.checks.iter().all(|check| check.code != "dpd-announced"));
    type Plant = fn(&mut Case);
    let defects: [(&str, Plant); 4] = [
        ("phase-1", |case| case.account.negotiations[0].version = Version::V1),
        ("phase-1", |case| case.account.negotiations[0].chosen.as_mut().unwrap().hash = Some(Hash::Sha256)),
        ("phase-1", |case| case.account.negotiations[0].chosen = None),
        ("api-state", |case| case.observation.states[2].state = "Disconnected".into()),
    ];
    for (code, plant) in defects {
        let mut case = Case::right_in_4_22();
        plant(&mut case);
        let judgement = case.judged();
        assert!(
            judgement.checks.iter().any(|check| !check.holds && check.code == code),
            "{code}: {}",
            judgement.reason
        );
    }
    let mut case = Case::right();
    case.account.negotiations[0].version = Version::V2;
    assert_eq!(case.judged().verdict, Verdict::Refuted, "version 2 where only version 1 is spoken");
}

#[test]
fn a_monitor_that_looked_before_the_tunnel_was_up_is_no_loss_of_it() {
    let insert = |case: &mut Case, at: usize| {
        let early = StateChange { state: "Disconnected".into(), ..case.observation.states[0].clone() };
        case.observation.states.insert(at, early);
    };
    let mut case = Case::right_in_4_22();
    insert(&mut case, 1);
    assert_eq!(case.judged().verdict, Verdict::Proven);
    insert(&mut case, 3);
    assert_eq!(case.judged().verdict, Verdict::Refuted);
    // In 2012 a connection that begins is Connected at once.
    let mut case = Case::right();
    insert(&mut case, 0);
    assert_eq!(case.judged().verdict, Verdict::Refuted);
}

#[test]
fn an_sa_that_the_kernel_deleted_a_second_late_was_not_held_too_long() {
    let mut case = Case::right();
    case.observation.sas[0].deleted_ms = Some(3_601_900);
    assert_eq!(case.judged().verdict, Verdict::Proven);
    case.observation.sas[0].deleted_ms = Some(3_602_000);
    assert_eq!(case.judged().verdict, Verdict::Refuted);
}

#[test]
fn a_laboratory_that_failed_says_nothing_of_the_tunnel() {
    let mut case = Case::right();
    case.observation.broken = Some("pluto did not start".into());
    case.observation.steps[0].status = StepStatus::Failed;
    let judgement = case.judged();
    assert_eq!((judgement.verdict, judgement.reason.as_str()), (Verdict::Broken, "pluto did not start"));
}

#[test]
fn without_packets_what_holds_is_skipped_and_says_what_was_not_run() {
    let mut case = Case::right();
    for number in [3, 4] {
        let step = &mut case.observation.steps[number];
        (step.status, step.text) = (StepStatus::Skipped, case.cell.steps[number - 1].to_string());
    }
    let judged = |case: &Case| judge_control(&case.cell, &case.observation, "no packets");
    let judgement = judged(&case);
    assert_eq!(judgement.verdict, Verdict::Skipped);
    assert_eq!(judgement.reason, "no packets: 6 API checks passed; exchange and hold were not run");
    assert_eq!(judgement.checks[0].observed, "5 did, 2 could not be taken");

    case.observation.answers[0].told = "10.0.0.0/8".into();
    let judgement = judged(&case);
    assert_eq!(judgement.verdict, Verdict::Refuted);
    assert!(judgement.reason.contains("`cidrlist` is 10.0.0.0/8, not 172.16.10.0/24"), "{}", judgement.reason);
}

#[test]
fn a_state_that_nobody_could_wait_for_is_not_missed() {
    let mut case = Case::right();
    case.observation.steps[2].status = StepStatus::Skipped;
    case.observation.states[0].state = "Error".into();
    let judgement = judge_control(&case.cell, &case.observation, "no packets");
    assert_eq!(judgement.verdict, Verdict::Skipped, "{}", judgement.reason);
    assert!(judgement.checks.iter().all(|check| check.code != "api-state"));
}

/// The customer's gateway has something otherwise, and no tunnel comes of it.
fn failing(profile: &str, own: &str, messages: &[(Ipv4Addr, &str, u32, Option<&str>)]) -> Case {
    let scenario = SCENARIO
        .replace("vpcs:", &format!("profile: {profile}, vpcs:"))
        .replace("psk: '123123'", &format!("psk: '123123', gateway: {{ {own} }}"))
        .replace("connection: Connected", "connection: Error")
        .replace("  - exchange: { between: [main, branch], packets: 1 }\n", "");
    let mut case = Case::of(&scenario);
    case.observation.sas.clear();
    case.observation.states[0].state = "Error".into();
    case.observation.usage.clear();
    case.facts.sas.clear();
    case.facts.probes.clear();
    case.account.negotiations.clear();
    case.account.flows.clear();
    case.account.sas.clear();
    let numbered = (1..).zip(messages);
    case.account.messages = numbered
        .map(|(frame, (source, exchange, ordinal, said))| message(frame, *source, exchange, *ordinal, *said))
        .collect();
    case
}

fn of_failure(case: &Case) -> Check {
    case.judged().checks.into_iter().find(|check| check.code == "failure").unwrap()
}

const REFUSED: [(Ipv4Addr, &str, u32, Option<&str>); 4] = [
    (ROUTER, "main mode", 1, None),
    (CUSTOMER, "main mode", 6, None),
    (ROUTER, "quick mode", 1, None),
    (CUSTOMER, "informational", 1, Some("NO-PROPOSAL-CHOSEN")),
];

#[test]
fn what_fails_exactly_as_predicted_is_proven() {
    let case = failing("spec-2012", "esp: 3des-sha1", &REFUSED);
    let judgement = case.judged();
    assert_eq!(judgement.verdict, Verdict::Proven, "{}", judgement.reason);
    let check = of_failure(&case);
    assert_eq!(check.observed, "quick mode up to message 1; NO-PROPOSAL-CHOSEN in frame 4");
    assert_eq!(check.frames, [3]);
    assert!(judgement.reason.contains("it fails in quick mode after message 1, the customer gateway says"));
}

#[test]
fn what_fails_otherwise_than_predicted_is_refuted() {
    type Plant = fn(&mut Vec<IkeMessage>);
    let defects: [Plant; 5] = [
        |messages| drop(messages.pop()),
        |messages| messages[3].payloads[0].details[0] = "INVALID-ID-INFORMATION".into(),
        |messages| messages[3].source = SocketAddrV4::new(ROUTER, 500),
        |messages| messages[2].ordinal = 2,
        |messages| drop(messages.remove(2)),
    ];
    for (number, plant) in defects.into_iter().enumerate() {
        let mut case = failing("spec-2012", "esp: 3des-sha1", &REFUSED);
        plant(&mut case.account.messages);
        assert_eq!(case.judged().verdict, Verdict::Refuted, "defect {number}");
        assert!(!of_failure(&case).holds, "defect {number}");
    }
    let mut case = failing("spec-2012", "esp: 3des-sha1", &REFUSED);
    case.sa(1, ROUTER, CUSTOMER, 0);
    assert_eq!(case.judged().verdict, Verdict::Refuted, "an SA was made after all");
}

/// Whoever was refused begins again, and may then hear something else: a router that has given up knows no peer.
#[test]
fn only_the_first_negotiation_is_compared() {
    let mut case = failing("spec-2012", "esp: 3des-sha1", &REFUSED);
    let mut again = message(5, CUSTOMER, "informational", 1, Some("INVALID-ID-INFORMATION"));
    again.cookies[0] = "03".repeat(8);
    case.account.messages.insert(1, again);
    assert_eq!(case.judged().verdict, Verdict::Proven);
}

#[test]
fn a_key_that_differs_is_told_in_a_message_that_nobody_can_open_or_not_at_all() {
    let begun = [(ROUTER, "main mode", 1, None), (ROUTER, "main mode", 5, None)];
    let told = [begun[0], begun[1], (CUSTOMER, "informational", 1, Some("closed"))];
    let own = |daemon: &str, messages: &[(Ipv4Addr, &str, u32, Option<&str>)]| {
        let mut case = failing("spec-2012", "psk: '1'", messages);
        case.cell.customers.values_mut().for_each(|customer| customer.daemon = daemon.parse().unwrap());
        case.prediction = predict(&case.cell);
        of_failure(&case)
    };
    assert!(own("strongswan", &told).holds && !own("strongswan", &begun).holds);
    assert!(own("libreswan", &begun).holds);
}

#[test]
fn a_tunnel_that_cannot_be_rekeyed_is_proven_by_the_rekey_that_fails() {
    let scenario = SCENARIO
        .replace("vpcs:", "profile: 4.22, vpcs:")
        .replace("psk: '123123'", "psk: '123123', gateway: { esp: 3des-md5;modp1024 }");
    let refused = [
        message(1, ROUTER, "IKE_SA_INIT", 1, None),
        message(2, CUSTOMER, "CREATE_CHILD_SA", 1, Some("closed")),
        message(3, ROUTER, "CREATE_CHILD_SA", 2, Some("closed")),
    ];
    let mut case = Case::of(&scenario);
    case.account.messages = refused.to_vec();
    // Two generations: it was rekeyed.
    assert!(!of_failure(&case).holds);
    case.observation.sas.retain(|sa| sa.spi % 10 == 1);
    let check = of_failure(&case);
    assert!(check.holds && check.observed.contains("the encrypted message in frame 3 stays closed"), "{check:?}");
    assert!(case.judged().checks.iter().all(|check| check.code != "rekeyed"));
    case.account.messages.pop();
    assert!(!of_failure(&case).holds);
}

#[test]
fn each_end_keeps_an_sa_for_as_long_as_its_own_lifetime() {
    let own = SCENARIO.replace("psk: '123123'", "psk: '123123', gateway: { esp-lifetime: 30m }");
    let rekeyed = |router: u64, gateway: u64| {
        let mut case = Case::of(&own);
        // Two rekeys of each.
        case.sa(3, ROUTER, CUSTOMER, 0);
        case.sa(13, CUSTOMER, ROUTER, 0);
        for sa in &mut case.observation.sas {
            let lived = if sa.machine == "router-main" { router } else { gateway };
            sa.deleted_ms = Some(1000 * lived);
        }
        case.judged().checks.into_iter().find(|check| check.code == "rekeyed").unwrap()
    };
    assert!(rekeyed(3_600, 1_800).holds, "{:?}", rekeyed(3_600, 1_800));
    assert!(!rekeyed(3_600, 1_900).holds);
    assert!(!rekeyed(3_700, 1_800).holds);
}
