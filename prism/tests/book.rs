//! The book, the code and the tests agree: what one of them cites, another one has.
//!
//! Code cites a section of the book's reference as `protocol.md#create`, and an edge case as `edge-cases.md#c17`. A test
//! carries an edge case if its name begins with the id (`c17_…`, `e1_e2_…`) or if the comment before it cites it.
#![allow(
    clippy::unwrap_used,
    reason = "a file that can't be read fails the test that needs it"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use did_prism::rule::Rule;

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A text file of the repository.
struct File {
    /// Relative to the root, with slashes.
    path: String,
    text: String,
}

impl File {
    fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|found| found == extension)
    }

    /// The lines that are not inside a fenced code block, each with its number.
    fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut fenced = false;
        (1..).zip(self.text.lines()).filter(move |(_, line)| {
            let is_fence = line.trim_start().starts_with("```");
            fenced ^= is_fence;
            !fenced && !is_fence
        })
    }
}

/// All text files, by path. Build output and hidden directories are left out.
fn files() -> Vec<File> {
    fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if entry.file_type().unwrap().is_dir() {
                if !name.starts_with('.') && name != "target" {
                    collect(&entry.path(), files);
                }
            } else {
                files.push(entry.path());
            }
        }
    }

    let root = root();
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| {
            // What is not UTF-8 is not text.
            let text = fs::read_to_string(&path).ok()?;
            let path = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            Some(File { path, text })
        })
        .collect()
}

/// The characters of an anchor at the beginning of `text`.
fn leading_anchor(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
    &text[..end.unwrap_or(text.len())]
}

/// The anchors of a page: those of its headings, as mdBook and GitHub derive them, and explicit ones.
fn anchors(page: &File) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in page.prose() {
        if let Some(heading) = line.strip_prefix('#') {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            let slug: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
            let mut unique = slug.clone();
            let mut count = 0;
            while !anchors.insert(unique) {
                count += 1;
                unique = format!("{slug}-{count}");
            }
        }
        for id in line.split("<a id=\"").skip(1) {
            anchors.insert(id.split('"').next().unwrap_or_default().to_owned());
        }
    }
    anchors
}

/// A piece of a page: a span of code, or what is between two of them.
struct Piece {
    /// The line on which it begins.
    line: usize,
    is_code: bool,
    text: String,
}

/// The page outside of fenced code blocks, in pieces. A span of code may go over the end of a line, not of a paragraph.
fn pieces(page: &File) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut is_code = false;
    for (line, text) in page.prose() {
        is_code &= !text.trim().is_empty();
        for (index, part) in text.split('`').enumerate() {
            is_code ^= index > 0;
            match pieces.last_mut() {
                Some(last) if index == 0 && last.is_code && is_code => {
                    last.text.push(' ');
                    last.text.push_str(part.trim_start());
                }
                _ => pieces.push(Piece {
                    line,
                    is_code,
                    text: part.to_owned(),
                }),
            }
        }
    }
    pieces
}

/// The text between backticks, on one line.
fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether `word` is a case id: one letter and one or two digits.
fn is_case_id(word: &str) -> bool {
    let mut bytes = word.bytes();
    bytes.next().is_some_and(|letter| letter.is_ascii_alphabetic())
        && (2..=3).contains(&word.len())
        && bytes.all(|digit| digit.is_ascii_digit())
}

#[track_caller]
fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn every_section_and_case_that_is_cited_is_in_the_book() {
    let files = files();
    let pages: BTreeMap<&str, BTreeSet<String>> = files
        .iter()
        .filter_map(|file| Some((file.path.strip_prefix("docs/src/reference/")?, anchors(file))))
        .collect();
    let mut cited = 0;
    let mut problems = Vec::new();
    for file in &files {
        for (number, line) in (1..).zip(file.text.lines()) {
            for (page, anchors) in &pages {
                for rest in line.split(&format!("{page}#")).skip(1) {
                    let anchor = leading_anchor(rest);
                    cited += 1;
                    if !anchors.contains(anchor) {
                        problems.push(format!("{}:{number}: {page} has no anchor {anchor:?}", file.path));
                    }
                }
            }
            if file.has_extension("rs") && line.contains(concat!("PRISM protocol, ", "section")) {
                problems.push(format!("{}:{number}: cite protocol.md and an anchor", file.path));
            }
        }
    }
    assert!(cited > 0, "no citation was found");
    assert_none(&problems);
}

/// What the citation of a case begins with.
const CASE_LINK: &str = concat!("edge-cases.md", "#");

/// Comments of these folders cite cases only in the form that the other tests understand. The other folders know nothing of
/// did:prism, and their comments have such names of their own.
const CITING: [&str; 7] = [
    "prism/",
    "fixtures/",
    "service/",
    "node/",
    "storage/",
    "conformance/suite/",
    "conformance/engines/",
];

#[test]
fn cases_are_cited_by_their_anchors() {
    let mut problems = Vec::new();
    for file in files().iter().filter(|file| file.has_extension("rs")) {
        if !CITING.iter().any(|folder| file.path.starts_with(folder)) {
            continue;
        }
        for (number, line) in (1..).zip(file.text.lines()) {
            let Some((_, comment)) = line.split_once("//") else {
                continue;
            };
            let mut words = comment.split(|c: char| !c.is_ascii_alphanumeric());
            if let Some(word) = words
                .find(|word| is_case_id(word) && word.starts_with(['C', 'D', 'E', 'H', 'I', 'O', 'S', 'U', 'V', 'Y']))
            {
                let anchor = word.to_lowercase();
                problems.push(format!("{}:{number}: cite {word} as {CASE_LINK}{anchor}", file.path));
            }
        }
    }
    assert_none(&problems);
}

/// The tests that carry each case, by the id of the case in lower case.
fn carriers(files: &[File]) -> BTreeMap<String, BTreeSet<String>> {
    let mut carriers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.has_extension("rs")) {
        // What stands directly before the line: comments and attributes.
        let mut before = String::new();
        for line in file.text.lines() {
            let Some(name) = function_name(line) else {
                if line.trim().is_empty() {
                    before.clear();
                } else {
                    before.push_str(line);
                    before.push('\n');
                }
                continue;
            };
            let is_suite_case = line.contains("(factory: &impl StoreFactory)");
            if is_suite_case
                || ["test]", "[rstest]", "[rstest("]
                    .iter()
                    .any(|mark| before.contains(mark))
            {
                let by_name = name.split('_').take_while(|part| is_case_id(part));
                let by_comment = before.split(CASE_LINK).skip(1).map(leading_anchor);
                for case in by_name.chain(by_comment.filter(|anchor| is_case_id(anchor))) {
                    carriers.entry(case.to_owned()).or_default().insert(name.to_owned());
                }
            }
            before.clear();
        }
    }
    carriers
}

/// The name of the function that the line begins.
fn function_name(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("fn ")?;
    let is_item = before
        .split_whitespace()
        .all(|word| ["pub", "async", "pub(crate)"].contains(&word));
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    (is_item && end > 0).then(|| &rest[..end])
}

/// What the page of edge cases says of each case: the line of its entry, and the tests that it names or that there is none.
fn claims(page: &File) -> BTreeMap<String, (usize, BTreeSet<String>, bool)> {
    let mut claims: BTreeMap<String, (usize, BTreeSet<String>, bool)> = BTreeMap::new();
    let mut current = None;
    let mut in_tests = false;
    for (number, line) in page.prose() {
        if let Some((_, rest)) = line.split_once("<a id=\"") {
            let id = rest.split('"').next().unwrap_or_default().to_owned();
            claims.insert(id.clone(), (number, BTreeSet::new(), false));
            current = Some(id);
            in_tests = false;
        } else if line.starts_with('#') {
            current = None;
        }
        let Some((_, tests, no_test)) = current.as_ref().and_then(|id| claims.get_mut(id)) else {
            continue;
        };
        let of_tests = match line.split_once("*Tests:*") {
            Some((_, of_tests)) => {
                in_tests = true;
                of_tests
            }
            None if in_tests => line,
            None => "",
        };
        *no_test |= line.contains("*No test.*");
        tests.extend(code_spans(of_tests).map(str::to_owned));
    }
    claims
}

#[test]
fn every_case_names_the_tests_that_carry_it() {
    const PAGE: &str = "docs/src/reference/edge-cases.md";
    let files = files();
    let claims = claims(files.iter().find(|file| file.path == PAGE).unwrap());
    let carriers = carriers(&files);
    let mut problems = Vec::new();
    for (case, tests) in &carriers {
        if !claims.contains_key(case) {
            problems.push(format!("{PAGE}: no case {case}, which is carried by {tests:?}"));
        }
    }
    for (case, (number, claimed, no_test)) in &claims {
        let carried = carriers.get(case).cloned().unwrap_or_default();
        if *claimed != carried || *no_test != carried.is_empty() {
            let right = if carried.is_empty() {
                "*No test.*".to_owned()
            } else {
                let tests: Vec<_> = carried.iter().map(|test| format!("`{test}`")).collect();
                format!("*Tests:* {}", tests.join(", "))
            };
            problems.push(format!(
                "{PAGE}:{number}: what the tests cite is not what the entry of {case} says; it should end with\n  {right}"
            ));
        }
    }
    assert!(!claims.is_empty(), "no case was found");
    assert_none(&problems);
}

/// The tests that each row of the table of faults names, with the line of the row.
fn tests_of_faults(page: &File) -> Vec<(usize, BTreeSet<&str>)> {
    let rows = page.prose().filter(|(_, line)| line.starts_with("| "));
    // The first row is the head of the table.
    let rows = rows.skip(1);
    rows.map(|(number, line)| {
        let last = line.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
        (number, code_spans(last).collect())
    })
    .collect()
}

#[test]
fn every_fault_has_a_test() {
    const PAGE: &str = "docs/src/faults.md";
    let files = files();
    let rust = files.iter().filter(|file| file.has_extension("rs"));
    let functions: BTreeSet<&str> = rust
        .flat_map(|file| file.text.lines().filter_map(function_name))
        .collect();
    let page = files.iter().find(|file| file.path == PAGE).unwrap();
    let rows = tests_of_faults(page);
    let mut problems = Vec::new();
    for (number, tests) in &rows {
        if tests.is_empty() {
            problems.push(format!("{PAGE}:{number}: the row names no test"));
        }
        for test in tests.difference(&functions) {
            problems.push(format!("{PAGE}:{number}: there is no test {test}"));
        }
    }
    assert!(!rows.is_empty(), "no fault was found");
    assert_none(&problems);
}

/// The targets of a page's links, each with its line. What is code is no link.
fn links(page: &File) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for piece in pieces(page).iter().filter(|piece| !piece.is_code) {
        // The text of a link may end in code, so that its target begins the next piece.
        for rest in piece.text.split("](").skip(1) {
            links.push((piece.line, rest.split([')', ' ']).next().unwrap_or_default().to_owned()));
        }
    }
    links
}

/// `target` from the folder of the file `from`, without `.` and `..`.
fn resolved(from: &str, target: &str) -> String {
    let path = Path::new(from).parent().unwrap().join(target);
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(parts.pop()),
            Component::Normal(part) => parts.push(part.to_string_lossy()),
            _ => {}
        }
    }
    parts.join("/")
}

#[test]
fn every_relative_link_leads_somewhere() {
    let files = files();
    let mut problems = Vec::new();
    for page in files.iter().filter(|file| file.has_extension("md")) {
        for (number, target) in links(page) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = if path.is_empty() {
                page.path.clone()
            } else {
                resolved(&page.path, path)
            };
            let linked = files.iter().find(|file| file.path == path);
            let is_there = linked.is_some() || root().join(&path).exists();
            let has_anchor = anchor.is_empty() || linked.is_some_and(|file| anchors(file).contains(anchor));
            if !is_there || !has_anchor {
                problems.push(format!("{}:{number}: the link to {target} leads nowhere", page.path));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn every_page_is_in_the_summary() {
    const SUMMARY: &str = "docs/src/SUMMARY.md";
    let files = files();
    let summary = files.iter().find(|file| file.path == SUMMARY).unwrap();
    let listed: BTreeSet<String> = links(summary)
        .iter()
        .map(|(_, target)| resolved(SUMMARY, target))
        .collect();
    let pages = files
        .iter()
        .filter(|file| file.path.starts_with("docs/src/") && file.has_extension("md"));
    let missing: Vec<String> = pages
        .filter(|page| page.path != SUMMARY && !listed.contains(&page.path))
        .map(|page| format!("{SUMMARY}: {} is missing", page.path))
        .collect();
    assert_none(&missing);
}

#[test]
fn every_recipe_that_is_named_is_in_the_justfile() {
    let files = files();
    let justfile = files.iter().find(|file| file.path == "justfile").unwrap();
    let recipes: BTreeSet<&str> = justfile
        .text
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()) && !line.contains(":="))
        .filter_map(|line| line.split_once(':')?.0.split(' ').next())
        .collect();
    assert!(recipes.contains("test"), "{recipes:?}");
    let mut problems = Vec::new();
    for page in files.iter().filter(|file| file.has_extension("md")) {
        // A command is a span of code, or a line of a block of code.
        let spans = pieces(page).into_iter().filter(|piece| piece.is_code);
        let spans = spans.map(|piece| (piece.line, piece.text));
        let is_code = |line: &&str| line.starts_with("    ") || line.starts_with("$ ");
        let lines = (1..).zip(page.text.lines()).filter(|(_, line)| is_code(line));
        for (number, command) in spans.chain(lines.map(|(number, line)| (number, line.to_owned()))) {
            let Some(arguments) = command.trim_start_matches(['$', ' ']).strip_prefix("just ") else {
                continue;
            };
            let recipe = arguments.split_whitespace().next().unwrap_or_default();
            if recipe.starts_with(|c: char| c.is_ascii_lowercase()) && !recipes.contains(recipe) {
                problems.push(format!("{}:{number}: the justfile has no recipe {recipe}", page.path));
            }
        }
    }
    assert_none(&problems);
}

/// The table of rules as the code has it, with the headings of the page.
fn table_of_rules(page: &File) -> String {
    let title = |anchor: &str| {
        let headings = page.prose().filter_map(|(_, line)| line.strip_prefix('#'));
        let mut titles = headings.map(|heading| heading.trim_start_matches('#').trim());
        let has_anchor = |title: &&str| title.to_lowercase().replace(' ', "-") == anchor;
        titles.find(has_anchor).unwrap_or(anchor).to_owned()
    };
    let rows = Rule::ALL.iter().map(|rule| {
        let sections = rule.sections().iter();
        let links: Vec<_> = sections
            .map(|anchor| format!("[{}](#{anchor})", title(anchor)))
            .collect();
        format!("| `{rule}` | {} | {} |\n", rule.meaning(), links.join(", "))
    });
    ["| Name | Broken by | Section |\n|---|---|---|\n".to_owned()]
        .into_iter()
        .chain(rows)
        .collect()
}

/// That its links lead somewhere, the test of links checks.
#[test]
fn the_book_lists_the_rules_of_the_code() {
    const PAGE: &str = "docs/src/reference/protocol.md";
    let files = files();
    let page = files.iter().find(|file| file.path == PAGE).unwrap();
    let table = table_of_rules(page);
    assert!(
        page.text.contains(&table),
        "{PAGE}: the table of rules should be\n{table}"
    );
}
