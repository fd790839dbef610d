//! What makes no sense in what a mapping file has events tell sales, each with its key.
//!
//! Must not change anything.

use std::collections::BTreeMap;

use super::happenings::{EventActivity, EventNote, EventTask, Hangs, Lines};
use super::label::{Label, label_problem};
use super::problem::MappingProblem;
use super::rules::EventRule;
use super::template::Template;
use crate::delivery::Lane;

/// What makes no sense in what events tell.
pub(super) fn told_problems(events: &BTreeMap<String, EventRule>, has_company: bool) -> Vec<MappingProblem> {
    let mut problems = Vec::new();
    for (event, rule) in events {
        let around = Around { event, has_deal: rule.deal.is_some(), has_company };
        problems.extend(rule.note.iter().flat_map(|note| around.note(note)));
        problems.extend(rule.activity.iter().flat_map(|activity| around.activity(activity)));
        problems.extend(rule.task.iter().flat_map(|task| around.task(task)));
    }
    problems
}

/// What else the event says, and the mapping knows.
struct Around<'a> {
    event: &'a str,
    has_deal: bool,
    has_company: bool,
}

impl Around<'_> {
    fn note(&self, rule: &EventNote) -> Vec<MappingProblem> {
        let mut problems = self.common("note", rule.on, rule.lane);
        if rule.text.is_empty() {
            problems.push(self.wrong("note", "text", "is missing: what the note says"));
        }
        problems.extend(self.lines("note", "text", &rule.text));
        problems
    }

    fn activity(&self, rule: &EventActivity) -> Vec<MappingProblem> {
        let mut problems = self.common("activity", rule.on, rule.lane);
        if rule.title.is_empty() {
            problems.push(self.wrong("activity", "title", "is missing: what the activity is called"));
        }
        if rule.activity_type.is_none() {
            problems.push(self.wrong(
                "activity",
                "type",
                "is missing: a type of sales activity of your account",
            ));
        }
        if rule.owner.is_none() {
            let problem =
                "is missing: Freshsales demands the user whose activity it is; give the email of one";
            problems.push(self.wrong("activity", "owner", problem));
        }
        problems.extend(self.label("activity", "type", rule.activity_type.as_ref()));
        problems.extend(self.label("activity", "outcome", rule.outcome.as_ref()));
        problems.extend(self.label("activity", "owner", rule.owner.as_ref()));
        problems.extend(self.template("activity", "title", &rule.title));
        problems.extend(self.lines("activity", "text", &rule.text));
        problems
    }

    fn task(&self, rule: &EventTask) -> Vec<MappingProblem> {
        let mut problems = self.common("task", rule.on, rule.lane);
        if rule.title.is_empty() {
            problems.push(self.wrong("task", "title", "is missing: what is to be done"));
        }
        if rule.due.is_none() {
            let problem = "is missing: how long after the event the task is due, such as \"2h\"";
            problems.push(self.wrong("task", "due", problem));
        }
        problems.extend(self.label("task", "owner", rule.owner.as_ref()));
        problems.extend(self.template("task", "title", &rule.title));
        problems.extend(self.lines("task", "description", &rule.description));
        problems
    }

    fn common(&self, what: &str, on: Hangs, lane: Option<Lane>) -> Vec<MappingProblem> {
        let mut problems = Vec::new();
        match on {
            Hangs::Deal if !self.has_deal => {
                let problem =
                    format!("the event speaks of no deal: there is no [events.\"{}\".deal]", self.event);
                problems.push(self.wrong(what, "on", &problem));
            }
            Hangs::Company if !self.has_company => {
                problems.push(self.wrong(what, "on", "there is no [company] in the mapping"));
            }
            Hangs::Contact | Hangs::Deal | Hangs::Company => {}
        }
        if matches!(lane, Some(Lane::Withdrawal | Lane::NewContact)) {
            let problem = "must be conversion, login, refresh or backfill";
            problems.push(self.wrong(what, "lane", problem));
        }
        problems
    }

    fn lines(&self, what: &str, key: &str, lines: &Lines) -> Vec<MappingProblem> {
        lines.iter().filter_map(|line| self.template(what, key, line)).collect()
    }

    fn template(&self, what: &str, key: &str, template: &Template) -> Option<MappingProblem> {
        let problem = template.sources().find_map(|source| match source {
            "company.name" if !self.has_company => {
                Some("nothing can stand at {company.name}: there is no [company] in the mapping".to_owned())
            }
            "key" if !self.has_deal => {
                Some(format!("nothing can stand at {{key}}: there is no [events.\"{}\".deal]", self.event))
            }
            _ => None,
        });
        problem.map(|problem| self.wrong(what, key, &problem))
    }

    fn label(&self, what: &str, key: &str, label: Option<&Label>) -> Option<MappingProblem> {
        label.and_then(label_problem).map(|problem| self.wrong(what, key, &problem))
    }

    fn wrong(&self, what: &str, key: &str, problem: &str) -> MappingProblem {
        MappingProblem::of(&["events", self.event, what, key], problem)
    }
}
