//! A cloud over a laboratory that stands: its API answers here, its daemons run in a guest.

use std::time::{Duration, Instant};

use cloud::{Client, Config, Profile, Service, StoreLocation};
use lab::{
    image::{Store, default_root},
    topology::Standing,
    world::World,
};
use libtest_mimic::Completion;
use policy::Daemon;
use runner::{Site, SitePlan};
use serde_json::Value;

use crate::{Made, Outcome, folder, program};

/// The monitor looks every second.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn connects_where_a_customer_answers() -> Outcome {
    let made = match Made::find(Store::open(default_root()?)) {
        Ok(made) => made,
        Err(ignored) => return Ok(ignored),
    };
    let site = Site::start(SitePlan {
        world: World::Guest(made.kernel),
        images: made.daemons,
        standing: Standing { router: Daemon::Libreswan, customer: Daemon::Strongswan },
        folder: folder("standing"),
        program: program(),
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(connect(&site))?;
    Ok(Completion::Completed)
}

async fn connect(site: &Site) -> Result<(), Box<dyn std::error::Error>> {
    let config = Config {
        profile: Profile::V4_22,
        public_addresses: site.public_addresses().to_vec(),
        credentials: None,
        store: StoreLocation::Memory,
        router_check_interval: Duration::from_secs(1),
        log: None,
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let service = Service::start(config, site.fabric(), listener).await?;
    let client = Client::new(service.endpoint(), service.credentials().clone())
        .polling(Duration::from_millis(20), Duration::from_secs(60));
    let cloud = Cloud { client };

    // The names are longer than an interface's may be, and the same twice.
    let answered = cloud.connect("10.10", &site.customer_addresses()[0].to_string()).await?;
    let silent = cloud.connect("10.20", "203.0.113.3").await?;
    cloud.wait_for(&answered, "Connected").await;
    cloud.wait_for(&silent, "Disconnected").await;
    let router = cloud.first("listRouters", "router").await?;
    cloud.client.run("rebootRouter", &[("id", &router)]).await?;
    cloud.wait_for(&answered, "Connected").await;
    assert_ne!(cloud.state(&silent).await, "Connected", "nobody answers at 203.0.113.3");
    cloud.client.run("deleteVpnConnection", &[("id", &answered)]).await?;
    service.stop().await;
    Ok(())
}

struct Cloud {
    client: Client,
}

impl Cloud {
    /// A VPC with a tier, connected with a customer gateway; returns the connection.
    async fn connect(&self, net: &str, customer: &str) -> Result<String, Box<dyn std::error::Error>> {
        let name = "a VPC with quite a long name";
        let (zone, offering) =
            (self.first("listZones", "zone").await?, self.first("listVPCOfferings", "vpcoffering").await?);
        let cidr = format!("{net}.0.0/16");
        let parameters = [("name", name), ("cidr", &cidr), ("zoneid", &zone), ("vpcofferingid", &offering)];
        let vpc = id(&self.client.run("createVPC", &parameters).await?["vpc"]);
        let offering = self.first("listNetworkOfferings", "networkoffering").await?;
        let gateway = format!("{net}.1.1");
        let parameters = [
            ("name", "a tier with quite a long name"),
            ("networkofferingid", &offering),
            ("zoneid", &zone),
            ("vpcid", &vpc),
            ("gateway", &gateway),
            ("netmask", "255.255.255.0"),
        ];
        self.client.call("createNetwork", &parameters).await?;
        let gateway = id(&self.client.run("createVpnGateway", &[("vpcid", &vpc)]).await?["vpngateway"]);
        let parameters = [
            ("gateway", customer),
            ("cidrlist", "172.16.10.0/24"),
            ("ipsecpsk", "of this test"),
            ("ikepolicy", "aes128-sha1;modp1536"),
            ("esppolicy", "aes128-sha1;modp1536"),
            ("ikeversion", "ikev1"),
        ];
        let customer = self.client.run("createVpnCustomerGateway", &parameters).await?;
        let customer = id(&customer["vpncustomergateway"]);
        let parameters = [("s2svpngatewayid", gateway.as_str()), ("s2scustomergatewayid", &customer)];
        Ok(id(&self.client.run("createVpnConnection", &parameters).await?["vpnconnection"]))
    }

    async fn first(&self, command: &str, object: &str) -> Result<String, Box<dyn std::error::Error>> {
        Ok(id(&self.client.call(command, &[("listall", "true")]).await?[object][0]))
    }

    async fn state(&self, connection: &str) -> String {
        let listed = self.client.call("listVpnConnections", &[("id", connection)]).await.unwrap();
        listed["vpnconnection"][0]["state"].as_str().unwrap_or("not listed").to_owned()
    }

    async fn wait_for(&self, connection: &str, wanted: &str) {
        let begin = Instant::now();
        loop {
            let state = self.state(connection).await;
            if state == wanted {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "the connection is {state}, not {wanted}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn id(object: &Value) -> String {
    object["id"].as_str().unwrap_or_else(|| panic!("no id: {object}")).to_owned()
}
