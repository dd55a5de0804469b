//! Work on all processors.

use std::sync::atomic::{AtomicUsize, Ordering};

/// `work` of 0 to `n - 1`, in this order, made on all processors. A panic of `work` is handed on.
///
/// ```
/// assert_eq!(data_pipeline::parallel::map(4, |i| i * i), [0, 1, 4, 9]);
/// ```
pub fn map<T: Send>(n: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    map_on(std::thread::available_parallelism().map_or(1, |n| n.get()), n, work)
}

/// As [`map`], on so many threads, at least one.
pub(crate) fn map_on<T: Send>(
    threads: usize,
    n: usize,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let share = || {
        let mut done = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= n {
                return done;
            }
            done.push((i, work(i)));
        }
    };
    let threads = threads.max(1).min(n);
    let mut done: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(share)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().flat_map(join).collect()
    });
    done.sort_unstable_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, value)| value).collect()
}
