//! `report.md` and `badge.svg`, and what no view may show.
#![allow(clippy::unwrap_used, dead_code)]

mod markup;
mod sample;

use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
use runner::record::{
    CellRecord, Choice, CloudRecord, Complaint, Diagnosis, Expected, Gate, Grievance, Record, Shards, StepRecord,
    StepStatus, Verdict,
};
use tunnelproof_report::{render_badge, render_html, render_junit, render_markdown};

fn of(verdicts: &[Verdict]) -> Record {
    Record { cells: verdicts.iter().map(|&verdict| sample::bare("one", verdict)).collect(), ..sample::record() }
}

#[test]
fn markdown_has_a_row_for_each_cell() {
    let markdown = render_markdown(&sample::record());
    assert!(markdown.starts_with("# 1 of 6 cells refuted, 1 broken\n"), "{markdown}");
    let rows: Vec<&str> = markdown.lines().filter(|line| line.starts_with("| ") && line.contains('`')).collect();
    assert_eq!(rows.len(), 6);
    assert_eq!(
        rows[0],
        "| proven | `one-tunnel/router=libreswan,ike.encryption=aes128` | Libreswan 5.2 \
         | strongSwan 5.9.14 standing in for Cisco IOS | IKE `aes128-sha1;modp1536`, ESP `aes128-sha1;modp1536` \
         | 80 of 80 | prediction, API, kernel and packets agree: all 80 packets were seen protected, decrypted and equal |"
    );
    assert!(rows[2].starts_with("| **refuted** |") && rows[2].contains("| 77 of 80 |"), "{}", rows[2]);
    assert!(markdown.contains("[report.html](report.html)"));
    let graded = "- disallowed: `ike group modp1536`, in ";
    assert!(markdown.contains(graded) && markdown.contains("- legacy: `IKEv1`, in "), "{markdown}");
}

#[test]
fn no_text_breaks_the_table_of_the_markdown() {
    let mut record = of(&[Verdict::Broken]);
    let cell: &mut CellRecord = &mut record.cells[0];
    cell.id = "a|b`c".into();
    cell.reason = "one | two\n\n# three <script> [four](five) `six`".into();
    let markdown = render_markdown(&record);
    let row = markdown.lines().find(|line| line.starts_with("| **broken**")).unwrap();
    assert!(row.contains(r"| `a\|b'c` |"), "{row}");
    assert!(row.ends_with(r"| one \| two \# three &lt;script&gt; \[four\](five) \`six\` |"), "{row}");
}

#[test]
fn a_sabotaged_run_is_taken_for_a_real_one_in_no_view() {
    let mut record = of(&[Verdict::Proven]);
    record.sabotage = Some("pfs-dropped".into());
    let begins = "Sabotaged by pfs-dropped: 1 of 1 cell proven";
    assert!(render_markdown(&record).starts_with(&format!("# {begins}\n")));
    let html = render_html(&record).unwrap();
    assert!(
        html.contains(&format!("<title>{begins} – Tunnelproof</title>")) && html.contains(&format!(">{begins}</h1>"))
    );
    assert!(html.contains("<code class=\"run\">tunnelproof run --sabotage pfs-dropped one</code>"));
    assert!(render_junit(&record).unwrap().contains("<testsuite name=\"sabotaged by pfs-dropped: "));
    let badge = render_badge(&record);
    assert!(badge.contains("sabotaged") && !badge.contains("proven<") && !badge.contains("#1a7f45"), "{badge}");
}

#[test]
fn the_badge_is_green_only_if_nothing_failed() {
    use Verdict::{Broken, Proven, Refuted, Skipped};
    let cases: [(&[Verdict], &str, &str); 6] = [
        (&[Proven, Proven], "2 proven", "#1a7f45"),
        (&[Proven, Skipped], "1 proven, 1 skipped", "#1a7f45"),
        (&[Proven, Refuted], "1 of 2 cells refuted", "#c0281d"),
        (&[Proven, Broken], "1 proven, 1 broken", "#5a6475"),
        (&[Skipped], "1 skipped", "#5a6475"),
        (&[], "no cells", "#5a6475"),
    ];
    for (verdicts, message, colour) in cases {
        let badge = render_badge(&of(verdicts));
        assert!(badge.contains(&format!("<title>tunnelproof: {message}</title>")), "{badge}");
        assert!(badge.contains(colour), "{message}: {badge}");
        markup::read(&format!("<!DOCTYPE html>{badge}")).unwrap();
    }
}

#[test]
fn no_view_shows_a_secret_even_if_the_record_holds_one() {
    let mut record = sample::record();
    let shown = render_html(&record).unwrap();
    assert!(shown.contains("ipsecpsk=<i>***</i>"), "that a key was sent is told");
    for cell in &mut record.cells {
        for call in &mut cell.api {
            call.parameters
                .iter_mut()
                .filter(|(name, _)| name == "ipsecpsk")
                .for_each(|(_, psk)| *psk = "hunter2".into());
            call.parameters.push(("apikey".into(), "hunter2".into()));
            call.answer = match call.answer.strip_suffix("}}") {
                Some(answer) => format!(r#"{answer},"ipsecpsk":"hunter2"}}}}"#),
                None => r#"{"answer":{"id":"1","ipsecpsk":"hunter2","na"#.to_owned(),
            };
        }
    }
    let views = [
        render_html(&record).unwrap(),
        render_markdown(&record),
        render_badge(&record),
        render_junit(&record).unwrap(),
    ];
    for view in views {
        assert!(!view.contains("hunter2"), "{view}");
    }
}

#[test]
fn a_foreign_cloud_and_what_was_left_there_are_told_in_every_view() {
    let mut record = of(&[Verdict::Skipped]);
    record.laboratory.cloud = Some(CloudRecord {
        url: "http://192.0.2.1:8080/client/api".into(),
        version: "4.0.2".into(),
        profile: "spec-2012".into(),
        leftovers: vec!["VPC tunnelproof-1234abc-1-main".into()],
    });
    let (text, outcome) = ("exchange 5 packets".to_owned(), "there are none".to_owned());
    let step = StepRecord { text, outcome, status: StepStatus::Skipped, begin_ms: 0, end_ms: 0 };
    record.cells[0].steps.push(step);
    let html = render_html(&record).unwrap();
    markup::read(&html).unwrap();
    assert!(html.contains("not run:</span> there are none") && html.contains("<dt>Not run</dt><dd>1 step</dd>"));
    let markdown = render_markdown(&record);
    assert!(markdown.contains("- exchange 5 packets, in 1 of 1 cell: there are none"), "{markdown}");
    let junit = render_junit(&record).unwrap();
    assert!(junit.contains("SKIP  exchange 5 packets: there are none"), "{junit}");
    for view in [html.replace("&#x2f;", "/"), markdown, junit] {
        let cloud = "CloudStack 4.0.2 at http://192.0.2.1:8080/client/api, held to profile spec-2012";
        assert!(view.contains(cloud) && view.contains("tunnelproof-1234abc-1-main"), "{view}");
    }
}

/// A record in which every cell is expected to end as the second verdict says.
fn expecting(verdicts: &[(Verdict, Verdict)]) -> Record {
    let mut record = of(&verdicts.iter().map(|(verdict, _)| *verdict).collect::<Vec<_>>());
    for (cell, (_, verdict)) in record.cells.iter_mut().zip(verdicts) {
        let (reason, link, until) = ("it is <known>".to_owned(), Some("https://example.com/1".to_owned()), None);
        cell.expected = Some(Expected { verdict: *verdict, reason, link, until });
    }
    record
}

#[test]
fn junit_fails_only_what_is_not_as_expected() {
    use Verdict::{Broken, Proven, Refuted, Skipped};
    let cases = [(Refuted, Refuted), (Proven, Refuted), (Skipped, Proven), (Broken, Refuted), (Proven, Proven)];
    let junit = Report::deserialize_from_str(&render_junit(&expecting(&cases)).unwrap()).unwrap();
    let statuses: Vec<_> = junit.test_suites[0].test_cases.iter().map(|case| &case.status).collect();
    let message = |status: &TestCaseStatus| match status {
        TestCaseStatus::NonSuccess { message, .. } | TestCaseStatus::Skipped { message, .. } => {
            message.clone().unwrap()
        }
        TestCaseStatus::Success { .. } => panic!("{status:?}"),
    };
    assert!(matches!(statuses[0], TestCaseStatus::Skipped { .. }), "{:?}", statuses[0]);
    assert!(
        message(statuses[0])
            .as_str()
            .starts_with("expected to be refuted: it is <known> (https://example.com/1); it is")
    );
    for (status, expected) in [(1, NonSuccessKind::Failure), (2, NonSuccessKind::Failure), (3, NonSuccessKind::Error)] {
        assert!(matches!(statuses[status], TestCaseStatus::NonSuccess { kind, .. } if *kind == expected), "{status}");
    }
    assert!(matches!(statuses[4], TestCaseStatus::Success { .. }));
}

#[test]
fn the_badge_is_green_if_everything_is_as_expected() {
    use Verdict::{Proven, Refuted};
    let mut record = expecting(&[(Refuted, Refuted), (Proven, Proven)]);
    assert!(render_badge(&record).contains("1 proven, 1 refuted") && render_badge(&record).contains("#1a7f45"));
    assert!(render_markdown(&record).starts_with("# 1 of 2 cells refuted, as expected\n"));
    let (kind, text, help) = (Grievance::Stale, "line 1: `x` matches no cell".to_owned(), "delete it".to_owned());
    record.gate = Some(Gate { file: "expected.yaml".into(), complaints: vec![Complaint { kind, text, help }] });
    assert!(render_badge(&record).contains("not as expected") && render_badge(&record).contains("#c0281d"));
    record.gate = None;
    record.cells[0].expected = None;
    assert!(render_badge(&record).contains("1 of 2 cells refuted") && render_badge(&record).contains("#c0281d"));
}

#[test]
fn choice_diagnoses_complaints_and_what_was_reused_are_told_in_every_page() {
    let mut record = expecting(&[(Verdict::Refuted, Verdict::Proven), (Verdict::Proven, Verdict::Proven)]);
    let shards = Some(Shards { count: 3, here: vec![1, 3] });
    record.choice = Some(Choice { cells: "pairwise".into(), seed: 7, of: 3_072, chosen: 16, shards });
    record.diagnoses = vec![Diagnosis {
        scenario: "policy/matrix".into(),
        codes: vec!["probes".into()],
        failed: 1,
        passed: 1,
        combinations: vec![vec![("ike.hash".into(), "md5".into()), ("dpd".into(), "true".into())]],
    }];
    let (kind, text, help) = (Grievance::Expired, "line <7> is over".to_owned(), "move the date".to_owned());
    record.gate = Some(Gate { file: "expected.yaml".into(), complaints: vec![Complaint { kind, text, help }] });
    record.cells[1].reused = Some("2026-03-01T10:00:00Z".into());
    let html = render_html(&record).unwrap();
    markup::read(&html).unwrap();
    let plain = |text: &str| text.replace("&lt;", "<").replace("&gt;", ">").replace('\\', "").replace("&#x2f;", "/");
    for view in [plain(&html), plain(&render_markdown(&record))] {
        for expected in [
            "16 of 3,072 cells, pairwise by seed 7; shard 1, 3 of 3, without 2",
            "policy/matrix: probes in 1 of 2 cells; it has ike.hash=md5 with dpd=true, and the one that passed does not",
            "line <7> is over",
            "move the date",
            "reused from the run of 1 March 2026, 10:00:00 UTC",
            "expected to be proven: it is <known> (https://example.com/1)",
            "1 of 2 cells",
        ] {
            assert!(view.contains(expected), "{expected}: {view}");
        }
    }
    let junit = render_junit(&record).unwrap();
    assert!(junit.contains("line &lt;7> is over") || junit.contains("line &lt;7&gt; is over"), "{junit}");
    assert!(junit.contains("reused from the run of"), "{junit}");
}
