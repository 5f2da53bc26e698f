//! Slow readings by other people's parsers, and what must hold of what they read.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::{FieldPath, MaskPlan, Step};

use super::orders::{Leaving, places};

/// A JSON value with its names in order; no object has one twice.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tree {
    Null,
    /// A number or a boolean.
    Other,
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Tree::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut members: Vec<(String, Tree)> = Vec::new();
        while let Some((name, value)) = access.next_entry::<String, Tree>()? {
            if members.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom("a name twice"));
            }
            members.push((name, value));
        }
        Ok(Tree::Object(members))
    }
}

/// Reads a JSON text. `None`: it is one, but a number in it is beyond what this parser holds.
pub(super) fn read(text: &str) -> Option<Tree> {
    match serde_json::from_str(text) {
        Ok(tree) => Some(tree),
        Err(error) if error.to_string().starts_with("number out of range") => {
            serde_json::from_str::<IgnoredAny>(text).expect("an accepted text is JSON");
            None
        }
        Err(error) => panic!("an accepted text is no JSON: {error}"),
    }
}

/// A place below the object at hand: the steps to it, its name, how it leaves.
type Place<'a> = (&'a [Step], &'a FieldPath, Leaving);

/// Every name and value of a record in the copy must be let out by a rule.
pub(super) fn check_record(plan: &MaskPlan, record: &Tree) {
    with_places(plan, |places| check_object(places, record));
}

/// The same of one member of a record.
pub(super) fn check_member(plan: &MaskPlan, name: &str, value: &Tree) {
    with_places(plan, |places| check_named(places, name, value));
}

fn with_places(plan: &MaskPlan, check: impl FnOnce(&[Place<'_>])) {
    let places = places(plan);
    let of_record = places.iter().map(|(path, leaving)| (path.steps(), path, *leaving));
    check(&of_record.collect::<Vec<_>>());
}

fn check_object(places: &[Place<'_>], object: &Tree) {
    let Tree::Object(members) = object else { panic!("a record is no object") };
    for (name, value) in members {
        check_named(places, name, value);
    }
}

fn check_named(places: &[Place<'_>], name: &str, value: &Tree) {
    let own = places.iter().find(|(steps, path, _)| steps.is_empty() && path.leaf().as_str() == name);
    match own {
        Some((_, _, Leaving::AsItCame)) => return,
        Some((_, _, Leaving::Changed)) => return check_changed(value),
        Some((_, _, Leaving::Never)) => panic!("a dropped name got out"),
        None => {}
    }
    let mut is_list = None;
    let mut below = Vec::new();
    for (steps, path, leaving) in places {
        if let Some((first, rest)) = steps.split_first().filter(|(first, _)| first.name.as_str() == name) {
            is_list = Some(first.is_list);
            below.push((rest, *path, *leaving));
        }
    }
    match (value, is_list.expect("a name that no rule lets out")) {
        (Tree::Null, _) => {}
        (Tree::Array(items), true) => {
            items.iter().filter(|item| **item != Tree::Null).for_each(|item| check_object(&below, item));
        }
        (value, false) => check_object(&below, value),
        (_, true) => panic!("no array of objects where the path has one"),
    }
}

/// A changed value is a text or null, and an array of those where it was an array.
pub(super) fn check_changed(value: &Tree) {
    match value {
        Tree::Null | Tree::Text(_) => {}
        Tree::Array(items) => items.iter().for_each(check_changed),
        Tree::Other | Tree::Object(_) => panic!("a changed value is neither text nor null"),
    }
}
