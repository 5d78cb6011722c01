//! Plans: whether both engines answer each hot query from the index that it relies on, and how many rows that touches.

mod finding;
mod indexes;
mod postgres;
mod queries;
mod scenario;
mod sqlite;

pub use finding::{Finding, Plans};
pub use queries::Queries;
use queries::Statements;

use crate::Result;
use crate::engine::Engine;
use crate::side::Loaded;

/// Reads an engine's plan of every query, in each scenario on a database of its own that `load` makes. A database that was named
/// is read as it is, once.
pub async fn plan(engine: Engine, queries: &Queries, load: impl AsyncFn() -> Result<Loaded>) -> Result<Plans> {
    let Statements { statements, findings } = queries.statements(engine)?;
    let mut plans = Plans { read: 0, findings };
    for scenario in queries.scenarios(engine) {
        let loaded = load().await?;
        match engine {
            Engine::Postgres => postgres::read(&loaded, queries, &scenario, &statements, &mut plans).await?,
            Engine::Sqlite => sqlite::read(&loaded, queries, &scenario, &statements, &mut plans).await?,
        }
        if loaded.is_named() {
            break;
        }
    }
    Ok(plans)
}
