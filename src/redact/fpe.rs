//! `fpe`: 16 digits become 16 other digits, one to one under the key of one copy, by FF1 (NIST SP 800-38G) with AES-256.
//!
//! What comes out looks like a number of a person and is none; with the key it can be turned back. FF1 works on two
//! halves of the digits as numbers; of 16 digits each fits into 64 bits, so nothing here needs long arithmetic.

use aes::Aes256;
use aws_lc_rs::hmac;
use fpe::ff1::{FF1, NumeralString, Operations};

use crate::domain::{CopyKey, Nik};

const RADIX: u32 = 10;
const DIGITS: usize = 16;
/// Parts the key of FF1 from the one that tokens are made with.
const KEY_LABEL: &[u8] = b"salinan fpe v1\0";

/// FF1 for one field of one copy.
pub(super) struct Fpe {
    ff1: FF1<Aes256>,
    /// The field's path: equal numbers in two fields have nothing in common.
    tweak: Box<[u8]>,
}

impl Fpe {
    pub fn new(key: &CopyKey, path: &str) -> Self {
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), KEY_LABEL);
        let ff1 = FF1::new(key.as_ref(), RADIX).expect("10 is a radix of FF1");
        Self { ff1, tweak: path.as_bytes().into() }
    }

    /// The other digits.
    pub fn encrypt(&self, number: &Nik) -> [u8; DIGITS] {
        let encrypted = self.ff1.encrypt(&self.tweak, &Digits(*number.digits()));
        encrypted.expect("16 digits are a numeral string of radix 10").0
    }
}

/// ASCII digits, most significant first; at most 18, so that a half fits into 64 bits with room for the sums of FF1.
struct Digits<const N: usize>([u8; N]);

/// One half of the digits, as a number below `10^digits`.
struct Half {
    value: u64,
    digits: usize,
}

impl Half {
    fn of(digits: &[u8]) -> Self {
        let value = digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
        Self { value, digits: digits.len() }
    }

    fn write(&self, digits: &mut [u8]) {
        let mut rest = self.value;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
    }
}

/// `10^digits`, and the number that the bytes are, below it.
fn below(bytes: impl Iterator<Item = u8>, radix: u32, digits: usize) -> (u64, u64) {
    let modulus = (0..digits).fold(1, |power, _| power * u64::from(radix));
    // Of a half with up to 9 digits FF1 takes 8 bytes.
    let number = bytes.fold(0, |number, byte| number << 8 | u64::from(byte));
    (modulus, number % modulus)
}

impl Operations for Half {
    type Bytes = HalfBytes;

    fn numeral_count(&self) -> usize {
        self.digits
    }

    fn to_be_bytes(&self, _radix: u32, b: usize) -> HalfBytes {
        HalfBytes { bytes: self.value.to_be_bytes(), from: 8 - b }
    }

    fn add_mod_exp(self, other: impl Iterator<Item = u8>, radix: u32, m: usize) -> Self {
        let (modulus, other) = below(other, radix, m);
        Self { value: (self.value + other) % modulus, digits: m }
    }

    fn sub_mod_exp(self, other: impl Iterator<Item = u8>, radix: u32, m: usize) -> Self {
        let (modulus, other) = below(other, radix, m);
        Self { value: (self.value + modulus - other) % modulus, digits: m }
    }
}

/// The last bytes of a number.
struct HalfBytes {
    bytes: [u8; 8],
    from: usize,
}

impl AsRef<[u8]> for HalfBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.from..]
    }
}

impl<const N: usize> NumeralString for Digits<N> {
    type Ops = Half;

    fn is_valid(&self, radix: u32) -> bool {
        radix == RADIX && N <= 18 && self.0.iter().all(u8::is_ascii_digit)
    }

    fn numeral_count(&self) -> usize {
        N
    }

    fn split(&self) -> (Half, Half) {
        let (first, second) = self.0.split_at(N / 2);
        (Half::of(first), Half::of(second))
    }

    fn concat(a: Half, b: Half) -> Self {
        let mut digits = [b'0'; N];
        let (first, second) = digits.split_at_mut(N / 2);
        a.write(first);
        b.write(second);
        Self(digits)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use aes::{Aes128, Aes192};

    use super::*;
    use crate::domain::random::next_u64;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    /// The samples of radix 10 among those that NIST publishes for FF1, with keys of all three lengths.
    #[test]
    fn the_samples_of_nist_come_out() {
        let keys = [
            "2B7E151628AED2A6ABF7158809CF4F3C",
            "EF4359D8D580AA4F7F036D6F04FC6A94",
            "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94",
        ];
        let long = keys[2];
        let plain = Digits(*b"0123456789");
        let tweak = bytes("39383736353433323130");
        let of_128 = FF1::<Aes128>::new(&bytes(keys[0]), RADIX).unwrap();
        let of_192 = FF1::<Aes192>::new(&bytes(&long[..48]), RADIX).unwrap();
        let of_256 = FF1::<Aes256>::new(&bytes(long), RADIX).unwrap();
        let cases: [(&str, Digits<10>, &[u8; 10]); 6] = [
            ("sample 1", of_128.encrypt(&[], &plain).unwrap(), b"2433477484"),
            ("sample 2", of_128.encrypt(&tweak, &plain).unwrap(), b"6124200773"),
            ("sample 4", of_192.encrypt(&[], &plain).unwrap(), b"2830668132"),
            ("sample 5", of_192.encrypt(&tweak, &plain).unwrap(), b"2496655549"),
            ("sample 7", of_256.encrypt(&[], &plain).unwrap(), b"6657667009"),
            ("sample 8", of_256.encrypt(&tweak, &plain).unwrap(), b"1001623463"),
        ];
        for (name, found, expected) in cases {
            assert_eq!(&found.0, expected, "{name}");
        }
        let back = of_256.decrypt(&tweak, &Digits(*b"1001623463")).unwrap();
        assert_eq!(back.0, plain.0);
    }

    #[test]
    fn numbers_are_mapped_one_to_one_by_key_and_field_and_back_with_the_key() {
        let (key, other) = (CopyKey::new([7; 32]), CopyKey::new([8; 32]));
        let fpe = Fpe::new(&key, "nik");
        let (mut seed, mut seen) = (9, HashSet::new());
        for _ in 0..5_000 {
            let text = format!("99{:014}", next_u64(&mut seed) % 100_000_000_000_000);
            let number = Nik::read(text.as_bytes()).unwrap();
            let mapped = fpe.encrypt(&number);
            assert!(mapped.iter().all(u8::is_ascii_digit));
            assert_eq!(fpe.encrypt(&number), mapped, "equal numbers stay equal");
            assert_ne!(mapped, Fpe::new(&key, "nkk").encrypt(&number), "another field");
            assert_ne!(mapped, Fpe::new(&other, "nik").encrypt(&number), "another copy");
            assert!(seen.insert(mapped), "two numbers became one");
            let again = Fpe::new(&key, "nik");
            let back = again.ff1.decrypt(&again.tweak, &Digits(mapped)).unwrap();
            assert_eq!(back.0, *number.digits());
        }
        for edge in [b"0000000000000000", b"9999999999999999", b"0000000099999999", b"9999999900000000"] {
            let mapped = fpe.encrypt(&Nik::read(edge).unwrap());
            assert_eq!(fpe.ff1.decrypt(&fpe.tweak, &Digits(mapped)).unwrap().0, *edge);
        }
    }

    #[test]
    fn digits_of_the_radix_and_of_no_more_than_fits_are_a_numeral_string() {
        assert!(Digits(*b"9901014512900003").is_valid(RADIX) && Digits([b'9'; 18]).is_valid(RADIX));
        assert!(!Digits(*b"990101451290000x").is_valid(RADIX));
        assert!(!Digits(*b"9901014512900003").is_valid(16));
        assert!(!Digits([b'9'; 19]).is_valid(RADIX));
    }

    #[test]
    fn the_key_is_not_the_one_that_tokens_are_made_with() {
        let key = CopyKey::new([7; 32]);
        let number = Nik::read(b"9901014512900003").unwrap();
        let bare = FF1::<Aes256>::new(key.as_bytes(), RADIX).unwrap();
        let bare = bare.encrypt(b"nik", &Digits(*number.digits())).unwrap();
        assert_ne!(Fpe::new(&key, "nik").encrypt(&number), bare.0);
    }
}
