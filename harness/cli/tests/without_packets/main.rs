//! Runs without packets, through the program itself: in the modelled world, and against clouds that are served here.
#![allow(clippy::unwrap_used)]

mod between;
mod choice;
mod compare;
mod endpoint;
mod expected;
mod file;
#[path = "../folder/mod.rs"]
mod folder;
mod interrupted;
mod leftovers;
mod modelled;
mod reuse;
mod shards;

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use cloud::{Client, Config, Credentials, Fabric, Profile, Service, StoreLocation};
use folder::Folder;
use runner::record::{CellRecord, Record};
use serde_json::Value;
use tokio::runtime::Runtime;

const SECRET: &str = "a secret key that nobody may see";

impl Folder {
    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    /// The program, with the scenarios of the project in reach.
    fn tunnelproof(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tunnelproof"));
        command.current_dir(&self.0).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs a scenario against the cloud that `endpoint.toml` names.
    fn run(&self, scenario: &str) -> Ran {
        let arguments = ["run", "--cloud", "endpoint.toml", "--out", "out", scenario];
        Ran::new(self, self.tunnelproof(&arguments).output().unwrap())
    }
}

/// Sixteen cells without packets, of which the eight with a policy of more than 30 characters are refuted.
const PLANTED: &str = "
scenario: a planted fault
cloud: { vpcs: { main: { cidr: 10.10.0.0/16, tiers: { web: 10.10.1.0/24 } } } }
customers: { branch: { subnets: [172.16.10.0/24], psk: '123123' } }
policy: { ike: 3des-md5;modp1536, esp: 3des-md5 }
matrix:
  esp: [3des-md5, '3des-md5;modp1536,aes128-md5;modp1536']
  ike.hash: [md5, sha1]
  dpd: [true, false]
  cloud.vpcs.main.router: [libreswan, strongswan]
steps:
  - connect: { vpc: main, customer: branch }
  - expect: { connection: Connected, within: 60s }
  - disconnect: { vpc: main, customer: branch }
";

/// What a run said and left.
struct Ran {
    status: Option<i32>,
    said: String,
    /// None if it came to no record.
    record: Option<Record>,
}

impl Ran {
    fn new(folder: &Folder, output: Output) -> Self {
        Self::left_in(folder, "out", output)
    }

    /// A run in the modelled world that leaves its record in `out`.
    fn modelled(folder: &Folder, out: &str, arguments: &[&str]) -> Self {
        let run = ["run", "--world", "modelled", "--out", out];
        Self::left_in(folder, out, folder.tunnelproof(&[&run, arguments].concat()).output().unwrap())
    }

    fn report(folder: &Folder, out: &str, arguments: &[&str]) -> Self {
        let report = ["report", "--out", out];
        Self::left_in(folder, out, folder.tunnelproof(&[&report, arguments].concat()).output().unwrap())
    }

    fn left_in(folder: &Folder, out: &str, output: Output) -> Self {
        let record = fs::read(folder.0.join(out).join("record.json")).ok();
        Self {
            status: output.status.code(),
            said: String::from_utf8(output.stderr).unwrap(),
            record: record.map(|text| serde_json::from_slice(&text).unwrap()),
        }
    }

    fn ids(&self) -> Vec<&str> {
        self.cells().iter().map(|cell| cell.id.as_str()).collect()
    }

    fn cells(&self) -> &[CellRecord] {
        &self.record.as_ref().unwrap_or_else(|| panic!("no record: {}", self.said)).cells
    }
}

fn scenario(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(name).display().to_string()
}

/// A cloud of somebody else: it is served by threads of this process.
struct Elsewhere {
    runtime: Runtime,
    service: Service,
}

impl Elsewhere {
    fn serve(profile: Profile, fabric: impl Fabric) -> Self {
        let runtime = Runtime::new().unwrap();
        let config = Config {
            profile,
            public_addresses: (1..=9).map(|host| Ipv4Addr::new(203, 0, 113, host)).collect(),
            credentials: Some(Self::credentials()),
            store: StoreLocation::Memory,
            router_check_interval: Duration::from_secs(1),
            log: None,
        };
        let service = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            Service::start(config, Arc::new(fabric), listener).await.unwrap()
        });
        Self { runtime, service }
    }

    fn credentials() -> Credentials {
        Credentials { api_key: "their-api-key".into(), secret_key: SECRET.into() }
    }

    /// An endpoint file for it, and what else is to be in there.
    fn endpoint(&self, more: &str) -> String {
        let Credentials { api_key, secret_key } = Self::credentials();
        endpoint(&self.service.endpoint(), &api_key, &secret_key, more)
    }

    fn call(&self, command: &str, parameters: &[(&str, &str)]) -> Value {
        self.runtime.block_on(self.client().call(command, parameters)).unwrap()
    }

    fn make(&self, command: &str, parameters: &[(&str, &str)]) -> Value {
        self.runtime.block_on(self.client().run(command, parameters)).unwrap()
    }

    fn client(&self) -> Client {
        Client::new(self.service.endpoint(), Self::credentials())
    }

    /// The names, or else the ids, of everything that somebody made there.
    fn objects(&self) -> Vec<String> {
        let lists = [
            ("listVPCs", "vpc"),
            ("listNetworks", "network"),
            ("listVpnGateways", "vpngateway"),
            ("listVpnCustomerGateways", "vpncustomergateway"),
            ("listVpnConnections", "vpnconnection"),
        ];
        let mut names = Vec::new();
        for (command, object) in lists {
            let listed = self.call(command, &[("listall", "true")]);
            let items = listed[object].as_array().cloned().unwrap_or_default();
            let name = |item: &Value| item["name"].as_str().or(item["id"].as_str()).unwrap().to_owned();
            names.extend(items.iter().map(name));
        }
        names
    }
}

fn endpoint(url: &str, api_key: &str, secret_key: &str, more: &str) -> String {
    format!("url = \"{url}\"\napi-key = \"{api_key}\"\nsecret-key = \"{secret_key}\"\n{more}")
}

/// Every file beneath a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
