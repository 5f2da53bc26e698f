//! Tracing to stderr, as text for people or JSON for machines. What is traced holds no personal value: the
//! types that carry one cannot be printed.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TraceFormat {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TraceLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

impl TraceLevel {
    fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TraceOptions {
    pub format: TraceFormat,
    pub level: TraceLevel,
}

/// Starts tracing for the process; a second call changes nothing. Only our own events are shown: those of
/// libraries may quote a request.
pub fn start(options: TraceOptions) {
    let filter = EnvFilter::new(format!("off,salinan={}", options.level.as_str()));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = match options.format {
        TraceFormat::Json => subscriber.json().flatten_event(true).try_init(),
        TraceFormat::Text => subscriber.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
}
