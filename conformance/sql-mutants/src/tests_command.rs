//! The command that runs the tests.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::{Error, MUTANT_VARIABLE, Result};

/// How often a running command is looked after.
const TICK: Duration = Duration::from_millis(20);

/// How long a command has to stop its tests when it is told to end.
const GRACE: Duration = Duration::from_secs(20);

/// The status of a command one of whose tests failed, as nextest has it.
const TESTS_FAILED: i32 = 100;

/// A shell command that builds or runs the tests.
#[derive(Debug, Clone)]
pub struct TestsCommand {
    /// What the shell gets.
    pub command: String,
    /// The directory it runs in.
    pub directory: PathBuf,
    /// The file that gets its output.
    pub log: PathBuf,
}

/// What became of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestsResult {
    /// All of them passed.
    Passed,
    /// One of them failed.
    Failed,
    /// They did not end in time.
    TimedOut,
}

impl TestsCommand {
    /// Runs the command. It ends with 0 where all tests passed, with 100 where one failed, and with anything else
    /// where it could not run them: a command that is broken must not look like tests that find something.
    ///
    /// # Errors
    /// `Command` where it could not run the tests.
    pub fn run(&self, mutant: Option<&Path>, limit: Option<Duration>) -> Result<TestsResult> {
        let log = File::create(&self.log).map_err(Error::io(format!("write {}", self.log.display())))?;
        let errors = log
            .try_clone()
            .map_err(Error::io(format!("write {}", self.log.display())))?;
        let mut command = Command::new("bash");
        command
            .args(["-c", &self.command])
            .current_dir(&self.directory)
            .env_remove(MUTANT_VARIABLE)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0);
        if let Some(mutant) = mutant {
            command.env(MUTANT_VARIABLE, mutant);
        }
        let mut child = command.spawn().map_err(Error::io(format!("run `{}`", self.command)))?;
        let Some(status) = self.wait(&mut child, limit)? else {
            let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            let signal = |signal| group.map_or(Ok(()), |group| kill_process_group(group, signal));
            // A test runner is the one to stop its tests, which may be in groups of their own.
            let _ = signal(Signal::TERM);
            if self.wait(&mut child, Some(GRACE))?.is_none() {
                let _ = signal(Signal::KILL);
                self.wait(&mut child, None)?;
            }
            return Ok(TestsResult::TimedOut);
        };
        match status.code() {
            Some(0) => Ok(TestsResult::Passed),
            Some(TESTS_FAILED) => Ok(TestsResult::Failed),
            _ => Err(Error::Command {
                command: self.command.clone(),
                outcome: format!(
                    "could not run the tests ({status}); {} has its output",
                    self.log.display()
                ),
            }),
        }
    }

    fn wait(&self, child: &mut Child, limit: Option<Duration>) -> Result<Option<ExitStatus>> {
        let start = Instant::now();
        loop {
            let ended = child
                .try_wait()
                .map_err(Error::io(format!("wait for `{}`", self.command)))?;
            if ended.is_some() || limit.is_some_and(|limit| start.elapsed() >= limit) {
                return Ok(ended);
            }
            std::thread::sleep(TICK);
        }
    }
}
