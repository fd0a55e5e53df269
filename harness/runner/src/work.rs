//! The inner half of a worker: cells come in, observations go out, until no more come; or one order to serve a cloud.

use std::ffi::OsString;

use lab::world::inside;

use crate::{
    Result, drive,
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(crate::Error::file("the worker's runtime"))?;
    while let Some(order) = channel.receive::<Order>()? {
        let job = match order {
            Order::Cell(job) => job,
            Order::Site(job) => return runtime.block_on(site::serve(job, channel)),
        };
        let news = channel.clone();
        // The outer half may be gone; then the next message is the end.
        let tell = move |what: String| drop(news.send(&News::Doing(what)));
        let (observation, facts) = runtime.block_on(drive::drive(&job, &tell));
        observation::write_facts(&facts, &job.folder)?;
        observation.write(&job.folder)?;
        channel.send(&News::Done)?;
    }
    Ok(())
}
