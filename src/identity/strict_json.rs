//! JSON objects with one reading: a member given twice, at any depth, is an error, as is anything but an
//! object at the top. Parsers disagree on which of two members wins, so a token with two `exp` could expire
//! for one reader and not for another.
//!
//! Names are compared after their escapes are undone. Depth is limited by `serde_json` (128).

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The one object that `text` is. The error holds a place and never a value.
pub(super) fn object(text: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    match serde_json::from_slice(text)? {
        Member(Value::Object(members)) => Ok(members),
        Member(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Err(Error::custom("not an object"))
        }
    }
}

struct Member(Value);

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor).map(Self)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Member(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let Member(value) = members.next_value()?;
            if all.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is given twice"));
            }
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_one_reading_or_none() {
        let cases: [(&str, &[u8], bool); 14] = [
            ("plain", br#"{"a":1,"b":{"a":2}}"#, true),
            ("twice", br#"{"a":1,"a":1}"#, false),
            ("twice by an escape", br#"{"a":1,"\u0061":1}"#, false),
            ("twice inside", br#"{"a":{"b":1,"b":2}}"#, false),
            ("twice inside a list", br#"{"a":[{"b":1,"b":2}]}"#, false),
            ("once in each of two", br#"{"a":[{"b":1},{"b":2}]}"#, true),
            ("a list", br#"["a"]"#, false),
            ("a text", br#""a""#, false),
            ("null", b"null", false),
            ("nothing", b"", false),
            ("two objects", b"{}{}", false),
            ("a byte order mark", b"\xef\xbb\xbf{}", false),
            ("not UTF-8", b"{\"a\":\"\xff\"}", false),
            ("a lone surrogate", br#"{"a":"\ud800"}"#, false),
        ];
        for (name, text, accepted) in cases {
            assert_eq!(object(text).is_ok(), accepted, "{name}");
        }
        assert!(object("{\"a\":".repeat(10_000).as_bytes()).is_err(), "depth is limited");
    }
}
