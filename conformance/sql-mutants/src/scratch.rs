//! A copy of the workspace in which one built program runs as any of the mutants.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::source::{Check, Literal, LiteralId, Source};
use crate::{Error, Mutant, Result};

/// The variable that names the file which says what to exchange.
pub const MUTANT_VARIABLE: &str = "SQL_MUTANT";

/// The line of sqlx-core's `sql_str.rs` behind which the text of a statement is exchanged, and what takes its place.
const ANCHOR: &str = "    pub fn as_str(&self) -> &str {\n        match &self.0 {";
const EXCHANGED: &str = "    pub fn as_str(&self) -> &str {\n        mutant::exchanged(self.as_written())\n    }\n\n    \
                         fn as_written(&self) -> &str {\n        match &self.0 {";

/// Appended to it.
const EXCHANGE: &str = include_str!("exchange.rs.txt");

/// The copy.
#[derive(Debug)]
pub struct Scratch {
    tree: PathBuf,
    mutant: PathBuf,
}

impl Scratch {
    /// Brings the copy in `directory` up to date with the workspace, so that what has not changed is not built again.
    ///
    /// # Errors
    /// `Content` for a version of sqlx that this crate does not know how to change, and for query metadata that is missing.
    pub fn prepare(workspace: &Path, directory: &Path, crate_directory: &Path, source: &Source) -> Result<Self> {
        let scratch = Self {
            tree: directory.join("tree"),
            mutant: directory.join("mutant"),
        };
        let mut content = tracked_files(workspace)?;
        mark_literals(workspace, &mut content, source)?;
        mark_metadata(workspace, &mut content, crate_directory, source)?;
        let sqlx = directory.join("sqlx-core");
        exchange_in_sqlx(workspace, &sqlx)?;
        let config = content.entry(PathBuf::from(".cargo/config.toml")).or_default();
        let mut settings = format!(
            "\n[patch.crates-io]\nsqlx-core = {{ path = {} }}\n",
            Value::from(sqlx.to_string_lossy())
        );
        for package in ["sqlx-core", "sqlx-postgres", "sqlx-sqlite"] {
            // What depends on the changed package is built anew, for this run alone: quickly.
            let _ = write!(settings, "\n[profile.dev.package.{package}]\nopt-level = 0\n");
        }
        config.extend_from_slice(settings.as_bytes());
        synchronize(workspace, &scratch.tree, &content)?;
        Ok(scratch)
    }

    /// The root of the copy.
    pub fn tree(&self) -> &Path {
        &self.tree
    }

    /// The file that [`MUTANT_VARIABLE`] is to name, after it was written for this mutant.
    pub fn choose(&self, source: &Source, mutant: &Mutant) -> Result<&Path> {
        let mut content = String::new();
        for (id, value) in &mutant.changed {
            let Some(literal) = source.literal(*id) else { continue };
            // A statement may be printed, or explained, without the blanks around it.
            let original = format!("{}{}", literal.value, marker(*id));
            let mutated = format!("{value}{}", marker(*id));
            let _ = write!(content, "{}\u{1f}{}\u{1e}", original.trim_start(), mutated.trim_start());
        }
        fs::write(&self.mutant, content).map_err(Error::io(format!("write {}", self.mutant.display())))?;
        Ok(&self.mutant)
    }
}

/// The comment that names a literal in a running statement.
fn marker(id: LiteralId) -> String {
    format!(" /*literal {}*/", id.0)
}

/// The files that git knows or would add, with their content.
fn tracked_files(workspace: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let what = "list the files of the workspace with git";
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(workspace)
        .output()
        .map_err(Error::io(what))?;
    if !listed.status.success() {
        return Err(Error::Command {
            command: "git ls-files".to_owned(),
            outcome: String::from_utf8_lossy(&listed.stderr).trim().to_owned(),
        });
    }
    let mut content = BTreeMap::new();
    for name in listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = PathBuf::from(OsStr::from_bytes(name));
        match fs::read(workspace.join(&name)) {
            Ok(bytes) => {
                content.insert(name, bytes);
            }
            // Deleted, and not committed yet; or a link to a directory.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {}
            Err(error) => return Err(Error::io(format!("read {}", name.display()))(error)),
        }
    }
    Ok(content)
}

/// Adds its marker to each literal.
fn mark_literals(workspace: &Path, content: &mut BTreeMap<PathBuf, Vec<u8>>, source: &Source) -> Result<()> {
    let mut by_place: Vec<(LiteralId, &Literal)> = source
        .literals
        .iter()
        .enumerate()
        .map(|(number, literal)| (LiteralId(number), literal))
        .collect();
    // From the end of each file on, so that places before stay right.
    by_place.sort_by_key(|(_, literal)| std::cmp::Reverse(literal.bytes.start));
    for (id, literal) in by_place {
        let moved = || {
            Error::content(
                &workspace.join(&literal.file),
                "changed while it was read; run this again",
            )
        };
        let bytes = content.get_mut(&literal.file).ok_or_else(moved)?;
        let written = bytes.get(literal.bytes.clone()).ok_or_else(moved)?;
        let quote = written.iter().rposition(|byte| *byte == b'"').ok_or_else(moved)?;
        let at = literal.bytes.start + quote;
        bytes.splice(at..at, marker(id).into_bytes());
    }
    Ok(())
}

/// Renames the metadata of the macros' statements, which their texts name, to the texts with markers.
fn mark_metadata(
    workspace: &Path,
    content: &mut BTreeMap<PathBuf, Vec<u8>>,
    crate_directory: &Path,
    source: &Source,
) -> Result<()> {
    let directory = [crate_directory.join(".sqlx"), PathBuf::from(".sqlx")]
        .into_iter()
        .find(|directory| content.keys().any(|file| file.starts_with(directory)))
        .unwrap_or_else(|| crate_directory.join(".sqlx"));
    let marked: BTreeMap<LiteralId, String> = source
        .literals
        .iter()
        .enumerate()
        .map(|(number, literal)| {
            (
                LiteralId(number),
                format!("{}{}", literal.value, marker(LiteralId(number))),
            )
        })
        .collect();
    let mut renamed = BTreeMap::new();
    for statement in &source.statements {
        if statement.check == Check::Unchecked {
            continue;
        }
        let original = source.text(statement, &BTreeMap::new());
        let text = source.text(statement, &marked);
        let file = directory.join(file_name(&original));
        let stale = |detail: &str| {
            let detail = format!("{detail}; run `cargo sqlx prepare`, or what this workspace has in its place");
            Error::content(&workspace.join(&file), detail)
        };
        let bytes = content
            .get(&file)
            .ok_or_else(|| stale("the metadata of a statement is missing"))?;
        let mut metadata: Value =
            serde_json::from_slice(bytes).map_err(|error| stale(&format!("no metadata of a statement: {error}")))?;
        metadata["query"] = Value::from(text.as_str());
        metadata["hash"] = Value::from(hash(&text));
        renamed.insert(directory.join(file_name(&text)), metadata.to_string().into_bytes());
    }
    content.retain(|file, _| file.parent() != Some(&directory));
    content.extend(renamed);
    Ok(())
}

fn hash(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}

fn file_name(text: &str) -> String {
    format!("query-{}.json", hash(text))
}

/// Copies sqlx-core, and has it exchange the text of a literal.
fn exchange_in_sqlx(workspace: &Path, copy: &Path) -> Result<()> {
    let version = Command::new("rustc")
        .arg("-vV")
        .output()
        .map_err(Error::io("run rustc"))?;
    let version = String::from_utf8_lossy(&version.stdout);
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap_or_default();
    // What other platforms need may not be here.
    let metadata = Command::new("cargo")
        .args([
            "metadata",
            "--format-version=1",
            "--offline",
            "--locked",
            "--filter-platform",
            host,
        ])
        .current_dir(workspace)
        .output()
        .map_err(Error::io("run cargo metadata"))?;
    let packages: Value = serde_json::from_slice(&metadata.stdout).map_err(|_| Error::Command {
        command: "cargo metadata".to_owned(),
        outcome: String::from_utf8_lossy(&metadata.stderr).trim().to_owned(),
    })?;
    let manifest = packages["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "sqlx-core")
        .and_then(|package| package["manifest_path"].as_str())
        .ok_or_else(|| Error::content(workspace, "no package of this workspace uses sqlx"))?;
    let original = Path::new(manifest).parent().unwrap_or(Path::new("."));
    let mut content = BTreeMap::new();
    read_tree(original, original, &mut content)?;
    let file = PathBuf::from("src/sql_str.rs");
    let text = content
        .get(&file)
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .filter(|text| text.matches(ANCHOR).count() == 1)
        .ok_or_else(|| {
            let detail = "does not read a statement's text where sql-mutants expects it; teach it this version of sqlx";
            Error::content(&original.join(&file), detail)
        })?;
    let changed = text.replace(ANCHOR, EXCHANGED) + EXCHANGE;
    content.insert(file, changed.into_bytes());
    synchronize(original, copy, &content)
}

fn read_tree(root: &Path, directory: &Path, content: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    let what = || format!("read {}", directory.display());
    for entry in fs::read_dir(directory).map_err(Error::io(what()))? {
        let path = entry.map_err(Error::io(what()))?.path();
        if path.is_dir() {
            read_tree(root, &path, content)?;
        } else if let Ok(name) = path.strip_prefix(root) {
            let bytes = fs::read(&path).map_err(Error::io(format!("read {}", path.display())))?;
            content.insert(name.to_owned(), bytes);
        }
    }
    Ok(())
}

/// Makes a directory hold these files and no others, with the permissions that the origin gives them. Files that are right
/// already keep their time.
fn synchronize(origin: &Path, directory: &Path, content: &BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    let mut present = BTreeMap::new();
    if directory.exists() {
        read_tree(directory, directory, &mut present)?;
    }
    for name in present.keys().filter(|name| !content.contains_key(*name)) {
        // Left from an earlier state of the workspace.
        let path = directory.join(name);
        fs::remove_file(&path).map_err(Error::io(format!("remove {}", path.display())))?;
    }
    for (name, bytes) in content {
        if present.get(name) != Some(bytes) {
            let path = directory.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(Error::io(format!("make {}", parent.display())))?;
            }
            fs::write(&path, bytes).map_err(Error::io(format!("write {}", path.display())))?;
            if let Ok(metadata) = fs::metadata(origin.join(name)) {
                let permissions = metadata.permissions();
                fs::set_permissions(&path, permissions).map_err(Error::io(format!("write {}", path.display())))?;
            }
        }
    }
    Ok(())
}
