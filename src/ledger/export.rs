//! The ledger as the files of C2SP `tlog-tiles`, for tools that others wrote.
//!
//! ```text
//! checkpoint
//! tile/0/000            256 hashes of 32 bytes
//! tile/0/001.p/48       the unfinished tile, with its width
//! tile/entries/000      each entry after its length in two bytes, big-endian
//! ```

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::error::LedgerError;
use super::tree::TILE_WIDTH;
use crate::store::Reader;

const TILE_HEIGHT: u32 = 8;
/// A tree of 2^64 leaves has no more.
const LEVELS: u8 = 8;
const HASH_BYTES: usize = 32;

/// A tile by its place in the tree: hashes of a level, or entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileName {
    /// None: entries.
    level: Option<u8>,
    index: u64,
    /// How many hashes or entries: 1 to 256.
    width: u64,
}

impl TileName {
    /// Reads a path as [`TileName`] prints it, in that form alone.
    pub fn read(path: &str) -> Option<Self> {
        let (level, name) = path.strip_prefix("tile/")?.split_once('/')?;
        let level = if level == "entries" { None } else { Some(level.parse().ok()?) };
        let (name, width) = match name.split_once(".p/") {
            Some((name, width)) => (name, width.parse().ok()?),
            None => (name, TILE_WIDTH),
        };
        let mut index = 0_u64;
        for part in name.split('/') {
            let number: u64 = part.trim_start_matches('x').parse().ok()?;
            index = index.checked_mul(1_000)?.checked_add(number)?;
        }
        let read = Self { level, index, width };
        let is_possible = level.is_none_or(|level| level < LEVELS) && (1..=TILE_WIDTH).contains(&width);
        (is_possible && read.to_string() == path).then_some(read)
    }

    /// Whether it says what was entered, and not only hashes.
    pub fn is_entries(&self) -> bool {
        self.level.is_none()
    }

    /// Whether it never changes again.
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    pub fn width(&self) -> u64 {
        self.width
    }

    /// Whether a tree of `size` leaves has all of it.
    pub(super) fn is_within(&self, size: u64) -> bool {
        let there = size >> (TILE_HEIGHT * u32::from(self.level.unwrap_or(0)));
        self.index
            .checked_mul(TILE_WIDTH)
            .is_some_and(|first| there >= self.width && there - self.width >= first)
    }
}

/// Tile 1234067 is `x001/x234/067`, so that no directory holds more than a thousand names.
impl fmt::Display for TileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(f, "tile/{level}/")?,
            None => f.write_str("tile/entries/")?,
        }
        let mut name = format!("{:03}", self.index % 1_000);
        let mut rest = self.index / 1_000;
        while rest > 0 {
            name = format!("x{:03}/{name}", rest % 1_000);
            rest /= 1_000;
        }
        f.write_str(&name)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// The bytes of a tile that the tree has.
pub(super) fn tile(store: &mut (impl Reader + ?Sized), name: &TileName) -> Result<Vec<u8>, LedgerError> {
    let Some(level) = name.level else {
        let mut bundle = Vec::new();
        for entry in store.entries(name.index * TILE_WIDTH, name.width)? {
            let length = u16::try_from(entry.leaf.len());
            let length = length.map_err(|_| LedgerError::EntryChanged { index: entry.index })?;
            bundle.extend_from_slice(&length.to_be_bytes());
            bundle.extend_from_slice(&entry.leaf);
        }
        return Ok(bundle);
    };
    let mut hashes = store.tile(level, name.index)?.unwrap_or_default();
    hashes.truncate(usize::try_from(name.width).unwrap_or_default() * HASH_BYTES);
    Ok(hashes)
}

/// Writes all tiles, then the checkpoint. The directory must not hold an export already.
pub(super) fn write_tiles(store: &mut impl Reader, directory: &Path) -> Result<(), LedgerError> {
    let head = store.head()?;
    if directory.join("checkpoint").exists() {
        return Err(LedgerError::Exists { place: directory.display().to_string() });
    }
    let levels = (0..LEVELS).map(|level| (Some(level), head.size >> (TILE_HEIGHT * u32::from(level))));
    for (level, there) in levels.chain([(None, head.size)]) {
        for index in 0..there.div_ceil(TILE_WIDTH) {
            let name = TileName { level, index, width: TILE_WIDTH.min(there - index * TILE_WIDTH) };
            write(&directory.join(name.to_string()), &tile(store, &name)?)?;
        }
    }
    write(&directory.join("checkpoint"), head.checkpoint.as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), LedgerError> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, bytes));
    written.map_err(|error: io::Error| LedgerError::File { path: path.to_owned(), source: Arc::new(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tile_paths_are_those_of_the_standard_and_read_back_in_no_other_form() {
        let cases = [
            ((Some(0), 0, 256), "tile/0/000"),
            ((Some(0), 1, 48), "tile/0/001.p/48"),
            ((None, 999, 256), "tile/entries/999"),
            ((Some(1), 1_000, 256), "tile/1/x001/000"),
            ((Some(0), 1_234_067, 1), "tile/0/x001/x234/067.p/1"),
        ];
        for ((level, index, width), expected) in cases {
            let name = TileName { level, index, width };
            assert_eq!(name.to_string(), expected);
            assert_eq!(TileName::read(expected), Some(name), "{expected}");
        }
        for path in [
            "tile/0/0",
            "tile/0/0000",
            "tile/00/000",
            "tile/8/000",
            "tile/-1/000",
            "tile/entry/000",
            "tile/0/x000/001",
            "tile/0/x001/0x0",
            "tile/0/001/000",
            "tile/0/xx01/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p",
            "tile/0/",
            "tile/0",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/x999/999",
            "checkpoint",
        ] {
            assert_eq!(TileName::read(path), None, "{path}");
        }
    }

    #[test]
    fn a_tree_has_the_tiles_up_to_its_size() {
        let cases = [
            ("tile/0/000", 256, true),
            ("tile/0/000", 255, false),
            ("tile/0/000.p/3", 2, false),
            ("tile/0/000.p/3", 1_000, true),
            ("tile/0/001.p/1", 257, true),
            ("tile/0/001.p/1", 256, false),
            ("tile/1/000.p/1", 255, false),
            ("tile/1/000.p/1", 256, true),
            ("tile/entries/000.p/1", 0, false),
            ("tile/7/x255/000", u64::MAX, false),
        ];
        for (path, size, expected) in cases {
            assert_eq!(TileName::read(path).unwrap().is_within(size), expected, "{path} of {size}");
        }
    }
}
