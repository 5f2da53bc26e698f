//! Counts what is under way at one time for each key, and keeps no key for which nothing is.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many places for each key. As many keys are kept as have a place, so what hands out keys bounds the memory.
#[derive(Debug, Clone)]
pub struct Places<K> {
    taken: Arc<Mutex<HashMap<K, usize>>>,
    max: usize,
}

impl<K: Eq + Hash + Clone> Places<K> {
    pub fn new(max: usize) -> Self {
        Self { taken: Arc::default(), max }
    }

    /// A place for this key until the returned value is dropped; `None` when all of them are taken.
    pub fn take(&self, key: K) -> Option<Place<K>> {
        let mut taken = lock(&self.taken);
        let count = taken.get(&key).copied().unwrap_or_default();
        if count >= self.max {
            return None;
        }
        taken.insert(key.clone(), count + 1);
        drop(taken);
        Some(Place { taken: Arc::clone(&self.taken), key })
    }
}

/// One place taken.
#[derive(Debug)]
pub struct Place<K: Eq + Hash> {
    taken: Arc<Mutex<HashMap<K, usize>>>,
    key: K,
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        match taken.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(taken.remove(&self.key)),
        }
    }
}

fn lock<K>(taken: &Mutex<HashMap<K, usize>>) -> MutexGuard<'_, HashMap<K, usize>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_places_and_another_its_own() {
        let places = Places::new(2);
        let first = places.take("a").unwrap();
        let _second = places.take("a").unwrap();
        assert!(places.take("a").is_none());
        assert!(places.take("b").is_some());
        drop(first);
        assert!(places.take("a").is_some());
    }

    #[test]
    fn a_flood_of_keys_that_come_and_go_leaves_none() {
        let places = Places::new(1);
        let held = places.take(u32::MAX).unwrap();
        for key in 0..100_000 {
            assert!(places.take(key).is_some());
            assert_eq!(lock(&places.taken).len(), 1, "only what is held is kept");
        }
        drop(held);
        assert!(lock(&places.taken).is_empty());
    }
}
