//! The service: a listener, the tasks behind it, and what they share.

pub(crate) mod dispatch;
mod door;
mod failure;
mod http;
pub(crate) mod identity;
mod limit;
pub(crate) mod monitor;
mod render;
mod request;
pub(crate) mod routers;
pub(crate) mod tunnels;
mod turn;
pub(crate) mod usage;
mod wire;

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};

pub(crate) use failure::Failure;
pub(crate) use render::{Body, Format};
pub(crate) use request::Request;
use turn::Turns;

use crate::{
    CloudError, Config, Credentials, Fabric, Log, LogLine, Router,
    lapse::Lapse,
    lock,
    profile::Rules,
    store::{
        Store,
        account::{self, ADMIN},
    },
};

/// How long [`Service::check_connections`] waits for a router.
const SWEEP: Duration = Config::ROUTER_CHECK_INTERVAL;

/// How long [`Service::stop`] waits for a request that is still arriving.
const LAST_REQUEST: Duration = Duration::from_secs(5);

/// A running service. Dropping it ends everything at once; jobs that were under way fail, with a
/// reason, when a service starts over the same store.
pub struct Service {
    cloud: Arc<Cloud>,
    address: SocketAddr,
    credentials: Credentials,
    shutdown: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Service {
    /// Serves `listener`. Routers of VPCs that are already in the store are deployed meanwhile.
    pub async fn start(config: Config, fabric: Arc<dyn Fabric>, listener: TcpListener) -> Result<Self, CloudError> {
        Self::begin(config, fabric, listener, None).await
    }

    /// A service that does one thing wrong.
    #[cfg(feature = "sabotage")]
    pub async fn start_with_lapse(
        config: Config,
        fabric: Arc<dyn Fabric>,
        listener: TcpListener,
        lapse: Lapse,
    ) -> Result<Self, CloudError> {
        Self::begin(config, fabric, listener, Some(lapse)).await
    }

    async fn begin(
        config: Config,
        fabric: Arc<dyn Fabric>,
        listener: TcpListener,
        lapse: Option<Lapse>,
    ) -> Result<Self, CloudError> {
        if config.public_addresses.is_empty() {
            return Err(CloudError::NoPublicAddress);
        }
        let address = listener.local_addr().map_err(CloudError::Listener)?;
        let store = Store::open(&config.store, config.profile)?;
        let credentials = store.transaction(|db| {
            let credentials = match config.credentials {
                Some(given) => given,
                None => account::keys(db, ADMIN.user)?.unwrap_or_else(Credentials::generate),
            };
            account::set_keys(db, ADMIN.user, &credentials)?;
            Ok::<_, rusqlite::Error>(credentials)
        });
        let credentials = credentials.map_err(|error| CloudError::Recovery(error.to_string()))?;
        let cloud = Arc::new(Cloud {
            rules: config.profile.rules(),
            public_addresses: config.public_addresses,
            store,
            fabric,
            log: config.log,
            lapse,
            routers: Mutex::default(),
            turns: Turns::default(),
            tasks: Mutex::new(Some(JoinSet::new())),
        });
        let vpcs = routers::recover(&cloud).map_err(|failure| CloudError::Recovery(failure.text))?;
        routers::restore(&cloud, vpcs);
        crate::command::finish_deletions(&cloud);
        cloud.spawn(monitor::run(cloud.clone(), config.router_check_interval));
        let (shutdown, stopped) = oneshot::channel();
        let server = tokio::spawn(door::serve(listener, cloud.clone(), stopped));
        Ok(Self { cloud, address, credentials, shutdown: Some(shutdown), server })
    }

    /// What is behind the door.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn cloud(&self) -> &Arc<Cloud> {
        &self.cloud
    }

    /// The root administrator's.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Where clients send their requests: `http://127.0.0.1:8080/client/api`.
    pub fn endpoint(&self) -> String {
        format!("http://{}{}", self.address, http::PATH)
    }

    /// Looks at every router now, as the monitor does in its interval.
    pub async fn check_connections(&self) {
        monitor::sweep(&self.cloud, SWEEP).await;
    }

    /// Ends jobs and monitor, answers the requests that have arrived, and closes the listener.
    pub async fn stop(mut self) {
        self.shutdown = None;
        let tasks = lock(&self.cloud.tasks).take();
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
        // What is still open when the time is up is closed by Drop.
        let _ = tokio::time::timeout(LAST_REQUEST, &mut self.server).await;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shutdown = None;
        *lock(&self.cloud.tasks) = None;
        self.server.abort();
        self.cloud.store.release();
    }
}

/// What requests, jobs and the monitor share.
pub(crate) struct Cloud {
    pub rules: &'static Rules,
    pub public_addresses: Vec<Ipv4Addr>,
    pub store: Store,
    pub fabric: Arc<dyn Fabric>,
    log: Option<Log>,
    lapse: Option<Lapse>,
    pub turns: Turns,
    /// By VPC.
    routers: Mutex<HashMap<i64, Arc<dyn Router>>>,
    /// None once the service is stopping.
    tasks: Mutex<Option<JoinSet<()>>>,
}

impl Cloud {
    pub(crate) fn router(&self, vpc: i64) -> Option<Arc<dyn Router>> {
        lock(&self.routers).get(&vpc).cloned()
    }

    pub(crate) fn remember_router(&self, vpc: i64, router: Arc<dyn Router>) {
        lock(&self.routers).insert(vpc, router);
    }

    pub(crate) fn forget_router(&self, vpc: i64) {
        lock(&self.routers).remove(&vpc);
    }

    /// Whether this is what it does wrong.
    pub(crate) fn lapses(&self, lapse: Lapse) -> bool {
        self.lapse == Some(lapse)
    }

    pub(crate) fn log(&self, line: LogLine) {
        if let Some(log) = &self.log {
            log.write(&line);
        }
    }

    /// A task that ends with the service.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = lock(&self.tasks).as_mut() {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }
}
