//! Bytes per connection: what was once recorded never becomes less.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tunnelproof_cloud::Profile;

use super::{Cloud, config, id, refusal, restart::File};

const PEER: [u8; 4] = [198, 51, 100, 7];
const EVER: [(&str, &str); 2] = [("startdate", "2000-01-01"), ("enddate", "2199-12-31")];

/// Bytes that a connection has sent and received so far.
async fn total(cloud: &Cloud, connection: &str) -> (u64, u64) {
    let records = cloud.call("listUsageRecords", &[&EVER[..], &[("usageid", connection)]].concat()).await;
    let mut total = (0, 0);
    for record in records["usagerecord"].as_array().unwrap_or(&Vec::new()) {
        let bytes: u64 = record["rawusage"].as_str().unwrap().parse().unwrap();
        match record["usagetype"].as_i64() {
            Some(4) => total.0 += bytes,
            Some(5) => total.1 += bytes,
            _ => panic!("{record}"),
        }
    }
    total
}

#[tokio::test]
async fn bytes_are_added_up_over_everything_that_ends_a_counter() {
    for profile in Profile::ALL {
        let file = File::new();
        let cloud = Cloud::with(config(profile, file.location()), Arc::default()).await;
        let (vpc, gateway, customer) = cloud.ready_to_connect().await;
        let connection = cloud.connect(&gateway, &customer).await.unwrap();
        let connection = id(&connection).to_owned();
        assert_eq!(total(&cloud, &connection).await, (0, 0));
        cloud.network.carry(PEER, 1000, 2000);
        assert_eq!(total(&cloud, &connection).await, (1000, 2000));
        assert_eq!(total(&cloud, &connection).await, (1000, 2000));

        // What was not yet read counts as well.
        cloud.network.carry(PEER, 1, 2);
        cloud.run("resetVpnConnection", &[("id", &connection)]).await;
        cloud.network.carry(PEER, 10_000, 0);
        let router = cloud.first("listRouters", "router").await;
        cloud.run("rebootRouter", &[("id", id(&router))]).await;
        cloud.network.carry(PEER, 0, 20);
        assert_eq!(total(&cloud, &connection).await, (11_001, 2022));
        cloud.network.carry(PEER, 7, 7);
        cloud.run("restartVPC", &[("id", &vpc), ("cleanup", "true")]).await;
        assert_eq!(total(&cloud, &connection).await, (11_008, 2029));

        // Killed: what was read is kept, and routers count from nothing.
        cloud.network.carry(PEER, 100, 100);
        assert_eq!(total(&cloud, &connection).await, (11_108, 2129));
        let network = cloud.network.clone();
        drop(cloud.service);
        let cloud = Cloud::with(config(profile, file.location()), network).await;
        cloud.run("resetVpnConnection", &[("id", &connection)]).await;
        assert_eq!(total(&cloud, &connection).await, (11_108, 2129));
        cloud.network.carry(PEER, 5, 5);
        cloud.run("deleteVpnConnection", &[("id", &connection)]).await;
        assert_eq!(total(&cloud, &connection).await, (11_113, 2134));
    }
}

#[tokio::test(start_paused = true)]
async fn the_monitor_reads_too() {
    let cloud = Cloud::of(Profile::V4_22).await;
    let (_, gateway, customer) = cloud.ready_to_connect().await;
    let connection = cloud.connect(&gateway, &customer).await.unwrap();
    cloud.network.carry(PEER, 1000, 2000);
    tokio::time::sleep(Duration::from_secs(61)).await;
    // The router loses its tunnels by itself; another counter begins.
    let router = cloud.first("listRouters", "router").await;
    cloud.run("stopRouter", &[("id", id(&router))]).await;
    assert_eq!(total(&cloud, id(&connection)).await, (1000, 2000));
}

#[tokio::test]
async fn records_say_whose_and_what() {
    let cloud = Cloud::of(Profile::V4_22).await;
    let (vpc, gateway, customer) = cloud.ready_to_connect().await;
    let connection = cloud.connect(&gateway, &customer).await.unwrap();
    cloud.network.carry(PEER, 1, 2);
    let all = cloud.call("listUsageRecords", &EVER).await;
    assert_eq!(all["count"], 2);
    let record = &all["usagerecord"][0];
    for (field, value) in [
        ("usageid", id(&connection)),
        ("account", "admin"),
        ("vpcid", &vpc),
        ("rawusage", "1"),
        ("type", "Site2SiteVpnConnection"),
    ] {
        assert_eq!(record[field], *value, "{field}");
    }
    let of = async |more: &[(&str, &str)]| cloud.call("listUsageRecords", &[&EVER[..], more].concat()).await;
    assert_eq!(of(&[("type", "5")]).await["count"], 1);
    assert_eq!(of(&[("type", "1")]).await, serde_json::json!({}));
    assert_eq!(of(&[("page", "2"), ("pagesize", "1")]).await["usagerecord"][0]["rawusage"], "2");
    let past = [("startdate", "2000-01-01"), ("enddate", "2000-01-02")];
    assert_eq!(cloud.call("listUsageRecords", &past).await, Value::Object(serde_json::Map::new()));
    let wrong = [("startdate", "2000-01-03"), ("enddate", "2000-01-02")];
    assert_eq!(refusal(&cloud.client, "listUsageRecords", &wrong).await.0, 431);
    assert_eq!(refusal(&cloud.client, "listUsageRecords", &[("startdate", "x"), ("enddate", "y")]).await.0, 431);
}
