//! The timeline: faults as bars, traffic with its gaps, readable and small whatever happened.
#![allow(clippy::unwrap_used, dead_code)]

mod sample;

use std::net::Ipv4Addr;

use runner::record::{CellRecord, Fault, Record};
use tunnelproof_report::render_html;
use wire::audit::{FlowAccount, Loss};

const BEGAN_NS: u64 = 1_772_546_711_000_000_000;
const WEB: Ipv4Addr = Ipv4Addr::new(10, 10, 1, 10);
const BRANCH: Ipv4Addr = Ipv4Addr::new(172, 16, 10, 10);

fn drawing(cell: CellRecord) -> String {
    let html = render_html(&Record { cells: vec![cell], ..sample::record() }).unwrap();
    let from = html.find("aria-label=\"Timeline of").unwrap();
    html[from..from + html[from..].find("</svg>").unwrap()].to_owned()
}

fn at(ms: u64) -> u64 {
    BEGAN_NS + ms * 1_000_000
}

fn loss(from_ms: u64, until_ms: Option<u64>, packets: u64) -> Loss {
    Loss { sequence: 1, packets, from_ns: at(from_ms), until_ns: until_ms.map(at) }
}

fn flow(first_ms: u64, last_ms: u64, received: u64, losses: Vec<Loss>) -> FlowAccount {
    FlowAccount {
        exchange: 1,
        source: WEB,
        destination: BRANCH,
        sent: received + losses.iter().map(|loss| loss.packets).sum::<u64>(),
        protected: received,
        received,
        first_sent_ns: at(first_ms),
        last_sent_ns: at(last_ms),
        losses,
    }
}

fn cell(faults: &[(u64, &str)], flows: Vec<FlowAccount>) -> CellRecord {
    let mut cell = sample::proven("libreswan", "strongSwan 5.9.14", "aes128");
    cell.began_ns = BEGAN_NS;
    cell.faults = faults.iter().map(|&(at_ms, text)| Fault { at_ms, text: text.into() }).collect();
    cell.account.as_mut().unwrap().flows = flows;
    cell
}

#[test]
fn what_one_event_began_and_another_ended_is_one_bar() {
    let faults = [
        (10_000, "partition between main and branch for 4m"),
        (20_000, "power-off of the gateway of branch"),
        (60_000, "kill the daemon of main"),
        (70_000, "restart the daemon of main"),
        (250_000, "the end of the partition between main and branch for 4m"),
        (300_000, "power-on of the gateway of branch"),
    ];
    let drawing = drawing(cell(&faults, Vec::new()));
    for title in [
        "partition between main and branch for 4m: 00:10.000 to 04:10.000",
        "power-off of the gateway of branch: 00:20.000 to 05:00.000",
        "kill the daemon of main: 01:00.000 to 01:10.000",
    ] {
        assert_eq!(drawing.matches(&format!("<title>{title}</title>")).count(), 1, "{title} in {drawing}");
    }
    assert!(drawing.contains(">Faults</text>") && !drawing.contains("power-on") && !drawing.contains("restart the"));
}

#[test]
fn a_link_that_changes_twice_has_two_bars_until_it_is_whole_again() {
    let faults = [
        (10_000, "link of branch has 300ms delay"),
        (20_000, "link of branch goes down"),
        (30_000, "link of branch is whole again"),
        (40_000, "link of branch goes down"),
    ];
    let drawing = drawing(cell(&faults, Vec::new()));
    assert_eq!(drawing.matches(">link of branch</text>").count(), 1, "one row: {drawing}");
    for title in [
        "link of branch has 300ms delay: 00:10.000 to 00:20.000",
        "link of branch goes down: 00:20.000 to 00:30.000",
        "link of branch goes down: 00:40.000 to the end",
    ] {
        assert!(drawing.contains(title), "{title} in {drawing}");
    }
}

#[test]
fn what_is_over_at_once_is_a_mark_and_so_is_an_end_without_a_beginning() {
    let faults = [(10_000, "drop message 1 of main-mode"), (20_000, "power-on of the gateway of branch")];
    let drawing = drawing(cell(&faults, Vec::new()));
    assert!(drawing.contains("<title>drop message 1 of main-mode at 00:10.000</title>"), "{drawing}");
    assert!(drawing.contains("<title>power-on of the gateway of branch at 00:20.000</title>"), "{drawing}");
}

#[test]
fn traffic_has_gaps_where_packets_were_lost_and_says_how_many_and_how_long() {
    let losses = vec![loss(60_000, Some(300_000), 240), loss(7_200_000, None, 30)];
    let drawing = drawing(cell(&[], vec![flow(4_000, 7_230_000, 6_956, losses)]));
    assert!(drawing.contains(">Traffic</text>") && drawing.contains(">10.10.1.10 \u{2192} 172.16.10.10</text>"));
    for title in [
        "exchange 1, 10.10.1.10 to 172.16.10.10, 00:04.000 to 2:00:30: 6,956 of 7,226 packets arrived, 2 gaps, the longest 240,000 ms",
        "240 packets lost in 240,000 ms, 01:00.000 to 05:00.000",
        "30 packets lost in 30,000 ms, 2:00:00 to 2:00:30",
    ] {
        assert!(drawing.contains(&format!("<title>{title}</title>")), "{title} in {drawing}");
    }
    assert_eq!(arrivals(&drawing), 2, "before the first gap and behind it");
}

#[test]
fn what_was_not_sent_one_by_one_has_no_row_and_neither_has_a_cell_whose_beginning_is_not_known() {
    let at_once = flow(4_000, 4_020, 20, Vec::new());
    let in_clear = FlowAccount { sent: 5, ..flow(4_000, 9_000, 0, Vec::new()) };
    assert!(!drawing(cell(&[], vec![at_once, in_clear])).contains("Traffic</text>"));
    let mut old = cell(&[], vec![flow(4_000, 90_000, 86, Vec::new())]);
    assert!(drawing(old.clone()).contains("0 to 01:30.000: 86 of 86 packets arrived, no gap</title>"));
    old.began_ns = 0;
    assert!(!drawing(old).contains("Traffic</text>"));
}

#[test]
fn a_day_with_thousands_of_gaps_and_faults_stays_small() {
    let without = drawing(cell(&[], Vec::new())).len();
    let losses: Vec<_> = (0..4_000).map(|n| loss(10_000 + n * 22_000, Some(11_000 + n * 22_000), 1)).collect();
    let flows = vec![flow(4_000, 90_000_000, 86_000, losses.clone()), flow(4_000, 90_000_000, 86_000, losses)];
    let down: Vec<_> = (0..500).map(|n| (10_000 + n * 180_000, "link of branch goes down")).collect();
    let up: Vec<_> = (0..500).map(|n| (20_000 + n * 180_000, "link of branch is whole again")).collect();
    let mut faults = [down, up].concat();
    faults.sort_unstable();
    let mut cell = cell(&faults, flows);
    cell.virtual_ms = 90_000_000;
    let drawing = drawing(cell);
    assert!(drawing.len() - without < 80_000, "{} bytes more than {without}", drawing.len() - without);
    assert!(drawing.matches("class=\"gap\"").count() <= 32, "the longest gaps are told");
    assert!(!drawing.contains("NaN"));
}

#[test]
fn gaps_nearer_than_a_pixel_are_one() {
    let losses: Vec<_> = (0..3).map(|n| loss(40_000_000 + n * 2_000, Some(40_001_000 + n * 2_000), 1)).collect();
    let drawing = drawing(cell(&[], vec![flow(4_000, 90_000_000, 86_000, losses)]));
    assert!(drawing.contains("3 packets lost in 3 gaps, the longest 1,000 ms, 11:06:40 to 11:06:45"), "{drawing}");
    assert_eq!(arrivals(&drawing), 2, "{drawing}");
}

#[test]
fn many_flows_are_counted() {
    let drawing = drawing(cell(&[], vec![flow(4_000, 90_000, 86, Vec::new()); 40]));
    assert_eq!(drawing.matches("86 of 86 packets").count(), 16);
    assert!(drawing.contains("and 24 flows more"));
}

/// Parts of the bar of the one flow that there is.
fn arrivals(drawing: &str) -> usize {
    let to = drawing.find("\" class=\"xa\"><title>exchange 1, ").unwrap();
    drawing[drawing[..to].rfind("d=\"").unwrap()..to].matches('M').count()
}
