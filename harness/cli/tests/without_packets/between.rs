//! A cloud that is not what it should be: what it answers is changed on the way, or does not arrive.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use cloud::{Modelled, Profile};
use runner::record::{StepStatus, Verdict};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::{Elsewhere, Folder, endpoint::connect_within};

const CUSTOMERS: &str = "[customers]\naddresses = [\"198.51.100.7\"]\nanswer = true\n";

/// What is done to what passes.
#[derive(Clone, Copy)]
enum Change {
    /// Of one length, so that answers stay what they are otherwise.
    Answers { from: &'static str, to: &'static str },
    /// Nothing passes any more once something like this was asked for.
    CutAfter(&'static str),
}

/// Stands between a client and the cloud; returns the address to use instead of the cloud's.
fn stand_between(cloud: &Elsewhere, change: Change) -> String {
    let endpoint = cloud.service.endpoint();
    let behind = endpoint.split('/').nth(2).unwrap().to_owned();
    let listener = cloud.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(AtomicU32::new(0));
    let its = behind.clone();
    cloud.runtime.spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(&its).await.unwrap();
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::spawn(requests(from_client, to_server, change, Arc::clone(&seen)));
            tokio::spawn(answers(from_server, to_client, change));
        }
    });
    endpoint.replace(&behind, &address)
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, change: Change, seen: Arc<AtomicU32>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let text = String::from_utf8_lossy(&buffer[..length]);
        if matches!(change, Change::CutAfter(what) if text.contains(what)) {
            seen.fetch_add(1, Ordering::Relaxed);
        }
        if seen.load(Ordering::Relaxed) > 0 || to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, change: Change) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let mut text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if let Change::Answers { from, to } = change {
            assert_eq!(from.len(), to.len());
            text = text.replace(from, to);
        }
        if to.write_all(text.as_bytes()).await.is_err() {
            break;
        }
    }
}

fn run(name: &str, change: Change) -> (Folder, Elsewhere, crate::Ran) {
    let (folder, cloud) = (Folder::new(name), Elsewhere::serve(Profile::Spec2012, Modelled::agreeing()));
    let keys = Elsewhere::credentials();
    let url = stand_between(&cloud, change);
    folder.write("endpoint.toml", &crate::endpoint(&url, &keys.api_key, &keys.secret_key, CUSTOMERS));
    folder.write("soon.yaml", &connect_within("1s"));
    let ran = folder.run("soon.yaml");
    (folder, cloud, ran)
}

#[test]
fn an_answer_that_says_otherwise_than_was_asked_for_refutes() {
    let change = Change::Answers { from: "\"dpd\":true", to: "\"dpd\":null" };
    let (_folder, cloud, ran) = run("says-otherwise", change);
    assert_eq!(ran.status, Some(1), "{}", ran.said);
    for cell in ran.cells() {
        assert_eq!(cell.verdict, Verdict::Refuted);
        let wrong = "createVpnCustomerGateway: `dpd` is nothing, not true";
        assert!(cell.reason.starts_with("api-answers: ") && cell.reason.ends_with(wrong), "{}", cell.reason);
    }
    assert_eq!(cloud.objects(), [""; 0]);
}

#[test]
fn a_connection_that_never_becomes_what_it_should_refutes() {
    let change = Change::Answers { from: "\"state\":\"Connected\"", to: "\"state\":\"Conneeted\"" };
    let (_folder, cloud, ran) = run("state-otherwise", change);
    assert_eq!(ran.status, Some(1), "{}", ran.said);
    assert!(ran.cells()[0].reason.contains("is Conneeted after 1 s, not Connected"), "{}", ran.cells()[0].reason);
    assert_eq!(cloud.objects(), [""; 0]);
}

#[test]
fn what_could_not_be_deleted_is_named() {
    let (_folder, cloud, ran) = run("cut", Change::CutAfter("createVpnGateway"));
    assert_eq!(ran.status, Some(3), "{}", ran.said);
    let cell = &ran.cells()[0];
    assert_eq!(cell.verdict, Verdict::Broken);
    let left = cloud.call("listVPCs", &[])["vpc"][0]["id"].as_str().unwrap().to_owned();
    assert!(cell.reason.contains(&format!("; not deleted: VPC {left}, tier ")), "{}", cell.reason);
    assert_eq!(cell.steps.last().unwrap().status, StepStatus::Failed);
    assert_eq!(cloud.objects().len(), 2, "a VPC and its tier");
}
