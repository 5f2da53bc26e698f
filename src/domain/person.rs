//! The numbers of a person (NIK) and of a family card (NKK): 16 digits `PPKKCC DDMMYY SSSS`.
//!
//! Neither can be printed: no `Display`, no `Serialize`, and a `Debug` that shows nothing. What may leave is
//! decided by an action of a plan, on bytes, in `redact`.

use std::fmt;

/// Digits of a NIK and of an NKK.
pub const NUMBER_DIGITS: usize = 16;

macro_rules! personal_number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub struct $name([u8; NUMBER_DIGITS]);

        impl $name {
            /// Takes exactly 16 ASCII digits; anything else is of unexpected shape and gives `None`.
            pub fn read(text: &[u8]) -> Option<Self> {
                let digits: [u8; NUMBER_DIGITS] = text.try_into().ok()?;
                // All are looked at, so that they can be looked at together.
                let is_number = digits.iter().fold(true, |is_number, digit| is_number & digit.is_ascii_digit());
                is_number.then_some(Self(digits))
            }

            pub fn digits(&self) -> &[u8; NUMBER_DIGITS] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

personal_number!(
    /// Nomor Induk Kependudukan: area of first registration, date of birth (women: day + 40), serial.
    Nik
);
personal_number!(
    /// Nomor Kartu Keluarga: area, date of issue, serial.
    Nkk
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sixteen_ascii_digits_are_a_number() {
        let cases: [(&[u8], bool); 6] = [
            (b"9901014512900003", true),
            (b"990101451290000", false),
            (b"99010145129000033", false),
            (b"99.0101451290000", false),
            (b"", false),
            ("９901014512900003".as_bytes(), false),
        ];
        for (text, is_number) in cases {
            assert_eq!(Nik::read(text).is_some(), is_number);
        }
    }

    #[test]
    fn debug_shows_no_digit() {
        let nik = Nik::read(b"9901014512900003").unwrap();
        assert_eq!(format!("{nik:?}"), "Nik(..)");
    }
}
