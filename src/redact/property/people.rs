//! Two made-up people who differ in what must stay hidden and in nothing else. What leaves must not tell one from
//! the other: that finds a hidden digit wherever and however it is written.

use super::super::harness::{NIK, NKK};

/// What the signs of a body stand for.
pub(super) struct Person {
    nik: &'static str,
    nkk: &'static str,
    dotted: &'static str,
    wide: &'static str,
    escaped: &'static str,
    address: &'static str,
}

/// The numbers begin alike, since orders may show how they begin.
pub(super) const PEOPLE: [Person; 2] = [
    Person {
        nik: NIK,
        nkk: NKK,
        dotted: "99.0101.451290.0003",
        wide: "９９０１０１４５１２９００００３",
        escaped: "\\u0039901014512900003",
        address: "JL KENANGA 7",
    },
    Person {
        nik: "9901018767344447",
        nkk: "9901018787878778",
        dotted: "99.0101.876734.4447",
        wide: "９９０１０１８７６７３４４４４７",
        escaped: "\\u0039901018767344447",
        address: "JL FLAMBOY 3",
    },
];

impl Person {
    fn of_sign(&self, sign: u8) -> Option<&'static str> {
        match sign {
            b'!' => Some(self.nik),
            b'$' => Some(self.nkk),
            b'&' => Some(self.dotted),
            b'?' => Some(self.wide),
            b'`' => Some(self.escaped),
            b'%' => Some(self.address),
            _ => None,
        }
    }

    /// The text with this person's data for the signs. A sign in the digits of an escape stays: half of a number
    /// would become one character, and the other half would be short.
    pub fn fill(&self, text: &[u8]) -> Vec<u8> {
        let mut filled = Vec::with_capacity(text.len());
        for (at, &sign) in text.iter().enumerate() {
            let escape = text[..at].iter().rev().take(5).position(|byte| *byte == b'u');
            let is_in_escape = escape.is_some_and(|behind| {
                behind < 4
                    && text[at - behind..at].iter().all(u8::is_ascii_hexdigit)
                    && text[..at - behind - 1].ends_with(b"\\")
            });
            match self.of_sign(sign).filter(|_| !is_in_escape) {
                Some(data) => filled.extend_from_slice(data.as_bytes()),
                None => filled.push(sign),
            }
        }
        filled
    }
}

/// Whether a text holds an address or eight digits in a row of a hidden number by itself, escapes undone and
/// separators set aside. Such a body proves nothing: a part of a number that the source sends as one is out of the
/// sweep's reach.
pub(super) fn tells_by_itself(text: &[u8]) -> bool {
    let text = super::super::harness::plain(&String::from_utf8_lossy(text).replace("\\/", "/"));
    if text.to_uppercase().contains("KENANGA") {
        return true;
    }
    PEOPLE
        .iter()
        .flat_map(|person| [person.nik, person.nkk])
        .any(|number| (0..=number.len() - 8).any(|from| text.contains(&number[from..from + 8])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_differ_in_what_is_hidden_and_not_in_length() {
        let [one, two] = &PEOPLE;
        for sign in b"!$&?`%" {
            let [one, two] = [one.of_sign(*sign).unwrap(), two.of_sign(*sign).unwrap()];
            assert_ne!(one, two);
            assert_eq!(one.len(), two.len());
        }
        for person in &PEOPLE {
            assert!(tells_by_itself(person.nik.as_bytes()) && tells_by_itself(person.nkk.as_bytes()));
            assert!(person.nik.starts_with("990101") && person.nkk.starts_with("990101"));
        }
        let filled = one.fill(br"! \u! \u00! \\! \u00e9! u! x");
        let expected = format!(r"{NIK} \u! \u00! \\{NIK} \u00e9{NIK} u{NIK} x");
        assert_eq!(String::from_utf8(filled).unwrap(), expected);
        assert!(!tells_by_itself(b"9901 9901 9901011001"));
    }
}
