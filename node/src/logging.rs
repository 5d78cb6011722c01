//! What is told on stderr, and the progress line that shares it.
//!
//! Nothing waits for stderr or depends on it: a full volume, a reader that has gone or one that has stopped reading costs lines, and
//! nothing else. A thread of its own writes what a queue of bounded length holds; what does not fit is counted, and the log says
//! how much is missing as soon as it can be written again.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::mem;
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer as TimeWriter;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::cli::{LogFormat, LoggingArguments};
use crate::exit::Failure;

/// Lines that wait for being written, at most.
const QUEUE_LENGTH: usize = 1_024;
/// How long the end of the program, and a panic, wait for the lines before them to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often a stderr that takes nothing just now, since another process has made it non-blocking, is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// Prints a line that is no part of the log.
pub(crate) fn say(line: &str) {
    queue().push_line(format!("{line}\n").into_bytes());
}

/// Waits, not for long, until what was said is written.
pub(crate) fn flush() {
    queue().flush();
}

/// What waits for being written to stderr.
#[derive(Debug)]
struct Queue {
    messages: SyncSender<Message>,
    /// Lines that were lost and not yet told of.
    lost: AtomicU64,
    /// Whether the log is made of JSON.
    is_json: AtomicBool,
}

#[derive(Debug)]
enum Message {
    /// Behind this many that were lost.
    Line { text: Vec<u8>, lost_before: u64 },
    /// A part of the progress line, which nobody misses.
    Drawing(Vec<u8>),
    /// Everything before it is to be written.
    Flush(SyncSender<()>),
}

/// The queue of the process, and the thread behind it.
fn queue() -> &'static Queue {
    static QUEUE: OnceLock<Queue> = OnceLock::new();
    QUEUE.get_or_init(|| {
        let (messages, waiting) = mpsc::sync_channel(QUEUE_LENGTH);
        // Without the thread every line is lost, which is no reason to end.
        let _ = thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(&waiting));
        Queue {
            messages,
            lost: AtomicU64::new(0),
            is_json: AtomicBool::new(false),
        }
    })
}

impl Queue {
    fn push_line(&self, text: Vec<u8>) {
        let lost_before = self.lost.swap(0, Ordering::Relaxed);
        if self.messages.try_send(Message::Line { text, lost_before }).is_err() {
            self.lost.fetch_add(lost_before + 1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {
        let (written, is_written) = mpsc::sync_channel(1);
        let mut message = Message::Flush(written);
        let mut patience = LAST_WORDS;
        while let Err(mpsc::TrySendError::Full(back)) = self.messages.try_send(message) {
            if patience.is_zero() {
                return;
            }
            thread::sleep(TRY_AGAIN);
            patience = patience.saturating_sub(TRY_AGAIN);
            message = back;
        }
        let _ = is_written.recv_timeout(patience);
    }

    /// The line that says how many are missing.
    fn notice(&self, lost: u64) -> Vec<u8> {
        let mut time = String::new();
        // A time that can't be told is left out.
        let _ = SystemTime.format_time(&mut TimeWriter::new(&mut time));
        let what = "lines of this log were lost here: they could not be written, or nobody read them";
        let line = if self.is_json.load(Ordering::Relaxed) {
            let fields = serde_json::json!({"message": format!("{lost} {what}")});
            serde_json::json!({"timestamp": time, "level": "WARN", "fields": fields, "target": module_path!()})
                .to_string()
        } else {
            format!("{time}  WARN {lost} {what}")
        };
        format!("{line}\n").into_bytes()
    }
}

/// Writes what comes, for ever.
fn write_all(waiting: &Receiver<Message>) {
    loop {
        let message = match waiting.try_recv() {
            Ok(message) => message,
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {
                // Nothing may be said for long, and what is missing is to be known.
                tell_of_lost(queue().lost.swap(0, Ordering::Relaxed));
                let Ok(message) = waiting.recv() else { return };
                message
            }
        };
        match message {
            Message::Line { text, lost_before } => {
                tell_of_lost(lost_before);
                if write(&text).is_err() {
                    queue().lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            Message::Drawing(text) => {
                let _ = write(&text);
            }
            Message::Flush(written) => {
                let _ = written.try_send(());
            }
        }
    }
}

fn tell_of_lost(lost: u64) {
    if lost > 0 && write(&queue().notice(lost)).is_err() {
        queue().lost.fetch_add(lost, Ordering::Relaxed);
    }
}

/// Writes the whole text, or as much of it as can be.
fn write(mut text: &[u8]) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    while !text.is_empty() {
        match stderr.write(text) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(length) => text = text.get(length..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(TRY_AGAIN),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

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
        let progress_is_shown = is_terminal && !arguments.quiet && arguments.log_format == LogFormat::Text;
        let target = if progress_is_shown {
            ProgressDrawTarget::term_like(Box::new(Terminal::default()))
        } else {
            ProgressDrawTarget::hidden()
        };
        let console = Self {
            lines: MultiProgress::with_draw_target(target),
            progress_is_shown,
        };
        let is_json = arguments.log_format == LogFormat::Json;
        queue().is_json.store(is_json, Ordering::Relaxed);
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
        // The usual hook writes to stderr itself, and would wait for it.
        panic::set_hook(Box::new(|panic| {
            let trace = Backtrace::capture();
            if trace.status() == BacktraceStatus::Captured {
                tracing::error!("{panic}\n{trace}");
            } else {
                tracing::error!("{panic}");
            }
            flush();
        }));
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
pub(crate) struct ConsoleWriter(Option<MultiProgress>);

impl Write for ConsoleWriter {
    /// One call is one line: that is how events are written.
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let push = || queue().push_line(text.to_vec());
        match &self.0 {
            Some(lines) => lines.suspend(push),
            None => push(),
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Console {
    type Writer = ConsoleWriter;

    fn make_writer(&self) -> ConsoleWriter {
        ConsoleWriter(self.progress_lines().cloned())
    }
}

/// The terminal, as far as a progress line needs one. What is drawn goes through the queue, one drawing at a time.
#[derive(Debug, Default)]
struct Terminal {
    drawing: Mutex<String>,
}

impl Terminal {
    fn drawing(&self) -> MutexGuard<'_, String> {
        self.drawing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A control sequence of ECMA-48 with a count, unless that is 0.
    fn control(&self, count: usize, end: char) -> io::Result<()> {
        if count > 0 {
            write!(self.drawing(), "\x1b[{count}{end}").map_err(io::Error::other)?;
        }
        Ok(())
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        match rustix::termios::tcgetwinsize(io::stderr()) {
            Ok(size) if size.ws_col > 0 => size.ws_col,
            _ => 80,
        }
    }

    fn move_cursor_up(&self, count: usize) -> io::Result<()> {
        self.control(count, 'A')
    }

    fn move_cursor_down(&self, count: usize) -> io::Result<()> {
        self.control(count, 'B')
    }

    fn move_cursor_right(&self, count: usize) -> io::Result<()> {
        self.control(count, 'C')
    }

    fn move_cursor_left(&self, count: usize) -> io::Result<()> {
        self.control(count, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        self.write_str("\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.drawing().push_str(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let drawing = mem::take(&mut *self.drawing()).into_bytes();
        let _ = queue().messages.try_send(Message::Drawing(drawing));
        Ok(())
    }
}
