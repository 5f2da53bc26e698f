//! The plan as a tree of names, and what is counted while it is carried out.

use std::collections::BTreeMap;

use salinan::domain::{FieldName, FieldRule, KodeGanda, MaskPlan};
use salinan::redact::{FieldTally, Tally};

/// What becomes of a member of this name.
pub enum Order<'p> {
    Rule(&'p FieldRule),
    /// It is an object, or where `is_list` an array of objects, of which some members leave.
    Inside {
        names: Names<'p>,
        is_list: bool,
    },
}

#[derive(Default)]
pub struct Names<'p>(Vec<(&'p str, Order<'p>)>);

impl<'p> Names<'p> {
    pub fn of(plan: &'p MaskPlan) -> Self {
        let mut names = Self::default();
        for rule in &plan.fields {
            let mut level = &mut names;
            for step in rule.path.steps() {
                let place = level.0.iter().position(|(name, _)| *name == step.name.as_str());
                let place = place.unwrap_or_else(|| {
                    let inside = Order::Inside { names: Self::default(), is_list: step.is_list };
                    level.0.push((step.name.as_str(), inside));
                    level.0.len() - 1
                });
                let Order::Inside { names, .. } = &mut level.0[place].1 else {
                    panic!("two orders for a name")
                };
                level = names;
            }
            level.0.push((rule.path.leaf().as_str(), Order::Rule(rule)));
        }
        names
    }

    pub fn get(&self, name: &str) -> Option<&Order<'p>> {
        self.0.iter().find(|(own, _)| *own == name).map(|(_, order)| order)
    }
}

/// Whether a name that has no rule where it stands looks like one that a rule names anywhere.
pub fn is_near(name: &str, known: &[&str]) -> bool {
    let spelt = spellings(name);
    name.len() <= 256 && known.iter().flat_map(|known| spellings(known)).any(|known| spelt.contains(&known))
}

/// All names of a plan's paths, or those of a record's own fields alone; with those that are looked up beside them.
pub fn known(plan: &MaskPlan, is_nested: bool) -> Vec<&str> {
    let paths = plan.fields.iter().map(|rule| &rule.path).filter(|path| is_nested || path.name().is_some());
    let names = paths.flat_map(|path| path.steps().iter().map(|step| &step.name).chain([path.leaf()]));
    names.map(FieldName::as_str).chain(looked_up(plan)).collect()
}

/// The fields of a record that are looked at whether or not a rule names them.
pub fn looked_up(plan: &MaskPlan) -> impl Iterator<Item = &str> {
    let ganda = plan.kode_ganda.as_ref().map(|KodeGanda { of }| of);
    std::iter::once(&plan.row_area.field).chain(ganda).map(FieldName::as_str)
}

/// A name without case, signs and blanks; and the same without the prefix `no` or `nomor`, or with `n` for it.
fn spellings(name: &str) -> Vec<String> {
    let narrow = |character: char| match u32::from(character) {
        wide @ 0xFF01..=0xFF5E => char::from_u32(wide - 0xFEE0).unwrap(),
        _ => character,
    };
    let bare: String = name.chars().map(narrow).filter(|sign| sign.is_alphanumeric()).collect();
    let bare = bare.to_lowercase();
    let mut all = Vec::new();
    for prefix in ["no", "nomor"] {
        if let Some(rest) = bare.strip_prefix(prefix).filter(|rest| rest.len() > 1) {
            all.extend([rest.to_owned(), format!("n{rest}")]);
        }
    }
    all.extend(Some(bare).filter(|bare| !bare.is_empty()));
    all
}

/// What was seen and done.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    pub tally: Tally,
    pub fields: BTreeMap<String, FieldTally>,
}

impl Counts {
    pub fn swept(&mut self, field: Option<&str>, finds: u64) {
        self.tally.swept += finds;
        if let Some(field) = field {
            self.fields.entry(field.to_owned()).or_default().swept += finds;
        }
    }

    pub fn unreadable(&mut self, field: &str, is_unreadable: bool) {
        self.tally.unreadable += u64::from(is_unreadable);
        self.fields.entry(field.to_owned()).or_default().unreadable += u64::from(is_unreadable);
    }

    pub fn changed(&mut self, field: &str) {
        self.fields.entry(field.to_owned()).or_default().changed += 1;
    }

    pub fn add(&mut self, more: &Self) {
        self.tally.rows_in += more.tally.rows_in;
        self.tally.rows_out += more.tally.rows_out;
        self.tally.rows_withheld += more.tally.rows_withheld;
        self.tally.swept += more.tally.swept;
        self.tally.unreadable += more.tally.unreadable;
        self.tally.near_misses += more.tally.near_misses;
        for (name, of) in &more.fields {
            let own = self.fields.entry(name.clone()).or_default();
            own.changed += of.changed;
            own.swept += of.swept;
            own.unreadable += of.unreadable;
        }
    }
}
