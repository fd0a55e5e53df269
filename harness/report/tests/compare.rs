//! Two records beside each other: what became of verdicts, and whether the same happened in the same order.
#![allow(clippy::unwrap_used, dead_code)]

mod sample;

use std::path::Path;

use runner::record::{CellRecord, Fault, Record, StateChange, Verdict};
use tunnelproof_report::{
    compare::{Comparison, Kind, compare},
    history::{self, Difference, Side, Times},
};

fn of(cells: &[(&str, Verdict)]) -> Record {
    let cells = cells.iter().map(|(id, verdict)| sample::bare(id, *verdict)).collect();
    Record { cells, ..sample::record() }
}

fn compared(a: &Record, b: &Record) -> Result<Comparison, String> {
    compare([(Path::new("a"), a), (Path::new("b"), b)]).map_err(|e| e.to_string())
}

fn cell() -> CellRecord {
    let mut cell = sample::proven("libreswan", "strongSwan 5.9.14", "aes128");
    cell.began_ns = sample::conversation::BEGIN_NS;
    cell
}

fn difference(a: &CellRecord, b: &CellRecord, times: Times) -> Option<Difference> {
    let [a, b] = [a, b].map(|cell| history::of(cell, times));
    history::difference([&a, &b], times)
}

/// Another run that did the same: every random value is another one.
fn again(cell: &CellRecord, from: &[&str]) -> CellRecord {
    let mut json = serde_json::to_string(cell).unwrap();
    for value in from {
        assert!(json.contains(value), "{value} is nowhere");
        let other: String = value
            .chars()
            .map(|c| match c {
                '0'..='8' => char::from(c as u8 + 1),
                '9' => '1',
                'a'..='e' => char::from(c as u8 + 1),
                'f' => 'a',
                c => c,
            })
            .collect();
        json = json.replace(value, &other);
    }
    serde_json::from_str(&json).unwrap()
}

#[test]
fn a_lost_proof_is_a_regression_and_a_new_one_a_fix() {
    use Verdict::{Broken, Proven, Refuted, Skipped, Unsupported};
    let a = of(&[("1", Proven), ("2", Proven), ("3", Refuted), ("4", Skipped), ("5", Skipped), ("6", Proven)]);
    let b = of(&[("0", Proven), ("1", Proven), ("2", Skipped), ("3", Proven), ("4", Unsupported), ("5", Broken)]);
    let found = compared(&a, &b).unwrap();
    let kinds: Vec<_> = found.changes.iter().map(|change| (change.kind, change.cell.as_str())).collect();
    let (regression, fix, changed) = (Kind::Regression, Kind::Fix, Kind::Changed);
    let expected =
        [(regression, "2"), (regression, "5"), (fix, "3"), (changed, "4"), (Kind::New, "0"), (Kind::Removed, "6")];
    assert_eq!(kinds, expected);
    assert_eq!(found.common, 5);
    assert_eq!(found.changes[0].verdicts, [Some(Proven), Some(Skipped)]);
    assert_eq!(found.circumstances, [] as [&str; 0]);
}

#[test]
fn runs_of_other_scenarios_cannot_be_compared_and_are_told_apart_by_a_cell() {
    let found = compared(&of(&[("a/1", Verdict::Proven)]), &of(&[("b/1", Verdict::Proven)])).unwrap_err();
    assert_eq!(
        found,
        "`a` and `b` have no cell in common, the first of each are `a/1` and `b/1`: compare runs of the same scenarios"
    );
    let old = Record { format: 1, ..of(&[]) };
    assert_eq!(
        compared(&old, &of(&[])).unwrap_err().split(':').next().unwrap(),
        "`a` is of format 1, and this program reads 2"
    );
}

#[test]
fn what_the_runs_were_made_with_is_told_where_it_differs() {
    let (a, mut b) = (sample::record(), sample::record());
    b.laboratory.kernel = "7.0".into();
    b.laboratory.images[0].version = "Libreswan 5.3".into();
    b.laboratory.images[1].digest = "00".into();
    let found = compared(&a, &b).unwrap().circumstances;
    assert_eq!(found[0], "kernel: 6.12.9 (User Mode Linux), then 7.0");
    assert_eq!(found[1], "image libreswan: Libreswan 5.2, then Libreswan 5.3");
    assert!(found[2].starts_with("recipe of image strongswan: "), "{found:?}");
}

#[test]
fn the_same_with_other_random_values_is_the_same_history() {
    let uuid = "6f1d2c3b-0a1b-4c2d-8e3f-0123456789ab";
    let mut a = cell();
    a.api[0].answer = format!(r#"{{"createvpcresponse":{{"id":"{uuid}","created":"2026-11-25T17:25:42+0000"}}}}"#);
    a.api[1].parameters.push(("vpcid".into(), uuid.into()));
    let mut b = again(&a, &[uuid, "7d2f01aa93c4be10", "e1904c5577d0a3f2", "2026-11-25T17:25:42"]);
    let other = |spi: u32| spi ^ 0x0101_0101;
    let words = |spi: u32| (format!("{spi:#010x}"), format!("{:#010x}", other(spi)));
    let spis: Vec<_> = a.sas.iter().map(|sa| words(sa.spi)).collect();
    b.sas.iter_mut().for_each(|sa| sa.spi = other(sa.spi));
    for payload in b.account.as_mut().unwrap().messages.iter_mut().flat_map(|message| &mut message.payloads) {
        for detail in &mut payload.details {
            if let Some((one, other)) = spis.iter().find(|(one, _)| detail.contains(one)) {
                *detail = detail.replace(one, other);
            }
        }
    }
    assert_eq!(difference(&a, &b, Times::Exact), None);
    let told = history::of(&a, Times::Exact);
    let text = |part: &str| told.iter().any(|event| event.text.contains(part));
    assert!(
        text("vpcid=uuid-1") && text(r#""created":"date""#) && text("spi-1 ") && text("cookies cookie-1 "),
        "{told:#?}"
    );
}

#[test]
fn one_value_in_place_of_another_is_a_difference() {
    let [one, other] = ["6f1d2c3b-0a1b-4c2d-8e3f-0123456789ab", "0a1b2c3b-0a1b-4c2d-8e3f-0123456789ab"];
    let mut a = cell();
    a.api[0].parameters = vec![("id".into(), one.into()), ("id".into(), other.into()), ("id".into(), one.into())];
    let mut b = a.clone();
    b.api[0].parameters[2].1 = other.into();
    let Some(Difference { sides: [Side::Event(one), Side::Event(other)], only_time: false, .. }) =
        difference(&a, &b, Times::Ignored)
    else {
        panic!("equal")
    };
    assert!(one.contains("id=uuid-1 id=uuid-2 id=uuid-1") && other.contains("id=uuid-1 id=uuid-2 id=uuid-2"));
}

#[test]
fn a_millisecond_counts_unless_times_do_not() {
    let mut a = cell();
    a.faults = vec![Fault { at_ms: 5_000, text: "power-off of the gateway of branch".into() }];
    let mut b = a.clone();
    b.faults[0].at_ms += 1;
    let found = difference(&a, &b, Times::Exact).unwrap();
    assert!(found.only_time && found.number > 3 && found.before.len() == 3, "{found:?}");
    assert_eq!(difference(&a, &b, Times::Ignored), None);
}

#[test]
fn which_of_two_kernels_was_first_by_a_tick_is_no_order_but_a_minute_is() {
    let mut a = cell();
    a.account = None;
    let mut b = a.clone();
    // At the end of a millisecond in one run, at the beginning of the next one in the other.
    b.sas[0].added_ms += 1;
    assert_eq!(difference(&a, &b, Times::Ignored), None);
    assert!(difference(&a, &b, Times::Exact).is_some());
    b.sas[0].added_ms += 60_000;
    assert!(difference(&a, &b, Times::Ignored).is_some());
}

#[test]
fn how_often_somebody_looked_is_a_matter_of_time() {
    let mut a = cell();
    a.account = None;
    let mut b = a.clone();
    let poll = a.api.iter().position(|call| call.answer.contains("\"jobstatus\":0")).unwrap();
    b.api.insert(poll, a.api[poll].clone());
    let last = a.api.last().unwrap().clone();
    b.api.push(last);
    assert_eq!(difference(&a, &b, Times::Ignored), None);
    assert!(difference(&a, &b, Times::Exact).is_some());
}

#[test]
fn seconds_in_an_outcome_are_times_too() {
    let mut a = cell();
    a.steps[1].outcome = "Disconnected after 148 s, then nothing".into();
    let mut b = a.clone();
    b.steps[1].outcome = "Disconnected after 149 s, then nothing".into();
    assert_eq!(difference(&a, &b, Times::Ignored), None);
    assert!(difference(&a, &b, Times::Exact).is_some_and(|found| !found.only_time));
}

#[test]
fn an_event_more_at_the_end_is_a_difference_and_so_is_another_order() {
    let a = cell();
    let mut b = a.clone();
    b.account = None;
    let mut without = a.clone();
    without.account = None;
    b.states.push(StateChange { at_ms: u64::MAX, connection: "main -> branch".into(), state: "Error".into() });
    let found = difference(&without, &b, Times::Ignored).unwrap();
    assert_eq!(found.sides[0], Side::Over);
    let mut swapped = a.clone();
    swapped.account.as_mut().unwrap().messages.swap(0, 1);
    let times = |cell: &mut CellRecord| {
        cell.account
            .as_mut()
            .unwrap()
            .messages
            .iter_mut()
            .for_each(|message| message.time_ns = sample::conversation::BEGIN_NS);
        cell.clone()
    };
    assert!(difference(&times(&mut a.clone()), &times(&mut swapped), Times::Ignored).is_some());
}

#[test]
fn a_long_answer_is_told_around_what_differs() {
    let mut a = cell();
    a.api[0].answer = format!("{}x{}", "a ".repeat(900), "b ".repeat(90));
    let mut b = a.clone();
    b.api[0].answer = a.api[0].answer.replace('x', "y");
    let Some(Difference { sides: [Side::Event(one), Side::Event(other)], .. }) = difference(&a, &b, Times::Exact)
    else {
        panic!("equal")
    };
    assert!(one.contains(" xb ") && other.contains(" yb ") && one.chars().count() < 200, "{one}");
}

#[test]
fn a_history_holds_ports_sequence_numbers_and_addresses_of_one_run_by_name() {
    let mut cell = cell();
    cell.steps[0].outcome = "http://127.0.0.1:36497/client/api answered, 10 of 10:00".into();
    let account = cell.account.as_mut().unwrap();
    let [first, second, ..] = &mut account.messages[..] else { panic!("no messages") };
    first.source.set_port(40_123);
    second.payloads = vec![sample::conversation::payload("N", &["R-U-THERE", "sequence number 205635"])];
    let told: Vec<_> = history::of(&cell, Times::Exact).into_iter().map(|event| event.text).collect();
    assert!(
        told.iter().any(|text| text.starts_with("198.51.100.10:port-1 to 203.0.113.20:500, IKEv1 main mode 1")),
        "{told:#?}"
    );
    assert!(
        told.iter().any(|text| text.contains("http://127.0.0.1:port-2/client/api answered, 10 of 10:00")),
        "{told:#?}"
    );
    assert!(told.iter().any(|text| text.contains("N (R-U-THERE; sequence number sequence-1)")), "{told:#?}");
}
