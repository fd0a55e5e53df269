//! The monitor: every `router.check.interval` it asks routers how their tunnels are.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::{
    Cloud, Failure,
    routers::{Presence, presence_of},
    tunnels, usage,
};
use crate::{
    TunnelStatus,
    state::{State, Trigger},
    store::connection,
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
        sweep(&cloud, interval).await;
    }
}

/// Looks at every router once. One that is busy or does not answer holds up nobody: after `patience`
/// it is left to the next sweep.
pub(crate) async fn sweep(cloud: &Cloud, patience: Duration) {
    // A store that cannot be read now may be readable the next time.
    let Ok(vpcs) = cloud.store.read(connection::monitored_vpcs) else { return };
    let look = async |vpc| drop(timeout(patience, check(cloud, vpc)).await);
    stream::iter(vpcs).for_each_concurrent(None, look).await;
}

/// The turn keeps a job from being overtaken: what was seen before it must not be written after it.
async fn check(cloud: &Cloud, vpc: i64) -> Result<(), Failure> {
    let _turn = cloud.turns.queue(vpc).come().await;
    let (state, connections) = cloud.store.read(|db| connection::watched(db, vpc))?;
    let router = match presence_of(cloud, vpc, state.as_deref()) {
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
    for connection in connections.iter().filter(|connection| connection.state.is_monitored()) {
        // A router that cannot tell changes nothing.
        let Ok(status) = router.status(connection.tunnel).await else { continue };
        let up = status == TunnelStatus::Up;
        if cloud.rules.machine.next(connection.state, Trigger::Seen { up }) != Ok(connection.state) {
            tunnels::seen(cloud, connection.id, up)?;
        }
    }
    usage::read_from(cloud, router.as_ref(), &connections).await
}
