//! sqlx's command-line tool, from its library.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    sqlx::any::install_default_drivers();
    match sqlx_cli::run(sqlx_cli::Opt::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
