//! The monitor: every `router.check.interval` it asks routers how their tunnels are.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::OwnedMutexGuard,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};

use super::{
    Cloud, Failure,
    routers::{Presence, presence_of},
    tunnels,
    turn::Turn,
    usage,
};
use crate::{
    TunnelStatus,
    state::{State, Trigger},
    store::connection::{self, WatchedVpc},
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
    let mut looks: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
    for part in vpcs.chunks(TOGETHER) {
        look(cloud, part, patience, &looks);
        // Routers that answer at once are done with before the next are read.
        while let Some(Some(())) = looks.next().now_or_never() {}
    }
    while looks.next().await.is_some() {}
}

/// So many VPCs are read with one query.
const TOGETHER: usize = 128;

/// Begins to look at some routers, of VPCs in the order of their ids. Those whose turn has come are read together;
/// the others are read when it comes.
fn look<'c>(cloud: &'c Cloud, vpcs: &[i64], patience: Duration, looks: &FuturesUnordered<BoxFuture<'c, ()>>) {
    let mut come = HashMap::new();
    for &vpc in vpcs {
        match cloud.turns.queue(vpc) {
            Turn::Come(turn) => drop(come.insert(vpc, turn)),
            turn @ Turn::Waiting(_) => looks.push(Box::pin(timeout(patience, check_later(cloud, vpc, turn)).map(drop))),
        }
    }
    let (Some(first), Some(last)) = (vpcs.first(), vpcs.last()) else { return };
    for known in cloud.store.read(|db| connection::watched(db, *first, *last)).unwrap_or_default() {
        if let Some(turn) = come.remove(&known.vpc) {
            looks.push(Box::pin(check_now(cloud, known, turn, patience)));
        }
    }
}

/// The turn lasts as long as the check, and no longer.
async fn check_now(cloud: &Cloud, known: WatchedVpc, _turn: OwnedMutexGuard<()>, patience: Duration) {
    let _ = timeout(patience, check(cloud, &known)).await;
}

async fn check_later(cloud: &Cloud, vpc: i64, turn: Turn) -> Result<(), Failure> {
    let _turn = turn.come().await;
    for known in cloud.store.read(|db| connection::watched(db, vpc, vpc))? {
        check(cloud, &known).await?;
    }
    Ok(())
}

/// The turn, which the caller holds since before the VPC was read, keeps a job from being overtaken: what was seen
/// before it must not be written after it.
async fn check(cloud: &Cloud, known: &WatchedVpc) -> Result<(), Failure> {
    let connections = &known.connections;
    let router = match presence_of(cloud, known.vpc, known.router.as_deref()) {
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
    usage::read_from(cloud, router.as_ref(), connections).await
}
