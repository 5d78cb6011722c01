//! What is told on stderr, and the progress line that shares it.

use std::io::{self, IsTerminal, Write};

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::cli::{LogFormat, LoggingArguments};
use crate::exit::Failure;

/// stderr. Clones share the progress line at its end.
#[derive(Debug, Clone)]
pub(crate) struct Console {
    lines: MultiProgress,
    progress_is_shown: bool,
}

impl Console {
    /// Sets up logging for the whole process.
    pub(crate) fn new(arguments: &LoggingArguments) -> Result<Self, Failure> {
        let is_terminal = io::stderr().is_terminal();
        let console = Self {
            lines: MultiProgress::new(),
            progress_is_shown: is_terminal && !arguments.quiet && arguments.log_format == LogFormat::Text,
        };
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let logs = tracing_subscriber::fmt()
            .with_env_filter(filter(arguments)?)
            .with_writer(console.clone())
            .with_ansi(is_terminal && !no_color);
        let set = match arguments.log_format {
            LogFormat::Text => logs.with_target(false).try_init(),
            LogFormat::Json => logs.json().try_init(),
        };
        set.map_err(|error| Failure::Usage(format!("logging can't be set up: {error}")))?;
        Ok(console)
    }

    /// Where a progress line can be shown; `None` where stderr is no terminal, or is not to show one.
    pub(crate) fn progress_lines(&self) -> Option<&MultiProgress> {
        self.progress_is_shown.then_some(&self.lines)
    }
}

/// Flags go before `RUST_LOG`, which goes before the default: what the node does, and warnings of what it is built from.
fn filter(arguments: &LoggingArguments) -> Result<EnvFilter, Failure> {
    let directives = match (arguments.quiet, arguments.verbose) {
        (true, _) => "error",
        (false, 0) => match std::env::var("RUST_LOG") {
            Ok(directives) if !directives.is_empty() => {
                return EnvFilter::try_new(directives)
                    .map_err(|error| Failure::Usage(format!("RUST_LOG can't be understood: {error}")));
            }
            _ => "warn,neoprism_node=info,node_service=info",
        },
        (false, 1) => "info,neoprism_node=debug,node_service=debug",
        (false, 2) => "debug",
        (false, _) => "trace",
    };
    Ok(EnvFilter::new(directives))
}

/// Writes above the progress line.
pub(crate) struct ConsoleWriter(MultiProgress);

impl Write for ConsoleWriter {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(text))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for Console {
    type Writer = ConsoleWriter;

    fn make_writer(&self) -> ConsoleWriter {
        ConsoleWriter(self.lines.clone())
    }
}
