//! The reference source passes every case, no defective source does, and every case refuses one.
#![allow(clippy::panic, clippy::unwrap_used, reason = "all of this is test code")]

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use dlt_source_conformance::{CASES, DEFECTS, DefectiveLedger, ReferenceLedger, run_case_in_no_time, source_tests};

source_tests!(reference, ReferenceLedger::default());

#[test]
fn every_defect_fails_a_case_and_every_case_refuses_a_defect() {
    let mut idle: BTreeSet<String> = CASES.iter().map(ToString::to_string).collect();
    let mut survivors = Vec::new();
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    for defect in DEFECTS {
        let name = format!("{defect:?}");
        let mut killers = Vec::new();
        for case in CASES.iter().map(ToString::to_string) {
            let run = || run_case_in_no_time(&name, &case, async || DefectiveLedger::new(*defect));
            if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
                killers.push(format!("  {case}: {}", message(payload.as_ref())));
                idle.remove(&case);
            }
        }
        if killers.is_empty() {
            survivors.push(name.clone());
        }
        println!("{name}\n{}", killers.join("\n"));
    }
    set_hook(hook);
    assert!(survivors.is_empty(), "these defects pass every case: {survivors:?}");
    assert!(idle.is_empty(), "these cases refuse no defect: {idle:?}");
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("?");
    text.lines().next().unwrap_or_default().to_owned()
}
