//! Orders for the demo's voters: those of the study in every figure, and one feature more in some.

use salinan::demo::FIELDS;
use salinan::domain::{
    Action, FieldRule, Format, Formulas, KodeGanda, Mask, MaskPlan, Outside, Records, RowArea, Sweep,
};

pub fn array() -> Format {
    Format::Json(Records::Array)
}

pub fn csv() -> Format {
    Format::Csv { delimiter: b',', formulas: Formulas::Neutralise }
}

/// Drop nkk and the address, mask the NIK behind its area, the year of birth, keep the rest.
pub fn study(format: Format) -> MaskPlan {
    plan(format, |name| match name {
        "nkk" | "alamat" | "rt" | "rw" => Action::Drop,
        "nik" => Action::Mask(Mask { first: 6, last: 0 }),
        "tanggal_lahir" => Action::Year,
        _ => Action::Keep,
    })
}

pub fn keep_all(format: Format) -> MaskPlan {
    plan(format, |_| Action::Keep)
}

/// The study's orders, with a token in place of the masked NIK.
pub fn token(format: Format) -> MaskPlan {
    let mut plan = study(format);
    for field in plan.fields.iter_mut().filter(|field| field.path.to_string() == "nik") {
        field.action = Action::Token;
    }
    plan
}

/// The study's orders, with the added column.
pub fn ganda(format: Format) -> MaskPlan {
    let of = "nik".parse().expect("a name");
    MaskPlan { kode_ganda: Some(KodeGanda { of }), ..study(format) }
}

/// The study's orders, with telephone numbers looked for in all that is kept.
pub fn pattern(format: Format) -> MaskPlan {
    let pattern = r"\+?[0-9]{2,3}8[0-9]{8,11}".parse().expect("a pattern");
    let sweep = Sweep { patterns: vec![pattern], ..Sweep::default() };
    MaskPlan { sweep, ..study(format) }
}

fn plan(format: Format, action: impl Fn(&str) -> Action) -> MaskPlan {
    let fields = FIELDS.iter().map(|name| FieldRule {
        path: name.parse().expect("a name"),
        action: action(name),
        emit_as: None,
    });
    let row_area = RowArea {
        field: "kode_tps".parse().expect("a name"),
        within: "9901".parse().expect("a code"),
        outside: Outside::Abort,
    };
    MaskPlan { format, fields: fields.collect(), row_area, kode_ganda: None, sweep: Sweep::default() }
}
