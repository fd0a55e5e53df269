//! The inner half of a worker: cells come in, observations go out, until no more come; or one order to serve a cloud.

use std::{ffi::OsString, panic, sync::Arc, time::Duration};

use lab::{
    meter::{self, Spent, Work},
    topology::Stock,
    world::inside,
};
use tokio::runtime::{Builder, LocalOptions};

use crate::{
    Result, bare, drive,
    message::{News, Order},
    observation, site,
};

/// Runs as a worker, from the arguments behind [`inside::COMMAND`]; the process ends with it.
pub fn worker(arguments: impl Iterator<Item = OsString>) -> ! {
    if let Err(e) = work(arguments) {
        eprintln!("{e}");
    }
    inside::leave()
}

fn work(arguments: impl Iterator<Item = OsString>) -> Result<()> {
    let channel = inside::enter(arguments)?;
    // By a clock that is virtual its threads would end between any two things that they are needed for.
    let day = Duration::from_secs(24 * 60 * 60);
    let runtime =
        Builder::new_current_thread().enable_all().thread_keep_alive(day).build_local(LocalOptions::default());
    let runtime = runtime.map_err(crate::Error::file("the worker's runtime"))?;
    let (mut stock, mut gateways) = (None, bare::Gateways::default());
    while let Some(order) = channel.receive::<Order>()? {
        let job = match order {
            Order::Cell(job) => job,
            Order::Bare(job) => {
                let over = runtime.block_on(gateways.run(*job, &channel)).err().map(|e| e.to_string());
                channel.send(&News::Over(over))?;
                continue;
            }
            Order::Site(job) => return runtime.block_on(site::serve(job, channel)),
        };
        let news = channel.clone();
        // The outer half may be gone; then the next message is the end.
        let tell = move |what: String| drop(news.send(&News::Doing(what)));
        let stock = Arc::clone(stock.get_or_insert_with(|| Stock::keeping(job.logs.clone())));
        let folder = job.folder.clone();
        Spent::take();
        let clock = meter::start(Work::Cell);
        // As a task: whenever one wakes what the runtime is blocked on, the runtime looks for events first.
        let driven = runtime.spawn_local(async move { drive::drive(&job, &stock, &tell).await });
        let driven = runtime.block_on(driven);
        let (observation, facts) = driven.unwrap_or_else(|ended| panic::resume_unwind(ended.into_panic()));
        observation::write_facts(&facts, &folder)?;
        observation.write(&folder)?;
        drop(clock);
        channel.send(&News::Done(Spent::take()))?;
    }
    Ok(())
}
