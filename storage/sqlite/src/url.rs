//! `sqlite:` URLs.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

/// The file that a URL names: `sqlite:///absolute/path`, `sqlite://relative/path` or `sqlite:relative/path`, percent-encoded
/// where it must be.
///
/// # Errors
/// What is wrong with the URL.
pub(crate) fn file(url: &str) -> Result<PathBuf, &'static str> {
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.contains(['?', '#']) {
        return Err("parameters and fragments are not supported; write a `?` or `#` of the path as %3F or %23");
    }
    let path = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| "the path is not UTF-8")?;
    match path.as_ref() {
        "" => Err("it names no file"),
        ":memory:" => Err("a node keeps its data in a file, not in memory"),
        path if path.contains('\0') => Err("the path contains a NUL"),
        path if path.ends_with('/') => Err("it names a directory"),
        path => Ok(PathBuf::from(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_relative_and_encoded_paths_are_understood() {
        for (rest, path) in [
            ("///var/lib/node.db", "/var/lib/node.db"),
            ("//node.db", "node.db"),
            ("node.db", "node.db"),
            ("///a%20b/c%3F.db", "/a b/c?.db"),
        ] {
            assert_eq!(file(&format!("sqlite:{rest}")), Ok(PathBuf::from(path)), "{rest}");
        }
    }

    #[test]
    fn what_names_no_file_is_refused() {
        for rest in [
            "",
            "//",
            ":memory:",
            "//:memory:",
            "///tmp/",
            "///a.db?mode=ro",
            "///a.db#x",
            "///%ff.db",
            "///a%00.db",
        ] {
            assert!(file(&format!("sqlite:{rest}")).is_err(), "{rest}");
        }
    }
}
