//! The monitor: every `router.check.interval` it asks routers how their tunnels are.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::{Cloud, Failure, routers::Presence, tunnels, usage};
use crate::{
    TunnelStatus,
    state::{State, Trigger},
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

/// VPCs with connections. Like CloudStack's, the monitor passes over routers without an implemented
/// tier.
fn candidates(cloud: &Cloud) -> Result<BTreeSet<i64>, Failure> {
    cloud.store.transaction(|db| {
        let mut vpcs = BTreeSet::new();
        for connection in connection::list(db)? {
            if let Some(vpc) = connection::vpc(db, connection.id)?
                && tier::of_vpc(db, vpc)?.iter().any(|tier| tier.state == tier::Network::IMPLEMENTED)
            {
                vpcs.insert(vpc);
            }
        }
        Ok(vpcs)
    })
}

/// The turn keeps a job from being overtaken: what was seen before it must not be written after it.
async fn check(cloud: &Cloud, vpc: i64) -> Result<(), Failure> {
    let _turn = cloud.turns.queue(vpc).come().await;
    let connections = cloud.store.transaction(|db| connection::of_vpc(db, vpc))?;
    let router = match super::routers::presence(cloud, vpc)? {
        Presence::Running(router) => router,
        Presence::Absent => return Ok(()),
        // No alert: the router's own state says it all. This takes in what waits in Pending as well.
        Presence::Down => {
            let lost = connections.iter().filter(|connection| connection.state != State::Error);
            for connection in lost {
                tunnels::transition(cloud, connection.id, Trigger::RouterLost, "its router does not run")?;
            }
            return Ok(());
        }
    };
    for connection in connections.into_iter().filter(|connection| connection.state.is_monitored()) {
        // A router that cannot tell changes nothing.
        if let Ok(status) = router.status(connection.tunnel).await {
            tunnels::seen(cloud, connection.id, status == TunnelStatus::Up)?;
        }
    }
    usage::read(cloud, vpc).await
}
