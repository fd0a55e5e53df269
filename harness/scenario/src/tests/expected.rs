//! Files of expected results, and what is said of wrong ones.

use crate::{Date, Verdict, parse_expected};

const RIGHT: &str = "
# Known to fail.
- cells: policy/matrix/*hash=md5*router=libreswan*
  verdict: refuted
  reason: libreswan refuses MD5 there
  link: https://example.com/1
  until: 2027-02-28
- { cells: quickstart, verdict: proven, reason: it may not be skipped }
";

#[test]
fn entries_come_out_with_their_lines() {
    let expected = parse_expected("expected.yaml", RIGHT).unwrap();
    let [known, other] = expected.as_slice() else { panic!("{expected:?}") };
    assert_eq!((known.line, other.line), (3, 8));
    assert_eq!((known.verdict, other.verdict), (Verdict::Refuted, Verdict::Proven));
    assert_eq!(known.until.unwrap().to_string(), "2027-02-28");
    assert_eq!(known.link.as_deref(), Some("https://example.com/1"));
    assert!(parse_expected("expected.yaml", "[]\n").unwrap().is_empty());
}

#[test]
fn patterns() {
    let matches = |pattern: &str, id: &str| {
        let text = format!("- {{ cells: \"{pattern}\", verdict: refuted, reason: r }}");
        parse_expected("a.yaml", &text).unwrap()[0].cells.matches(id)
    };
    let id = "policy/matrix/ike.hash=md5,esp.hash=sha1,router=libreswan";
    for pattern in [id, "*", "policy/*", "*libreswan", "policy/*,esp.hash=sha?,*", "**md5**", "p*/m*/*=sha1,*n"] {
        assert!(matches(pattern, id), "{pattern}");
    }
    for pattern in ["policy", "policy/matrix/", "*strongswan", "matrix/*", "policy/matrix/?", "*sha1", "?"] {
        assert!(!matches(pattern, id), "{pattern}");
    }
}

#[test]
fn days() {
    let date = |text: &str| text.parse::<Date>();
    assert!(date("2026-12-31").unwrap() < date("2027-01-01").unwrap());
    assert!(date("2028-02-29").is_ok() && date("2000-02-29").is_ok());
    for wrong in ["2027-02-29", "2100-02-29", "2027-13-01", "2027-00-01", "2027-1-1", "27-01-01", "2027-01-32", "soon"]
    {
        assert!(date(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_to_write() {
    let cases = [
        ("verdict: refuted", "verdict: refutet", "4:12: unknown verdict `refutet`", "did you mean `refuted`?"),
        (
            "  reason: libreswan refuses MD5 there\n",
            "",
            "3:3: `reason` is missing in an expected result",
            "`reason: WHY`",
        ),
        ("until: 2027-02-28", "until: 2027-02-30", "7:10: `2027-02-30` is not a day", "such as `2027-01-31`"),
        ("until:", "untill:", "7:3: unknown key `untill`", "did you mean `until`?"),
        ("link: https://", "link: ", "6:9: `example.com/1` is not a link", "begins with `https://`"),
        (
            "cells: quickstart",
            "cells: policy/matrix/*hash=md5*router=libreswan*",
            "8:12: `policy/",
            "keep one of the two",
        ),
        ("reason: it may not be skipped", "reason: \"\"", "8:49: the reason is empty", "one line"),
        (
            "- { cells: quickstart,",
            "- quickstart\n- { cells: other,",
            "8:3: an expected result is a mapping",
            "its keys",
        ),
    ];
    for (right, wrong, place, help) in cases {
        assert!(RIGHT.contains(right), "{right}");
        let said = parse_expected("expected.yaml", &RIGHT.replacen(right, wrong, 1)).unwrap_err().to_string();
        assert!(said.contains(&format!("expected.yaml:{place}")) && said.contains(help), "{said}");
    }
    let empty = parse_expected("expected.yaml", "# nothing\n").unwrap_err().to_string();
    assert!(empty.contains("the file is empty") && empty.contains("`[]`"), "{empty}");
    let no_list = parse_expected("expected.yaml", "cells: x\n").unwrap_err().to_string();
    assert!(no_list.contains("expected results are a list, and here is a mapping"), "{no_list}");
}
