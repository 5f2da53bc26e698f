//! The ledger as the files of C2SP `tlog-tiles`, for tools that others wrote.
//!
//! ```text
//! checkpoint
//! tile/0/000            256 hashes of 32 bytes
//! tile/0/001.p/48       the unfinished tile, with its width
//! tile/entries/000      each entry after its length in two bytes, big-endian
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::LedgerError;
use super::tree::TILE_WIDTH;
use crate::store::Reader;

/// Writes all tiles, then the checkpoint. The directory must not hold an export already.
pub(super) fn write_tiles(store: &mut impl Reader, directory: &Path) -> Result<(), LedgerError> {
    let head = store.head()?;
    if directory.join("checkpoint").exists() {
        return Err(LedgerError::Exists { directory: directory.to_owned() });
    }
    let mut hashes_left = head.size;
    for level in 0_u8.. {
        if hashes_left == 0 {
            break;
        }
        for index in 0..hashes_left.div_ceil(TILE_WIDTH) {
            let width = TILE_WIDTH.min(hashes_left - index * TILE_WIDTH);
            let hashes = store.tile(level, index)?.unwrap_or_default();
            write(&directory.join(tile_path(&level.to_string(), index, width)), &hashes)?;
        }
        hashes_left /= TILE_WIDTH;
    }
    for index in 0..head.size.div_ceil(TILE_WIDTH) {
        let width = TILE_WIDTH.min(head.size - index * TILE_WIDTH);
        let mut bundle = Vec::new();
        for entry in store.entries(index * TILE_WIDTH, TILE_WIDTH)? {
            let length = u16::try_from(entry.leaf.len());
            let length = length.map_err(|_| LedgerError::EntryChanged { index: entry.index })?;
            bundle.extend_from_slice(&length.to_be_bytes());
            bundle.extend_from_slice(&entry.leaf);
        }
        write(&directory.join(tile_path("entries", index, width)), &bundle)?;
    }
    write(&directory.join("checkpoint"), head.checkpoint.as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), LedgerError> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, bytes));
    written.map_err(|error: io::Error| LedgerError::File { path: path.to_owned(), source: Arc::new(error) })
}

/// Tile 1234067 is `x001/x234/067`, so that no directory holds more than a thousand names.
fn tile_path(level: &str, index: u64, width: u64) -> PathBuf {
    let mut name = format!("{:03}", index % 1_000);
    let mut rest = index / 1_000;
    while rest > 0 {
        name = format!("x{:03}/{name}", rest % 1_000);
        rest /= 1_000;
    }
    if width < TILE_WIDTH {
        name = format!("{name}.p/{width}");
    }
    PathBuf::from(format!("tile/{level}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tile_paths_are_those_of_the_standard() {
        let cases = [
            (("0", 0, 256), "tile/0/000"),
            (("0", 1, 48), "tile/0/001.p/48"),
            (("entries", 999, 256), "tile/entries/999"),
            (("1", 1_000, 256), "tile/1/x001/000"),
            (("0", 1_234_067, 1), "tile/0/x001/x234/067.p/1"),
        ];
        for ((level, index, width), expected) in cases {
            assert_eq!(tile_path(level, index, width), Path::new(expected));
        }
    }
}
