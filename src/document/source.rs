//! Files as bytes: which files a path means, their size, encoding and TOML syntax.
//!
//! Files are trusted to be ours but not to be right. Reading one file has a limit; a folder gives its `*.toml`
//! in the order of their names, without its subfolders and without hidden files.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, line_column, quote};

/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 1_048_576;

/// A file as read.
#[derive(Debug)]
pub struct Source {
    pub path: PathBuf,
    pub text: Arc<str>,
}

impl Source {
    /// The file at `path`, or why it could not be read.
    pub fn read(path: &Path) -> Result<Self, Diagnostic> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
            .map_err(|error| Diagnostic::unread(path, format!("could not read the file: {error}")))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(Diagnostic::of_file(path, format!("the file is larger than {FILE_BYTES_MAX} bytes"))
                .help("such a file is a few pages; is this the right one?"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Source { path: path.to_owned(), text: text.into() }),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text: Arc<str> = String::from_utf8_lossy(error.as_bytes()).into();
                Err(Diagnostic::of_file(path, "the file is not UTF-8")
                    .at(&text, at..at)
                    .help("save the file as UTF-8"))
            }
        }
    }

    /// The file's name without its folders: what the digest of a set holds of it.
    pub fn name(&self) -> Vec<u8> {
        self.path.file_name().map(|name| name.as_encoded_bytes().to_vec()).unwrap_or_default()
    }

    /// The file's tables, or every syntax error. A key given twice is a problem but keeps the rest readable.
    pub fn parse<'s>(&'s self, problems: &mut Problems<'_>) -> Option<DeTable<'s>> {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        let table = table.into_inner();
        let mut readable = true;
        for error in errors {
            let span = error.span().unwrap_or_default();
            if error.message() == "duplicate key" {
                problems.push(given_twice(&self.text, &table, span));
            } else {
                readable = false;
                let help = if is_bare_path(&self.text, span.start) {
                    "write the path of a field in quotes, such as `\"anggota[].nik\"`"
                } else {
                    "see https://toml.io for how strings, dates and tables are written"
                };
                problems.push(Problem::at(span, format!("not TOML: {}", error.message())).help(help));
            }
        }
        readable.then_some(table)
    }
}

/// Whether the error lies at the brackets of a key such as `anggota[].nik`.
fn is_bare_path(text: &str, at: usize) -> bool {
    text.get(at..).is_some_and(|rest| rest.starts_with("[]."))
}

fn given_twice(text: &str, table: &DeTable<'_>, span: Range<usize>) -> Problem {
    let key = text.get(span.clone()).unwrap_or_default().trim_matches(['"', '\'']);
    let mut first = None;
    find_before(text, table, key, &span, false, &mut first);
    let Some(first) = first else {
        return Problem::at(span, format!("{} is given twice", quote(key))).help("keep one of the two");
    };
    let (line, _) = line_column(text, first.at);
    if first.is_field {
        Problem::at(span, format!("field {} is ordered twice", quote(key)))
            .note(format!(
                "first at line {line}, as {}",
                first.word.map_or("a table".to_owned(), |w| quote(&w))
            ))
            .help("keep one of the two; the stricter is the safer")
    } else {
        Problem::at(span, format!("{} is given twice", quote(key)))
            .note(format!("first at line {line}"))
            .help("keep one of the two")
    }
}

struct First {
    at: usize,
    is_field: bool,
    word: Option<String>,
}

/// The last key of that name before `span`, in a table that can hold both.
fn find_before(
    text: &str,
    table: &DeTable<'_>,
    key: &str,
    span: &Range<usize>,
    in_fields: bool,
    first: &mut Option<First>,
) {
    for (name, value) in table {
        let at = name.span().start;
        if name.get_ref() == key && at < span.start && first.as_ref().is_none_or(|first| first.at < at) {
            let word = match value.get_ref() {
                DeValue::Table(rule) => rule.get("action").and_then(|action| action.get_ref().as_str()),
                other => other.as_str(),
            };
            *first = Some(First { at, is_field: in_fields, word: word.map(str::to_owned) });
        }
        let mut inner = |value: &Spanned<DeValue<'_>>| {
            let inline = text.get(value.span()).is_some_and(|written| written.starts_with('{'));
            if let DeValue::Table(table) = value.get_ref()
                && (!inline || value.span().contains(&span.start))
            {
                find_before(text, table, key, span, name.get_ref() == "fields", first);
            }
        };
        inner(value);
        if let DeValue::Array(array) = value.get_ref() {
            array.iter().for_each(&mut inner);
        }
    }
}

/// A problem of the file being read; its [`Problems`] knows which.
#[derive(Debug)]
pub struct Problem {
    span: Range<usize>,
    message: String,
    notes: Vec<String>,
    help: Option<String>,
}

impl Problem {
    pub fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), notes: Vec::new(), help: None }
    }

    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Where the checks of one file put what they find.
pub struct Problems<'s> {
    source: &'s Source,
    found: Vec<Diagnostic>,
}

impl<'s> Problems<'s> {
    pub fn of(source: &'s Source) -> Self {
        Self { source, found: Vec::new() }
    }

    pub fn push(&mut self, problem: Problem) {
        let mut diagnostic =
            Diagnostic::of_file(&self.source.path, problem.message).at(&self.source.text, problem.span);
        for note in problem.notes {
            diagnostic = diagnostic.note(note);
        }
        if let Some(help) = problem.help {
            diagnostic = diagnostic.help(help);
        }
        self.found.push(diagnostic);
    }

    pub fn line(&self, at: usize) -> usize {
        line_column(&self.source.text, at).0
    }

    /// All problems in the order of the file.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(Diagnostic::start);
        self.found
    }
}

/// The files that `paths` mean, read, each beside what could not be read, in the order named.
pub fn read_all(paths: &[PathBuf]) -> Vec<Result<Source, Diagnostic>> {
    let mut all = Vec::new();
    for path in paths {
        match files_of(path) {
            Ok(files) => all.extend(files.iter().map(|file| Source::read(file))),
            Err(problem) => all.push(Err(problem)),
        }
    }
    all
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries: Result<Vec<PathBuf>, io::Error> =
        path.read_dir().and_then(|entries| entries.map(|entry| entry.map(|found| found.path())).collect());
    let mut files =
        entries.map_err(|error| Diagnostic::unread(path, format!("could not read the folder: {error}")))?;
    files.retain(|file| {
        let hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        !hidden && !file.is_dir() && file.extension().is_some_and(|extension| extension == "toml")
    });
    files.sort();
    if files.is_empty() {
        return Err(Diagnostic::of_file(path, "the folder holds no policy file")
            .help("policy files are named `*.toml` and lie in the folder itself"));
    }
    Ok(files)
}
