//! What each step and each expectation of a file becomes.

use super::{QUICKSTART, read};
use crate::{
    Alert, Condition, ConnectionState, Expectation, Step,
    fault::{Action, Exchange, Impairment, LinkChange, Share, Side, Surgery, Victim, Way},
};

const CONNECT: &str = "connect: { vpc: main, customer: branch }";
const STREAM: &str = "exchange: { between: [main, branch], every: 1s }";

/// The quickstart with these steps.
pub(super) fn with_steps(steps: &[&str]) -> String {
    let steps: String = steps.iter().map(|step| format!("  - {step}\n")).collect();
    format!("{}\nsteps:\n{steps}", QUICKSTART.split_once("\nsteps:").unwrap().0)
}

fn steps(steps: &[&str]) -> Vec<Step> {
    let text = with_steps(steps);
    let cell = read(&text).cells().remove(0);
    let json = serde_json::to_string(&cell).unwrap();
    assert_eq!(serde_json::from_str::<crate::Cell>(&json).unwrap(), cell, "it survives JSON");
    cell.steps
}

/// The last of these steps.
fn last(before: &[&str]) -> Step {
    steps(before).pop().unwrap()
}

fn surgery(action: Action, exchange: Exchange, number: u8) -> Step {
    Step::Message(Surgery { action, exchange, number, from: None, times: 1 })
}

#[test]
fn a_stream_is_an_exchange_with_a_period() {
    assert_eq!(last(&[CONNECT, STREAM]).to_string(), "exchange a packet each way every 1s between main and branch");
    assert!(matches!(last(&[CONNECT, STREAM]), Step::Stream { every, .. } if every.as_secs() == 1));
}

#[test]
fn machines_and_daemons() {
    let main = || "main".to_owned();
    assert_eq!(
        steps(&[
            "stop-router: main",
            "start-router: main",
            "restart-vpc: main",
            "restart-vpc: { vpc: main, cleanup: true }",
            "kill: { daemon: main }",
            "restart: { daemon: main }",
            "kill: service",
            "restart: service",
            "kill: { service: createVpnConnection }",
            "power-off: branch",
            "power-on: branch",
            "clock: { of: branch, ahead: 5m }",
        ]),
        [
            Step::StopRouter(main()),
            Step::StartRouter(main()),
            Step::RestartVpc { vpc: main(), cleanup: false },
            Step::RestartVpc { vpc: main(), cleanup: true },
            Step::Kill(Victim::Daemon(main())),
            Step::Restart(Victim::Daemon(main())),
            Step::Kill(Victim::Service),
            Step::Restart(Victim::Service),
            Step::KillDuring("createVpnConnection".to_owned()),
            Step::PowerOff("branch".to_owned()),
            Step::PowerOn("branch".to_owned()),
            Step::Clock { of: "branch".to_owned(), ahead: std::time::Duration::from_secs(300) },
        ],
    );
}

#[test]
fn a_machine_that_starts_again_has_its_daemon_again() {
    for again in [["power-off: branch", "power-on: branch"], ["stop-router: main", "start-router: main"]] {
        let of = again[0].rsplit(' ').next().unwrap();
        let kill = format!("kill: {{ daemon: {of} }}");
        steps(&[&kill, again[0], again[1], &kill]);
    }
    steps(&["kill: { daemon: main }", "reboot-router: main", "kill: { daemon: main }"]);
    steps(&["kill: { daemon: main }", "restart-vpc: { vpc: main, cleanup: true }", "kill: { daemon: main }"]);
    steps(&["stop-router: main", "restart-vpc: main", "reboot-router: main"]);
}

#[test]
fn connections_are_reset_and_given_other_settings() {
    let to = "{ psk: \"456456\", esp: aes256-sha1, dpd: false, peer: 198.51.100.250 }";
    let changes = [
        format!("change: {{ customer: branch, cloud: {to} }}"),
        format!("change: {{ customer: branch, gateway: {to} }}"),
    ];
    let read = steps(&[CONNECT, "reset: { vpc: main, customer: branch }", &changes[0], &changes[1]]);
    assert_eq!(read[1].to_string(), "reset main -> branch");
    assert_eq!(read[2].to_string(), "change esp, dpd, psk, peer of branch in the cloud");
    assert_eq!(read[3].to_string(), "change esp, dpd, psk, peer on the gateway of branch");
    let Step::Change { side: Side::Cloud, to, .. } = &read[2] else { panic!("{:?}", read[2]) };
    assert_eq!((to.psk.as_ref().unwrap().expose(), to.dpd, to.ike.is_none()), ("456456", Some(false), true));
    assert!(!format!("{read:?}").contains("456456"), "keys print as stars");
}

#[test]
fn links() {
    let change = |keys: &str| match last(&[&format!("link: {{ of: main, {keys} }}")]) {
        Step::Link { of, change } if of == "main" => change,
        step => panic!("{step:?}"),
    };
    assert_eq!(change("state: down"), LinkChange::Down);
    assert_eq!(change("mtu: 1280"), LinkChange::Mtu { bytes: 1_280, told: true });
    assert_eq!(change("mtu: 1280, told: false"), LinkChange::Mtu { bytes: 1_280, told: false });
    let of = |hundredths| Share::new(hundredths).unwrap();
    let all =
        "loss: 1%, duplicate: 0.5%, corrupt: 0.05%, reorder: 12.25%, delay: 2s, jitter: 20ms, rate: 512kbit, way: in";
    let impairment = Impairment {
        loss: of(100),
        duplicate: of(50),
        corrupt: of(5),
        reorder: of(1_225),
        delay_ms: 2_000,
        jitter_ms: 20,
        rate_kbit: Some(512),
    };
    assert_eq!(change(all), LinkChange::Impaired { way: Way::In, impairment });
    let rate = Impairment { rate_kbit: Some(10_000), ..Impairment::default() };
    assert_eq!(change("rate: 10mbit"), LinkChange::Impaired { way: Way::Both, impairment: rate });
    let again = ["link: { of: branch, state: down }", "link: { of: branch, state: up }"];
    assert_eq!(steps(&[again, again].concat()).len(), 4);
}

#[test]
fn a_partition_has_the_vpc_first() {
    let read = last(&[CONNECT, "partition: { between: [branch, main], for: 10m }"]);
    assert_eq!(read.to_string(), "partition between main and branch for 10m");
    assert!(read.needs_virtual_time());
}

#[test]
fn work_on_messages() {
    let message = |work: &str| last(&[&format!("message: {{ {work} }}")]);
    let (five, ten) = (std::time::Duration::from_secs(5), std::time::Duration::from_secs(10));
    let cases = [
        ("drop: { exchange: quick-mode, number: 2 }", surgery(Action::Drop, Exchange::QuickMode, 2)),
        ("delay: { exchange: main-mode, number: 3, by: 5s }", surgery(Action::Delay(five), Exchange::MainMode, 3)),
        ("duplicate: { exchange: ike-auth, number: 1 }", surgery(Action::Duplicate, Exchange::IkeAuth, 1)),
        (
            "replay: { exchange: ike-sa-init, number: 1, after: 10s }",
            surgery(Action::Replay(ten), Exchange::IkeSaInit, 1),
        ),
        (
            "truncate: { exchange: informational, number: 1, bytes: 40 }",
            surgery(Action::Truncate(40), Exchange::Informational, 1),
        ),
    ];
    for (work, expected) in cases {
        assert_eq!(message(work), expected);
    }
    let from = Surgery {
        action: Action::Drop,
        exchange: Exchange::CreateChildSa,
        number: 1,
        from: Some(Side::Customer),
        times: 3,
    };
    assert_eq!(
        message("drop: { exchange: create-child-sa, number: 1, from: customer, times: 3 }"),
        Step::Message(from)
    );
}

#[test]
fn expectations_about_time() {
    let expected = |keys: &str| match last(&[CONNECT, STREAM, &format!("expect: {{ {keys} }}")]) {
        Step::Expect(expectation) => expectation,
        step => panic!("{step:?}"),
    };
    let cases = [
        ("sas: none, on: branch, within: 150s", "no SAs on branch within 150s"),
        ("sas: some, on: main, within: 60s", "SAs on main within 60s"),
        ("traffic: flowing, within: 60s", "traffic flowing within 60s"),
        ("traffic: stopped, within: 60s", "traffic stopped within 60s"),
        ("connection: Connected, of: branch, within: 60s", "branch Connected within 60s"),
        (
            "alert: { from: Connected, to: Disconnected }, within: 60s",
            "alert from Connected to Disconnected within 60s",
        ),
        ("always: { connection: Connected }, for: 10m", "always Connected for 10m"),
        ("never: { connection: Error, of: branch }, for: 10m", "never branch Error for 10m"),
        ("never: { sas: some, on: main }, for: 10m", "never SAs on main for 10m"),
        (
            "connection: Disconnected, until: { connection: Connected }, within: 3m",
            "Disconnected until Connected, within 3m",
        ),
        (
            "traffic: stopped, until: { sas: some, on: main }, within: 3m",
            "traffic stopped until SAs on main, within 3m",
        ),
        ("lost: 0", "at most 0 packets lost"),
        ("lost: 20, gap: 30s", "at most 20 packets lost, no gap longer than 30s"),
        ("rekeys: { esp: 24, ike: 1 }", "at least 1 rekeys of IKE and 24 of ESP"),
        ("rekeys: { esp: 2 }", "at least 0 rekeys of IKE and 2 of ESP"),
    ];
    for (keys, shown) in cases {
        assert_eq!(expected(keys).to_string(), shown, "{keys}");
    }
    let of_all = expected("connection: Connected, within: 60s");
    assert!(matches!(of_all, Expectation::Connection { state: ConnectionState::Connected, .. }));
    let alert = expected("alert: none, within: 60s");
    assert!(matches!(alert, Expectation::Within { condition: Condition::Alert(Alert::None), .. }));
}

/// The time is the other's where an alert stands beside what takes time, as it was before alerts could take time.
#[test]
fn several_expectations_of_one_step_each_have_the_time() {
    let all =
        "expect: { traffic: none-in-clear, alert: none, sas: some, on: main, connection: Connected, within: 60s }";
    let read: Vec<_> = steps(&[CONNECT, all]).iter().skip(1).map(Step::to_string).collect();
    let expected = ["Connected within 60s", "SAs on main within 60s", "no alert", "traffic none-in-clear"];
    assert_eq!(read, expected.map(|expectation| format!("expect {expectation}")));
}

/// What was lost is asked after a stream as well.
#[test]
fn a_stream_ends_with_its_connection() {
    steps(&[CONNECT, STREAM, "disconnect: { vpc: main, customer: branch }", "expect: { lost: 3 }"]);
}

#[test]
fn the_examples_of_the_documentation_are_read() {
    let text = include_str!("../../../../docs/scenarios.md");
    let mut examples = 0;
    for block in text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        if block.starts_with("scenario:") {
            read(block);
        } else {
            let lines: Vec<_> = block.lines().map(|line| line.trim_start_matches("  - ")).collect();
            examples += steps(&[&[CONNECT], lines.as_slice()].concat()).len() - 1;
        }
    }
    for example in text.split('`').filter(|piece| piece.starts_with("expect: {") && piece.ends_with('}')) {
        examples += steps(&[CONNECT, STREAM, example]).len() - 2;
    }
    assert!(examples >= 30, "{examples} examples");
}
