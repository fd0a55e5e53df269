//! Tunnels with no cloud around them, in a worker: no API, no capture, no audit. The measure of the harness's own share.

use std::{
    fs,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use lab::{
    topology::{Bare, Pair, Stock},
    world::{
        Clock, Said, Worker,
        inside::{Channel, Place},
    },
};
use policy::Initiator;
use scenario::{Cell, Step};

use crate::{
    Error, Machines, Result,
    message::{BareJob, Kept, News, Order, Round},
    workers,
};

/// A worker that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// What tunnels took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tunnels {
    pub rounds: usize,
    /// Of all workers together.
    pub busy: Duration,
}

/// Has as many workers as a run would have bring up the tunnel of each cell that has one, by the policy of the cell,
/// with the packets of its first exchange.
pub fn tunnels(machines: &Machines, cells: &[Cell], kept: Kept, jobs: usize, folder: &Path) -> Result<Tunnels> {
    let rounds: Vec<Round> = cells.iter().filter_map(round).collect();
    let shares: Vec<Vec<Round>> =
        (0..jobs).map(|job| rounds.iter().skip(job).step_by(jobs).cloned().collect()).collect();
    thread::scope(|scope| {
        let workers: Vec<_> = shares
            .into_iter()
            .enumerate()
            .map(|(number, share)| {
                let folder = folder.join(number.to_string());
                scope.spawn(move || one_worker(machines, share, kept, &folder))
            })
            .collect();
        workers.into_iter().try_fold(Tunnels::default(), |all, worker| {
            let ended = || Error::file(folder)(std::io::Error::other("a worker's thread panicked"));
            let one = worker.join().map_err(|_| ended())??;
            Ok(Tunnels { rounds: all.rounds + one.rounds, busy: all.busy + one.busy })
        })
    })
}

fn one_worker(machines: &Machines, mut rounds: Vec<Round>, kept: Kept, folder: &Path) -> Result<Tunnels> {
    fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let folder = &folder.canonicalize().map_err(Error::file(folder))?;
    let place = Place { writable: folder.to_owned() };
    let mut worker = Worker::start(&machines.world, Clock::Virtual, &machines.program, &place)?;
    let mut all = Tunnels::default();
    if kept == Kept::Everything {
        rounds.sort_by_key(|round| round.pair);
    }
    for round in rounds {
        let trees = workers::trees(machines, round.pair.daemons);
        worker.send(&Order::Bare(Box::new(BareJob { machines: kept, folder: folder.to_owned(), trees, round })))?;
        let mut begin = Instant::now();
        loop {
            match worker.receive::<News>(PATIENCE) {
                Said::Message(News::Begun) => begin = Instant::now(),
                Said::Message(News::Over(None)) => break,
                Said::Message(News::Over(Some(reason))) => return Err(worker.ended(&reason).into()),
                Said::Message(News::Doing(_) | News::Done(_)) => {}
                Said::Ended => return Err(worker.ended("it ended among its tunnels").into()),
                Said::Silent => return Err(worker.ended("nothing was heard of its tunnels").into()),
            }
        }
        all = Tunnels { rounds: all.rounds + 1, busy: all.busy + begin.elapsed() };
    }
    Ok(all)
}

/// The first tunnel of a cell, if it is to come up with what both ends are told.
fn round(cell: &Cell) -> Option<Round> {
    let (vpc, customer) = cell.steps.iter().find_map(Step::connects)?;
    let packets = cell.steps.iter().find_map(|step| match step {
        Step::Exchange { packets, .. } => Some(*packets),
        _ => None,
    })?;
    let (vpc, customer) = (cell.cloud.vpcs.get(vpc)?, cell.customers.get(customer)?);
    let (mut daemons, mut nets) = ([vpc.router, customer.daemon], [vpc.tiers.first()?.1, *customer.subnets.first()?]);
    if cell.initiator == Initiator::Customer {
        daemons.reverse();
        nets.reverse();
    }
    let pair = Pair { daemons, nets };
    Some(Round { pair, policy: cell.policy.clone(), key: customer.psk.clone(), ike: cell.ike(), packets })
}

/// What a worker keeps from round to round.
#[derive(Default)]
pub(crate) struct Gateways {
    /// As long as the rounds are for them.
    pair: Option<(Pair, Bare)>,
    stock: Option<Arc<Stock>>,
}

impl Gateways {
    pub async fn run(&mut self, job: BareJob, channel: &Channel) -> Result<()> {
        match job.machines {
            Kept::Everything => self.with_everything(job, channel).await,
            Kept::Daemons => self.with_daemons(job, channel).await,
        }
    }

    async fn with_everything(&mut self, job: BareJob, channel: &Channel) -> Result<()> {
        let BareJob { folder, trees, round, .. } = job;
        let pair = round.pair;
        if self.pair.as_ref().is_none_or(|(known, _)| *known != pair) {
            // Those before have to be gone first.
            self.pair = None;
            self.pair = Some((pair, Bare::build(pair, folder, trees, Stock::empty()).await?));
        }
        channel.send(&News::Begun)?;
        match &mut self.pair {
            Some((_, bare)) => tunnel(bare, &round).await,
            None => Ok(()),
        }
    }

    async fn with_daemons(&mut self, job: BareJob, channel: &Channel) -> Result<()> {
        let BareJob { folder, trees, round, .. } = job;
        let stock = self.stock.get_or_insert_with(|| Stock::keeping(folder.join("kept")));
        channel.send(&News::Begun)?;
        let mut bare = Bare::build(round.pair, folder, trees, Arc::clone(stock)).await?;
        tunnel(&mut bare, &round).await?;
        Ok(bare.leave().await?)
    }
}

async fn tunnel(bare: &mut Bare, Round { policy, key, ike, packets, .. }: &Round) -> Result<()> {
    Ok(bare.round(policy, key, *ike, *packets).await?)
}
