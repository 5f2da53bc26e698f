//! A policy as the record names it, and the one digest of all that are in force.

use super::Digest;
use super::digest::Hasher;

/// A policy in force: its name, the version of the list it is about, and the digest of its file. Written as a list of three.
pub type PolicyLine = (String, String, Digest);

/// The digest of a set of policies, whatever the order they are named in: `salinan-policy-set-2`, then each policy's line as
/// compact JSON, ascending by name, version and digest; a line feed behind each.
pub fn digest_of_policies<'a>(lines: impl IntoIterator<Item = &'a PolicyLine>) -> Digest {
    let mut lines: Vec<&PolicyLine> = lines.into_iter().collect();
    lines.sort_unstable();
    let mut hasher = Hasher::default();
    hasher.update(b"salinan-policy-set-2\n");
    for line in lines {
        hasher.update(serde_json::json!(line).to_string().as_bytes());
        hasher.update(b"\n");
    }
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_of_sorted_lines_and_can_be_made_with_other_tools() {
        let line = |name: &str| (name.to_owned(), "1".to_owned(), Digest::of(b""));
        let text = "salinan-policy-set-2\n\
            [\"a\",\"1\",\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"]\n\
            [\"a-\\\"b\",\"1\",\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"]\n";
        assert_eq!(digest_of_policies(&[line("a-\"b"), line("a")]), Digest::of(text.as_bytes()));
        assert_eq!(digest_of_policies(&[]), Digest::of(b"salinan-policy-set-2\n"));
        assert_ne!(digest_of_policies(&[line("a")]), digest_of_policies(&[line("a"), line("b")]));
    }
}
