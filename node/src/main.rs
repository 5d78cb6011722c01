//! A did:prism node: reads the ledger, indexes it, and resolves DIDs.

mod answer;
mod archive;
mod backup;
mod blocking;
mod check;
mod cli;
mod connections;
mod db;
mod dev;
mod exit;
mod http;
mod indexer;
mod ledger;
mod logging;
mod partial;
mod progress;
mod reader;
mod resolver;
mod restore;
mod serve;
mod shutdown;
mod submitter;
mod summary;
mod target;
mod writer;

use std::process::ExitCode;

use clap::Parser;

use answer::print_answer;
use cli::{Cli, Command, LedgerCommand};
use exit::Failure;
use logging::Console;

fn main() -> ExitCode {
    let status = match start(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            logging::say(&format!("error: {}", failure.describe()));
            failure.status().into()
        }
    };
    logging::flush();
    status
}

fn start(cli: Cli) -> Result<(), Failure> {
    let console = Console::new(&cli.logging)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("can't start the threads of the runtime"))?;
    let result = runtime.block_on(run(cli.command, &console));
    // Reading standard input can't be interrupted: the process ends without waiting for it.
    runtime.shutdown_background();
    result
}

async fn run(command: Command, console: &Console) -> Result<(), Failure> {
    match command {
        Command::Indexer(arguments) => Box::pin(indexer::run(arguments, console)).await,
        Command::Resolver(arguments) => Box::pin(resolver::run(arguments)).await,
        Command::Dev(arguments) => Box::pin(dev::run(arguments, console)).await,
        Command::Submitter(arguments) => Box::pin(submitter::run(arguments)).await,
        Command::Backup(arguments) => backup::run(&arguments, console).await,
        Command::Restore(arguments) => Box::pin(restore::run(&arguments, console)).await,
        Command::Archive(command) => archive::run(command).await,
        Command::Db(command) => Box::pin(db::run(command, console)).await,
        Command::Ledger(LedgerCommand::Export(arguments)) => Box::pin(ledger::export(&arguments, console)).await,
        Command::Openapi => {
            let document = http::openapi()
                .to_pretty_json()
                .map_err(|error| Failure::Usage(format!("the description of the API can't be written: {error}")))?;
            print_answer(&document)
        }
    }
}
