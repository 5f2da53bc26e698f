//! What is wrong with a file of ours: where, what, and what to do about it.
//!
//! ```text
//! error: field `alamat` is ordered twice
//!   --> policies/saksi.toml:14:1
//!    |
//! 14 | alamat = "drop"
//!    | ^^^^^^
//!    |
//!    = note: first at line 9, as `mask`
//!    = help: keep one of the two; `drop` is the stricter
//! ```
//!
//! A file is our own text and may be quoted, but for a line that holds a long number: somebody may have
//! pasted a NIK, and then only the place is shown.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use regex::Regex;

/// Sixteen digits, alone or with single separators between them.
static LONG_NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:[0-9][ .\-/_']?){15}[0-9]").expect("the pattern is a literal"));

/// Longest piece of a file that a message quotes, in characters.
const QUOTE_CHARACTERS_MAX: usize = 64;

pub fn holds_long_number(text: &str) -> bool {
    LONG_NUMBER.is_match(text)
}

/// A piece of a file as a message may quote it.
pub fn quote(text: &str) -> String {
    if holds_long_number(text) {
        return "(a long number)".to_owned();
    }
    let mut shown = String::new();
    for next in text.chars().take(QUOTE_CHARACTERS_MAX) {
        match next {
            '"' | '\'' => shown.push(next),
            other => shown.extend(other.escape_debug()),
        }
    }
    let more = if text.chars().nth(QUOTE_CHARACTERS_MAX).is_some() { ".." } else { "" };
    format!("`{shown}{more}`")
}

/// One problem of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    path: Box<Path>,
    place: Option<Place>,
    message: String,
    notes: Vec<String>,
    help: Option<Box<str>>,
    unread: bool,
}

/// The file's text and the part of it that is wrong, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    source: Arc<str>,
    span: Range<usize>,
}

impl Diagnostic {
    /// A file or folder that could not be read, so that nothing can be said of its content.
    pub fn unread(path: &Path, message: impl Into<String>) -> Self {
        Self { unread: true, ..Self::of_file(path, message) }
    }

    /// A problem of the file as a whole.
    pub fn of_file(path: &Path, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            place: None,
            message: message.into(),
            notes: Vec::new(),
            help: None,
            unread: false,
        }
    }

    #[must_use]
    pub fn at(mut self, source: &Arc<str>, span: Range<usize>) -> Self {
        self.place = Some(Place { source: Arc::clone(source), span });
        self
    }

    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into().into());
        self
    }

    pub fn start(&self) -> usize {
        self.place.as_ref().map_or(0, |place| place.span.start)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Line and column, in characters, both counted from 1.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        self.place.as_ref().map(|place| line_column(&place.source, place.span.start))
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    pub fn remedy(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Whether the file could not even be read.
    pub fn is_unread(&self) -> bool {
        self.unread
    }

    /// The problem for people; `styled` adds terminal colours.
    pub fn render(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let path = self.path.to_string_lossy();
        let mut group = match &self.place {
            Some(Place { source, span }) if !holds_long_number(line_of(source, span)) => {
                Level::ERROR.primary_title(self.message.as_str()).element(
                    Snippet::source(source.as_ref())
                        .path(path)
                        .annotation(AnnotationKind::Primary.span(first_line(source, span))),
                )
            }
            Some(Place { source, span }) => {
                let (line, column) = line_column(source, span.start);
                Level::ERROR
                    .primary_title(self.message.as_str())
                    .element(Origin::path(path).line(line).char_column(column))
            }
            None => Level::ERROR.primary_title(self.message.as_str()).element(Origin::path(path)),
        };
        for note in &self.notes {
            group = group.element(Level::NOTE.message(note.as_str()));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_ref()));
        }
        renderer.decor_style(DecorStyle::Ascii).render(&[group])
    }
}

/// `path:line:column: message`
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some((line, column)) = self.line_column() {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

pub fn line_column(source: &str, at: usize) -> (usize, usize) {
    let before = &source[..source.floor_char_boundary(at)];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The whole lines that a span touches.
fn line_of<'s>(source: &'s str, span: &Range<usize>) -> &'s str {
    let (start, end) = (source.floor_char_boundary(span.start), source.ceil_char_boundary(span.end));
    let from = source[..start].rfind('\n').map_or(0, |at| at + 1);
    let to = source[end..].find('\n').map_or(source.len(), |at| end + at);
    &source[from..to]
}

/// A span cut at the end of its first line, so that a long value does not fill the screen.
fn first_line(source: &str, span: &Range<usize>) -> Range<usize> {
    let (start, end) = (source.floor_char_boundary(span.start), source.ceil_char_boundary(span.end));
    let end = source[start..end].find('\n').map_or(end, |at| start + at);
    start..end
}
