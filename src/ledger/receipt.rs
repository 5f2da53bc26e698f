//! What a requester keeps of a release: the entries that opened and closed it, each with a proof that it is in
//! the ledger, in the format C2SP `tlog-proof@v1`.
//!
//! Reads the store on a connection of its own, so that proofs never wait for the writer nor it for them.

use crate::domain::ReleaseId;
use crate::store::{Filter, Reader, StoreError};

use super::tree::{Hash, TILE_WIDTH, node_hash};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Entries of one type that are shown of a release.
const ENTRIES_MAX: u64 = 64;
/// What is shown: grants are many, and the completion says more than the last of them.
const KINDS: [&str; 4] = ["release.intent", "release.complete", "release.reconciled", "release.ack"];
const TILE_HEIGHT: u32 = 8;

/// The entries of one release and their proofs under one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub entries: Vec<Proven>,
    /// The signed note, verbatim.
    pub checkpoint: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    pub index: u64,
    /// The exact bytes of the entry.
    pub leaf: Vec<u8>,
    /// `tlog-proof@v1`, checkpoint included.
    pub proof: String,
}

/// The receipt of a release as the ledger stands; `None` when it names no entry.
pub(super) fn read(reader: &mut impl Reader, release: &ReleaseId) -> Result<Option<Receipt>, StoreError> {
    let head = reader.head()?;
    let mut found = Vec::new();
    for kind in KINDS {
        let kind = Some(kind.to_owned());
        let filter = Filter { kind, release: Some(*release.as_bytes()), ..Filter::default() };
        found.extend(reader.find(&filter, 0, ENTRIES_MAX)?);
    }
    found.sort_by_key(|entry| entry.index);
    let mut entries = Vec::new();
    // What came after the head that was read is not under its checkpoint.
    for entry in found.into_iter().filter(|entry| entry.index < head.size) {
        let path = inclusion(reader, entry.index, head.size)?;
        let mut proof = format!("c2sp.org/tlog-proof@v1\nindex {}\n", entry.index);
        for hash in path {
            STANDARD.encode_string(hash, &mut proof);
            proof.push('\n');
        }
        proof.push('\n');
        proof.push_str(&head.checkpoint);
        entries.push(Proven { index: entry.index, leaf: entry.leaf, proof });
    }
    Ok((!entries.is_empty()).then_some(Receipt { entries, checkpoint: head.checkpoint }))
}

/// The audit path of RFC 6962, section 2.1.1, for leaf `index` of the tree of `size` leaves, leaf side first.
fn inclusion(reader: &mut impl Reader, index: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
    let (mut low, mut high) = (0, size);
    let mut path = Vec::new();
    while high - low > 1 {
        let middle = low + left_width(high - low);
        if index < middle {
            path.push(root_of(reader, middle, high)?);
            high = middle;
        } else {
            path.push(root_of(reader, low, middle)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The largest power of two below `width`, which is at least 2.
fn left_width(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

/// The root over the leaves from `low` to before `high`, as RFC 6962 cuts them.
fn root_of(reader: &mut impl Reader, low: u64, high: u64) -> Result<Hash, StoreError> {
    let width = high - low;
    if width.is_power_of_two() {
        return perfect_root(reader, low, width.ilog2());
    }
    let middle = low + left_width(width);
    Ok(node_hash(&root_of(reader, low, middle)?, &root_of(reader, middle, high)?))
}

/// The root of the perfect subtree of `height` that begins at leaf `low`, from one tile.
fn perfect_root(reader: &mut impl Reader, low: u64, height: u32) -> Result<Hash, StoreError> {
    let level = u8::try_from(height / TILE_HEIGHT).map_err(|_| StoreError::Number)?;
    let first = low >> (TILE_HEIGHT * u32::from(level));
    let (tile, offset) = (first / TILE_WIDTH, first % TILE_WIDTH);
    let offset = usize::try_from(offset).map_err(|_| StoreError::Number)?;
    let hashes = reader.tile(level, tile)?.unwrap_or_default();
    let count = 1 << (height % TILE_HEIGHT);
    let mut row = hashes.as_chunks::<32>().0.get(offset..offset + count).ok_or(StoreError::Format)?.to_vec();
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied().ok_or(StoreError::Format)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::ledger::tree::{Tree, leaf_hash};
    use crate::store::{Head, StoredEntry};

    /// A reader that has tiles and nothing else.
    struct Tiles(HashMap<(u8, u64), Vec<u8>>);

    impl Reader for Tiles {
        fn head(&mut self) -> Result<Head, StoreError> {
            Err(StoreError::Format)
        }
        fn entries(&mut self, _: u64, _: u64) -> Result<Vec<StoredEntry>, StoreError> {
            Err(StoreError::Format)
        }
        fn tile(&mut self, level: u8, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
            Ok(self.0.get(&(level, index)).cloned())
        }
        fn is_intact(&mut self) -> Result<bool, StoreError> {
            Err(StoreError::Format)
        }
        fn open_releases(&mut self) -> Result<Vec<([u8; 16], u64)>, StoreError> {
            Err(StoreError::Format)
        }
        fn find(&mut self, _: &Filter, _: u64, _: u64) -> Result<Vec<StoredEntry>, StoreError> {
            Err(StoreError::Format)
        }
    }

    /// RFC 9162, section 2.1.3.2, step by step.
    fn verify(index: u64, size: u64, leaf: Hash, path: &[Hash], root: &Hash) -> bool {
        if index >= size {
            return false;
        }
        let (mut node, mut last) = (index, size - 1);
        let mut hash = leaf;
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

    #[test]
    fn every_leaf_is_proven_at_every_size_and_no_other_leaf_is() {
        let mut tree = Tree::default();
        let mut tiles = Tiles(HashMap::new());
        let leaves: Vec<Hash> = (0_u32..600).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        for (size, leaf) in (1..).zip(&leaves) {
            let mut finished = Vec::new();
            tree.push(*leaf, &mut finished);
            finished.extend(tree.edges());
            tiles.0.extend(finished.into_iter().map(|tile| ((tile.level, tile.index), tile.hashes)));
            if ![1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 600].contains(&size) {
                continue;
            }
            let root = tree.root();
            for (index, leaf) in (0..size).zip(&leaves) {
                let path = inclusion(&mut tiles, index, size).unwrap();
                assert!(verify(index, size, *leaf, &path, &root), "leaf {index} of {size}");
                let other = leaf_hash(b"another");
                assert!(!verify(index, size, other, &path, &root), "forged leaf {index} of {size}");
            }
        }
    }
}
