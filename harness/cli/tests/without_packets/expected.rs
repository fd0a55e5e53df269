//! `--expect`: what is known to fail is no failure, and what is not as it is expected is one.

use std::fs;

use crate::{Folder, PLANTED, Ran};

const KNOWN: &str = "
- cells: planted/esp=3des-md5;modp1536*
  verdict: refuted
  reason: the specification allows 30 characters
  link: https://example.com/1
  until: 2999-12-31
";

fn folder(name: &str, expected: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("planted.yaml", PLANTED);
    folder.write("expected.yaml", expected);
    folder
}

fn run(folder: &Folder) -> Ran {
    Ran::modelled(folder, "out", &["--expect", "expected.yaml", "planted.yaml"])
}

#[test]
fn what_is_known_to_fail_is_no_failure() {
    let folder = folder("known", KNOWN);
    assert_eq!(Ran::modelled(&folder, "out", &["planted.yaml"]).status, Some(1));
    let ran = run(&folder);
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    assert!(ran.said.contains("8 refuted"), "{}", ran.said);
    let read = |name: &str| fs::read_to_string(folder.0.join("out").join(name)).unwrap().replace("&#x2f;", "/");
    let why = "expected to be refuted until 2999-12-31: the specification allows 30 characters (https://example.com/1)";
    for file in ["report.html", "report.md", "junit.xml"] {
        assert!(read(file).contains(why), "{file}");
    }
    assert!(read("report.md").starts_with("# 8 of 16 cells refuted, as expected\n"));
    assert!(read("junit.xml").contains("failures=\"0\" errors=\"0\"") && !read("badge.svg").contains("#c0281d"));
}

#[test]
fn what_is_not_as_expected_is_told_with_what_to_do() {
    let cases = [
        // A failure that nobody expects.
        ("[]", 1, "unexpected 8 cells are refuted, and nothing expects that: planted/esp=", "add an entry"),
        // Something else than what is expected; nothing is proven without packets.
        (
            "- { cells: 'planted/*', verdict: refuted, reason: all of it }",
            1,
            "unexpected 8 cells are skipped, and line 1 expects refuted (all of it): planted/esp=3des-md5,",
            "write `verdict: skipped` in line 1",
        ),
        (
            "- { cells: 'planted/*', verdict: refuted, reason: r, until: 2001-01-01 }",
            1,
            "expired line 1: `planted/*` was expected until 2001-01-01, which is over",
            "move the date",
        ),
        (
            "- { cells: 'planned/*', verdict: refuted, reason: r }",
            1,
            "stale line 1: `planned/*` matches no cell",
            "did you mean `planted/...`?",
        ),
    ];
    for (text, status, complaint, help) in cases {
        let folder = folder("not-as-expected", text);
        let ran = run(&folder);
        assert_eq!(ran.status, Some(status), "{}", ran.said);
        assert!(ran.said.contains(complaint) && ran.said.contains(help), "{complaint}: {}", ran.said);
        let markdown = fs::read_to_string(folder.0.join("out/report.md")).unwrap();
        assert!(markdown.contains("Not as `expected.yaml` says:"), "{markdown}");
        assert!(fs::read_to_string(folder.0.join("out/report.html")).unwrap().contains("Not as expected"));
        assert!(fs::read_to_string(folder.0.join("out/junit.xml")).unwrap().contains("<failure"));
        assert!(fs::read_to_string(folder.0.join("out/badge.svg")).unwrap().contains("#c0281d"));
    }
}

#[test]
fn a_pattern_for_cells_that_were_not_chosen_is_not_stale() {
    let folder = folder("not-chosen", KNOWN);
    let arguments = ["--cells", "sample:1", "--expect", "expected.yaml", "planted.yaml"];
    for seed in ["1", "2", "3", "4"] {
        let ran = Ran::modelled(&folder, "out", &[&["--seed", seed], arguments.as_slice()].concat());
        assert_eq!(ran.status, Some(0), "{}", ran.said);
    }
}

#[test]
fn a_report_is_held_against_the_file_too_and_shards_keep_what_they_were_held_against() {
    let folder = folder("expected-report", KNOWN);
    for shard in ["1", "2"] {
        let arguments = ["--expect", "expected.yaml", "--shard", &format!("{shard}/2"), "planted.yaml"];
        assert_eq!(Ran::modelled(&folder, shard, &arguments).status, Some(0));
    }
    assert_eq!(Ran::report(&folder, "merged", &["1", "2"]).status, Some(0));
    folder.write("expected.yaml", "- { cells: 'nothing/*', verdict: refuted, reason: r }");
    let report = Ran::report(&folder, "merged", &["1", "2", "--expect", "expected.yaml"]);
    assert_eq!(report.status, Some(1));
    assert!(
        report.said.contains("unexpected 8 cells are refuted") && report.said.contains("stale line 1"),
        "{}",
        report.said
    );
    // Of one that was not held against the file, nothing was expected.
    Ran::modelled(&folder, "2", &["--shard", "2/2", "planted.yaml"]);
    assert_eq!(Ran::report(&folder, "merged", &["1", "2"]).status, Some(1));
}

#[test]
fn mistakes_in_the_file_are_told_before_anything_is_run() {
    let folder = folder("wrong-expected", "- { cells: 'planted/*', verdict: refutet, reason: r }");
    let ran = run(&folder);
    assert_eq!(ran.status, Some(2));
    let place = "expected.yaml:1:34: unknown verdict `refutet`";
    assert!(ran.said.contains(place), "{}", ran.said);
    assert!(ran.said.contains("did you mean `refuted`?") && ran.record.is_none(), "{}", ran.said);
}
