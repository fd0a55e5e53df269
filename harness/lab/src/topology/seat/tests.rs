//! Whether what a cell leaves behind is found before the next begins.
#![allow(clippy::unwrap_used)]

use std::{
    os::unix::fs::MetadataExt,
    sync::atomic::{AtomicBool, Ordering},
};

use futures_util::future::BoxFuture;

use super::*;
use crate::{
    gateway::{Status, Tunnel},
    nft::tests::in_a_worker,
    xfrm,
};

const NAME: &str = "gateway-branch";
const ADDRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

/// A daemon that knows a tunnel, or none, and is asked for nothing else.
struct Knowing(Arc<AtomicBool>);

impl Gateway for Knowing {
    fn apply<'a>(&'a self, _: &'a Tunnel) -> BoxFuture<'a, Result<()>> {
        unimplemented!()
    }

    fn initiate<'a>(&'a self, _: &'a Tunnel) -> BoxFuture<'a, Result<()>> {
        unimplemented!()
    }

    fn terminate<'a>(&'a self, _: &'a Tunnel) -> BoxFuture<'a, Result<()>> {
        unimplemented!()
    }

    fn status<'a>(&'a self, _: &'a Tunnel) -> BoxFuture<'a, Result<Status>> {
        unimplemented!()
    }

    fn remains(&self) -> BoxFuture<'_, Result<Option<String>>> {
        Box::pin(async { Ok(self.0.load(Ordering::Relaxed).then(|| "to-main".to_owned())) })
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// A stock in which a gateway waits for another cell.
struct Waiting {
    stock: Arc<Stock>,
    machine: Arc<Machine>,
    knows: Arc<AtomicBool>,
}

impl Waiting {
    async fn new() -> Self {
        let folder = PathBuf::from(crate::world::WORKPLACE).join("logs");
        let (logs, kept) = (folder.join("daemon"), folder.join("cell"));
        fs::create_dir_all(&logs).unwrap();
        fs::write(logs.join("daemon.log"), "what it said").unwrap();
        let stock = Stock::keeping(folder);
        let internet = stock.internet().await.unwrap();
        let machine = Arc::new(Machine::new(NAME, None).await.unwrap());
        let near = End { machine: &internet, interface: "g1", station: 1 };
        link::connect(near, End { machine: &machine, interface: WAN, station: 2 }).await.unwrap();
        machine.add_address(WAN, ADDRESS, 30).await.unwrap();
        machine.add_route(Ipv4Net::default(), before(ADDRESS)).await.unwrap();
        gateway::ask_for_secrets(&machine).await.unwrap();
        let knows = Arc::new(AtomicBool::new(false));
        let seat = Seat {
            name: NAME.to_owned(),
            daemon: Daemon::Libreswan,
            address: ADDRESS,
            interface: "g1".to_owned(),
            machine: Arc::clone(&machine),
            nat: None,
            daemon_now: Mutex::new(Life::Running(Arc::new(Knowing(Arc::clone(&knows))))),
            logs: logs.clone(),
        };
        stock.park(seat, &kept).await.unwrap();
        assert_eq!(fs::read_to_string(kept.join("daemon.log")).unwrap(), "what it said");
        assert_eq!(fs::read_to_string(logs.join("daemon.log")).unwrap(), "");
        Self { stock, machine, knows }
    }

    async fn take(&self, daemon: Daemon) -> Option<Result<Seat, String>> {
        let nowhere = Path::new("");
        let wanted =
            Wanted { name: NAME, daemon, address: ADDRESS, nat: false, root: nowhere, logs: nowhere, secrets: true };
        self.stock.take(&wanted).await.unwrap()
    }

    /// Why it is not used again.
    async fn refusal(&self) -> String {
        let refused = self.take(Daemon::Libreswan).await.and_then(Result::err).unwrap();
        assert!(self.take(Daemon::Libreswan).await.is_none(), "it is gone");
        refused
    }
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn a_gateway_of_which_nothing_is_left_is_used_again_by_the_same_daemon() {
    in_a_worker(async {
        let waiting = Waiting::new().await;
        assert!(waiting.take(Daemon::Strongswan).await.is_none());
        let seat = waiting.take(Daemon::Libreswan).await.unwrap().unwrap();
        seat.connect().await.unwrap();
        assert_eq!(waiting.machine.routes().await.unwrap(), 2, "to its own network, and everywhere else");
        assert!(waiting.take(Daemon::Libreswan).await.is_none(), "there is one of it");
    });
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn what_a_former_cell_left_is_found_before_the_next_begins() {
    in_a_worker(async {
        let waiting = Waiting::new().await;
        xfrm::tests::make_an_sa(&waiting.machine).await;
        let told = waiting.refusal().await;
        assert_eq!(told, format!("{NAME} had 1 SAs of a former cell, and another took its place"));
    });
    in_a_worker(async {
        let waiting = Waiting::new().await;
        let far = Machine::new("far", None).await.unwrap();
        let near = End { machine: &waiting.machine, interface: "lan0", station: 3 };
        link::connect(near, End { machine: &far, interface: "eth0", station: 4 }).await.unwrap();
        assert!(waiting.refusal().await.starts_with(&format!("{NAME} had 1 interfaces of a former cell")));
    });
    in_a_worker(async {
        let waiting = Waiting::new().await;
        waiting.knows.store(true, Ordering::Relaxed);
        assert!(waiting.refusal().await.starts_with(&format!("{NAME} had `to-main` in its daemon of a former cell")));
    });
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn a_stations_machine_is_used_again_unless_something_is_left_on_it() {
    in_a_worker(async {
        let stock = Stock::keeping(PathBuf::from(crate::world::WORKPLACE).join("logs"));
        let machine = stock.host("main.web").await.unwrap();
        let first = machine.namespace().unwrap().metadata().unwrap().ino();
        stock.park_host(machine);
        let machine = stock.host("branch.0").await.unwrap();
        assert_eq!(machine.name(), "branch.0");
        assert_eq!(machine.namespace().unwrap().metadata().unwrap().ino(), first, "it is the same one");
        let far = Machine::new("far", None).await.unwrap();
        let near = End { machine: &machine, interface: "eth0", station: 1 };
        link::connect(near, End { machine: &far, interface: "eth0", station: 2 }).await.unwrap();
        stock.park_host(machine);
        let machine = stock.host("main.web").await.unwrap();
        assert_eq!(machine.interfaces().await.unwrap(), ["lo"]);
    });
}
