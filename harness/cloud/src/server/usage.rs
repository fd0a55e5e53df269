//! Bytes per connection: routers count from when a tunnel was applied, the store adds up.
//!
//! Routers are read by the monitor, before anything that ends a counter, and for listUsageRecords.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use super::{
    Cloud, Failure,
    routers::{Presence, presence_of},
};
use crate::{
    Router,
    store::{connection, router, usage},
};

/// How long listUsageRecords waits for a router that is busy; its connections are then as they were.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reads the counters of a VPC's connections. The caller holds the VPC's turn.
pub(crate) async fn read(cloud: &Cloud, vpc: i64) -> Result<(), Failure> {
    for known in cloud.store.read(|db| connection::watched(db, vpc, vpc))? {
        if let Presence::Running(router) = presence_of(cloud, vpc, known.router.as_deref()) {
            read_from(cloud, router.as_ref(), &known.connections).await?;
        }
    }
    Ok(())
}

/// As [`read`], of a router that runs.
pub(crate) async fn read_from(
    cloud: &Cloud,
    router: &dyn Router,
    connections: &[connection::Watched],
) -> Result<(), Failure> {
    for connection in connections {
        // A router that cannot tell leaves the record as it is.
        let Ok(found) = router.usage(connection.tunnel).await else { continue };
        if connection.counted != Some(found) {
            cloud.store.transaction(|db| usage::read(db, connection.id, found))?;
        }
    }
    Ok(())
}

/// Reads one connection, whose counter is about to end. The caller holds the VPC's turn.
pub(crate) async fn read_last(
    cloud: &Cloud,
    connection: &connection::Connection,
    router: &dyn Router,
) -> Result<(), Failure> {
    let found = router.usage(connection.tunnel).await;
    cloud.store.transaction(|db| {
        if let Ok(found) = found {
            usage::read(db, connection.id, found)?;
        }
        Ok(usage::restart(db, Some(connection.id))?)
    })
}

/// Reads every router that is not busy for long.
pub(crate) async fn read_all(cloud: Arc<Cloud>) {
    let Ok(vpcs) = cloud.store.read(router::vpcs) else { return };
    let one = async |vpc: i64| {
        let _turn = cloud.turns.queue(vpc).come().await;
        let _ = read(&cloud, vpc).await;
    };
    let look = async |vpc| drop(timeout(PATIENCE, one(vpc)).await);
    stream::iter(vpcs).for_each_concurrent(None, look).await;
}
