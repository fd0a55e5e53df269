//! `tunnelproof serve`: the simulator as a CloudStack endpoint, until it is told to end.

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use cloud::{Config, Log, Modelled, Service, StoreLocation};
use jiff::Timestamp;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use super::{Failure, Outcome};
use crate::{arguments::ServeArguments, paint};

/// So many VPCs can be at once; each has one public address.
const PUBLIC_ADDRESSES: u32 = 65_534;

/// Customers that the printed file names: the network for documentation (RFC 5737).
const CUSTOMERS: std::ops::RangeInclusive<u8> = 1..=20;

pub fn run(arguments: &ServeArguments) -> Result<Outcome, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: &ServeArguments) -> Result<Outcome, Failure> {
    // Whoever ends it meanwhile must find it listening.
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;

    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| {
        Failure::Input(format!(
            "--listen {}: {error}; name another address, or port 0 for a free one",
            arguments.listen
        ))
    })?;
    let service = Service::start(config(arguments), Arc::new(Modelled::agreeing()), listener).await?;
    warn_of_strangers(arguments.listen);
    announce(&service, arguments);

    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    eprintln!("ending: requests that have arrived are answered");
    service.stop().await;
    Ok(Outcome::AsExpected)
}

fn config(arguments: &ServeArguments) -> Config {
    Config {
        profile: arguments.profile,
        // The network for benchmarks of interconnected networks (RFC 2544): nobody's on the internet.
        public_addresses: (1..=PUBLIC_ADDRESSES)
            .map(|host| Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() + host))
            .collect(),
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
fn announce(service: &Service, arguments: &ServeArguments) {
    let (credentials, customers) = (service.credentials(), CUSTOMERS.map(|n| format!("\"198.51.100.{n}\"")));
    let text = format!(
        "# A CloudStack endpoint: profile {}, modelled world. Every customer gateway answers and agrees.\n\
         url = \"{}\"\n\
         api-key = \"{}\"\n\
         secret-key = \"{}\"\n\
         \n\
         [customers]\n\
         addresses = [{}]\n\
         answer = true\n",
        arguments.profile,
        service.endpoint(),
        credentials.api_key,
        credentials.secret_key,
        customers.collect::<Vec<_>>().join(", "),
    );
    let mut out = io::stdout().lock();
    // Nobody is left to tell if standard output is closed.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
