//! A wish to end early: what is being waited for is given up, and what was made is still deleted.

use tokio::sync::watch;

/// Clones are of the same wish.
#[derive(Clone)]
pub(crate) struct Interrupt(Option<watch::Receiver<bool>>);

impl Interrupt {
    /// For what ends with its process.
    pub fn never() -> Self {
        Self(None)
    }

    /// Raised once `true` is sent.
    pub fn by(raised: watch::Receiver<bool>) -> Self {
        Self(Some(raised))
    }

    pub fn is_raised(&self) -> bool {
        self.0.as_ref().is_some_and(|raised| *raised.borrow())
    }

    /// Does not end unless it is raised.
    pub async fn raised(&self) {
        let Some(raised) = &self.0 else { return std::future::pending().await };
        if raised.clone().wait_for(|raised| *raised).await.is_err() {
            // Nobody is left to raise it.
            std::future::pending().await
        }
    }
}
