//! Several files at once.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_util::sync::CancellationToken;

/// Does `work` for each of `files` on a thread of its own; none is begun once `stop` is set. Where there are no
/// more threads it takes longer.
pub(super) fn beside<'f, F: Sync, T: Send>(
    files: &'f [F],
    stop: &CancellationToken,
    work: &(dyn Fn(&F) -> T + Sync),
) -> Vec<(&'f F, T)> {
    let next = AtomicUsize::new(0);
    let each = || {
        let mut done = Vec::new();
        while !stop.is_cancelled()
            && let Some(file) = files.get(next.fetch_add(1, Ordering::SeqCst))
        {
            done.push((file, work(file)));
        }
        done
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..files.len())
            .map_while(|_| std::thread::Builder::new().spawn_scoped(scope, each).ok())
            .collect();
        let mut done = each();
        for thread in threads {
            match thread.join() {
                Ok(more) => done.extend(more),
                Err(panic) => resume_unwind(panic),
            }
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn night_p8_each_is_done_once_and_all_at_the_same_time() {
        let stop = CancellationToken::new();
        let met = Barrier::new(16);
        let files: Vec<usize> = (0..16).collect();
        // Ends only if all of them are under way together.
        let mut done = beside(&files, &stop, &|file| {
            met.wait();
            file * 2
        });
        done.sort_unstable();
        let expected: Vec<(&usize, usize)> = files.iter().map(|file| (file, file * 2)).collect();
        assert_eq!(done, expected);
        stop.cancel();
        assert!(beside(&files, &stop, &|file| *file).is_empty());
    }
}
