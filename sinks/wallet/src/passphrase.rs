//! The passphrase of a wallet.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Most bytes of a file that are read: the longest passphrase in UTF-8, and a line end.
const MAX_FILE_LENGTH: u64 = 4_096;

/// Most characters that a wallet takes.
const MAX_CHARACTERS: usize = 255;

/// The passphrase of a wallet. It is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(String);

impl Passphrase {
    /// A passphrase of 1 to 255 characters.
    ///
    /// # Errors
    /// What is wrong with it, without the passphrase.
    pub fn new(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        match text.chars().count() {
            0 => Err("the passphrase is empty".to_owned()),
            1..=MAX_CHARACTERS => Ok(Self(text)),
            _ => Err(format!("the passphrase is longer than {MAX_CHARACTERS} characters")),
        }
    }

    /// The first line of a file, without its line end.
    ///
    /// # Errors
    /// The path and what is wrong with the file, without anything of its content.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let in_file = |detail: &dyn fmt::Display| format!("the passphrase file {}: {detail}", path.display());
        let mut content = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_FILE_LENGTH).read_to_end(&mut content))
            .map_err(|error| in_file(&error))?;
        let line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = std::str::from_utf8(line).map_err(|_| in_file(&"its first line is not UTF-8 text"))?;
        Self::new(line).map_err(|error| in_file(&error))
    }

    /// The text, for the request to the wallet alone.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_file(content: &[u8]) -> Result<Passphrase, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("passphrase");
        std::fs::write(&path, content).unwrap();
        Passphrase::from_file(&path)
    }

    #[test]
    fn the_first_line_counts_without_its_end() {
        for content in ["se cret", "se cret\n", "se cret\r\n", "se cret\nanother\n"] {
            assert_eq!(of_file(content.as_bytes()).unwrap().expose(), "se cret", "{content:?}");
        }
        assert_eq!(of_file(b" a \n").unwrap().expose(), " a ");
    }

    #[test]
    fn what_is_no_passphrase_is_refused_without_showing_it() {
        let long = "secret".repeat(50);
        for (content, text) in [
            (&b""[..], "empty"),
            (b"\nsecret", "empty"),
            (b"secret\xff", "UTF-8"),
            (long.as_bytes(), "255"),
        ] {
            let error = of_file(content).unwrap_err();
            assert!(error.contains(text) && !error.contains("secret"), "{error}");
        }
        let error = Passphrase::from_file(Path::new("/nowhere/at/all")).unwrap_err();
        assert!(error.contains("/nowhere/at/all"), "{error}");
    }

    #[test]
    fn debug_does_not_show_it() {
        assert_eq!(format!("{:?}", Passphrase::new("secret").unwrap()), "Passphrase(…)");
    }
}
