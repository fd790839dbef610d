//! What a contact has and a lead has not. Must not look at calls.

use serde_json::Value;

use super::super::Settings;
use super::super::considered::Considered;
use crate::contact::{NOT_OF_LEADS, Standing};
use crate::mapping::{LeftOut, Link, sent_as};

const LACKS: &str =
    "a lead has none of it; it is sent once somebody in Freshsales has converted the lead into a contact";

/// Leaves out what leads do not have, of somebody who is one. Their company is a name there.
pub(in crate::decision) fn leave_what_leads_lack(
    standing: &Standing,
    considered: &mut Considered,
    settings: &Settings,
) {
    if standing.lead.is_none() {
        return;
    }
    let Considered { wish, fields, left_out, company, .. } = considered;
    for name in NOT_OF_LEADS {
        let wanted = [&mut wish.attributes, &mut wish.on_create, &mut wish.on_empty];
        if wanted.into_iter().filter_map(|wanted| wanted.remove(name)).count() > 0 {
            let field = fields.iter().find(|field| sent_as(&field.attribute) == name);
            left_out.push(LeftOut {
                attribute: name.to_owned(),
                path: field.map(|field| field.path.clone()).unwrap_or_default(),
                why: LACKS.to_owned(),
            });
        }
    }
    left_out.sort();
    left_out.dedup();
    let links = settings.preset.company().is_some_and(|rule| rule.link == Link::IfNone);
    if let Some(name) = company.as_ref().filter(|_| links) {
        wish.on_create.insert("company_name".to_owned(), Value::from(name.clone()));
    }
}
