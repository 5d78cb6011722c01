//! `dialect-parity`: compares two dialects of one project, for a shell and for CI.

#![allow(
    clippy::doc_markdown,
    reason = "the help text is made of doc comments, and would show the backticks"
)]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use dialect_parity::plan::{Queries, plan};
use dialect_parity::probe::probe;
use dialect_parity::{
    Config, Engine, Error, Loaded, Options, Result, Side, allow_entries, compare, dump, golden, load, report,
};
use serde_json::json;

/// Compares the SQL that a project keeps in two dialects, PostgreSQL's and SQLite's.
///
/// Exit codes: 0 alike, 1 drift (or a comparison that is incomplete, as of a table that can't be probed), 2 usage.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Compare two schemas as structure
    Schema(SchemaArguments),
    /// Try rows that constraints accept and refuse on both engines
    Probe(ProbeArguments),
    /// Read both engines' plans of named queries, and count the rows that they touch
    Plan(PlanArguments),
    /// Write both schemas as text, or check what is written
    Golden(GoldenArguments),
}

#[derive(Args)]
struct GoldenArguments {
    #[command(flatten)]
    sides: Sides,
    /// Where the files are
    #[arg(long, value_name = "DIRECTORY")]
    directory: PathBuf,
    /// Write nothing; fail and name what is stale
    #[arg(long)]
    check: bool,
}

#[derive(Args)]
struct ProbeArguments {
    #[command(flatten)]
    sides: Sides,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    /// Name every column of a kind of row, and what follows from types that SQLite does not enforce
    #[arg(short, long, conflicts_with = "json")]
    verbose: bool,
}

#[derive(Args)]
struct PlanArguments {
    #[command(flatten)]
    sides: Sides,
    /// The queries, with the indexes that they rely on
    #[arg(long, value_name = "FILE")]
    queries: PathBuf,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Sides {
    /// PostgreSQL's side: a directory of migrations, a file of SQL, or postgres://…
    #[arg(long, value_name = "SIDE")]
    postgres: String,
    /// SQLite's side: a directory of migrations, a file of SQL, a database file, or sqlite://…
    #[arg(long, value_name = "SIDE")]
    sqlite: String,
    /// Settings: declared types, known differences
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Files of a directory, in place of the known layouts; may be given as postgres=PATTERN and sqlite=PATTERN
    #[arg(long, value_name = "PATTERN")]
    glob: Vec<String>,
    /// SQL to apply first, to PostgreSQL unless it is sqlite=FILE: extensions, stand-ins for what the program registers
    #[arg(long, value_name = "FILE")]
    prelude: Vec<String>,
}

#[derive(Args)]
struct SchemaArguments {
    #[command(flatten)]
    sides: Sides,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    /// Name every object of a group, and everything that is not compared
    #[arg(short, long, conflicts_with = "json")]
    verbose: bool,
    /// Add today's differences to the settings file, so that only new ones fail
    #[arg(long, requires = "config")]
    write_allow: bool,
}

impl Sides {
    fn options(&self, engine: Engine) -> Options {
        let own = |text: &str, default: bool| {
            let (prefix, rest) = match text.split_once('=') {
                Some(("postgres", rest)) => (Some(Engine::Postgres), rest),
                Some(("sqlite", rest)) => (Some(Engine::Sqlite), rest),
                _ => (None, text),
            };
            (prefix == Some(engine) || (prefix.is_none() && default)).then(|| rest.to_owned())
        };
        Options {
            glob: self.glob.iter().find_map(|text| own(text, true)),
            preludes: self
                .prelude
                .iter()
                .filter_map(|text| own(text, engine == Engine::Postgres))
                .map(PathBuf::from)
                .collect(),
        }
    }

    async fn load(&self) -> Result<(Loaded, Loaded)> {
        tokio::try_join!(self.load_one(Engine::Postgres), self.load_one(Engine::Sqlite))
    }

    async fn load_one(&self, engine: Engine) -> Result<Loaded> {
        let text = match engine {
            Engine::Postgres => &self.postgres,
            Engine::Sqlite => &self.sqlite,
        };
        load(engine, &Side::parse(engine, text)?, &self.options(engine)).await
    }

    /// The settings; with `create` a file that does not exist yet has none.
    fn config(&self, create: bool) -> Result<Config> {
        match &self.config {
            Some(path) if create && !path.exists() => Ok(Config::default()),
            Some(path) => Config::read(path),
            None => Ok(Config::default()),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Schema(arguments) => schema(&arguments).await,
        Task::Probe(arguments) => probes(&arguments).await,
        Task::Plan(arguments) => plans(&arguments).await,
        Task::Golden(arguments) => golden_files(&arguments).await,
    };
    done.unwrap_or_else(|error| {
        eprintln!("dialect-parity: {error}");
        ExitCode::from(2)
    })
}

/// Prints to stdout; a reader that has gone away is no failure.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

async fn schema(arguments: &SchemaArguments) -> Result<ExitCode> {
    let config = arguments.sides.config(arguments.write_allow)?;
    let (postgres, sqlite) = arguments.sides.load().await?;
    let mut comparison = compare(&postgres, &sqlite, &config);
    let mut witnesses = Vec::new();
    for loaded in [&postgres, &sqlite] {
        let (unaccounted, missing) = match dump(loaded).await {
            Ok(dump) => (dump.unaccounted, None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        witnesses.push((loaded.schema.engine, unaccounted, missing));
    }
    if arguments.write_allow {
        let path = arguments.sides.config.clone().unwrap_or_default();
        let file = |error| Error::File {
            action: "written",
            path: path.clone(),
            source: error,
        };
        let mut output = OpenOptions::new().create(true).append(true).open(&path).map_err(file)?;
        output
            .write_all(allow_entries(&comparison.drifts).as_bytes())
            .map_err(file)?;
        eprintln!(
            "dialect-parity: {} entries added to {}",
            comparison.drifts.len(),
            path.display()
        );
        comparison.allowed.append(&mut comparison.drifts);
    }
    if arguments.json {
        let witnesses: Vec<_> = witnesses
            .iter()
            .map(|(engine, unaccounted, missing)| json!({"engine": engine, "unaccounted": unaccounted, "missing": missing}))
            .collect();
        let answer = json!({
            "alike": comparison.is_alike(),
            "comparison": comparison,
            "postgres": postgres.schema,
            "sqlite": sqlite.schema,
            "witnesses": witnesses,
        });
        print(&format!("{answer:#}\n"));
    } else {
        for (engine, unaccounted, missing) in &witnesses {
            for statement in unaccounted {
                print(&format!("unread  {engine}  {statement} …: no part of the comparison\n"));
            }
            if let Some(reason) = missing {
                eprintln!("dialect-parity: no second witness for {engine}: {reason}");
            }
        }
        print(&report::text(&comparison, &postgres, &sqlite, arguments.verbose));
    }
    Ok(ExitCode::from(u8::from(!comparison.is_alike())))
}

async fn probes(arguments: &ProbeArguments) -> Result<ExitCode> {
    let config = arguments.sides.config(false)?;
    let (postgres, sqlite) = arguments.sides.load().await?;
    let probes = probe(&postgres, &sqlite, &config).await?;
    if arguments.json {
        print(&format!("{:#}\n", json!(probes)));
    } else {
        print(&report::probes(&probes, arguments.verbose));
    }
    Ok(ExitCode::from(u8::from(!probes.agree())))
}

async fn plans(arguments: &PlanArguments) -> Result<ExitCode> {
    let queries = Queries::read(&arguments.queries)?;
    let sides = &arguments.sides;
    let (postgres, sqlite) = tokio::try_join!(
        plan(Engine::Postgres, &queries, || sides.load_one(Engine::Postgres)),
        plan(Engine::Sqlite, &queries, || sides.load_one(Engine::Sqlite)),
    )?;
    let plans = postgres.and(sqlite);
    if arguments.json {
        print(&format!("{:#}\n", json!(plans)));
    } else {
        print(&report::plans(&plans));
    }
    Ok(ExitCode::from(u8::from(!plans.findings.is_empty())))
}

async fn golden_files(arguments: &GoldenArguments) -> Result<ExitCode> {
    let (postgres, sqlite) = arguments.sides.load().await?;
    let sides = [
        &Side::parse(Engine::Postgres, &arguments.sides.postgres)?,
        &Side::parse(Engine::Sqlite, &arguments.sides.sqlite)?,
    ];
    let (files, missing) = golden::files(&postgres, &sqlite, sides).await?;
    for reason in &missing {
        eprintln!("dialect-parity: {reason}");
    }
    if !arguments.check {
        golden::write(&arguments.directory, &files)?;
        return Ok(ExitCode::SUCCESS);
    }
    let stale = golden::stale(&arguments.directory, &files);
    for line in &stale {
        print(&format!("{line}\n"));
    }
    Ok(ExitCode::from(u8::from(!stale.is_empty())))
}
