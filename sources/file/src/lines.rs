//! Lines of a file or of standard input, one at a time.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, BufReader};

use crate::compressed::{Decompressor, begins_compressed};

/// The longest line, in bytes: twice what the longest operation takes in hexadecimal. A Cardano transaction takes 32 KiB.
pub(crate) const LONGEST_LINE: usize = 4 * 1024 * 1024;
/// Bytes read at once.
const BUFFER: usize = 128 * 1024;

/// Where a ledger file is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input, `-`.
    Stdin,
}

impl Input {
    /// The input that an argument names: `-` is standard input.
    pub fn from_argument(argument: &Path) -> Self {
        if argument.as_os_str() == "-" {
            Self::Stdin
        } else {
            Self::File(argument.to_owned())
        }
    }
}

impl Input {
    /// Whether its name says that it is compressed.
    pub(crate) fn is_named_as_compressed(&self) -> bool {
        matches!(self, Self::File(path) if path.extension().is_some_and(|extension| extension == "zst"))
    }
}

impl std::fmt::Display for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "ledger file {}", path.display()),
            Self::Stdin => f.write_str("ledger on standard input"),
        }
    }
}

/// Reads lines of bounded length. Dropping a future of it loses nothing.
pub(crate) struct Lines {
    input: Input,
    /// The file, if it is one.
    opened: Option<FileId>,
    text: Text,
    /// The beginning of a line whose end has not been read.
    partial: Vec<u8>,
    /// Bytes of text read so far.
    offset: u64,
    /// Lines answered so far.
    number: u64,
}

/// The text of a ledger file, decompressed where it has to be.
struct Text {
    reader: Box<dyn AsyncBufRead + Send + Sync + Unpin>,
    /// Whether the name says that it is compressed. An empty file is not complete then.
    is_named_as_compressed: bool,
    form: Form,
}

/// How text is stored, which its beginning says.
enum Form {
    /// Nothing has been read.
    Unknown,
    Plain,
    Compressed(Decompressor),
}

impl Text {
    /// Text that follows; none at the end.
    async fn fill(&mut self) -> io::Result<&[u8]> {
        if matches!(self.form, Form::Unknown) {
            let beginning = self.reader.fill_buf().await?;
            if begins_compressed(beginning) || (beginning.is_empty() && self.is_named_as_compressed) {
                self.form = Form::Compressed(Decompressor::new()?);
            } else if !beginning.is_empty() {
                self.form = Form::Plain;
            }
        }
        match &mut self.form {
            Form::Unknown | Form::Plain => self.reader.fill_buf().await,
            Form::Compressed(decompressor) => {
                while decompressor.text().is_empty() {
                    let bytes = self.reader.fill_buf().await?;
                    if bytes.is_empty() && decompressor.is_complete() {
                        break;
                    }
                    let used = decompressor.take(bytes)?;
                    self.reader.consume(used);
                }
                Ok(decompressor.text())
            }
        }
    }

    fn consume(&mut self, bytes: usize) {
        match &mut self.form {
            Form::Unknown | Form::Plain => self.reader.consume(bytes),
            Form::Compressed(decompressor) => decompressor.consume(bytes),
        }
    }
}

/// What [`Lines::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A line, without its line break.
    Line(Vec<u8>),
    /// The end, for now. What stands behind the last line break may be the beginning of a line; see [`Lines::take_partial`].
    End,
}

impl Lines {
    /// Opens the input.
    pub(crate) async fn open(input: Input) -> io::Result<Self> {
        let mut opened = None;
        let reader: Box<dyn AsyncBufRead + Send + Sync + Unpin> = match &input {
            Input::File(path) => {
                let file = tokio::fs::File::open(path).await?;
                let metadata = file.metadata().await?;
                if metadata.is_dir() {
                    return Err(io::Error::other("it is a directory"));
                }
                opened = metadata.is_file().then(|| FileId::of(&metadata));
                Box::new(BufReader::with_capacity(BUFFER, file))
            }
            Input::Stdin => Box::new(BufReader::with_capacity(BUFFER, tokio::io::stdin())),
        };
        Ok(Self {
            opened,
            ..Self::new(input, reader)
        })
    }

    fn new(input: Input, reader: Box<dyn AsyncBufRead + Send + Sync + Unpin>) -> Self {
        Self {
            text: Text {
                reader,
                is_named_as_compressed: input.is_named_as_compressed(),
                form: Form::Unknown,
            },
            input,
            opened: None,
            partial: Vec::new(),
            offset: 0,
            number: 0,
        }
    }

    /// What is read, for people.
    pub(crate) fn input(&self) -> &Input {
        &self.input
    }

    /// Number of the line answered last, from 1 on.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Whether it is compressed, as far as that is known.
    pub(crate) const fn is_compressed(&self) -> bool {
        matches!(self.text.form, Form::Compressed(_))
    }

    /// The next line that ends in a line break.
    ///
    /// # Errors
    /// `InvalidData` for what is wrong with the content, at the line after the last one that was answered, which counts from now on.
    pub(crate) async fn next(&mut self) -> io::Result<Next> {
        let next = self.find_next().await;
        if let Err(error) = &next
            && error.kind() == io::ErrorKind::InvalidData
        {
            self.number += 1;
        }
        next
    }

    async fn find_next(&mut self) -> io::Result<Next> {
        loop {
            let buffer = self.text.fill().await?;
            if buffer.is_empty() {
                return Ok(Next::End);
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let (text, used) = match end {
                Some(end) => (buffer.get(..end).unwrap_or_default(), end + 1),
                None => (buffer, buffer.len()),
            };
            if self.partial.len() + text.len() > LONGEST_LINE {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("the line is longer than {LONGEST_LINE} bytes"),
                ));
            }
            self.partial.extend_from_slice(text);
            self.text.consume(used);
            self.offset = self.offset.saturating_add(u64::try_from(used).unwrap_or(u64::MAX));
            if end.is_some() {
                self.number += 1;
                return Ok(Next::Line(std::mem::take(&mut self.partial)));
            }
        }
    }

    /// What stands behind the last line break, once nothing can follow.
    pub(crate) fn take_partial(&mut self) -> Option<Vec<u8>> {
        if self.partial.is_empty() {
            return None;
        }
        self.number += 1;
        Some(std::mem::take(&mut self.partial))
    }

    /// The last line of the file that ends in a line break, looked up without reading what is before it. `None` where there is none,
    /// where it is longer than the [`BUFFER`], and where the input is no file that can be read at any place: it is worth no error.
    pub(crate) async fn last_of_the_file(&self) -> Option<Vec<u8>> {
        let Input::File(path) = &self.input else {
            return None;
        };
        let mut file = tokio::fs::File::open(path).await.ok()?;
        let metadata = file.metadata().await.ok().filter(std::fs::Metadata::is_file)?;
        let end = u64::try_from(BUFFER).ok()?;
        let from = metadata.len().saturating_sub(end);
        file.seek(io::SeekFrom::Start(from)).await.ok()?;
        let mut tail = Vec::new();
        file.take(end).read_to_end(&mut tail).await.ok()?;
        let mut lines = tail.rsplit(|byte| *byte == b'\n');
        let _unfinished = lines.next()?;
        let last = lines.next()?;
        // Where it begins with what was read, its beginning may lie before that.
        (from == 0 || lines.next().is_some()).then(|| last.to_vec())
    }

    /// What has happened to a file that is followed, so that nothing can follow in it. `None` while it is the file that was
    /// opened, and for what is no file.
    pub(crate) async fn what_happened(&self) -> io::Result<Option<&'static str>> {
        let (Input::File(path), Some(opened)) = (&self.input, self.opened) else {
            return Ok(None);
        };
        Ok(match tokio::fs::metadata(path).await {
            Ok(now) if FileId::of(&now) != opened => Some("was replaced"),
            // What is read next would not be what follows.
            Ok(now) if now.len() < self.offset => Some("was truncated"),
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some("was deleted"),
            Err(error) => return Err(error),
        })
    }
}

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(content: &'static [u8]) -> Lines {
        Lines::new(Input::Stdin, Box::new(content))
    }

    #[tokio::test]
    async fn lines_end_at_line_breaks_and_the_rest_is_kept() {
        let mut lines = lines(b"one\n\nthree\nrest");
        for expected in [b"one".as_slice(), b"", b"three"] {
            assert_eq!(lines.next().await.unwrap(), Next::Line(expected.to_vec()));
        }
        assert_eq!(lines.next().await.unwrap(), Next::End);
        assert_eq!(lines.number(), 3);
        assert_eq!(lines.take_partial(), Some(b"rest".to_vec()));
        assert_eq!((lines.take_partial(), lines.number()), (None, 4));
    }

    /// Every line, and the error after them.
    async fn read(content: Vec<u8>) -> (Vec<Vec<u8>>, Option<String>) {
        // In small parts, as a pipe may deliver them.
        let parts = BufReader::with_capacity(7, io::Cursor::new(content));
        let mut lines = Lines::new(Input::Stdin, Box::new(parts));
        let mut read = Vec::new();
        loop {
            match lines.next().await {
                Ok(Next::Line(line)) => read.push(line),
                Ok(Next::End) => {
                    read.extend(lines.take_partial());
                    return (read, None);
                }
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                    return (read, Some(format!("line {}: {error}", lines.number())));
                }
            }
        }
    }

    #[tokio::test]
    async fn compressed_lines_are_those_that_were_compressed() {
        let text: Vec<Vec<u8>> = (0..200_000)
            .map(|number: u32| number.to_string().into_bytes())
            .collect();
        let frames: Vec<u8> = text
            .chunks(70_000)
            .flat_map(|lines| zstd::encode_all(&[lines.join(&b'\n'), b"\n".to_vec()].concat()[..], 1).unwrap())
            .collect();
        let skippable = [0x57, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        let (read, error) = read([&skippable[..], &frames].concat()).await;
        assert_eq!(error, None);
        assert!(read == text);
    }

    #[tokio::test]
    async fn compressed_data_that_are_cut_or_damaged_are_told_with_line_and_byte() {
        let text = b"{}\n".repeat(100_000);
        let whole = zstd::encode_all(&text[..], 1).unwrap();
        for cut in 1..whole.len() {
            let (_, error) = read(whole[..cut].to_vec()).await;
            let error = error.unwrap();
            assert!(
                error.contains(&format!("not complete: they end at byte {cut} of the file")),
                "{error}"
            );
        }
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        io::Write::write_all(&mut encoder, &text).unwrap();
        let mut damaged = encoder.finish().unwrap();
        *damaged.last_mut().unwrap() ^= 1;
        let (lines, error) = read(damaged).await;
        let (count, error) = (lines.len(), error.unwrap());
        assert!(error.starts_with(&format!("line {}: ", count + 1)), "{error}");
        assert!(error.contains("damaged, at byte"), "{error}");
        let (_, error) = read([&whole[..], b"{}\n"].concat()).await;
        assert!(error.unwrap().contains("damaged, at byte"));
    }

    #[tokio::test]
    async fn an_empty_file_that_is_named_as_compressed_is_not_complete() {
        let input = Input::File("ledger.jsonl.zst".into());
        let mut lines = Lines::new(input, Box::new(&b""[..]));
        assert!(lines.next().await.unwrap_err().to_string().contains("not complete"));
    }

    #[tokio::test]
    async fn a_line_beyond_the_longest_is_an_error_and_not_memory() {
        let endless = BufReader::new(tokio::io::repeat(b'x'));
        let mut lines = Lines::new(Input::Stdin, Box::new(endless));
        let error = lines.next().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(lines.partial.len() <= LONGEST_LINE);
    }
}
