//! A private PostgreSQL cluster of Debian's package, for the tests of one process: on a socket in a folder of its own, gone with
//! the process.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// How long a cluster may take to answer.
const TRIES: u32 = 600;
const BETWEEN: Duration = Duration::from_millis(50);

/// A cluster that runs.
pub struct Cluster {
    url: String,
    bin: PathBuf,
    folder: PathBuf,
}

static PRIVATE: OnceLock<Option<Cluster>> = OnceLock::new();

#[allow(clippy::print_stderr, reason = "what was not tested has to be seen")]
/// The cluster of this process, started with the first test that needs one; none where PostgreSQL is not installed.
pub fn private() -> Option<&'static Cluster> {
    let start = || {
        let started = bin().map(|bin| Cluster::start(&bin, "tests", ""));
        if started.is_none() {
            eprintln!(
                "NOT TESTED ON POSTGRESQL: it is not installed (apt-get install postgresql); these tests ran on the embedded \
                 engine once more"
            );
        }
        started
    };
    PRIVATE.get_or_init(start).as_ref()
}

/// Where the newest version has its programs.
pub fn bin() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .flatten()
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .filter(|(version, bin)| *version >= 15 && bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin)
}

/// A command as somebody who may run a server: it refuses the user root.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    // It goes with whoever started it.
    command.args(["--pdeathsig=INT"]).arg(program);
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// Folders of processes that are gone.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix("freshsignal-pg-")?.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl Cluster {
    /// Makes a cluster with more lines of configuration and starts it.
    pub fn start(bin: &Path, name: &str, more: &str) -> Self {
        // In memory: nothing here has to outlive a power cut.
        let parent =
            if Path::new("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
        sweep(&parent);
        let folder = parent.join(format!("freshsignal-pg-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        if is_root() {
            let owned = Command::new("chown").arg("postgres:postgres").arg(&folder).status().unwrap();
            assert!(owned.success());
        }
        let data = folder.join("data");
        let made = unprivileged(&bin.join("initdb"))
            .arg("-D")
            .arg(&data)
            .args(["-U", "freshsignal", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"])
            .current_dir("/")
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let cluster = Self {
            url: format!("host={} user=freshsignal dbname=postgres", folder.display()),
            bin: bin.to_owned(),
            folder,
        };
        let config = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nmax_connections = 400\nshared_buffers = 64MB\n{more}\n",
            cluster.folder.display()
        );
        let file = data.join("postgresql.conf");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text + config.as_str()).unwrap();
        cluster.run();
        cluster
    }

    /// How to connect.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Starts the server from a thread that lives as long as the process: with its thread a child would go.
    pub fn run(&self) {
        let (bin, data, log) = (self.bin.join("postgres"), self.folder.join("data"), self.folder.join("log"));
        let (sender, started) = std::sync::mpsc::sync_channel::<()>(1);
        std::thread::spawn(move || {
            let log = fs::File::create(log).unwrap();
            let mut server: Child = unprivileged(&bin)
                .arg("-D")
                .arg(data)
                .current_dir("/")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            sender.send(()).unwrap();
            let _ = server.wait();
        });
        started.recv().unwrap();
        for _ in 0..TRIES {
            let ready = Command::new(self.bin.join("pg_isready"))
                .args(["-q", "-h"])
                .arg(&self.folder)
                .args(["-U", "freshsignal"])
                .status()
                .unwrap();
            if ready.success() {
                return;
            }
            wait();
        }
        panic!(
            "the cluster does not answer: {}",
            fs::read_to_string(self.folder.join("log")).unwrap_or_default()
        );
    }

    /// What a node needs that uses the database, with a short lease and short calls: keys of its configuration.
    pub fn of_node<'a>(&'a self, schema: &'a str) -> Vec<(&'static str, &'a str)> {
        vec![
            ("STORE__KIND", "postgres"),
            ("STORE__URL", self.url()),
            ("STORE__SCHEMA", schema),
            ("STORE__TLS", "off"),
            ("STORE__DURABILITY", "single"),
            ("STORE__LEASE_SECONDS", "2"),
            ("FRESHSALES__ATTEMPT_TIMEOUT_SECONDS", "1"),
        ]
    }

    /// What the server answers to a statement, without headings.
    pub fn ask(&self, sql: &str) -> String {
        let asked = Command::new(self.bin.join("psql"))
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "freshsignal",
                "-d",
                "postgres",
                "-h",
            ])
            .arg(&self.folder)
            .args(["-c", sql])
            .output()
            .unwrap();
        assert!(asked.status.success(), "{sql}: {}", String::from_utf8_lossy(&asked.stderr));
        String::from_utf8_lossy(&asked.stdout).trim().to_owned()
    }

    /// The process of the server.
    pub fn pid(&self) -> Option<u32> {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid")).ok()?;
        file.lines().next()?.trim().parse().ok()
    }
}

#[allow(clippy::disallowed_methods, reason = "a server of others lives in real time")]
fn wait() {
    std::thread::sleep(BETWEEN);
}
