//! JSON (RFC 8259) read plainly: one function for each rule of the grammar, on a whole text, into a tree that keeps
//! every byte. Built to be compared with `serde_json`, which forgets how a text was written.

use serde_json::{Map, Value as Other};

/// Why a text could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It ends too early.
    Short,
    Bad(&'static str),
}
use Fault::{Bad, Short};

/// A value, and how it was written.
#[derive(Debug)]
pub struct Value<'a> {
    pub raw: &'a str,
    pub kind: Kind<'a>,
}

#[derive(Debug)]
pub enum Kind<'a> {
    Null,
    Bool,
    Number,
    Text(String),
    /// The blanks before its end stand behind the last part.
    Array(Vec<Item<'a>>, &'a str),
    Object(Vec<Member<'a>>, &'a str),
}

/// What stands before a part: `before`, a comma, if it is not the first, and `behind`.
#[derive(Debug, Clone, Copy)]
pub struct Gap<'a> {
    pub before: &'a str,
    pub comma: &'a str,
    pub behind: &'a str,
}

#[derive(Debug)]
pub struct Item<'a> {
    pub gap: Gap<'a>,
    pub value: Value<'a>,
}

#[derive(Debug)]
pub struct Member<'a> {
    pub gap: Gap<'a>,
    /// With its quotes, as written.
    pub key: &'a str,
    pub name: String,
    /// The colon and the blanks round it.
    pub colon: &'a str,
    pub value: Value<'a>,
}

pub struct Reader<'a> {
    text: &'a [u8],
    pub at: usize,
    pub depth_max: usize,
    /// How many containers are open; after a fault, those it lies in.
    pub depth: usize,
}

type Read<T> = Result<T, Fault>;

impl<'a> Reader<'a> {
    pub fn new(text: &'a [u8], depth_max: usize) -> Self {
        Self { text, at: 0, depth_max, depth: 0 }
    }

    pub fn peek(&self) -> Read<u8> {
        self.text.get(self.at).copied().ok_or(Short)
    }

    pub fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// What was read since `from`; all of it was looked at, so it is UTF-8.
    pub fn since(&self, from: usize) -> &'a str {
        std::str::from_utf8(&self.text[from..self.at]).unwrap()
    }

    pub fn blanks(&mut self) -> &'a str {
        let from = self.at;
        while self.peek().is_ok_and(|byte| b" \t\n\r".contains(&byte)) {
            self.at += 1;
        }
        self.since(from)
    }

    fn expect(&mut self, byte: u8) -> Read<()> {
        if self.peek()? != byte {
            return Err(Bad("syntax"));
        }
        self.at += 1;
        Ok(())
    }

    /// What stands before the next part of a container, or `None` and the blanks where it ends.
    pub fn gap(&mut self, is_first: bool, close: u8) -> Read<Result<Gap<'a>, &'a str>> {
        let before = self.blanks();
        if self.peek()? == close {
            return Ok(Err(before));
        }
        if is_first {
            return Ok(Ok(Gap { before, comma: "", behind: "" }));
        }
        let from = self.at;
        self.expect(b',')?;
        let comma = self.since(from);
        Ok(Ok(Gap { before, comma, behind: self.blanks() }))
    }

    /// `depth` containers are open round it.
    pub fn value(&mut self, depth: usize) -> Read<Value<'a>> {
        let from = self.at;
        let kind = match self.peek()? {
            b'"' => Kind::Text(self.string()?),
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.word("true", Kind::Bool)?,
            b'f' => self.word("false", Kind::Bool)?,
            b'n' => self.word("null", Kind::Null)?,
            b'[' | b'{' if depth == self.depth_max => return Err(Bad("too_deep")),
            b'[' => {
                let mut items = Vec::new();
                let tail = self.array(depth + 1, &mut items)?;
                Kind::Array(items, tail)
            }
            b'{' => {
                let mut members = Vec::new();
                let tail = self.object(depth + 1, &mut members)?;
                Kind::Object(members, tail)
            }
            _ => return Err(Bad("syntax")),
        };
        Ok(Value { raw: self.since(from), kind })
    }

    fn word(&mut self, word: &str, kind: Kind<'a>) -> Read<Kind<'a>> {
        word.bytes().try_for_each(|byte| self.expect(byte))?;
        Ok(kind)
    }

    /// The array's items go to `items` one by one, so that those before a fault are known.
    pub fn array(&mut self, depth: usize, items: &mut Vec<Item<'a>>) -> Read<&'a str> {
        self.expect(b'[')?;
        self.depth = depth;
        loop {
            match self.gap(items.is_empty(), b']')? {
                Ok(gap) => items.push(Item { gap, value: self.value(depth)? }),
                Err(tail) => {
                    self.at += 1;
                    self.depth = depth - 1;
                    return Ok(tail);
                }
            }
        }
    }

    /// The object's members go to `members` likewise.
    pub fn object(&mut self, depth: usize, members: &mut Vec<Member<'a>>) -> Read<&'a str> {
        self.expect(b'{')?;
        self.depth = depth;
        loop {
            match self.gap(members.is_empty(), b'}')? {
                Ok(gap) => {
                    let (key, name) = self.name()?;
                    let colon = self.colon()?;
                    let value = self.value(depth)?;
                    members.push(Member { gap, key, name, colon, value });
                }
                Err(tail) => {
                    let mut names: Vec<&str> = members.iter().map(|member| &*member.name).collect();
                    names.sort_unstable();
                    if names.windows(2).any(|pair| pair[0] == pair[1]) {
                        return Err(Bad("duplicate_key"));
                    }
                    self.at += 1;
                    self.depth = depth - 1;
                    return Ok(tail);
                }
            }
        }
    }

    pub fn name(&mut self) -> Read<(&'a str, String)> {
        let from = self.at;
        let name = self.string()?;
        if name.contains('\0') { Err(Bad("nul_in_name")) } else { Ok((self.since(from), name)) }
    }

    pub fn colon(&mut self) -> Read<&'a str> {
        let from = self.at;
        self.blanks();
        self.expect(b':')?;
        self.blanks();
        Ok(self.since(from))
    }

    /// Whether a number ended is told by what follows it.
    fn number(&mut self) -> Read<Kind<'a>> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek()? == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if self.peek()?.eq_ignore_ascii_case(&b'e') {
            self.at += 1;
            if b"+-".contains(&self.peek()?) {
                self.at += 1;
            }
            self.digits()?;
        }
        self.peek()?;
        Ok(Kind::Number)
    }

    fn digits(&mut self) -> Read<()> {
        if !self.peek()?.is_ascii_digit() {
            return Err(Bad("syntax"));
        }
        while self.peek()?.is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }

    /// The text that a string means.
    fn string(&mut self) -> Read<String> {
        self.expect(b'"')?;
        let mut meant = Vec::new();
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    let character = self.escape()?;
                    meant.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                0..=0x1F => return Err(Bad("control_character")),
                byte => {
                    meant.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        String::from_utf8(meant).map_err(|_| Bad("invalid_utf8"))
    }

    fn escape(&mut self) -> Read<char> {
        self.at += 1;
        let sign = self.peek()?;
        self.at += 1;
        Ok(match sign {
            b'"' | b'\\' | b'/' => char::from(sign),
            b'b' => '\u{8}',
            b'f' => '\u{C}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut units = vec![self.unit()?];
                if (0xD800..=0xDBFF).contains(&units[0]) {
                    for sign in *b"\\u" {
                        match self.expect(sign) {
                            Err(Bad(_)) => return Err(Bad("lone_surrogate")),
                            other => other?,
                        }
                    }
                    units.push(self.unit()?);
                }
                let meant = String::from_utf16(&units).map_err(|_| Bad("lone_surrogate"))?;
                let mut meant = meant.chars();
                match (meant.next(), meant.next()) {
                    (Some(character), None) => character,
                    _ => return Err(Bad("lone_surrogate")),
                }
            }
            _ => return Err(Bad("syntax")),
        })
    }

    fn unit(&mut self) -> Read<u16> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.peek()?).to_digit(16).ok_or(Bad("syntax"))?;
            unit = unit << 4 | u16::try_from(digit).unwrap();
            self.at += 1;
        }
        Ok(unit)
    }
}

impl Value<'_> {
    /// The same value as `serde_json` has it; `None` where it holds a number that is too large for it.
    pub fn as_other(&self) -> Option<Other> {
        Some(match &self.kind {
            Kind::Null => Other::Null,
            Kind::Bool => Other::Bool(self.raw == "true"),
            Kind::Number => serde_json::from_str(self.raw).ok()?,
            Kind::Text(text) => text.as_str().into(),
            Kind::Array(items, _) => {
                Other::Array(items.iter().map(|item| item.value.as_other()).collect::<Option<_>>()?)
            }
            Kind::Object(members, _) => {
                let members =
                    members.iter().map(|member| Some((member.name.clone(), member.value.as_other()?)));
                Other::Object(members.collect::<Option<Map<_, _>>>()?)
            }
        })
    }
}

/// A text as a JSON string, with the escapes that it needs.
pub fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0'..='\u{1F}' => quoted.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => quoted.push(character),
        }
    }
    quoted + "\""
}
