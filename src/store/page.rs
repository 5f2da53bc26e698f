//! Many entries at once, their bytes side by side: reading millions of them asks for no memory for each.

use super::{Card, StoredCard, StoredEntry};

/// An entry as stored, where it lies in a page.
#[derive(Debug, Clone, Copy)]
pub struct PageEntry<'a> {
    pub index: u64,
    pub leaf: &'a [u8],
    pub card: PageCard<'a>,
}

/// As [`StoredCard`], borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageCard<'a> {
    pub kind: &'a str,
    pub ts_ms: u64,
    pub release: Option<&'a [u8; 16]>,
    pub party: Option<&'a str>,
    pub wilayah: Option<&'a str>,
    pub outcome: Option<&'a str>,
    pub code: Option<&'a str>,
}

#[derive(Debug, Default)]
pub struct Page {
    leaves: Vec<u8>,
    texts: String,
    rows: Vec<Row>,
}

/// Where each part ends; it begins where the one before it ends.
#[derive(Debug)]
struct Row {
    index: u64,
    ts_ms: u64,
    release: Option<[u8; 16]>,
    leaf_end: usize,
    kind_end: usize,
    /// Party, wilayah, outcome and code; those that are there.
    text_ends: [Option<usize>; 4],
}

impl Page {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Makes room for others, in the same memory.
    pub fn clear(&mut self) {
        self.leaves.clear();
        self.texts.clear();
        self.rows.clear();
    }

    pub fn push(&mut self, entry: &PageEntry<'_>) {
        let card = &entry.card;
        self.leaves.extend_from_slice(entry.leaf);
        self.texts.push_str(card.kind);
        let kind_end = self.texts.len();
        let text_ends = [card.party, card.wilayah, card.outcome, card.code].map(|text| {
            self.texts.push_str(text?);
            Some(self.texts.len())
        });
        self.rows.push(Row {
            index: entry.index,
            ts_ms: card.ts_ms,
            release: card.release.copied(),
            leaf_end: self.leaves.len(),
            kind_end,
            text_ends,
        });
    }

    pub fn iter(&self) -> impl Iterator<Item = PageEntry<'_>> {
        let (mut leaf_from, mut text_from) = (0, 0);
        self.rows.iter().map(move |row| {
            let leaf = &self.leaves[leaf_from..row.leaf_end];
            leaf_from = row.leaf_end;
            let mut text = |end: usize| {
                let text = &self.texts[text_from..end];
                text_from = end;
                text
            };
            let kind = text(row.kind_end);
            let [party, wilayah, outcome, code] = row.text_ends.map(|end| end.map(&mut text));
            let (ts_ms, release) = (row.ts_ms, row.release.as_ref());
            let card = PageCard { kind, ts_ms, release, party, wilayah, outcome, code };
            PageEntry { index: row.index, leaf, card }
        })
    }
}

impl PageCard<'_> {
    /// Whether this is the card that the entry's own bytes give.
    pub fn is_of(&self, card: &Card) -> bool {
        self.kind == card.kind
            && self.ts_ms == card.ts_ms
            && self.release == card.release.as_ref()
            && self.party == card.party.as_deref()
            && self.wilayah == card.wilayah.as_deref()
            && self.outcome == card.outcome
            && self.code == card.code.as_deref()
    }
}

impl PageEntry<'_> {
    pub fn to_stored(&self) -> StoredEntry {
        let card = &self.card;
        let text = |text: Option<&str>| text.map(str::to_owned);
        StoredEntry {
            index: self.index,
            leaf: self.leaf.to_vec(),
            card: StoredCard {
                kind: card.kind.to_owned(),
                ts_ms: card.ts_ms,
                release: card.release.copied(),
                party: text(card.party),
                wilayah: text(card.wilayah),
                outcome: text(card.outcome),
                code: text(card.code),
            },
        }
    }
}

impl StoredEntry {
    pub fn borrowed(&self) -> PageEntry<'_> {
        let card = &self.card;
        PageEntry {
            index: self.index,
            leaf: &self.leaf,
            card: PageCard {
                kind: &card.kind,
                ts_ms: card.ts_ms,
                release: card.release.as_ref(),
                party: card.party.as_deref(),
                wilayah: card.wilayah.as_deref(),
                outcome: card.outcome.as_deref(),
                code: card.code.as_deref(),
            },
        }
    }
}
