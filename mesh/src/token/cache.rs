//! Verified tokens by hash, bounded.

use std::collections::HashMap;
use std::sync::Arc;

use crate::caller::Caller;

/// Two generations: what was not asked for while the newer one filled up is forgotten. That
/// bounds the cache without a list of uses, and expired tokens leave by themselves.
#[derive(Debug)]
pub(super) struct Cache {
    newer: HashMap<[u8; 32], Arc<Caller>>,
    older: HashMap<[u8; 32], Arc<Caller>>,
    generation: usize,
}

impl Cache {
    /// Keeps at most `capacity` tokens.
    pub(super) fn new(capacity: usize) -> Self {
        Self { newer: HashMap::new(), older: HashMap::new(), generation: (capacity / 2).max(1) }
    }

    pub(super) fn get(&mut self, hash: &[u8; 32]) -> Option<Arc<Caller>> {
        if let Some(caller) = self.newer.get(hash) {
            return Some(Arc::clone(caller));
        }
        let caller = self.older.remove(hash)?;
        self.insert(*hash, Arc::clone(&caller));
        Some(caller)
    }

    pub(super) fn insert(&mut self, hash: [u8; 32], caller: Arc<Caller>) {
        if self.newer.len() >= self.generation {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(hash, caller);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Scope;

    fn caller() -> Arc<Caller> {
        Arc::new(Caller {
            session_id: String::new(),
            user: String::new(),
            login: String::new(),
            scope: Scope::Everything,
            role: String::new(),
            permissions: Vec::new(),
            is_super_user: false,
            epoch: 0,
            expires_at: 0,
        })
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let mut cache = Cache::new(8);
        cache.insert([0; 32], caller());

        for number in 1..=100 {
            cache.insert([number; 32], caller());
            assert!(cache.get(&[0; 32]).is_some(), "lost after {number}");
        }

        assert!(cache.newer.len() + cache.older.len() <= 8);
        assert!(cache.get(&[1; 32]).is_none());
    }
}
