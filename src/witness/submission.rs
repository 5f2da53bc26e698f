//! What is sent to a witness: the size it signed before, the proof of growth since then, and the checkpoint.
//!
//! ```text
//! old 20852014
//! PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
//! jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
//!
//! ledger.example
//! 20852163
//! ..
//! ```

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::ledger::proof::PATH_HASHES_MAX;
use crate::ledger::tree::Hash;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Submission {
    pub old: u64,
    pub proof: Vec<Hash>,
    /// The signed note, verbatim.
    pub note: String,
}

impl Submission {
    pub fn write(&self) -> String {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.proof {
            BASE64_STANDARD.encode_string(hash, &mut text);
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.note);
        text
    }

    /// `None`: it is not of that form.
    pub fn read(text: &str) -> Option<Self> {
        let (head, note) = text.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let number = lines.next()?.strip_prefix("old ")?;
        let old: u64 = number.parse().ok()?;
        let hash = |line: &str| BASE64_STANDARD.decode(line).ok()?.try_into().ok();
        let proof: Vec<Hash> = lines.map(hash).collect::<Option<_>>()?;
        let is_plain = old.to_string() == number && proof.len() <= PATH_HASHES_MAX;
        is_plain.then(|| Self { old, proof, note: note.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_reads_back_as_it_was_written_and_in_no_other_form() {
        let own = Submission { old: 7, proof: vec![[1; 32]], note: "a\n8\nx\n\n— a b\n".to_owned() };
        let text = own.write();
        let none = Submission { old: 0, proof: Vec::new(), ..own.clone() };
        assert_eq!(Submission::read(&none.write()), Some(none));
        let cases = [
            ("as written", text.clone(), true),
            ("a padded size", text.replacen("old 7", "old 07", 1), false),
            ("no size", text.replacen("old 7\n", "", 1), false),
            ("a negative size", text.replacen("old 7", "old -7", 1), false),
            ("a short hash", text.replacen("AQEB", "", 1), false),
            ("nothing", String::new(), false),
        ];
        for (name, text, reads) in cases {
            assert_eq!(Submission::read(&text).is_some(), reads, "{name}");
        }
        let line = format!("{}=\n", "A".repeat(43));
        let many = |count: usize| format!("old 7\n{}\na\n8\nx\n\n— a b\n", line.repeat(count));
        assert!(Submission::read(&many(PATH_HASHES_MAX)).is_some());
        assert!(Submission::read(&many(PATH_HASHES_MAX + 1)).is_none());
    }
}
