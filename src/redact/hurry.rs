//! The fast way through a record: members whose gaps are known and whose values are plain texts.
//!
//! What it does with them is what the plain path does; a member that is not of that kind is left to it.

use std::ops::Range;

use super::guess::Found;
use super::mask::{Order, Seen, Shown};
use super::object::Objects;
use super::rules::Ease;
use super::splice::Splice;
use super::stream::Window;
use super::{Tally, sweep};

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
        let mut at = *member;
        let is_known = loop {
            if at > first && self.guesses.expected().ease == Ease::Keep {
                let behind_comma = at + self.guesses.expected().behind_comma();
                let end = self.guesses.pass_kept(window.bytes, at);
                if end > at {
                    splice.let_out(behind_comma);
                    at = end;
                    continue;
                }
            }
            let gap = self.guesses.expected();
            let start = at + gap.value_at() + 1;
            let end = match self.guesses.text(window.bytes, at, at == first) {
                Some(len) => start + len + 1,
                None => {
                    let Some(text) = window.bytes.get(at..).and_then(<[u8]>::first_chunk) else {
                        break false;
                    };
                    match self.guesses.find(text, at == first) {
                        Found::Expected => break true,
                        Found::Other => continue,
                        Found::Nothing => break false,
                    }
                }
            };
            let text = start..end - 1;
            match gap.ease {
                Ease::Keep => {
                    if sweep::may_hold(&window.bytes[text]) {
                        break true;
                    }
                    splice.let_out(at + gap.behind_comma());
                }
                Ease::Drop => splice.leave_out(at, end),
                Ease::Area { is_kept } => {
                    if text.is_empty() || self.work.values.accepted != window.bytes[text] {
                        break true;
                    }
                    *has_area = true;
                    if is_kept {
                        splice.let_out(at + gap.behind_comma());
                    } else {
                        splice.leave_out(at, end);
                    }
                }
                Ease::Change => {
                    splice.let_out(at + gap.behind_comma());
                    self.change_text(window, text, splice, tally);
                }
                Ease::None => break true,
            }
            self.guesses.take();
            at = end;
        };
        *member = at;
        is_known
    }

    #[inline(never)]
    fn change_text(
        &mut self,
        window: Window<'_>,
        text: Range<usize>,
        splice: &mut Splice<'_>,
        tally: &mut Tally,
    ) {
        let Some(rule) = self.guesses.meaning().rule.map(|place| self.rules.at(place)) else { return };
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
