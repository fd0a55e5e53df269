//! Tunnels with nothing around them, in a worker: no cloud, no capture, no audit. The measure of the harness's own share.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use lab::{
    topology::{Bare, Pair},
    world::{
        Clock, Said, Worker,
        inside::{Channel, Place},
    },
};
use policy::Initiator;
use scenario::{Cell, Step};

use crate::{
    Error, Machines, Result,
    message::{BareJob, News, Order, Round},
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
pub fn tunnels(machines: &Machines, cells: &[Cell], jobs: usize, folder: &Path) -> Result<Tunnels> {
    let rounds: Vec<Round> = cells.iter().filter_map(round).collect();
    let shares: Vec<Vec<Round>> =
        (0..jobs).map(|job| rounds.iter().skip(job).step_by(jobs).cloned().collect()).collect();
    thread::scope(|scope| {
        let workers: Vec<_> = shares
            .into_iter()
            .enumerate()
            .map(|(number, share)| {
                let folder = folder.join(number.to_string());
                scope.spawn(move || one_worker(machines, share, &folder))
            })
            .collect();
        workers.into_iter().try_fold(Tunnels::default(), |all, worker| {
            let ended = || Error::file(folder)(std::io::Error::other("a worker's thread panicked"));
            let one = worker.join().map_err(|_| ended())??;
            Ok(Tunnels { rounds: all.rounds + one.rounds, busy: all.busy + one.busy })
        })
    })
}

fn one_worker(machines: &Machines, mut rounds: Vec<Round>, folder: &Path) -> Result<Tunnels> {
    fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let folder = &folder.canonicalize().map_err(Error::file(folder))?;
    let place = Place { writable: folder.to_owned() };
    let mut worker = Worker::start(&machines.world, Clock::Virtual, &machines.program, &place)?;
    let mut all = Tunnels::default();
    rounds.sort_by_key(|round| round.pair);
    for round in rounds {
        let trees = workers::trees(machines, round.pair.daemons);
        worker.send(&Order::Bare(Box::new(BareJob { folder: folder.to_owned(), trees, round })))?;
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

/// Two gateways in a worker, kept as long as the rounds are for them.
#[derive(Default)]
pub(crate) struct Gateways(Option<(Pair, Bare)>);

impl Gateways {
    pub async fn run(&mut self, BareJob { folder, trees, round }: BareJob, channel: &Channel) -> Result<()> {
        let Round { pair, policy, key, ike, packets } = round;
        if self.0.as_ref().is_none_or(|(known, _)| *known != pair) {
            // Those before have to be gone first.
            self.0 = None;
            self.0 = Some((pair, Bare::build(pair, folder, trees).await?));
        }
        channel.send(&News::Begun)?;
        match &mut self.0 {
            Some((_, bare)) => Ok(bare.round(&policy, &key, ike, packets).await?),
            None => Ok(()),
        }
    }
}
