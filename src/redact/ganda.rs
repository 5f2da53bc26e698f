//! The added column `kode_ganda`: within one copy equal for equal NIKs, and for nothing else.
//!
//! The code is the first 80 bits, in base32, of HMAC-SHA-256 under the key of the copy over a text that no
//! token begins with and the 16 digits. A row whose value is anything but 16 digits has none. The value may be
//! masked or stay behind; the code is of what the source sent.

use aws_lc_rs::hmac;

use crate::domain::{CopyKey, KodeGanda, MaskPlan, Nik};

use super::Tally;
use super::mask::{Room, Seen, base32};

/// A token's text begins with a field's name, which holds no blank.
const DOMAIN: &[u8] = b"salinan kode_ganda v1\0";

/// What has taken in the key and the domain.
pub(super) fn context(key: &CopyKey) -> hmac::Context {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()));
    context.update(DOMAIN);
    context
}

pub(super) fn write(context: &hmac::Context, number: &Nik, room: &mut Room) {
    let mut context = context.clone();
    context.update(number.digits());
    base32(context.sign().as_ref(), room);
}

pub(super) struct Ganda {
    /// Has taken in the key and the domain already.
    context: hmac::Context,
    /// Of the row that is being read.
    code: Option<Room>,
}

impl Ganda {
    pub const NAME: &[u8] = KodeGanda::NAME.as_bytes();

    /// `None` where the plan adds no column.
    pub fn new(plan: &MaskPlan, key: &CopyKey) -> Option<Self> {
        plan.kode_ganda.as_ref()?;
        Some(Self { context: context(key), code: None })
    }

    /// A new row begins.
    pub fn begin(&mut self) {
        self.code = None;
    }

    /// Takes the value of the row's field. What is there but no number is counted.
    pub fn see(&mut self, seen: Seen<'_>, tally: &mut Tally) {
        let number = match seen {
            Seen::Null | Seen::Text(b"") => return,
            Seen::Text(value) | Seen::Number(value) => Nik::read(value),
            Seen::Bool(_) | Seen::Container => None,
        };
        let Some(number) = number else {
            tally.unreadable += 1;
            return;
        };
        let mut room = Room::default();
        write(&self.context, &number, &mut room);
        self.code = Some(room);
    }

    pub fn code(&self) -> Option<&[u8]> {
        self.code.as_ref().map(<[u8; 16]>::as_slice)
    }
}
