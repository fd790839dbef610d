//! Companies: the list, and one with all that explains it.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::Uri;
use serde::Serialize;
use serde_json::Value;

use super::answer::{failed, nothing, rfc3339_or_null};
use super::contacts::load;
use super::deals::RecordWord;
use super::deliveries::{DeliveryView, Detail};
use super::query::{Cursor, Params, invalid};
use super::record::{Beside, state_of};
use crate::admin::Asked;
use crate::clock::UnixMicros;
use crate::company::{Attributes, Company, Next, Standing};
use crate::decision::{Settings, World, consider_company};
use crate::delivery::{CallKind, CompanyKey, Subject};
use crate::event::Email;
use crate::freshsales::in_browser;
use crate::http::ApiError;
use crate::store::RecordsOf;

/// A company in a list.
#[derive(Serialize)]
pub(in crate::admin) struct CompanyView {
    subject: Subject,
    key: CompanyKey,
    /// As it was last written.
    name: String,
    state: RecordWord,
    why: String,
    company_id: Option<u64>,
    /// Where it is seen in Freshsales; null where that is no account of Freshsales.
    link: Option<String>,
    /// What it should be beside its name.
    wanted: BTreeMap<String, Value>,
    #[serde(serialize_with = "rfc3339_or_null")]
    spoken_of_at: Option<UnixMicros>,
    #[serde(serialize_with = "rfc3339_or_null")]
    accepted_at: Option<UnixMicros>,
}

/// One company with all that explains it.
#[derive(Serialize)]
pub(in crate::admin) struct OneCompany {
    #[serde(flatten)]
    company: CompanyView,
    accepted: Option<Attributes>,
    /// A contact that Freshsales has, or is to have, is of it.
    begun: bool,
    /// Contacts that wait for its id.
    waiting: BTreeSet<Email>,
    more_waiting: bool,
    /// Values that Freshsales refused while it stored the rest.
    left_out: Attributes,
    open_delivery: Option<DeliveryView>,
    /// Its calls, newest first.
    history: Vec<DeliveryView>,
}

/// A page of companies.
#[derive(Serialize)]
pub(in crate::admin) struct CompanyPage {
    companies: Vec<CompanyView>,
    next: Option<String>,
}

/// `GET /api/companies`
pub(in crate::admin) async fn list(Asked(app): Asked, uri: Uri) -> Result<Json<CompanyPage>, ApiError> {
    let params = Params::read(&uri, &["limit", "before", "state", "search"])?;
    let (subjects, next) = app.listed(&params, RecordsOf::Companies, Cursor::Companies).await?;
    let settings = app.settings();
    let world = load(&app.store, &subjects.iter().cloned().collect(), &settings).await.map_err(failed)?;
    let beside = Beside::of(&app, &world);
    let companies = subjects.into_iter().filter_map(|subject| match subject {
        Subject::Company(key) => CompanyView::of(key, &world, &settings, &beside),
        Subject::Contact(_) | Subject::Deal(_) | Subject::Happening(_) | Subject::Member(_) => None,
    });
    Ok(Json(CompanyPage { companies: companies.collect(), next }))
}

/// `GET /api/companies/{name}`
pub(in crate::admin) async fn one(
    Asked(app): Asked,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<OneCompany>, ApiError> {
    let key = path.ok().and_then(|Path(name)| CompanyKey::of(&name));
    let key = key.ok_or_else(|| invalid("name", "the name of a company"))?;
    Params::read(&uri, &[])?;
    let settings = app.settings();
    let subject = Subject::Company(key.clone());
    let world = load(&app.store, &BTreeSet::from([subject.clone()]), &settings).await.map_err(failed)?;
    let beside = Beside::of(&app, &world);
    let unknown = || nothing("nothing is known of this company");
    let view = CompanyView::of(key.clone(), &world, &settings, &beside).ok_or_else(unknown)?;
    let Company { begun, waiting, standing, .. } = world.companies.get(&key).cloned().unwrap_or_default();
    let Standing { accepted, left_out, open, .. } =
        standing.get(&settings.account).cloned().unwrap_or_default();
    let open = open.and_then(|id| world.deliveries.get(&id)).cloned();
    Ok(Json(OneCompany {
        company: view,
        accepted,
        begun,
        waiting: waiting.emails,
        more_waiting: waiting.more,
        left_out,
        open_delivery: open.map(|open| DeliveryView::of(open, Detail::Summary)),
        history: app.history(subject).await?,
    }))
}

impl CompanyView {
    fn of(key: CompanyKey, world: &World, settings: &Settings, beside: &Beside<'_>) -> Option<Self> {
        let company = world.companies.get(&key)?;
        let standing = company.with(&settings.account);
        let considered = consider_company(&key, world, settings);
        let open = standing.open.as_ref().and_then(|id| world.deliveries.get(id));
        let why = match open {
            _ if standing.in_flight.is_some() => "a call of it is on its way".to_owned(),
            Some(open) => beside.why_open(open, "company"),
            None => why_nothing(company, considered.as_ref().map(|(_, next)| next), beside),
        };
        let name = company.name.as_ref();
        Some(Self {
            name: name.map_or_else(|| key.as_str().to_owned(), |name| name.value.clone()),
            spoken_of_at: name.map(|name| name.stamp.at).filter(|at| at.0 > 0),
            subject: Subject::Company(key.clone()),
            key,
            state: RecordWord(state_of(standing.in_flight.is_some(), open, false)),
            why,
            company_id: standing.id,
            link: standing.id.and_then(|id| in_browser(&settings.account, CallKind::Company, id)),
            wanted: considered.map(|(wanted, _)| wanted).unwrap_or_default(),
            accepted_at: standing.accepted_at,
        })
    }
}

fn why_nothing(company: &Company, next: Option<&Next>, beside: &Beside<'_>) -> String {
    match next {
        None => "the mapping names no companies any more, so nothing is sent of it".to_owned(),
        Some(_) if !company.begun => {
            "no contact that Freshsales has, or is to have, is of this company, so nothing is sent of it yet".to_owned()
        }
        Some(Next::Nothing) => beside.why_settled(),
        Some(Next::Refused) => {
            "Freshsales refused exactly this, and it was given up; it is sent again when the company changes".to_owned()
        }
        Some(Next::Find(_) | Next::Upsert(_)) => {
            "nothing queued yet: the settings changed. The running review, or this company's next event, will queue it"
                .to_owned()
        }
    }
}
