//! Faults of links, of the internet and of daemons, between two gateways in a guest.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, net::UdpSocket, path::PathBuf, time::Duration};

use policy::{Daemon, IkeVersion, Initiator, Policy, PreSharedKey};
use scenario::fault::{Action, Exchange};
use wire::audit::Expected;

use super::*;
use crate::{
    gateway::{self, Tunnel},
    image::{Name, Store, default_root},
    nft::tests::in_a_worker,
    topology::{Customer, CustomerPlan, Flow, Plan, Stock},
    wait::Wait,
    world::WORKPLACE,
    xfrm,
};

pub(crate) const NAMES: [&str; 2] = ["near", "far"];

/// A laboratory with two customers, `near` and `far`.
pub(crate) async fn laboratory(daemons: [Daemon; 2], stock: &Arc<Stock>) -> Arc<Lab> {
    with_nat(daemons, stock, None).await
}

/// A laboratory in which `near` may be behind a NAT, and the one begins or the other.
async fn with_nat(daemons: [Daemon; 2], stock: &Arc<Stock>, nat: Option<Initiator>) -> Arc<Lab> {
    Lab::build(plan(daemons, nat), Arc::clone(stock)).await.unwrap()
}

pub(super) fn plan(daemons: [Daemon; 2], nat: Option<Initiator>) -> Plan {
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
        nat: end == 0 && nat.is_some(),
    };
    Plan {
        folder,
        routers: Default::default(),
        customers: vec![customer(0), customer(1)],
        initiator: nat.unwrap_or(Initiator::Customer),
        trees: daemons.map(tree).into(),
        standing: None,
        captured: true,
    }
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

pub(super) const PROPOSAL: &str = "aes128-sha1;modp1536";

/// A tunnel between the two customers, as `near` sees it.
pub(crate) fn tunnel(lab: &Lab, ike: IkeVersion) -> Tunnel {
    let [near, far] = NAMES.map(|name| lab.customer(name).unwrap());
    Tunnel {
        name: Customer::tunnel_to("main"),
        local: near.address(),
        identity: None,
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

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn surgery_drops_exactly_the_message_that_it_was_told_to_and_its_device_goes_with_the_capture() {
    in_a_worker(async {
        let lab = laboratory([Daemon::Libreswan; 2], &Stock::empty()).await;
        let surgery = |action, exchange, number| Surgery { action, exchange, number, from: None, times: 1 };
        let second = Duration::from_secs(1);
        for surgery in [
            surgery(Action::Duplicate, Exchange::MainMode, 1),
            surgery(Action::Delay(second), Exchange::MainMode, 3),
            surgery(Action::Replay(second), Exchange::MainMode, 4),
            surgery(Action::Drop, Exchange::QuickMode, 2),
        ] {
            lab.operate(&surgery).await.unwrap();
        }
        let tunnel = Tunnel { encapsulate: true, ..tunnel(&lab, IkeVersion::V1) };
        bring_up(&lab, &tunnel).await;
        let told: Vec<_> = lab.operations().into_iter().map(|done| done.text).collect();
        let begins = [
            "duplicated: message 1 of main-mode from the customer, ",
            "delayed by 1000 ms: message 3 of main-mode from the customer, ",
            "replayed after 1000 ms: message 4 of main-mode from the customer, ",
            "dropped: message 2 of quick-mode from the customer, ",
        ];
        assert!(told.iter().zip(begins).all(|(told, begin)| told.starts_with(begin)), "{told:?}");
        assert_eq!(told.len(), begins.len(), "{told:?}");
        let times: Vec<_> = lab.operations().iter().map(|done| done.at_ns).collect();
        assert!(times.is_sorted());

        assert_eq!(exchange(&lab, 1).await, 0, "ESP in UDP passes through the device");
        let internet = Arc::clone(&lab.faults().internet);
        assert!(remains(&internet).await.unwrap().is_some());
        lab.finish_capture().await.unwrap();
        assert_eq!(remains(&internet).await.unwrap(), None);
        assert_eq!(lab.operations().len(), begins.len(), "what was done stays known");
    });
}

/// Probes from `near` to `far` and back; how many did not arrive.
async fn exchange(lab: &Lab, number: u32) -> usize {
    let [near, far] = NAMES.map(|name| lab.stations_of(name).remove(0));
    let flows = [Flow { from: Arc::clone(&near), to: Arc::clone(&far) }, Flow { from: far, to: near }];
    lab.exchange(number, &flows, 1, Expected::Delivered, Duration::from_secs(5)).await.unwrap().missing.len()
}

/// A tunnel between `near` behind a NAT and `far`, which lives through a rebinding.
async fn is_translated(daemon: Daemon, ike: IkeVersion, begins: Initiator) {
    let stock = Stock::keeping(PathBuf::from(WORKPLACE).join("kept"));
    let lab = with_nat([daemon; 2], &stock, Some(begins)).await;
    let mut tunnel = tunnel(&lab, ike);
    // libreswan learns of another port by a message of IKE only, and without this there is none.
    tunnel.policy.dpd = true;
    let [near, far] = NAMES.map(|name| lab.customer(name).unwrap());
    far.configure(tunnel.seen_from_the_peer()).await.unwrap();
    near.configure(tunnel.clone()).await.unwrap();
    let first = if begins == Initiator::Customer { &near } else { &far };
    first.initiate(&tunnel.name).await.unwrap();
    let gateway = far.gateway().unwrap();
    let up = gateway::comes_up(gateway.as_ref(), &tunnel.seen_from_the_peer(), Duration::from_secs(60)).await.unwrap();
    assert_eq!(up, Ok(()));
    assert_eq!(exchange(&lab, 1).await, 0);
    let lives: Vec<_> = lab.sas().await.unwrap().into_iter().flat_map(|seen| seen.lives).collect();
    let public = [near.address(), far.address()];
    assert!(lives.iter().all(|life| life.sa.encapsulated && public.contains(&life.sa.source)), "{lives:?}");

    lab.rebind("near").await.unwrap();
    assert!(lab.rebind("far").await.is_err(), "it is behind none");
    let wait = Wait::new("the way back", Duration::from_secs(200));
    for number in 2.. {
        match exchange(&lab, number).await {
            0 => break,
            missing => wait.again(format!("{missing} missing")).await.unwrap(),
        }
    }
    lab.finish_capture().await.unwrap();
    drop((near, far, gateway));
    lab.leave().await.unwrap();
    drop(lab);
    let lab = with_nat([daemon; 2], &stock, Some(begins)).await;
    assert!(lab.kept().iter().all(|told| told.ends_with("was kept from a former cell, and empty")), "{:?}", lab.kept());
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn a_customer_behind_a_nat_begins_and_lives_through_a_rebinding_libreswan() {
    in_a_worker(is_translated(Daemon::Libreswan, IkeVersion::V1, Initiator::Customer));
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn a_customer_behind_a_nat_begins_and_lives_through_a_rebinding_strongswan() {
    in_a_worker(is_translated(Daemon::Strongswan, IkeVersion::V2, Initiator::Customer));
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn a_router_begins_through_the_nat_of_its_customer() {
    in_a_worker(is_translated(Daemon::Strongswan, IkeVersion::V1, Initiator::Cloud));
}
