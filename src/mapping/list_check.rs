//! What makes no sense in what a mapping file says of lists of contacts, each with its key.
//!
//! Must not change anything.

use std::collections::BTreeMap;

use super::label::{Label, label_problem};
use super::problem::MappingProblem;
use super::rules::EventRule;
use crate::delivery::ListKey;

/// Lists that one event may name.
const LISTS_OF_EVENT_MAX: usize = 20;

/// What makes no sense in what events say of lists.
pub(super) fn list_problems(events: &BTreeMap<String, EventRule>) -> Vec<MappingProblem> {
    let mut problems = Vec::new();
    for (event, rule) in events {
        let Some(lists) = &rule.lists else { continue };
        let mut wrong = |key: &str, problem: &str| {
            problems.push(MappingProblem::of(&["events", event, "lists", key], problem));
        };
        let named = lists.add.len() + lists.remove.len();
        if named > LISTS_OF_EVENT_MAX {
            wrong("add", &format!("an event names at most {LISTS_OF_EVENT_MAX} lists"));
        }
        if named == 0 {
            wrong("", "needs `add` or `remove`: names of lists of your account");
        }
        for (key, labels) in [("add", &lists.add), ("remove", &lists.remove)] {
            for label in labels {
                if let Some(problem) = label_problem(label) {
                    wrong(key, &problem);
                } else if ListKey::of(&label.text()).is_none() {
                    wrong(key, "is no name of a list");
                }
            }
        }
        let keys = |labels: &[Label]| labels.iter().filter_map(|label| ListKey::of(&label.text())).collect();
        let (add, remove): (Vec<ListKey>, Vec<ListKey>) = (keys(&lists.add), keys(&lists.remove));
        if let Some(both) = add.iter().find(|key| remove.contains(key)) {
            wrong("remove", &format!("`{both}` stands under `add` too; leave one of them out"));
        }
    }
    problems
}
