//! Codings of a copy on its way to the requester, and which of them a request asks for (RFC 9110, section 12.5.3).
//!
//! ```text
//! Accept-Encoding: gzip;q=0.8, zstd, *;q=0
//! ```

/// A coding a route may list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentCoding {
    Gzip,
    Br,
    Zstd,
}

impl ContentCoding {
    pub const ALL: [Self; 3] = [Self::Gzip, Self::Br, Self::Zstd];

    /// The name in `Content-Encoding`, in policy files and in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Br => "br",
            Self::Zstd => "zstd",
        }
    }

    fn is_called(self, name: &str) -> bool {
        // RFC 9110, section 8.4.1.3, has the older name mean the same.
        name.eq_ignore_ascii_case(self.as_str()) || self == Self::Gzip && name.eq_ignore_ascii_case("x-gzip")
    }

    /// The coding that a request's `Accept-Encoding` wants most among those offered; of several wanted alike, the first
    /// offered. None stands for the copy as it is, which is also the answer to a header that is missing, malformed or
    /// cannot be met.
    pub fn choose(accept: Option<&str>, offered: &[Self]) -> Option<Self> {
        let wishes = read_wishes(accept?)?;
        let of = |is_named: &dyn Fn(&str) -> bool| {
            let named = wishes.iter().find(|(name, _)| is_named(name));
            named.or_else(|| wishes.iter().find(|(name, _)| *name == "*")).map(|(_, weight)| *weight)
        };
        // Unnamed, the copy as it is may be sent, but anything named comes before it.
        let plain = of(&|name| name.eq_ignore_ascii_case("identity")).unwrap_or(0);
        let mut best: Option<(Self, u16)> = None;
        for coding in offered {
            let weight = of(&|name| coding.is_called(name)).unwrap_or(0);
            if weight > 0 && weight >= plain && best.is_none_or(|(_, known)| weight > known) {
                best = Some((*coding, weight));
            }
        }
        best.map(|(coding, _)| coding)
    }
}

/// Names and their weights in thousandths, or nothing if any of it is malformed or a name stands twice.
fn read_wishes(text: &str) -> Option<Vec<(&str, u16)>> {
    let mut wishes: Vec<(&str, u16)> = Vec::new();
    let blank = [' ', '\t'];
    for element in text.split(',').map(|element| element.trim_matches(blank)) {
        if element.is_empty() {
            continue; // empty elements of a list are passed over (section 5.6.1.2)
        }
        let (name, weight) = match element.split_once(';') {
            None => (element, 1_000),
            Some((name, weight)) => {
                (name.trim_end_matches(blank), read_weight(weight.trim_start_matches(blank))?)
            }
        };
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        if wishes.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return None;
        }
        wishes.push((name, weight));
    }
    Some(wishes)
}

/// `q=0.5` in thousandths: at most three decimals, and none but zeros behind `1`.
fn read_weight(text: &str) -> Option<u16> {
    let number = text.strip_prefix("q=").or_else(|| text.strip_prefix("Q="))?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals = format!("{decimals:0<3}").parse().ok()?;
    match (whole, decimals) {
        ("0", decimals) => Some(decimals),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wish_decides_then_the_policy_and_else_the_copy_is_as_it_is() {
        use ContentCoding::{Br, Gzip, Zstd};
        let all: &[ContentCoding] = &[Zstd, Gzip, Br];
        let cases: [(Option<&str>, &[ContentCoding], Option<ContentCoding>); 42] = [
            (None, all, None),
            (Some(""), all, None),
            (Some("gzip"), all, Some(Gzip)),
            (Some("GZIP"), all, Some(Gzip)),
            (Some("x-gzip"), all, Some(Gzip)),
            (Some("gzip"), &[], None),
            (Some("gzip"), &[Br], None),
            (Some("br, gzip"), all, Some(Gzip)),
            (Some("br, gzip"), &[Br, Gzip], Some(Br)),
            (Some("gzip, deflate, br, zstd"), all, Some(Zstd)),
            (Some("gzip;q=0.8, br"), all, Some(Br)),
            (Some("gzip;q=0.8,br;q=0.9,zstd;q=0.85"), all, Some(Br)),
            (Some("gzip ; q=0.8 , br; q=0.801"), all, Some(Br)),
            (Some("gzip;q=1.000, br;q=0.999"), all, Some(Gzip)),
            (Some("gzip;Q=0.5"), all, Some(Gzip)),
            (Some("gzip;q=0"), all, None),
            (Some("gzip;q=0.000"), all, None),
            (Some("gzip;q=0, *"), all, Some(Zstd)),
            (Some("*"), all, Some(Zstd)),
            (Some("*;q=0"), all, None),
            (Some("*;q=0.5, br"), all, Some(Br)),
            (Some("*;q=0, gzip"), all, Some(Gzip)),
            (Some("deflate, compress"), all, None),
            (Some("identity"), all, None),
            (Some("identity, gzip"), all, Some(Gzip)),
            (Some("identity;q=0.9, gzip;q=0.5"), all, None),
            (Some("identity;q=0.5, gzip;q=0.5"), all, Some(Gzip)),
            (Some("*;q=0.8, gzip;q=0.2"), &[Gzip], None),
            (Some("identity;q=0"), all, None),
            (Some("identity;q=0, gzip;q=0.001"), all, Some(Gzip)),
            (Some("identity;q=0, deflate"), all, None),
            (Some(", gzip,,"), all, Some(Gzip)),
            (Some("gzip;q=1.1"), all, None),
            (Some("gzip;q=1.001"), all, None),
            (Some("gzip;q=0.1234"), all, None),
            (Some("gzip;q=.5"), all, None),
            (Some("gzip;q="), all, None),
            (Some("gzip;q=+1"), all, None),
            (Some("gzip;level=9"), all, None),
            (Some("gzip;q=0.5;q=0.6"), all, None),
            (Some("gzip, gzip;q=0"), all, None),
            (Some("gz ip, br"), all, None),
        ];
        for (accept, offered, expected) in cases {
            assert_eq!(ContentCoding::choose(accept, offered), expected, "{accept:?} of {offered:?}");
        }
    }
}
