//! The key of a project, which nothing ever shows.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The longest key file that is read, in bytes. A key has 39 characters.
const LONGEST_FILE: u64 = 4096;

/// The key of a project at Blockfrost, its `project_id`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key in this text, without the white space around it.
    ///
    /// # Errors
    /// A text that does not show what was given, where that can't be a key.
    pub fn new(text: &str) -> Result<Self, String> {
        let key = text.trim();
        if key.is_empty() {
            return Err("there is no key in it".to_owned());
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it is no key: a key has letters and digits alone".to_owned());
        }
        Ok(Self(key.to_owned()))
    }

    /// The key in a file, which has nothing else in it.
    ///
    /// # Errors
    /// What the operating system said, or as [`ApiKey::new`].
    pub fn read(file: &Path) -> Result<Self, String> {
        let mut text = String::new();
        File::open(file)
            .and_then(|file| file.take(LONGEST_FILE).read_to_string(&mut text))
            .map_err(|error| error.to_string())?;
        Self::new(&text)
    }

    /// The key itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_around_a_key_are_none_of_it() {
        for text in ["mainnetSecret", "mainnetSecret\n", " mainnetSecret\r\n\n"] {
            assert_eq!(ApiKey::new(text).unwrap().as_str(), "mainnetSecret");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        for text in ["", " \n", "sec ret", "sec\nret", "secrét", "sec\u{0}ret"] {
            let error = ApiKey::new(text).unwrap_err();
            assert!(error.contains("key") && !error.contains("sec"), "{error}");
        }
        assert_eq!(format!("{:?}", ApiKey::new("secret")), "Ok(ApiKey(…))");
    }

    #[test]
    fn key_file_is_read_without_its_line_break() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        std::fs::write(&file, "mainnetSecret\n").unwrap();
        assert_eq!(ApiKey::read(&file), ApiKey::new("mainnetSecret"));
        let missing = ApiKey::read(&directory.path().join("other")).unwrap_err();
        assert!(missing.contains("No such file"), "{missing}");
    }
}
