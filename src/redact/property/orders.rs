//! The orders that the first characters of an input choose from, and what may leave by them.
//!
//! ```text
//! 0310[{"nik":"!","kode":"9901"}]
//! |||'- how the body is cut: any character
//! ||'-- 0: among other records; 1: alone; 2: under small limits; 3: alone
//! |'--- the orders, 0 to 7
//! '---- the format, 0 to 3, or 0 to 7
//! ```

use jiff::civil::Date;

use crate::domain::{
    Action, FieldPath, FieldRule, Format, Found, KodeGanda, Level, Mask, MaskPlan, Outside, RowArea, Sweep,
};

use super::super::Limits;
use super::super::harness::{name, plan, rule, standard};
use super::Dice;

/// What the first characters chose.
pub(super) struct Choice {
    pub plan: MaskPlan,
    pub limits: Limits,
    /// Whether the body is also tried with other records round it.
    pub is_among_others: bool,
    pub kind: Kind,
}

/// What can be said of some orders and not of others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing but codes of areas leaves as it came, so that no text may tell one person from the other.
    Closed,
    /// What leaves depends on hidden values by design, since it holds tokens of them.
    Tokens,
    /// They keep or drop and do nothing else, and keep the row's area.
    Keeping,
    Other,
}

/// Characters that choose. Their counts divide 48, so that the digit `3` chooses number 3.
const CHOOSING: usize = 4;

/// Splits an input into what its first characters choose, how the body is cut, and the body.
pub(super) fn choose<'a>(data: &'a [u8], formats: &[Format]) -> Option<(Choice, Dice, &'a [u8])> {
    let (&[format, orders, how, cuts], body) = data.split_first_chunk::<CHOOSING>()?;
    let format = formats[usize::from(format) % formats.len()].clone();
    let orders = orders % 8;
    let how = how % 4;
    let cuts_small = usize::from(cuts);
    let limits = if how == 2 {
        Limits {
            record_bytes_max: 40 + cuts_small % 64,
            depth_max: 3,
            decoded_bytes_max: if cuts_small < 64 { 200 } else { u64::MAX },
            ..Limits::default()
        }
    } else {
        Limits::default()
    };
    let choice = Choice {
        plan: plan_of(orders, format),
        limits,
        is_among_others: how == 0,
        kind: match orders {
            1 => Kind::Keeping,
            2 => Kind::Closed,
            3 => Kind::Tokens,
            _ => Kind::Other,
        },
    };
    Some((choice, Dice(u64::from(cuts) << 8 | body.len() as u64), body))
}

fn plan_of(orders: u8, format: Format) -> MaskPlan {
    let at = Date::constant(2024, 2, 14);
    let hidden = Action::Mask(Mask { first: 0, last: 0 });
    let keep = |names: &[&str]| names.iter().map(|name| rule(name, Action::Keep)).collect::<Vec<_>>();
    let renamed = |of: &str, action, to: &str| FieldRule { emit_as: Some(name(to)), ..rule(of, action) };
    match orders {
        0 => standard(format),
        1 => plan(format, keep(&["kode", "nik", "nkk", "nama", "alamat", "tanggal_lahir", "a", "b"])),
        2 => plan(
            format,
            vec![
                rule("nik", hidden),
                rule("nkk", Action::Fixed("tertutup, \"x\"".to_owned())),
                renamed("nama", Action::Letters { first: 1 }, "inisial"),
                renamed("tanggal_lahir", Action::AgeBand { at, width: 10 }, "umur"),
                rule("kode", Action::Area { level: Level::Kecamatan }),
                rule("a", Action::Year),
            ],
        ),
        3 => {
            let fields = vec![
                rule("nik", Action::Token),
                rule("nkk", Action::Token),
                rule("nama", Action::Keep),
                renamed("tanggal_lahir", Action::Age { at }, "umur"),
                rule("a", Action::Fpe),
            ];
            MaskPlan { kode_ganda: Some(KodeGanda { of: name("nik") }), ..plan(format, fields) }
        }
        4 => {
            let patterns = vec!["08[0-9]{8,11}".parse().unwrap(), "(?i)rt *[0-9]+|\"+".parse().unwrap()];
            let plan = MaskPlan { sweep: Sweep { found: Found::Mask, patterns }, ..standard(format) };
            MaskPlan { row_area: RowArea { outside: Outside::Withhold, ..plan.row_area }, ..plan }
        }
        5 => {
            let fields = vec![rule("nama", Action::Keep), rule("kode", Action::Keep), rule("nik", hidden)];
            MaskPlan {
                sweep: Sweep { found: Found::Abort, patterns: Vec::new() },
                kode_ganda: None,
                ..plan(format, fields)
            }
        }
        6 => plan(
            format,
            vec![
                rule("kode", Action::Keep),
                rule("alamat.jalan", Action::Keep),
                rule("alamat.dusun.rt", Action::Drop),
                rule("anggota[].nik", Action::Mask(Mask { first: 6, last: 0 })),
                renamed("anggota[].nama", Action::Letters { first: 2 }, "inisial"),
                rule("anggota[].a", Action::Keep),
                rule("b", hidden),
            ],
        ),
        _ => plan(format, keep(&["nama"])),
    }
}

/// How a value leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    AsItCame,
    Changed,
    /// Not at all; but the objects on its path do.
    Never,
}

/// The places that rules name, by their names in the copy.
pub(super) fn places(plan: &MaskPlan) -> Vec<(FieldPath, Leaving)> {
    let fields = plan.fields.iter().map(|field| {
        let leaving = match field.action {
            Action::Keep => Leaving::AsItCame,
            Action::Drop => Leaving::Never,
            _ => Leaving::Changed,
        };
        (field.emitted(), leaving)
    });
    let ganda = plan.kode_ganda.iter().map(|_| (name(KodeGanda::NAME).into(), Leaving::Changed));
    fields.chain(ganda).collect()
}
