//! The oracle: reads what left the process the way a curious recipient would, and fails on any trace of what the
//! fixture's policy hides.
//!
//! It is handed bytes with a name, and looks at them as they are and through every disguise, one over another:
//! gzip, base64, percent and `\u` escapes, compatibility forms of letters and digits, digits parted by
//! separators. It knows nothing of the program it watches.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use flate2::read::MultiGzDecoder;
use regex::bytes::RegexBuilder;

use super::fixture::{NIK, NKK, STREET};

/// So many digits in a row of a hidden number are a leak.
const DIGITS: usize = 8;
/// So many characters in a row of a token's signature are one.
const SIGNATURE: usize = 20;
/// Disguises looked through, one over another.
const DEPTH: usize = 3;
/// Shortest run of base64 worth undoing: eight digits are eleven characters.
const BASE64_RUN: usize = 11;
const GUNZIP_BYTES_MAX: u64 = 8 << 20;

/// What must not be found.
#[derive(Clone, Default)]
pub struct Oracle {
    needles: Vec<Needle>,
}

#[derive(Clone)]
struct Needle {
    what: &'static str,
    text: Vec<u8>,
}

impl Oracle {
    /// Watches for the fixture's voter.
    pub fn of_the_fixture() -> Self {
        let mut oracle = Self::default();
        oracle.hide_number("NIK", NIK);
        oracle.hide_number("NKK", NKK);
        oracle.needles.push(Needle { what: "address", text: STREET.into() });
        oracle
    }

    pub fn hide_number(&mut self, what: &'static str, digits: &str) {
        for window in digits.as_bytes().windows(DIGITS) {
            self.needles.push(Needle { what, text: window.to_vec() });
        }
    }

    /// Watches for a token by its signature: its other parts say what the ledger says too.
    pub fn hide_token(&mut self, token: &str) {
        let signature = token.rsplit('.').next().unwrap_or_default();
        for at in [0, signature.len() / 2] {
            let part = signature.as_bytes().get(at..at + SIGNATURE).unwrap_or_default();
            if !part.is_empty() {
                self.needles.push(Needle { what: "token", text: part.to_vec() });
            }
        }
    }

    /// What `bytes` give away, each as the kind of value and the disguise; never the value itself.
    pub fn leaks(&self, bytes: &[u8]) -> Vec<String> {
        let patterns: Vec<String> =
            self.needles.iter().map(|needle| regex::escape(&String::from_utf8_lossy(&needle.text))).collect();
        let pattern = RegexBuilder::new(&patterns.join("|")).unicode(false).case_insensitive(true).build();
        let pattern = pattern.expect("needles are plain text");
        let hasher = RandomState::new();
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        let mut open = VecDeque::from([("as it is".to_owned(), bytes.to_vec(), 0)]);
        while let Some((disguise, view, depth)) = open.pop_front() {
            if !seen.insert(hasher.hash_one(&view)) {
                continue;
            }
            for shown in pattern.find_iter(&view) {
                let is_it = |needle: &&Needle| needle.text.eq_ignore_ascii_case(shown.as_bytes());
                let what = self.needles.iter().find(is_it).map_or("a needle", |needle| needle.what);
                let leak = format!("{what} ({disguise})");
                if !found.contains(&leak) {
                    found.push(leak);
                }
            }
            if depth == DEPTH {
                continue;
            }
            for (name, undone) in [
                ("gzip", gunzip(&view)),
                ("base64", base64(&view)),
                ("percent escapes", percent(&view)),
                ("\\u escapes", unicode_escapes(&view)),
                ("compatibility forms", compatibility(&view)),
                ("separators", joined(&view)),
            ] {
                if let Some(undone) = undone {
                    let disguise = if depth == 0 { name.to_owned() } else { format!("{disguise}, {name}") };
                    open.push_back((disguise, undone, depth + 1));
                }
            }
        }
        found
    }

    /// Fails when the bytes of this name give anything away.
    pub fn hear(&self, name: &str, bytes: &[u8]) {
        let leaks = self.leaks(bytes);
        assert!(leaks.is_empty(), "the oracle heard in {name}: {}", leaks.join("; "));
    }
}

/// All that can be unpacked from any gzip header, damaged ends included.
fn gunzip(view: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for at in memchr::memmem::find_iter(view, &[0x1F, 0x8B, 0x08]) {
        let mut decoder = MultiGzDecoder::new(&view[at..]).take(GUNZIP_BYTES_MAX);
        // Small steps: what a damaged end takes with it is one step.
        let mut buffer = [0; 16];
        while let Ok(read @ 1..) = decoder.read(&mut buffer) {
            out.extend_from_slice(&buffer[..read]);
        }
    }
    (!out.is_empty()).then_some(out)
}

/// Every run of base64 characters, begun at each of its first four, in both alphabets.
fn base64(view: &[u8]) -> Option<Vec<u8>> {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    let mut out = Vec::new();
    for run in view.split(|byte| !is_base64(byte)).filter(|run| run.len() >= BASE64_RUN) {
        let url_safe: Vec<u8> = run
            .iter()
            .map(|byte| match byte {
                b'+' => b'-',
                b'/' => b'_',
                other => *other,
            })
            .collect();
        for start in 0..4 {
            let text = &url_safe[start..];
            let whole = &text[..text.len() / 4 * 4];
            out.extend(URL_SAFE_NO_PAD.decode(whole).unwrap_or_default());
            out.extend(URL_SAFE_NO_PAD.decode(text).unwrap_or_default());
            out.extend(STANDARD_NO_PAD.decode(&run[start..]).unwrap_or_default());
            out.push(b'\n');
        }
    }
    // Text hides text: what decodes to nothing readable hides no digits.
    let readable = out.iter().filter(|byte| byte.is_ascii_digit() || byte.is_ascii_alphabetic()).count();
    (readable >= DIGITS).then_some(out)
}

fn percent(view: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(view.len());
    let mut rest = view;
    let mut changed = false;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'%', [high, low, tail @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                out.push(hex(*high)? * 16 + hex(*low)?);
                rest = tail;
                changed = true;
            }
            _ => out.push(first),
        }
    }
    changed.then_some(out)
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// `\u0039` and `&#57;` become what they stand for.
fn unicode_escapes(view: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(view);
    if !text.contains("\\u") && !text.contains("&#") {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find(['\\', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let escaped = if let Some(hex) = rest.strip_prefix("\\u") {
            let hex = hex.trim_start_matches('u').trim_start_matches('{');
            let digits: String = hex.chars().take(4).take_while(char::is_ascii_hexdigit).collect();
            let after = hex[digits.len()..].trim_start_matches('}');
            u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).map(|one| (one, after))
        } else {
            rest.strip_prefix("&#").and_then(|number| number.split_once(';')).and_then(|(number, after)| {
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16),
                    None => number.parse(),
                };
                code.ok().and_then(char::from_u32).map(|one| (one, after))
            })
        };
        match escaped {
            Some((one, after)) => {
                out.push(one);
                rest = after;
            }
            None => {
                out.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    Some(out.into_bytes())
}

/// Full-width, mathematical, superscript and other scripts' letters and digits become ASCII.
fn compatibility(view: &[u8]) -> Option<Vec<u8>> {
    if view.is_ascii() {
        return None;
    }
    let mut changed = false;
    let text: String = String::from_utf8_lossy(view)
        .chars()
        .map(|one| {
            let plain = plain(one);
            changed |= plain != one;
            plain
        })
        .collect();
    changed.then(|| text.into_bytes())
}

fn plain(one: char) -> char {
    let code = u32::from(one);
    let digit = |zero: u32| char::from_digit((code - zero) % 10, 10).unwrap_or(one);
    match code {
        0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(one),
        0x0660..=0x0669 => digit(0x0660),
        0x06F0..=0x06F9 => digit(0x06F0),
        0x0966..=0x096F => digit(0x0966),
        0x2070 | 0x2074..=0x2079 => digit(0x2070),
        0x2080..=0x2089 => digit(0x2080),
        0x2460..=0x2468 => digit(0x245F),
        0xA9D0..=0xA9D9 => digit(0xA9D0),
        0x1_D7CE..=0x1_D7FF => digit(0x1_D7CE),
        0x00B9 => '1',
        0x00B2 => '2',
        0x00B3 => '3',
        _ => one,
    }
}

/// Digits with at most two separators between them stand side by side.
fn joined(view: &[u8]) -> Option<Vec<u8>> {
    let is_separator = |byte: u8| b" .-_/:|'`~\t\n\r".contains(&byte);
    let mut out = Vec::with_capacity(view.len());
    let mut changed = false;
    let mut at = 0;
    while at < view.len() {
        let byte = view[at];
        out.push(byte);
        at += 1;
        if !byte.is_ascii_digit() {
            continue;
        }
        let parted = view[at..].iter().take(3).take_while(|byte| is_separator(**byte)).count();
        if (1..=2).contains(&parted) && view.get(at + parted).is_some_and(u8::is_ascii_digit) {
            at += parted;
            changed = true;
        } else if let [0xC2, 0xA0, next, ..] | [0xE2, 0x80, 0x80..=0x95 | 0xAF, next, ..] = &view[at..]
            && next.is_ascii_digit()
        {
            at += view[at..].iter().position(u8::is_ascii_digit).unwrap_or_default();
            changed = true;
        }
    }
    changed.then_some(out)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn each(text: &str, write: impl Fn(char) -> String) -> String {
        text.chars().map(write).collect()
    }

    #[test]
    fn a_planted_value_is_heard_in_every_disguise() {
        let full_width = each(NIK, |one| char::from_u32(u32::from(one) + 0xFEE0).unwrap().to_string());
        let mathematical =
            each(NIK, |one| char::from_u32(u32::from(one) - 0x30 + 0x1_D7CE).unwrap().to_string());
        let token = format!("eyJ0.eyJz.{}", "Ab3-_xYz".repeat(10));
        let planted: &[(&str, Vec<u8>)] = &[
            ("plain", format!("a,{NIK},b").into_bytes()),
            ("its first half", NIK[..8].into()),
            ("its last half", NIK[8..].into()),
            ("its middle in other digits", format!("777{}777", &NIK[4..12]).into()),
            ("the other number", NKK.into()),
            ("the address", "JL KENANGA 7".into()),
            ("the address in small letters", "jl. Kenanga".into()),
            ("base64", STANDARD.encode(format!("nik={NIK}")).into()),
            ("base64 at odd places", format!("xyz{}", STANDARD.encode(format!("q{NIK}"))).into()),
            ("base64 of the web", URL_SAFE.encode(format!("\u{ff}\u{fe}?{NIK}")).into()),
            ("base64 twice", STANDARD.encode(STANDARD.encode(NIK)).into()),
            ("percent escapes", each(NIK, |one| format!("%{:02x}", u32::from(one))).into()),
            ("one percent escape", format!("{}%{:02X}{}", &NIK[..3], NIK.as_bytes()[3], &NIK[4..]).into()),
            ("JSON escapes", each(NIK, |one| format!("\\u{:04x}", u32::from(one))).into()),
            ("HTML escapes", each(NIK, |one| format!("&#{};", u32::from(one))).into()),
            ("an escaped address", "JL \\u004bEN\\u0041NGA".into()),
            ("full-width digits", full_width.clone().into()),
            ("mathematical digits", mathematical.into()),
            ("dots", "99.0101.451290.0003".into()),
            ("blanks and hyphens", "9901-01 45-12 90-00 03".into()),
            ("spread out", each(NIK, |one| format!("{one} ")).into()),
            ("no-break blanks", each(NIK, |one| format!("{one}\u{a0}")).into()),
            ("gzip", gzip(&format!("row {NIK} row"))),
            ("gzip inside other bytes", [b"head".as_slice(), &gzip(NKK), b"tail"].concat()),
            ("gzip cut short", {
                let mut cut = gzip(&NIK.repeat(50));
                cut.truncate(cut.len() - 9);
                cut
            }),
            ("base64 of gzip", STANDARD.encode(gzip(NIK)).into()),
            ("escaped full-width", each(&full_width, |one| format!("\\u{:04X}", u32::from(one))).into()),
            ("a token", format!("token {token} end").into()),
            ("a token's signature in base64", STANDARD.encode(&token).into()),
        ];
        let mut oracle = Oracle::of_the_fixture();
        oracle.hide_token(&token);
        for (name, bytes) in planted {
            assert!(!oracle.leaks(bytes).is_empty(), "not heard: {name}");
            let among = [vec![b'x'; 5_000], b"\n".to_vec(), bytes.clone(), vec![b'\n'; 5_000]].concat();
            assert!(!oracle.leaks(&among).is_empty(), "not heard among others: {name}");
        }
    }

    #[test]
    fn what_may_leave_is_not_heard() {
        let silent = [
            "SITI CONTOH,1990,****************,9901,990101,9901011001001",
            r#"{"nik":"****************","nama":"SITI CONTOH","tanggal_lahir":"1990"}"#,
            r#"{"ts":"2026-11-22T10:00:00.000Z","wilayah":"9901","party":{"election":"pemilu-2024","number":7}}"#,
            "01991a2b-0000-7000-8000-000000000000",
        ];
        let oracle = Oracle::of_the_fixture();
        for text in silent {
            assert_eq!(oracle.leaks(text.as_bytes()), Vec::<String>::new(), "{text}");
        }
    }
}
