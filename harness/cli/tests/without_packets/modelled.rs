//! `--world modelled`: every scenario of the project, without privileges, images and waiting.

use std::fs;

use runner::record::{StepStatus, Verdict};

use crate::{Folder, Ran, scenario};

/// How steps begin that need no packets.
const CONTROL: [&str; 9] = ["create", "delete", "connect", "disconnect", "hold", "reboot", "stop", "start", "reset"];

#[test]
fn every_scenario_runs_as_far_as_it_goes_without_packets() {
    let folder = Folder::new("modelled");
    let output = folder
        .tunnelproof(&["run", "--world", "modelled", "--cells", "pairwise", "--out", "out", &scenario("")])
        // Images would be made there.
        .env("TUNNELPROOF_CACHE", "/nonexistent")
        .output()
        .unwrap();
    let ran = Ran::new(&folder, output);
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    assert_eq!(ran.record.as_ref().unwrap().world, "modelled");
    for cell in ran.cells() {
        assert_eq!(cell.verdict, Verdict::Skipped, "{}: {}", cell.id, cell.reason);
        assert!(cell.reason.starts_with("no packets in the modelled world: "), "{}", cell.reason);
        assert!(cell.checks.iter().all(|check| check.holds) && cell.checks.len() >= 2, "{}", cell.id);
        for step in &cell.steps {
            let begins = |words: &[&str]| words.iter().any(|word| step.text.starts_with(word));
            // What is expected depends on what could be done before.
            let skipped = match begins(&["expect "]) {
                true => begins(&["expect traffic"]) || step.status == StepStatus::Skipped,
                // A VPC is restarted through the API, a daemon or a service is not.
                false if begins(&["restart"]) => begins(&["restart the "]),
                false => !begins(&CONTROL) && !step.text.ends_with("in the cloud"),
            };
            assert_eq!(step.status == StepStatus::Skipped, skipped, "{}: {}", cell.id, step.text);
        }
    }
    let skipped: usize = ran.cells().iter().map(|cell| cell.skipped_steps().count()).sum();
    assert!(ran.said.contains(&format!("; {skipped} steps not run\n")), "{}", ran.said);
    assert!(!folder.0.join("out/cells/quickstart/libreswan-to-strongswan/keys").exists());
}

#[test]
fn hours_pass_at_once_and_the_monitor_looks_all_the_while() {
    let folder = Folder::new("modelled-hours");
    let arguments = ["run", "--world", "modelled", "--out", "out", &scenario("quickstart.yaml")];
    let ran = Ran::new(&folder, folder.tunnelproof(&arguments).output().unwrap());
    for cell in ran.cells() {
        assert!(cell.virtual_ms >= 7_200_000, "{} ms", cell.virtual_ms);
        assert!(cell.wall_ms < 60_000, "{} ms", cell.wall_ms);
        let states: Vec<_> = cell.states.iter().map(|change| change.state.as_str()).collect();
        assert_eq!(states, ["Connected", "deleted"]);
    }
}

#[test]
fn every_report_names_the_steps_that_were_not_run_and_why() {
    let folder = Folder::new("modelled-reports");
    let arguments = ["run", "--world", "modelled", "--out", "out", &scenario("lifecycle/connect.yaml")];
    assert!(folder.tunnelproof(&arguments).output().unwrap().status.success());
    let why = "there are no packets in the modelled world";
    for (file, mark) in
        [("report.md", "in 2 of 2 cells: "), ("report.html", "not run:</span> "), ("junit.xml", "SKIP  ")]
    {
        let text = fs::read_to_string(folder.0.join("out").join(file)).unwrap();
        assert!(text.contains(mark) && text.contains(why), "{file}");
    }
}

#[test]
fn the_plan_says_what_the_modelled_world_would_not_run() {
    let folder = Folder::new("modelled-plan");
    let plan = |world| {
        let arguments = ["plan", "--world", world, &scenario("quickstart.yaml")];
        String::from_utf8(folder.tunnelproof(&arguments).output().unwrap().stdout).unwrap()
    };
    assert_eq!(plan("modelled").matches("not run: there are no packets in the modelled world").count(), 6);
    assert!(!plan("auto").contains("not run"));
}

#[test]
fn worlds_that_there_are_not_are_named() {
    let folder = Folder::new("modelled-worlds");
    let output = folder.tunnelproof(&["run", "--world", "moddeled"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the worlds are auto, guest, host and modelled"), "{said}");
}
