//! Words that made-up voters are made of: names of people, streets and places from several regions.
//!
//! Upper-case ASCII letters and blanks alone, so that no format needs an escape. `CONTOH` and `KENANGA` belong
//! to the one standard voter and stand in no list.

/// Names that go together.
pub(super) struct Region {
    pub male: &'static [&'static str],
    pub female: &'static [&'static str],
    pub last: &'static [&'static str],
}

/// A region's share of the people is its share of this list.
pub(super) const REGIONS: [&Region; 16] = [
    &JAWA, &JAWA, &JAWA, &JAWA, &JAWA, &SUNDA, &SUNDA, &SUNDA, &MELAYU, &MELAYU, &BATAK, &MINANG, &BUGIS,
    &BALI, &MINAHASA, &TIMUR,
];

const JAWA: Region = Region {
    male: &[
        "AGUS", "BAMBANG", "BUDI", "DWI", "EKO", "GATOT", "HADI", "HERU", "JOKO", "KUSNO", "MULYONO",
        "NUGROHO", "PARDI", "PURWANTO", "RUDI", "SAPTO", "SLAMET", "SUGENG", "SUKARNO", "SUPARMAN",
        "SUTRISNO", "SUYATNO", "TEGUH", "TRI", "TUKIMIN", "WAHYU", "WARSITO", "WIDODO", "YANTO", "YOGA",
    ],
    female: &[
        "ANIK", "DEWI", "DYAH", "ENDANG", "ENI", "HARTINI", "INDAH", "KARTINI", "LASMI", "LESTARI", "MARNI",
        "MURNI", "NANIK", "NINGSIH", "PARTINI", "PUJI", "RATNA", "RETNO", "RINI", "SITI", "SRI", "SULASTRI",
        "SUMARNI", "SUTINI", "TITIK", "TUMINAH", "WAHYUNI", "WARTINI", "WIWIK", "YULI",
    ],
    last: &[
        "HANDOKO",
        "HARTONO",
        "KURNIAWAN",
        "KUSUMA",
        "LAKSONO",
        "MARYONO",
        "PRABOWO",
        "PRASETYO",
        "PRATAMA",
        "PUTRO",
        "RAHARJO",
        "SANTOSO",
        "SAPUTRA",
        "SASONGKO",
        "SETIAWAN",
        "SUDARSONO",
        "SULISTYO",
        "SUSANTO",
        "SUSILO",
        "UTOMO",
        "WIBOWO",
        "WICAKSONO",
        "WIJAYA",
        "YULIANTO",
    ],
};

const SUNDA: Region = Region {
    male: &[
        "ACEP", "ADANG", "AEP", "ASEP", "CECEP", "DADANG", "DEDI", "DUDUNG", "ENCEP", "ENTIS", "IWAN",
        "JAJANG", "KOSASIH", "MAMAN", "NANA", "OTONG", "RUSTANDI", "TATANG", "UJANG", "YAYAT",
    ],
    female: &[
        "AAN", "CUCU", "EEM", "ELIS", "ENENG", "ENUNG", "EUIS", "IDA", "IIS", "IMAS", "KOKOM", "LILIS",
        "NENENG", "NINING", "NYAI", "RITA", "TETI", "TINI", "YATI", "YEYET",
    ],
    last: &[
        "GUNAWAN",
        "HERMAWAN",
        "HIDAYAT",
        "KOMARUDIN",
        "MULYANA",
        "NURJAMAN",
        "PERMANA",
        "RUHIYAT",
        "SOBARI",
        "SUHENDAR",
        "SUPRIATNA",
        "SURYANA",
        "SUTISNA",
        "WIGUNA",
    ],
};

const MELAYU: Region = Region {
    male: &[
        "ABDUL", "AHMAD", "ANWAR", "AZHAR", "FAISAL", "HAMDAN", "IDRIS", "ISMAIL", "JAMAL", "MUHAMMAD",
        "RAHMAT", "RIDWAN", "SALIM", "SYAHRUL", "USMAN", "YUSUF", "ZAINAL", "ZULKIFLI",
    ],
    female: &[
        "AISYAH",
        "AMINAH",
        "FATIMAH",
        "HALIMAH",
        "HASANAH",
        "JAMILAH",
        "KHADIJAH",
        "MARIAM",
        "MASTURA",
        "NURHAYATI",
        "NURLELA",
        "ROHANA",
        "ROSMIATI",
        "SALMAH",
        "SYARIFAH",
        "ZAINAB",
        "ZUBAIDAH",
    ],
    last: &[
        "ALAMSYAH",
        "BAHARI",
        "EFENDI",
        "FADILLAH",
        "HAKIM",
        "HAMZAH",
        "HASAN",
        "IBRAHIM",
        "ISKANDAR",
        "KARIM",
        "MANSUR",
        "RAHMAN",
        "RASYID",
        "SYAHPUTRA",
        "SYUKUR",
    ],
};

const BATAK: Region = Region {
    male: &[
        "BINSAR", "BONAR", "HOTMAN", "JANSEN", "JONES", "MANGATUR", "MARULI", "PARLIN", "POLTAK", "RAJA",
        "SAHAT", "TIGOR", "TOGAR", "TUMPAL",
    ],
    female: &[
        "DUMA", "ELFRIDA", "HOTMA", "LAMTIUR", "MARLINA", "MELVA", "NURSALA", "PASTI", "RISMA", "ROMAULI",
        "RUSTINA", "TIODOR", "TIURMA",
    ],
    last: &[
        "GINTING",
        "HARAHAP",
        "HUTAGALUNG",
        "LUBIS",
        "MANALU",
        "NAINGGOLAN",
        "NASUTION",
        "PANJAITAN",
        "PURBA",
        "SIAGIAN",
        "SIHOMBING",
        "SIMANJUNTAK",
        "SINAGA",
        "SIREGAR",
        "SITUMORANG",
        "TARIGAN",
    ],
};

const MINANG: Region = Region {
    male: &[
        "AFRIZAL", "ARDI", "BASRI", "DASRIL", "EDISON", "FIRDAUS", "HENDRI", "JASRIL", "MASRI", "NASRUL",
        "RUSDI", "SYAFRI", "YUNIZAR",
    ],
    female: &[
        "ASNIDAR",
        "DESMAWATI",
        "ERMA",
        "FITRIANI",
        "GUSNI",
        "JUSMANIAR",
        "MARDIANA",
        "NURBAITI",
        "RAHMI",
        "ROSNA",
        "UPIK",
        "WIRDA",
        "YUSNIAR",
    ],
    last: &["CHANIAGO", "GUCI", "JAMBAK", "KOTO", "MALAYU", "PILIANG", "SIKUMBANG", "SYAFEI", "TANJUNG"],
};

const BUGIS: Region = Region {
    male: &[
        "AMBO",
        "AMIRUDDIN",
        "ARIFUDDIN",
        "BASO",
        "BURHANUDDIN",
        "DAENG",
        "HASANUDDIN",
        "KAHARUDDIN",
        "LAHAMUDDIN",
        "MAPPA",
        "SYAMSUDDIN",
        "TAHIR",
    ],
    female: &[
        "ANDI",
        "BESSE",
        "DARMAWATI",
        "HADERIAH",
        "HASNAH",
        "INDO",
        "JUMRIAH",
        "MARWAH",
        "NURHAEDAH",
        "RAHMATIA",
        "SITTI",
        "TENRI",
    ],
    last: &["MAPPANYUKKI", "MATTALATTA", "PABETTA", "PALLAWA", "PASINRINGI", "SALEH", "TALLASA", "WAHAB"],
};

const BALI: Region = Region {
    male: &[
        "I GEDE", "I KADEK", "I KETUT", "I KOMANG", "I MADE", "I NENGAH", "I NYOMAN", "I PUTU", "I WAYAN",
    ],
    female: &["NI KADEK", "NI KETUT", "NI KOMANG", "NI LUH", "NI MADE", "NI NYOMAN", "NI PUTU", "NI WAYAN"],
    last: &[
        "ADNYANA",
        "ARDANA",
        "ARTAWAN",
        "ASTAWA",
        "BUDIARTA",
        "DARMA",
        "MAHAYANI",
        "PARWATI",
        "SUARDANA",
        "SUASTIKA",
        "SUDIANA",
        "SUKERTI",
        "WIDIANTARI",
        "WIRAWAN",
    ],
};

const MINAHASA: Region = Region {
    male: &["ALBERT", "BERTY", "DENNY", "FERRY", "HANS", "JEFRI", "JOHNY", "MAX", "NOLDY", "RONNY", "STENLY"],
    female: &[
        "DEISY", "FEMMY", "GRACE", "JULIANA", "MEISKE", "MERRY", "NELTJE", "OLGA", "SELVI", "VONNY", "YENNI",
    ],
    last: &[
        "KAWATU",
        "LUMENTUT",
        "MAMAHIT",
        "MONDONG",
        "PANGEMANAN",
        "RORIMPANDEY",
        "RUMENGAN",
        "TUMEWU",
        "WOWOR",
    ],
};

const TIMUR: Region = Region {
    male: &[
        "AGUSTINUS",
        "BENYAMIN",
        "FRANSISKUS",
        "HERMANUS",
        "KORNELIS",
        "MARKUS",
        "OKTOVIANUS",
        "PAULUS",
        "YOHANIS",
    ],
    female: &["ADOLFINA", "DORKAS", "ESTER", "FERONIKA", "MARGARETA", "MARIA", "ORPA", "YOHANA", "YULIANA"],
    last: &[
        "BAU",
        "KELEN",
        "LATUMAHINA",
        "LEWERISSA",
        "MANDOWEN",
        "NAHAK",
        "PATTINAMA",
        "RUMBIAK",
        "TETELEPTA",
        "WANGGAI",
    ],
};

pub(super) const STREETS: [&str; 32] = [
    "JL ANGGREK",
    "JL APEL",
    "JL BANDENG",
    "JL BERINGIN",
    "JL BOUGENVIL",
    "JL CEMARA",
    "JL CEMPAKA",
    "JL CENDANA",
    "JL DAHLIA",
    "JL DELIMA",
    "JL FLAMBOYAN",
    "JL JAMBU",
    "JL JATI",
    "JL KAMBOJA",
    "JL KENARI",
    "JL LURAH",
    "JL MANGGIS",
    "JL MASJID",
    "JL MAWAR",
    "JL MELATI",
    "JL MERPATI",
    "JL NANGKA",
    "JL PASAR LAMA",
    "JL RAYA DESA",
    "JL SAWO",
    "JL SEROJA",
    "JL TERATAI",
    "GANG BUNTU",
    "GANG MUSHOLA",
    "DUSUN KRAJAN",
    "DUSUN SUMBER",
    "LINGKUNGAN TENGAH",
];

pub(super) const BIRTHPLACES: [&str; 24] = [
    "AIR JERNIH",
    "BANDAR TUA",
    "BATU PUTIH",
    "BUKIT LAMA",
    "GUNUNG SARI",
    "KAMPUNG BARU",
    "KARANG ANYAR",
    "KOTA TENGAH",
    "LEMBAH HIJAU",
    "MUARA BENING",
    "PADANG LUAS",
    "PANTAI CERMIN",
    "PASIR PANJANG",
    "PULAU KECIL",
    "RAWA INDAH",
    "SAWAH BESAR",
    "SIMPANG EMPAT",
    "SUNGAI DALAM",
    "TANAH MERAH",
    "TANJUNG HARAPAN",
    "TELUK TEDUH",
    "UJUNG BATU",
    "WARINGIN",
    "WONO ASRI",
];

/// Names of kecamatan and kelurahan are one of each: 1,024 in all.
pub(super) const PLACE_FIRST: [&str; 32] = [
    "SUKA", "SUMBER", "TANJUNG", "BUKIT", "MUARA", "KARANG", "BATU", "AIR", "PADANG", "RAWA", "SUNGAI",
    "TELUK", "UJUNG", "PASIR", "GUNUNG", "TANAH", "KAMPUNG", "SIMPANG", "LEMBAH", "MEKAR", "MARGA", "WONO",
    "SIDO", "TIRTO", "CIPTA", "HARAPAN", "BANJAR", "KEBON", "LUBUK", "PULAU", "TALANG", "RANTAU",
];
pub(super) const PLACE_LAST: [&str; 32] = [
    "MAJU", "JAYA", "MAKMUR", "INDAH", "SARI", "MULYA", "ASRI", "REJO", "BARU", "TENGAH", "RAYA", "PUTIH",
    "MERAH", "HIJAU", "LAMA", "PANJANG", "DALAM", "LUAS", "BARAT", "TIMUR", "UTARA", "SELATAN", "KENCANA",
    "PERMAI", "SENTOSA", "LESTARI", "AGUNG", "WANGI", "TERANG", "DAMAI", "ABADI", "BERSAMA",
];

/// What a roll says of a voter beside the columns of its own; most say nothing.
pub(super) const NOTES: [&str; 3] = ["UBAH ELEMEN DATA", "PINDAH DATANG", "PEMILIH BARU"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_stands_in_every_format_as_it_is() {
        let people = REGIONS.iter().flat_map(|region| [region.male, region.female, region.last]).flatten();
        let places = STREETS.iter().chain(&BIRTHPLACES).chain(&PLACE_FIRST).chain(&PLACE_LAST).chain(&NOTES);
        for word in people.chain(places) {
            let plain = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' ');
            assert!(plain && !word.is_empty() && word.trim() == *word, "{word}");
            assert!(!word.contains("KENANGA") && !word.contains("CONTOH"), "{word} is the standard voter's");
        }
    }
}
