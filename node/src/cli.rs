//! The command line. Names, environment variables and defaults are contracts with people and scripts.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum};
use did_prism::did::PrismDid;
use did_prism::document::DocumentStyle;
use dlt_sinks::contract::{AnySink, SinkSettings};
use dlt_sources::contract::{SourceConfig, SourceSettings};
use node_storage::contract::{Network, TransactionId};
use node_storage::{ConfigError, DbBackend, DbBackendConfig};

use crate::exit::Failure;

/// How long a request waits for a connection to the database. A client is told within 2 s that there is none.
const REQUEST_WAIT: Duration = Duration::from_millis(1_500);

/// A did:prism node: indexes the identity operations that are published on Cardano, and resolves DIDs.
#[derive(Debug, Parser)]
#[command(name = "neoprism-node", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) logging: LoggingArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read the ledger, store and index its operations, and serve the API.
    Indexer(IndexerArguments),
    /// Serve the API from a database that another process writes. Never writes or migrates.
    Resolver(ResolverArguments),
    /// Run an indexer with an in-memory ledger that accepts submissions over the API.
    Dev(DevArguments),
    /// Publish operations that are submitted over the API, without a database.
    Submitter(SubmitterArguments),
    /// Write the whole content of the database to one archive file. Works while a node runs.
    Backup(BackupArguments),
    /// Restore archives that `backup` wrote into a database of either engine, completely or not at all, and index
    /// it.
    Restore(RestoreArguments),
    /// Verify, inspect and compare archives. Needs no database.
    #[command(subcommand)]
    Archive(ArchiveCommand),
    /// Inspect, check, migrate or optimize the database.
    #[command(subcommand)]
    Db(DbCommand),
    /// Work with ledgers. Needs no database.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Print the description of the HTTP API as JSON (OpenAPI 3.1).
    Openapi,
}

#[derive(Debug, Args)]
pub(crate) struct IndexerArguments {
    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
    #[command(flatten)]
    pub(crate) reading: ReadArguments,
    #[command(flatten)]
    pub(crate) migration: MigrationArguments,
    #[command(flatten)]
    pub(crate) source: SourceArguments,
    #[command(flatten)]
    pub(crate) sink: SinkArguments,
    /// Let `/readyz` answer 503 while more than BLOCKS blocks of the ledger are not stored yet. What is held back for lack of
    /// confirmations counts.
    #[arg(long, env = "NPRISM_MAX_LAG", value_name = "BLOCKS", help_heading = "Ledger")]
    pub(crate) max_lag: Option<u64>,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    /// Exit with code 0 once everything that the source has for now is stored and indexed.
    #[arg(long, conflicts_with = "follow")]
    pub(crate) exit_when_synced: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResolverArguments {
    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
    #[command(flatten)]
    pub(crate) reading: ReadArguments,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DevArguments {
    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
    #[command(flatten)]
    pub(crate) migration: MigrationArguments,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    /// Publish a few sample DIDs if the database is empty.
    #[arg(long)]
    pub(crate) sample: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SubmitterArguments {
    /// The Cardano network on which operations are published [default: mainnet].
    #[arg(long, env = "NPRISM_CARDANO_NETWORK", value_parser = network_parser())]
    pub(crate) network: Option<Network>,
    #[command(flatten)]
    pub(crate) sink: SinkArguments,
    #[command(flatten)]
    pub(crate) server: ServerArguments,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
    /// The file to write; - for standard output. An existing file is replaced only when the new one is complete.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// An archive of an earlier state of this database. Writes only what follows it, as an increment.
    #[arg(long, value_name = "ARCHIVE")]
    pub(crate) base: Option<PathBuf>,
    /// Compression of the content. With none, equal content gives equal files.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) compression: CompressionName,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
    #[command(flatten)]
    pub(crate) migration: MigrationArguments,
    /// The archive, followed by its increments, oldest first; - for standard input. Either all of them are restored
    /// or none.
    #[arg(short, long = "input", value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) inputs: Vec<PathBuf>,
    /// Verify the archives and the state of the database without writing anything.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How the content of an archive is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum CompressionName {
    /// Compressed with Zstandard.
    #[default]
    Zstd,
    /// Not compressed.
    None,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ArchiveCommand {
    /// Read archives to the end and verify every byte.
    Verify(InspectArguments),
    /// Verify archives and print what they hold.
    Inspect(InspectArguments),
    /// Print the operations of archives as JSON lines.
    Cat(CatArguments),
    /// Print the differences between two archives. Prints nothing if there are none.
    Diff(DiffArguments),
}

#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// The archives to read; - for standard input.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Print one JSON object per line, one for each archive.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CatArguments {
    /// The archives to read; - for standard input.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Print only the operations of this DID and of its storage entries.
    #[arg(long)]
    pub(crate) did: Option<PrismDid>,
    /// Start at this block number.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) from_block: Option<u64>,
    /// End after this block number.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) to_block: Option<u64>,
    /// Print only the operations of this transaction.
    #[arg(long, value_name = "TX_ID")]
    pub(crate) transaction: Option<TransactionId>,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The first archive; - for standard input.
    #[arg(value_name = "FIRST")]
    pub(crate) first: PathBuf,
    /// The second archive; - is standard input.
    #[arg(value_name = "SECOND")]
    pub(crate) second: PathBuf,
    /// Print one JSON object per line, one for each difference.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Print the location of the database without opening it.
    Path(DatabaseArguments),
    /// Create the schema, or update it to the version of this program.
    Migrate(DatabaseArguments),
    /// Print what the database holds and how far it is synced and indexed.
    Status(StatusArguments),
    /// Find out whether the database is whole: what the engine says of it, operations, index, and what look-ups answer.
    /// Reads everything. Works while a node runs.
    Check(CheckArguments),
    /// Keep the database fast: statistics, free space, and the write-ahead log of SQLite.
    Optimize(OptimizeArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
    /// A full archive of an earlier state of this database, or of another node's, that it is compared with.
    #[arg(long, value_name = "FILE")]
    pub(crate) archive: Option<PathBuf>,
    /// Make the index anew out of the operations where it is wrong, and check again. No other process may write meanwhile.
    /// What is wrong with the operations themselves is only named.
    #[arg(long)]
    pub(crate) repair: bool,
    /// Print one JSON object per line: one for each finding, and at the end one with what was checked.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct OptimizeArguments {
    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
    /// Also write the database anew, without free space. Needs room for a second copy of it; on PostgreSQL, those who read
    /// wait meanwhile.
    #[arg(long)]
    pub(crate) rewrite: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
    /// Also compute the root, the hash over the content that an archive of it has. Reads the whole database.
    #[arg(long)]
    pub(crate) root: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Read a ledger from its beginning, as far as it goes now, and write it to a ledger file, which `--dlt-source file` reads.
    Export(ExportArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// The Cardano network whose ledger is read [default: mainnet].
    #[arg(long, env = "NPRISM_CARDANO_NETWORK", value_parser = network_parser())]
    pub(crate) network: Option<Network>,
    #[command(flatten)]
    pub(crate) source: SourceArguments,
    /// The file to write, compressed with Zstandard if its name ends in .zst; - for standard output, not compressed. An existing file is
    /// replaced only when the new one is complete.
    #[arg(short, long, value_name = "FILE", conflicts_with = "follow")]
    pub(crate) output: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `--help` says of `--db-url`, for the engines of this build.
fn url_help() -> String {
    format!(
        "Where the database is: {} [default for an embedded engine: <data dir>/<network>/node.db]",
        DbBackend::example_urls()
    )
}

/// Which database.
#[derive(Debug, Args)]
#[command(next_help_heading = "Database")]
pub(crate) struct DatabaseArguments {
    /// The database engine.
    #[arg(long = "db-backend", env = "NPRISM_DB_BACKEND", default_value = "postgres", value_name = "BACKEND", value_parser = backend_parser())]
    backend: DbBackend,
    /// Where the database is.
    #[arg(long = "db-url", help = url_help(), env = "NPRISM_DB_URL", value_name = "URL", hide_env_values = true)]
    url: Option<String>,
    /// How long to wait at start for a PostgreSQL server that can't be reached, or, for at most 10 s, for another
    /// process that writes the SQLite file.
    #[arg(long = "db-connect-timeout", env = "NPRISM_DB_CONNECT_TIMEOUT", default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    connect_timeout: u64,
    /// The largest number of connections to a PostgreSQL server, with the one by which a process is the writer.
    #[arg(long = "db-max-connections", env = "NPRISM_DB_MAX_CONNECTIONS", default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    max_connections: u32,
    /// The directory for SQLite databases; not used if --db-url is given [default: neoprism in the platform's
    /// application-data directory].
    #[arg(long, env = "NPRISM_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The Cardano network. A database belongs to one network [default: mainnet; for dev: custom].
    #[arg(long, env = "NPRISM_CARDANO_NETWORK", value_parser = network_parser())]
    network: Option<Network>,
}

impl DatabaseArguments {
    /// The network that was named.
    pub(crate) fn network_or(&self, default: Network) -> Network {
        self.network.unwrap_or(default)
    }

    /// The database that these arguments name.
    pub(crate) fn config(&self, default_network: Network) -> Result<DbBackendConfig, ConfigError> {
        self.config_of(self.url.as_deref(), default_network)
    }

    /// The replica that the API reads from, if there is one.
    pub(crate) fn replica(
        &self,
        reading: &ReadArguments,
        default_network: Network,
    ) -> Result<Option<DbBackendConfig>, Failure> {
        let Some(url) = reading.read_url.as_deref() else {
            return Ok(None);
        };
        if self.backend.is_embedded() {
            let text = format!(
                "--db-read-url names a replica of a database server; leave it out with --db-backend {}",
                self.backend
            );
            return Err(Failure::Usage(text));
        }
        let config = self.config_of(Some(url), default_network)?;
        Ok(Some(config.answer_timeout(REQUEST_WAIT)))
    }

    /// The same for a node that answers requests: where there is no connection, it says so while its client still listens.
    pub(crate) fn serving_config(&self, default_network: Network) -> Result<DbBackendConfig, ConfigError> {
        Ok(self.config(default_network)?.answer_timeout(REQUEST_WAIT))
    }

    fn config_of(&self, url: Option<&str>, default_network: Network) -> Result<DbBackendConfig, ConfigError> {
        let network = self.network_or(default_network);
        let config = DbBackendConfig::new(self.backend, url, self.data_dir.as_deref(), network)?;
        Ok(config
            .connect_timeout(Duration::from_secs(self.connect_timeout))
            .max_connections(self.max_connections))
    }
}

/// Where the API reads.
#[derive(Debug, Args)]
#[command(next_help_heading = "Database")]
pub(crate) struct ReadArguments {
    /// A PostgreSQL replica that the API reads from. Its answers may be older than the database.
    #[arg(
        long = "db-read-url",
        env = "NPRISM_DB_READ_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    read_url: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Database")]
pub(crate) struct MigrationArguments {
    /// Do not migrate: exit with an error if the schema is missing or outdated.
    #[arg(long, env = "NPRISM_SKIP_MIGRATION")]
    pub(crate) skip_migration: bool,
}

/// Where the ledger is read from.
#[derive(Debug)]
pub(crate) struct SourceArguments {
    common: CommonSourceArguments,
    /// What the chosen source takes its flags from.
    flags: ArgMatches,
}

/// What is said to every source.
#[derive(Debug, Args)]
#[command(next_help_heading = "Ledger")]
struct CommonSourceArguments {
    /// What delivers the ledger.
    #[arg(long = "dlt-source", help = source_help(), env = "NPRISM_DLT_SOURCE", value_name = "SOURCE", value_parser = source_name)]
    dlt_source: String,
    /// Process a block only when the source has N higher block numbers [default: 112; for file: 0].
    #[arg(long, env = "NPRISM_CONFIRMATION_BLOCKS", value_name = "N")]
    confirmation_blocks: Option<u32>,
}

impl SourceArguments {
    /// The source that these arguments name. Nothing is opened.
    pub(crate) fn config(&self, network: Network) -> Result<Box<dyn SourceConfig>, Failure> {
        let name = &self.common.dlt_source;
        let source =
            dlt_sources::named(name).ok_or_else(|| Failure::Usage(format!("there is no ledger source {name:?}")))?;
        for other in dlt_sources::SOURCES.iter().filter(|other| other.name() != name) {
            for flag in other.add_flags(clap::Command::new("flags")).get_arguments() {
                let id = flag.get_id().as_str();
                if self.flags.value_source(id) == Some(ValueSource::CommandLine) {
                    let flag = flag.get_long().unwrap_or(id);
                    let text = format!("--{flag} is for --dlt-source {}; leave it out", other.name());
                    return Err(Failure::Usage(text));
                }
            }
        }
        let settings = SourceSettings {
            network,
            confirmation_blocks: self.common.confirmation_blocks,
        };
        source.configure(&self.flags, settings).map_err(Failure::Usage)
    }
}

impl Args for SourceArguments {
    fn augment_args(command: clap::Command) -> clap::Command {
        let command = CommonSourceArguments::augment_args(command);
        dlt_sources::SOURCES
            .iter()
            .fold(command, |command, source| source.add_flags(command))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SourceArguments {
    fn from_arg_matches(flags: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self {
            common: CommonSourceArguments::from_arg_matches(flags)?,
            flags: flags.clone(),
        })
    }

    fn update_from_arg_matches(&mut self, flags: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(flags)?;
        Ok(())
    }
}

/// Where submitted operations go.
#[derive(Debug)]
pub(crate) struct SinkArguments {
    common: CommonSinkArguments,
    /// What the chosen sink takes its flags from.
    flags: ArgMatches,
}

/// Which sink.
#[derive(Debug, Args)]
#[command(next_help_heading = "Submissions")]
struct CommonSinkArguments {
    /// What publishes operations.
    #[arg(long = "dlt-sink", help = sink_help(), env = "NPRISM_DLT_SINK", value_name = "SINK", value_parser = sink_name)]
    dlt_sink: Option<String>,
}

impl SinkArguments {
    /// The sink that these arguments name, if they name one. Nothing is asked of it.
    pub(crate) fn config(&self, network: Network) -> Result<Option<AnySink>, Failure> {
        let name = self.common.dlt_sink.as_deref();
        for other in dlt_sinks::SINKS.iter().filter(|other| Some(other.name()) != name) {
            for flag in other.add_flags(clap::Command::new("flags")).get_arguments() {
                let id = flag.get_id().as_str();
                if self.flags.value_source(id) == Some(ValueSource::CommandLine) {
                    let flag = flag.get_long().unwrap_or(id);
                    let text = format!("--{flag} is for --dlt-sink {}; add that, or leave it out", other.name());
                    return Err(Failure::Usage(text));
                }
            }
        }
        let Some(name) = name else { return Ok(None) };
        let sink = dlt_sinks::named(name).ok_or_else(|| Failure::Usage(format!("there is no sink {name:?}")))?;
        let settings = SinkSettings { network };
        sink.configure(&self.flags, settings).map(Some).map_err(Failure::Usage)
    }
}

impl Args for SinkArguments {
    fn augment_args(command: clap::Command) -> clap::Command {
        let command = CommonSinkArguments::augment_args(command);
        dlt_sinks::SINKS
            .iter()
            .fold(command, |command, sink| sink.add_flags(command))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SinkArguments {
    fn from_arg_matches(flags: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self {
            common: CommonSinkArguments::from_arg_matches(flags)?,
            flags: flags.clone(),
        })
    }

    fn update_from_arg_matches(&mut self, flags: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(flags)?;
        Ok(())
    }
}

fn sink_names() -> String {
    let names: Vec<_> = dlt_sinks::SINKS.iter().map(|sink| sink.name()).collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}

/// What `--help` says of `--dlt-sink`, for the sinks of this build.
fn sink_help() -> String {
    format!(
        "What publishes submitted operations [sinks of this build: {}]",
        sink_names()
    )
}

fn sink_name(name: &str) -> Result<String, String> {
    if dlt_sinks::named(name).is_some() {
        return Ok(name.to_owned());
    }
    Err(format!(
        "this build can't publish through it; its sinks are: {}",
        sink_names()
    ))
}

/// What `--help` says of `--dlt-source`, for the sources of this build.
fn source_help() -> String {
    let names: Vec<_> = dlt_sources::SOURCES.iter().map(|source| source.name()).collect();
    format!("What delivers the ledger [sources of this build: {}]", names.join(", "))
}

fn source_name(name: &str) -> Result<String, String> {
    let names: Vec<_> = dlt_sources::SOURCES.iter().map(|source| source.name()).collect();
    if names.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(format!(
        "this build can't read from it; its sources are: {}",
        names.join(", ")
    ))
}

/// How the API is served.
#[derive(Debug, Args)]
#[command(next_help_heading = "API")]
pub(crate) struct ServerArguments {
    /// The address to listen on.
    #[arg(long, env = "NPRISM_ADDRESS", default_value = "127.0.0.1")]
    pub(crate) address: String,
    /// The port to listen on. With 0, the system chooses a free port, and the log names it.
    #[arg(long, env = "NPRISM_PORT", default_value_t = 8080)]
    pub(crate) port: u16,
    /// Members of DID documents: spec has all that the specification requires, minimal leaves out `controller` and
    /// the automatic contexts.
    #[arg(long, env = "NPRISM_DID_DOCUMENT_STYLE", default_value = "spec", value_name = "STYLE", value_parser = style_parser())]
    pub(crate) did_document_style: DocumentStyle,
}

/// What is told on stderr.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct LoggingArguments {
    /// The format of log lines on stderr.
    #[arg(long, value_enum, default_value_t, global = true)]
    pub(crate) log_format: LogFormat,
    /// Log more; repeat up to three times for more detail. Overrides `RUST_LOG`.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    /// Log errors only. Overrides `RUST_LOG`.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

/// The format of log lines on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// Human-readable lines.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

fn backend_parser() -> impl TypedValueParser<Value = DbBackend> {
    PossibleValuesParser::new(DbBackend::ALL.iter().map(|backend| backend.name()))
        .try_map(|name| name.parse::<DbBackend>())
}

fn network_parser() -> impl TypedValueParser<Value = Network> {
    PossibleValuesParser::new(Network::ALL.map(Network::name)).try_map(|name| name.parse::<Network>())
}

fn style_parser() -> impl TypedValueParser<Value = DocumentStyle> {
    PossibleValuesParser::new(["spec", "minimal"]).try_map(|name| name.parse::<DocumentStyle>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    /// The flags and variables of these commands, or of all.
    fn names(commands: &[&str]) -> BTreeSet<String> {
        fn collect(command: &clap::Command, names: &mut BTreeSet<String>) {
            for argument in command.get_arguments() {
                names.extend(argument.get_long().map(|long| format!("--{long}")));
                names.extend(argument.get_env().map(|name| name.to_string_lossy().into_owned()));
            }
            command.get_subcommands().for_each(|command| collect(command, names));
        }
        // The passphrase has a variable and no flag, and `RUST_LOG` is the library's.
        let mut names = BTreeSet::from(["NPRISM_CARDANO_WALLET_PASSPHRASE".to_owned()]);
        let cli = Cli::command();
        names.extend(
            cli.get_arguments()
                .filter_map(|argument| Some(format!("--{}", argument.get_long()?))),
        );
        cli.get_subcommands()
            .filter(|command| commands.is_empty() || commands.contains(&command.get_name()))
            .for_each(|command| collect(command, &mut names));
        names
    }

    #[test]
    fn the_page_on_neoprism_has_every_flag_and_variable_and_no_other() {
        let page = include_str!("../../docs/src/coming-from-neoprism.md");
        let quoted = |text: &str| -> Vec<String> {
            let quoted = text
                .split('`')
                .skip(1)
                .step_by(2)
                .filter_map(|name| name.split(' ').next());
            quoted
                .filter(|name| name.starts_with("--") || name.starts_with("NPRISM_"))
                .map(str::to_owned)
                .collect()
        };
        let mut here = BTreeSet::new();
        for row in page.lines().filter(|line| line.starts_with("| ") && line.contains('`')) {
            let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
            // Rows of flags have three cells, and those of flags that only this node has two.
            match cells.as_slice() {
                [theirs, ours, _] if ours.starts_with("the same") => here.extend(quoted(&format!("{theirs} {ours}"))),
                [_, ours, _] => here.extend(quoted(ours)),
                [ours, _] if ours.starts_with("`--") => here.extend(quoted(ours)),
                _ => {}
            }
        }
        let known = names(&[]);
        let unknown: Vec<_> = here.difference(&known).collect();
        assert!(unknown.is_empty(), "the page names {unknown:?}, which no command takes");
        let missing: Vec<_> = names(&["indexer", "submitter"]).difference(&here).cloned().collect();
        let of_logging = ["--log-format", "--verbose", "--quiet", "--help", "--version"];
        let missing: Vec<_> = missing
            .iter()
            .filter(|name| !of_logging.contains(&name.as_str()))
            .collect();
        assert!(missing.is_empty(), "the page does not name {missing:?}");
    }
}
