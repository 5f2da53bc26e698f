//! `salinan policy preview`: the very machine that redacts copies, from stdin to stdout. Counts go to stderr.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::print::{Answer, Failure, Outcome};
use crate::domain::{CopyKey, Level, Role, Wilayah};
use crate::policy::{Policy, PolicySet};
use crate::redact::{Coding, FieldTally, Limits, Redacted, Redactor};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 256 * 1_024;
/// A key that is no secret: tokens of a preview are equal for equal values, and mean nothing elsewhere.
const PREVIEW_KEY: [u8; 32] = *b"salinan preview, not for a copy.";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The policy file
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Such as `partai` or `bawaslu`
    #[arg(long)]
    role: Role,
    /// Level of the mandate, where the policy has the role at more than one
    #[arg(long, value_parser = crate::cli::token::read_level)]
    level: Option<Level>,
    /// How the rows on stdin are written
    #[arg(long, value_enum)]
    format: Format,
    /// Area every row must lie in; 99 is the prefix of made-up areas
    #[arg(long, value_name = "CODE", default_value = "99")]
    area: Wilayah,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Ndjson,
    JsonSeq,
    Csv,
    /// CSV with tabs
    Tsv,
}

impl Format {
    fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::JsonSeq => "json-seq",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
        }
    }
}

pub fn run(args: &Args) -> Outcome {
    let set = match PolicySet::load(std::slice::from_ref(&args.policy)) {
        Ok(set) => set,
        Err(error) => {
            writeln!(anstream::stderr(), "{}", error.render(true))?;
            return Err(Failure::new("the policy cannot be used").help("see `salinan policy check`"));
        }
    };
    let policy = set.policies().next().ok_or_else(|| Failure::new("the file holds no policy"))?;
    // The lock is not buffered by lines here: whole chunks go through.
    preview(policy, args, &mut io::stdin().lock(), &mut io::stdout().lock(), &mut anstream::stderr())
}

/// Rows go to `output` and all talk to `talk`.
fn preview(
    policy: &Policy,
    args: &Args,
    input: &mut impl Read,
    output: &mut impl Write,
    talk: &mut impl Write,
) -> Outcome {
    let plan = policy
        .preview(&args.role, args.level, args.format.as_str(), args.area)
        .map_err(|error| Failure::caused("could not make a preview", error))?;
    let mut redactor = Redactor::new(&plan, Coding::Identity, &CopyKey::new(PREVIEW_KEY), Limits::default());
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut out = Redacted::new();
    let stopped = loop {
        let read = input.read(&mut chunk).map_err(|error| Failure::caused("could not read stdin", error))?;
        let step =
            if read == 0 { redactor.finish(&mut out) } else { redactor.push(&chunk[..read], &mut out) };
        output.write_all(out.as_slice())?;
        out.clear();
        if read == 0 || step.is_err() {
            break step.err();
        }
    };
    output.flush()?;
    writeln!(talk, "preview of {} for {}, not a copy", policy.name(), args.role)?;
    write_counts(&redactor, talk)?;
    match stopped {
        None => Ok(Answer::Yes),
        Some(error) => {
            writeln!(talk, "broken off: {error}")?;
            Ok(Answer::No)
        }
    }
}

/// The counts that the ledger would hold.
fn write_counts(redactor: &Redactor, talk: &mut impl Write) -> io::Result<()> {
    let tally = redactor.tally();
    for (count, what) in [
        (tally.rows_in, "rows read"),
        (tally.rows_out, "rows handed on"),
        (tally.rows_withheld, "rows withheld as outside the area"),
        (tally.swept, "long numbers covered in kept values"),
        (tally.unreadable, "values not as their action expects, hidden whole"),
        (tally.near_misses, "names without a rule that look like one with a rule, left out"),
    ] {
        writeln!(talk, "{count:>12} {what}")?;
    }
    let counted = redactor.fields().into_iter().filter(|(_, count)| *count != FieldTally::default());
    let counted: Vec<_> = counted.collect();
    if counted.is_empty() {
        return Ok(());
    }
    let width = counted.iter().map(|(name, _)| name.len()).max().unwrap_or_default().max("field".len());
    writeln!(talk, "\n{:<width$} {:>12} {:>12} {:>12}", "field", "changed", "covered", "unreadable")?;
    for (name, FieldTally { changed, swept, unreadable }) in counted {
        writeln!(talk, "{name:<width$} {changed:>12} {swept:>12} {unreadable:>12}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
[policy]
name = "contoh"
dataset = "dpt"
election = "pemilu-2024"
stage = "dpt"
version = "1"
valid_from = 2023-06-21
valid_until = 2024-12-31
legal_basis = "UU 7/2017"
approved_by = "KPU Contoh"

[[route]]
path = "/dpt/{wilayah}.csv"
methods = ["GET"]
format = "csv"
media_types = ["text/csv", "text/tab-separated-values"]
row_area = "kode_tps"
outside = "withhold"

[[route]]
path = "/dpt/{wilayah}.json"
methods = ["GET"]
format = "json"
records = { columns = "kolom", rows = "baris", keep = ["jumlah"] }
media_types = ["application/json"]
row_area = "kode_tps"

[[route]]
path = "/dpt/{wilayah}.json-seq"
methods = ["GET"]
format = "json-seq"
media_types = ["application/json-seq"]
row_area = "kode_tps"

[[role]]
role = "partai"
level = "kabkota"
[role.fields]
nama = "keep"
nik = { action = "mask", first = 6 }
"alamat.kelurahan" = "keep"
"anggota[].nik" = { action = "mask", first = 6 }
"#;

    /// The answer, what went to stdout, and what to stderr.
    fn previewed(format: Format, rows: &str) -> (Option<Answer>, String, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("contoh.toml");
        std::fs::write(&path, POLICY).unwrap();
        let set = PolicySet::load(std::slice::from_ref(&path)).unwrap();
        let args = Args {
            policy: path,
            role: "partai".parse().unwrap(),
            level: None,
            format,
            area: "9901".parse().unwrap(),
        };
        let (mut output, mut talk) = (Vec::new(), Vec::new());
        let policy = set.policies().next().unwrap();
        let answer = preview(policy, &args, &mut rows.as_bytes(), &mut output, &mut talk).ok();
        (answer, String::from_utf8(output).unwrap(), String::from_utf8(talk).unwrap())
    }

    #[test]
    fn rows_go_to_stdout_and_every_count_to_stderr() {
        let rows = "nik,nama,kode_tps,NKK,no_nik\n\
            9901014512900003,SITI CONTOH,9901011001001,1,2\n\
            99.0101.4512900003,BUDI 9901014512900003,9901011001001,1,2\n\
            9901014512900004,ANI CONTOH,9902011001001,1,2\n";
        let (answer, output, talk) = previewed(Format::Csv, rows);
        assert_eq!(answer, Some(Answer::Yes));
        assert_eq!(output, "nik,nama\n990101**********,SITI CONTOH\n****,BUDI ****************\n");
        insta::assert_snapshot!(talk, @r"
        preview of contoh for partai, not a copy
                   3 rows read
                   2 rows handed on
                   1 rows withheld as outside the area
                   1 long numbers covered in kept values
                   1 values not as their action expects, hidden whole
                   1 names without a rule that look like one with a rule, left out

        field      changed      covered   unreadable
        nama             0            1            0
        nik              2            0            1
        ");
    }

    #[test]
    fn a_body_that_breaks_off_ends_with_the_counts_until_then_and_the_answer_no() {
        let rows = "nik,nama,kode_tps\n9901014512900003,SITI CONTOH,9901011001001\nA,B\n";
        let (answer, output, talk) = previewed(Format::Csv, rows);
        assert_eq!(answer, Some(Answer::No));
        assert_eq!(output, "nik,nama\n990101**********,SITI CONTOH\n");
        insta::assert_snapshot!(talk, @r"
        preview of contoh for partai, not a copy
                   2 rows read
                   1 rows handed on
                   0 rows withheld as outside the area
                   0 long numbers covered in kept values
                   0 values not as their action expects, hidden whole
                   0 names without a rule that look like one with a rule, left out

        field      changed      covered   unreadable
        nik              1            0            0
        broken off: stopped after 1 records at byte 64: a row has more or fewer cells than the header
        ");
    }

    #[test]
    fn every_format_of_a_policy_can_be_tried() {
        let cases = [
            (
                Format::Tsv,
                "kode_tps\tnik\tnama\n9901011001001\t9901014512900003\t\"SITI\tCONTOH\"\n",
                "nik\tnama\n990101**********\t\"SITI\tCONTOH\"\n",
            ),
            (
                Format::Json,
                r#"{"kolom":["nik","id","kode_tps","nama"],"jumlah":1,"baris":[["9901014512900003",1,"9901011001001","SITI"]]}"#,
                r#"{"kolom":["nik","nama"],"jumlah":1,"baris":[["990101**********","SITI"]]}"#,
            ),
            (
                Format::JsonSeq,
                "\u{1e}{\"kode_tps\":\"9901011001001\",\"alamat\":{\"jalan\":\"JL KENANGA 7\",\"kelurahan\":\"CONTOH\"},\
                 \"anggota\":[{\"nik\":\"9901014512900003\",\"nama\":\"SITI\"},{}]}\n",
                "\u{1e}{\"alamat\":{\"kelurahan\":\"CONTOH\"},\"anggota\":[{\"nik\":\"990101**********\"},{}]}\n",
            ),
        ];
        for (format, rows, expected) in cases {
            let (answer, output, talk) = previewed(format, rows);
            assert_eq!((answer, output.as_str()), (Some(Answer::Yes), expected), "{format:?}: {talk}");
        }
        let (.., talk) = previewed(Format::JsonSeq, cases[2].1);
        assert!(talk.contains("\nanggota[].nik            1            0            0\n"), "{talk}");
    }

    #[test]
    fn a_format_without_a_route_is_a_failure_and_writes_nothing() {
        assert_eq!(previewed(Format::Ndjson, "{}"), (None, String::new(), String::new()));
    }
}
