//! Faults of a VPC's router, which the cloud asks for tunnels meanwhile.
#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use cloud::router::{Fabric, Router, RouterPlan, Tier, Tunnel, TunnelStatus};
use policy::{Daemon, IkeVersion, Initiator, Policy, PreSharedKey};
use scenario::fault::LinkChange;
use uuid::Uuid;

use super::tests::{NAMES, PROPOSAL, plan};
use crate::{
    gateway,
    nft::tests::in_a_worker,
    topology::{Customer, Deployment, Lab, Stock},
    wait::Wait,
    xfrm,
};

async fn held(lab: &Lab, party: &str) -> usize {
    xfrm::sas(&lab.place(party).await.unwrap().machine).await.unwrap().sas.len()
}

/// A laboratory in which a router has brought up a tunnel to the customer `far`.
async fn with_router(router: Daemon, customer: Daemon, ike: IkeVersion) -> (Arc<Lab>, Arc<dyn Router>, Tunnel) {
    let mut plan = plan([router, customer], Some(Initiator::Cloud));
    plan.customers.remove(0);
    plan.routers.insert("main".into(), router);
    let lab = Lab::build(plan, Stock::empty()).await.unwrap();
    let far = lab.customer(NAMES[1]).unwrap();
    let (local, cidr) = (lab.public_addresses()[0], "10.10.0.0/16".parse().unwrap());
    let deployment = Deployment::new(Arc::clone(&lab));
    let made = deployment.deploy(RouterPlan { vpc: "main".into(), cidr, public_address: local }).await.unwrap();
    let (gateway, network) = ("10.10.1.1".parse().unwrap(), "10.10.1.0/24".parse().unwrap());
    made.add_tier(Tier { name: "web".into(), gateway, network }).await.unwrap();
    let tunnel = Tunnel {
        connection: Uuid::from_u128(1),
        local,
        local_cidr: cidr,
        peer: far.address(),
        peer_cidrs: far.subnets().to_vec(),
        policy: Policy::new(PROPOSAL.parse().unwrap(), PROPOSAL.parse().unwrap()),
        key: PreSharedKey::new("a key of the two"),
        passive: false,
        wait: true,
        ike,
        force_encapsulation: false,
        split: false,
    };
    let theirs = gateway::Tunnel {
        name: Customer::tunnel_to("main"),
        local: far.address(),
        identity: None,
        peer: local,
        local_nets: far.subnets().to_vec(),
        peer_nets: vec![cidr],
        policy: tunnel.policy.clone(),
        key: tunnel.key.clone(),
        ike: tunnel.ike,
        encapsulate: false,
    };
    far.configure(theirs).await.unwrap();
    made.apply(tunnel.clone()).await.unwrap();
    (lab, made, tunnel)
}

/// A router whose daemon is killed and started again, and killed while its tunnel is removed.
async fn carries_on(router: Daemon, customer: Daemon) {
    let (lab, made, tunnel) = with_router(router, customer, IkeVersion::V1).await;
    lab.kill_daemon("main").await.unwrap();
    assert_eq!(made.status(tunnel.connection).await.unwrap(), TunnelStatus::Up, "the kernel goes on");
    let before = held(&lab, "far").await;
    lab.restart_daemon("main").await.unwrap();
    let wait = Wait::new("the router to begin again", Duration::from_secs(60));
    while held(&lab, "far").await <= before {
        wait.again("nothing new").await.unwrap();
    }
    let wait = Wait::new("the tunnel", Duration::from_secs(60));
    while made.status(tunnel.connection).await.unwrap() != TunnelStatus::Up {
        wait.again("down").await.unwrap();
    }

    lab.partition("main", "far").await.unwrap();
    lab.change_link("main", LinkChange::Mtu { bytes: 1_200, told: true }, 0).await.unwrap();
    lab.kill_daemon("main").await.unwrap();
    made.remove(tunnel.connection).await.unwrap();
    assert_eq!(held(&lab, "main").await, 0, "no daemon is needed for it");
    lab.finish_capture().await.unwrap();
    made.destroy().await.unwrap();
    assert!(lab.kill_daemon("main").await.is_err(), "there is no such router any more");
    lab.leave().await.unwrap();
    assert_eq!(lab.failure(), None);
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn a_router_whose_daemon_was_killed_begins_again_and_forgets_without_it_libreswan() {
    in_a_worker(carries_on(Daemon::Libreswan, Daemon::Strongswan));
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn a_router_whose_daemon_was_killed_begins_again_and_forgets_without_it_strongswan() {
    in_a_worker(carries_on(Daemon::Strongswan, Daemon::Libreswan));
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn a_router_forgets_a_tunnel_to_a_customer_that_will_never_answer() {
    in_a_worker(async {
        // charon keeps what it has until its peer has confirmed that it is deleted.
        let (lab, made, tunnel) = with_router(Daemon::Strongswan, Daemon::Strongswan, IkeVersion::V2).await;
        lab.power_off("far").await.unwrap();
        made.remove(tunnel.connection).await.unwrap();
        assert_eq!(held(&lab, "main").await, 0);
        lab.finish_capture().await.unwrap();
        made.destroy().await.unwrap();
        lab.leave().await.unwrap();
    });
}
