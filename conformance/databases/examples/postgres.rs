//! A migrated PostgreSQL database for a test: `cargo run -p test-databases --example postgres`.

use std::error::Error;

use sqlx::{Connection, PgConnection};
use test_databases::{Migrations, PostgresServer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let migrations = Migrations::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/migrations/postgres"))?;
    // Found or started by whoever comes first, and shared with every other process of the user.
    let server = PostgresServer::shared().await?;
    let database = server.database(&migrations).await?;
    let mut connection = PgConnection::connect(database.url()).await?;
    let accounts: i64 = sqlx::query_scalar("SELECT count(*) FROM account")
        .fetch_one(&mut connection)
        .await?;
    println!("{} on {}: {accounts} account", database.name(), server.found());
    connection.close().await?;
    // The database is dropped here. In a test that panics it would stay, and its URL would be printed.
    Ok(())
}
