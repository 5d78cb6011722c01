//! The rows that a row refers to: those of its table's parents, and of their parents.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Row;
use super::reference::Reference;
use super::table::TablePlan;
use super::values::{Literal, holds};

/// Which tables refer to which.
pub(super) struct Families<'a> {
    plans: &'a BTreeMap<&'a str, TablePlan<'a>>,
    /// The tables that refer to a table, by its name.
    referring: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// The parents without whose rows no row of a table can be, by the table's name.
    required: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// Tables that no first row can be written to, since each needs another's.
    stuck: BTreeSet<&'a str>,
}

/// What a row of one table needs.
pub(super) struct Family<'a> {
    /// The tables that it refers to, the furthest first.
    pub(super) parents: Vec<&'a TablePlan<'a>>,
    /// The tables that refer to one of all these, and those that refer to them, the furthest first.
    pub(super) children: Vec<&'a TablePlan<'a>>,
    /// The rows of the parents.
    rows: BTreeMap<&'a str, Row>,
    /// Which references are not left open, by table.
    kept: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Families<'a> {
    pub(super) fn new(plans: &'a BTreeMap<&'a str, TablePlan<'a>>) -> Self {
        let required: BTreeMap<&str, BTreeSet<&str>> = plans
            .iter()
            .map(|(key, plan)| {
                let parents = plan.references.iter().filter(|reference| !reference.can_be_left_open());
                let parents = parents.filter(|reference| reference.parent != *key);
                let known = parents.filter_map(|reference| plans.get_key_value(reference.parent.as_str()));
                (*key, known.map(|(parent, _)| *parent).collect())
            })
            .collect();
        let mut referring: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (key, plan) in plans {
            for reference in &plan.references {
                referring.entry(&reference.parent).or_default().insert(key);
            }
        }
        let mut stuck: BTreeSet<&str> = plans.keys().copied().collect();
        loop {
            let before = stuck.len();
            let free: Vec<&str> = stuck
                .iter()
                .filter(|key| required.get(*key).is_none_or(|parents| parents.is_disjoint(&stuck)))
                .copied()
                .collect();
            for key in free {
                stuck.remove(key);
            }
            if stuck.len() == before {
                break;
            }
        }
        Self {
            plans,
            referring,
            required,
            stuck,
        }
    }

    /// What a row of a table needs, or why there can be none.
    pub(super) fn of(&self, plan: &'a TablePlan<'a>) -> Result<Family<'a>, String> {
        if self.stuck.contains(plan.key) {
            return Err(format!(
                "no first row can be written: {} refer to each other by columns that are NOT NULL",
                self.circle(plan.key).join(" and ")
            ));
        }
        let kept = self.kept(plan);
        let mut parents = Vec::new();
        self.visit(plan.key, &kept, &mut BTreeSet::new(), &mut parents);
        parents.pop();
        let mut family = Family {
            children: self.children(plan, &parents),
            parents,
            rows: BTreeMap::new(),
            kept,
        };
        for parent in family.parents.clone() {
            let row = family.row(parent, parent.base());
            family.rows.insert(parent.key, row);
        }
        Ok(family)
    }

    fn children(&self, plan: &'a TablePlan<'a>, parents: &[&'a TablePlan<'a>]) -> Vec<&'a TablePlan<'a>> {
        let mut queue: VecDeque<&str> = parents.iter().map(|parent| parent.key).collect();
        queue.push_back(plan.key);
        let mut seen: BTreeSet<&str> = queue.iter().copied().collect();
        let mut children = Vec::new();
        while let Some(key) = queue.pop_front() {
            for child in self.referring.get(key).into_iter().flatten() {
                if seen.insert(child) {
                    queue.push_back(child);
                    children.extend(self.plans.get(child));
                }
            }
        }
        children.reverse();
        children
    }

    /// The tables that need each other, of which a stuck table needs one.
    fn circle(&self, key: &'a str) -> Vec<&'a str> {
        let mut path = vec![key];
        loop {
            let last = path.last().and_then(|last| self.required.get(last));
            let Some(next) = last.and_then(|parents| parents.iter().find(|parent| self.stuck.contains(*parent))) else {
                return path;
            };
            if let Some(at) = path.iter().position(|seen| seen == next) {
                let mut circle = path.split_off(at);
                // From whichever table it is seen, it is told in the same words.
                let first = circle.iter().enumerate().min_by_key(|(_, key)| **key);
                let first = first.map_or(0, |(at, _)| at);
                circle.rotate_left(first);
                return circle;
            }
            path.push(next);
        }
    }

    /// The references of a table and of its parents, without those that would close a circle: the table's own come first.
    fn kept(&self, plan: &TablePlan<'a>) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
        let mut kept = self.required.clone();
        let mut queue = VecDeque::from([plan.key]);
        let mut seen = BTreeSet::from([plan.key]);
        while let Some(key) = queue.pop_front() {
            let references = self.plans.get(key).map_or(&[][..], |plan| &plan.references);
            for reference in references.iter().filter(|reference| reference.parent != key) {
                let Some((parent, _)) = self.plans.get_key_value(reference.parent.as_str()) else {
                    continue;
                };
                if self.stuck.contains(parent) {
                    continue;
                }
                let is_kept = kept.get(key).is_some_and(|parents| parents.contains(parent));
                if !is_kept && reaches(parent, key, &kept) {
                    continue;
                }
                kept.entry(key).or_default().insert(parent);
                if seen.insert(parent) {
                    queue.push_back(parent);
                }
            }
        }
        kept
    }

    fn visit(
        &self,
        key: &'a str,
        kept: &BTreeMap<&'a str, BTreeSet<&'a str>>,
        seen: &mut BTreeSet<&'a str>,
        order: &mut Vec<&'a TablePlan<'a>>,
    ) {
        if !seen.insert(key) {
            return;
        }
        for parent in kept.get(key).into_iter().flatten() {
            self.visit(parent, kept, seen, order);
        }
        order.extend(self.plans.get(key));
    }
}

fn reaches<'a>(from: &'a str, to: &str, kept: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut left = vec![from];
    while let Some(key) = left.pop() {
        if key == to {
            return true;
        }
        left.extend(kept.get(key).into_iter().flatten().filter(|parent| seen.insert(parent)));
    }
    false
}

impl Family<'_> {
    /// The row that was made for a parent.
    pub(super) fn row_of(&self, parent: &TablePlan<'_>) -> Row {
        self.rows.get(parent.key).cloned().unwrap_or_default()
    }

    /// A row with the keys of its parents' rows, where it has the values of its own plan.
    pub(super) fn row(&self, plan: &TablePlan<'_>, row: &Row) -> Row {
        let mut row = row.clone();
        // A row that refers to itself does so when all else is known.
        let (own, others): (Vec<&Reference>, Vec<&Reference>) = plan
            .references
            .iter()
            .partition(|reference| reference.parent == plan.key);
        for reference in others {
            let parent = self
                .kept
                .get(plan.key)
                .is_some_and(|parents| parents.contains(reference.parent.as_str()))
                .then(|| self.rows.get(reference.parent.as_str()))
                .flatten();
            refer(&mut row, plan, reference, parent);
        }
        for reference in own {
            let itself = row.clone();
            let mut referring = row.clone();
            refer(&mut referring, plan, reference, Some(&itself));
            if plan.predicates.iter().any(|form| !holds(form, &referring)) {
                refer(&mut row, plan, reference, None);
            } else {
                row = referring;
            }
        }
        row
    }
}

/// Gives a row the key of a parent's row; without one, it refers to nothing if it can.
fn refer(row: &mut Row, plan: &TablePlan<'_>, reference: &Reference, parent: Option<&Row>) {
    let is_own = |row: &Row, column: &String| {
        let value = row.get(column).filter(|value| **value != Literal::Null);
        value.is_some() && plan.rows.iter().any(|base| base.get(column) == value)
    };
    let of_parent = parent.and_then(|parent| {
        let values = reference.parent_columns.iter().map(|column| parent.get(column));
        values.collect::<Option<Vec<&Literal>>>()
    });
    if let Some(values) = of_parent {
        for (column, value) in reference.columns.iter().zip(values) {
            if is_own(row, column) {
                row.insert(column.clone(), value.clone());
            }
        }
    } else if !reference.deferred {
        for column in &reference.nullable {
            if is_own(row, column) {
                row.insert(column.clone(), Literal::Null);
            }
        }
    }
}
