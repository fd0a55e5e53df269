//! Endpoint files with mistakes: each is told with its place and what to write.

use cloud::{Modelled, Profile};

use crate::{Elsewhere, Folder, scenario};

const RIGHT: &str = r#"# A cloud.
url = "http://127.0.0.1:9/client/api"
api-key = "abc"
secret-key = "hunter2"
zone = "zone1"

[customers]
addresses = ["198.51.100.7", "198.51.100.8"]
answer = true
"#;

#[test]
fn mistakes_are_told_with_their_place_and_the_nearest_word() {
    // What is replaced by what; where and what is said.
    let cases = [
        ("zone =", "zoen =", "5:1", "unknown key `zoen`\n help: did you mean `zone`?"),
        ("zone =", "colour =", "5:1", "unknown key `colour`\n help: write one of url, api-key"),
        ("addresses =", "adresses =", "8:1", "unknown key `adresses`\n help: did you mean `addresses`?"),
        ("[customers]", "[customer]", "7:2", "unknown key `customer`\n help: did you mean `customers`?"),
        ("answer = true", "answer = \"yes\"", "9:10", "`answer` is of type string\n help: it has to be `true` or"),
        ("\"198.51.100.8\"", "\"198.51.100\"", "8:30", "not an IPv4 address"),
        ("\"198.51.100.8\"", "8", "8:30", "not an IPv4 address"),
        ("100.8", "100.7", "8:30", "198.51.100.7 stands twice"),
        ("[\"198.51.100.7\", \"198.51.100.8\"]", "\"198.51.100.7\"", "8:13", "`addresses` is of type string"),
        ("http://127.0.0.1:9", "ftp://127.0.0.1:9", "2:7", "`url` is not an http address"),
        ("http://127.0.0.1:9", "https://127.0.0.1:9", "2:7", "https is not spoken here"),
        ("http://127.0.0.1:9", "http://me:hunter2@127.0.0.1:9", "2:7", "`url` names a user"),
        ("http://127.0.0.1:9", "http://", "2:7", "`url` names no host"),
        ("url = \"http://127.0.0.1:9/client/api\"\n", "", "1:1", "`url` is missing\n help: write `url = \"...\"`"),
        ("secret-key = \"hunter2\"\n", "", "1:1", "`secret-key` is missing"),
        ("\"hunter2\"", "\"\"", "4:14", "`secret-key` is empty"),
        ("\"hunter2\"", "[\"hunter2\"]", "4:14", "`secret-key` is of type array"),
        ("\"hunter2\"", "\"hunter2", "4:22", "invalid basic string"),
        ("zone = \"zone1\"", "account = \"bob\"", "5:11", "an account without a domain"),
        ("zone = \"zone1\"", "domain = \"ROOT\"", "5:10", "a domain without an account"),
        ("zone = \"zone1\"", "zone = \"a\"\nzone = \"b\"", "6:1", "duplicate key"),
    ];
    let folder = Folder::new("endpoint-mistakes");
    for (right, wrong, place, expected) in cases {
        assert!(RIGHT.contains(right), "{right}");
        folder.write("endpoint.toml", &RIGHT.replacen(right, wrong, 1));
        let ran = folder.run(&scenario("lifecycle/connect.yaml"));
        assert_eq!(ran.status, Some(2), "{wrong}: {}", ran.said);
        assert!(ran.said.contains(&format!("endpoint.toml:{place}: {expected}")), "{wrong}: {}", ran.said);
        assert!(!ran.said.contains("hunter2"), "{}", ran.said);
        assert!(!folder.0.join("out").exists(), "a run with wrong input leaves nothing");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let folder = Folder::new("endpoint-all");
    folder.write("endpoint.toml", "urk = 1\n[customers]\nanswer = 2\n");
    let said = folder.run(&scenario("lifecycle/connect.yaml")).said;
    for mistake in ["`urk`", "`url` is missing", "`api-key` is missing", "`secret-key` is missing", "`answer` is of"] {
        assert!(said.contains(mistake), "{mistake}: {said}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = Folder::new("endpoint-missing");
    let ran = folder.run(&scenario("lifecycle/connect.yaml"));
    assert_eq!(ran.status, Some(2));
    assert!(
        ran.said.contains("endpoint.toml: cannot be read") && ran.said.contains("tunnelproof serve"),
        "{}",
        ran.said
    );
}

#[test]
fn what_the_cloud_does_not_have_is_told_at_its_place() {
    let (folder, cloud) = (Folder::new("endpoint-zone"), Elsewhere::serve(Profile::Spec2012, Modelled::agreeing()));
    let zone = cloud.call("listZones", &[])["zone"][0]["name"].as_str().unwrap().to_owned();
    folder.write("endpoint.toml", &cloud.endpoint(&format!("zone = \"{zone}x\"\n")));
    let ran = folder.run(&scenario("lifecycle/connect.yaml"));
    assert_eq!(ran.status, Some(2), "{}", ran.said);
    let expected = format!("endpoint.toml:4:8: the cloud has no zone `{zone}x`\n help: did you mean `{zone}`?");
    assert!(ran.said.contains(&expected), "{}", ran.said);
}

#[test]
fn other_worlds_and_jobs_are_not_for_a_foreign_cloud() {
    let folder = Folder::new("endpoint-worlds");
    for other in [["--world", "modelled"], ["--jobs", "2"]] {
        let output = folder.tunnelproof(&["run", "--cloud", "endpoint.toml"]).args(other).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("cannot be used with"), "{said}");
    }
}
