//! The half in the worker: requests come in, and each is answered when it is done, in whatever order.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    thread,
};

use cloud::{Fabric, Router, RouterError, RouterPlan};
use lab::{
    topology::{Deployment, Lab, Plan, Stock},
    world::inside::Channel,
};
use policy::Initiator;
use tokio::sync::mpsc;

use super::{
    SiteJob, lock,
    message::{Addresses, Answered, Asked, Given, News, Request},
};
use crate::Result;

/// Serves until the outer half is gone.
pub(crate) async fn serve(job: SiteJob, channel: Channel) -> Result<()> {
    let SiteJob { folder, trees, standing } = job;
    let plan = Plan {
        folder,
        routers: BTreeMap::new(),
        customers: Vec::new(),
        initiator: Initiator::Cloud,
        trees,
        standing: Some(standing),
        captured: false,
    };
    let lab = Lab::build(plan, Stock::empty()).await?;
    channel.send(&News::Ready(Addresses { public: lab.public_addresses(), customers: lab.customer_addresses() }))?;
    let routers = Arc::new(Routers { deployment: Deployment::new(lab), deployed: Mutex::default() });
    let mut requests = requests(channel.clone());
    while let Some(Asked { id, request }) = requests.recv().await {
        let (routers, channel) = (Arc::clone(&routers), channel.clone());
        tokio::spawn(async move {
            let answer = routers.answer(request).await;
            // Without an outer half the next request is the end.
            let _ = channel.send(&News::Answered(Answered { id, answer }));
        });
    }
    Ok(())
}

/// Reading blocks, so a thread does it.
fn requests(channel: Channel) -> mpsc::UnboundedReceiver<Asked> {
    let (sender, requests) = mpsc::unbounded_channel();
    thread::spawn(move || {
        while let Ok(Some(asked)) = channel.receive::<Asked>() {
            if sender.send(asked).is_err() {
                break;
            }
        }
    });
    requests
}

struct Routers {
    deployment: Deployment,
    deployed: Mutex<HashMap<u32, Arc<Deployed>>>,
}

/// Machines and interfaces are named by numbers here: what a cloud calls its VPCs and tiers may be long, or the same
/// for two of them.
struct Deployed {
    router: Arc<dyn Router>,
    tiers: Mutex<Tiers>,
}

#[derive(Default)]
struct Tiers {
    names: HashMap<String, String>,
    made: u32,
}

impl Routers {
    async fn answer(&self, request: Request) -> Result<Given, RouterError> {
        let done = |()| Given::Done;
        match request {
            Request::Deploy(plan) => self.deploy(plan).await.map(Given::Router),
            Request::AddTier(router, mut tier) => {
                let deployed = self.deployed(router)?;
                tier.name = deployed.name_tier(tier.name);
                deployed.router.add_tier(tier).await.map(done)
            }
            Request::RemoveTier(router, name) => {
                let deployed = self.deployed(router)?;
                match deployed.forget_tier(&name) {
                    Some(name) => deployed.router.remove_tier(&name).await.map(done),
                    None => Ok(Given::Done),
                }
            }
            Request::Apply(router, tunnel) => self.deployed(router)?.router.apply(*tunnel).await.map(done),
            Request::Remove(router, connection) => self.deployed(router)?.router.remove(connection).await.map(done),
            Request::Status(router, connection) => {
                self.deployed(router)?.router.status(connection).await.map(Given::Status)
            }
            Request::Usage(router, connection) => {
                self.deployed(router)?.router.usage(connection).await.map(Given::Usage)
            }
            Request::Stop(router) => self.deployed(router)?.router.stop().await.map(done),
            Request::Start(router) => self.deployed(router)?.router.start().await.map(done),
            Request::Destroy(number) => {
                self.deployed(number)?.router.destroy().await?;
                lock(&self.deployed).remove(&number);
                Ok(Given::Done)
            }
        }
    }

    async fn deploy(&self, plan: RouterPlan) -> Result<u32, RouterError> {
        // The last part of its address: no two that are there at once have the same.
        let number = u32::from(plan.public_address.octets()[3]);
        let router = self.deployment.deploy(RouterPlan { vpc: format!("v{number}"), ..plan }).await?;
        lock(&self.deployed).insert(number, Arc::new(Deployed { router, tiers: Mutex::default() }));
        Ok(number)
    }

    fn deployed(&self, number: u32) -> Result<Arc<Deployed>, RouterError> {
        let unknown = || RouterError::Failed(format!("there is no router {number}"));
        lock(&self.deployed).get(&number).cloned().ok_or_else(unknown)
    }
}

impl Deployed {
    fn name_tier(&self, name: String) -> String {
        let mut tiers = lock(&self.tiers);
        tiers.made += 1;
        let short = format!("n{}", tiers.made);
        tiers.names.insert(name, short.clone());
        short
    }

    fn forget_tier(&self, name: &str) -> Option<String> {
        lock(&self.tiers).names.remove(name)
    }
}
