//! Every format gives the same rows, and nothing that is none makes it panic or hang.

use super::*;
use crate::domain::random::next_u64;

fn rows(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let table = Table::read(text.as_bytes(), None).unwrap();
    let row = |row| (0..table.columns.len()).map(|column| table.cell(row, column).to_owned()).collect();
    (table.columns.clone(), (0..table.rows()).map(row).collect())
}

#[test]
fn the_same_rows_are_read_from_every_format() {
    let expected = (
        vec!["nama".to_owned(), "rt".to_owned()],
        vec![vec!["SITI, CONTOH".to_owned(), "1".to_owned()], vec!["BUDI".to_owned(), String::new()]],
    );
    for text in [
        "nama,rt\n\"SITI, CONTOH\",1\nBUDI,\n",
        "\u{feff}Nama ;RT\r\nSITI, CONTOH;1\r\nBUDI\r\n",
        "NAMA\tRT\n\"SITI, CONTOH\"\t1\nBUDI\t",
        "[{\"nama\":\"SITI, CONTOH\",\"rt\":1},{\"nama\":\"BUDI\"}]",
        " {\"nama\":\"SITI, CONTOH\",\"rt\":1}\n{\"nama\":\"BUDI\",\"rt\":null}\n",
        "\u{1e}{\"nama\":\"SITI, CONTOH\",\"rt\":1}\n\u{1e}{\"nama\":\"BUDI\"}\n",
        "{\"total\":2,\"data\":[{\"nama\":\"SITI, CONTOH\",\"rt\":\"1\"},{\"nama\":\"BUDI\"}]}",
        "{\"columns\":[\"nama\",\"rt\"],\"rows\":[[\"SITI, CONTOH\",1],[\"BUDI\",null]]}",
    ] {
        assert_eq!(rows(text), expected, "{text}");
    }
}

#[test]
fn a_single_column_is_not_cut_at_what_looks_like_a_delimiter() {
    let expected = (vec!["nama".to_owned()], vec![vec!["A, B; C".to_owned()], vec!["D".to_owned()]]);
    for text in ["nama\n\"A, B; C\"\nD\n", "nama\nA, B; C\nD\n"] {
        assert_eq!(rows(text), expected, "{text}");
    }
}

#[test]
fn what_is_nested_becomes_columns_by_path_and_what_is_listed_rows() {
    let (columns, rows) = rows(
        r#"[{"nkk":"9","alamat":{"rt":"1"},"anggota":[{"nama":"A"},{"nama":"B"}],"telepon":["1","2"]}]"#,
    );
    assert_eq!(columns, ["alamat.rt", "nkk", "anggota[].nama", "telepon"]);
    let cells: Vec<String> = rows.iter().map(|row| row.join("|")).collect();
    assert_eq!(cells, ["1|9|A|", "1|9|B|", "1|9||1", "1|9||2"]);
}

#[test]
fn one_record_with_a_long_list_is_read_in_the_time_of_many_records() {
    let items: String = (0..200_000).map(|at| format!(",{{\"rt\":{}}}", at % 9)).collect();
    let table =
        Table::read(format!("{{\"nama\":\"A\",\"anggota\":[{}]}}", &items[1..]).as_bytes(), None).unwrap();
    assert_eq!((table.rows(), table.records, table.columns.len()), (200_000, 1, 2));
}

#[test]
fn no_bytes_make_it_panic() {
    const MARKS: &[u8] = b"\"[]{},:;\n\r\0a9\xC3\xFF\x1E";
    let samples = [
        "nama,rt\n\"SITI, CONTOH\",1\nBUDI,\n",
        "[{\"nama\":\"SITI\",\"a\":[1,{\"b\":[2]}]},{\"nama\":null}]",
        "{\"columns\":[\"nama\",\"rt\"],\"rows\":[[\"SITI\",1],[\"BUDI\"]]}",
        "\u{1e}{\"nama\":\"SITI\"}\n\u{1e}{\"nama\":\"BUDI\"}\n",
    ];
    let mut seed = 5;
    for number in 0..20_000 {
        let mut bytes = samples[number % samples.len()].as_bytes().to_vec();
        for _ in 0..=number % 3 {
            let at = usize::try_from(next_u64(&mut seed)).unwrap() % bytes.len();
            bytes[at] = MARKS[usize::try_from(next_u64(&mut seed)).unwrap() % MARKS.len()];
        }
        let _ = Table::read(&bytes, None);
    }
}

#[test]
fn what_cannot_be_read_is_told_without_its_text() {
    let wide = format!("{}\n1\n", (0..300).map(|n| format!("k{n}")).collect::<Vec<_>>().join(","));
    let long = format!("nama\n{}\n", "x".repeat(LINE_BYTES_MAX + 1));
    let cases: [(&[u8], FragmentError); 12] = [
        (b"", FragmentError::Empty),
        (b" \n ", FragmentError::Empty),
        (b"nama,rt\n", FragmentError::Empty),
        (b"\xFF\xFEn\0", FragmentError::Encoding),
        (b"SITI CONTOH,9901014512900003\nx,y\n", FragmentError::Header),
        (b"nama,nik\nA,990101**********,7\n", FragmentError::Ragged { line: 2 }),
        (b"nama,Nama\na,b\n", FragmentError::Twice),
        (b"[{\"a\":1},2]", FragmentError::Shape),
        (b"[{\"a\":1}", FragmentError::Json { line: 1, column: 8 }),
        (b"{\"a\":1}\n[2]\n", FragmentError::Record { line: 2 }),
        (wide.as_bytes(), FragmentError::Columns),
        (long.as_bytes(), FragmentError::Line { line: 2 }),
    ];
    for (bytes, expected) in cases {
        assert_eq!(Table::read(bytes, None).unwrap_err(), expected);
    }
    let named = Table::read(b"SITI,9901\n", Some(&["nama".to_owned(), "kode".to_owned()])).unwrap();
    assert_eq!((named.rows(), named.cell(0, 1)), (1, "9901"));
}
