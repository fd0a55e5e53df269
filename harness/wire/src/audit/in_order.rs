//! Work that several threads share, and whose results are wanted in order: one thread takes what is to be done from where
//! it comes and sees to what was done, and works itself while there is nothing else for it to do.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Pieces that are under way, for each thread: one that is worked on, and one that waits.
const AHEAD: usize = 2;

/// `next` makes a piece, of the memory of one that is done with if there is one; `work` is done on it by any of the
/// threads; and `then` sees all of them in order. Ends with the first error of `next`.
pub(super) fn in_order<T: Send, E>(
    threads: usize,
    mut next: impl FnMut(Option<T>) -> Result<Option<T>, E>,
    work: impl Fn(&mut T) + Sync,
    mut then: impl FnMut(&mut T),
) -> Result<(), E> {
    let queue = Queue::default();
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| queue.serve(&work));
        }
        let _leaving = Leaving(&queue);
        let mut memory = Vec::new();
        let (mut begun, mut ended) = (0, 0);
        let mut more = true;
        loop {
            while let Some(mut piece) = queue.lock().done.remove(&ended) {
                then(&mut piece);
                memory.push(piece);
                ended += 1;
            }
            if more && begun - ended < AHEAD * threads {
                match next(memory.pop())? {
                    Some(piece) => {
                        queue.add(begun, piece);
                        begun += 1;
                    }
                    None => more = false,
                }
            } else if begun == ended {
                return Ok(());
            } else if !queue.work_once(&work) {
                queue.wait_for(ended);
            }
        }
    })
}

struct Queue<T> {
    pieces: Mutex<Pieces<T>>,
    changed: Condvar,
}

/// Under their numbers.
struct Pieces<T> {
    waiting: VecDeque<(usize, T)>,
    done: BTreeMap<usize, T>,
    over: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let pieces = Pieces { waiting: VecDeque::new(), done: BTreeMap::new(), over: false };
        Self { pieces: Mutex::new(pieces), changed: Condvar::new() }
    }
}

impl<T> Queue<T> {
    /// What a thread that panicked left is whole, since none panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, Pieces<T>> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, condition: impl Fn(&Pieces<T>) -> bool) -> MutexGuard<'_, Pieces<T>> {
        let condition = |pieces: &mut Pieces<T>| !pieces.over && condition(pieces);
        self.changed.wait_while(self.lock(), condition).unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, number: usize, piece: T) {
        self.lock().waiting.push_back((number, piece));
        self.changed.notify_all();
    }

    /// Whether there was something to do.
    fn work_once(&self, work: impl Fn(&mut T)) -> bool {
        let Some((number, mut piece)) = self.lock().waiting.pop_front() else { return false };
        work(&mut piece);
        self.lock().done.insert(number, piece);
        self.changed.notify_all();
        true
    }

    /// Until it is over.
    fn serve(&self, work: impl Fn(&mut T)) {
        let _leaving = Leaving(self);
        while !self.wait_while(|pieces| pieces.waiting.is_empty()).over {
            self.work_once(&work);
        }
    }

    fn wait_for(&self, number: usize) {
        let over = self.wait_while(|pieces| !pieces.done.contains_key(&number)).over;
        // Another thread leaves early only by a panic, which the scope then tells.
        assert!(!over, "a thread that had work to do has ended");
    }
}

/// Whoever leaves ends it for all, in a panic too: nobody may wait for a piece that is not coming.
struct Leaving<'a, T>(&'a Queue<T>);

impl<T> Drop for Leaving<'_, T> {
    fn drop(&mut self) {
        self.0.lock().over = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// Counts to 1,000, and each number is doubled by some thread.
    fn doubled(threads: usize, last: u64, work: impl Fn(u64) -> u64 + Sync) -> Result<Vec<u64>, u64> {
        let (mut count, mut seen) = (0, Vec::new());
        let next = |_| {
            count += 1;
            if count > last { Err(count) } else { Ok((count <= 1000).then_some(count)) }
        };
        in_order(threads, next, |number| *number = work(*number), |number| seen.push(*number))?;
        Ok(seen)
    }

    #[test]
    fn results_come_in_order_whoever_did_the_work() {
        let expected: Vec<u64> = (1..=1000).map(|number| 2 * number).collect();
        for threads in 1..6 {
            assert_eq!(doubled(threads, u64::MAX, |number| 2 * number), Ok(expected.clone()));
        }
    }

    #[test]
    fn an_error_ends_it() {
        assert_eq!(doubled(3, 500, |number| number), Err(501));
    }

    #[test]
    fn a_panic_of_any_thread_ends_it_too() {
        let work = |number| if number == 700 { panic!("of the test") } else { number };
        for threads in 1..4 {
            assert!(catch_unwind(AssertUnwindSafe(|| doubled(threads, u64::MAX, work))).is_err());
        }
    }
}
