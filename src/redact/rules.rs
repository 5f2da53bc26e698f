//! The plan's rules, found by a field's name.

use std::collections::HashSet;

use crate::domain::{Action, CopyKey, FieldName, FieldRule, MaskPlan, Step};

use super::mask::Order;

/// What the plan says of one name at one level. A row's area field, and that of `kode_ganda`, without a rule of its
/// own has the order to stay behind.
pub(super) struct Rule {
    name: Box<[u8]>,
    hash: u64,
    /// Where the field stands in the source's records, as the plan writes it.
    path: Box<str>,
    /// Where its counts stand; of a field of the record itself this is also its place among the rules.
    pub place: usize,
    pub order: Order,
    /// The name in the copy, where it differs.
    pub renamed: Option<Box<[u8]>>,
    pub is_area: bool,
    /// Whether the copy's `kode_ganda` is of this field.
    pub is_ganda: bool,
}

/// The rules for what lies below a member.
pub(super) struct Below {
    /// Whether the member is an array of objects and not an object.
    pub is_list: bool,
    pub rules: Rules,
}

/// What becomes of a value that is a plain short text, where that needs no more than knowing its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ease {
    /// It leaves as it came.
    Keep,
    /// It stays behind, name and all.
    Drop,
    /// It says where the row belongs, and then is kept.
    Area,
    /// It says where the row belongs, and then is dropped.
    AreaDropped,
    /// Another value leaves in its place.
    Change,
    /// There is more to it.
    None,
}

impl Ease {
    #[inline]
    pub fn is_area(self) -> bool {
        matches!(self, Self::Area | Self::AreaDropped)
    }

    /// For a name without a rule, or with this one. Where the policy adds patterns, every kept value is looked
    /// through.
    pub fn of(rule: Option<&Rule>, has_patterns: bool) -> Self {
        let Some(rule) = rule else { return Self::Drop };
        match (&rule.order, rule.is_area) {
            _ if rule.is_ganda => Self::None,
            (Order::Keep, _) if has_patterns => Self::None,
            (Order::Keep, is_area) if rule.renamed.is_none() => {
                if is_area {
                    Self::Area
                } else {
                    Self::Keep
                }
            }
            (Order::Drop, true) => Self::AreaDropped,
            (Order::Drop, false) => Self::Drop,
            (Order::Change(_), false) if rule.renamed.is_none() => Self::Change,
            (Order::Keep | Order::Change(_) | Order::Below(_), _) => Self::None,
        }
    }
}

impl Rule {
    /// Whether anything leaves of the field, or of what lies below it.
    pub fn leaves(&self) -> bool {
        !matches!(self.order, Order::Drop)
    }
}

pub(super) struct Rules {
    rules: Vec<Rule>,
    /// Places in `rules` by hash, at most a quarter full; `usize::MAX` is a free slot.
    slots: Box<[usize]>,
}

const FREE: usize = usize::MAX;

impl Rules {
    /// The rules of all fields, nested ones included. `quote` writes a fixed text as the format has it.
    pub fn new(plan: &MaskPlan, key: &CopyKey, quote: &dyn Fn(&str) -> Vec<u8>) -> Self {
        Self::of(plan, plan.fields.iter(), key, quote)
    }

    /// The rules of the record's own fields alone, for formats in which nothing is nested.
    pub fn flat(plan: &MaskPlan, key: &CopyKey, quote: &dyn Fn(&str) -> Vec<u8>) -> Self {
        Self::of(plan, plan.fields.iter().filter(|rule| rule.path.name().is_some()), key, quote)
    }

    fn of<'a>(
        plan: &'a MaskPlan,
        fields: impl Iterator<Item = &'a FieldRule>,
        key: &CopyKey,
        quote: &dyn Fn(&str) -> Vec<u8>,
    ) -> Self {
        let mut level = Level::default();
        for field in fields {
            level.add(field.path.steps(), field);
        }
        let area = &plan.row_area.field;
        let ganda = plan.kode_ganda.as_ref().map(|ganda| &ganda.of);
        for name in [Some(area), ganda].into_iter().flatten() {
            level.entry(name, || Wanted::Nothing);
        }
        let mut rules = level.build("", &mut 0, &|action, path| Order::new(action, path, key, quote));
        for rule in &mut rules.rules {
            rule.is_area = *rule.name == *area.as_str().as_bytes();
            rule.is_ganda = ganda.is_some_and(|of| *rule.name == *of.as_str().as_bytes());
        }
        rules
    }

    fn found_by_name(rules: Vec<Rule>) -> Self {
        let mut slots = vec![FREE; (rules.len() * 4).next_power_of_two()].into_boxed_slice();
        for (place, rule) in rules.iter().enumerate() {
            let mut slot = slot(rule.hash, slots.len());
            while slots[slot] != FREE {
                slot = (slot + 1) % slots.len();
            }
            slots[slot] = place;
        }
        Self { rules, slots }
    }

    /// Where the rule of a name stands, for [`Rules::at`].
    pub fn place(&self, hash: u64, name: &[u8]) -> Option<usize> {
        let mut slot = slot(hash, self.slots.len());
        loop {
            let place = self.slots[slot];
            // A free slot is beyond the end of `rules`.
            let rule = self.rules.get(place)?;
            if rule.hash == hash && *rule.name == *name {
                return Some(place);
            }
            slot = (slot + 1) % self.slots.len();
        }
    }

    pub fn at(&self, place: usize) -> &Rule {
        &self.rules[place]
    }

    pub fn find(&self, hash: u64, name: &[u8]) -> Option<&Rule> {
        self.place(hash, name).map(|place| self.at(place))
    }

    /// The paths of all rules, by the places of their counts.
    pub fn paths(&self) -> Vec<&str> {
        let mut paths = Vec::new();
        self.each(&mut |rule| paths.push((rule.place, &*rule.path)));
        paths.sort_unstable();
        paths.into_iter().map(|(_, path)| path).collect()
    }

    fn each<'a>(&'a self, take: &mut dyn FnMut(&'a Rule)) {
        for rule in &self.rules {
            take(rule);
            if let Order::Below(below) = &rule.order {
                below.rules.each(take);
            }
        }
    }
}

/// What the plan wants of one name, before its rule is made.
enum Wanted<'a> {
    Nothing,
    Own(&'a FieldRule),
    Below { is_list: bool, level: Level<'a> },
}

/// The names of one level in the plan's order.
#[derive(Default)]
struct Level<'a>(Vec<(&'a FieldName, Wanted<'a>)>);

impl<'a> Level<'a> {
    /// The entry of a name, which is made if there is none, and whether it was made.
    fn entry(&mut self, name: &'a FieldName, make: impl FnOnce() -> Wanted<'a>) -> (&mut Wanted<'a>, bool) {
        let known = self.0.iter().position(|(known, _)| *known == name);
        let at = known.unwrap_or_else(|| {
            self.0.push((name, make()));
            self.0.len() - 1
        });
        (&mut self.0[at].1, known.is_none())
    }

    /// The policy checker lets no path be ordered twice, and none beside what lies below it; if it did, neither
    /// order would hold.
    fn add(&mut self, steps: &'a [Step], field: &'a FieldRule) {
        match steps.split_first() {
            None => {
                let (wanted, is_new) = self.entry(field.path.leaf(), || Wanted::Own(field));
                if !is_new {
                    *wanted = Wanted::Nothing;
                }
            }
            Some((step, rest)) => {
                let below = || Wanted::Below { is_list: step.is_list, level: Level::default() };
                match self.entry(&step.name, below).0 {
                    Wanted::Below { is_list, level } if *is_list == step.is_list => level.add(rest, field),
                    other => *other = Wanted::Nothing,
                }
            }
        }
    }

    /// Makes the rules of this level and of those below it. `above` is the path to it, its last dot included.
    fn build(self, above: &str, next_place: &mut usize, order: &dyn Fn(&Action, &str) -> Order) -> Rules {
        let first = *next_place;
        *next_place += self.0.len();
        let rules = self.0.into_iter().enumerate().map(|(at, (name, wanted))| {
            let path = format!("{above}{name}");
            let renamed = match &wanted {
                Wanted::Own(field) => field.emit_as.as_ref().filter(|renamed| *renamed != name),
                Wanted::Nothing | Wanted::Below { .. } => None,
            };
            let renamed = renamed.map(|renamed| renamed.as_str().as_bytes().into());
            let order = match wanted {
                Wanted::Nothing => Order::Drop,
                Wanted::Own(field) => order(&field.action, &path),
                Wanted::Below { is_list, level } => {
                    let above = format!("{path}{}.", if is_list { "[]" } else { "" });
                    Order::Below(Box::new(Below { is_list, rules: level.build(&above, next_place, order) }))
                }
            };
            Rule {
                name: name.as_str().as_bytes().into(),
                hash: hash(name.as_str().as_bytes()),
                path: path.into(),
                place: first + at,
                order,
                renamed,
                is_area: false,
                is_ganda: false,
            }
        });
        Rules::found_by_name(rules.collect())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "any bits of the hash will do")]
fn slot(hash: u64, slots: usize) -> usize {
    hash as usize & (slots - 1)
}

/// A hash of a name, the same for the same bytes only, as far as 64 bits go.
pub(super) fn hash(name: &[u8]) -> u64 {
    let mut mixed = name.len() as u64;
    let mut rest = name;
    while let Some((eight, after)) = rest.split_first_chunk::<8>() {
        mixed = mix(mixed, u64::from_le_bytes(*eight));
        rest = after;
    }
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |last, &byte| last << 8 | u64::from(byte));
        mixed = mix(mixed, last);
    }
    mixed
}

fn mix(mixed: u64, word: u64) -> u64 {
    let product = (mixed.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ product >> 32
}

/// Up to this many names are compared as they come; more are sorted.
const COMPARED_MAX: usize = 64;

/// Whether two hashes are equal. Equal names have equal hashes; that two different names of an object meet by
/// chance is less likely than a broken memory cell, and ends the pass rather than letting a name by.
pub(super) fn has_twice(names: &mut [u64]) -> bool {
    if names.len() > COMPARED_MAX {
        names.sort_unstable();
        return names.windows(2).any(|pair| pair[0] == pair[1]);
    }
    // A name whose bit nobody set before is a new one without a look at the others.
    let mut bits = [0_u64; 4];
    names.iter().enumerate().any(|(at, name)| {
        let (word, bit) = ((name >> 6 & 3) as usize, 1 << (name & 63));
        let is_new = bits[word] & bit == 0;
        bits[word] |= bit;
        !is_new && names[..at].contains(name)
    })
}

/// Answers of [`Lookalikes`] remembered by hash. Records have few names, but two of them in one place would
/// push each other out in every record.
const REMEMBERED: usize = 1024;

/// The plan's names without case, blanks, `_`, `-` and the prefix `no`, in which sources differ.
pub(super) struct Lookalikes {
    cores: HashSet<String>,
    remembered: Box<[Option<(u64, bool)>]>,
}

impl Lookalikes {
    /// Of the names at every level.
    pub fn new(rules: &Rules) -> Self {
        let mut names = Vec::new();
        rules.each(&mut |rule| names.push(&*rule.name));
        let cores = names.into_iter().flat_map(cores).collect();
        Self { cores, remembered: vec![None; REMEMBERED].into_boxed_slice() }
    }

    /// Whether a name without a rule looks like one with a rule.
    pub fn is_known(&mut self, hash: u64, name: &[u8]) -> bool {
        let place = slot(hash, REMEMBERED);
        match self.remembered[place] {
            Some((of, answer)) if of == hash => answer,
            Some(_) | None => {
                let answer = name.len() <= 256 && cores(name).iter().any(|core| self.cores.contains(core));
                self.remembered[place] = Some((hash, answer));
                answer
            }
        }
    }
}

/// What is left of a name when its spelling is set aside: `NO_KK` gives `nokk`, `kk` and `nkk`.
fn cores(name: &[u8]) -> Vec<String> {
    let plain: String = String::from_utf8_lossy(name)
        .chars()
        .filter_map(|character| match character {
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(character) - 0xFEE0),
            other => Some(other),
        })
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    let mut cores = Vec::new();
    for prefix in ["no", "nomor"] {
        if let Some(core) = plain.strip_prefix(prefix).filter(|core| core.len() >= 2) {
            cores.extend([core.to_owned(), format!("n{core}")]);
        }
    }
    cores.push(plain);
    cores.retain(|core| !core.is_empty());
    cores
}

#[cfg(test)]
mod tests {
    use super::super::harness::{array, standard};
    use super::*;

    #[test]
    fn names_that_look_like_a_ruled_one_are_near_misses() {
        let plan = standard(array());
        let rules = Rules::flat(&plan, &CopyKey::new([7; 32]), &|text| text.into());
        let mut lookalikes = Lookalikes::new(&rules);
        let cases = [
            ("NIK", true),
            (" nik", true),
            ("nik\u{200B}", true),
            ("n\u{FF49}k", true),
            ("no_nik", true),
            ("No. KK", true),
            ("nomor_kk", true),
            ("tanggal-lahir", true),
            ("TanggalLahir", true),
            ("keterangan", false),
            ("no", false),
            ("", false),
        ];
        for (name, is_near) in cases {
            for _ in 0..2 {
                assert_eq!(lookalikes.is_known(hash(name.as_bytes()), name.as_bytes()), is_near, "{name:?}");
            }
        }
    }
}
