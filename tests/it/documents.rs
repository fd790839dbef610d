//! What the documents name exists: the files they link to, keys, routes, codes, metrics, commands and tests; and what
//! exists is in the documents.
//!
//! Holds names alone. Whether a sentence is true is for people. Each check is a function over a text, so that the samples
//! at the end can show it failing.

mod code;
mod deploy;
mod examples;
pub mod markdown;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use code::{files, root, text};
use markdown::{blocks, first_words, headings, links, quoted, rows, titles};
use reqwest::Method;

use crate::support::app::{Service, Setup};
use crate::support::command::{freshsignal, output};

const README_WORDS_MAX: usize = 900;
const INDEX: &str = "docs/README.md";
const PRIVATE: &str = "docs/reference/private-api.md";
const PUBLIC: &str = "docs/reference/public-api.md";
const METRICS: &str = "docs/reference/metrics.md";

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let broken: Vec<_> = pages().iter().flat_map(|(name, page)| broken_links(name, page)).collect();
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

#[test]
fn every_page_can_be_reached_from_the_index() {
    let lost = unreached(INDEX, &pages().into_iter().collect());
    assert!(lost.is_empty(), "pages that {INDEX} does not lead to: {lost:?}");
}

#[test]
fn the_readme_is_short() {
    let words = text("README.md").split_whitespace().count();
    assert!(words <= README_WORDS_MAX, "{words} words: move what is too much into docs/");
}

#[test]
fn every_key_that_the_documents_name_is_in_the_reference_file() {
    let known = code::known_keys(&text("config/default.toml"));
    let unknown: Vec<_> = pages().iter().flat_map(|(name, page)| unknown_keys(name, page, &known)).collect();
    assert!(unknown.is_empty(), "keys that do not exist: {unknown:#?}");
}

#[test]
fn every_default_that_a_table_names_is_that_of_the_reference_file() {
    let defaults = code::defaults(&text("config/default.toml"));
    let wrong: Vec<_> =
        pages().iter().flat_map(|(name, page)| wrong_defaults(name, page, &defaults)).collect();
    assert!(wrong.is_empty(), "other defaults than config/default.toml has: {wrong:#?}");
}

#[test]
fn every_route_of_the_private_listener_is_in_its_page_and_the_other_way_round() {
    assert_eq!(routes_of(&text(PRIVATE)), code::private_routes(&code::product()));
}

#[tokio::test]
async fn every_route_that_the_page_of_the_public_listener_names_is_answered() {
    let service = Setup::new().with("SOURCES__CONTACT__FORM", "true");
    let service = [("KIND", "shopify"), ("SECRET", "s"), ("SOURCE", "contact")]
        .into_iter()
        .fold(service, |setup, (key, value)| setup.with(&format!("HOOKS__SHOPIFY__{key}"), value));
    let service = crate::conversions::converting(service).start().await;
    let mut missing = Vec::new();
    let named = named_routes(&text(PUBLIC));
    assert!(named.len() >= 20, "{named:?}");
    for (method, path) in named {
        let path = path.replace("{write_key}", "KEY").replace("{source}", "contact");
        let path = path.replace("{name}", "shopify");
        let answer = service.public(method.clone(), &path).send().await.unwrap();
        if matches!(answer.status().as_u16(), 404 | 405) {
            missing.push(format!("{method} {path}: {}", answer.status()));
        }
    }
    assert!(missing.is_empty(), "routes that are not there: {missing:?}");
    service.finish().await;
}

#[test]
fn every_code_of_a_refusal_has_its_heading_and_the_other_way_round() {
    let page = text("docs/reference/errors.md");
    let named: BTreeSet<String> = titles(&page).into_iter().filter(|title| !title.contains(' ')).collect();
    let product = code::product();
    assert_eq!(named, code::error_codes(&product));
    let reasons: BTreeSet<String> = first_words(&page, "reason").into_iter().collect();
    assert_eq!(reasons, code::event_reasons(&product));
}

#[test]
fn the_codes_of_the_openapi_documents_are_those_of_the_page_in_its_words() {
    let codes: serde_json::Map<_, _> = serde_json::from_str(&text("src/openapi/codes.json")).unwrap();
    let page = text("docs/reference/errors.md");
    let sections = page.split("\n### ").skip(1).filter_map(|section| section.split_once("\n\n"));
    let sections: BTreeMap<&str, &str> = sections.collect();
    assert_eq!(codes.keys().map(String::as_str).collect::<BTreeSet<_>>(), sections.keys().copied().collect());
    for (code, described) in &codes {
        let section = sections[code.as_str()];
        let (status, means) = (described["status"].to_string(), described["means"].as_str().unwrap());
        assert!(section.starts_with(&status) && section.contains(means), "{code}: {status} {means}");
    }
}

#[test]
fn every_exit_code_has_its_heading_and_the_other_way_round() {
    let titles = titles(&text("docs/reference/exit-codes.md"));
    let codes = titles.iter().filter_map(|title| title.split_once(':')?.0.parse().ok());
    let named: BTreeSet<u8> = codes.collect();
    assert_eq!(named, code::exit_codes(&code::product()));
}

#[test]
fn the_glossary_of_the_architecture_is_that_of_the_documents() {
    let words = |page: &str| rows(&text(page), "word");
    let glossary = words("docs/reference/glossary.md");
    assert!(glossary.len() >= 15, "{glossary:?}");
    assert_eq!(words("ARCHITECTURE.md"), glossary);
}

#[test]
fn every_metric_is_in_its_page_and_every_named_one_is_recorded() {
    let recorded = code::metrics(&code::product());
    let named = |page: &str| -> BTreeSet<String> {
        let words = quoted(page).into_iter().map(|word| word.split('{').next().unwrap().to_owned());
        words.filter(|word| code::is_metric(word)).collect()
    };
    assert_eq!(named(&text(METRICS)), recorded);
    for (name, page) in pages() {
        let missing: Vec<_> = named(&page).difference(&recorded).cloned().collect();
        assert!(missing.is_empty(), "{name}: metrics that nothing records: {missing:?}");
    }
}

#[tokio::test]
async fn every_outcome_lane_and_risk_that_is_counted_is_explained() {
    let service = Service::start().await;
    let scraped = service.private("/metrics").send().await.unwrap().text().await.unwrap();
    let explained = text("docs/reference/outcomes.md");
    for (metric, label, page, table) in [
        ("freshsignal_events_total", "outcome", &explained, "outcome"),
        ("freshsignal_contacts_owed", "lane", &explained, "lane"),
        ("freshsignal_risk", "risk", &text(METRICS), "risk"),
    ] {
        let counted = labels(&scraped, metric, label);
        assert!(counted.len() >= 3, "{metric}: {counted:?}");
        let named: BTreeSet<String> = first_words(page, table).into_iter().collect();
        assert_eq!(named, counted, "{metric}");
    }
    service.finish().await;
}

#[test]
fn every_command_and_switch_that_a_document_shows_exists() {
    let help = Help::read();
    let page = text("docs/reference/cli.md");
    let named = first_words(&page, "command");
    let named: BTreeSet<&str> = named.iter().filter_map(|word| word.split(' ').nth(1)).collect();
    assert_eq!(named, help.0.keys().map(String::as_str).collect());
    let wrong: Vec<_> = pages().iter().flat_map(|(name, page)| wrong_commands(name, page, &help)).collect();
    assert!(wrong.is_empty(), "commands that do not exist: {wrong:#?}");
}

#[test]
fn every_block_of_toml_and_json_in_the_documents_can_be_read() {
    let known = code::known_keys(&text("config/default.toml"));
    let wrong: Vec<_> =
        pages().iter().flat_map(|(name, page)| unreadable_blocks(name, page, &known)).collect();
    assert!(wrong.is_empty(), "blocks that can't be read: {wrong:#?}");
}

#[test]
fn every_test_that_the_architecture_names_exists() {
    let sources = code::sources();
    let document = text("ARCHITECTURE.md");
    let sentence = |word: &String| {
        word.matches('_').count() >= 3
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let named: BTreeSet<String> = quoted(&document).into_iter().filter(sentence).collect();
    assert!(named.len() >= 30, "{}", named.len());
    let missing: Vec<_> = named.iter().filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "tests that do not exist: {missing:?}");
}

/// Every document of the project by its name: those beside the manifest, and the pages.
fn pages() -> Vec<(String, String)> {
    let beside = std::fs::read_dir(root()).unwrap().map(|entry| PathBuf::from(entry.unwrap().file_name()));
    let beside = beside.filter(|name| name.extension().is_some_and(|extension| extension == "md"));
    let beside = beside.map(|name| name.to_str().unwrap().to_owned());
    let names: BTreeSet<String> = beside.chain(files("docs", "md")).collect();
    assert!(names.contains("README.md") && names.contains(INDEX), "{names:?}");
    names.into_iter().map(|name| (name.clone(), text(&name))).collect()
}

/// Links of a page to a file that is not there, or to a heading that the file does not have.
fn broken_links(name: &str, page: &str) -> Vec<String> {
    let leads = |target: &String| {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        if file.is_empty() {
            return headings(page).contains(heading);
        }
        let path = beside(name, file);
        let there = root().join(&path).exists();
        there && (heading.is_empty() || headings(&text(&path)).contains(heading))
    };
    links(page).iter().filter(|target| !leads(target)).map(|target| format!("{name}: {target}")).collect()
}

/// A path that a page names, from the project's folder on.
fn beside(page: &str, target: &str) -> String {
    let mut path = PathBuf::new();
    for part in Path::new(page).parent().unwrap().join(target).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            other => path.push(other),
        }
    }
    path.to_str().unwrap().to_owned()
}

/// The pages below `docs/` that no path of links leads to from this one.
fn unreached(from: &str, pages: &BTreeMap<String, String>) -> Vec<String> {
    let mut reached = BTreeSet::from([from.to_owned()]);
    let mut next = vec![from.to_owned()];
    while let Some(name) = next.pop() {
        let targets = pages.get(&name).map(|page| links(page)).unwrap_or_default();
        for target in targets {
            let path = beside(&name, target.split('#').next().unwrap());
            // What leads there has to be one of the pages: links out of docs/ and back are no way.
            if path.starts_with("docs/") && reached.insert(path.clone()) {
                next.push(path);
            }
        }
    }
    pages.keys().filter(|name| name.starts_with("docs/") && !reached.contains(*name)).cloned().collect()
}

/// Words of a page that look like a key of a section there is, and are none.
fn unknown_keys(name: &str, page: &str, known: &BTreeSet<String>) -> Vec<String> {
    let sections: BTreeSet<&str> = known.iter().filter_map(|key| key.split('.').next()).collect();
    let words = quoted(page);
    let keys = words.iter().filter_map(|word| code::key_of(word));
    let unknown = keys.filter(|key| {
        let section = key.split('.').next().unwrap_or_default();
        let key = key.replace("sources.website.", "sources.NAME.").replace("hooks.stripe.", "hooks.NAME.");
        let key =
            key.replace("outputs.shop.", "outputs.NAME.").replace("admin.tokens.jane.", "admin.tokens.NAME.");
        sections.contains(section) && !known.contains(&key)
    });
    unknown.map(|key| format!("{name}: {key}")).collect()
}

/// Rows of tables of keys whose default is another one.
fn wrong_defaults(name: &str, page: &str, defaults: &BTreeMap<String, toml::Value>) -> Vec<String> {
    let of_defaults =
        |row: &&Vec<String>| row.len() >= 2 && row[1].bytes().all(|b| b.is_ascii_digit() || b == b',');
    let rows = rows(page, "key");
    let wrong = rows.iter().filter(of_defaults).filter(|row| {
        let said = row[1].replace(',', "").parse().ok().map(toml::Value::Integer);
        said.is_none() || defaults.get(row[0].trim_matches('`')) != said.as_ref()
    });
    wrong.map(|row| format!("{name}: {} {}", row[0], row[1])).collect()
}

/// Routes of a page's tables with their methods; those that are listed after one have its method.
fn named_routes(page: &str) -> Vec<(Method, String)> {
    let mut routes = Vec::new();
    for row in rows(page, "route") {
        let mut method = Method::POST;
        for word in quoted(&row[0]).into_iter().chain(alternatives(&row)) {
            let (named, path) = word.split_once(' ').unwrap_or(("", &word));
            if let Ok(named) = named.parse() {
                method = named;
            }
            if path.starts_with('/') {
                routes.push((method.clone(), path.to_owned()));
            }
        }
    }
    routes
}

/// Other names of routes, which stand in the second cell where the first names none.
fn alternatives(row: &[String]) -> Vec<String> {
    if row[0].contains('/') { Vec::new() } else { row.get(1).map(|cell| quoted(cell)).unwrap_or_default() }
}

fn routes_of(page: &str) -> BTreeSet<String> {
    named_routes(page).into_iter().map(|(_, path)| path).collect()
}

/// The values of a label of a metric in what was scraped.
fn labels(scraped: &str, metric: &str, label: &str) -> BTreeSet<String> {
    let start = format!("{metric}{{{label}=\"");
    let lines = scraped.lines().filter_map(|line| line.strip_prefix(start.as_str()));
    lines.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

/// The commands of the binary, each with what its help says.
struct Help(BTreeMap<String, String>);

impl Help {
    fn read() -> Self {
        let help = |arguments: &[&str]| output(&mut freshsignal(arguments, &[]), "").1;
        let commands = Self::listed(&help(&["--help"]));
        Self(commands.into_iter().map(|command| (command.clone(), help(&[&command, "--help"]))).collect())
    }

    /// The commands that a help lists.
    fn listed(help: &str) -> Vec<String> {
        let list =
            help.split("Commands:\n").nth(1).unwrap_or_default().split("\n\n").next().unwrap_or_default();
        let first = list.lines().filter_map(|line| line.split_whitespace().next().map(str::to_owned));
        first.filter(|command| command != "help").collect()
    }

    /// The help of what a call asks for: where a command has commands of its own, that of the one that is named.
    fn of<'a>(&self, command: &str, mut words: impl Iterator<Item = &'a str>) -> Option<String> {
        let own = self.0.get(command)?;
        let below = Self::listed(own);
        if below.is_empty() {
            return Some(own.clone());
        }
        let named = words.next()?;
        below
            .iter()
            .any(|listed| listed == named)
            .then(|| output(&mut freshsignal(&[command, named, "--help"], &[]), "").1)
    }
}

/// Calls of the binary in the code of a page, with a command or a switch that it does not have.
fn wrong_commands(name: &str, page: &str, help: &Help) -> Vec<String> {
    let in_blocks = blocks(page).into_iter().filter(|(language, _)| language == "sh");
    let lines: Vec<String> =
        in_blocks.flat_map(|(_, code)| code.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let all = quoted(page).into_iter().chain(lines);
    let mut wrong = Vec::new();
    for line in all {
        let line = line.split(" #").next().unwrap().replace(['[', ']', '"', ')'], " ");
        let call = line
            .split_once("freshsignal ")
            .filter(|(before, _)| before.is_empty() || before.ends_with(['/', ' ', '(']));
        let Some((_, rest)) = call else { continue };
        let mut words = rest.split_whitespace();
        let Some(command) = words.next().filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()))
        else {
            continue;
        };
        let switches =
            words.take_while(|word| !["|", "<<", "&&"].contains(word)).filter(|word| word.starts_with("--"));
        match help.of(command, rest.split_whitespace().skip(1)) {
            None => wrong.push(format!("{name}: freshsignal {command}")),
            Some(text) => {
                let unknown = switches.filter(|word| {
                    !text.contains(&format!("{} ", word.split('=').next().unwrap()))
                        && !text.contains(&format!("{word}\n"))
                });
                wrong.extend(unknown.map(|word| format!("{name}: freshsignal {command} {word}")));
            }
        }
    }
    wrong
}

/// Blocks of a page that say they are TOML or JSON and are not, or configure what there is not.
fn unreadable_blocks(name: &str, page: &str, known: &BTreeSet<String>) -> Vec<String> {
    let wrong = |(language, code): (String, String)| match language.as_str() {
        "json" => {
            let line = code.lines().find(|line| serde_json::from_str::<serde_json::Value>(line).is_err());
            line.map(|line| format!("{name}: {line}"))
        }
        "toml" => match code.parse::<toml::Table>() {
            Err(error) => Some(format!("{name}: {error}")),
            Ok(tables) => unknown_setting(&tables, known).map(|key| format!("{name}: {key}")),
        },
        _ => None,
    };
    blocks(page).into_iter().filter_map(wrong).collect()
}

/// A key of a block of configuration that does not exist. A mapping file has sections of its own.
fn unknown_setting(tables: &toml::Table, known: &BTreeSet<String>) -> Option<String> {
    let mapping = |section: &str| ["events", "fields", "deals", "company", "counted"].contains(&section);
    let mut keys = Vec::new();
    for (section, table) in tables.iter().filter(|(section, _)| !mapping(section)) {
        let mut inner = table.as_table()?.clone();
        if let Some(people) = inner.remove("tokens").filter(|_| section == "admin") {
            let named =
                people.as_table().into_iter().flat_map(toml::Table::values).filter_map(toml::Value::as_table);
            keys.extend(named.flat_map(toml::Table::keys).map(|key| format!("admin.tokens.NAME.{key}")));
        }
        if ["sources", "hooks", "outputs", "exports"].contains(&section.as_str()) {
            let named = inner.values().filter_map(toml::Value::as_table);
            keys.extend(named.flat_map(toml::Table::keys).map(|key| format!("{section}.NAME.{key}")));
        } else {
            keys.extend(inner.keys().map(|key| format!("{section}.{key}")));
        }
    }
    keys.into_iter().find(|key| !known.contains(key))
}

mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let page = "# A\n[1](#a) [2](#b) [3](../README.md) [4](none.md) [5](../README.md#start) [6](../README.md#none)";
        let broken = broken_links("docs/x.md", page);
        assert_eq!(broken, ["docs/x.md: #b", "docs/x.md: none.md", "docs/x.md: ../README.md#none"]);
    }

    #[test]
    fn a_page_that_nothing_leads_to_is_found() {
        let page = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let pages = [
            page("docs/README.md", "[a](how-to/a.md#x)"),
            page("docs/how-to/a.md", "[b](../b.md)"),
            page("docs/b.md", ""),
            page("docs/c.md", "[a](how-to/a.md)"),
            page("README.md", "[c](docs/c.md)"),
        ];
        assert_eq!(unreached(INDEX, &pages.into_iter().collect()), ["docs/c.md"]);
    }

    #[test]
    fn a_key_or_default_that_does_not_exist_is_found() {
        let known = BTreeSet::from(["a.b".to_owned(), "sources.NAME.c".to_owned()]);
        let page = "`a.b = 1` `a.x` `sources.website.c` `sources.website.x` `other.x`";
        assert_eq!(unknown_keys("p", page, &known), ["p: a.x", "p: sources.website.x"]);
        let defaults = BTreeMap::from([("a.b".to_owned(), toml::Value::Integer(1000))]);
        let table = "| key | default |\n| --- | --- |\n| `a.b` | 1,000 |\n| `a.b` | 2 |\n| `a.x` | 1 |\n| `a.b` | words |\n";
        assert_eq!(wrong_defaults("p", table, &defaults), ["p: `a.b` 2", "p: `a.x` 1"]);
    }

    #[test]
    fn routes_are_read_with_their_methods() {
        let page =
            "| route | x |\n| --- | --- |\n| `GET /a`, `/b` | `c` |\n| other names | the same: `/d` |\n";
        let named = named_routes(page);
        let expected = [(Method::GET, "/a"), (Method::GET, "/b"), (Method::POST, "/d")];
        assert_eq!(named, expected.map(|(method, path)| (method, path.to_owned())));
        let counted = labels("a{b=\"1\"} 0\na{b=\"2\"} 1\nc{b=\"3\"} 1", "a", "b");
        assert_eq!(counted, BTreeSet::from(["1".to_owned(), "2".to_owned()]));
    }

    #[test]
    fn a_command_or_switch_that_does_not_exist_is_found() {
        let help =
            Help(BTreeMap::from([("serve".to_owned(), "  --config <FILE>  x\n  --live\n".to_owned())]));
        let page = "`freshsignal serve --config F` `freshsignal fly` `freshsignal serve [--live [--wet]]`\n\
                    ```sh\nexport A=1\ntarget/freshsignal serve --dry   # --not\nfreshsignal map <<'X'\n```\n";
        let wrong = [
            "p: freshsignal fly",
            "p: freshsignal serve --wet",
            "p: freshsignal serve --dry",
            "p: freshsignal map",
        ];
        assert_eq!(wrong_commands("p", page, &help), wrong);
    }

    #[test]
    fn a_block_that_can_not_be_read_is_found() {
        let known = BTreeSet::from(["a.b".to_owned(), "sources.NAME.c".to_owned()]);
        let page = "```toml\n[a]\nb = 1\n[fields.x]\nfrom = []\n[sources.web]\nc = 1\n```\n```toml\na =\n```\n\
                    ```toml\n[a]\nx = 1\n```\n```json\n{}\n{\n```\n";
        let wrong = unreadable_blocks("p", page, &known);
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert_eq!(wrong[1], "p: a.x");
        assert_eq!(wrong[2], "p: {");
    }
}
