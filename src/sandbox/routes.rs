//! The routes of the API: what a method and a path mean, and which right that takes. Must not look at bodies or records.

use axum::http::Method;

use super::answer::Refusal;
use super::kinds::Kind;
use super::options::{Forbidden, SandboxOptions};

/// A contact, or a record of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entity {
    Contact,
    Of(Kind),
}

impl Entity {
    fn of_path(segment: &str) -> Option<Self> {
        if segment == "contacts" { Some(Self::Contact) } else { Kind::of_path(segment).map(Self::Of) }
    }

    /// The entity of a name as queries and searches have it.
    pub(super) fn named(name: &str) -> Option<Self> {
        if name == "contact" { Some(Self::Contact) } else { Kind::of_entity(name).map(Self::Of) }
    }

    /// One of them, as bodies name it.
    pub(super) fn one(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Of(kind) => kind.shape().one,
        }
    }

    /// Several of them.
    pub(super) fn many(self) -> &'static str {
        match self {
            Self::Contact => "contacts",
            Self::Of(kind) => kind.shape().many,
        }
    }

    /// Its word in `targetable_type`.
    pub(super) fn target(self) -> Option<&'static str> {
        match self {
            Self::Contact => Some("Contact"),
            Self::Of(kind) => kind.shape().target,
        }
    }
}

/// What a call wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `POST /contacts/upsert`.
    UpsertContact,
    /// `POST /contacts/bulk_upsert`.
    BulkUpsert,
    /// `GET /job_statuses/{id}`.
    JobStatus(u64),
    /// `GET /selector/{name}`.
    Selector(String),
    /// The outcomes of a type of activity.
    Outcomes,
    /// `GET /settings/{entities}/fields`.
    Fields(Entity),
    /// `GET /lookup`.
    Lookup,
    /// `GET /search`.
    Search,
    /// `POST /filtered_search/{entity}`.
    FilteredSearch(Entity),
    /// `GET /{entities}/filters`.
    Filters(Entity),
    /// `GET /{entities}/view/{id}`.
    View(Entity, u64),
    /// `GET /{entities}` of those that are listed without a view.
    All(Kind),
    /// `POST /{entities}`.
    Create(Kind),
    /// `GET /{entities}/{id}`.
    Show(Entity, u64),
    /// `PUT /{entities}/{id}`.
    Change(Entity, u64),
    /// `DELETE /{entities}/{id}`.
    Delete(Entity, u64),
    /// `DELETE /{entities}/{id}/forget`.
    Forget(Entity, u64),
    /// `POST /sales_accounts/upsert`.
    UpsertCompany,
    /// `POST /deals/upsert`, by the id alone.
    UpsertDeal,
    /// `GET /{entities}/{id}/contacts`.
    ContactsOf(Kind, u64),
    /// `GET /{entities}/{id}/notes`, and other records that hang on one.
    HangingOn(Kind, Entity, u64),
    /// `PUT /lists/{id}/add_contacts` or `remove_contacts`.
    ListContacts { list: u64, on: bool },
    /// `GET /contacts/lists/{id}`.
    ContactsOfList(u64),
    /// `POST /leads/{id}/convert`.
    Convert(u64),
    /// A path that exists for other methods and answers this one with 404.
    Nothing,
}

impl Route {
    /// What it takes that may be forbidden by itself.
    pub(super) fn needs(&self) -> Option<Forbidden> {
        match self {
            Self::Selector(name) => (name == "owners").then_some(Forbidden::Owners),
            Self::UpsertDeal => Some(Forbidden::Deals),
            Self::Create(kind)
            | Self::All(kind)
            | Self::ContactsOf(kind, _)
            | Self::HangingOn(kind, _, _) => right_to(*kind),
            Self::Filters(entity)
            | Self::View(entity, _)
            | Self::FilteredSearch(entity)
            | Self::Show(entity, _)
            | Self::Change(entity, _)
            | Self::Delete(entity, _)
            | Self::Forget(entity, _) => match entity {
                Entity::Contact => None,
                Entity::Of(kind) => right_to(*kind),
            },
            Self::Convert(_) => Some(Forbidden::Leads),
            Self::UpsertContact
            | Self::BulkUpsert
            | Self::JobStatus(_)
            | Self::Outcomes
            | Self::Fields(_)
            | Self::Lookup
            | Self::Search
            | Self::UpsertCompany
            | Self::ListContacts { .. }
            | Self::ContactsOfList(_)
            | Self::Nothing => None,
        }
    }

    /// Whether the user needs rights to contacts for it.
    pub(super) fn touches_contacts(&self) -> bool {
        match self {
            Self::UpsertContact
            | Self::BulkUpsert
            | Self::Lookup
            | Self::ContactsOf(..)
            | Self::ListContacts { .. }
            | Self::ContactsOfList(_) => true,
            Self::Filters(entity)
            | Self::View(entity, _)
            | Self::FilteredSearch(entity)
            | Self::Show(entity, _)
            | Self::Change(entity, _)
            | Self::Delete(entity, _)
            | Self::Forget(entity, _)
            | Self::HangingOn(_, entity, _) => *entity == Entity::Contact,
            Self::JobStatus(_)
            | Self::Selector(_)
            | Self::Outcomes
            | Self::Fields(_)
            | Self::Search
            | Self::All(_)
            | Self::Create(_)
            | Self::UpsertCompany
            | Self::UpsertDeal
            | Self::Convert(_)
            | Self::Nothing => false,
        }
    }
}

fn right_to(kind: Kind) -> Option<Forbidden> {
    match kind {
        Kind::Deal => Some(Forbidden::Deals),
        Kind::Note => Some(Forbidden::Notes),
        Kind::Lead => Some(Forbidden::Leads),
        Kind::Company | Kind::Activity | Kind::Task | Kind::List => None,
    }
}

/// What a call wants.
pub(super) fn route(method: &Method, path: &str, options: &SandboxOptions) -> Result<Route, Refusal> {
    let rest = path.strip_prefix(options.api()).ok_or(Refusal::NotFound)?;
    let segments: Vec<&str> = rest.split('/').collect();
    if options.classic && matches!(*segments, ["contacts", "bulk_upsert"] | ["job_statuses", _]) {
        return Err(Refusal::NotFound);
    }
    // The suite has none.
    if !options.classic && matches!(*segments, ["leads", ..] | ["settings", "leads", ..]) {
        return Err(Refusal::NotFound);
    }
    let mut here = of_account(&segments)?;
    if here.is_empty() {
        here = of_entity(&segments)?;
    }
    let allowed: Vec<&str> = here.iter().map(|(method, _)| method.as_str()).collect();
    let allowed = allowed.join(", ");
    match here.into_iter().find(|(takes, _)| takes == method) {
        Some((_, route)) => Ok(route),
        None if allowed.is_empty() => Err(Refusal::NotFound),
        None => Err(Refusal::Method { allowed }),
    }
}

/// The routes of paths that are of no single kind of record, by their method.
fn of_account(segments: &[&str]) -> Result<Vec<(Method, Route)>, Refusal> {
    let one = |method, route| Ok(vec![(method, route)]);
    match *segments {
        ["contacts", "upsert"] => one(Method::POST, Route::UpsertContact),
        ["contacts", "bulk_upsert"] => one(Method::POST, Route::BulkUpsert),
        ["contacts", "lists", list] => one(Method::GET, Route::ContactsOfList(id(list)?)),
        ["sales_accounts", "upsert"] => one(Method::POST, Route::UpsertCompany),
        ["deals", "upsert"] => one(Method::POST, Route::UpsertDeal),
        ["lists", list, "add_contacts"] => {
            one(Method::PUT, Route::ListContacts { list: id(list)?, on: true })
        }
        ["lists", list, "remove_contacts"] => {
            one(Method::PUT, Route::ListContacts { list: id(list)?, on: false })
        }
        ["job_statuses", job] => one(Method::GET, Route::JobStatus(id(job)?)),
        ["selector", name] => one(Method::GET, Route::Selector(name.to_owned())),
        ["selector", "sales_activity_types", _, "sales_activity_outcomes"] => {
            one(Method::GET, Route::Outcomes)
        }
        ["settings", entities, "fields"] => {
            one(Method::GET, Route::Fields(Entity::of_path(entities).ok_or(Refusal::NotFound)?))
        }
        ["leads", lead, "convert"] => one(Method::POST, Route::Convert(id(lead)?)),
        ["lookup"] => one(Method::GET, Route::Lookup),
        ["search"] => one(Method::GET, Route::Search),
        ["filtered_search", entity] => {
            one(Method::POST, Route::FilteredSearch(Entity::named(entity).ok_or(Refusal::NotFound)?))
        }
        _ => Ok(Vec::new()),
    }
}

/// The routes of a path below the name of a kind, by their method.
fn of_entity(segments: &[&str]) -> Result<Vec<(Method, Route)>, Refusal> {
    let [entities, rest @ ..] = segments else { return Ok(Vec::new()) };
    let entity = Entity::of_path(entities).ok_or(Refusal::NotFound)?;
    match (rest, entity) {
        ([], Entity::Of(kind)) => {
            let listed = matches!(kind, Kind::Task | Kind::Activity | Kind::List);
            let all = listed.then_some((Method::GET, Route::All(kind)));
            Ok(all.into_iter().chain([(Method::POST, Route::Create(kind))]).collect())
        }
        (["filters"], _) => Ok(vec![(Method::GET, Route::Filters(entity))]),
        (["view", view], _) => Ok(vec![(Method::GET, Route::View(entity, id(view)?))]),
        ([record], _) => {
            let id = id(record)?;
            let show = match entity {
                // Seen on live accounts: a note can't be read by its id, only with what it hangs on.
                Entity::Of(Kind::Note) => Route::Nothing,
                Entity::Contact | Entity::Of(_) => Route::Show(entity, id),
            };
            let (change, delete) = (Route::Change(entity, id), Route::Delete(entity, id));
            Ok(vec![(Method::GET, show), (Method::PUT, change), (Method::DELETE, delete)])
        }
        ([record, "forget"], _) => Ok(vec![(Method::DELETE, Route::Forget(entity, id(record)?))]),
        ([record, "contacts"], Entity::Of(kind)) => {
            Ok(vec![(Method::GET, Route::ContactsOf(kind, id(record)?))])
        }
        ([record, what], _) => {
            let kind = match *what {
                "notes" => Kind::Note,
                "activities" => Kind::Activity,
                _ => return Err(Refusal::NotFound),
            };
            Ok(vec![(Method::GET, Route::HangingOn(kind, entity, id(record)?))])
        }
        _ => Err(Refusal::NotFound),
    }
}

fn id(text: &str) -> Result<u64, Refusal> {
    text.parse::<u64>().map_err(|_| Refusal::NotFound)
}
