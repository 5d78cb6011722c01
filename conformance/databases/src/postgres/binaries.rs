//! A server from the binaries on this machine.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use url::Url;

use super::found::{Found, Source};
use super::{probe, verifier};
use crate::background::{self, Attempt};
use crate::shared_directory::{Record, Remains, effective_user};
use crate::{Error, Result, random};

/// Nothing here has to survive a crash, and many tests connect at once.
pub(super) const SETTINGS: [&str; 7] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=300",
    "checkpoint_timeout=1h",
    // The log may lie in memory.
    "max_wal_size=256MB",
    // Each CREATE DATABASE and DROP DATABASE is one.
    "log_checkpoints=off",
];

/// Where files are kept in memory. Making and dropping databases is writing files, and several times as fast there.
const MEMORY: &str = "/dev/shm";
/// How much has to be free there: a container has 64 MiB by default, other machines half of their memory.
const MEMORY_NEEDED: u64 = 4 * 1024 * 1024 * 1024;

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// A port that was free a moment ago may be taken by now.
const PORTS_TO_TRY: usize = 3;

/// The directory with `initdb` and `postgres`: the first on `PATH`, else the newest under `/usr/lib/postgresql`.
pub(super) fn newest() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).find_map(|directory| complete(&directory));
    on_path.or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
        let mut versions: Vec<(u32, PathBuf)> = versions
            .filter_map(Result::ok)
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
            .collect();
        versions.sort();
        versions
            .iter()
            .rev()
            .find_map(|(_, directory)| complete(&directory.join("bin")))
    })
}

/// Where the binaries really are, if both are there: `PATH` often holds links.
fn complete(directory: &Path) -> Option<PathBuf> {
    let initdb = directory.join("initdb").canonicalize().ok()?;
    let postgres = directory.join("postgres").canonicalize().ok()?;
    let real = initdb.parent()?;
    (postgres.parent() == Some(real)).then(|| real.to_owned())
}

/// Makes a data directory and starts the server on it.
pub(super) async fn start(binaries: &Path) -> Result<Record> {
    let failed = |reason: String| Error::Binaries {
        directory: binaries.to_owned(),
        reason,
    };
    let account = Account::for_server()?;
    let directory = tempfile::Builder::new()
        .prefix("test-databases-postgres-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(place())
        .map_err(Error::io("make a temporary directory"))?;
    account.own(directory.path())?;

    let password = random::hexadecimal::<16>()?;
    initialize(binaries, &account, directory.path(), &password).map_err(failed)?;

    let mut last = String::new();
    for _ in 0..PORTS_TO_TRY {
        let server = Server::spawn(binaries, &account, directory.path(), &password)
            .map_err(|error| failed(error.to_string()))?;
        match server.ready().await {
            Ok((version, url)) => {
                // From here on the directory is the running server's.
                let remains = Remains::Process {
                    directory: directory.keep(),
                };
                let source = Source::Binaries {
                    directory: binaries.to_owned(),
                };
                return Ok(Record {
                    found: Found { version, source },
                    url,
                    remains,
                });
            }
            Err(reason) => last = reason,
        }
    }
    let log = end_of_log(&fs::read(directory.path().join("log")).unwrap_or_default());
    Err(failed(format!("{last}{log}")))
}

/// Where the data directory goes: to `TMPDIR`, where somebody has set it, else into memory, where there is enough.
fn place() -> PathBuf {
    let memory = || {
        let memory = rustix::fs::statvfs(MEMORY).ok()?;
        (memory.f_bavail.saturating_mul(memory.f_frsize) >= MEMORY_NEEDED).then(|| PathBuf::from(MEMORY))
    };
    match env::var_os("TMPDIR") {
        Some(_) => env::temp_dir(),
        None => memory().unwrap_or_else(env::temp_dir),
    }
}

fn initialize(binaries: &Path, account: &Account, directory: &Path, password: &str) -> Result<(), String> {
    let password_file = directory.join("password");
    let salt = random::hexadecimal::<16>().map_err(|error| error.to_string())?;
    let stored = verifier::of_random_password(password, salt.as_bytes()).map_err(|error| error.to_string())?;
    let prepared = fs::write(&password_file, stored).map_err(|error| error.to_string());
    prepared.and_then(|()| account.own(&password_file).map_err(|error| error.to_string()))?;
    let output = account
        .command(&binaries.join("initdb"), directory)
        .args([
            "--username=postgres",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ])
        .arg("--pwfile")
        .arg(&password_file)
        .arg("--pgdata")
        .arg(directory.join("data"))
        .output()
        .map_err(|error| format!("initdb can't be run: {error}"))?;
    if output.status.success() {
        fs::remove_file(&password_file).map_err(|error| error.to_string())
    } else {
        Err(format!("initdb fails{}", end_of_log(&output.stderr)))
    }
}

/// A server process that may not be ready yet. It is stopped when dropped before it is.
struct Server {
    process: Option<Child>,
    url: Url,
}

impl Server {
    fn spawn(binaries: &Path, account: &Account, directory: &Path, password: &str) -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .map_err(Error::io("find a free port"))?
            .port();
        let url = Url::parse(&format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres"))
            .map_err(|error| Error::io("write the server's URL")(io::Error::other(error)))?;
        let log = File::create(directory.join("log")).map_err(Error::io("make the server's log"))?;
        let errors = log.try_clone().map_err(Error::io("make the server's log"))?;
        let process = account
            .command(&binaries.join("postgres"), directory)
            .arg("-D")
            .arg(directory.join("data"))
            .args([
                "-p",
                &port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
            ])
            .args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // Of its own process group: it serves other processes, and must not end with an interrupt of this one.
            .process_group(0)
            .spawn()
            .map_err(Error::io("run postgres"))?;
        Ok(Self {
            process: Some(process),
            url,
        })
    }

    /// Waits until a query succeeds and lets go of the process.
    async fn ready(mut self) -> Result<(String, Url), String> {
        let url = self.url.clone();
        let version = probe::version(&url, START_LIMIT, async || {
            match self.process.as_mut().map(Child::try_wait) {
                Some(Ok(Some(status))) => Err(format!("postgres ends with {status}")),
                _ => Ok(()),
            }
        })
        .await?;
        self.process = None;
        Ok((version, url))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Stops the server of a directory that [`start`] made, if it runs, and removes the directory.
pub(super) async fn remove(directory: &Path, url: &Url) -> Result<()> {
    // The first line of the lock file is the process's identifier. It can be trusted as long as the server answers. A
    // server that does not answer, yet runs, ends by itself within a minute once its lock file is gone.
    if probe::running_version(url, STOP_LIMIT).await.is_ok()
        && let Ok(lock_file) = fs::read_to_string(directory.join("data/postmaster.pid"))
        && let Some(process) = lock_file.lines().next().and_then(|line| line.parse().ok())
        && let Some(process) = Pid::from_raw(process)
    {
        // SIGQUIT is the immediate shutdown: there is nothing to keep.
        if kill_process(process, Signal::QUIT).is_ok() {
            let gone = background::poll(STOP_LIMIT, async || {
                match TcpListener::bind(url.socket_addrs(|| None).unwrap_or_default().as_slice()) {
                    Ok(_) => Attempt::Done(()),
                    Err(error) => Attempt::NotYet(error.to_string()),
                }
            });
            let _ = gone.await;
        }
    }
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::Io {
            action: format!("remove {}", directory.display()),
            source: error,
        }),
        _ => Ok(()),
    }
}

/// Who the server runs as: postgres refuses to run as root.
struct Account {
    /// User and group; `None` for whoever runs the tests.
    ids: Option<(u32, u32)>,
}

impl Account {
    fn for_server() -> Result<Self> {
        if effective_user()? != 0 {
            return Ok(Self { ids: None });
        }
        for name in ["postgres", "nobody"] {
            if let (Some(user), Some(group)) = (id(&["-u", name]), id(&["-g", name])) {
                return Ok(Self {
                    ids: Some((user, group)),
                });
            }
        }
        let reason = "postgres does not run as root, and there is neither a user postgres nor a user nobody";
        Err(Error::io("choose the server's user")(io::Error::other(reason)))
    }

    fn own(&self, path: &Path) -> Result<()> {
        let Some((user, group)) = self.ids else { return Ok(()) };
        chown(path, Some(user), Some(group)).map_err(Error::io(format!("hand over {}", path.display())))
    }

    /// A command as this account, without what the caller's environment says to PostgreSQL.
    fn command(&self, program: &Path, directory: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(directory);
        for (name, _) in env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(name);
        }
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
        command
    }
}

fn id(arguments: &[impl AsRef<OsStr>]) -> Option<u32> {
    let Output { status, stdout, .. } = Command::new("id").args(arguments).stderr(Stdio::null()).output().ok()?;
    if status.success() {
        String::from_utf8(stdout).ok()?.trim().parse().ok()
    } else {
        None
    }
}

/// The last lines of a log, to end an error message with.
pub(super) fn end_of_log(log: &[u8]) -> String {
    const LINES: usize = 10;
    let log = String::from_utf8_lossy(log);
    let lines: Vec<&str> = log.lines().collect();
    let end = lines
        .get(lines.len().saturating_sub(LINES)..)
        .unwrap_or_default()
        .join("\n");
    if end.is_empty() {
        String::new()
    } else {
        format!("; its log ends with\n{end}")
    }
}
