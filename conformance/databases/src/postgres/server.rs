//! The server that the tests share.

use std::fmt;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use tokio::sync::OnceCell;
use url::Url;

use super::database::PostgresDatabase;
use super::found::{Found, Source};
use super::hostile::Hostile;
use super::locate::{self, Settings};
use super::{connect, sweep, template};
use crate::once::OncePerName;
use crate::timings::Timings;
use crate::{Error, Migrations, Result, background, random};

static SHARED: OnceCell<Result<PostgresServer>> = OnceCell::const_new();

/// A PostgreSQL server that tests take databases from. `Debug` shows how it was found, and no password.
pub struct PostgresServer {
    found: Found,
    url: Url,
    /// Connections to the database that the URL names, for `CREATE DATABASE` and `DROP DATABASE`. They live on the
    /// background runtime.
    maintenance: PgPool,
    /// How its databases are made where `TEST_POSTGRES_HOSTILE` asks for hostile ones.
    hostile: Option<Hostile>,
    /// The templates that this process has seen complete, by name.
    templates: OncePerName<()>,
}

impl fmt::Debug for PostgresServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PostgresServer")
            .field("found", &self.found)
            .finish_non_exhaustive()
    }
}

impl PostgresServer {
    /// The server that all processes of this user share: found or started by whoever comes first.
    ///
    /// The first call of a process prints how the server was found to stderr. An error is final for the process.
    pub async fn shared() -> Result<&'static Self, &'static Error> {
        let shared = SHARED.get_or_init(async || {
            let server = background::run(async || {
                let settings = Settings::from_environment()?;
                let located = locate::find_or_start(&settings).await?;
                let mut server = Self::connect(located.found, located.url);
                if settings.hostile {
                    server.hostile = Some(Hostile::on_server(&server.maintenance).await?);
                }
                sweep::drop_leftovers(&server.maintenance).await;
                Ok(server)
            })
            .await?;
            eprintln!("test-databases: {}", server.found);
            if let Some(hostile) = &server.hostile {
                eprintln!("test-databases: its databases are hostile: {hostile}");
            }
            Ok(server)
        });
        shared.await.as_ref()
    }

    /// Stops every server that was started for tests of this user, and removes what it consists of.
    ///
    /// Returns how each was found. A server that `TEST_POSTGRES_URL` names is not stopped.
    pub async fn stop_started() -> Result<Vec<Found>> {
        background::run(locate::stop_started).await
    }

    fn connect(found: Found, url: Url) -> Self {
        // One is enough, since the statements are short. A larger pool would open a second connection in every process: the
        // first is still on its way back when the next statement comes. Nor is it asked first whether it still works: a server
        // that has gone fails the test either way.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .idle_timeout(Duration::from_secs(10));
        let maintenance = pool.connect_lazy_with(connect::options(&url));
        Self {
            found,
            url,
            maintenance,
            hostile: None,
            templates: OncePerName::default(),
        }
    }

    /// How the server was found.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// The URL of the database that databases are created and dropped from, with its password.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// A new database that the migrations were applied to: a clone of their template, which the first caller builds.
    pub async fn database(&self, migrations: &Migrations) -> Result<PostgresDatabase> {
        let timings = Timings::start("postgres");
        let database = self.clone_of_template(migrations).await?;
        let Some(mut timings) = timings else {
            return Ok(database);
        };
        timings.cloned();
        let url = database.url().to_owned();
        background::run(async move || {
            let url = Url::parse(&url)
                .map_err(|error| Error::postgres("be addressed")(sqlx::Error::Configuration(error.into())))?;
            let connection = PgConnection::connect_with(&connect::options(&url)).await;
            let closed = async { connection?.close().await };
            closed
                .await
                .map_err(Error::postgres("accept a connection to the database of a test"))
        })
        .await?;
        timings.connected();
        Ok(database.with_timings(Some(timings)))
    }

    async fn clone_of_template(&self, migrations: &Migrations) -> Result<PostgresDatabase> {
        let template = self.template_name(migrations);
        self.ensure_template(&template, migrations).await?;
        match self.create(Some(&template)).await {
            // Somebody dropped the template since this process saw it: a sweep after a week, or a person.
            Err(Error::Postgres { source, .. }) if template::is_missing(&source) => {
                self.templates.forget(&template);
                self.ensure_template(&template, migrations).await?;
                self.create(Some(&template)).await
            }
            created => created,
        }
    }

    /// The name of the template for these migrations on this server, whether or not it has been built.
    pub fn template_name(&self, migrations: &Migrations) -> String {
        template::name(migrations, &self.found.version, self.hostile.as_ref())
    }

    /// A new database with nothing in it, of encoding UTF-8 and with the server's locale.
    pub async fn empty_database(&self) -> Result<PostgresDatabase> {
        self.create(None).await
    }

    async fn ensure_template(&self, template: &str, migrations: &Migrations) -> Result<()> {
        let build = {
            let (server, template, migrations) = (self.url.clone(), template.to_owned(), migrations.clone());
            let (maintenance, hostile) = (self.maintenance.clone(), self.hostile.clone());
            let build =
                async move || template::ensure(&maintenance, &server, &template, &migrations, hostile.as_ref()).await;
            async || background::run(build).await
        };
        self.templates.get_or_try_init(template, build).await
    }

    async fn create(&self, template: Option<&str>) -> Result<PostgresDatabase> {
        let name = sweep::database_name(std::process::id(), &random::hexadecimal::<4>()?);
        let statement = match template {
            Some(template) => template::clone_statement(&name, template, &self.found),
            None => template::create_statement(&name, self.hostile.as_ref()),
        };
        let (maintenance, hostile, created) = (self.maintenance.clone(), self.hostile.clone(), name.clone());
        background::run(async move || {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
                .execute(&maintenance)
                .await
                .map_err(Error::postgres("create a database for a test"))?;
            match hostile {
                Some(hostile) => hostile.change(&maintenance, &created).await,
                None => Ok(()),
            }
        })
        .await?;
        Ok(PostgresDatabase::new(
            name,
            &self.url,
            self.password_is_ours(),
            self.maintenance.clone(),
        ))
    }

    /// Whether the password was made for these tests, so that it may be printed.
    fn password_is_ours(&self) -> bool {
        !matches!(self.found.source, Source::Url { .. })
    }
}
