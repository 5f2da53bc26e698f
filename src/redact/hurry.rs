//! The fast way through a record: members whose gaps are known and whose values are plain texts.
//!
//! What it does with them is what the plain path does; a member that is not of that kind is left to it.

use std::ops::Range;

use super::Tally;
use super::fields::Fields;
use super::guess::{Found, Noted};
use super::mask::{Order, Seen, Shown};
use super::object::Objects;
use super::rules::{Ease, Rule};
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
        let Self { guesses, rules, work, .. } = self;
        loop {
            let end = guesses.pass(window.bytes, *member, first, &work.values.accepted);
            // Those that are not noted are kept.
            let mut behind = *member;
            for &Noted { at, end, place, ease } in guesses.noted() {
                if at != behind {
                    splice.let_out_behind_comma(behind);
                }
                behind = end;
                if matches!(ease, Ease::Drop | Ease::AreaDropped) {
                    splice.leave_out(at, end);
                } else {
                    splice.let_out_behind_comma(at);
                }
                if ease == Ease::Change {
                    let Some(rule) = guesses.meaning_at(place).rule.map(|place| rules.at(place)) else {
                        continue;
                    };
                    let start = at + guesses.value_at(place) + 1;
                    change_text(rule, window, start..end - 1, splice, &mut work.fields, tally);
                }
                *has_area |= ease.is_area();
            }
            if end != behind {
                splice.let_out_behind_comma(behind);
            }
            let is_further = end > *member;
            *member = end;
            let Some(text) = window.bytes.get(end..).and_then(<[u8]>::first_chunk) else { return false };
            match guesses.find(text, end == first) {
                Found::Nothing => return false,
                Found::Expected if !is_further => return true,
                Found::Expected | Found::Other => {}
            }
        }
    }
}

/// Writes what a plain text becomes.
#[inline(never)]
fn change_text(
    rule: &Rule,
    window: Window<'_>,
    text: Range<usize>,
    splice: &mut Splice<'_>,
    fields: &mut Fields,
    tally: &mut Tally,
) {
    let Order::Change(change) = &rule.order else { return };
    let unreadable = tally.unreadable;
    match change.show(Seen::Text(&window.bytes[text.clone()]), &mut [0; 16], tally) {
        Shown::Text(shown) => splice.replace(text.start, text.end, shown),
        Shown::Nothing => splice.replace(text.start - 1, text.end + 1, b"null"),
        Shown::Written(shown) => splice.replace(text.start - 1, text.end + 1, shown),
    }
    fields.change(rule.place, 1);
    if tally.unreadable > unreadable {
        fields.note(rule.place, &Tally { unreadable, ..*tally }, tally);
    }
}
