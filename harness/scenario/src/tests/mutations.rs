//! Whatever is done to a file, reading it ends, without a panic, in a scenario or in diagnostics that
//! point into the file.

use proptest::prelude::*;

use super::{FILE, QUICKSTART};
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

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let place = || 0..QUICKSTART.len();
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
    let text = bare();
    for (at, _) in text.char_indices() {
        check(&text[..at]);
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
    fn any_text(text in "\\PC{0,80}") {
        check(&text);
    }
}
