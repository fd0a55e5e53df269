//! Faults of links, of the internet and of daemons, between two gateways in a guest.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, net::UdpSocket, path::PathBuf, time::Duration};

use policy::{Daemon, IkeVersion, Initiator, Policy, PreSharedKey};

use super::*;
use crate::{
    gateway::{self, Tunnel},
    image::{Name, Store, default_root},
    nft::tests::in_a_worker,
    topology::{Customer, CustomerPlan, Plan, Stock},
    wait::Wait,
    world::WORKPLACE,
    xfrm,
};

pub(crate) const NAMES: [&str; 2] = ["near", "far"];

/// A laboratory with two customers, `near` and `far`.
pub(crate) async fn laboratory(daemons: [Daemon; 2], stock: &Arc<Stock>) -> Arc<Lab> {
    let folder = PathBuf::from(WORKPLACE).join("cell");
    fs::create_dir_all(&folder).unwrap();
    let store = Store::open(default_root().unwrap());
    let tree = |daemon: Daemon| {
        let name = match daemon {
            Daemon::Libreswan => Name::Libreswan,
            Daemon::Strongswan => Name::Strongswan,
            Daemon::Strongswan59 => Name::Strongswan59,
        };
        let image =
            store.lookup(name).unwrap_or_else(|| panic!("no image of {daemon}: make it with `tunnelproof setup`"));
        (daemon, image.root())
    };
    let customer = |end: usize| CustomerPlan {
        name: NAMES[end].to_owned(),
        daemon: daemons[end],
        subnets: vec![format!("10.{end}.0.0/24").parse().unwrap()],
    };
    let plan = Plan {
        folder,
        routers: Default::default(),
        customers: vec![customer(0), customer(1)],
        initiator: Initiator::Customer,
        trees: daemons.map(tree).into(),
        standing: None,
        captured: true,
    };
    Lab::build(plan, Arc::clone(stock)).await.unwrap()
}

/// Numbered packets from one gateway to another; which of them arrived.
async fn arrived(lab: &Lab, [from, to]: [&str; 2], packets: u32, length: usize) -> BTreeSet<u32> {
    let [from, to] = [lab.place(from).await.unwrap(), lab.place(to).await.unwrap()];
    let address = to.link.address;
    let listener = to.machine.attempt("listen", move || UdpSocket::bind((address, 7000))).await.unwrap();
    let send = move || {
        let socket = UdpSocket::bind(("0.0.0.0", 7001))?;
        (0..packets).try_for_each(|number| {
            let mut packet = vec![0; length];
            packet[..4].copy_from_slice(&number.to_be_bytes());
            socket.send_to(&packet, (address, 7000)).map(drop)
        })
    };
    from.machine.attempt("send", send).await.unwrap();
    tokio::task::spawn_blocking(move || {
        listener.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
        let mut buffer = [0; 2000];
        let mut found = BTreeSet::new();
        while listener.recv(&mut buffer).is_ok() {
            found.insert(u32::from_be_bytes(buffer[..4].try_into().unwrap()));
        }
        found
    })
    .await
    .unwrap()
}

/// As many packets as a socket has room for.
const MANY: u32 = 200;
const THERE: [&str; 2] = NAMES;
const BACK: [&str; 2] = [NAMES[1], NAMES[0]];

async fn count(lab: &Lab, way: [&str; 2], length: usize) -> usize {
    arrived(lab, way, 1, length).await.len()
}

fn lossy(way: Way, hundredths: u16) -> LinkChange {
    let loss = Share::new(hundredths).unwrap();
    LinkChange::Impaired { way, impairment: Impairment { loss, ..Impairment::default() } }
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn a_link_loses_as_much_as_it_is_told_and_the_same_packets_for_the_same_seed() {
    in_a_worker(async {
        let lab = laboratory([Daemon::Strongswan; 2], &Stock::empty()).await;
        assert_eq!((count(&lab, THERE, 100).await, count(&lab, BACK, 100).await), (1, 1));
        let mut seen = Vec::new();
        for (seed, way) in [(1, Way::In), (1, Way::In), (2, Way::In), (1, Way::Out)] {
            lab.change_link("far", lossy(way, 2_500), seed).await.unwrap();
            let [there, back] = [arrived(&lab, THERE, MANY, 100).await, arrived(&lab, BACK, MANY, 100).await];
            let (lossy, whole) = if way == Way::In { (there, back) } else { (back, there) };
            assert_eq!(whole.len(), MANY as usize);
            assert!((120..180).contains(&lossy.len()), "{} of {MANY}", lossy.len());
            lab.change_link("far", LinkChange::Up, 0).await.unwrap();
            seen.push(lossy);
        }
        assert_eq!(seen[0], seen[1]);
        assert_ne!(seen[0], seen[2], "another seed");
        assert_ne!(seen[0], seen[3], "another way");
        assert_eq!(arrived(&lab, THERE, MANY, 100).await.len(), MANY as usize);
    });
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn a_link_that_is_down_carries_nothing_and_the_capture_still_comes_to_its_end() {
    in_a_worker(async {
        let lab = laboratory([Daemon::Strongswan; 2], &Stock::empty()).await;
        assert_eq!((count(&lab, THERE, 100).await, count(&lab, BACK, 100).await), (1, 1));
        lab.change_link("near", LinkChange::Down, 0).await.unwrap();
        assert_eq!((count(&lab, THERE, 100).await, count(&lab, BACK, 100).await), (0, 0));
        lab.change_link("near", LinkChange::Up, 0).await.unwrap();
        assert_eq!((count(&lab, THERE, 100).await, count(&lab, BACK, 100).await), (1, 1));
        lab.change_link("near", LinkChange::Down, 0).await.unwrap();
        lab.power_off("far").await.unwrap();
        lab.finish_capture().await.unwrap();
    });
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn who_sends_too_long_a_packet_along_a_narrow_path_is_told_or_is_not() {
    in_a_worker(async {
        let lab = laboratory([Daemon::Strongswan; 2], &Stock::empty()).await;
        lab.change_link("near", LinkChange::Mtu { bytes: 1_000, told: false }, 0).await.unwrap();
        for way in [THERE, BACK] {
            assert_eq!((count(&lab, way, 900).await, count(&lab, way, 1_400).await), (1, 0));
            assert_eq!(count(&lab, way, 1_400).await, 0, "it was not told the first time");
        }
        lab.change_link("near", LinkChange::Mtu { bytes: 1_000, told: true }, 0).await.unwrap();
        for way in [THERE, BACK] {
            assert_eq!(count(&lab, way, 1_400).await, 0, "it must not be cut");
            assert_eq!(count(&lab, way, 1_400).await, 1, "the sender cuts it");
        }
        lab.change_link("near", LinkChange::Up, 0).await.unwrap();
        assert_eq!(remains(&lab.faults().internet).await.unwrap(), None);
    });
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn two_gateways_that_are_apart_do_not_hear_each_other_until_they_are_healed() {
    in_a_worker(async {
        let lab = laboratory([Daemon::Strongswan; 2], &Stock::empty()).await;
        lab.partition("near", "far").await.unwrap();
        assert_eq!((count(&lab, THERE, 100).await, count(&lab, BACK, 100).await), (0, 0));
        lab.heal("far", "near").await.unwrap();
        assert_eq!((count(&lab, THERE, 100).await, count(&lab, BACK, 100).await), (1, 1));
        assert!(lab.partition("near", "nobody").await.is_err());
    });
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn faults_end_with_their_cell_and_what_did_not_end_is_found_before_the_next() {
    in_a_worker(async {
        let stock = Stock::keeping(PathBuf::from(WORKPLACE).join("kept"));
        let make_faults = async |lab: &Lab| {
            lab.change_link("near", lossy(Way::Both, 100), 0).await.unwrap();
            lab.change_link("far", LinkChange::Mtu { bytes: 1_300, told: false }, 0).await.unwrap();
            lab.partition("near", "far").await.unwrap();
        };
        let lab = laboratory([Daemon::Strongswan; 2], &stock).await;
        make_faults(&lab).await;
        assert!(remains(&lab.faults().internet).await.unwrap().is_some());
        lab.finish_capture().await.unwrap();
        assert_eq!(remains(&lab.faults().internet).await.unwrap(), None);
        lab.leave().await.unwrap();
        drop(lab);

        let lab = laboratory([Daemon::Strongswan; 2], &stock).await;
        assert!(
            lab.kept().iter().all(|told| told.ends_with("was kept from a former cell, and empty")),
            "{:?}",
            lab.kept()
        );
        assert_eq!(lab.kept().len(), 2);
        make_faults(&lab).await;
        let internet = Arc::clone(&lab.faults().internet);
        drop(lab);
        assert_eq!(remains(&internet).await.unwrap(), None, "a cell that breaks off undoes them too");

        nft::sever(&internet, &[[[192, 0, 2, 1].into(), [192, 0, 2, 2].into()]], &[]).await.unwrap();
        let lab = laboratory([Daemon::Strongswan; 2], &stock).await;
        assert_eq!(lab.kept(), ["the internet had 1 filters of a former cell, and another took its place"]);
    });
}

const PROPOSAL: &str = "aes128-sha1;modp1536";

/// A tunnel between the two customers, as `near` sees it.
pub(crate) fn tunnel(lab: &Lab, ike: IkeVersion) -> Tunnel {
    let [near, far] = NAMES.map(|name| lab.customer(name).unwrap());
    Tunnel {
        name: Customer::tunnel_to("main"),
        local: near.address(),
        peer: far.address(),
        local_nets: near.subnets().to_vec(),
        peer_nets: far.subnets().to_vec(),
        policy: Policy::new(PROPOSAL.parse().unwrap(), PROPOSAL.parse().unwrap()),
        key: PreSharedKey::new("a key of the two"),
        ike,
        encapsulate: false,
    }
}

/// Has `near` begin a tunnel to `far`, and waits until it is up.
pub(crate) async fn bring_up(lab: &Lab, tunnel: &Tunnel) {
    lab.customer("far").unwrap().configure(tunnel.seen_from_the_peer()).await.unwrap();
    lab.customer("near").unwrap().configure(tunnel.clone()).await.unwrap();
    lab.customer("near").unwrap().initiate(&tunnel.name).await.unwrap();
    comes_up(lab, tunnel).await;
}

async fn comes_up(lab: &Lab, tunnel: &Tunnel) {
    let gateway = lab.customer("near").unwrap().gateway().unwrap();
    gateway::comes_up(gateway.as_ref(), tunnel, Duration::from_secs(60)).await.unwrap().unwrap();
}

async fn spis(lab: &Lab, party: &str) -> BTreeSet<u32> {
    let sas = xfrm::sas(&lab.place(party).await.unwrap().machine).await.unwrap().sas;
    sas.iter().map(|sa| sa.spi).collect()
}

async fn policies(lab: &Lab, party: &str) -> usize {
    xfrm::policies(&lab.place(party).await.unwrap().machine).await.unwrap().len()
}

/// Kills, restarts, and takes the plug of `near`, and gives it another key.
async fn lives_through(daemon: Daemon, ike: IkeVersion) {
    let lab = laboratory([daemon, daemon], &Stock::empty()).await;
    let tunnel = tunnel(&lab, ike);
    bring_up(&lab, &tunnel).await;

    let before = spis(&lab, "near").await;
    lab.kill_daemon("near").await.unwrap();
    assert_eq!(spis(&lab, "near").await, before, "the kernel goes on");
    assert!(policies(&lab, "near").await > 0);
    lab.restart_daemon("near").await.unwrap();
    let wait = Wait::new("new SAs", Duration::from_secs(60));
    while spis(&lab, "near").await.difference(&before).count() < 2 {
        wait.again("only old ones").await.unwrap();
    }
    comes_up(&lab, &tunnel).await;

    lab.power_off("near").await.unwrap();
    assert_eq!((spis(&lab, "near").await.len(), policies(&lab, "near").await), (0, 0));
    assert_eq!(count(&lab, BACK, 100).await, 0);
    lab.power_on("near").await.unwrap();
    comes_up(&lab, &tunnel).await;

    let other = Tunnel { key: PreSharedKey::new("another key"), ..tunnel.clone() };
    lab.reconfigure("far", "main", other.seen_from_the_peer()).await.unwrap();
    assert_eq!(spis(&lab, "far").await.len(), 0, "with the old key nothing is up");
    lab.reconfigure("near", "main", other.clone()).await.unwrap();
    comes_up(&lab, &other).await;

    lab.kill_daemon("near").await.unwrap();
    lab.customer("near").unwrap().forget(&tunnel.name).await.unwrap();
    assert_eq!((spis(&lab, "near").await.len(), policies(&lab, "near").await), (0, 0), "no daemon is needed for it");
    lab.finish_capture().await.unwrap();
    lab.leave().await.unwrap();
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn a_tunnel_comes_back_after_its_daemon_was_killed_its_plug_pulled_and_its_key_changed_libreswan() {
    in_a_worker(lives_through(Daemon::Libreswan, IkeVersion::V1));
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn a_tunnel_comes_back_after_its_daemon_was_killed_its_plug_pulled_and_its_key_changed_strongswan() {
    in_a_worker(lives_through(Daemon::Strongswan, IkeVersion::V2));
}
