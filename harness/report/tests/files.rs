//! The files of a run: `record.json` holds the whole record, `junit.xml` counts as a build server
//! must, and no file is ever half written.
#![allow(clippy::unwrap_used, dead_code)]

mod sample;

use std::{fs, path::PathBuf};

use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
use runner::record::Verdict;
use tunnelproof_report::{
    BADGE, HTML, JUNIT, LADDER, MARKDOWN, RECORD, ReportError, SEQUENCE, read, render_junit, write,
};

fn folder(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    dir
}

#[test]
fn the_record_comes_back_as_it_was_written() {
    let dir = folder("round-trip");
    let record = sample::record();
    write(&record, &dir).unwrap();
    let (from_folder, from_file) = (read(&dir).unwrap(), read(&dir.join(RECORD)).unwrap());
    fs::remove_dir_all(&dir).unwrap();
    let expected = serde_json::to_value(&record).unwrap();
    assert_eq!(serde_json::to_value(from_folder).unwrap(), expected);
    assert_eq!(serde_json::to_value(from_file).unwrap(), expected);
}

#[test]
fn files_are_replaced_and_nothing_else_is_left() {
    let dir = folder("replace");
    let mut record = sample::record();
    write(&record, &dir).unwrap();
    let before = fs::read_to_string(dir.join(HTML)).unwrap();
    record.cells.truncate(1);
    write(&record, &dir).unwrap();
    let after = fs::read_to_string(dir.join(HTML)).unwrap();
    let mut names: Vec<_> =
        fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    fs::remove_dir_all(&dir).unwrap();
    names.sort();
    assert_eq!(names, [BADGE, JUNIT, RECORD, HTML, MARKDOWN]);
    assert!(before.contains("1 of 6 cells refuted") && after.contains("1 of 1 cell proven"));
}

#[test]
fn a_conversation_is_written_beside_its_capture_and_nowhere_else() {
    let dir = folder("conversation");
    let mut record = sample::record();
    record.cells.truncate(2);
    record.cells[1].evidence.capture = Some("../outside/capture.pcapng".into());
    let cell = dir.join("run").join("cells").join(&record.cells[0].id);
    fs::create_dir_all(&cell).unwrap();
    fs::create_dir_all(dir.join("outside")).unwrap();
    write(&record, &dir.join("run")).unwrap();
    let (drawing, ladder) = (fs::read_to_string(cell.join(SEQUENCE)), fs::read_to_string(cell.join(LADDER)));
    let outside = fs::read_dir(dir.join("outside")).unwrap().count();
    fs::remove_dir_all(&dir).unwrap();
    let drawing = drawing.unwrap();
    assert!(drawing.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox="), "{drawing}");
    assert!(!drawing.contains("var(--") && !drawing.contains("<script") && !drawing.contains("href"), "{drawing}");
    assert!(ladder.unwrap().contains("quick mode 1"));
    assert_eq!(outside, 0);
}

#[test]
fn what_cannot_be_read_or_made_is_named() {
    let dir = folder("missing");
    let missing = read(&dir).unwrap_err();
    assert!(missing.to_string().contains(dir.to_str().unwrap()), "{missing}");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(RECORD), "{}").unwrap();
    let foreign = read(&dir).unwrap_err();
    let in_the_way = write(&sample::record(), &dir.join(RECORD)).unwrap_err();
    fs::remove_dir_all(&dir).unwrap();
    assert!(matches!(foreign, ReportError::NotARecord { .. }), "{foreign}");
    assert!(matches!(in_the_way, ReportError::Folder { .. }), "{in_the_way}");
}

#[test]
fn junit_counts_every_verdict_as_a_build_server_must() {
    let junit = Report::deserialize_from_str(&render_junit(&sample::record()).unwrap()).unwrap();
    assert_eq!((junit.tests, junit.failures, junit.errors, junit.skipped), (6, 1, 1, 2));
    assert_eq!(junit.timestamp.unwrap().to_rfc3339(), "2026-03-03T14:05:09+00:00");
    let suites: Vec<_> = junit.test_suites.iter().map(|suite| (suite.name.as_str(), suite.tests)).collect();
    assert_eq!(suites, [("one tunnel, both subnets", 3), ("the long run", 3)]);
}

#[test]
fn junit_tells_reasons_contradictions_and_steps() {
    let junit = Report::deserialize_from_str(&render_junit(&sample::record()).unwrap()).unwrap();
    let cases: Vec<_> = junit.test_suites.iter().flat_map(|suite| &suite.test_cases).collect();
    let TestCaseStatus::NonSuccess { kind, message, description, ty, .. } = &cases[2].status else {
        panic!("{:?}", cases[2].status)
    };
    assert_eq!((*kind, ty.as_ref().unwrap().as_str()), (NonSuccessKind::Failure, "refuted"));
    assert!(message.as_ref().unwrap().as_str().contains("crossed the internet in clear"));
    let description = description.as_ref().unwrap().as_str();
    assert!(
        description.contains("expected 0 packets") && description.contains("clear-text: RFC 4301 section 5.1"),
        "{description}"
    );
    let steps = cases[2].system_out.as_ref().unwrap().as_str();
    assert!(steps.contains("2:00:25 - 2:00:34  FAIL  expect connection Connected"), "{steps}");
    let TestCaseStatus::Skipped { message: Some(message), .. } = &cases[3].status else { panic!("{:?}", cases[3]) };
    assert!(message.as_str().starts_with("unsupported: Libreswan 5.2 is built without"));
}

#[test]
fn junit_survives_any_text() {
    let mut record = sample::record();
    for cell in &mut record.cells {
        cell.id = "<a>&\"'\u{0}\u{1b}[31m".into();
        cell.reason = "]]><failure/>".into();
        cell.steps.iter_mut().for_each(|step| step.outcome = "\u{1}]]>".into());
    }
    let junit = Report::deserialize_from_str(&render_junit(&record).unwrap()).unwrap();
    assert_eq!(junit.tests, record.cells.len());
    let verdicts = record.cells.iter().filter(|cell| cell.verdict == Verdict::Refuted).count();
    assert_eq!(junit.failures, verdicts);
}
