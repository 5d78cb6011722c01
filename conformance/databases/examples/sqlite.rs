//! A migrated SQLite file for a test: `cargo run -p test-databases --example sqlite`.

use std::error::Error;

use sqlx::{Connection, SqliteConnection};
use test_databases::{Migrations, SqliteFile};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let migrations = Migrations::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/migrations/sqlite"))?;
    let file = SqliteFile::migrated(&migrations).await?;
    let mut connection = SqliteConnection::connect(file.url()).await?;
    let accounts: i64 = sqlx::query_scalar("SELECT count(*) FROM account")
        .fetch_one(&mut connection)
        .await?;
    println!("{}: {accounts} account", file.url());
    connection.close().await?;
    // The file is removed here. In a test that panics it would stay, and its path would be printed.
    Ok(())
}
