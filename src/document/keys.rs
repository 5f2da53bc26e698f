//! Typed reading of TOML tables. Every reader reports what is wrong, with a remedy, and gives `None`; so one
//! pass over a file finds all of its problems.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::quote;
use super::source::{Problem, Problems};

/// A key a table may hold, and how to write it.
pub struct Key {
    pub name: &'static str,
    pub example: &'static str,
}

/// A table whose keys have been compared with those it may hold.
pub struct Keys<'t> {
    table: &'t DeTable<'t>,
    span: Range<usize>,
    /// What messages call it, such as `[policy]`.
    called: String,
    known: &'static [Key],
    /// Keys that a misspelt one seems to stand for; their absence is not reported a second time.
    misspelt: Vec<&'static str>,
}

/// A value and where it stands.
pub struct At<T> {
    pub value: T,
    pub span: Range<usize>,
}

impl<'t> Keys<'t> {
    /// Reports each key that is not among `known`.
    pub fn open(
        table: &'t DeTable<'t>,
        span: Range<usize>,
        called: impl Into<String>,
        known: &'static [Key],
        problems: &mut Problems<'_>,
    ) -> Self {
        let called = called.into();
        let names: Vec<&'static str> = known.iter().map(|key| key.name).collect();
        let mut misspelt = Vec::new();
        for key in table.keys() {
            if !names.contains(&key.get_ref().as_ref()) {
                problems.push(
                    Problem::at(key.span(), format!("{called} has no key {}", quote(key.get_ref())))
                        .help(did_you_mean(key.get_ref(), &names)),
                );
                misspelt.extend(nearest(key.get_ref(), &names));
            }
        }
        Self { table, span, called, known, misspelt }
    }

    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub fn get(&self, name: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.get(name)
    }

    /// The value of a key that must be there.
    pub fn need(&self, name: &'static str, problems: &mut Problems<'_>) -> Option<&'t Spanned<DeValue<'t>>> {
        let value = self.table.get(name);
        if value.is_none() {
            self.missing(name, &format!("`{name}`"), &self.line(name), problems);
        }
        value
    }

    fn missing(&self, name: &str, shown: &str, example: &str, problems: &mut Problems<'_>) {
        if !self.misspelt.contains(&name) {
            let message = format!("{} has no {shown}", self.called);
            problems.push(Problem::at(self.span(), message).help(format!("add {example}")));
        }
    }

    /// How to write the value of a key.
    pub fn example(&self, name: &str) -> &'static str {
        self.known.iter().find(|key| key.name == name).map_or("", |key| key.example)
    }

    fn line(&self, name: &str) -> String {
        format!("`{name} = {}`", self.example(name))
    }

    pub fn wrong_type(&self, name: &str, wanted: &str, value: &Spanned<DeValue<'_>>) -> Problem {
        let found = value.get_ref().type_str();
        Problem::at(value.span(), format!("`{name}` is {wanted}, and this is of type {found}"))
            .help(format!("write it like {}", self.line(name)))
    }

    /// The text of a key that may be absent.
    pub fn text(&self, name: &'static str, problems: &mut Problems<'_>) -> Option<At<&'t str>> {
        let value = self.get(name)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            problems.push(self.wrong_type(name, "a string", value));
        }
        text.map(|text| At { value: text, span: value.span() })
    }

    /// The text of a key that must be there.
    pub fn need_text(&self, name: &'static str, problems: &mut Problems<'_>) -> Option<At<&'t str>> {
        self.need(name, problems)?;
        self.text(name, problems)
    }

    /// Whole-number value of a key that may be absent.
    pub fn number(&self, name: &'static str, problems: &mut Problems<'_>) -> Option<At<u64>> {
        let value = self.get(name)?;
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|integer| u64::from_str_radix(integer.as_str(), integer.radix()).ok());
        if number.is_none() {
            problems.push(
                Problem::at(value.span(), format!("`{name}` is not a whole number from 0"))
                    .help(format!("write it like {}", self.line(name))),
            );
        }
        number.map(|number| At { value: number, span: value.span() })
    }

    /// A date without a time, of a key that must be there.
    pub fn need_date(
        &self,
        name: &'static str,
        problems: &mut Problems<'_>,
    ) -> Option<At<jiff::civil::Date>> {
        let value = self.need(name, problems)?;
        let date = value
            .get_ref()
            .as_datetime()
            .filter(|written| written.time.is_none() && written.offset.is_none())
            .and_then(|written| written.date)
            .and_then(|date| {
                let year = i16::try_from(date.year).ok()?;
                let (month, day) = (i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?);
                jiff::civil::Date::new(year, month, day).ok()
            });
        if date.is_none() {
            problems.push(self.wrong_type(name, "a date without a time or quotes", value));
        }
        date.map(|date| At { value: date, span: value.span() })
    }

    /// Strings of a list; a wrong element is reported and left out.
    pub fn need_texts(&self, name: &'static str, problems: &mut Problems<'_>) -> Option<Vec<At<&'t str>>> {
        let value = self.need(name, problems)?;
        let Some(array) = value.get_ref().as_array() else {
            problems.push(self.wrong_type(name, "a list of strings", value));
            return None;
        };
        let mut texts: Vec<At<&'t str>> = Vec::new();
        for element in array {
            match element.get_ref().as_str() {
                Some(text) if texts.iter().any(|known| known.value == text) => problems.push(
                    Problem::at(element.span(), format!("{} stands twice in `{name}`", quote(text)))
                        .help("keep one of the two"),
                ),
                Some(text) => texts.push(At { value: text, span: element.span() }),
                None => problems.push(self.wrong_type(name, "a list of strings", element)),
            }
        }
        Some(texts)
    }

    /// A table under a key that may be absent.
    pub fn table(&self, name: &'static str, problems: &mut Problems<'_>) -> Option<At<&'t DeTable<'t>>> {
        let value = self.get(name)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            problems.push(self.wrong_type(name, "a table", value));
        }
        table.map(|table| At { value: table, span: value.span() })
    }

    /// The `[name]` table of a file.
    pub fn need_table(&self, name: &'static str, problems: &mut Problems<'_>) -> Option<At<&'t DeTable<'t>>> {
        if self.get(name).is_none() {
            self.missing(name, &format!("`[{name}]`"), &format!("a `[{name}]` table"), problems);
        }
        self.table(name, problems)
    }

    /// The `[[name]]` tables of a file, at least one.
    pub fn need_tables(&self, name: &'static str, problems: &mut Problems<'_>) -> Vec<At<&'t DeTable<'t>>> {
        let Some(value) = self.table.get(name) else {
            let example = format!("a `[[{name}]]` table; without one everything is denied");
            self.missing(name, &format!("`[[{name}]]`"), &example, problems);
            return Vec::new();
        };
        let elements = value.get_ref().as_array().map(|array| array.iter().collect::<Vec<_>>());
        let tables: Option<Vec<At<&DeTable<'_>>>> = elements.and_then(|elements| {
            let each = elements.into_iter().map(|element| {
                element.get_ref().as_table().map(|table| At { value: table, span: element.span() })
            });
            each.collect()
        });
        tables.unwrap_or_else(|| {
            problems.push(
                Problem::at(value.span(), format!("`{name}` is a list of tables"))
                    .help(format!("write `[[{name}]]`, with two brackets")),
            );
            Vec::new()
        })
    }
}

/// One of the words a key may hold.
pub fn word<T: Copy>(
    key: &str,
    text: &At<&str>,
    words: &[(&'static str, T)],
    problems: &mut Problems<'_>,
) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text.value).map(|(_, meaning)| *meaning);
    if found.is_none() {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        problems.push(
            Problem::at(text.span.clone(), format!("`{key}` cannot be {}", quote(text.value)))
                .help(did_you_mean(text.value, &known)),
        );
    }
    found
}

/// The nearest of the known words, or all of them.
pub fn did_you_mean(given: &str, known: &[&'static str]) -> String {
    match nearest(given, known) {
        Some(word) => format!("did you mean `{word}`?"),
        None => {
            let list: Vec<String> = known.iter().map(|word| quote(word)).collect();
            format!("known here: {}", list.join(", "))
        }
    }
}

/// The known word that `given` is most likely a misspelling of. One or two letters are near to everything.
fn nearest(given: &str, known: &[&'static str]) -> Option<&'static str> {
    let given = given.to_ascii_lowercase();
    let near = known.iter().filter(|word| word.len() > 2).map(|word| (distance(&given, word), *word));
    near.filter(|(distance, word)| *distance <= word.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Insertions, deletions, replacements and swaps of neighbours that make `one` into `two`. Long words are
/// never near to ours, so only the beginning is compared.
fn distance(one: &str, two: &str) -> usize {
    let one: Vec<char> = one.chars().take(64).collect();
    let two: Vec<char> = two.chars().take(64).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=two.len()).collect();
    for i in 0..one.len() {
        let mut row = vec![i + 1];
        for j in 0..two.len() {
            let replaced = last[j] + usize::from(one[i] != two[j]);
            let mut cost = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && one[i] == two[j - 1] && one[i - 1] == two[j] {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[two.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_word_and_a_strange_word_finds_all() {
        let known = ["keep", "drop", "mask"];
        let cases = [
            ("kep", "did you mean `keep`?"),
            ("Keep", "did you mean `keep`?"),
            ("dorp", "did you mean `drop`?"),
            ("kee", "did you mean `keep`?"),
            ("hash", "known here: `keep`, `drop`, `mask`"),
            ("", "known here: `keep`, `drop`, `mask`"),
        ];
        for (given, expected) in cases {
            assert_eq!(did_you_mean(given, &known), expected, "{given}");
        }
        assert_eq!(did_you_mean("'", &[",", "\t"]), "known here: `,`, `\\t`");
    }
}
