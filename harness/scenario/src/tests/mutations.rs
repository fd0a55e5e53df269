//! Whatever is done to a file, reading it ends, without a panic, in a scenario or in diagnostics that
//! point into the file.

use proptest::prelude::*;

use super::{FILE, QUICKSTART, steps::with_steps};
use crate::parse;

fn check(text: &str) {
    match parse(FILE, text) {
        Ok(scenario) => assert!(!scenario.cells().is_empty()),
        Err(diagnostics) => {
            assert!(diagnostics.iter().next().is_some());
            let lines = text.lines().count().max(1) as u32;
            for diagnostic in &diagnostics {
                assert!(diagnostic.column >= 1 && (1..=lines + 1).contains(&diagnostic.line), "{diagnostics}");
            }
            assert!(!diagnostics.to_string().is_empty());
        }
    }
}

#[derive(Clone, Debug)]
enum Edit {
    Delete(usize, usize),
    Repeat(usize, usize),
    Insert(usize, String),
    Swap(usize, usize),
}

/// A file with a step of every kind and an expectation of every form.
fn everything() -> String {
    let steps = [
        "connect: { vpc: main, customer: branch }",
        "exchange: { between: [main, branch], every: 1s }",
        "change: { customer: branch, cloud: { psk: \"1\", ike: 3des-md5;modp1536, subnets: [172.16.10.0/24] } }",
        "link: { of: branch, loss: 0.5%, delay: 300ms, jitter: 20ms, rate: 512kbit, way: in }",
        "link: { of: branch, mtu: 1280, told: false }",
        "link: { of: branch, state: up }",
        "partition: { between: [main, branch], for: 10m }",
        "message: { replay: { exchange: quick-mode, number: 2, from: cloud, times: 2, after: 10s } }",
        "message: { truncate: { exchange: ike-auth, number: 1, bytes: 40 } }",
        "kill: { daemon: branch }",
        "restart: { daemon: branch }",
        "kill: { service: restartVPC }",
        "restart-vpc: { vpc: main, cleanup: true }",
        "power-off: branch",
        "clock: { of: main, ahead: 5m }",
        "expect: { sas: none, on: branch, within: 150s }",
        "expect: { connection: Disconnected, until: { traffic: flowing }, within: 3m }",
        "expect: { never: { connection: Error, of: branch }, for: 10m }",
        "expect: { lost: 20, gap: 30s }",
        "expect: { rekeys: { esp: 24, ike: 1 } }",
    ];
    with_steps(&steps).replace("    psk:", "    nat: true\n    force-encapsulation: false\n    psk:")
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let most = QUICKSTART.len().max(everything().len());
    let place = || 0..most;
    let piece = prop_oneof![
        "[ -~\n\té\u{0}]{1,4}",
        proptest::sample::select(vec!["- ", ": ", "{", "]", "*a", "&a ", "? ", "<<: ", "|\n", "!!int ", "---\n", "#"])
            .prop_map(str::to_owned)
    ];
    let edit = prop_oneof![
        (place(), 1..40usize).prop_map(|(at, len)| Edit::Delete(at, len)),
        (place(), 1..80usize).prop_map(|(at, len)| Edit::Repeat(at, len)),
        (place(), piece).prop_map(|(at, text)| Edit::Insert(at, text)),
        (place(), place()).prop_map(|(a, b)| Edit::Swap(a, b)),
    ];
    proptest::collection::vec(edit, 1..5)
}

fn apply(edit: &Edit, text: &mut Vec<char>) {
    let clamp = |at: usize| at.min(text.len());
    match edit {
        Edit::Delete(at, len) => drop(text.drain(clamp(*at)..clamp(at + len))),
        Edit::Repeat(at, len) => {
            let piece = text[clamp(*at)..clamp(at + len)].to_vec();
            let at = clamp(*at);
            text.splice(at..at, piece);
        }
        Edit::Insert(at, piece) => {
            let at = clamp(*at);
            text.splice(at..at, piece.chars());
        }
        Edit::Swap(a, b) if *a < text.len() && *b < text.len() => text.swap(*a, *b),
        Edit::Swap(..) => (),
    }
}

/// The quickstart without its comments, so that most edits hit something.
fn bare() -> String {
    let bare = |line: &str| line.split(" #").next().unwrap_or_default().trim_end().to_owned();
    QUICKSTART.lines().filter(|line| !line.starts_with('#')).map(|line| bare(line) + "\n").collect()
}

#[test]
fn any_beginning_of_the_file() {
    for text in [bare(), everything()] {
        for (at, _) in text.char_indices() {
            check(&text[..at]);
        }
    }
}

#[test]
fn every_line_left_out_or_written_twice() {
    let lines: Vec<_> = QUICKSTART.lines().collect();
    for at in 0..lines.len() {
        check(&[&lines[..at], &lines[at + 1..]].concat().join("\n"));
        check(&[&lines[..=at], &lines[at..]].concat().join("\n"));
    }
}

#[test]
fn hostile_files() {
    check(&"[".repeat(100_000));
    check(&"a: {".repeat(10_000));
    check(&"- ".repeat(10_000));
    let bomb: String =
        (1..12).map(|i| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(","))).collect();
    check(&format!("a0: &a0 x\n{bomb}"));
    check("\u{feff}scenario: x\r\nabout: y\r\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn edited_files(edits in edits()) {
        let mut text: Vec<char> = bare().chars().collect();
        for edit in &edits {
            apply(edit, &mut text);
        }
        check(&text.into_iter().collect::<String>());
    }

    #[test]
    fn edited_files_with_every_step(edits in edits()) {
        let mut text: Vec<char> = everything().chars().collect();
        for edit in &edits {
            apply(edit, &mut text);
        }
        check(&text.into_iter().collect::<String>());
    }

    #[test]
    fn any_text(text in "\\PC{0,80}") {
        check(&text);
    }
}
