//! Which witnesses must have signed a checkpoint: a file of C2SP `tlog-policy`.
//!
//! ```text
//! log ledger.example+1f2e3d4c+AbCd..
//! witness bawaslu witness.bawaslu.example/w1+5a6b7c8d+BAbC..
//! witness partai-7 witness.partai.example/w1+9e8f7a6b+BCdE..
//! group both all bawaslu partai-7
//! quorum both
//! ```

use std::fmt;

use thiserror::Error;

use super::cosign::Cosigner;
use super::key::Verifier;

/// Longest file, and most lines of each kind.
pub const POLICY_BYTES_MAX: usize = 64 << 10;
const LINES_MAX: usize = 128;
/// Stands for no quorum; nothing may be called so.
const NONE: &str = "none";

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {why}")]
pub struct TrustError {
    pub line: usize,
    pub why: TrustFlaw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TrustFlaw {
    #[error(
        "a line is `log VKEY [URL]`, `witness NAME VKEY [URL]`, `group NAME all|any|K MEMBER..` or `quorum NAME`"
    )]
    Form,
    #[error("it holds a control character")]
    Control,
    #[error("this is not a verifier key of that kind")]
    Key,
    #[error("this key was named before")]
    SameKey,
    #[error("this name is taken")]
    SameName,
    #[error("nothing of that name was defined on a line before")]
    Unknown,
    #[error("this is a member of a group already")]
    Member,
    #[error("a threshold is from 1 to the number of members")]
    Threshold,
    #[error("there must be one quorum, and only one")]
    Quorum,
    #[error(
        "there are more than {LINES_MAX} lines of that kind, or the file is longer than {POLICY_BYTES_MAX} bytes"
    )]
    TooLong,
}

#[derive(Debug, Clone)]
enum Kind {
    Witness { cosigner: Cosigner, url: Option<String> },
    Group { threshold: usize, members: Vec<usize> },
}

#[derive(Debug, Clone)]
struct Node {
    name: String,
    kind: Kind,
    is_member: bool,
}

/// Logs that are known, and what a checkpoint of theirs needs.
#[derive(Debug, Clone)]
pub struct TrustPolicy {
    logs: Vec<Verifier>,
    /// A group stands behind its members.
    nodes: Vec<Node>,
    /// None: no witness is needed.
    quorum: Option<usize>,
}

/// A witness as the policy names it.
#[derive(Debug, Clone, Copy)]
pub struct TrustedWitness<'p> {
    pub name: &'p str,
    pub cosigner: &'p Cosigner,
    /// Where checkpoints are sent to.
    pub url: Option<&'p str>,
}

/// Who of the witnesses signed a checkpoint, and whether they are enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    pub is_met: bool,
    /// The policy's name of each witness, its own name, and when it signed.
    pub witnesses: Vec<(String, String, Option<u64>)>,
}

impl TrustPolicy {
    pub fn read(text: &str) -> Result<Self, TrustError> {
        let mut policy = Self { logs: Vec::new(), nodes: Vec::new(), quorum: None };
        let mut has_quorum = false;
        let fail = |line, why| Err(TrustError { line, why });
        if text.len() > POLICY_BYTES_MAX {
            return fail(1, TrustFlaw::TooLong);
        }
        for (at, line) in text.split('\n').enumerate() {
            let taken = policy.take(line, &mut has_quorum);
            if let Err(why) = taken {
                return fail(at + 1, why);
            }
        }
        if has_quorum { Ok(policy) } else { fail(text.lines().count().max(1), TrustFlaw::Quorum) }
    }

    fn take(&mut self, line: &str, has_quorum: &mut bool) -> Result<(), TrustFlaw> {
        if line.bytes().any(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7F) {
            return Err(TrustFlaw::Control);
        }
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words[..] {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", vkey] | ["log", vkey, _] => self.add_log(vkey),
            ["witness", name, vkey] => self.add_witness(name, vkey, None),
            ["witness", name, vkey, url] => self.add_witness(name, vkey, Some(url)),
            ["group", name, threshold, ref members @ ..] if !members.is_empty() => {
                self.add_group(name, threshold, members)
            }
            ["quorum", name] => {
                if std::mem::replace(has_quorum, true) {
                    return Err(TrustFlaw::Quorum);
                }
                self.quorum = if name == NONE { None } else { Some(self.place_of(name)?) };
                Ok(())
            }
            _ => Err(TrustFlaw::Form),
        }
    }

    fn add_log(&mut self, vkey: &str) -> Result<(), TrustFlaw> {
        let log: Verifier = vkey.parse().map_err(|_| TrustFlaw::Key)?;
        if self.logs.iter().any(|known| known.public() == log.public()) {
            return Err(TrustFlaw::SameKey);
        }
        if self.logs.len() == LINES_MAX {
            return Err(TrustFlaw::TooLong);
        }
        self.logs.push(log);
        Ok(())
    }

    fn add_witness(&mut self, name: &str, vkey: &str, url: Option<&str>) -> Result<(), TrustFlaw> {
        let cosigner: Cosigner = vkey.parse().map_err(|_| TrustFlaw::Key)?;
        if self.witnesses().any(|known| known.cosigner.public() == cosigner.public()) {
            return Err(TrustFlaw::SameKey);
        }
        self.add(name, Kind::Witness { cosigner, url: url.map(str::to_owned) })
    }

    fn add(&mut self, name: &str, kind: Kind) -> Result<(), TrustFlaw> {
        if name == NONE || self.place_of(name).is_ok() {
            return Err(TrustFlaw::SameName);
        }
        if self.nodes.len() == 2 * LINES_MAX {
            return Err(TrustFlaw::TooLong);
        }
        self.nodes.push(Node { name: name.to_owned(), kind, is_member: false });
        Ok(())
    }

    fn add_group(&mut self, name: &str, threshold: &str, names: &[&str]) -> Result<(), TrustFlaw> {
        let mut members = Vec::new();
        for member in names {
            let place = self.place_of(member)?;
            // Each witness counts once, however groups are nested.
            if std::mem::replace(&mut self.nodes[place].is_member, true) {
                return Err(TrustFlaw::Member);
            }
            members.push(place);
        }
        let threshold = match threshold {
            "all" => members.len(),
            "any" => 1,
            number if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                number.parse().map_err(|_| TrustFlaw::Threshold)?
            }
            _ => return Err(TrustFlaw::Form),
        };
        if !(1..=members.len()).contains(&threshold) {
            return Err(TrustFlaw::Threshold);
        }
        self.add(name, Kind::Group { threshold, members })
    }

    fn place_of(&self, name: &str) -> Result<usize, TrustFlaw> {
        self.nodes.iter().position(|node| node.name == name).ok_or(TrustFlaw::Unknown)
    }

    /// All witnesses, in the order of their lines.
    pub fn witnesses(&self) -> impl Iterator<Item = TrustedWitness<'_>> {
        self.nodes.iter().filter_map(|node| match &node.kind {
            Kind::Witness { cosigner, url } => {
                Some(TrustedWitness { name: &node.name, cosigner, url: url.as_deref() })
            }
            Kind::Group { .. } => None,
        })
    }

    /// The logs that the policy names; without any, the log must be known from elsewhere.
    pub fn logs(&self) -> &[Verifier] {
        &self.logs
    }

    /// Who signed a note. The log's own signature is for who calls to check.
    pub fn judge(&self, note: &str) -> Quorum {
        let mut met: Vec<bool> = Vec::with_capacity(self.nodes.len());
        let mut witnesses = Vec::new();
        for node in &self.nodes {
            met.push(match &node.kind {
                Kind::Witness { cosigner, .. } => {
                    let time_s = cosigner.find(note).map(|(_, time_s)| time_s);
                    witnesses.push((node.name.clone(), cosigner.name().to_owned(), time_s));
                    time_s.is_some()
                }
                Kind::Group { threshold, members } => {
                    members.iter().filter(|place| met[**place]).count() >= *threshold
                }
            });
        }
        Quorum { is_met: self.quorum.is_none_or(|place| met[place]), witnesses }
    }
}

/// `2 of 3 witnesses signed`
impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed = self.witnesses.iter().filter(|(.., time)| time.is_some()).count();
        let word = if self.is_met { "enough" } else { "too few" };
        write!(f, "{signed} of {} witnesses signed: {word}", self.witnesses.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::Signer;
    use super::*;

    fn signer(name: &str) -> Signer {
        let directory = tempfile::tempdir().unwrap();
        Signer::generate(&directory.path().join("key.pem"), name).unwrap()
    }

    #[test]
    fn a_quorum_is_met_by_enough_of_the_right_witnesses() {
        let witnesses: Vec<Signer> = (0..4).map(|n| signer(&format!("witness.example/w{n}"))).collect();
        let lines: String = witnesses
            .iter()
            .enumerate()
            .map(|(n, own)| format!("witness w{n} {}\n", own.cosigner()))
            .collect();
        let log = signer("ledger.example");
        let text = format!("# a comment\n\n log {} https://ledger.example/ \n{lines}", log.vkey());
        let note = |signed: &[usize]| {
            let body = "ledger.example\n3\nGR5C\n";
            let lines: String = signed.iter().map(|n| witnesses[*n].cosign(body, 7)).collect();
            format!("{body}\n— ledger.example AAAA\n{lines}")
        };
        // The rule, who signed, and whether they are enough.
        let cases: [(&str, &[usize], bool); 12] = [
            ("quorum none", &[], true),
            ("quorum w1", &[1], true),
            ("quorum w1", &[0, 2, 3], false),
            ("group g any w0 w1\nquorum g", &[1], true),
            ("group g any w0 w1\nquorum g", &[2, 3], false),
            ("group g all w0 w1\nquorum g", &[0, 1], true),
            ("group g all w0 w1\nquorum g", &[0], false),
            ("group g 2 w0 w1 w2\nquorum g", &[0, 2], true),
            ("group g 2 w0 w1 w2\nquorum g", &[0, 3], false),
            ("group g 2 w0 w1 w2\nquorum g", &[0, 0], false),
            ("group g any w0 w1\ngroup h all g w2 w3\nquorum h", &[1, 2, 3], true),
            ("group g any w0 w1\ngroup h all g w2 w3\nquorum h", &[0, 1, 2], false),
        ];
        for (rule, signed, expected) in cases {
            let policy = TrustPolicy::read(&format!("{text}{rule}\n")).unwrap();
            let quorum = policy.judge(&note(signed));
            assert_eq!(quorum.is_met, expected, "{rule} by {signed:?}: {quorum}");
            let seen: Vec<bool> = quorum.witnesses.iter().map(|(.., time)| time.is_some()).collect();
            assert_eq!(seen, (0..4).map(|n| signed.contains(&n)).collect::<Vec<_>>());
            assert_eq!(policy.logs(), [log.verifier()]);
        }
        let other = note(&[0, 1, 2, 3]).replacen("\n3\n", "\n4\n", 1);
        let policy = TrustPolicy::read(&format!("{text}quorum w0\n")).unwrap();
        assert!(!policy.judge(&other).is_met, "they signed another size");
    }

    #[test]
    fn a_file_that_is_no_policy_is_refused_with_its_line() {
        let (a, b) = (signer("a.example"), signer("b.example"));
        let (wa, wb) = (a.cosigner().to_string(), b.cosigner().to_string());
        let renamed = {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("key.pem");
            Signer::generate(&path, "one.example").unwrap();
            let of = |name: &str| Signer::load(&path, name).unwrap().cosigner().to_string();
            [of("one.example"), of("two.example")]
        };
        let cases = [
            (String::new(), 1, TrustFlaw::Quorum),
            ("quorum none\nquorum none\n".to_owned(), 2, TrustFlaw::Quorum),
            ("quorum a\n".to_owned(), 1, TrustFlaw::Unknown),
            (format!("quorum a\nwitness a {wa}\n"), 1, TrustFlaw::Unknown),
            (format!("witness a {}\nquorum a\n", a.vkey()), 1, TrustFlaw::Key),
            (format!("log {wa}\nquorum none\n"), 1, TrustFlaw::Key),
            (format!("log {0}\nlog {0}\nquorum none\n", a.vkey()), 2, TrustFlaw::SameKey),
            (
                format!("witness a {}\nwitness b {}\nquorum a\n", renamed[0], renamed[1]),
                2,
                TrustFlaw::SameKey,
            ),
            (format!("witness a {wa}\nwitness a {wb}\nquorum a\n"), 2, TrustFlaw::SameName),
            (format!("witness none {wa}\nquorum none\n"), 1, TrustFlaw::SameName),
            (format!("witness a {wa}\ngroup g 2 a\nquorum g\n"), 2, TrustFlaw::Threshold),
            (format!("witness a {wa}\ngroup g 0 a\nquorum g\n"), 2, TrustFlaw::Threshold),
            (format!("witness a {wa}\ngroup g most a\nquorum g\n"), 2, TrustFlaw::Form),
            (format!("witness a {wa}\ngroup g all a a\nquorum g\n"), 2, TrustFlaw::Member),
            (format!("witness a {wa}\ngroup g all a\ngroup h all a g\nquorum h\n"), 3, TrustFlaw::Member),
            ("group g all\nquorum g\n".to_owned(), 1, TrustFlaw::Form),
            ("trust everybody\n".to_owned(), 1, TrustFlaw::Form),
            ("quorum none\r\n".to_owned(), 1, TrustFlaw::Control),
        ];
        for (text, line, why) in cases {
            assert_eq!(TrustPolicy::read(&text).unwrap_err(), TrustError { line, why }, "{text}");
        }
    }
}
