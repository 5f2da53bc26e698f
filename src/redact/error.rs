//! Why a copy was stopped. Facts only: counts, limits and places, never text of the data.

use thiserror::Error;

/// What was wrong with the source's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Problem {
    #[error("the text breaks the grammar of its format")]
    Syntax,
    #[error("a byte sequence is not UTF-8")]
    InvalidUtf8,
    #[error("the text begins with a byte order mark")]
    ByteOrderMark,
    #[error("an escape names half of a surrogate pair")]
    LoneSurrogate,
    #[error("a name holds a NUL character")]
    NulInName,
    #[error("a control character stands unescaped in the text")]
    ControlCharacter,
    #[error("a name occurs twice in one object or header")]
    DuplicateKey,
    #[error("values are nested deeper than {limit} levels")]
    TooDeep { limit: usize },
    #[error("a record does not fit into {limit_bytes} bytes")]
    RecordTooLong { limit_bytes: usize },
    #[error("the text round the records has more than {limit} members")]
    TooManyMembers { limit: usize },
    #[error("the text is not built as the plan states")]
    UnexpectedShape,
    #[error("the field with the records is missing")]
    RecordsMissing,
    #[error("something follows the end of the text or of a record")]
    TrailingBytes,
    #[error("a row does not say where it belongs")]
    RowAreaMissing,
    #[error("a row lies outside the area of the copy")]
    RowOutsideArea,
    #[error("there is no header row")]
    HeaderMissing,
    #[error("no column of the header may leave")]
    NoKnownColumn,
    #[error("a row has more or fewer cells than the header")]
    RaggedRow,
    #[error("a quote stands where none may stand")]
    StrayQuote,
    #[error("a carriage return stands without its line feed")]
    BareCarriageReturn,
    #[error("a cell would be read as a formula")]
    FormulaCell,
    #[error("a kept value holds what the sweep looks for")]
    SweepFound,
    #[error("the text ends too early")]
    Truncated,
    #[error("the delimiter of the plan cannot part cells")]
    Delimiter,
    #[error("the compressed body is damaged")]
    BadGzip,
    #[error("the compressed body is damaged or not of its coding")]
    BadCoding,
    #[error("the compressed body needs a window of more than {limit_bytes} bytes")]
    WindowTooLarge { limit_bytes: u64 },
    #[error("the body decodes to more than {limit} times its size")]
    RatioTooHigh { limit: u64 },
    #[error("the body decodes to more than {limit_bytes} bytes")]
    BodyTooLong { limit_bytes: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RedactError {
    #[error("the content coding is none of identity, gzip, deflate, br and zstd")]
    UnknownCoding,
    /// `records` were whole before it; `offset` counts bytes of the decoded text.
    #[error("stopped after {records} records at byte {offset}: {problem}")]
    Stopped { records: u64, offset: u64, problem: Problem },
    #[error("the pass was ended before")]
    Ended,
}

impl RedactError {
    /// A short name that stays the same when messages change, for the ledger.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownCoding => "unknown_coding",
            Self::Stopped { problem, .. } => problem.code(),
            Self::Ended => "ended",
        }
    }
}

impl Problem {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::ByteOrderMark => "byte_order_mark",
            Self::LoneSurrogate => "lone_surrogate",
            Self::NulInName => "nul_in_name",
            Self::ControlCharacter => "control_character",
            Self::DuplicateKey => "duplicate_key",
            Self::TooDeep { .. } => "too_deep",
            Self::RecordTooLong { .. } => "record_too_long",
            Self::TooManyMembers { .. } => "too_many_members",
            Self::UnexpectedShape => "unexpected_shape",
            Self::RecordsMissing => "records_missing",
            Self::TrailingBytes => "trailing_bytes",
            Self::RowAreaMissing => "row_area_missing",
            Self::RowOutsideArea => "row_outside_area",
            Self::HeaderMissing => "header_missing",
            Self::NoKnownColumn => "no_known_column",
            Self::RaggedRow => "ragged_row",
            Self::StrayQuote => "stray_quote",
            Self::BareCarriageReturn => "bare_carriage_return",
            Self::FormulaCell => "formula_cell",
            Self::SweepFound => "sweep_found",
            Self::Truncated => "truncated",
            Self::Delimiter => "delimiter",
            Self::BadGzip => "bad_gzip",
            Self::BadCoding => "bad_coding",
            Self::WindowTooLarge { .. } => "window_too_large",
            Self::RatioTooHigh { .. } => "ratio_too_high",
            Self::BodyTooLong { .. } => "body_too_long",
        }
    }
}

/// Why a machine could not take a unit: it is not whole yet, or it must not be taken at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The window ends before the unit does.
    More,
    /// `at` counts bytes from the window's start.
    Bad { at: usize, problem: Problem },
}

impl Stop {
    pub(super) fn bad<T>(at: usize, problem: Problem) -> Result<T, Self> {
        Err(Self::Bad { at, problem })
    }
}
