//! The Merkle tree of RFC 6962 (SHA-256), grown one leaf at a time, and its hashes cut into the tiles of C2SP
//! `tlog-tiles`.
//!
//! A [`Tree`] holds what an append needs and no more: the roots of the perfect subtrees on the right edge and
//! the unfinished tile of every level. Tile `L` holds the roots of perfect subtrees of height `8 * L`, so a
//! finished tile of level `L` has one hash in level `L + 1`.

use crate::domain::Digest;
use crate::domain::digest::Hasher;
use crate::store::Tile;

pub type Hash = [u8; 32];

/// Hashes in a finished tile.
pub const TILE_WIDTH: u64 = 256;
pub(super) const TILE_BYTES: usize = 256 * 32;
const TILE_HEIGHT: u32 = 8;

/// `SHA-256(0x00 || entry)`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut hasher = Hasher::default();
    hasher.update(&[0]);
    hasher.update(entry);
    hasher.digest().0
}

/// `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Digest::of(&bytes).0
}

/// The root of a tree without leaves.
pub fn empty_root() -> Hash {
    Digest::of(b"").0
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// Roots of the perfect subtrees from left to right: one for each bit of `size`, the highest first.
    frontier: Vec<Hash>,
    /// The unfinished tile of each level, from level 0.
    edges: Vec<Vec<u8>>,
}

impl Tree {
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf and hands every tile it finishes to `finished`.
    pub fn push(&mut self, leaf: Hash, finished: &mut Vec<Tile>) {
        let mut hash = leaf;
        let mut height = 0_u32;
        loop {
            if height.is_multiple_of(TILE_HEIGHT) {
                self.extend_edge(height / TILE_HEIGHT, &hash, finished);
            }
            // A set bit of the old size is a subtree of this height that waits for its right brother.
            match (self.size >> height) & 1 {
                1 => hash = node_hash(&self.frontier.pop().unwrap_or_default(), &hash),
                _ => break,
            }
            height += 1;
        }
        self.frontier.push(hash);
        self.size += 1;
    }

    fn extend_edge(&mut self, level: u32, hash: &Hash, finished: &mut Vec<Tile>) {
        let level = level as usize;
        if self.edges.len() <= level {
            self.edges.push(Vec::with_capacity(TILE_BYTES));
        }
        self.edges[level].extend_from_slice(hash);
        if self.edges[level].len() == TILE_BYTES {
            let hashes = std::mem::take(&mut self.edges[level]);
            #[expect(clippy::cast_possible_truncation, reason = "a tree of 2^64 leaves has 8 levels")]
            finished.push(Tile {
                level: level as u8,
                index: self.size >> (TILE_HEIGHT as usize * (level + 1)),
                hashes,
            });
        }
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        fold(&self.frontier)
    }

    /// The unfinished tiles that are not empty, from level 0.
    pub fn edges(&self) -> impl Iterator<Item = Tile> {
        (0_u8..).zip(&self.edges).filter(|(_, hashes)| !hashes.is_empty()).map(|(level, hashes)| Tile {
            level,
            index: self.size >> (TILE_HEIGHT * (u32::from(level) + 1)),
            hashes: hashes.clone(),
        })
    }

    /// The tree of `size` leaves whose unfinished tiles `tile` knows by level and index; `None` when one of
    /// them is missing or has too few hashes. A tile may hold more hashes than `size` needs.
    pub fn from_tiles<E>(
        size: u64,
        mut tile: impl FnMut(u8, u64) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Option<Self>, E> {
        let mut edges = Vec::new();
        let mut frontier = Vec::new();
        let mut level = 0_u8;
        let mut rest = size;
        while rest > 0 {
            let width = (rest % TILE_WIDTH) as usize;
            rest /= TILE_WIDTH;
            let mut hashes = Vec::new();
            if width > 0 {
                match tile(level, rest)? {
                    Some(stored) if stored.len() >= width * 32 => hashes = stored,
                    _ => return Ok(None),
                }
                hashes.truncate(width * 32);
            }
            // Within this level the lowest bits of the width are the rightmost subtrees.
            let mut end = width;
            let mut roots = Vec::new();
            for bit in 0..TILE_HEIGHT {
                if (width >> bit) & 1 == 1 {
                    let start = end - (1 << bit);
                    roots.push(perfect_root(&hashes[start * 32..end * 32]));
                    end = start;
                }
            }
            frontier.extend(roots);
            edges.push(hashes);
            level += 1;
        }
        frontier.reverse();
        Ok(Some(Self { size, frontier, edges }))
    }
}

/// Folds subtree roots from the right: the last two are joined first.
fn fold(frontier: &[Hash]) -> Hash {
    let mut from_right = frontier.iter().rev();
    let Some(mut root) = from_right.next().copied() else { return empty_root() };
    for left in from_right {
        root = node_hash(left, &root);
    }
    root
}

/// The root over a power of two of hashes.
fn perfect_root(hashes: &[u8]) -> Hash {
    let mut row = hashes.as_chunks::<32>().0.to_vec();
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::convert::Infallible;

    use super::*;

    /// RFC 6962, section 2.1, word for word.
    fn oracle(entries: &[Vec<u8>]) -> Hash {
        match entries.len() {
            0 => empty_root(),
            1 => leaf_hash(&entries[0]),
            n => {
                let split = n.next_power_of_two() / 2;
                node_hash(&oracle(&entries[..split]), &oracle(&entries[split..]))
            }
        }
    }

    fn grow(entries: &[Vec<u8>]) -> (Tree, Vec<Tile>) {
        let mut tree = Tree::default();
        let mut finished = Vec::new();
        for entry in entries {
            tree.push(leaf_hash(entry), &mut finished);
        }
        (tree, finished)
    }

    #[test]
    fn roots_are_the_known_ones_of_certificate_transparency() {
        // The eight entries and roots of the test vectors of Google's certificate-transparency.
        let entries: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let entries: Vec<Vec<u8>> = entries.iter().map(|entry| entry.to_vec()).collect();
        for (size, expected) in roots.iter().enumerate() {
            assert_eq!(Digest(grow(&entries[..size]).0.root()).to_string(), *expected, "{size} leaves");
        }
    }

    #[test]
    fn every_size_has_the_root_of_the_recursive_definition_and_reloads_from_its_tiles() {
        let entries: Vec<Vec<u8>> = (0..600_u32).map(|n| n.to_be_bytes().to_vec()).collect();
        for size in 0..=entries.len() {
            let (tree, finished) = grow(&entries[..size]);
            let root = oracle(&entries[..size]);
            assert_eq!(tree.root(), root, "{size} leaves");
            let tiles: HashMap<(u8, u64), Vec<u8>> = finished
                .into_iter()
                .chain(tree.edges())
                .map(|tile| ((tile.level, tile.index), tile.hashes))
                .collect();
            let again = Tree::from_tiles(size as u64, |level, index| {
                Ok::<_, Infallible>(tiles.get(&(level, index)).cloned())
            });
            let again = again.unwrap().unwrap();
            assert_eq!((again.size, &again.frontier), (tree.size, &tree.frontier), "{size} leaves");
            assert!(again.edges().eq(tree.edges()), "{size} leaves");
        }
    }

    #[test]
    fn earlier_roots_come_from_later_tiles() {
        let entries: Vec<Vec<u8>> = (0..70_000_u32).map(|n| n.to_be_bytes().to_vec()).collect();
        let (tree, finished) = grow(&entries);
        let tiles: HashMap<(u8, u64), Vec<u8>> = finished
            .into_iter()
            .chain(tree.edges())
            .map(|tile| ((tile.level, tile.index), tile.hashes))
            .collect();
        for size in [0, 1, 255, 256, 257, 65_535, 65_536, 65_537, 69_999, 70_000] {
            let again = Tree::from_tiles(size as u64, |level, index| {
                Ok::<_, Infallible>(tiles.get(&(level, index)).cloned())
            });
            assert_eq!(again.unwrap().unwrap().root(), oracle(&entries[..size]), "{size} leaves");
        }
        let missing = Tree::from_tiles(257, |_, _| Ok::<_, Infallible>(None));
        assert_eq!(missing, Ok(None));
    }
}
