//! One at a time for each VPC: what changes a router waits until what came before it is done.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex as Plain},
};

use futures_util::FutureExt;
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    task::unconstrained,
};

use crate::lock;

#[derive(Default)]
pub(crate) struct Turns(Plain<HashMap<i64, Arc<Mutex<()>>>>);

/// A place in the queue of a VPC.
pub(crate) enum Turn {
    Come(OwnedMutexGuard<()>),
    Waiting(Pin<Box<dyn Future<Output = OwnedMutexGuard<()>> + Send>>),
}

impl Turns {
    /// Takes a place now; whoever asks later comes later, however tasks are scheduled.
    pub(crate) fn queue(&self, vpc: i64) -> Turn {
        let vpc = lock(&self.0).entry(vpc).or_default().clone();
        // A lock is queued for when it is first polled; unless a task that has done much is to pause first, which is
        // why it is unconstrained.
        let mut waiting = Box::pin(unconstrained(vpc.lock_owned()));
        match (&mut waiting).now_or_never() {
            Some(turn) => Turn::Come(turn),
            None => Turn::Waiting(waiting),
        }
    }
}

impl Turn {
    /// Lasts until the guard is dropped.
    pub(crate) async fn come(self) -> OwnedMutexGuard<()> {
        match self {
            Self::Come(turn) => turn,
            Self::Waiting(turn) => turn.await,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn first_come_first_served() {
        let turns = Turns::default();
        let (first, second, third, other) = (turns.queue(1), turns.queue(1), turns.queue(1), turns.queue(2));
        let order = Arc::new(Plain::new(Vec::new()));
        let note = |n, turn: Turn| {
            let order = order.clone();
            tokio::spawn(async move {
                let _turn = turn.come().await;
                lock(&order).push(n);
            })
        };
        let late = [note(3, third), note(2, second)];
        note(9, other).await.unwrap();
        assert_eq!(*lock(&order), [9]);
        note(1, first).await.unwrap();
        for task in late {
            task.await.unwrap();
        }
        assert_eq!(*lock(&order), [9, 1, 2, 3]);
    }

    #[tokio::test]
    async fn a_turn_that_is_free_comes_at_once_however_many_a_task_has_asked_for() {
        let turns = Turns::default();
        let all: Vec<_> = (0..10_000).map(|vpc| turns.queue(vpc)).collect();
        assert!(all.iter().all(|turn| matches!(turn, Turn::Come(_))));
    }

    #[tokio::test]
    async fn who_gives_up_holds_nobody_up() {
        let turns = Turns::default();
        let (first, second, third) = (turns.queue(1).come().await, turns.queue(1), turns.queue(1));
        drop(second);
        drop(first);
        third.come().await;
    }
}
