//! VPCs on the fabric: their routers are deployed with them, and again when the service starts over
//! an existing store.

use std::sync::Arc;

use super::{Cloud, Failure, tunnels};
use crate::{
    RouterPlan,
    state::{self, State, Trigger},
    store::{connection, job, journal, tier, vpc},
};

pub(crate) const NOT_RUNNING: &str = "virtual router is not in the right state";

/// Deploys the router of a VPC, at a source NAT address that the VPC keeps.
pub(crate) async fn deploy(cloud: &Cloud, id: i64) -> Result<(), Failure> {
    let plan = cloud.store.transaction(|db| {
        let vpc = vpc::find(db, id)?.ok_or_else(|| Failure::invalid(format!("unable to find VPC id={id}")))?;
        let held = vpc::source_nat(db, id)?.map(|held| held.address);
        let address = match held {
            Some(address) => Some(address),
            None => vpc::allocate_source_nat(db, &vpc, &cloud.public_addresses)?,
        };
        let none_left = || Failure::insufficient_capacity("Insufficient address capacity: no public address is free");
        let public_address = address.ok_or_else(none_left)?;
        Ok::<_, Failure>(RouterPlan { vpc: vpc.name, cidr: vpc.cidr.trunc(), public_address })
    })?;
    let name = plan.vpc.clone();
    match cloud.fabric.deploy(plan).await {
        Ok(router) => {
            cloud.remember_router(id, router);
            Ok(())
        }
        Err(reason) => {
            let text = format!("Unable to deploy the virtual router of VPC {name}: {reason}");
            Err(Failure::unavailable("DataCenter", 1, text))
        }
    }
}

/// Puts an end to what the last service over this store left unfinished. Returns the VPCs whose
/// routers are to be deployed again.
pub(crate) fn recover(cloud: &Cloud) -> Result<Vec<i64>, Failure> {
    cloud.store.transaction(|db| {
        let restarted = Failure::internal("job cancelled because of management server restart");
        job::fail_unfinished(db, restarted.code, &restarted.to_job_result())?;
        tier::remove_unimplemented(db)?;
        for connection in connection::list(db)? {
            if let Ok(state) = state::next(connection.state, Trigger::RouterLost) {
                connection::set_state(db, connection.id, state)?;
            }
        }
        Ok(vpc::list(db)?.into_iter().rev().map(|vpc| vpc.id).collect())
    })
}

/// Starts one task for each VPC; what is asked of a VPC meanwhile waits until it is done.
pub(crate) fn restore(cloud: &Arc<Cloud>, vpcs: Vec<i64>) {
    for id in vpcs {
        let turn = cloud.turns.queue(id);
        let task = cloud.clone();
        cloud.spawn(async move {
            let _turn = turn.come().await;
            if let Err(failure) = restore_one(&task, id).await {
                let subject = format!("Failed to start VPC {id} again: {}", failure.text);
                // With the store gone as well there is nobody left to tell.
                let _ = task.store.transaction(|db| journal::alert(db, &subject));
            }
        });
    }
}

/// "If the VR is restarted, the previous VPN connections would be established again automatically
/// after router boot up (except the connection in Error state)."
async fn restore_one(cloud: &Cloud, id: i64) -> Result<(), Failure> {
    deploy(cloud, id).await?;
    let (tiers, connections) =
        cloud.store.transaction(|db| Ok::<_, Failure>((tier::of_vpc(db, id)?, connection::of_vpc(db, id)?)))?;
    let router = cloud.router(id).ok_or_else(|| Failure::internal(NOT_RUNNING))?;
    for tier in tiers {
        let failed = |reason| Failure::internal(format!("network {}: {reason}", tier.name));
        router.add_tier(tier.as_tier()).await.map_err(failed)?;
    }
    for connection in connections.into_iter().filter(|connection| connection.state == State::Disconnected) {
        // Its state, and the event log, say what became of it.
        let _ = tunnels::start(cloud, connection.id).await;
    }
    Ok(())
}
