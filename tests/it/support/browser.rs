//! A real browser: headless Chromium of its own, driven by `ChromeDriver`.
//!
//! Each [`Browser`] is fresh: its own process, profile and session, gone when it is closed or dropped. At most
//! [`BROWSERS_MAX`] run at the same time. What is awaited in a page goes through [`Browser::eventually`].

use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use freshsignal::freshsales::{Timeouts, http_client};
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::error::WebDriverResult;
use thirtyfour::prelude::{By, WebDriver, WebElement};
use thirtyfour::{Capabilities, WindowHandle};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::wait::{eventually, in_time};

/// Browsers that run at the same time; each takes a few processes.
const BROWSERS_MAX: usize = 4;
/// No single order to a browser takes this long, its start on a busy machine included.
const ORDER_MAX: Duration = Duration::from_mins(1);
/// How often a driver is started before that is a failure.
const START_ATTEMPTS: usize = 5;
const MISSING: &str = "a browser is needed: run scripts/test as root on Debian, which installs it, or install the \
    packages chromium and chromium-driver";

static TURNS: Semaphore = Semaphore::const_new(BROWSERS_MAX);

/// A browser with one or more pages.
pub struct Browser {
    driver: WebDriver,
    process: Driver,
    _profile: TempDir,
    _turn: SemaphorePermit<'static>,
}

/// The process of `ChromeDriver`. Its browser listens on a pipe to it, so both end together.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Browser {
    /// A fresh browser with an empty page.
    pub async fn start() -> Self {
        let turn = TURNS.acquire().await.unwrap();
        let profile = tempfile::tempdir().unwrap();
        let starting = tokio::task::spawn_blocking(start_driver);
        let (process, port) = in_time("ChromeDriver starts", starting).await.unwrap();
        let client = http_client(Timeouts { connect: ORDER_MAX, attempt: ORDER_MAX }).unwrap();
        let builder = WebDriver::builder(format!("http://127.0.0.1:{port}"), capabilities(profile.path()));
        let driver = builder.client(client).await.unwrap_or_else(|error| panic!("{error}\n{MISSING}"));
        // Whoever drops it must not wait for the browser: the process ends with its driver.
        driver.clone().leak().unwrap();
        driver.set_script_timeout(ORDER_MAX).await.unwrap();
        Self { driver, process, _profile: profile, _turn: turn }
    }

    /// Goes to an address and waits until the page has loaded.
    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// The address of the page.
    pub async fn url(&self) -> String {
        self.driver.current_url().await.unwrap().to_string()
    }

    /// Loads the page again.
    pub async fn reload(&self) {
        self.driver.refresh().await.unwrap();
    }

    /// Runs a script in the page and answers what it returns; a promise is awaited.
    pub async fn run(&self, script: &str) -> Value {
        self.try_run(script).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    async fn try_run(&self, script: &str) -> WebDriverResult<Value> {
        Ok(self.driver.execute(script, Vec::new()).await?.json().clone())
    }

    /// Waits until a script returns something that is not null, false, 0 or empty; answers it.
    pub async fn eventually(&self, what: &str, script: &str) -> Value {
        eventually(what, async || match self.try_run(script).await {
            Ok(value) if is_something(&value) => Ok(value),
            Ok(value) => Err(value.to_string()),
            Err(error) => Err(error.to_string()),
        })
        .await
    }

    /// The first element a CSS selector finds, as soon as there is one.
    pub async fn find(&self, css: &str) -> WebElement {
        let look = async || self.driver.find(By::Css(css)).await.map_err(|error| error.to_string());
        eventually(&format!("there is {css}"), look).await
    }

    /// Clicks an element.
    pub async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap_or_else(|error| panic!("click {css}: {error}"));
    }

    /// Replaces what an input holds.
    pub async fn fill(&self, css: &str, text: &str) {
        let input = self.find(css).await;
        input.clear().await.unwrap();
        input.send_keys(text).await.unwrap_or_else(|error| panic!("type into {css}: {error}"));
    }

    /// Types keys at whatever has the focus; `thirtyfour::Key` names the special ones.
    pub async fn press(&self, keys: impl AsRef<str>) {
        let keys = keys.as_ref().to_owned();
        self.driver.action_chain().send_keys(keys).perform().await.unwrap();
    }

    /// The visible text of an element.
    pub async fn text(&self, css: &str) -> String {
        self.find(css).await.text().await.unwrap()
    }

    /// Waits until the visible text of an element has this in it.
    pub async fn shows(&self, css: &str, text: &str) {
        eventually(&format!("{css} shows {text:?}"), async || {
            let found = self.driver.find(By::Css(css)).await.map_err(|error| error.to_string())?;
            let shown = found.text().await.map_err(|error| error.to_string())?;
            if shown.contains(text) { Ok(()) } else { Err(shown) }
        })
        .await;
    }

    /// The tab that everything else is about.
    pub async fn tab(&self) -> WindowHandle {
        self.driver.window().await.unwrap()
    }

    /// Opens another tab and goes there; the answer leads back.
    pub async fn new_tab(&self) -> WindowHandle {
        let before = self.tab().await;
        let tab = self.driver.new_tab().await.unwrap();
        self.switch_to(&tab).await;
        before
    }

    /// Goes to another tab.
    pub async fn switch_to(&self, tab: &WindowHandle) {
        self.driver.switch_to_window(tab.clone()).await.unwrap();
    }

    /// Closes this tab and goes to another.
    pub async fn close_tab(&self, then: &WindowHandle) {
        self.driver.close_window().await.unwrap();
        self.switch_to(then).await;
    }

    /// Sends a command of the Chrome `DevTools` protocol to the page.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let answer = self.driver.cdp().send_raw(command, parameters).await;
        answer.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Takes the page's network away, or gives it back.
    pub async fn offline(&self, offline: bool) {
        let conditions =
            json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.devtools("Network.enable", json!({})).await;
        self.devtools("Network.emulateNetworkConditions", conditions).await;
    }

    /// The size of the page in CSS pixels.
    pub async fn size(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// What the page is told the user prefers: `light` or `dark`.
    pub async fn color_scheme(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Keeps what the page looks like as `target/screenshots/NAME.png`.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, self.driver.screenshot_as_png().await.unwrap()).unwrap();
        path
    }

    /// What keeps people from using the page who see, hear or type otherwise, by axe-core. Without it this is not looked for, and
    /// said.
    #[expect(clippy::print_stderr, reason = "what is not tested is said")]
    pub async fn barriers(&self) -> Option<Value> {
        let axe =
            Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("sdks/node_modules/axe-core/axe.min.js");
        let Ok(axe) = std::fs::read_to_string(axe) else {
            eprintln!(
                "SKIPPED: a page was not looked at by axe-core: run scripts/test, which installs it below target/"
            );
            return None;
        };
        let ask = "return axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
            violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`))";
        Some(self.run(&format!("{axe};{ask}")).await)
    }

    /// Errors and warnings that the console has got since the last look, failed requests included.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.driver.browser_log().await.unwrap();
        let complaints =
            log.into_iter().filter(|entry| ["SEVERE", "WARNING"].contains(&entry.level.as_str()));
        complaints.map(|entry| format!("{}: {}", entry.level, entry.message)).collect()
    }

    /// The end of a test: nothing stands in the console that [`Browser::complaints`] has not taken, and the browser ends.
    pub async fn close(self) {
        assert_eq!(self.complaints().await, Vec::<String>::new(), "the console has errors or warnings");
        let Self { driver, process, _profile, _turn } = self;
        // Asked to, it ends in order and leaves nothing behind; else it ends with its driver.
        let session = format!("{}session/{}", driver.server_url(), driver.session_id());
        let client = http_client(Timeouts { connect: ORDER_MAX, attempt: ORDER_MAX }).unwrap();
        client.delete(session).send().await.unwrap();
        drop(process);
    }
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// Starts `ChromeDriver` on a free port. The port it finds must be free for both versions of IP; where the second is taken
/// meanwhile, it gives up, and another try finds another.
fn start_driver() -> (Driver, u16) {
    let started = (0..START_ATTEMPTS).find_map(|_| {
        let mut command = Command::new("chromedriver");
        command.args(["--port=0", "--log-level=SEVERE"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = match command.spawn() {
            Ok(child) => Driver(child),
            Err(error) if error.kind() == ErrorKind::NotFound => panic!("{MISSING}"),
            Err(error) => panic!("chromedriver: {error}"),
        };
        let stdout = process.0.stdout.take().unwrap();
        Some((port_said(stdout)?, process))
    });
    let (port, process) = started.expect("ChromeDriver starts and says its port");
    (process, port)
}

/// The port it says it listens on, unless it ends before; what it says after that is read and forgotten.
fn port_said(stdout: ChildStdout) -> Option<u16> {
    let (sender, port) = sync_channel(1);
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let said =
                line.split_once(" on port ").and_then(|(_, port)| port.trim_end_matches('.').parse().ok());
            // The first line names the port that was asked for, which is none.
            if let Some(port) = said.filter(|port| *port != 0) {
                let _ = sender.try_send(port);
            }
        }
    });
    port.recv().ok()
}

fn capabilities(profile: &Path) -> Capabilities {
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--force-color-profile=srgb",
        "--hide-scrollbars",
        "--lang=en-US",
        "--remote-debugging-pipe",
        "--window-size=1280,800",
    ];
    let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    let wanted = json!({
        "browserName": "chrome",
        "goog:loggingPrefs": {"browser": "ALL"},
        "goog:chromeOptions": {"args": arguments},
    });
    serde_json::from_value(wanted).unwrap()
}
