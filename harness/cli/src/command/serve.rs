//! `tunnelproof serve`: the simulator as a CloudStack endpoint, until it is told to end.

use std::{
    fs,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use cloud::{Config, Fabric, Log, Modelled, Service, StoreLocation};
use jiff::Timestamp;
use lab::{image::Name, topology::Standing, world::Choice};
use policy::Daemon;
use runner::{Site, SitePlan};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use super::{Failure, Outcome, ensure, program, run::fresh, store};
use crate::{
    arguments::{ServeArguments, ServeWorld},
    paint,
};

/// In the modelled world: so many VPCs can be at once; each has one public address.
const PUBLIC_ADDRESSES: u32 = 65_534;

/// In the modelled world, where all addresses answer, the printed file names these: a network for documentation
/// (RFC 5737).
const CUSTOMERS: std::ops::RangeInclusive<u8> = 1..=20;

pub fn run(arguments: &ServeArguments) -> Result<Outcome, Failure> {
    let network = Network::new(arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(arguments, &network))
}

async fn serve(arguments: &ServeArguments, network: &Network) -> Result<Outcome, Failure> {
    // Whoever ends it meanwhile must find it listening.
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;

    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| {
        let listen = arguments.listen;
        Failure::Input(format!("--listen {listen}: {error}; name another address, or port 0 for a free one"))
    })?;
    let service = Service::start(config(arguments, network), network.fabric(), listener).await?;
    warn_of_strangers(arguments.listen);
    announce(&service, arguments, network);

    let broken = tokio::select! {
        _ = interrupted.recv() => None,
        _ = terminated.recv() => None,
        reason = network.broken() => Some(reason),
    };
    eprintln!("ending: requests that have arrived are answered");
    service.stop().await;
    match broken {
        None => Ok(Outcome::AsExpected),
        Some(reason) => Err(Failure::Laboratory(reason)),
    }
}

/// Where the service's routers are.
enum Network {
    Modelled,
    Real(Site),
}

impl Network {
    fn new(arguments: &ServeArguments) -> Result<Self, Failure> {
        let choice = match arguments.world {
            ServeWorld::Modelled => return Ok(Self::Modelled),
            ServeWorld::Auto => Choice::Auto,
            ServeWorld::Guest => Choice::Guest,
            ServeWorld::Host => Choice::Host,
        };
        let (store, program) = (store()?, program()?);
        let kind = lab::world::choose(choice, &store, &program)?;
        let standing = Standing { router: Daemon::Libreswan, customer: Daemon::Strongswan };
        let names: Vec<_> =
            kind.image().into_iter().chain([standing.router, standing.customer].map(Name::from)).collect();
        let images = ensure(&store, &names)?;
        let world = kind.world(&store)?;
        let folder = match &arguments.out {
            Some(out) => out.clone(),
            None => fresh(std::path::Path::new("target/serve"))?,
        };
        let folder = made(folder)?;
        eprintln!("routers in the {world} world, {}; their daemons' logs are in {}", world.kernel(), folder.display());
        Ok(Self::Real(Site::start(SitePlan { world, images, standing, folder, program })?))
    }

    fn fabric(&self) -> Arc<dyn Fabric> {
        match self {
            Self::Modelled => Arc::new(Modelled::agreeing()),
            Self::Real(site) => site.fabric(),
        }
    }

    fn public_addresses(&self) -> Vec<Ipv4Addr> {
        match self {
            // The network for benchmarks of interconnected networks (RFC 2544): nobody's on the internet.
            Self::Modelled => {
                let first = Ipv4Addr::new(198, 18, 0, 0).to_bits();
                (1..=PUBLIC_ADDRESSES).map(|host| Ipv4Addr::from_bits(first + host)).collect()
            }
            Self::Real(site) => site.public_addresses().to_vec(),
        }
    }

    fn customer_addresses(&self) -> Vec<Ipv4Addr> {
        match self {
            Self::Modelled => CUSTOMERS.map(|host| Ipv4Addr::new(203, 0, 113, host)).collect(),
            Self::Real(site) => site.customer_addresses().to_vec(),
        }
    }

    fn words(&self) -> &'static str {
        match self {
            Self::Modelled => "no packets: every customer gateway answers and agrees",
            Self::Real(_) => "real packets: a customer gateway answers at each address below",
        }
    }

    /// Waits until the network is gone, which a modelled one never is.
    async fn broken(&self) -> String {
        match self {
            Self::Modelled => std::future::pending().await,
            Self::Real(site) => site.broken().await,
        }
    }
}

fn made(folder: PathBuf) -> Result<PathBuf, Failure> {
    let failed =
        |error: io::Error| Failure::Laboratory(format!("{}: {error}; name a folder with --out", folder.display()));
    fs::create_dir_all(&folder).map_err(failed)?;
    folder.canonicalize().map_err(failed)
}

fn config(arguments: &ServeArguments, network: &Network) -> Config {
    Config {
        profile: arguments.profile,
        public_addresses: network.public_addresses(),
        credentials: None,
        store: arguments.db.clone().map_or(StoreLocation::Memory, StoreLocation::File),
        router_check_interval: Duration::from_secs(arguments.router_check_interval),
        log: Some(Log::new(|line| {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(io::stderr(), "{} {line}", Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ"));
        })),
    }
}

fn warn_of_strangers(listen: SocketAddr) {
    if !listen.ip().is_loopback() {
        let warning = paint::yellow("warning: ");
        eprintln!("{warning}{listen} is not loopback: pre-shared keys pass the network as clear text");
    }
}

/// What a client needs, as a file that `run --cloud` reads.
fn announce(service: &Service, arguments: &ServeArguments, network: &Network) {
    let (credentials, profile) = (service.credentials(), arguments.profile);
    let customers: Vec<_> = network.customer_addresses().iter().map(|address| format!("\"{address}\"")).collect();
    let text = format!(
        "# A CloudStack endpoint, profile {profile}; {}.\n\
         url = \"{}\"\n\
         api-key = \"{}\"\n\
         secret-key = \"{}\"\n\
         \n\
         [customers]\n\
         addresses = [{}]\n\
         answer = true\n",
        network.words(),
        service.endpoint(),
        credentials.api_key,
        credentials.secret_key,
        customers.join(", "),
    );
    let mut out = io::stdout().lock();
    // Nobody is left to tell if standard output is closed.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
