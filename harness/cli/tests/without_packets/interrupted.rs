//! Ctrl-C while a run waits for a foreign cloud: what it made there is deleted first.

use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use cloud::{Modelled, Profile};
use runner::record::Verdict;

use crate::{Elsewhere, Folder, Ran, endpoint::connect_within};

#[test]
fn what_was_made_is_deleted_before_the_run_ends() {
    let (folder, cloud) = (Folder::new("interrupted"), Elsewhere::serve(Profile::Spec2012, Modelled::with([])));
    let customers = "[customers]\naddresses = [\"198.51.100.7\"]\nanswer = true\n";
    folder.write("endpoint.toml", &cloud.endpoint(customers));
    // Nobody answers, so it would wait until the time is up.
    folder.write("long.yaml", &connect_within("1h"));
    let arguments = ["run", "--cloud", "endpoint.toml", "--out", "out", "long.yaml"];
    let run = folder.tunnelproof(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let in_error = |cloud: &Elsewhere| cloud.call("listVpnConnections", &[])["vpnconnection"][0]["state"] == "Error";
    while !in_error(&cloud) {
        assert!(Instant::now() < deadline, "it did not connect: {:?}", cloud.objects());
        thread::sleep(Duration::from_millis(20));
    }
    let names = cloud.objects();
    assert!(names.iter().any(|name| name.starts_with("tunnelproof-") && name.ends_with("-1-main")), "{names:?}");
    assert!(Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap().success());

    let ran = Ran::new(&folder, run.wait_with_output().unwrap());
    assert_eq!(ran.status, Some(3), "{}", ran.said);
    assert!(ran.said.contains("interrupted: what was made in the cloud is deleted"), "{}", ran.said);
    assert_eq!(cloud.objects(), [""; 0]);
    let [first, second] = ran.cells() else { panic!("{}", ran.said) };
    assert_eq!(first.verdict, Verdict::Broken);
    assert_eq!(first.reason, "the run was interrupted; then 5 objects deleted");
    assert_eq!((second.verdict, second.reason.as_str()), (Verdict::Skipped, "the run was interrupted before it"));
}
