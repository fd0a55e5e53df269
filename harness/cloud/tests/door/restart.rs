//! A service over the store of an earlier one.

use std::{path::PathBuf, sync::Arc};

use tunnelproof_cloud::{ClientError, Modelled, Profile, Service, StoreLocation};

use super::{Cloud, config, fabric::Network, id};

/// A database of this test's own, removed with its value.
pub struct File(PathBuf);

impl File {
    pub fn new() -> Self {
        Self(std::env::temp_dir().join(format!("tunnelproof-cloud-{}.db", uuid::Uuid::new_v4())))
    }

    pub fn location(&self) -> StoreLocation {
        StoreLocation::File(self.0.clone())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", self.0.display()));
        }
    }
}

#[tokio::test]
async fn objects_are_kept_and_tunnels_come_back() {
    let file = File::new();
    let before = Cloud::start_over(file.location(), Arc::default()).await;
    let (_, gateway, customer) = before.ready_to_connect().await;
    let connection = before.connect(&gateway, &customer).await.unwrap();
    before.service.stop().await;

    let after = Cloud::start_over(file.location(), Arc::default()).await;
    // A reset waits for its VPC to be there again.
    after.run("resetVpnConnection", &[("id", id(&connection))]).await;
    assert_eq!(after.first("listVpnConnections", "vpnconnection").await, connection);
    let log = after.network.log();
    assert_eq!(log[..2], ["deploy main 10.10.0.0/16 203.0.113.1", "main add web 10.10.1.1 10.10.1.0/24"]);
    assert!(log[2].starts_with("main apply 203.0.113.1 10.10.0.0/16 = 198.51.100.7"), "{log:?}");
}

#[tokio::test]
async fn an_unfinished_job_fails_with_a_reason() {
    let file = File::new();
    let before = Cloud::start_over(file.location(), Arc::default()).await;
    let (_, gateway, customer) = before.ready_to_connect().await;
    before.network.silent.lock().unwrap().insert([198, 51, 100, 7].into());
    let pair = [("s2svpngatewayid", gateway.as_str()), ("s2scustomergatewayid", &customer)];
    let created = before.call("createVpnConnection", &pair).await;
    assert_eq!(before.state().await, "Pending");
    // Killed, not stopped.
    drop(before.service);

    let network = Arc::new(Network::default());
    *network.full.lock().unwrap() = true;
    let after = Cloud::start_over(file.location(), network).await;
    let job = after.call("queryAsyncJobResult", &[("jobid", created["jobid"].as_str().unwrap())]).await;
    assert_eq!(job["jobstatus"], 2);
    assert_eq!(job["jobresultcode"], 530);
    assert_eq!(job["jobresult"]["errortext"], "job cancelled because of management server restart");
    assert_eq!(after.state().await, "Disconnected");

    // Without its router, the connection can be told nothing.
    let reset = after.client.run("resetVpnConnection", &[("id", id(&created))]).await;
    let Err(ClientError::Job { code, text, .. }) = reset else { panic!("{reset:?}") };
    assert_eq!(code, 534);
    assert!(text.ends_with("virtual router is not in the right state"), "{text}");
    let alerts = after.call("listAlerts", &[]).await;
    assert!(alerts["alert"][0]["description"].as_str().unwrap().ends_with("the router failed: no room"), "{alerts}");
}

#[tokio::test]
async fn connections_in_error_stay_there() {
    let file = File::new();
    let before = Cloud::start_over(file.location(), Arc::default()).await;
    let (_, gateway, customer) = before.ready_to_connect().await;
    before.network.refused.lock().unwrap().insert([198, 51, 100, 7].into());
    assert!(before.connect(&gateway, &customer).await.is_err());
    before.service.stop().await;

    let after = Cloud::start_over(file.location(), Arc::default()).await;
    // The VPN gateway cannot be made twice, and the answer waits for the VPC to be there again.
    let vpc = after.first("listVPCs", "vpc").await;
    assert!(after.client.run("createVpnGateway", &[("vpcid", id(&vpc))]).await.is_err());
    assert_eq!(after.state().await, "Error");
    assert!(after.network.log().iter().all(|line| !line.contains("apply")));
}

#[tokio::test]
async fn two_services_never_have_one_database() {
    let file = File::new();
    let start = async || {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        Service::start(config(Profile::Spec2012, file.location()), Arc::new(Modelled::agreeing()), listener).await
    };
    let first = start().await.unwrap();
    let Err(refused) = start().await else { panic!("the second service started") };
    let expected = format!("{} is in use by another service: end that one, or name another file", file.0.display());
    assert_eq!(refused.to_string(), expected);
    drop(first);
    start().await.unwrap().stop().await;
}
