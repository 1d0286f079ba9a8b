//! Random numbers for ids that have to be unlike each other and need not be secret. Each thread
//! asks the system for a seed once, in place of a system call for each id.

use std::cell::Cell;

use uuid::Uuid;

/// The odd step of `SplitMix64`.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

thread_local! {
    /// Where the thread is in the sequence, and what sets it apart from other threads.
    static STATE: Cell<(u64, u64)> = Cell::new(Uuid::new_v4().as_u64_pair());
}

/// The next number (`SplitMix64`, from a start of the thread's own).
pub(super) fn next() -> u64 {
    STATE.with(|state| {
        let (before, apart) = state.get();
        let at = before.wrapping_add(STEP);
        state.set((at, apart));
        let mixed = (at ^ (at >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) ^ apart
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbers_of_several_threads_are_all_different() {
        let numbers = || (0..10_000).map(|_| next()).collect::<Vec<_>>();

        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(numbers)).collect();
        let all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();

        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }
}
