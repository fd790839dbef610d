//! The real binary as a child process: an environment of its own, everything it says kept.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use super::wait::WITHIN;

/// Lines of standard error that may wait for a test to look at them.
const LINES_MAX: usize = 100_000;

/// The binary with these arguments and no environment but these pairs (keys without `FRESHSIGNAL_`). Its data may go with the
/// container or the memory that temporary folders are in.
pub fn freshsignal<A: AsRef<OsStr>>(arguments: &[A], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_freshsignal"));
    command.args(arguments).env_clear().env("FRESHSIGNAL_STORE__EPHEMERAL", "true");
    for (key, value) in environment {
        command.env(format!("FRESHSIGNAL_{key}"), value);
    }
    command
}

/// Runs a command that ends by itself.
pub fn output(command: &mut Command, input: impl AsRef<[u8]>) -> (i32, String, String) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read its input closes it.
    let _ = child.stdin.take().unwrap().write_all(input.as_ref());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().expect("it ended by itself"), text(stdout), text(stderr))
}

/// `freshsignal serve` as a child. Killed when dropped.
pub struct Served {
    child: Child,
    lines: Receiver<String>,
    stdout: Option<JoinHandle<String>>,
    said: String,
    /// Where it takes events.
    pub public: String,
    /// Where the debugger is.
    pub private: String,
}

impl Served {
    /// Starts it and waits until it accepts events. Both listeners should be configured on port 0.
    pub fn start(command: &mut Command) -> Self {
        Self::start_saying(command, "accepts events")
    }

    /// The same for one that says this with the addresses of both listeners.
    pub fn start_saying(command: &mut Command, text: &str) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stderr, mut stdout) = (child.stderr.take().unwrap(), child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(LINES_MAX);
        std::thread::spawn(move || {
            let read = BufReader::new(stderr).lines().map_while(Result::ok);
            read.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
        });
        let stdout = std::thread::spawn(move || {
            let mut said = String::new();
            stdout.read_to_string(&mut said).unwrap();
            said
        });
        let nowhere = String::new();
        let mut served = Self {
            child,
            lines,
            stdout: Some(stdout),
            said: String::new(),
            public: nowhere.clone(),
            private: nowhere,
        };
        let ready = served.wait_for(text);
        let named = |key: &str| {
            let start =
                ready.find(&format!("{key}=")).expect("the line names both listeners") + key.len() + 1;
            ready[start..].split_whitespace().next().unwrap().trim_matches('"').to_owned()
        };
        (served.public, served.private) = (named("public"), named("private"));
        served
    }

    /// Waits for a line of standard error with this text.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(WITHIN);
            let line = line.unwrap_or_else(|_| panic!("it never said {text:?} but:\n{}", self.said));
            self.said.push_str(&line);
            self.said.push('\n');
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end; answers its exit code and all it said on standard error and output.
    pub fn ended(mut self) -> (i32, String) {
        let code = self.child.wait().unwrap().code().expect("it ended by itself");
        let mut said = std::mem::take(&mut self.said);
        while let Ok(line) = self.lines.recv() {
            said.push_str(&line);
            said.push('\n');
        }
        said.push_str(&self.stdout.take().unwrap().join().unwrap());
        (code, said)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // One that has ended already can't be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
