//! `--reuse`: what has not changed since an earlier run is not run again, and every report says so.

use std::fs;

use runner::record::Verdict;

use crate::{Folder, PLANTED, Ran};

fn planted(name: &str) -> (Folder, Ran) {
    let folder = Folder::new(name);
    folder.write("planted.yaml", PLANTED);
    let first = Ran::modelled(&folder, "first", &["planted.yaml"]);
    (folder, first)
}

/// How many cells were taken over.
fn reused(ran: &Ran) -> usize {
    ran.cells().iter().filter(|cell| cell.reused.is_some()).count()
}

#[test]
fn what_passed_is_reused_with_its_date_and_what_failed_is_run_again() {
    let (folder, first) = planted("reuse");
    assert_eq!(reused(&first), 0, "it is off unless it is asked for");
    let again = Ran::modelled(&folder, "again", &["--reuse", "first", "planted.yaml"]);
    assert_eq!((again.status, again.ids()), (Some(1), first.ids()));
    let started = &first.record.as_ref().unwrap().started;
    assert!(again.said.contains(&format!("8 cells unchanged since the run of {started} in first")), "{}", again.said);
    assert!(again.said.contains("8 skipped, 0 broken; 8 reused\n"), "{}", again.said);
    for cell in again.cells() {
        assert_eq!(cell.reused.as_ref(), (cell.verdict == Verdict::Skipped).then_some(started), "{}", cell.id);
        assert!(folder.0.join("again").join(cell.evidence.events.as_ref().unwrap()).exists(), "{}", cell.id);
    }
    let read = |name: &str| fs::read_to_string(folder.0.join("again").join(name)).unwrap();
    assert!(
        read("report.md").contains("Reused: 8 of 16 cells") && read("report.md").contains("; reused from the run of ")
    );
    assert!(read("report.html").contains("<dt>Reused</dt><dd>8 of 16 cells</dd>"));
    assert_eq!(read("junit.xml").matches("name=\"reused\"").count(), 8);
}

#[test]
fn a_date_stays_that_of_the_run_in_which_it_happened_and_a_folder_can_be_reused_into_itself() {
    let (folder, first) = planted("reuse-chain");
    let second = Ran::modelled(&folder, "first", &["--reuse", "first", "planted.yaml"]);
    let third = Ran::modelled(&folder, "third", &["--reuse", "first", "planted.yaml"]);
    let started = first.record.map(|record| record.started);
    for ran in [second, third] {
        assert_eq!(reused(&ran), 8);
        assert!(ran.cells().iter().all(|cell| cell.reused.is_none() || cell.reused == started));
        assert!(
            ran.cells().iter().all(|cell| folder.0.join("first").join(cell.evidence.events.as_ref().unwrap()).exists())
        );
    }
}

#[test]
fn what_changed_is_run_again() {
    let (folder, _) = planted("changed");
    // In both routers' cells, or in half of them.
    for (right, wrong, expected) in [
        ("within: 60s", "within: 61s", 0),
        ("psk: '123123'", "psk: '321321'", 0),
        ("cloud.vpcs.main.router: [libreswan, strongswan]", "cloud.vpcs.main.router: [libreswan, strongswan-5.9]", 4),
        ("scenario: a", "# A comment.\nscenario: a", 8),
    ] {
        assert!(PLANTED.contains(right), "{right}");
        folder.write("planted.yaml", &PLANTED.replace(right, wrong));
        let again = Ran::modelled(&folder, "again", &["--reuse", "first", "planted.yaml"]);
        assert_eq!(reused(&again), expected, "{wrong}: {}", again.said);
    }
}

#[test]
fn what_lost_its_evidence_is_run_again() {
    let (folder, first) = planted("no-evidence");
    let passed = first.cells().iter().find(|cell| cell.verdict == Verdict::Skipped).unwrap();
    fs::remove_file(folder.0.join("first").join(passed.evidence.api.as_ref().unwrap())).unwrap();
    let again = Ran::modelled(&folder, "again", &["--reuse", "first/record.json", "planted.yaml"]);
    assert_eq!(reused(&again), 7, "{}", again.said);
    let run_again = again.cells().iter().find(|cell| cell.id == passed.id).unwrap();
    assert!(
        run_again.reused.is_none() && folder.0.join("again").join(run_again.evidence.api.as_ref().unwrap()).exists()
    );
}

#[test]
fn another_program_runs_everything_again() {
    let (folder, _) = planted("another-program");
    let path = folder.0.join("first/record.json");
    let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for cell in record["cells"].as_array_mut().unwrap() {
        assert_eq!(cell["key"].as_str().unwrap().len(), 64);
        // Such as an older program's records, which have no key.
        cell.as_object_mut().unwrap().remove("key");
    }
    fs::write(&path, record.to_string()).unwrap();
    assert_eq!(reused(&Ran::modelled(&folder, "again", &["--reuse", "first", "planted.yaml"])), 0);
}

#[test]
fn a_folder_without_a_record_is_wrong_input() {
    let (folder, _) = planted("reuse-nothing");
    let ran = Ran::modelled(&folder, "again", &["--reuse", "nowhere", "planted.yaml"]);
    assert_eq!(ran.status, Some(2), "{}", ran.said);
    assert!(ran.said.contains("cannot read `nowhere") && ran.record.is_none(), "{}", ran.said);
}
