//! The statements of a crate, as its sources hand them to sqlx.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Expr, ExprCall, ExprMethodCall, FnArg, ImplItemFn, ItemConst, ItemFn, ItemMacro, ItemMod, Lit, LitStr,
    Macro, Pat, Signature, Type,
};

use crate::{Engine, Error, Result};

/// The number of a literal among those of its crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LiteralId(pub usize);

/// A string literal that is a statement, or a part of one.
#[derive(Debug, Clone)]
pub struct Literal {
    /// The file, below the root of the workspace.
    pub file: PathBuf,
    /// The function it stands in, or the macro with an exclamation mark.
    pub function: String,
    /// Where it stands in the file, quotes included.
    pub bytes: Range<usize>,
    /// Its lines, from 1 on.
    pub lines: Range<usize>,
    /// What it means.
    pub value: String,
}

/// A part of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A literal.
    Literal(LiteralId),
    /// What a builder adds while the program runs, as it would for one row.
    Built(String),
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its parts, in order.
    pub pieces: Vec<Piece>,
    /// How the compiler checks it.
    pub check: Check,
}

/// How the compiler checks a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// A macro that makes its own record, whose fields change their types with the statement: `query!`, `query_scalar!`.
    Record,
    /// A macro that fills a given type, into which a column that is never NULL fits as well: `query_as!`.
    Given,
    /// Not at all.
    Unchecked,
}

/// The statements of a crate.
#[derive(Debug, Default)]
pub struct Source {
    /// The literals that statements are made of, by file and place.
    pub literals: Vec<Literal>,
    /// The statements, by file and place.
    pub statements: Vec<Statement>,
}

impl Source {
    /// Reads the sources of the crate in `directory`, which is named from the root of the workspace.
    ///
    /// # Errors
    /// `Source` for a literal that looks like SQL and is not handed to sqlx in one of the ways this crate knows: one that
    /// is passed over would be a statement without mutants.
    pub fn read(engine: Engine, workspace: &Path, directory: &Path) -> Result<Self> {
        let mut files = Vec::new();
        rust_files(&workspace.join(directory).join("src"), &mut files)?;
        files.sort();
        let mut texts = Vec::new();
        for file in files {
            let text = fs::read_to_string(&file).map_err(Error::io(format!("read {}", file.display())))?;
            let name = file.strip_prefix(workspace).unwrap_or(&file).to_owned();
            texts.push((name, text));
        }
        Self::parse(engine, &texts)
    }

    /// Reads source files, named from the root of the workspace.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn parse(engine: Engine, files: &[(PathBuf, String)]) -> Result<Self> {
        let mut reader = Reader {
            engine,
            source: Self::default(),
            templates: BTreeMap::new(),
            file: PathBuf::new(),
            text: String::new(),
            functions: Vec::new(),
            literals_only: Vec::new(),
            claimed: Vec::new(),
            error: None,
        };
        let mut parsed = Vec::new();
        for (name, text) in files {
            let file = syn::parse_file(text).map_err(|error| Error::Source {
                file: name.clone(),
                line: error.span().start().line,
                detail: format!("not Rust: {error}"),
            })?;
            parsed.push((name, text, file));
        }
        // A macro may be used before the file that defines it is read.
        for (name, text, file) in &parsed {
            reader.enter(name, text);
            Templates(&mut reader).visit_file(file);
        }
        for (name, text, file) in &parsed {
            reader.enter(name, text);
            reader.visit_file(file);
        }
        match reader.error {
            Some(error) => Err(error),
            None => Ok(reader.source),
        }
    }

    /// The literal with this number.
    pub fn literal(&self, id: LiteralId) -> Option<&Literal> {
        self.literals.get(id.0)
    }

    /// The text of a statement where some literals have another value.
    pub fn text(&self, statement: &Statement, changed: &BTreeMap<LiteralId, String>) -> String {
        statement
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(id) => changed
                    .get(id)
                    .map(String::as_str)
                    .or_else(|| self.literal(*id).map(|literal| literal.value.as_str()))
                    .unwrap_or(""),
                Piece::Built(text) => text,
            })
            .collect()
    }
}

fn rust_files(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let read = || format!("read {}", directory.display());
    for entry in fs::read_dir(directory).map_err(Error::io(read()))? {
        let path = entry.map_err(Error::io(read()))?.path();
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// A macro of the crate that hands a statement to a macro of sqlx.
struct Template {
    parts: Vec<TemplatePart>,
    check: Check,
}

enum TemplatePart {
    Literal(LiteralId),
    /// The argument with this number.
    Argument(usize),
}

struct Reader {
    engine: Engine,
    source: Source,
    templates: BTreeMap<String, Template>,
    file: PathBuf,
    text: String,
    functions: Vec<String>,
    /// Parameters of the function that can be given nothing but literals and constants.
    literals_only: Vec<String>,
    /// Literals of this file that are part of a statement.
    claimed: Vec<Range<usize>>,
    error: Option<Error>,
}

/// The macros of sqlx that take a statement: how they check it, and which of their arguments it is.
fn sqlx_macro(name: &str) -> Option<(Check, usize)> {
    match name {
        "query" | "query_scalar" => Some((Check::Record, 0)),
        "query_as" => Some((Check::Given, 1)),
        "query_unchecked" | "query_scalar_unchecked" => Some((Check::Unchecked, 0)),
        "query_as_unchecked" => Some((Check::Unchecked, 1)),
        _ => None,
    }
}

/// Whether a text begins as statements do.
fn looks_like_sql(text: &str) -> bool {
    const FIRST_WORDS: [&str; 26] = [
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "WITH",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT",
        "RELEASE",
        "DEALLOCATE",
        "PRAGMA",
        "COPY",
        "CREATE",
        "ALTER",
        "DROP",
        "TRUNCATE",
        "VACUUM",
        "ANALYZE",
        "REINDEX",
        "LOCK",
        "SET",
        "NOTIFY",
        "LISTEN",
        "EXPLAIN",
        "VALUES",
    ];
    let begin = text.trim_start();
    let first = begin
        .split(|character: char| !character.is_ascii_alphabetic())
        .next()
        .unwrap_or("");
    FIRST_WORDS.contains(&first)
}

/// The parts of a token stream between its commas.
fn arguments(tokens: &TokenStream) -> Vec<Vec<TokenTree>> {
    let mut parts = vec![Vec::new()];
    for token in tokens.clone() {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => parts.push(Vec::new()),
            _ => {
                if let Some(part) = parts.last_mut() {
                    part.push(token);
                }
            }
        }
    }
    parts
}

/// A string literal.
fn string(token: &TokenTree) -> Option<LitStr> {
    match token {
        TokenTree::Literal(literal) => match Lit::new(literal.clone()) {
            Lit::Str(text) => Some(text),
            _ => None,
        },
        // A literal that a macro's caller has written comes in a group without delimiters.
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let mut tokens = group.stream().into_iter();
            let only = tokens.next()?;
            tokens.next().is_none().then(|| string(&only))?
        }
        _ => None,
    }
}

impl Reader {
    fn enter(&mut self, name: &Path, text: &str) {
        name.clone_into(&mut self.file);
        text.clone_into(&mut self.text);
        self.functions.clear();
        self.claimed = self
            .source
            .literals
            .iter()
            .filter(|literal| literal.file == name)
            .map(|literal| literal.bytes.clone())
            .collect();
    }

    fn fail(&mut self, span: Span, detail: impl Into<String>) {
        let error = Error::Source {
            file: self.file.clone(),
            line: span.start().line,
            detail: detail.into(),
        };
        self.error.get_or_insert(error);
    }

    fn claim(&mut self, literal: &LitStr) -> LiteralId {
        let bytes = literal.span().byte_range();
        self.claimed.push(bytes.clone());
        self.source.literals.push(Literal {
            file: self.file.clone(),
            function: self.functions.last().cloned().unwrap_or_default(),
            bytes,
            lines: literal.span().start().line..literal.span().end().line + 1,
            value: literal.value(),
        });
        LiteralId(self.source.literals.len() - 1)
    }

    /// Literals and, in a macro's definition, its variables, joined by `+`.
    fn parts(&mut self, tokens: &[TokenTree], variables: &[String]) -> Option<Vec<TemplatePart>> {
        let mut parts = Vec::new();
        let mut tokens = tokens.iter();
        loop {
            let token = tokens.next()?;
            if let Some(literal) = string(token) {
                parts.push(TemplatePart::Literal(self.claim(&literal)));
            } else if matches!(token, TokenTree::Punct(punct) if punct.as_char() == '$') {
                let TokenTree::Ident(name) = tokens.next()? else {
                    return None;
                };
                let number = variables.iter().position(|variable| name == variable)?;
                parts.push(TemplatePart::Argument(number));
            } else {
                return None;
            }
            match tokens.next() {
                None => return Some(parts),
                Some(TokenTree::Punct(punct)) if punct.as_char() == '+' => {}
                Some(_) => return None,
            }
        }
    }

    /// The SQL of a macro of sqlx.
    fn sqlx_call(&mut self, check: Check, number: usize, tokens: &TokenStream, span: Span) {
        let arguments = arguments(tokens);
        let parts = arguments.get(number).and_then(|argument| self.parts(argument, &[]));
        let Some(parts) = parts else {
            self.fail(span, "the statement of this macro is not made of string literals");
            return;
        };
        let pieces = parts
            .into_iter()
            .filter_map(|part| match part {
                TemplatePart::Literal(id) => Some(Piece::Literal(id)),
                TemplatePart::Argument(_) => None,
            })
            .collect();
        self.source.statements.push(Statement { pieces, check });
    }

    /// The SQL of a macro of the crate.
    fn template_call(&mut self, name: &str, tokens: &TokenStream, span: Span) {
        let arguments = arguments(tokens);
        let Some(template) = self.templates.get(name) else {
            return;
        };
        let check = template.check;
        let numbers: Vec<_> = template
            .parts
            .iter()
            .map(|part| match part {
                TemplatePart::Literal(id) => Ok(*id),
                TemplatePart::Argument(number) => Err(*number),
            })
            .collect();
        let mut pieces = Vec::new();
        for part in numbers {
            match part {
                Ok(id) => pieces.push(Piece::Literal(id)),
                Err(number) => {
                    let literal = match arguments.get(number).map(Vec::as_slice) {
                        Some([only]) => string(only),
                        _ => None,
                    };
                    let Some(literal) = literal else {
                        self.fail(span, format!("argument {number} of {name}! is not a string literal"));
                        return;
                    };
                    pieces.push(Piece::Literal(self.claim(&literal)));
                }
            }
        }
        self.source.statements.push(Statement { pieces, check });
    }

    /// The SQL of a chain of calls that starts with `QueryBuilder::new`, and the rest of the calls' arguments.
    fn builder(&mut self, first: &LitStr, calls: &[&ExprMethodCall]) {
        let mut pieces = vec![Piece::Literal(self.claim(first))];
        let mut parameters = 0_usize;
        for call in calls {
            let argument = call.args.first();
            match (call.method.to_string().as_str(), argument) {
                ("push", Some(Expr::Lit(literal))) => match &literal.lit {
                    Lit::Str(literal) => pieces.push(Piece::Literal(self.claim(literal))),
                    _ => self.fail(call.span(), "QueryBuilder::push with something else than a string"),
                },
                ("push_bind", _) => {
                    let parameter = self.parameter(&mut parameters);
                    pieces.push(Piece::Built(parameter));
                }
                ("push_values", _) => {
                    let mut binds = Binds(0);
                    if let Some(row) = call.args.iter().nth(1) {
                        binds.visit_expr(row);
                    }
                    let row: Vec<String> = (0..binds.0).map(|_| self.parameter(&mut parameters)).collect();
                    pieces.push(Piece::Built(format!("VALUES ({})", row.join(", "))));
                }
                ("build" | "build_query_as" | "build_query_scalar" | "persistent", _) => break,
                (method, _) => {
                    let detail = format!("QueryBuilder::{method} is not understood; teach it to sql-mutants");
                    self.fail(call.span(), detail);
                    return;
                }
            }
        }
        self.source.statements.push(Statement {
            pieces,
            check: Check::Unchecked,
        });
    }

    fn parameter(&self, count: &mut usize) -> String {
        *count += 1;
        match self.engine {
            Engine::Postgres => format!("${count}"),
            Engine::Sqlite => "?".to_owned(),
        }
    }

    fn is_claimed(&self, literal: &LitStr) -> bool {
        self.claimed.contains(&literal.span().byte_range())
    }

    /// A literal outside of everything that was understood.
    fn other_literal(&mut self, literal: &LitStr) {
        if !self.is_claimed(literal) && looks_like_sql(&literal.value()) {
            self.fail(
                literal.span(),
                "this literal looks like SQL and is not handed to sqlx where it is written; hand it over there, or teach \
                 sql-mutants this way",
            );
        }
    }

    fn other_tokens(&mut self, tokens: &TokenStream) {
        for token in tokens.clone() {
            if let Some(literal) = string(&token) {
                self.other_literal(&literal);
            } else if let TokenTree::Group(group) = token {
                self.other_tokens(&group.stream());
            }
        }
    }
}

/// Counts the values of a row that a builder's closure binds.
struct Binds(usize);

impl Visit<'_> for Binds {
    fn visit_expr_method_call(&mut self, call: &ExprMethodCall) {
        if call.method == "push_bind" {
            self.0 += 1;
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// Collects the macros of the crate that call one of sqlx.
struct Templates<'r>(&'r mut Reader);

impl Visit<'_> for Templates<'_> {
    fn visit_item_macro(&mut self, item: &ItemMacro) {
        let Some(name) = &item.ident else { return };
        let mut groups = item.mac.tokens.clone().into_iter().filter_map(|token| match token {
            TokenTree::Group(group) => Some(group.stream()),
            _ => None,
        });
        while let (Some(matcher), Some(body)) = (groups.next(), groups.next()) {
            let variables: Vec<String> = arguments(&matcher)
                .iter()
                .map(|part| match part.as_slice() {
                    [TokenTree::Punct(dollar), TokenTree::Ident(name), ..] if dollar.as_char() == '$' => {
                        name.to_string()
                    }
                    _ => String::new(),
                })
                .collect();
            self.0.functions.push(format!("{name}!"));
            self.body(&name.to_string(), &variables, &body);
            self.0.functions.pop();
        }
    }
}

impl Templates<'_> {
    fn body(&mut self, name: &str, variables: &[String], body: &TokenStream) {
        let tokens: Vec<TokenTree> = body.clone().into_iter().collect();
        for (index, token) in tokens.iter().enumerate() {
            let call = match tokens.get(index..index + 3) {
                Some(
                    [
                        TokenTree::Ident(called),
                        TokenTree::Punct(mark),
                        TokenTree::Group(group),
                    ],
                ) if mark.as_char() == '!' => {
                    sqlx_macro(&called.to_string()).map(|found| (found, group.stream(), called.span()))
                }
                _ => None,
            };
            if let Some(((check, number), stream, span)) = call {
                let argument = arguments(&stream).into_iter().nth(number);
                match argument.and_then(|argument| self.0.parts(&argument, variables)) {
                    Some(parts) => {
                        if self.0.templates.insert(name.to_owned(), Template { parts, check }).is_some() {
                            self.0.fail(span, format!("{name}! calls sqlx twice; teach this to sql-mutants"));
                        }
                    }
                    None => self.0.fail(
                        span,
                        "the statement of this macro is not made of string literals and arguments of the macro around it",
                    ),
                }
            } else if let TokenTree::Group(group) = token {
                self.body(name, variables, &group.stream());
            }
        }
    }
}

impl Visit<'_> for Reader {
    // Documentation is written as attributes.
    fn visit_attribute(&mut self, _: &Attribute) {}

    fn visit_item_mod(&mut self, item: &ItemMod) {
        let is_test = item.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute
                    .meta
                    .require_list()
                    .is_ok_and(|list| list.tokens.to_string() == "test")
        });
        if !is_test {
            visit::visit_item_mod(self, item);
        }
    }

    /// A statement that several functions share.
    fn visit_item_const(&mut self, item: &ItemConst) {
        self.functions.push(item.ident.to_string());
        self.call_argument(Some(&item.expr));
        visit::visit_item_const(self, item);
        self.functions.pop();
    }

    fn visit_item_fn(&mut self, item: &ItemFn) {
        self.enter_function(&item.sig);
        visit::visit_item_fn(self, item);
        self.functions.pop();
    }

    fn visit_impl_item_fn(&mut self, item: &ImplItemFn) {
        self.enter_function(&item.sig);
        visit::visit_impl_item_fn(self, item);
        self.functions.pop();
    }

    fn visit_item_macro(&mut self, item: &ItemMacro) {
        if item.ident.is_some() {
            self.other_tokens(&item.mac.tokens);
        } else {
            visit::visit_item_macro(self, item);
        }
    }

    fn visit_macro(&mut self, item: &Macro) {
        let Some(name) = item.path.segments.last().map(|segment| segment.ident.to_string()) else {
            return;
        };
        if let Some((check, number)) = sqlx_macro(&name) {
            self.sqlx_call(check, number, &item.tokens, item.span());
        } else if self.templates.contains_key(&name) {
            self.template_call(&name, &item.tokens, item.span());
        }
        self.other_tokens(&item.tokens);
    }

    fn visit_expr_method_call(&mut self, call: &ExprMethodCall) {
        // The calls of a chain, from its root on.
        let mut calls = vec![call];
        let mut root = &*call.receiver;
        while let Expr::MethodCall(inner) = root {
            calls.insert(0, inner);
            root = &inner.receiver;
        }
        if let Some(first) = builder_root(root)
            && !self.is_claimed(&first)
        {
            self.builder(&first, &calls);
        }
        self.call_argument(call.args.first());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &ExprCall) {
        if let Expr::Path(path) = &*call.func
            && path.path.segments.iter().any(|segment| segment.ident == "QueryBuilder")
        {
            if let Some(first) = builder_root_call(call)
                && !self.is_claimed(&first)
            {
                self.fail(
                    call.span(),
                    "a QueryBuilder whose calls are not one chain is not understood; make them one, or teach sql-mutants",
                );
            }
        } else {
            if let Some(function) = sqlx_function(call)
                && !self.is_known(call.args.first())
            {
                self.fail(
                    call.span(),
                    format!("the statement of {function}() is no string literal, so nobody knows what it may be"),
                );
            }
            self.call_argument(call.args.first());
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_lit_str(&mut self, literal: &LitStr) {
        self.other_literal(literal);
    }
}

impl Reader {
    /// Whether a statement is written here, or has a name by which it is found elsewhere: that of a constant, or of a parameter
    /// that only literals and constants can be given for.
    fn is_known(&self, statement: Option<&Expr>) -> bool {
        match statement {
            Some(Expr::Lit(_)) => true,
            Some(Expr::Path(path)) => path.path.get_ident().is_some_and(|name| {
                let name = name.to_string();
                name.chars().all(|character| !character.is_lowercase()) || self.literals_only.contains(&name)
            }),
            _ => false,
        }
    }

    /// The parameters of a function that are `&'static str`.
    fn enter_function(&mut self, signature: &Signature) {
        self.functions.push(signature.ident.to_string());
        self.literals_only = signature
            .inputs
            .iter()
            .filter_map(|input| match input {
                FnArg::Typed(typed) => Some((&*typed.pat, &*typed.ty)),
                FnArg::Receiver(_) => None,
            })
            .filter_map(|(pattern, kind)| match (pattern, kind) {
                (Pat::Ident(name), Type::Reference(reference)) => {
                    let lifetime = reference.lifetime.as_ref()?;
                    (lifetime.ident == "static").then(|| name.ident.to_string())
                }
                _ => None,
            })
            .collect();
    }

    /// A statement that is the first argument of a call, `sqlx::query(…)` or `pool.begin_with(…)`, or a constant.
    fn call_argument(&mut self, argument: Option<&Expr>) {
        if let Some(Expr::Lit(literal)) = argument
            && let Lit::Str(literal) = &literal.lit
            && !self.is_claimed(literal)
            && looks_like_sql(&literal.value())
        {
            let id = self.claim(literal);
            self.source.statements.push(Statement {
                pieces: vec![Piece::Literal(id)],
                check: Check::Unchecked,
            });
        }
    }
}

/// The function of sqlx that takes a statement.
fn sqlx_function(call: &ExprCall) -> Option<String> {
    const FUNCTIONS: [&str; 7] = [
        "query",
        "query_as",
        "query_as_with",
        "query_scalar",
        "query_scalar_with",
        "query_with",
        "raw_sql",
    ];
    let Expr::Path(path) = &*call.func else { return None };
    let name = path.path.segments.last()?.ident.to_string();
    FUNCTIONS.contains(&name.as_str()).then_some(name)
}

fn builder_root(root: &Expr) -> Option<LitStr> {
    match root {
        Expr::Call(call) => builder_root_call(call),
        _ => None,
    }
}

/// The literal of `QueryBuilder::new("…")`.
fn builder_root_call(call: &ExprCall) -> Option<LitStr> {
    let Expr::Path(path) = &*call.func else { return None };
    let mut segments = path.path.segments.iter().rev();
    let (function, owner) = (segments.next()?, segments.next()?);
    if function.ident != "new" || owner.ident != "QueryBuilder" {
        return None;
    }
    match call.args.first() {
        Some(Expr::Lit(literal)) => match &literal.lit {
            Lit::Str(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}
