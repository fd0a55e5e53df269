//! One maker at a time, in this process and in any other.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use rustix::{fs::FlockOperation, io::Errno};

use super::{ImageError, Result};

/// Held until dropped; the kernel releases it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for whoever holds it; `waiting` is told the holder's process id first.
    pub fn take(path: &Path, waiting: impl FnOnce(&str)) -> Result<Self> {
        let wrong = |source| ImageError::Cache { path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(wrong)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                // The holder may not have written its number yet: then the wait is for nobody in particular.
                let _ = file.read_to_string(&mut holder);
                waiting(holder.trim());
                while let Err(errno) = rustix::fs::flock(&file, FlockOperation::LockExclusive) {
                    if errno != Errno::INTR {
                        return Err(wrong(errno.into()));
                    }
                }
            }
            Err(errno) => return Err(wrong(errno.into())),
        }
        file.set_len(0).map_err(wrong)?;
        file.seek(SeekFrom::Start(0)).map_err(wrong)?;
        write!(file, "{}", std::process::id()).map_err(wrong)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    #[test]
    fn two_holders_never_overlap_and_the_second_is_told_for_whom_it_waits() {
        let folder = std::env::temp_dir().join(format!("tunnelproof-lock-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(".lock-kernel");
        let (inside, seen) = (AtomicU32::new(0), Mutex::new(Vec::new()));
        let first = Lock::take(&path, |_| unreachable!("nobody holds it")).unwrap();
        std::thread::scope(|scope| {
            let waiters: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let lock = Lock::take(&path, |holder| seen.lock().unwrap().push(holder.to_owned())).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                        drop(lock);
                    })
                })
                .collect();
            while seen.lock().unwrap().is_empty() {
                std::thread::yield_now();
            }
            drop(first);
            for waiter in waiters {
                waiter.join().unwrap();
            }
        });
        assert_eq!(seen.lock().unwrap()[0], std::process::id().to_string());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
