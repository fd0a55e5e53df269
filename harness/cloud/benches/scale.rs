//! How the service grows: the same figures at 100, 1,000 and 10,000 VPCs, each with a tier, a VPN gateway
//! and a connection, over a database in a file and routers that answer at once.
//!
//! `cargo bench -p tunnelproof-cloud` prints them beside their limits. Requests are signed and go through
//! HTTP, over connections that stay open; times are the client's, by the clock on the wall.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tunnelproof_cloud::{Client, Config, Modelled, Profile, Service, StoreLocation};

const SIZES: [usize; 3] = [100, 1_000, 10_000];
/// Creations at once while the cloud is filled; those that are measured come one after another.
const TASKS: usize = 8;
const MEASURED: usize = 50;

fn main() {
    // `cargo test --benches` only wants to know whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(grow());
}

async fn grow() {
    let path = std::env::temp_dir().join(format!("tunnelproof-scale-{}.db", uuid::Uuid::new_v4()));
    let config = Config {
        profile: Profile::Spec2012,
        public_addresses: (1..=65_534).map(|n| Ipv4Addr::from_bits(0xc612_0000 + n)).collect(),
        credentials: None,
        store: StoreLocation::File(path.clone()),
        // Sweeps are asked for.
        router_check_interval: Duration::ZERO,
        log: None,
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = Service::start(config, Arc::new(Modelled::agreeing()), listener).await.unwrap();
    let cloud = Cloud::new(&service).await;

    let names = ["create, ms", "page 500, ms", "list id, ms", "p95, ms", "sweep, ms", "RSS, MiB"];
    println!("{:>7}{}", "size", names.map(|name| format!("{name:>14}")).concat());
    let mut made = 0;
    let mut rows: Vec<Figures> = Vec::new();
    for size in SIZES {
        cloud.fill(made..size - MEASURED).await;
        let mut creations = Vec::new();
        for n in size - MEASURED..size {
            creations.push(cloud.connect(n).await);
        }
        made = size;
        let figures = measure(&service, &cloud, creations).await;
        println!("{size:>7}{}", figures.all().map(|figure| format!("{figure:>14.2}")).concat());
        rows.push(figures);
    }
    compare(&rows);
    service.stop().await;
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", path.display()));
    }
}

struct Figures {
    create: f64,
    page: f64,
    by_id: f64,
    p95: f64,
    sweep: f64,
    resident: f64,
}

impl Figures {
    fn all(&self) -> [f64; 6] {
        [self.create, self.page, self.by_id, self.p95, self.sweep, self.resident]
    }
}

/// With the limits, and with proportion: ten times as much there may cost ten times as much.
fn compare(rows: &[Figures]) {
    let last = rows.last().unwrap();
    println!();
    for (name, value, limit) in [
        ("signed list, 95th percentile, ms", last.p95, 5.0),
        ("sweep of 10,000, ms", last.sweep, 1_000.0),
        ("resident memory, MiB", last.resident, 300.0),
    ] {
        println!("{name:<34} {value:>8.1} of {limit:>6.0}: ratio {:.3}", value / limit);
    }
    let grows = |name: &str, column: fn(&Figures) -> f64| {
        let steps: Vec<_> = rows.windows(2).map(|two| format!("{:.2}", column(&two[1]) / column(&two[0]))).collect();
        println!("{name:<34} grows by {}, where 10 is in proportion", steps.join(", then "));
    };
    grows("createVpnConnection", |row| row.create);
    grows("page of 500", |row| row.page);
    grows("sweep", |row| row.sweep);
    let each: Vec<_> =
        rows.iter().zip(SIZES).map(|(row, size)| format!("{:.1}", row.sweep * 1e3 / size as f64)).collect();
    println!("{:<34} {} microseconds for each connection", "sweep", each.join(", "));
}

async fn measure(service: &Service, cloud: &Cloud, creations: Vec<(f64, String)>) -> Figures {
    let (took, ids): (Vec<f64>, Vec<String>) = creations.into_iter().unzip();
    let (client, endpoint) = (cloud.client.clone(), service.endpoint());
    let asked = tokio::task::spawn_blocking(move || {
        let mut door = Door::open(&endpoint);
        let mut list = |parameters: &[(&str, &str)]| door.time(&client.signed_form("listVpnConnections", parameters));
        let page = [("listall", "true"), ("page", "1"), ("pagesize", "500")];
        let pages: Vec<f64> = (0..100).map(|_| list(&page)).collect();
        let by_id: Vec<f64> = (0..20).flat_map(|_| &ids).map(|id| list(&[("id", id)])).collect();
        (pages, by_id)
    });
    let (pages, by_id) = asked.await.unwrap();
    let mut sweeps = Vec::new();
    for _ in 0..5 {
        let begin = Instant::now();
        service.check_connections().await;
        sweeps.push(milliseconds(begin));
    }
    Figures {
        create: percentile(took, 0.5),
        // Pages of 500, too, are list calls.
        p95: percentile(by_id.iter().chain(&pages).copied().collect(), 0.95),
        page: percentile(pages, 0.5),
        by_id: percentile(by_id, 0.5),
        sweep: percentile(sweeps, 0.5),
        resident: resident(),
    }
}

#[derive(Clone)]
struct Cloud {
    client: Client,
    zone: Arc<str>,
    vpc_offering: Arc<str>,
    network_offering: Arc<str>,
}

impl Cloud {
    async fn new(service: &Service) -> Self {
        let client = Client::new(service.endpoint(), service.credentials().clone())
            .polling(Duration::from_micros(200), Duration::from_secs(60));
        let first = async |command: &str, object: &str| -> Arc<str> {
            client.call(command, &[]).await.unwrap()[object][0]["id"].as_str().unwrap().into()
        };
        Self {
            zone: first("listZones", "zone").await,
            vpc_offering: first("listVPCOfferings", "vpcoffering").await,
            network_offering: first("listNetworkOfferings", "networkoffering").await,
            client,
        }
    }

    async fn fill(&self, numbers: std::ops::Range<usize>) {
        let tasks = (0..TASKS).map(|task| {
            let (cloud, mine) = (self.clone(), numbers.clone().skip(task).step_by(TASKS));
            tokio::spawn(async move {
                for n in mine {
                    cloud.connect(n).await;
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    }

    /// Makes the n-th VPC and its connection. Returns how many milliseconds createVpnConnection took
    /// until its job was seen to have succeeded, and the connection's id.
    async fn connect(&self, n: usize) -> (f64, String) {
        let name = format!("vpc-{n}");
        let run = async |command, parameters: &[(&str, &str)]| self.client.run(command, parameters).await.unwrap();
        let parameters = [
            ("name", name.as_str()),
            ("displaytext", &name),
            ("cidr", "10.10.0.0/16"),
            ("zoneid", &self.zone),
            ("vpcofferingid", &self.vpc_offering),
        ];
        let vpc = id(&run("createVPC", &parameters).await["vpc"]);
        let parameters = [
            ("name", "web"),
            ("displaytext", "web"),
            ("zoneid", &self.zone),
            ("networkofferingid", &self.network_offering),
            ("vpcid", &vpc),
            ("gateway", "10.10.1.1"),
            ("netmask", "255.255.255.0"),
        ];
        self.client.call("createNetwork", &parameters).await.unwrap();
        let gateway = id(&run("createVpnGateway", &[("vpcid", &vpc)]).await["vpngateway"]);
        let address = Ipv4Addr::from_bits(0xcb00_0000 + n as u32).to_string();
        let parameters = [
            ("gateway", address.as_str()),
            ("cidrlist", "172.16.10.0/24,192.168.10.0/24"),
            ("ipsecpsk", "a key for the benchmark"),
            ("ikepolicy", "aes128-sha1;modp1536"),
            ("esppolicy", "aes128-sha1;modp1536"),
        ];
        let customer = id(&run("createVpnCustomerGateway", &parameters).await["vpncustomergateway"]);
        let parameters = [("s2svpngatewayid", gateway.as_str()), ("s2scustomergatewayid", &customer)];
        let begin = Instant::now();
        let connection = run("createVpnConnection", &parameters).await["vpnconnection"].take();
        let took = milliseconds(begin);
        assert_eq!(connection["state"], "Connected");
        (took, id(&connection))
    }
}

fn id(object: &Value) -> String {
    object["id"].as_str().unwrap().to_owned()
}

/// A connection that stays open.
struct Door(BufReader<TcpStream>);

impl Door {
    fn open(endpoint: &str) -> Self {
        let authority = endpoint.trim_start_matches("http://").split('/').next().unwrap();
        let stream = TcpStream::connect(authority).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Milliseconds from the request's first byte to the answer's last.
    fn time(&mut self, form: &str) -> f64 {
        let begin = Instant::now();
        let length = form.len();
        let request = format!(
            "POST /client/api HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {length}\r\n\r\n{form}"
        );
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            self.0.read_until(b'\n', &mut head).unwrap();
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        let took = milliseconds(begin);
        assert!(body.windows(9).any(|part| part == b"Connected"));
        took
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn percentile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
}

/// Of this process, the service and its clients together, in MiB.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() / 1024.0
}
