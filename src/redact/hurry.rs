//! The fast way through a record: members whose gaps are known and whose values are plain texts.
//!
//! What it does with them is what the plain path does; a member that is not of that kind is left to it.

use std::ops::Range;

use super::Tally;
use super::guess::{Found, Noted};
use super::mask::{Order, Seen, Shown};
use super::object::Objects;
use super::rules::Ease;
use super::splice::Splice;
use super::stream::Window;

impl Objects {
    /// Takes members from `member` on as long as no more is needed than to keep, to change or to drop a plain text.
    /// Returns whether the gap of the member it stopped at is known: then it is the one that is expected.
    #[inline(never)]
    pub(super) fn hurry(
        &mut self,
        window: Window<'_>,
        first: usize,
        member: &mut usize,
        splice: &mut Splice<'_>,
        (has_area, tally): (&mut bool, &mut Tally),
    ) -> bool {
        loop {
            let end = self.guesses.pass(window.bytes, *member, first, &self.work.values.accepted);
            let mut which = 0;
            while let Some(&Noted { at, start, end, place, ease }) = self.guesses.noted(which) {
                which += 1;
                *has_area |= matches!(ease, Ease::Area { .. });
                match ease {
                    Ease::Drop | Ease::Area { is_kept: false } => splice.leave_out(at, end),
                    Ease::Keep | Ease::Area { is_kept: true } | Ease::Change | Ease::None => {
                        splice.let_out(at + self.guesses.behind_comma(place));
                    }
                }
                if ease == Ease::Change {
                    self.change_text(place, window, start..end - 1, splice, tally);
                }
            }
            let is_further = end > *member;
            *member = end;
            let Some(text) = window.bytes.get(end..).and_then(<[u8]>::first_chunk) else { return false };
            match self.guesses.find(text, end == first) {
                Found::Nothing => return false,
                Found::Expected if !is_further => return true,
                Found::Expected | Found::Other => {}
            }
        }
    }

    #[inline(never)]
    fn change_text(
        &mut self,
        place: u8,
        window: Window<'_>,
        text: Range<usize>,
        splice: &mut Splice<'_>,
        tally: &mut Tally,
    ) {
        let Some(rule) = self.guesses.meaning_at(place).rule.map(|place| self.rules.at(place)) else {
            return;
        };
        let Order::Change(change) = &rule.order else { return };
        let unreadable = tally.unreadable;
        match change.show(Seen::Text(&window.bytes[text.clone()]), &mut [0; 16], tally) {
            Shown::Text(shown) => splice.replace(text.start, text.end, shown),
            Shown::Nothing => splice.replace(text.start - 1, text.end + 1, b"null"),
            Shown::Written(shown) => splice.replace(text.start - 1, text.end + 1, shown),
        }
        self.work.fields.change(rule.place, 1);
        if tally.unreadable > unreadable {
            self.work.fields.note(rule.place, &Tally { unreadable, ..*tally }, tally);
        }
    }
}
