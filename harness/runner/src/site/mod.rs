//! A laboratory that stands by itself, for a cloud that serves anybody: the service stays in this process, with
//! its database and its clients, and its routers are machines in a worker. Time is the clock on the wall.

mod inside;
mod message;

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use cloud::{
    Fabric, Router, RouterError, RouterPlan, Tier, Tunnel, TunnelStatus, Usage,
    router::{Future, Uuid},
};
use lab::{
    image::{Image, Name},
    topology::Standing,
    world::{Clock, Line, Said, Worker, World, inside::Place},
};
use policy::Daemon;
use tokio::sync::{oneshot, watch};

pub(crate) use inside::serve;
pub(crate) use message::SiteJob;
use message::{Answered, Asked, Given, News, Request};

use crate::{Error, Result, message::Order};

/// A worker may have nothing to say for as long as it likes.
const DAY: Duration = Duration::from_secs(86_400);
/// How long it may take until it can say where its addresses are.
const READY: Duration = Duration::from_secs(60);

/// What a site is made with.
pub struct SitePlan {
    pub world: World,
    /// Of both daemons.
    pub images: Vec<Image>,
    pub standing: Standing,
    /// Where the daemons' logs go; it exists, and its path has no blank in it.
    pub folder: PathBuf,
    /// The program that workers are: it hands the arguments behind `worker` to [`crate::worker`].
    pub program: PathBuf,
}

/// A laboratory that is ready to deploy routers. It ends when this value is dropped.
pub struct Site {
    fabric: Arc<Remote>,
    public_addresses: Vec<Ipv4Addr>,
    customer_addresses: Vec<Ipv4Addr>,
    ended: watch::Receiver<Option<String>>,
    /// Owns the worker: the kernel may end a worker whose thread has ended.
    keeper: Option<JoinHandle<()>>,
}

impl Site {
    pub fn start(plan: SitePlan) -> Result<Self> {
        let (ready, started) = std::sync::mpsc::channel();
        let (end, ended) = watch::channel(None);
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let answers = Arc::clone(&waiting);
        let keeper = thread::spawn(move || {
            let mut worker = match begin(&plan) {
                Ok((worker, addresses)) => {
                    // Nobody waits if the thread that asked is gone.
                    let _ = ready.send(Ok((worker.line(), addresses)));
                    worker
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return;
                }
            };
            let reason = listen(&mut worker, &answers);
            lock(&answers).take();
            let _ = end.send(Some(reason));
        });
        let gone = || Error::Lab(lab::Error::World("the thread that keeps the worker is gone".into()));
        let (line, addresses) = started.recv().map_err(|_| gone())??;
        Ok(Self {
            fabric: Arc::new(Remote(Arc::new(Way { line, waiting, asked: AtomicU64::new(0) }))),
            public_addresses: addresses.public,
            customer_addresses: addresses.customers,
            ended,
            keeper: Some(keeper),
        })
    }

    pub fn fabric(&self) -> Arc<dyn Fabric> {
        Arc::clone(&self.fabric) as Arc<dyn Fabric>
    }

    /// Those that the cloud may give to its VPCs.
    pub fn public_addresses(&self) -> &[Ipv4Addr] {
        &self.public_addresses
    }

    /// Those at which a customer gateway answers.
    pub fn customer_addresses(&self) -> &[Ipv4Addr] {
        &self.customer_addresses
    }

    /// Waits until the laboratory has broken; says how.
    pub async fn broken(&self) -> String {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "the thread that keeps the worker is gone".to_owned(),
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.fabric.0.line.close();
        if let Some(keeper) = self.keeper.take() {
            // If it panicked, its worker was killed on the way.
            let _ = keeper.join();
        }
    }
}

/// Who waits for the answer to which request; none when there will be no more answers.
type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<std::result::Result<Given, RouterError>>>>>>;

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn begin(plan: &SitePlan) -> Result<(Worker, message::Addresses)> {
    let place = Place { writable: plan.folder.clone() };
    let mut worker = Worker::start(&plan.world, Clock::Wall, &plan.program, &place)?;
    let tree = |daemon: Daemon| {
        let image = plan.images.iter().find(|image| image.name == Name::from(daemon))?;
        Some((daemon, image.root()))
    };
    worker.send(&Order::Site(SiteJob {
        folder: plan.folder.clone(),
        trees: [plan.standing.router, plan.standing.customer].into_iter().filter_map(tree).collect(),
        standing: plan.standing,
    }))?;
    match worker.receive::<News>(READY) {
        Said::Message(News::Ready(addresses)) => Ok((worker, addresses)),
        Said::Message(News::Answered(_)) => Err(worker.ended("it answered before it was asked").into()),
        Said::Ended => Err(worker.ended("it ended before its laboratory stood").into()),
        Said::Silent => Err(worker.ended("its laboratory did not stand in time").into()),
    }
}

/// Hands answers to those who wait for them, until there are no more; returns why.
fn listen(worker: &mut Worker, waiting: &Waiting) -> String {
    loop {
        match worker.receive::<News>(DAY) {
            Said::Message(News::Answered(Answered { id, answer })) => {
                let asker = lock(waiting).as_mut().and_then(|waiting| waiting.remove(&id));
                // One who has given up is not there any more.
                let _ = asker.map(|asker| asker.send(answer));
            }
            Said::Message(News::Ready(_)) | Said::Silent => {}
            Said::Ended => return worker.ended("the laboratory ended").to_string(),
        }
    }
}

/// The way to the worker.
struct Way {
    line: Line,
    waiting: Waiting,
    asked: AtomicU64,
}

impl Way {
    async fn ask(&self, request: Request) -> std::result::Result<Given, RouterError> {
        let gone = || RouterError::Failed("the laboratory is gone".to_owned());
        let id = self.asked.fetch_add(1, Ordering::Relaxed);
        let (asker, answer) = oneshot::channel();
        match &mut *lock(&self.waiting) {
            Some(waiting) => waiting.insert(id, asker),
            None => return Err(gone()),
        };
        self.line.send(&Asked { id, request }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn tell(&self, request: Request) -> std::result::Result<(), RouterError> {
        self.ask(request).await.map(drop)
    }
}

struct Remote(Arc<Way>);

impl Fabric for Remote {
    fn deploy(&self, plan: RouterPlan) -> Future<'_, Arc<dyn Router>> {
        Box::pin(async move {
            match self.0.ask(Request::Deploy(plan)).await? {
                Given::Router(number) => Ok(Arc::new(RemoteRouter { way: Arc::clone(&self.0), number }) as _),
                other => Err(strange(&other)),
            }
        })
    }
}

struct RemoteRouter {
    way: Arc<Way>,
    number: u32,
}

fn strange(given: &Given) -> RouterError {
    RouterError::Failed(format!("the laboratory answered what was not asked: {given:?}"))
}

impl Router for RemoteRouter {
    fn add_tier(&self, tier: Tier) -> Future<'_, ()> {
        Box::pin(self.way.tell(Request::AddTier(self.number, tier)))
    }

    fn remove_tier(&self, name: &str) -> Future<'_, ()> {
        Box::pin(self.way.tell(Request::RemoveTier(self.number, name.to_owned())))
    }

    fn apply(&self, tunnel: Tunnel) -> Future<'_, ()> {
        Box::pin(self.way.tell(Request::Apply(self.number, Box::new(tunnel))))
    }

    fn remove(&self, connection: Uuid) -> Future<'_, ()> {
        Box::pin(self.way.tell(Request::Remove(self.number, connection)))
    }

    fn status(&self, connection: Uuid) -> Future<'_, TunnelStatus> {
        Box::pin(async move {
            match self.way.ask(Request::Status(self.number, connection)).await? {
                Given::Status(status) => Ok(status),
                other => Err(strange(&other)),
            }
        })
    }

    fn usage(&self, connection: Uuid) -> Future<'_, Usage> {
        Box::pin(async move {
            match self.way.ask(Request::Usage(self.number, connection)).await? {
                Given::Usage(usage) => Ok(usage),
                other => Err(strange(&other)),
            }
        })
    }

    fn stop(&self) -> Future<'_, ()> {
        Box::pin(self.way.tell(Request::Stop(self.number)))
    }

    fn start(&self) -> Future<'_, ()> {
        Box::pin(self.way.tell(Request::Start(self.number)))
    }

    fn destroy(&self) -> Future<'_, ()> {
        Box::pin(self.way.tell(Request::Destroy(self.number)))
    }
}
