//! The SDKs people already have, against the running service: those of npm and `PyPI` unmodified, for others a stand-in.
//!
//! Each is driven by a few lines of its own language in `tests/sdks`, the way its users write them. `scripts/test` installs
//! them below `target/`. It installs nothing from other registries: there a script of this project sends as the SDK does.

mod gate;
mod recorded;
mod snippets;
mod webhooks;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::app::{Service, Setup, WRITE_KEY, sum};
use crate::support::browser::Browser;
use crate::support::process::until;
use crate::support::site::{Site, page, script};
use gate::Gate;

const MISSING: &str = "the SDKs are needed: run scripts/test, which installs them below target/";
/// No SDK takes so long to send its events, its pauses between tries included, on a busy machine.
const SENT_WITHIN: Duration = Duration::from_mins(2);
/// Who identifies beside the first: with its four calls a batch of ten.
const OTHERS: usize = 6;
/// What each driver calls: identify, track, page and group of the first, and an identify of each other.
const CALLS: usize = 4 + OTHERS;

/// How an SDK is run.
#[derive(Clone, Copy)]
enum Run {
    Node(&'static str),
    Python(&'static str),
    /// The SDK itself is not run: a program and a script of ours, and the version of the SDK that it sends as.
    StandIn(&'static str, &'static str, &'static str),
    /// A driver and the file of the SDK that the page loads.
    Page(&'static str, &'static str),
}

/// An SDK under test.
struct Sdk {
    /// Its package.
    name: &'static str,
    /// The name its people have in their addresses.
    short: &'static str,
    run: Run,
}

const SDKS: [Sdk; 9] = [
    Sdk { name: "@segment/analytics-node", short: "segment-node", run: Run::Node("segment-node.mjs") },
    Sdk {
        name: "@segment/analytics-next",
        short: "segment-browser",
        run: Run::Page("segment-browser.mjs", "dist/umd/index.js"),
    },
    Sdk { name: "segment-analytics-python", short: "segment-python", run: Run::Python("segment_python.py") },
    Sdk {
        name: "@rudderstack/rudder-sdk-node",
        short: "rudderstack-node",
        run: Run::Node("rudderstack-node.mjs"),
    },
    Sdk {
        name: "@rudderstack/analytics-js",
        short: "rudderstack-browser",
        run: Run::Page("rudderstack-browser.mjs", "dist/npm/modern/bundled/esm/index.mjs"),
    },
    Sdk { name: "rudder-sdk-python", short: "rudderstack-python", run: Run::Python("rudderstack_python.py") },
    Sdk { name: "@jitsu/js", short: "jitsu", run: Run::Node("jitsu.mjs") },
    Sdk {
        name: "analytics-ruby",
        short: "segment-ruby",
        run: Run::StandIn("ruby", "segment_ruby.rb", "2.5.0"),
    },
    Sdk { name: "analytics-php", short: "segment-php", run: Run::StandIn("php", "segment_php.php", "3.8.2") },
];

/// What became of an SDK's calls.
struct Row {
    version: String,
    accepted: usize,
    /// Contacts that are not as they should be, in words.
    wrong: Vec<String>,
    duplicates: usize,
    retries: usize,
}

#[tokio::test]
async fn every_sdk_ends_as_the_right_contacts_and_nothing_counts_twice() {
    assert!(installed().join("node_modules").is_dir() && python().is_file(), "{MISSING}");
    let rows = futures_util::future::join_all(SDKS.iter().map(Sdk::measured)).await;
    println!("{}", table(&rows));
    for (sdk, row) in SDKS.iter().zip(&rows) {
        assert_eq!(row.wrong, Vec::<String>::new(), "{}: contacts", sdk.name);
        assert_eq!(row.duplicates, 0, "{}: duplicates", sdk.name);
        assert_eq!(row.retries, gate::REFUSED, "{}: retries", sdk.name);
    }
}

#[tokio::test]
async fn every_sdk_of_standard_webhooks_takes_what_outputs_sign() {
    webhooks::verified().await;
}

impl Sdk {
    /// Runs the driver through a bad network until all its events have taken effect.
    async fn measured(&self) -> Row {
        let service = Setup::new().with("MAPPING__IDENTIFY", "create").start().await;
        let gate = Gate::before(service.public_url(), service.client.clone()).await;
        let people = people(self.short);
        let told = json!({"host": gate.origin(), "key": WRITE_KEY, "people": people});
        match self.run {
            Run::Node(driver) => end(self.name, Command::new("node").arg(placed(driver)), &told).await,
            Run::Python(driver) => end(self.name, Command::new(python()).arg(placed(driver)), &told).await,
            Run::StandIn(program, script, _) => {
                end(self.name, Command::new(program).arg(drivers().join(script)), &told).await;
            }
            Run::Page(driver, file) => self.in_a_page(&service, &gate, driver, file, &told).await,
        }
        service.settled().await;
        let status = service.status().await;
        let accepted = usize::try_from(status["accepted"].as_u64().unwrap()).unwrap();
        let recognised = usize::try_from(status["outcomes"]["duplicate"].as_u64().unwrap_or(0)).unwrap();
        let wrong = people.iter().filter_map(|person| wrong(&service, person)).collect();
        assert_eq!(service.crm.sandbox.contacts().len(), people.len(), "{}: nobody else", self.name);
        let sent = gate.sent();
        recorded::keep(self.short, &sent);
        if let Run::StandIn(..) = self.run {
            assert_eq!(recorded::shapes(self.short), recorded::wanted_shapes(self.short), "{}", self.name);
        }
        service.finish().await;
        Row {
            version: self.version(),
            accepted,
            wrong,
            duplicates: (accepted - recognised).abs_diff(CALLS),
            retries: recorded::sent_again(&sent),
        }
    }

    /// Opens a page with the SDK and waits until its events are accepted.
    async fn in_a_page(&self, service: &Service, gate: &Gate, driver: &str, file: &str, told: &Value) {
        let sdk = installed().join("node_modules").join(self.name).join(file);
        let sdk = std::fs::read_to_string(&sdk).unwrap_or_else(|error| panic!("{error}\n{MISSING}"));
        let (sdk_path, load) = match file.rsplit_once('.') {
            Some((_, "mjs")) => ("/sdk.mjs", ""),
            _ => ("/sdk.js", "<script src='/sdk.js'></script>"),
        };
        let driver_load = "<script type='module' src='/driver'></script>";
        let html = format!(
            "<!doctype html><title>Shop</title><script>window.told = {told}</script>{load}{driver_load}"
        );
        let driver = std::fs::read_to_string(drivers().join(driver)).unwrap();
        let site = Site::start(vec![page("/", html), script(sdk_path, sdk), script("/driver", driver)]).await;
        let browser = Browser::start().await;
        browser.open(&site.url("/")).await;
        until(self.name, SENT_WITHIN, async || {
            let status = service.status().await;
            let duplicates = status["outcomes"]["duplicate"].as_u64().unwrap_or(0);
            let all = sum(&status["outcomes"]) - duplicates == CALLS as u64;
            all && recorded::sent_again(&gate.sent()) == gate::REFUSED && gate.rests()
        })
        .await;
        let asked = "return performance.getEntriesByType('resource').map((asked) => asked.name);";
        let asked: Vec<String> = serde_json::from_value(browser.run(asked).await).unwrap();
        let ours = |url: &&String| url.starts_with(&gate.origin()) || url.starts_with(&site.origin());
        assert!(asked.len() > 3 && asked.iter().all(|url| ours(&url)), "{}: {asked:#?}", self.name);
        // What was turned away stands in the console; nothing else does.
        let complaints = browser.complaints().await;
        let unexpected: Vec<_> = complaints.iter().filter(|complaint| !complaint.contains("503")).collect();
        assert!(unexpected.is_empty(), "{}: {unexpected:#?}", self.name);
        browser.close().await;
    }

    /// Its name as the table has it.
    fn label(&self) -> String {
        match self.run {
            Run::StandIn(..) => format!("{} (itself not run)", self.name),
            Run::Node(_) | Run::Python(_) | Run::Page(..) => self.name.to_owned(),
        }
    }

    /// The version that is installed, or that is stood in for.
    fn version(&self) -> String {
        match self.run {
            Run::Node(_) | Run::Page(..) => {
                let package = installed().join("node_modules").join(self.name).join("package.json");
                let package: Value = serde_json::from_slice(&std::fs::read(package).unwrap()).unwrap();
                package["version"].as_str().unwrap().to_owned()
            }
            Run::StandIn(_, _, version) => format!("as {version}"),
            Run::Python(_) => {
                let ask = format!("import importlib.metadata as m; print(m.version('{}'))", self.name);
                let answer = Command::new(python()).args(["-c", &ask]).output().unwrap();
                String::from_utf8(answer.stdout).unwrap().trim().to_owned()
            }
        }
    }
}

/// Runs a driver to its end.
async fn end(name: &'static str, command: &mut Command, told: &Value) {
    let program = command.get_program().to_owned();
    let mut limited = Command::new("timeout");
    limited.arg(SENT_WITHIN.as_secs().to_string()).arg(program).args(command.get_args());
    let text = |key: &str| told[key].as_str().map_or_else(|| told[key].to_string(), str::to_owned);
    limited.env("SDK_HOST", text("host")).env("SDK_KEY", text("key")).env("SDK_PEOPLE", text("people"));
    // Offsets of time are written as they are in the fixtures, wherever this runs.
    limited.env("TZ", "UTC").stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || limited.output()).await.unwrap();
    let output = output.unwrap_or_else(|error| panic!("{name}: {error}\n{MISSING}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}\n{said}\n{MISSING}", output.status);
}

/// Somebody who does everything, and others who only identify. The company of the first is known from the group alone.
fn people(sdk: &str) -> Vec<Value> {
    let person = |number: usize| {
        let mut traits = json!({"email": format!("ann-{number}@{sdk}.example"), "firstName": "Ann",
            "lastName": format!("No{number}"), "phone": "+1 (415) 555-0142"});
        if number > 0 {
            traits["company"] = "Globex".into();
        }
        json!({"userId": format!("{sdk}-{number}"), "traits": traits})
    };
    (0..=OTHERS).map(person).collect()
}

/// What the CRM holds of a person, where that is not what it should.
fn wrong(service: &Service, person: &Value) -> Option<String> {
    let (found, wanted) = (service.crm.contact(person["traits"]["email"].as_str().unwrap()), contact(person));
    (found.as_ref() != Some(&wanted)).then(|| format!("{found:?} and not {wanted}"))
}

/// What a person's contact is, whichever SDK spoke.
fn contact(person: &Value) -> Value {
    let traits = &person["traits"];
    json!({"emails": traits["email"], "first_name": "Ann", "last_name": traits["lastName"],
        "mobile_number": "+14155550142", "company_name": "Globex", "subscription_status": "subscribed"})
}

fn table(rows: &[Row]) -> String {
    let mut lines = vec![format!(
        "{:<31} {:>8} {:>6} {:>9} {:>15} {:>11} {:>16}",
        "SDK", "version", "calls", "accepted", "contacts right", "duplicates", "retries honoured"
    )];
    for (sdk, row) in SDKS.iter().zip(rows) {
        let contacts = format!("{}/{}", 1 + OTHERS - row.wrong.len(), 1 + OTHERS);
        let retries = format!("{}/{}", row.retries, gate::REFUSED);
        lines.push(format!(
            "{:<31} {:>8} {:>6} {:>9} {:>15} {:>11} {:>16}",
            sdk.label(),
            row.version,
            CALLS,
            row.accepted,
            contacts,
            row.duplicates,
            retries
        ));
    }
    lines.join("\n")
}

fn drivers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdks")
}

/// Where `scripts/test` installs the SDKs.
fn installed() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("sdks")
}

fn python() -> PathBuf {
    installed().join("python/bin/python")
}

/// A driver beside the packages, where Node looks for them.
fn placed(driver: &str) -> PathBuf {
    let place = installed().join(driver);
    std::fs::copy(drivers().join(driver), &place).unwrap();
    place
}
