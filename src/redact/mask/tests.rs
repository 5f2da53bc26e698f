//! What each action makes of each kind of value.

use super::*;

fn show(action: &Action, seen: Seen<'_>) -> (String, u64) {
    let key = CopyKey::new([7; 32]);
    let order = Order::new(action, "nik", &key, &|text| text.as_bytes().to_vec());
    let Order::Change(change) = order else { panic!("not a change") };
    let (mut room, mut tally) = ([0; 16], Tally::default());
    let shown = match change.show(seen, &mut room, &mut tally) {
        Shown::Nothing => "nothing".to_owned(),
        Shown::Text(text) | Shown::Written(text) => String::from_utf8(text.to_vec()).unwrap(),
    };
    (shown, tally.unreadable)
}

#[test]
fn only_sixteen_plain_digits_show_any() {
    let mask = |first, last| Action::Mask(Mask { first, last });
    let cases: [(Action, Seen<'_>, &str, u64); 21] = [
        (mask(6, 0), Seen::Text(b"9901014512900003"), "990101**********", 0),
        (mask(0, 4), Seen::Text(b"9901014512900003"), "************0003", 0),
        (mask(2, 2), Seen::Text(b"9901014512900003"), "99************03", 0),
        (mask(0, 0), Seen::Text(b"9901014512900003"), "****************", 0),
        (mask(6, 0), Seen::Number(b"9901014512900003"), "990101**********", 0),
        (mask(12, 4), Seen::Text(b"9901014512900003"), "****", 1),
        (mask(16, 0), Seen::Text(b"9901014512900003"), "****", 1),
        (mask(0, 16), Seen::Text(b"9901014512900003"), "****", 1),
        (mask(255, 255), Seen::Text(b"9901014512900003"), "****", 1),
        (mask(6, 0), Seen::Text(b"99.0101.451290.0003"), "****", 1),
        (mask(6, 0), Seen::Text(b"9901 0145 1290 0003"), "****", 1),
        (mask(6, 0), Seen::Text(b"990101451290000"), "****", 1),
        (mask(6, 0), Seen::Text(b"99010145129000033"), "****", 1),
        (mask(6, 0), Seen::Text("９９０１０１４５１２９００００３".as_bytes()), "****", 1),
        (mask(6, 0), Seen::Text(b"'9901014512900003"), "****", 1),
        (mask(6, 0), Seen::Number(b"9901014512900003.0"), "****", 1),
        (mask(6, 0), Seen::Number(b"9.901014512900003e15"), "****", 1),
        (mask(6, 0), Seen::Bool(b"true"), "****", 1),
        (mask(6, 0), Seen::Container, "****", 1),
        (mask(6, 0), Seen::Null, "nothing", 0),
        (mask(6, 0), Seen::Text(b""), "", 0),
    ];
    for (at, (action, seen, expected, unreadable)) in cases.into_iter().enumerate() {
        assert_eq!(show(&action, seen), (expected.to_owned(), unreadable), "case {at}");
    }
}

#[test]
fn dates_show_their_year_or_an_age_and_nothing_else() {
    let at = Action::Age { at: Date::constant(2024, 2, 14) };
    let cases: [(&Action, &[u8], &str); 20] = [
        (&Action::Year, b"1990-12-05", "1990"),
        (&Action::Year, b"05-12-1990", "1990"),
        (&Action::Year, b"05/12/1990", "1990"),
        (&Action::Year, b"05|12|1990", "1990"),
        (&Action::Year, b"0990-12-05", "0990"),
        (&Action::Year, b"1990-02-29", "nothing"),
        (&Action::Year, b"1992-02-29", "1992"),
        (&Action::Year, b"1990-13-05", "nothing"),
        (&Action::Year, b"05-12/1990", "nothing"),
        (&Action::Year, b"1990/12/05", "nothing"),
        (&Action::Year, b"1990-12-5", "nothing"),
        (&Action::Year, b"1990-12-05 ", "nothing"),
        (&Action::Year, "１990-12-".as_bytes(), "nothing"),
        (&Action::Year, b"9901014512900003", "nothing"),
        (&at, b"1990-02-14", "34"),
        (&at, b"1990-02-15", "33"),
        (&at, b"2024-02-14", "0"),
        (&at, b"2024-02-15", "nothing"),
        (&at, b"1874-02-14", "150"),
        (&at, b"1873-02-14", "nothing"),
    ];
    for (action, text, expected) in cases {
        let name = String::from_utf8_lossy(text);
        let unreadable = u64::from(expected == "nothing");
        assert_eq!(show(action, Seen::Text(text)), (expected.to_owned(), unreadable), "{name}");
    }
    for date in ["1990-12-05", "05-12-1990"] {
        for (at, other) in (0..date.len()).flat_map(|at| b"/:A-0 ".map(|other| (at, other))) {
            let mut text = date.as_bytes().to_vec();
            let is_digit = text[at].is_ascii_digit();
            text[at] = other;
            if is_digit != other.is_ascii_digit() && text != date.as_bytes() {
                let found = show(&Action::Year, Seen::Text(&text));
                assert_eq!(found, ("nothing".to_owned(), 1), "{}", String::from_utf8_lossy(&text));
            }
        }
    }
    for seen in [Seen::Number(b"1990"), Seen::Bool(b"true"), Seen::Container] {
        assert_eq!(show(&Action::Year, seen), ("nothing".to_owned(), 1));
    }
    assert_eq!(show(&Action::Year, Seen::Text(b"")), ("nothing".to_owned(), 0));
}

#[test]
fn an_age_shows_its_band() {
    let band = |width| Action::AgeBand { at: Date::constant(2024, 2, 14), width };
    let cases: [(Action, Seen<'_>, &str, u64); 14] = [
        (band(10), Seen::Text(b"1990-12-05"), "30-39", 0),
        (band(10), Seen::Text(b"14-02-1994"), "30-39", 0),
        (band(10), Seen::Text(b"15/02/1994"), "20-29", 0),
        (band(5), Seen::Text(b"1990-12-05"), "30-34", 0),
        (band(10), Seen::Text(b"2024-02-14"), "0-9", 0),
        (band(50), Seen::Text(b"1874-02-14"), "150-199", 0),
        (band(255), Seen::Text(b"1874-02-14"), "0-254", 0),
        (band(0), Seen::Text(b"1990-12-05"), "33-33", 0),
        (band(10), Seen::Text(b"2024-02-15"), "nothing", 1),
        (band(10), Seen::Text(b"1990-02-30"), "nothing", 1),
        (band(10), Seen::Text(b"33"), "nothing", 1),
        (band(10), Seen::Number(b"33"), "nothing", 1),
        (band(10), Seen::Text(b""), "nothing", 0),
        (band(10), Seen::Null, "nothing", 0),
    ];
    for (at, (action, seen, expected, unreadable)) in cases.into_iter().enumerate() {
        assert_eq!(show(&action, seen), (expected.to_owned(), unreadable), "case {at}");
    }
}

#[test]
fn a_code_shows_its_area_down_to_the_level() {
    let area = |level| Action::Area { level };
    let cases: [(Action, Seen<'_>, &str, u64); 13] = [
        (area(Level::Desa), Seen::Text(b"9901011001002"), "9901011001", 0),
        (area(Level::Desa), Seen::Text(b"99.01.01.1001.002"), "9901011001", 0),
        (area(Level::Kabkota), Seen::Number(b"9901011001002"), "9901", 0),
        (area(Level::Desa), Seen::Text(b"990101"), "990101", 0),
        (area(Level::Nasional), Seen::Text(b"9901"), "nothing", 1),
        (area(Level::Desa), Seen::Number(b"99.01"), "nothing", 1),
        (area(Level::Desa), Seen::Number(b"-9901"), "nothing", 1),
        (area(Level::Desa), Seen::Text(b"9901014512900003"), "nothing", 1),
        (area(Level::Desa), Seen::Text(b"JL KENANGA 7, DESA CONTOH"), "nothing", 1),
        (area(Level::Desa), Seen::Bool(b"true"), "nothing", 1),
        (area(Level::Desa), Seen::Container, "nothing", 1),
        (area(Level::Desa), Seen::Text(b""), "nothing", 0),
        (area(Level::Desa), Seen::Null, "nothing", 0),
    ];
    for (at, (action, seen, expected, unreadable)) in cases.into_iter().enumerate() {
        assert_eq!(show(&action, seen), (expected.to_owned(), unreadable), "case {at}");
    }
}

#[test]
fn a_text_shows_its_first_letters_and_never_its_length() {
    let letters = |first| Action::Letters { first };
    let cases: [(Action, Seen<'_>, &str, u64); 18] = [
        (letters(1), Seen::Text(b"SITI CONTOH"), "S***", 0),
        (letters(3), Seen::Text(b"SITI CONTOH"), "SIT***", 0),
        (letters(255), Seen::Text(b"SITI CONTOH"), "SIT***", 0),
        (letters(3), Seen::Text(b"SI"), "SI***", 0),
        (letters(3), Seen::Text(b"A 99"), "A***", 0),
        (letters(1), Seen::Text("Éva".as_bytes()), "É***", 0),
        (letters(3), Seen::Text("𐐀𐐁𐐂𐐃".as_bytes()), "𐐀𐐁𐐂***", 0),
        (letters(3), Seen::Text("E\u{301}va".as_bytes()), "E***", 0),
        (letters(1), Seen::Text(b" SITI"), "***", 1),
        (letters(1), Seen::Text("\u{200B}SITI".as_bytes()), "***", 1),
        (letters(3), Seen::Text(b"9901014512900003"), "***", 1),
        (letters(3), Seen::Text("ⅧⅧⅧ".as_bytes()), "***", 1),
        (letters(3), Seen::Text(b"\xFF\xFE"), "***", 1),
        (letters(0), Seen::Text(b"SITI"), "***", 1),
        (letters(1), Seen::Number(b"9901014512900003"), "***", 1),
        (letters(1), Seen::Bool(b"true"), "***", 1),
        (letters(1), Seen::Container, "***", 1),
        (letters(1), Seen::Text(b""), "", 0),
    ];
    for (at, (action, seen, expected, unreadable)) in cases.into_iter().enumerate() {
        assert_eq!(show(&action, seen), (expected.to_owned(), unreadable), "case {at}");
    }
    assert_eq!(show(&letters(1), Seen::Null), ("nothing".to_owned(), 0));
}

#[test]
fn a_token_is_the_hmac_of_name_and_value_in_base32() {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    let tag = hmac::sign(&key, b"nik\x009901014512900003");
    let mut expected = [0; 16];
    base32(tag.as_ref(), &mut expected);
    let expected = (String::from_utf8(expected.to_vec()).unwrap(), 0);
    assert_eq!(show(&Action::Token, Seen::Text(b"9901014512900003")), expected);
    assert_eq!(show(&Action::Token, Seen::Number(b"9901014512900003")), expected);
    assert_ne!(show(&Action::Token, Seen::Text(b"9901014512900004")), expected);
    assert_eq!(show(&Action::Token, Seen::Container), ("nothing".to_owned(), 1));
    assert_eq!(show(&Action::Token, Seen::Null), ("nothing".to_owned(), 0));
    let mut room = [0; 16];
    base32(b"foobar1234", &mut room);
    assert_eq!(&room, b"MZXW6YTBOIYTEMZU");
}
#[test]
fn sixteen_digits_become_others_and_anything_else_is_hidden_whole() {
    let key = CopyKey::new([7; 32]);
    let nik = b"9901014512900003";
    let mapped = Fpe::new(&key, "nik").encrypt(&Nik::read(nik).unwrap());
    let mapped = (String::from_utf8(mapped.to_vec()).unwrap(), 0);
    assert_eq!(show(&Action::Fpe, Seen::Text(nik)), mapped);
    assert_eq!(show(&Action::Fpe, Seen::Number(nik)), mapped);
    assert_ne!(mapped.0.as_bytes(), nik);
    let hidden = [
        Seen::Text(b"99.0101.4512900003"),
        Seen::Text(b"990101451290000"),
        Seen::Text(b"99010145129000033"),
        Seen::Text("９901014512900003".as_bytes()),
        Seen::Number(b"-990101451290000"),
        Seen::Number(b"9.90101451290003"),
        Seen::Bool(b"true"),
        Seen::Container,
    ];
    for (at, seen) in hidden.into_iter().enumerate() {
        assert_eq!(show(&Action::Fpe, seen), ("****".to_owned(), 1), "case {at}");
    }
    assert_eq!(show(&Action::Fpe, Seen::Text(b"")), (String::new(), 0));
    assert_eq!(show(&Action::Fpe, Seen::Null), ("nothing".to_owned(), 0));
}
