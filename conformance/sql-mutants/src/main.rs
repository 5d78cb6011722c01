//! `sql-mutants`: the SQL of a crate, made wrong in one place after the other.

#![allow(
    clippy::doc_markdown,
    reason = "the help text is made of doc comments, and would show the backticks"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use sql_mutants::{
    Catalog, Database, Diff, Engine, Error, Judgement, Mutant, Outcome, Result, Scratch, Shard, Source, Survivors,
    Tested, TestsCommand, TestsResult, cargo_mutants_outcomes, mutants, read_outcomes, write_outcomes,
};

/// Mutation testing of the SQL in a crate that uses sqlx.
///
/// Runs in the root of a workspace. The tests must fail for each statement that is wrong.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Print the mutants of a crate, and which of them are not viable
    List {
        #[command(flatten)]
        subject: Subject,
    },
    /// Run the tests on each mutant, and judge the outcomes
    Run {
        #[command(flatten)]
        subject: Subject,
        /// Where the copy of the workspace is kept from run to run
        #[arg(long, value_name = "DIRECTORY")]
        work: PathBuf,
        /// Shell command that builds the tests, run in the copy
        #[arg(long, value_name = "COMMAND")]
        build: String,
        /// Shell command that runs the tests in the copy; it ends with 0 if all pass, with 100 if one fails
        #[arg(long, value_name = "COMMAND")]
        test: String,
        /// Only every nth mutant: k/n, with k from 0 to n - 1
        #[arg(long, value_name = "K/N")]
        shard: Option<Shard>,
        /// Only mutants of statements that this diff touches
        #[arg(long, value_name = "FILE")]
        in_diff: Option<PathBuf>,
        /// Take over from earlier runs in the same directory that the same mutant was killed
        #[arg(long)]
        iterate: bool,
        #[command(flatten)]
        judging: Judging,
    },
    /// Judge the outcomes of runs again, after a change of the survivors; or those of cargo-mutants in the same way
    Judge {
        /// What a run has left in its directory as CRATE.outcomes; several of shards
        #[arg(
            long,
            value_name = "FILE",
            required_unless_present = "cargo_mutants",
            conflicts_with = "cargo_mutants"
        )]
        sql_mutants: Vec<PathBuf>,
        /// An outcomes.json; several of shards, or of runs one after the other
        #[arg(long, value_name = "FILE")]
        cargo_mutants: Vec<PathBuf>,
        /// Not all mutants were tried, as in a run on a diff
        #[arg(long)]
        incomplete: bool,
        /// What the report says it is about
        #[arg(long)]
        title: String,
        #[command(flatten)]
        judging: Judging,
    },
}

#[derive(Args)]
struct Subject {
    /// The engine that the statements are for
    #[arg(long)]
    engine: Engine,
    /// The directory of the crate, from the root of the workspace
    #[arg(long = "crate", value_name = "DIRECTORY")]
    directory: PathBuf,
    /// A database with the crate's migrations
    #[arg(long, value_name = "URL")]
    database_url: String,
}

#[derive(Args)]
struct Judging {
    /// The mutants that are known to survive, with the reasons
    #[arg(long, value_name = "FILE")]
    survivors: PathBuf,
    /// Write the report here, if all mutants were tried
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// The lowest accepted share of killed mutants among those that a test could kill, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0)]
    minimum: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::List { subject } => list(&subject).await,
        Task::Run {
            subject,
            work,
            build,
            test,
            shard,
            in_diff,
            iterate,
            judging,
        } => {
            let run = Run {
                subject: &subject,
                work: &work,
                build,
                test,
                shard,
                in_diff,
                iterate,
            };
            run.all(judging).await
        }
        Task::Judge {
            sql_mutants,
            cargo_mutants,
            incomplete,
            title,
            judging,
        } => judge(&sql_mutants, &cargo_mutants, !incomplete, &title, judging),
    };
    done.unwrap_or_else(|error| {
        eprintln!("sql-mutants: {error}");
        ExitCode::from(2)
    })
}

async fn open(subject: &Subject) -> Result<(Source, Database, Catalog)> {
    let source = Source::read(subject.engine, Path::new("."), &subject.directory)?;
    let mut database = Database::connect(subject.engine, &subject.database_url).await?;
    let catalog = database.catalog().await?;
    Ok((source, database, catalog))
}

async fn list(subject: &Subject) -> Result<ExitCode> {
    let (source, mut database, catalog) = open(subject).await?;
    for mutant in mutants(subject.engine, &source, &catalog)? {
        match database.refusal(&source, &mutant).await? {
            None => println!("{mutant}"),
            Some(refusal) => println!("{mutant}\n    not viable: {refusal}"),
        }
    }
    Ok(ExitCode::SUCCESS)
}

struct Run<'r> {
    subject: &'r Subject,
    work: &'r Path,
    build: String,
    test: String,
    shard: Option<Shard>,
    in_diff: Option<PathBuf>,
    iterate: bool,
}

impl Run<'_> {
    async fn all(&self, judging: Judging) -> Result<ExitCode> {
        let survivors = Survivors::read(&judging.survivors)?;
        let (source, mut database, catalog) = open(self.subject).await?;
        let chosen = self.chosen(mutants(self.subject.engine, &source, &catalog)?)?;
        let work = std::path::absolute(self.work).map_err(|error| Error::Io {
            what: format!("find {}", self.work.display()),
            error,
        })?;
        let mut tested = Vec::new();
        let mut viable = Vec::new();
        for mutant in &chosen {
            match database.refusal(&source, mutant).await? {
                Some(refusal) => tested.push(outcome(mutant, Outcome::Unviable(one_line(&refusal)))),
                None => viable.push(mutant),
            }
        }
        // Known survivors come last: nothing takes longer than all tests.
        viable.sort_by_key(|mutant| survivors.has(&mutant.to_string()));
        let version = database.version().await?;
        drop(database);
        eprintln!("{} mutants, {} of them viable", chosen.len(), viable.len());
        if !viable.is_empty() {
            let scratch = Scratch::prepare(Path::new("."), &work, &self.subject.directory, &source)?;
            self.test(&work, &scratch, &source, &viable, &mut tested)?;
        }
        let is_complete = self.shard.is_none() && self.in_diff.is_none();
        let title = format!("Mutants of the SQL of {}", self.subject.directory.display());
        let introduction = [
            format!("sql-mutants {}, {version}", env!("CARGO_PKG_VERSION")),
            format!(
                "{} literals in {} statements",
                source.literals.len(),
                source.statements.len()
            ),
        ];
        write_outcomes(&work.join(format!("{}.outcomes", self.name())), &introduction, &tested)?;
        let judgement = Judgement::new(tested, survivors, judging.minimum, is_complete);
        conclude(
            &judgement,
            judging.report.filter(|_| is_complete),
            &title,
            &introduction,
        )
    }

    /// The crate in names of files: one directory serves all crates of a workspace, one after the other.
    fn name(&self) -> String {
        self.subject.directory.display().to_string().replace('/', "-")
    }

    fn chosen(&self, mutants: Vec<Mutant>) -> Result<Vec<Mutant>> {
        let diff = match &self.in_diff {
            None => None,
            Some(file) => {
                let text = fs::read_to_string(file).map_err(|error| Error::Io {
                    what: format!("read {}", file.display()),
                    error,
                })?;
                Some(Diff::parse(&text))
            }
        };
        let touched = |mutant: &Mutant| {
            diff.as_ref()
                .is_none_or(|diff| diff.touches(&mutant.file, &mutant.lines))
        };
        Ok(mutants
            .into_iter()
            .filter(touched)
            .enumerate()
            .filter(|(place, _)| self.shard.is_none_or(|shard| shard.has(*place)))
            .map(|(_, mutant)| mutant)
            .collect())
    }

    fn test(
        &self,
        work: &Path,
        scratch: &Scratch,
        source: &Source,
        viable: &[&Mutant],
        tested: &mut Vec<Tested>,
    ) -> Result<()> {
        let subject = self.name();
        let command = |command: &str, log: &str| TestsCommand {
            command: command.to_owned(),
            directory: scratch.tree().to_owned(),
            log: work.join(format!("{subject}.{log}")),
        };
        eprintln!("building the tests in {}", scratch.tree().display());
        must_pass(&command(&self.build, "build.log"), "builds nothing")?;
        let start = Instant::now();
        must_pass(&command(&self.test, "unchanged.log"), "fails without any mutant")?;
        let unchanged = start.elapsed();
        // Long enough for tests that fail slowly on a machine that is busy with something else.
        let limit = unchanged * 4 + Duration::from_mins(1);
        eprintln!("the unchanged tests take {:.1} s", unchanged.as_secs_f64());

        let killed_file = work.join(format!("{subject}.killed"));
        let known: BTreeSet<String> = if self.iterate {
            fs::read_to_string(&killed_file)
                .unwrap_or_default()
                .split_inclusive('\u{1e}')
                .map(str::to_owned)
                .collect()
        } else {
            BTreeSet::new()
        };
        let mut killed = known.clone();
        for (place, mutant) in viable.iter().enumerate() {
            let key = format!("{mutant}\u{1f}{:?}\u{1e}", mutant.changed);
            let found = if known.contains(&key) {
                Outcome::Killed
            } else {
                let start = Instant::now();
                let result =
                    command(&self.test, "mutant.log").run(Some(scratch.choose(source, mutant)?), Some(limit))?;
                let (found, verdict) = match result {
                    TestsResult::Passed => (Outcome::Survived, "SURVIVED"),
                    TestsResult::Failed => (Outcome::Killed, "killed"),
                    TestsResult::TimedOut => (Outcome::Killed, "timed out"),
                };
                let seconds = start.elapsed().as_secs_f64();
                eprintln!("{}/{} {verdict} in {seconds:.1} s: {mutant}", place + 1, viable.len());
                found
            };
            if found == Outcome::Killed && killed.insert(key) {
                let content: String = killed.iter().map(String::as_str).collect();
                fs::write(&killed_file, content).map_err(|error| Error::Io {
                    what: format!("write {}", killed_file.display()),
                    error,
                })?;
            }
            tested.push(outcome(mutant, found));
        }
        Ok(())
    }
}

fn must_pass(command: &TestsCommand, otherwise: &str) -> Result<()> {
    match command.run(None, None)? {
        TestsResult::Passed => Ok(()),
        _ => Err(Error::Command {
            command: command.command.clone(),
            outcome: format!("{otherwise}; {} has its output", command.log.display()),
        }),
    }
}

fn outcome(mutant: &Mutant, outcome: Outcome) -> Tested {
    Tested {
        file: mutant.file.display().to_string(),
        name: mutant.to_string(),
        outcome,
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn judge(
    sql_mutants: &[PathBuf],
    cargo_mutants: &[PathBuf],
    is_complete: bool,
    title: &str,
    judging: Judging,
) -> Result<ExitCode> {
    let survivors = Survivors::read(&judging.survivors)?;
    let (introduction, tested) = if cargo_mutants.is_empty() {
        read_outcomes(sql_mutants)?
    } else {
        let (version, tested) = cargo_mutants_outcomes(cargo_mutants)?;
        (vec![format!("cargo-mutants {version}")], tested)
    };
    let judgement = Judgement::new(tested, survivors, judging.minimum, is_complete);
    conclude(&judgement, judging.report.filter(|_| is_complete), title, &introduction)
}

/// Writes the report; 1 where something is wrong.
fn conclude(judgement: &Judgement, report: Option<PathBuf>, title: &str, introduction: &[String]) -> Result<ExitCode> {
    if let Some(file) = report {
        fs::write(&file, judgement.report(title, introduction)).map_err(|error| Error::Io {
            what: format!("write {}", file.display()),
            error,
        })?;
    }
    println!("{}", judgement.summary());
    let problems = judgement.problems();
    for problem in &problems {
        println!("{problem}");
    }
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
