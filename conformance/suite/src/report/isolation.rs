//! What a database of its own costs each test.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The medians for one engine.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Isolation {
    engine: String,
    databases: usize,
    total: Duration,
    clone: Duration,
    connect: Duration,
    drop: Duration,
}

/// The medians of lines with an engine's name and three numbers of microseconds: clone, connect, drop. A line that a killed
/// process has left unfinished is passed over.
pub(super) fn medians(text: &str) -> Vec<Isolation> {
    let mut measured: BTreeMap<&str, Vec<[Duration; 3]>> = BTreeMap::new();
    for line in text.lines() {
        if let [engine, clone, connect, drop] = line.split('\t').collect::<Vec<_>>()[..]
            && let (Ok(clone), Ok(connect), Ok(drop)) = (clone.parse(), connect.parse(), drop.parse())
        {
            let times = [clone, connect, drop].map(Duration::from_micros);
            measured.entry(engine).or_default().push(times);
        }
    }
    let medians = measured.into_iter().map(|(engine, times)| {
        let median_of = |part: &dyn Fn(&[Duration; 3]) -> Duration| median(times.iter().map(part).collect());
        Isolation {
            engine: engine.to_owned(),
            databases: times.len(),
            total: median_of(&|times| times.iter().sum()),
            clone: median_of(&|times| times[0]),
            connect: median_of(&|times| times[1]),
            drop: median_of(&|times| times[2]),
        }
    });
    medians.collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
        write!(
            f,
            "isolation: {} {} ms a database (clone {}, connect {}, drop {}; medians of {})",
            self.engine,
            milliseconds(self.total),
            milliseconds(self.clone),
            milliseconds(self.connect),
            milliseconds(self.drop),
            self.databases,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_taken_by_engine_and_unfinished_lines_passed_over() {
        let text =
            "sqlite\t1\t2\t3\npostgres\t30000\t5000\t7000\nsqlite\t10\t20\t30\nsqlite\t100\t200\t300\nsqlite\t7\t8";
        let lines: Vec<String> = medians(text).iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "isolation: postgres 42.0 ms a database (clone 30.0, connect 5.0, drop 7.0; medians of 1)",
                "isolation: sqlite 0.1 ms a database (clone 0.0, connect 0.0, drop 0.0; medians of 3)",
            ]
        );
    }
}
