//! The monitor: every `router.check.interval` it asks routers how their tunnels are.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::{Cloud, Failure, tunnels};
use crate::{
    TunnelStatus,
    store::{connection, tier},
};

/// Runs until it is dropped. An interval of zero turns it off.
pub(crate) async fn run(cloud: Arc<Cloud>, interval: Duration) {
    if interval.is_zero() {
        return;
    }
    let mut ticks = interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A store that cannot be read now may be readable the next time.
        let Ok(vpcs) = candidates(&cloud) else { continue };
        // A VPC whose router is busy or does not answer holds up nobody: it is asked again next time.
        join_all(vpcs.into_iter().map(|vpc| timeout(interval, check(&cloud, vpc)))).await;
    }
}

/// VPCs with something to check. Like CloudStack's, the monitor passes over routers without an
/// implemented tier.
fn candidates(cloud: &Cloud) -> Result<Vec<i64>, Failure> {
    cloud.store.transaction(|db| {
        let mut vpcs = BTreeMap::new();
        for connection in connection::list(db)?.into_iter().filter(|connection| connection.state.is_monitored()) {
            if let Some(vpc) = connection::vpc(db, connection.id)? {
                let tiers = tier::of_vpc(db, vpc)?;
                vpcs.insert(vpc, tiers.iter().any(|tier| tier.state == tier::Network::IMPLEMENTED));
            }
        }
        Ok(vpcs.into_iter().filter(|(_, has_tier)| *has_tier).map(|(vpc, _)| vpc).collect())
    })
}

/// The turn keeps a job from being overtaken: what was seen before it must not be written after it.
async fn check(cloud: &Cloud, vpc: i64) -> Result<(), Failure> {
    let _turn = cloud.turns.queue(vpc).come().await;
    let Some(router) = cloud.router(vpc) else { return Ok(()) };
    let connections = cloud.store.transaction(|db| Ok::<_, Failure>(connection::of_vpc(db, vpc)?))?;
    for connection in connections.into_iter().filter(|connection| connection.state.is_monitored()) {
        // A router that cannot tell changes nothing.
        if let Ok(status) = router.status(connection.uuid).await {
            tunnels::seen(cloud, connection.id, status == TunnelStatus::Up)?;
        }
    }
    Ok(())
}
