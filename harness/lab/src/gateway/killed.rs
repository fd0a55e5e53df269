//! A gateway whose daemon was killed: it hears nothing, and what its kernel has of tunnels stays until it is taken away.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Gateway, Status, Tunnel, kernel_status};
use crate::{Result, machine::Machine, xfrm};

pub(super) struct Killed(pub Arc<Machine>);

impl Gateway for Killed {
    /// Whoever starts the daemon again tells it what it has to know.
    fn apply<'a>(&'a self, _: &'a Tunnel) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn initiate<'a>(&'a self, _: &'a Tunnel) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn terminate<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let pairs: Vec<_> = tunnel.pairs().collect();
            xfrm::clear_tunnel(&self.0, [tunnel.local, tunnel.peer], pairs).await
        })
    }

    fn status<'a>(&'a self, tunnel: &'a Tunnel) -> BoxFuture<'a, Result<Status>> {
        Box::pin(kernel_status(&self.0, tunnel))
    }

    fn remains(&self) -> BoxFuture<'_, Result<Option<String>>> {
        Box::pin(async { Ok(Some("nothing that could be asked".to_owned())) })
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
