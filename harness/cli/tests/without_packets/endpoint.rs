//! `--cloud`: what a foreign cloud is held to, and what is left out there.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use cloud::{Modelled, Profile};
use runner::record::{StepStatus, Verdict};

use crate::{Elsewhere, Folder, Ran, SECRET, endpoint, files, scenario};

const CUSTOMERS: &str = "[customers]\naddresses = [\"198.51.100.7\"]\nanswer = true\n";
const SILENT: &str = "[customers]\naddresses = [\"198.51.100.7\"]\n";

#[test]
fn what_serve_prints_is_an_endpoint_file() {
    let folder = Folder::new("served");
    let file = folder.0.join("endpoint.toml");
    let mut serve = folder
        .tunnelproof(&["serve", "--listen", "127.0.0.1:0"])
        .stdout(File::create(&file).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !fs::read_to_string(&file).unwrap().contains("answer = true\n") {
        assert!(Instant::now() < deadline, "serve printed nothing");
        thread::sleep(Duration::from_millis(10));
    }
    let ran = folder.run(&scenario("lifecycle/connect.yaml"));
    serve.kill().unwrap();
    serve.wait().unwrap();
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    assert!(ran.said.contains("against CloudStack 4.0.2 at http://127.0.0.1:"), "{}", ran.said);
    for cell in ran.cells() {
        assert_eq!(cell.verdict, Verdict::Skipped);
        assert!(cell.reason.starts_with("no packets of a foreign cloud: 2"), "{}", cell.reason);
        assert!(cell.reason.ends_with("; exchange and expect traffic were not run"), "{}", cell.reason);
    }
}

#[test]
fn nothing_is_left_in_the_cloud_and_no_secret_anywhere() {
    let (folder, cloud) = (Folder::new("tidy"), Elsewhere::serve(Profile::Spec2012, Modelled::agreeing()));
    folder.write("endpoint.toml", &cloud.endpoint(CUSTOMERS));
    let ran = folder.run(&scenario("lifecycle/reboot.yaml"));
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    assert_eq!(cloud.objects(), [""; 0]);
    let made = ran.cells()[0].api.iter().filter(|call| call.command == "createVPC").count();
    assert_eq!(made, 1);
    assert!(!ran.said.contains(SECRET));
    for file in files(&folder.0.join("out")) {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains(SECRET) && !text.contains("their-api-key"), "{}", file.display());
    }
}

#[test]
fn a_cloud_that_does_otherwise_is_refuted_and_tidied_up_all_the_same() {
    let (folder, cloud) = (Folder::new("otherwise"), Elsewhere::serve(Profile::Spec2012, Modelled::with([])));
    folder.write("endpoint.toml", &cloud.endpoint(CUSTOMERS));
    folder.write("soon.yaml", &connect_within("1s"));
    let ran = folder.run("soon.yaml");
    assert_eq!(ran.status, Some(1), "{}", ran.said);
    let cell = &ran.cells()[0];
    assert_eq!(cell.verdict, Verdict::Refuted);
    assert!(cell.reason.contains("main -> branch is Error after 1 s, not Connected"), "{}", cell.reason);
    let last = cell.steps.last().unwrap();
    assert_eq!((last.status, last.outcome.as_str()), (StepStatus::Done, "5 objects deleted"));
    assert_eq!(cloud.objects(), [""; 0]);
}

#[test]
fn where_nobody_answers_a_tunnel_is_not_asked_for() {
    let (folder, cloud) = (Folder::new("silent"), Elsewhere::serve(Profile::Spec2012, Modelled::with([])));
    folder.write("endpoint.toml", &cloud.endpoint(SILENT));
    let ran = folder.run(&scenario("lifecycle/reboot.yaml"));
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    for cell in ran.cells() {
        assert_eq!(cell.verdict, Verdict::Skipped, "{}", cell.reason);
        assert!(cell.steps[1].outcome.contains("its success was not asked for"), "{}", cell.steps[1].outcome);
        for step in cell.steps.iter().filter(|step| step.text.starts_with("expect Connected")) {
            assert_eq!(step.status, StepStatus::Skipped);
            assert!(step.outcome.contains("answer = false"), "{}", step.outcome);
        }
    }
    assert_eq!(cloud.objects(), [""; 0]);
}

#[test]
fn cells_that_need_more_addresses_than_there_are_are_skipped() {
    let (folder, cloud) = (Folder::new("addresses"), Elsewhere::serve(Profile::Spec2012, Modelled::agreeing()));
    folder.write("endpoint.toml", &cloud.endpoint(""));
    let ran = folder.run(&scenario("lifecycle/connect.yaml"));
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    let reason = "it connects 1 customers (branch), and the endpoint file has 0 addresses for customers";
    assert!(ran.cells().iter().all(|cell| cell.reason.starts_with(reason)), "{}", ran.said);
}

#[test]
fn a_scenario_for_another_release_is_skipped() {
    let (folder, cloud) = (Folder::new("release"), Elsewhere::serve(Profile::V4_22, Modelled::agreeing()));
    folder.write("endpoint.toml", &cloud.endpoint(CUSTOMERS));
    let ran = folder.run(&scenario("lifecycle/connect.yaml"));
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    for cell in ran.cells() {
        assert_eq!(cell.verdict, Verdict::Skipped);
        assert!(cell.reason.contains("for profile spec-2012, and the cloud is CloudStack 4.22.0.0"), "{}", cell.reason);
    }
}

#[test]
fn a_later_release_is_held_to_its_own_rules() {
    let (folder, cloud) = (Folder::new("later"), Elsewhere::serve(Profile::V4_22, Modelled::agreeing()));
    folder.write("endpoint.toml", &cloud.endpoint(CUSTOMERS));
    let ran = folder.run(&scenario("policy/ikev2.yaml"));
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    for cell in ran.cells() {
        assert!(cell.reason.ends_with("exchange, hold and expect traffic were not run"), "{}", cell.reason);
        let states: Vec<_> = cell.states.iter().map(|change| change.state.as_str()).collect();
        assert!(states.ends_with(&["Connected", "deleted"]), "{states:?}");
    }
    assert_eq!(cloud.objects(), [""; 0]);
}

#[test]
fn what_only_administrators_may_do_is_left_out_for_others() {
    let (folder, cloud) = (Folder::new("user"), Elsewhere::serve(Profile::Spec2012, Modelled::agreeing()));
    let parameters = [
        ("username", "alice"),
        ("password", "x"),
        ("email", "alice@example.org"),
        ("firstname", "A"),
        ("lastname", "L"),
        ("accounttype", "0"),
    ];
    let user = cloud.call("createAccount", &parameters)["account"]["user"][0].clone();
    let [api_key, secret_key] = ["apikey", "secretkey"].map(|key| user[key].as_str().unwrap().to_owned());
    folder.write("endpoint.toml", &endpoint(&cloud.service.endpoint(), &api_key, &secret_key, CUSTOMERS));
    let ran = folder.run(&scenario("lifecycle/reboot.yaml"));
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    let reboot = ran.cells()[0].steps.iter().find(|step| step.text.starts_with("reboot")).unwrap();
    assert_eq!(reboot.status, StepStatus::Skipped);
    assert!(reboot.outcome.starts_with("routers are for administrators"), "{}", reboot.outcome);
}

#[test]
fn objects_can_be_made_for_another_account() {
    let (folder, cloud) = (Folder::new("account"), Elsewhere::serve(Profile::Spec2012, Modelled::agreeing()));
    let parameters = [
        ("username", "bob"),
        ("password", "x"),
        ("email", "bob@example.org"),
        ("firstname", "B"),
        ("lastname", "B"),
        ("accounttype", "0"),
    ];
    cloud.call("createAccount", &parameters);
    let more = format!("account = \"bob\"\ndomain = \"ROOT\"\n{CUSTOMERS}");
    folder.write("endpoint.toml", &cloud.endpoint(&more));
    let ran = folder.run(&scenario("lifecycle/connect.yaml"));
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    let calls = &ran.cells()[0].api;
    for command in ["createVPC", "createNetwork", "createVpnCustomerGateway"] {
        let call = calls.iter().find(|call| call.command == command).unwrap();
        assert!(call.parameters.contains(&("account".to_owned(), "bob".to_owned())), "{command}");
    }
    assert_eq!(cloud.objects(), [""; 0]);
}

#[test]
fn keys_that_are_not_accepted_break_the_cells_and_say_what_to_check() {
    let (folder, cloud) = (Folder::new("keys"), Elsewhere::serve(Profile::Spec2012, Modelled::agreeing()));
    folder.write("endpoint.toml", &endpoint(&cloud.service.endpoint(), "their-api-key", "wrong", CUSTOMERS));
    is_broken(&folder.run(&scenario("lifecycle/connect.yaml")), "check `api-key` and `secret-key` in endpoint.toml");
}

#[test]
fn a_cloud_that_is_not_there_breaks_the_cells_and_says_what_to_check() {
    let folder = Folder::new("nowhere");
    // Port 9 of loopback discards: nothing listens there.
    folder.write("endpoint.toml", &endpoint("http://127.0.0.1:9/client/api", "a", "b", CUSTOMERS));
    is_broken(&folder.run(&scenario("lifecycle/connect.yaml")), "check `url` in endpoint.toml");
}

fn is_broken(ran: &Ran, remedy: &str) {
    assert_eq!(ran.status, Some(3), "{}", ran.said);
    for cell in ran.cells() {
        assert_eq!(cell.verdict, Verdict::Broken);
        assert!(cell.reason.contains(remedy), "{}", cell.reason);
    }
}

/// The project's own scenario of a connection, with less patience.
pub fn connect_within(time: &str) -> String {
    let path = scenario("lifecycle/connect.yaml");
    let text = fs::read_to_string(Path::new(&path)).unwrap();
    assert!(text.contains("within: 60s"));
    text.replace("within: 60s", &format!("within: {time}"))
}
