//! Proofs over the tree: that an entry is in it, and that one tree grew out of another (RFC 9162, sections 2.1.3 and
//! 2.1.4). Made from stored tiles; checked by the loops of the RFC, step by step.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::store::{Reader, StoreError};

use super::checkpoint::Checkpoint;
use super::tree::{Hash, TILE_WIDTH, node_hash};

/// A path has at most one hash for each bit of a size.
pub const PATH_HASHES_MAX: usize = 63;
const TILE_HEIGHT: u32 = 8;

/// The tiles of one state, each read once: steps of a path lie in few of them, and so do paths of entries that are near to
/// one another.
pub(super) struct Tiles<'a, R: ?Sized> {
    reader: &'a mut R,
    read: BTreeMap<(u8, u64), Vec<u8>>,
}

impl<'a, R: Reader + ?Sized> Tiles<'a, R> {
    pub(super) fn of(reader: &'a mut R) -> Self {
        Self { reader, read: BTreeMap::new() }
    }

    fn hashes(&mut self, level: u8, tile: u64) -> Result<&[Hash], StoreError> {
        let hashes = match self.read.entry((level, tile)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(self.reader.tile(level, tile)?.unwrap_or_default()),
        };
        Ok(hashes.as_chunks().0)
    }
}

/// The audit path for leaf `index` of the tree of `size` leaves, leaf side first.
pub(super) fn inclusion(
    tiles: &mut Tiles<'_, impl Reader + ?Sized>,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, StoreError> {
    let (mut low, mut high) = (0, size);
    let mut path = Vec::new();
    while high - low > 1 {
        let middle = low + left_width(high - low);
        if index < middle {
            path.push(root_of(tiles, middle, high)?);
            high = middle;
        } else {
            path.push(root_of(tiles, low, middle)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `new` leaves begins with that of `old` leaves. Empty where `old` is 0 or `new`: then
/// there is nothing to prove.
pub(super) fn consistency(
    tiles: &mut Tiles<'_, impl Reader + ?Sized>,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, StoreError> {
    let (mut low, mut high) = (0, new);
    let mut path = Vec::new();
    if old == 0 || old > new {
        return Ok(path);
    }
    while old != high {
        let middle = low + left_width(high - low);
        if old <= middle {
            path.push(root_of(tiles, middle, high)?);
            high = middle;
        } else {
            path.push(root_of(tiles, low, middle)?);
            low = middle;
        }
    }
    if low > 0 {
        path.push(root_of(tiles, low, high)?);
    }
    path.reverse();
    Ok(path)
}

/// The largest power of two below `width`, which is at least 2.
fn left_width(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

/// The root over the leaves from `low` to before `high`, as RFC 6962 cuts them.
fn root_of(tiles: &mut Tiles<'_, impl Reader + ?Sized>, low: u64, high: u64) -> Result<Hash, StoreError> {
    let width = high - low;
    if width.is_power_of_two() {
        return perfect_root(tiles, low, width.ilog2());
    }
    let middle = low + left_width(width);
    Ok(node_hash(&root_of(tiles, low, middle)?, &root_of(tiles, middle, high)?))
}

/// The root of the perfect subtree of `height` that begins at leaf `low`, from one tile.
fn perfect_root(
    tiles: &mut Tiles<'_, impl Reader + ?Sized>,
    low: u64,
    height: u32,
) -> Result<Hash, StoreError> {
    let level = u8::try_from(height / TILE_HEIGHT).map_err(|_| StoreError::Number)?;
    let first = low >> (TILE_HEIGHT * u32::from(level));
    let (tile, offset) = (first / TILE_WIDTH, first % TILE_WIDTH);
    let offset = usize::try_from(offset).map_err(|_| StoreError::Number)?;
    let count = 1 << (height % TILE_HEIGHT);
    let mut row = tiles.hashes(level, tile)?.get(offset..offset + count).ok_or(StoreError::Format)?.to_vec();
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied().ok_or(StoreError::Format)
}

/// Whether the path shows that `leaf` is the hash at `index` in the tree of `size` leaves (section 2.1.3.2).
pub fn is_included(index: u64, size: u64, leaf: &Hash, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for step in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(step, &hash);
            if node & 1 == 0 {
                while node & 1 == 0 && node != 0 {
                    node >>= 1;
                    last >>= 1;
                }
            }
        } else {
            hash = node_hash(&hash, step);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether the path shows that `new` grew out of `old` (section 2.1.4.2). Every tree grew out of the empty one, and
/// out of itself; both need an empty path.
pub fn is_consistent(old: &Checkpoint, new: &Checkpoint, path: &[Hash]) -> bool {
    if old.size == 0 {
        return path.is_empty();
    }
    if old.size == new.size {
        return path.is_empty() && old.root == new.root;
    }
    if old.size > new.size || path.is_empty() {
        return false;
    }
    let mut steps = path.iter().copied();
    let seed = if old.size.is_power_of_two() { Some(old.root) } else { steps.next() };
    let Some(seed) = seed else { return false };
    let (mut node, mut last) = (old.size - 1, new.size - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut first_hash, mut second_hash) = (seed, seed);
    for step in steps {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            first_hash = node_hash(&step, &first_hash);
            second_hash = node_hash(&step, &second_hash);
            if node & 1 == 0 {
                while node & 1 == 0 && node != 0 {
                    node >>= 1;
                    last >>= 1;
                }
            }
        } else {
            second_hash = node_hash(&second_hash, &step);
        }
        node >>= 1;
        last >>= 1;
    }
    first_hash == old.root && second_hash == new.root && last == 0
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::ops::Range;

    use super::*;
    use crate::ledger::tree::{Tree, leaf_hash};
    use crate::store::{Filter, Head, Inspected, Listed, ReadId, StoredEntry};

    /// A reader that has tiles and nothing else.
    struct Kept(HashMap<(u8, u64), Vec<u8>>);

    impl Reader for Kept {
        fn head(&mut self) -> Result<Head, StoreError> {
            Err(StoreError::Format)
        }
        fn entries(&mut self, _: u64, _: u64) -> Result<Vec<StoredEntry>, StoreError> {
            Err(StoreError::Format)
        }
        fn tile(&mut self, level: u8, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
            Ok(self.0.get(&(level, index)).cloned())
        }
        fn entered(&mut self, _: &ReadId) -> Result<Option<u64>, StoreError> {
            Ok(None)
        }
        fn entered_reads(&mut self) -> Result<Vec<(ReadId, u64)>, StoreError> {
            Ok(Vec::new())
        }
        fn inspect(&mut self, _: Range<u64>, _: Listed) -> Result<Inspected, StoreError> {
            Err(StoreError::Format)
        }
        fn open_releases(&mut self) -> Result<Vec<([u8; 16], u64)>, StoreError> {
            Err(StoreError::Format)
        }
        fn find(&mut self, _: &Filter, _: u64, _: u64) -> Result<Vec<StoredEntry>, StoreError> {
            Err(StoreError::Format)
        }
    }

    const SIZES: [u64; 14] = [1, 2, 3, 6, 7, 8, 9, 255, 256, 257, 511, 512, 513, 600];

    /// The tiles of 600 leaves, the hash of each leaf, and the tree at each of the sizes.
    fn grown() -> (Kept, Vec<Hash>, Vec<Checkpoint>) {
        let (mut tree, mut tiles, mut heads) = (Tree::default(), Kept(HashMap::new()), Vec::new());
        let leaves: Vec<Hash> = (0_u32..600).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        for leaf in &leaves {
            let mut finished = Vec::new();
            tree.push(*leaf, &mut finished);
            finished.extend(tree.edges());
            tiles.0.extend(finished.into_iter().map(|tile| ((tile.level, tile.index), tile.hashes)));
            if SIZES.contains(&tree.size()) {
                heads.push(Checkpoint { size: tree.size(), root: tree.root() });
            }
        }
        (tiles, leaves, heads)
    }

    #[test]
    fn every_leaf_is_proven_at_every_size_and_no_other_leaf_is() {
        let (mut tiles, leaves, heads) = grown();
        for Checkpoint { size, root } in heads {
            for (index, leaf) in (0..size).zip(&leaves) {
                let path = inclusion(&mut Tiles::of(&mut tiles), index, size).unwrap();
                assert!(is_included(index, size, leaf, &path, &root), "leaf {index} of {size}");
                let other = leaf_hash(b"another");
                assert!(!is_included(index, size, &other, &path, &root), "forged leaf {index} of {size}");
            }
        }
    }

    #[test]
    fn growth_is_proven_between_any_two_sizes_and_no_other_past_or_future_is() {
        let (mut tiles, _, heads) = grown();
        let forged = leaf_hash(b"another");
        for old in &heads {
            for new in &heads {
                let name = format!("{} to {}", old.size, new.size);
                let path = consistency(&mut Tiles::of(&mut tiles), old.size, new.size).unwrap();
                assert_eq!(is_consistent(old, new, &path), old.size <= new.size, "{name}");
                if old.size > new.size {
                    continue;
                }
                let (past, future) =
                    (Checkpoint { root: forged, ..*old }, Checkpoint { root: forged, ..*new });
                assert!(!is_consistent(&past, new, &path), "{name}: another past");
                assert!(!is_consistent(old, &future, &path), "{name}: another future");
                let longer = [&path[..], &[forged]].concat();
                assert!(!is_consistent(old, new, &longer), "{name}: a hash too many");
                for at in 0..path.len() {
                    let mut changed = path.clone();
                    changed[at] = forged;
                    assert!(!is_consistent(old, new, &changed), "{name}: hash {at} changed");
                    changed.remove(at);
                    assert!(!is_consistent(old, new, &changed), "{name}: hash {at} left out");
                }
            }
        }
        let (empty, some) = (Checkpoint { size: 0, root: forged }, heads[0]);
        assert!(is_consistent(&empty, &some, &[]));
        assert!(!is_consistent(&empty, &some, &[forged]));
    }
}
