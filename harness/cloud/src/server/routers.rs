//! Routers on the fabric: they are deployed with their VPCs, stopped and started, and deployed again
//! when the service starts over an existing store. Callers hold the VPC's turn.

use std::sync::Arc;

use super::{Cloud, Failure, tunnels, usage};
use crate::{
    Router, RouterPlan,
    lapse::Lapse,
    state::{State, Trigger},
    store::{connection, job, journal, router, tier, usage as counters, vm, vpc},
};

pub(crate) const NOT_RUNNING: &str = "virtual router is not in the right state";

/// How a VPC's router is to be found.
pub(crate) enum Presence {
    Running(Arc<dyn Router>),
    /// Stopped, or it could not be deployed.
    Down,
    /// The VPC has never had one.
    Absent,
}

pub(crate) fn presence(cloud: &Cloud, vpc: i64) -> Result<Presence, Failure> {
    let known = cloud.store.read(|db| router::of_vpc(db, vpc))?;
    Ok(presence_of(cloud, vpc, known.as_ref().map(|router| router.state.as_str())))
}

/// Of a router whose state, if there is one, is known.
pub(crate) fn presence_of(cloud: &Cloud, vpc: i64, state: Option<&str>) -> Presence {
    match (state, cloud.router(vpc)) {
        (None, _) => Presence::Absent,
        (Some(router::RUNNING), Some(handle)) => Presence::Running(handle),
        (Some(_), _) => Presence::Down,
    }
}

/// Gives a VPC the address that its router and its VPN gateway have, which it then keeps.
pub(crate) fn take_address(cloud: &Cloud, id: i64) -> Result<RouterPlan, Failure> {
    cloud.store.transaction(|db| {
        let vpc = vpc::find(db, id)?.ok_or_else(|| Failure::invalid(format!("unable to find VPC id={id}")))?;
        let held = vpc::source_nat(db, id)?.map(|held| held.address);
        let address = match held {
            Some(address) => Some(address),
            None => vpc::allocate_source_nat(db, &vpc, &cloud.public_addresses)?,
        };
        let none_left = || Failure::insufficient_capacity("Insufficient address capacity: no public address is free");
        let public_address = address.ok_or_else(none_left)?;
        Ok(RouterPlan { vpc: vpc.name, cidr: vpc.cidr.trunc(), public_address })
    })
}

/// Boots the router of a VPC, deployed if it is not yet, and tells it of tiers and connections.
pub(crate) async fn boot(cloud: &Cloud, id: i64) -> Result<(), Failure> {
    let plan = take_address(cloud, id)?;
    cloud.store.transaction(|db| {
        router::of_vpc_or_new(db, id)?;
        counters_of(db, id)?;
        router::set_state(db, id, router::STARTING)
    })?;
    let booted = bring_up(cloud, id, plan).await;
    let state = if booted.is_ok() { router::RUNNING } else { router::FAILED };
    cloud.store.transaction(|db| router::set_state(db, id, state))?;
    booted?;
    tell_connections(cloud, id).await
}

/// What routers count begins at nothing with each boot.
fn counters_of(db: &rusqlite::Connection, vpc: i64) -> rusqlite::Result<()> {
    connection::of_vpc(db, vpc)?.iter().try_for_each(|connection| counters::restart(db, Some(connection.id)))
}

async fn bring_up(cloud: &Cloud, id: i64, plan: RouterPlan) -> Result<(), Failure> {
    let name = plan.vpc.clone();
    let failed = |reason| {
        let text = format!("Unable to deploy the virtual router of VPC {name}: {reason}");
        Failure::unavailable("DataCenter", 1, text)
    };
    if let Some(router) = cloud.router(id) {
        return router.start().await.map_err(failed);
    }
    let router = cloud.fabric.deploy(plan).await.map_err(failed)?;
    for tier in cloud.store.read(|db| tier::of_vpc(db, id))? {
        if tier.state == tier::Network::IMPLEMENTED {
            router.add_tier(tier.as_tier()).await.map_err(failed)?;
        }
    }
    cloud.remember_router(id, router);
    Ok(())
}

/// "If the VR is restarted, the previous VPN connections would be established again automatically
/// after router boot up (except the connection in Error state)." Later releases tell a router of all
/// of them and leave it to the monitor to find out; what was left waiting in Pending is begun.
async fn tell_connections(cloud: &Cloud, vpc: i64) -> Result<(), Failure> {
    if cloud.lapses(Lapse::ForgetsConnectionsAtBoot) {
        return Ok(());
    }
    for connection in cloud.store.read(|db| connection::of_vpc(db, vpc))? {
        // Its state, and the event log, say what became of it.
        let _ = match connection.state {
            State::Pending => tunnels::start(cloud, connection.id).await,
            _ if cloud.rules.boot_tells_all => tunnels::push(cloud, connection.id).await,
            State::Disconnected => tunnels::start(cloud, connection.id).await,
            State::Error if cloud.lapses(Lapse::RestartsErrors) => {
                cloud.store.transaction(|db| connection::set_state(db, connection.id, State::Disconnected))?;
                tunnels::start(cloud, connection.id).await
            }
            _ => Ok(()),
        };
    }
    Ok(())
}

/// What is to become of a router that is shut down, even if the service ends first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Stay,
    Boot,
}

/// Stops a router that runs. Its connections are Disconnected at once, without an alert.
pub(crate) async fn halt(cloud: &Cloud, id: i64, then: Then) -> Result<(), Failure> {
    let next = if then == Then::Boot { router::STARTING } else { router::STOPPED };
    let Presence::Running(handle) = presence(cloud, id)? else {
        return cloud.store.transaction(|db| Ok(router::set_state(db, id, next)?));
    };
    usage::read(cloud, id).await?;
    cloud.store.transaction(|db| router::set_state(db, id, router::STOPPING))?;
    if let Err(reason) = handle.stop().await {
        cloud.store.transaction(|db| router::set_state(db, id, router::RUNNING))?;
        return Err(Failure::unavailable("DataCenter", 1, format!("Unable to stop the virtual router: {reason}")));
    }
    cloud.store.transaction(|db| router::set_state(db, id, next))?;
    disconnect(cloud, id)
}

/// Takes a router off the fabric, with its tunnels and its last counts, until it is deployed again or
/// its VPC is gone.
pub(crate) async fn destroy(cloud: &Cloud, id: i64) -> Result<(), Failure> {
    usage::read(cloud, id).await?;
    if let Some(router) = cloud.router(id) {
        router
            .destroy()
            .await
            .map_err(|reason| Failure::internal(format!("Failed to destroy the router: {reason}")))?;
        cloud.forget_router(id);
    }
    cloud.store.transaction(|db| {
        // What was stopped stays so, even if whoever destroys it does not get any further.
        if router::of_vpc(db, id)?.is_some_and(|router| router.state != router::STOPPED) {
            router::set_state(db, id, router::STARTING)?;
        }
        counters_of(db, id)
    })?;
    disconnect(cloud, id)
}

fn disconnect(cloud: &Cloud, vpc: i64) -> Result<(), Failure> {
    let changes = cloud.store.transaction(|db| {
        let mut changes = Vec::new();
        for connection in connection::of_vpc(db, vpc)? {
            let why = "its router was stopped";
            changes.extend(tunnels::change(cloud, db, connection.id, Trigger::RouterStopped, why)?);
            counters::restart(db, Some(connection.id))?;
        }
        Ok::<_, Failure>(changes)
    })?;
    tunnels::tell(cloud, &changes);
    Ok(())
}

/// Puts an end to what the last service over this store left unfinished. Returns the VPCs whose
/// routers are to be deployed again.
pub(crate) fn recover(cloud: &Cloud) -> Result<Vec<i64>, Failure> {
    let (vpcs, changes) = cloud.store.transaction(|db| {
        let restarted = Failure::internal("job cancelled because of management server restart");
        job::fail_unfinished(db, restarted.code, &restarted.to_job_result())?;
        tier::remove_unimplemented(db)?;
        vm::finish_starting(db)?;
        vpc::keep_half_deleted(db)?;
        counters::restart(db, None)?;
        let mut changes = Vec::new();
        for connection in connection::ids(db)? {
            let why = "the service was started again";
            changes.extend(tunnels::change(cloud, db, connection, Trigger::RouterLost, why)?);
        }
        let mut vpcs = Vec::new();
        for id in vpc::ids(db)? {
            let Some(vpc) = vpc::find(db, id)? else { continue };
            // One without a router row has been waiting for its first tier, or for its deployment.
            let stopped = router::of_vpc(db, id)?.map_or(!vpc.start, |router| router.state == router::STOPPED);
            if !stopped {
                vpcs.push(id);
            }
        }
        Ok::<_, Failure>((vpcs, changes))
    })?;
    tunnels::tell(cloud, &changes);
    Ok(vpcs)
}

/// Starts one task for each VPC; what is asked of a VPC meanwhile waits until it is done.
pub(crate) fn restore(cloud: &Arc<Cloud>, vpcs: Vec<i64>) {
    for id in vpcs {
        let turn = cloud.turns.queue(id);
        let task = cloud.clone();
        cloud.spawn(async move {
            let _turn = turn.come().await;
            if let Err(failure) = boot(&task, id).await {
                let subject = format!("Failed to start VPC {id} again: {}", failure.text);
                // With the store gone as well there is nobody left to tell.
                let _ = task.store.transaction(|db| journal::alert(db, &subject));
            }
        });
    }
}
