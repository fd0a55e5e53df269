//! The service through its public door, HTTP, over a network that is a table in memory.
#![allow(clippy::unwrap_used)]

mod accounts;
mod clients;
mod errors;
mod fabric;
mod foreign;
mod kept;
mod kill;
mod lifecycle;
mod limits;
mod logs;
mod model;
mod monitor;
mod release;
mod restart;
mod routers;
mod signed;
mod slow;
mod strangers;
mod usage;
mod validation;
mod wire;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use cloud::{Call, Client, Config, Credentials, Profile, Service, StoreLocation};
use fabric::{Network, Shared};
use serde_json::Value;
use tunnelproof_cloud as cloud;

fn credentials() -> Credentials {
    Credentials { api_key: "AK".to_owned(), secret_key: "SK".to_owned() }
}

fn config(profile: Profile, store: StoreLocation) -> Config {
    Config {
        profile,
        public_addresses: vec![[203, 0, 113, 1].into(), [203, 0, 113, 2].into()],
        credentials: Some(credentials()),
        store,
        router_check_interval: Config::ROUTER_CHECK_INTERVAL,
        log: None,
    }
}

/// A service, its network, and a client whose calls are all remembered.
struct Cloud {
    service: Service,
    network: Arc<Network>,
    client: Client,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Cloud {
    async fn start() -> Self {
        Self::of(Profile::Spec2012).await
    }

    async fn of(profile: Profile) -> Self {
        Self::with(config(profile, StoreLocation::Memory), Arc::default()).await
    }

    async fn start_over(store: StoreLocation, network: Arc<Network>) -> Self {
        Self::with(config(Profile::Spec2012, store), network).await
    }

    async fn with(config: Config, network: Arc<Network>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Service::start(config, Arc::new(Shared(network.clone())), listener).await.unwrap();
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let remember = calls.clone();
        let client = Client::new(service.endpoint(), credentials())
            .on_call(move |call| remember.lock().unwrap().push(call.clone()))
            .polling(Duration::from_millis(1), Duration::from_secs(600))
            .holding_time();
        Self { service, network, client, calls }
    }

    /// A client of the same service with other keys.
    fn client_of(&self, credentials: Credentials) -> Client {
        Client::new(self.service.endpoint(), credentials)
            .polling(Duration::from_millis(1), Duration::from_secs(600))
            .holding_time()
    }

    async fn call(&self, command: &str, parameters: &[(&str, &str)]) -> Value {
        self.client.call(command, parameters).await.unwrap()
    }

    async fn run(&self, command: &str, parameters: &[(&str, &str)]) -> Value {
        self.client.run(command, parameters).await.unwrap()
    }

    /// The only object of a list, or the first.
    async fn first(&self, command: &str, object: &str) -> Value {
        self.call(command, &[("listall", "true")]).await[object][0].clone()
    }

    async fn create_vpc(&self, name: &str, cidr: &str) -> String {
        let zone = self.first("listZones", "zone").await;
        let offering = self.first("listVPCOfferings", "vpcoffering").await;
        let parameters = [
            ("name", name),
            ("displaytext", name),
            ("cidr", cidr),
            ("zoneid", id(&zone)),
            ("vpcofferingid", id(&offering)),
        ];
        id(&self.run("createVPC", &parameters).await["vpc"]).to_owned()
    }

    async fn create_tier(&self, vpc: &str, name: &str, gateway: &str) -> Value {
        let zone = self.first("listZones", "zone").await;
        let offering = self.first("listNetworkOfferings", "networkoffering").await;
        let parameters = [
            ("name", name),
            ("displaytext", name),
            ("zoneid", id(&zone)),
            ("networkofferingid", id(&offering)),
            ("vpcid", vpc),
            ("gateway", gateway),
            ("netmask", "255.255.255.0"),
        ];
        self.call("createNetwork", &parameters).await["network"].clone()
    }

    async fn create_vpn_gateway(&self, vpc: &str) -> String {
        id(&self.run("createVpnGateway", &[("vpcid", vpc)]).await["vpngateway"]).to_owned()
    }

    async fn create_customer_gateway(&self, gateway: &str, cidrs: &str) -> String {
        let parameters = customer_gateway(gateway, cidrs);
        id(&self.run("createVpnCustomerGateway", &parameters).await["vpncustomergateway"]).to_owned()
    }

    /// A VPC with a tier and both gateways: the ids of VPC, VPN gateway and customer gateway.
    async fn ready_to_connect(&self) -> (String, String, String) {
        let vpc = self.create_vpc("main", "10.10.0.0/16").await;
        self.create_tier(&vpc, "web", "10.10.1.1").await;
        let gateway = self.create_vpn_gateway(&vpc).await;
        let customer = self.create_customer_gateway("198.51.100.7", "172.16.10.0/24,192.168.10.0/24").await;
        (vpc, gateway, customer)
    }

    async fn connect(&self, gateway: &str, customer: &str) -> Result<Value, cloud::ClientError> {
        let parameters = [("s2svpngatewayid", gateway), ("s2scustomergatewayid", customer)];
        Ok(self.client.run("createVpnConnection", &parameters).await?["vpnconnection"].clone())
    }

    async fn state(&self) -> String {
        let connection = self.first("listVpnConnections", "vpnconnection").await;
        connection["state"].as_str().unwrap_or("none").to_owned()
    }
}

fn customer_gateway<'a>(gateway: &'a str, cidrs: &'a str) -> [(&'static str, &'a str); 5] {
    [
        ("gateway", gateway),
        ("cidrlist", cidrs),
        ("ipsecpsk", "not for logs"),
        ("ikepolicy", "aes128-sha1;modp1536"),
        ("esppolicy", "3des-md5;modp1024"),
    ]
}

fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

/// Code and text of a refusal, whether by the answer or by the job.
async fn refusal(client: &Client, command: &str, parameters: &[(&str, &str)]) -> (i64, String) {
    match client.run(command, parameters).await {
        Err(cloud::ClientError::Api { code, text, status, .. }) => {
            assert_eq!(i64::from(status), code);
            (code, text)
        }
        Err(cloud::ClientError::Job { code, text, .. }) => (code, text),
        other => panic!("{command} {parameters:?}: {other:?}"),
    }
}
