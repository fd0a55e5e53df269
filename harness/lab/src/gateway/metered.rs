//! A gateway whose time is told.

use futures_util::future::BoxFuture;

use super::{Gateway, Status, Tunnel};
use crate::{
    Result,
    meter::{self, Work},
};

pub(super) struct Metered<G>(pub G);

impl<G: Gateway> Gateway for Metered<G> {
    fn apply<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<()>> {
        metered(self.0.apply(tunnel))
    }

    fn initiate<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<()>> {
        metered(self.0.initiate(tunnel))
    }

    fn terminate<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<()>> {
        metered(self.0.terminate(tunnel))
    }

    /// The kernel is asked, not the daemon.
    fn status<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<Status>> {
        self.0.status(tunnel)
    }

    fn remains(&self) -> BoxFuture<'_, Result<Option<String>>> {
        metered(self.0.remains())
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        metered(self.0.stop())
    }
}

fn metered<'a, T>(work: BoxFuture<'a, T>) -> BoxFuture<'a, T>
where
    T: 'a,
{
    Box::pin(async move {
        let _clock = meter::start(Work::Daemons);
        work.await
    })
}
