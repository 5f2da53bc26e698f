//! JSON text sequences (RFC 7464): a record separator, one object, and a line feed at least.

use super::json::{Fault, Reader};
use super::records::{Records, Unit};
use super::texts::{Copy, Pass, unexpected};

const SEPARATOR: u8 = 0x1E;

pub fn copy(mut pass: Pass<'_>) -> Copy {
    let records = Records::new(pass.plan);
    while pass.at < pass.body.len() {
        let (mut reader, mut unit) = (pass.reader(), Unit::default());
        let result = text(&records, pass.is_last(), &mut reader, &mut unit);
        if let Some(copy) = pass.read(unit, result, reader.at) {
            return copy;
        }
    }
    pass.whole()
}

fn text(records: &Records<'_>, is_last: bool, reader: &mut Reader<'_>, unit: &mut Unit) -> Result<(), Fault> {
    match reader.peek()? {
        SEPARATOR => reader.at += 1,
        0xEF => return Err(Fault::Bad("byte_order_mark")),
        _ => return Err(Fault::Bad("syntax")),
    }
    unit.text.push(char::from(SEPARATOR));
    unit.text.push_str(reader.blanks());
    let byte = reader.peek()?;
    if byte != b'{' {
        return Err(Fault::Bad(unexpected(byte)));
    }
    records.record(reader, unit)?;
    let end = reader.blanks();
    if !unit.is_outside {
        unit.text.push_str(end);
    }
    match reader.peek() {
        Ok(SEPARATOR) if end.contains('\n') => Ok(()),
        Ok(SEPARATOR) => Err(Fault::Bad("syntax")),
        Ok(_) => Err(Fault::Bad("trailing_bytes")),
        // Without a line feed the last text counts as cut off.
        Err(_) if is_last && end.contains('\n') => Ok(()),
        Err(_) if is_last => Err(Fault::Bad("truncated")),
        Err(short) => Err(short),
    }
}
