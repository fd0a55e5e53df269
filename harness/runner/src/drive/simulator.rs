//! The simulator as a cell's own cloud: it is served on loopback, and nothing of it outlives the cell.
//!
//! It can be killed and started again over what it had stored, as a management server's process can.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use cloud::{CloudError, Config, Credentials, Fabric, Lapse, Log, Service, StoreLocation};
use lab::wait::Wait;
use scenario::{Cell, Step, fault::Victim};
use tokio::{
    net::TcpListener,
    sync::{Mutex, Notify},
};

use super::{Failure, sabotage::Defect};

/// How long the address of a service that was killed may be taken.
const RELEASE: Duration = Duration::from_secs(10);

/// A service of a cell's profile.
pub(crate) struct Simulator {
    config: Config,
    fabric: Arc<dyn Fabric>,
    /// Whatever it does wrong on purpose.
    lapse: Option<Lapse>,
    address: SocketAddr,
    endpoint: String,
    credentials: Credentials,
    /// Told whenever the state of something changes.
    changed: Arc<Notify>,
    /// Until it is killed.
    service: Mutex<Option<Service>>,
}

impl Simulator {
    /// Starts a service with keys that are good for it alone. What it stores is in memory, unless it is to be killed.
    pub async fn serve(
        cell: &Cell,
        public_addresses: Vec<Ipv4Addr>,
        fabric: Arc<dyn Fabric>,
        folder: Option<&Path>,
        defect: Option<Defect>,
    ) -> Result<Arc<Self>, Failure> {
        let changed = Arc::new(Notify::new());
        let bell = Arc::clone(&changed);
        let config = Config {
            profile: cell.cloud.profile.name().parse().map_err(broken)?,
            public_addresses,
            credentials: None,
            store: match folder.filter(|_| kills_it(cell)) {
                Some(folder) => StoreLocation::File(folder.join("service.db")),
                None => StoreLocation::Memory,
            },
            router_check_interval: defect.map_or(Config::ROUTER_CHECK_INTERVAL, Defect::router_check_interval),
            // One permit is kept for whoever is not waiting just now.
            log: Some(Log::new(move |line| {
                if line.step == "Changed" {
                    bell.notify_one()
                }
            })),
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.map_err(|e| Failure::Broken(format!("the cloud cannot listen on loopback: {e}")))?;
        let address = listener.local_addr().map_err(|e| Failure::Broken(e.to_string()))?;
        let lapse = defect.and_then(Defect::lapse);
        let service = start(config.clone(), Arc::clone(&fabric), listener, lapse).await?;
        let (endpoint, credentials) = (service.endpoint(), service.credentials().clone());
        let service = Mutex::new(Some(service));
        Ok(Arc::new(Self { config, fabric, lapse, address, endpoint, credentials, changed, service }))
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Returns when the state of something has changed since the last time.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Ends the service at once, with its jobs where they are.
    pub async fn kill(&self) {
        drop(self.service.lock().await.take());
    }

    /// Starts it over what it had stored, at the same address.
    pub async fn restart(&self) -> Result<(), Failure> {
        let mut service = self.service.lock().await;
        if service.is_none() {
            let wait = Wait::new(format!("{} to be free", self.address), RELEASE);
            // The tasks of the one that was killed end when they are next looked at.
            let listener = loop {
                match TcpListener::bind(self.address).await {
                    Ok(listener) => break listener,
                    Err(e) => wait.again(e).await?,
                }
            };
            *service = Some(start(self.config.clone(), Arc::clone(&self.fabric), listener, self.lapse).await?);
        }
        Ok(())
    }

    pub async fn stop(&self) {
        if let Some(service) = self.service.lock().await.take() {
            service.stop().await;
        }
    }
}

async fn start(
    config: Config,
    fabric: Arc<dyn Fabric>,
    listener: TcpListener,
    lapse: Option<Lapse>,
) -> Result<Service, Failure> {
    let started = match lapse {
        Some(lapse) => Service::start_with_lapse(config, fabric, listener, lapse).await,
        None => Service::start(config, fabric, listener).await,
    };
    started.map_err(broken)
}

fn kills_it(cell: &Cell) -> bool {
    cell.steps.iter().any(|step| matches!(step, Step::Kill(Victim::Service) | Step::KillDuring(_)))
}

fn broken(e: CloudError) -> Failure {
    Failure::Broken(e.to_string())
}
