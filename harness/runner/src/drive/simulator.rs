//! The simulator as a cell's own cloud: it is served on loopback, and nothing of it outlives the cell.

use std::{net::Ipv4Addr, sync::Arc};

use cloud::{CloudError, Config, Fabric, Service, StoreLocation};
use scenario::Cell;
use tokio::net::TcpListener;

use super::Failure;

/// Starts a service of the cell's profile, with keys that are good for it alone.
pub(super) async fn serve(
    cell: &Cell,
    public_addresses: Vec<Ipv4Addr>,
    fabric: Arc<dyn Fabric>,
) -> Result<Service, Failure> {
    let broken = |e: CloudError| Failure::Broken(e.to_string());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.map_err(|e| Failure::Broken(format!("the cloud cannot listen on loopback: {e}")))?;
    let config = Config {
        profile: cell.cloud.profile.name().parse().map_err(broken)?,
        public_addresses,
        credentials: None,
        store: StoreLocation::Memory,
        router_check_interval: Config::ROUTER_CHECK_INTERVAL,
        log: None,
    };
    Service::start(config, fabric, listener).await.map_err(broken)
}
