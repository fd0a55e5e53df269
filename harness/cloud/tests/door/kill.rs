//! A service that ends at any instant, and the one after it: nothing that was acknowledged is lost,
//! every job has an end, and nothing waits for ever.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tunnelproof_cloud::{Client, Credentials, Profile, StoreLocation};

use super::{Cloud, config, customer_gateway, fabric::Network, id, restart::File};

/// What a client was told before the end.
#[derive(Default)]
struct Told {
    /// By id: how the job ended, as far as it was seen to.
    jobs: BTreeMap<String, Option<i64>>,
    /// List, id; whether it was made or unmade for certain.
    objects: BTreeMap<(&'static str, String), bool>,
}

/// Goes from createVPC to the deletes, until the service is gone. Nothing when it is.
async fn work(client: &Client, told: &Mutex<Told>) -> Option<()> {
    let first = async |list: &str, object: &str| {
        let list = client.call(list, &[("templatefilter", "all")]).await.ok()?;
        list[object][0]["id"].as_str().map(str::to_owned)
    };
    let zone = first("listZones", "zone").await?;
    let offering = first("listVPCOfferings", "vpcoffering").await?;
    let tier_offering = first("listNetworkOfferings", "networkoffering").await?;
    let vpc = [
        ("name", "main"),
        ("displaytext", "main"),
        ("cidr", "10.10.0.0/16"),
        ("zoneid", &zone),
        ("vpcofferingid", &offering),
    ];
    let vpc = make(client, told, "createVPC", "vpc", "listVPCs", &vpc).await?;
    let tier = [
        ("name", "web"),
        ("displaytext", "web"),
        ("zoneid", zone.as_str()),
        ("networkofferingid", &tier_offering),
        ("vpcid", &vpc),
        ("gateway", "10.10.1.1"),
        ("netmask", "255.255.255.0"),
    ];
    let tier = id(&client.call("createNetwork", &tier).await.ok()?["network"]).to_owned();
    told.lock().unwrap().objects.insert(("listNetworks", tier), true);
    let gateway = make(client, told, "createVpnGateway", "vpngateway", "listVpnGateways", &[("vpcid", &vpc)]).await?;
    for n in 0..3 {
        let address = format!("198.51.100.{n}");
        let cidr = format!("172.16.{n}.0/24");
        let customer = customer_gateway(&address, &cidr);
        let list = "listVpnCustomerGateways";
        let customer = make(client, told, "createVpnCustomerGateway", "vpncustomergateway", list, &customer).await?;
        let pair = [("s2svpngatewayid", gateway.as_str()), ("s2scustomergatewayid", &customer)];
        let list = "listVpnConnections";
        let connection = make(client, told, "createVpnConnection", "vpnconnection", list, &pair).await?;
        run(client, told, "resetVpnConnection", &[("id", &connection)]).await?;
        unmake(client, told, "deleteVpnConnection", list, &connection).await?;
        unmake(client, told, "deleteVpnCustomerGateway", "listVpnCustomerGateways", &customer).await?;
    }
    Some(())
}

async fn make(
    client: &Client,
    told: &Mutex<Told>,
    command: &str,
    object: &str,
    list: &'static str,
    parameters: &[(&str, &str)],
) -> Option<String> {
    let made = id(&run(client, told, command, parameters).await?[object]).to_owned();
    told.lock().unwrap().objects.insert((list, made.clone()), true);
    Some(made)
}

async fn unmake(client: &Client, told: &Mutex<Told>, command: &str, list: &'static str, its: &str) -> Option<()> {
    // From here on it may be either.
    told.lock().unwrap().objects.remove(&(list, its.to_owned()));
    run(client, told, command, &[("id", its)]).await?;
    told.lock().unwrap().objects.insert((list, its.to_owned()), false);
    Some(())
}

/// The job's result.
async fn run(client: &Client, told: &Mutex<Told>, command: &str, parameters: &[(&str, &str)]) -> Option<Value> {
    let job = client.call(command, parameters).await.ok()?["jobid"].as_str().unwrap().to_owned();
    told.lock().unwrap().jobs.insert(job.clone(), None);
    loop {
        let answer = client.call("queryAsyncJobResult", &[("jobid", &job)]).await.ok()?;
        match answer["jobstatus"].as_i64() {
            Some(0) => tokio::time::sleep(Duration::from_micros(300)).await,
            ended => {
                told.lock().unwrap().jobs.insert(job, ended);
                return (ended == Some(1)).then(|| answer["jobresult"].clone());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_any_instant() {
    for instant in 0..40_u64 {
        let profile = Profile::ALL[usize::try_from(instant % 2).unwrap()];
        let file = File::new();
        let network: Arc<Network> = Arc::default();
        let before = Cloud::with(config(profile, file.location()), network.clone()).await;
        let told: Arc<Mutex<Told>> = Arc::default();
        let (client, its) = (before.client.clone(), told.clone());
        let worker = tokio::spawn(async move { work(&client, &its).await });
        tokio::time::sleep(Duration::from_micros(700 * instant * instant / 10 + 500)).await;
        drop(before.service);
        let _ = worker.await;

        let after = Cloud::with(config(profile, file.location()), network).await;
        let told = std::mem::take(&mut *told.lock().unwrap());
        for (job, seen) in told.jobs {
            let answer = after.call("queryAsyncJobResult", &[("jobid", &job)]).await;
            let status = answer["jobstatus"].as_i64();
            assert!(seen.map_or(status != Some(0), |seen| status == Some(seen)), "{instant}: {answer}");
            assert!(status == Some(1) || answer["jobresult"]["errortext"].is_string(), "{instant}: {answer}");
        }
        for ((list, its), there) in told.objects {
            let found = after.call(list, &[("id", &its), ("listall", "true")]).await;
            assert_eq!(found["count"] == 1, there, "{instant}: {list} {its}");
        }
        // What is asked of a VPC now waits until it is there again.
        for vpc in after.call("listVPCs", &[]).await["vpc"].as_array().unwrap_or(&Vec::new()) {
            assert_eq!(vpc["state"], "Enabled");
            let _ = after.client.run("restartVPC", &[("id", id(vpc))]).await;
        }
        assert_ne!(after.state().await, "Pending", "{instant}");
        let routers = after.call("listRouters", &[]).await;
        for router in routers["router"].as_array().unwrap_or(&Vec::new()) {
            assert_eq!(router["state"], "Running", "{instant}");
        }
    }
}

#[tokio::test]
async fn a_router_that_was_stopped_stays_so() {
    for profile in Profile::ALL {
        let file = File::new();
        let before = Cloud::with(config(profile, file.location()), Arc::default()).await;
        let (_, gateway, customer) = before.ready_to_connect().await;
        before.connect(&gateway, &customer).await.unwrap();
        let router = before.first("listRouters", "router").await;
        before.run("stopRouter", &[("id", id(&router))]).await;
        drop(before.service);
        let after = Cloud::with(config(profile, file.location()), Arc::default()).await;
        assert_eq!(after.first("listRouters", "router").await["state"], "Stopped");
        assert_eq!(after.state().await, "Disconnected");
        after.run("startRouter", &[("id", id(&router))]).await;
        let log = after.network.log();
        assert!(log[0].starts_with("deploy main") && log[1].starts_with("main add web"), "{log:?}");
        assert!(log[2].starts_with("main apply"), "{log:?}");
    }
}

/// A deletion that was cut off after the router was taken away, and before the rest was: a trigger stands for the kill.
#[tokio::test]
async fn half_a_deletion_starts_no_router_that_was_stopped() {
    for profile in Profile::ALL {
        let file = File::new();
        let before = Cloud::with(config(profile, file.location()), Arc::default()).await;
        let (stopped, ..) = before.ready_to_connect().await;
        let running = before.create_vpc("second", "10.20.0.0/16").await;
        let tier = before.first("listNetworks", "network").await;
        before.run("deleteNetwork", &[("id", id(&tier))]).await;
        let routers = before.call("listRouters", &[("listall", "true")]).await["router"].clone();
        let its = routers.as_array().unwrap().iter().find(|router| router["vpcid"] == stopped.as_str()).unwrap();
        before.run("stopRouter", &[("id", id(its))]).await;
        let StoreLocation::File(path) = file.location() else { unreachable!() };
        let db = rusqlite::Connection::open(path).unwrap();
        let trigger = "CREATE TRIGGER cut BEFORE UPDATE OF removed ON vpc BEGIN SELECT RAISE(ABORT, 'cut off'); END";
        db.execute(trigger, []).unwrap();
        for vpc in [&stopped, &running] {
            assert!(before.client.run("deleteVPC", &[("id", vpc)]).await.is_err());
        }
        drop(before.service);
        db.execute("DROP TRIGGER cut", []).unwrap();

        let after = Cloud::with(config(profile, file.location()), Arc::default()).await;
        for (vpc, state) in [(&stopped, "Stopped"), (&running, "Running")] {
            // What is asked of a VPC waits until it is there again.
            after.run("updateVPC", &[("id", vpc), ("name", "again")]).await;
            let routers = after.call("listRouters", &[("listall", "true")]).await["router"].clone();
            let its = routers.as_array().unwrap().iter().find(|router| router["vpcid"] == vpc.as_str()).unwrap();
            assert_eq!(its["state"], state);
            after.run("deleteVPC", &[("id", vpc)]).await;
        }
    }
}

#[tokio::test]
async fn accounts_and_their_keys_are_kept_and_deletions_are_finished() {
    let file = File::new();
    let profile = Profile::V4_22;
    let before = Cloud::with(config(profile, file.location()), Arc::default()).await;
    let person = [("username", "alice"), ("password", "x"), ("email", "x"), ("firstname", "x"), ("lastname", "x")];
    let account = before.call("createAccount", &person).await["account"].clone();
    let key = |name: &str| account["user"][0][name].as_str().unwrap().to_owned();
    let credentials = Credentials { api_key: key("apikey"), secret_key: key("secretkey") };
    let zone = before.first("listZones", "zone").await;
    let offering = before.first("listVPCOfferings", "vpcoffering").await;
    let vpc = [("name", "main"), ("cidr", "10.10.0.0/16"), ("zoneid", id(&zone)), ("vpcofferingid", id(&offering))];
    let alice = before.client_of(credentials.clone());
    let vpc = id(&alice.run("createVPC", &vpc).await.unwrap()["vpc"]).to_owned();
    let gateway = alice.run("createVpnGateway", &[("vpcid", &vpc)]).await.unwrap();
    let customer = alice.run("createVpnCustomerGateway", &customer_gateway("198.51.100.7", "172.16.0.0/24")).await;
    let customer = id(&customer.unwrap()["vpncustomergateway"]).to_owned();
    // A job that never ends holds the VPC, so the deletion has begun and cannot go on.
    before.network.silent.lock().unwrap().insert([198, 51, 100, 7].into());
    let pair = [("s2svpngatewayid", id(&gateway["vpngateway"])), ("s2scustomergatewayid", &customer)];
    alice.call("createVpnConnection", &pair).await.unwrap();
    drop(before.service);

    let middle = Cloud::with(config(profile, file.location()), before.network.clone()).await;
    assert_eq!(middle.client_of(credentials.clone()).call("listVPCs", &[]).await.unwrap()["count"], 1);
    let job = middle.call("deleteAccount", &[("id", id(&account))]).await["jobid"].as_str().unwrap().to_owned();
    while middle.client_of(credentials.clone()).call("listVPCs", &[]).await.is_ok() {}
    drop(middle.service);

    let after = Cloud::with(config(profile, file.location()), Arc::default()).await;
    assert_eq!(after.call("queryAsyncJobResult", &[("jobid", &job)]).await["jobstatus"], 2);
    let mut left = after.call("listAccounts", &[("listall", "true")]).await;
    while left["count"] != 1 {
        left = after.call("listAccounts", &[("listall", "true")]).await;
    }
    for list in ["listVPCs", "listVpnCustomerGateways", "listVpnConnections"] {
        assert_eq!(after.call(list, &[("listall", "true")]).await, serde_json::json!({}), "{list}");
    }
}
