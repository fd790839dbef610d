//! Holds what the Dockerfile, `.dockerignore` and the Compose files promise, by their text: no engine is needed.
//!
//! Says nothing of whether the image builds; a change that breaks a promise to whoever runs it fails here.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::architecture::is_test_file;
use crate::support::command::freshsignal;

const HARDENING: &[&str] =
    &["read_only: true", "cap_drop: [ALL]", "security_opt: [\"no-new-privileges:true\"]"];

#[test]
fn the_image_is_the_static_binary_alone_and_runs_without_root() {
    assert_eq!(broken_promises(&text("Dockerfile")), Vec::<&str>::new());
}

#[test]
fn the_builder_is_given_all_that_the_binary_is_made_of() {
    let copied = copied_from_context(&text("Dockerfile"));
    assert!(!copied.is_empty());
    let ignored = text(".dockerignore");
    for path in &copied {
        assert!(root().join(path).exists(), "COPY {path}: there is no such file");
        assert!(
            ignored.lines().any(|line| line == format!("!{path}")),
            "{path} is kept out by .dockerignore"
        );
    }
    let reaches = |path: &Path| copied.iter().any(|from| path.starts_with(from));
    for (file, included) in included_files() {
        assert!(
            reaches(&included),
            "{} includes {}, which the builder lacks",
            file.display(),
            included.display()
        );
    }
}

#[test]
fn a_target_named_in_the_manifest_is_copied_too() {
    // Cargo refuses a manifest whose targets are missing, even when it builds another one.
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    let copied = copied_from_context(&text("Dockerfile"));
    for (kind, folder) in [("bench", "benches"), ("test", "tests"), ("example", "examples")] {
        let named = manifest.contains_key(kind);
        assert!(
            !named || copied.iter().any(|path| path == folder),
            "Cargo.toml names a {kind}: COPY {folder}"
        );
    }
}

#[test]
fn the_builder_has_the_compiler_the_project_is_written_for() {
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    let version = manifest["package"]["rust-version"].as_str().unwrap();
    let builder = format!("FROM rust:{version}-alpine AS builder");
    assert!(text("Dockerfile").lines().any(|line| line == builder), "expected `{builder}`");
}

#[test]
fn both_services_of_compose_are_hardened() {
    for (file, service) in [("compose.yaml", "freshsignal"), ("compose.override.yaml", "sandbox")] {
        let compose = text(file);
        let lines = service_lines(&compose, service);
        for promise in HARDENING {
            assert!(lines.contains(promise), "{file}: {service}: {promise}");
        }
        assert!(lines.contains(&"pull_policy: never"), "{file}: {service} may be somebody else's image");
    }
    let account = text("compose.account.yaml");
    let loosened = HARDENING.iter().filter_map(|promise| promise.split(':').next());
    for key in loosened.chain(["privileged", "cap_add", "user"]) {
        assert!(!account.contains(&format!("{key}:")), "compose.account.yaml sets {key}");
    }
}

#[test]
fn both_nodes_of_compose_are_alike_hardened_and_reached_from_here_alone() {
    let compose = text("compose.nodes.yaml");
    for promise in HARDENING.iter().chain(&["pull_policy: never", "network_mode: \"service:database\""]) {
        assert!(compose.contains(promise), "{promise}");
    }
    let published: Vec<&str> = service_lines(&compose, "database")
        .into_iter()
        .filter_map(|line| line.strip_prefix("- \"")?.split('"').next())
        .filter(|port| port.contains(':'))
        .collect();
    assert_eq!(published.len(), 5);
    assert!(published.iter().all(|port| port.starts_with("127.0.0.1:")), "{published:?}");
    let listens = |node: &str| -> Vec<String> {
        let lines = service_lines(&compose, node);
        assert!(lines.contains(&"<<: *node") && lines.contains(&"<<: *settings"), "{node}");
        let own = lines.iter().filter_map(|line| line.split_once("LISTEN: 0.0.0.0:"));
        own.map(|(_, port)| format!("127.0.0.1:{port}:{port}")).collect()
    };
    let ports = [listens("node-a"), listens("node-b")].concat();
    assert_eq!(ports, published[..4]);
    for promise in [
        "FRESHSIGNAL_STORE__KIND: postgres",
        "FRESHSIGNAL_STORE__DURABILITY: single",
        "FRESHSIGNAL_STORE__TLS: \"off\"",
        "FRESHSIGNAL_FRESHSALES__BASE_URL: http://127.0.0.1:9090",
    ] {
        assert!(compose.contains(promise), "{promise}");
    }
}

#[test]
fn the_service_of_compose_keeps_its_data_and_the_private_listener_to_itself() {
    let compose = text("compose.yaml");
    let lines = service_lines(&compose, "freshsignal");
    for promise in [
        "- \"127.0.0.1:8081:8081\"",
        "test: [\"CMD\", \"/freshsignal\", \"health\"]",
        "stop_grace_period: 15s",
    ] {
        assert!(lines.contains(&promise), "{promise}");
    }
    assert!(!compose.contains("privileged"));
}

#[test]
fn the_sandbox_of_compose_is_reached_over_loopback_and_shares_no_data_with_an_account() {
    let compose = text("compose.override.yaml");
    let lines = service_lines(&compose, "freshsignal");
    for promise in [
        "FRESHSIGNAL_FRESHSALES__BASE_URL: http://127.0.0.1:9090",
        "FRESHSIGNAL_SOURCES__WEBSITE__WRITE_KEY: demo-write-key",
        "- sandbox:/data",
    ] {
        assert!(lines.contains(&promise), "{promise}");
    }
    let sandbox = service_lines(&compose, "sandbox");
    assert!(sandbox.contains(&"network_mode: \"service:freshsignal\""));
    assert!(sandbox.contains(&"- --listen=0.0.0.0:9090"));
    let account = text("compose.account.yaml");
    assert!(service_lines(&account, "freshsignal").contains(&"- data:/data"));
    assert!(!account.contains("sandbox:") && !account.contains("BASE_URL"));
}

#[test]
fn one_line_of_one_file_switches_compose_to_an_account_whose_secrets_are_files() {
    let example = text("deploy/compose/env.example");
    let files = example.lines().find_map(|line| line.strip_prefix("COMPOSE_FILE=")).unwrap();
    assert_eq!(files, "compose.yaml:compose.account.yaml");
    assert!(files.split(':').all(|file| root().join(file).exists()));
    let account = text("compose.account.yaml");
    let lines = service_lines(&account, "freshsignal");
    let values = lines.iter().filter_map(|line| line.strip_prefix("FRESHSIGNAL_"));
    let secret = ["API_KEY", "WRITE_KEY", "TOKEN", "SECRET"];
    for line in values.filter(|line| secret.iter().any(|word| line.contains(word))) {
        let (key, file) = line.split_once(": ").unwrap();
        assert!(key.ends_with("_FILE"), "{key} is in the environment");
        let name = file.strip_prefix("/run/secrets/").unwrap();
        assert!(lines.contains(&format!("- {name}").as_str()), "{name} is not mounted");
        assert!(account.contains(&format!("file: ./secrets/{name}")), "{name} is no file");
    }
    for file in ["/secrets/", "/.env"] {
        assert!(text(".gitignore").lines().any(|line| line == file), "{file} could be committed");
    }
}

#[test]
fn what_the_shipper_takes_out_of_a_line_of_the_log_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("LOG__FORMAT", "json"),
        ("SERVER__LISTEN", "127.0.0.1:0"),
        ("ADMIN__LISTEN", "127.0.0.1:0"),
        ("FRESHSALES__BUNDLE_ALIAS", "acme"),
        ("FRESHSALES__MODE", "dry_run"),
        ("SOURCES__WEBSITE__WRITE_KEY", "demo-write-key"),
        ("STORE__PATH", folder.path().to_str().unwrap()),
    ];
    let mut service = freshsignal(&["serve"], &settings).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(service.stderr.take().unwrap()).read_line(&mut line).unwrap();
    service.kill().unwrap();
    service.wait().unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert!(line["fields"]["message"].is_string(), "{line}");
    let shipper: toml::Table = text("deploy/vector/vector.toml").parse().unwrap();
    let taken = shipper["transforms"]["lines"]["source"].as_str().unwrap();
    for field in ["timestamp", "level", "target", "fields"] {
        assert!(taken.contains(&format!("line.{field}")) && line.get(field).is_some(), "{field}: {line}");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The instructions of a Dockerfile, continued lines joined, comments gone.
fn instructions(dockerfile: &str) -> Vec<String> {
    let kept: Vec<&str> = dockerfile.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = kept.join("\n").replace("\\\n", " ");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.lines().map(words).filter(|line| !line.is_empty()).collect()
}

/// The promises a Dockerfile does not keep.
fn broken_promises(dockerfile: &str) -> Vec<&'static str> {
    let all = instructions(dockerfile);
    let last_stage = all.iter().rposition(|line| line.starts_with("FROM ")).unwrap_or(0);
    let last = &all[last_stage..];
    let has = |line: &str| last.iter().any(|instruction| instruction == line);
    let any = |found: fn(&str) -> bool| all.iter().any(|instruction| found(instruction));
    let environment = last.iter().find(|line| line.starts_with("ENV ")).map_or("", String::as_str);
    let builds = |line: &str| line.starts_with("RUN ") && line.contains("cargo build");
    let promises = [
        ("the last stage is FROM scratch", has("FROM scratch")),
        ("no RUN in the last stage", !last.iter().any(|line| line.starts_with("RUN "))),
        ("USER 65532:65532", has("USER 65532:65532")),
        ("no other USER", last.iter().filter(|line| line.starts_with("USER ")).count() == 1),
        (
            "/data belongs to that user",
            last.iter().any(|line| {
                line.starts_with("COPY ") && line.contains("--chown=65532:65532") && line.ends_with(" /data")
            }),
        ),
        ("VOLUME /data", has("VOLUME [\"/data\"]")),
        (
            "HEALTHCHECK by the binary itself",
            last.iter().any(|line| {
                line.starts_with("HEALTHCHECK ") && line.ends_with("CMD [\"/freshsignal\", \"health\"]")
            }),
        ),
        ("ENTRYPOINT is the binary", has("ENTRYPOINT [\"/freshsignal\"]")),
        ("CMD is serve", has("CMD [\"serve\"]")),
        ("STOPSIGNAL SIGTERM", has("STOPSIGNAL SIGTERM")),
        ("both ports are exposed", has("EXPOSE 8080 8081")),
        ("the private listener is reachable", environment.contains("FRESHSIGNAL_ADMIN__LISTEN=0.0.0.0:8081")),
        ("the data folder is the volume", environment.contains("FRESHSIGNAL_STORE__PATH=/data")),
        ("no ADD", !any(|line| line.starts_with("ADD "))),
        ("nothing is downloaded by hand", !any(|line| line.contains("curl ") || line.contains("wget "))),
        ("no secret in the image", !any(|line| line.contains("KEY=") || line.contains("TOKEN="))),
        (
            "built as locked",
            all.iter().any(|line| builds(line))
                && all.iter().all(|line| !builds(line) || line.contains("--locked")),
        ),
    ];
    promises.into_iter().filter(|(_, kept)| !kept).map(|(promise, _)| promise).collect()
}

/// What a Dockerfile copies from the build context.
fn copied_from_context(dockerfile: &str) -> Vec<String> {
    let mut copied = Vec::new();
    for instruction in instructions(dockerfile) {
        let Some(arguments) = instruction.strip_prefix("COPY ") else {
            continue;
        };
        if !arguments.contains("--from=") {
            let paths: Vec<&str> = arguments.split(' ').filter(|word| !word.starts_with("--")).collect();
            copied.extend(paths[..paths.len() - 1].iter().map(ToString::to_string));
        }
    }
    copied
}

/// The files that `include_str!` and `include_bytes!` compile into the binary, each with the source file that names it.
fn included_files() -> Vec<(PathBuf, PathBuf)> {
    let mut folders = vec![root().join("src")];
    let mut included = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(root()).unwrap();
                if is_test_file(&file.to_string_lossy()) {
                    continue;
                }
                let names = included_names(&fs::read_to_string(&path).unwrap());
                included.extend(names.iter().map(|name| (file.to_owned(), resolved(file, name))));
            }
        }
    }
    included
}

/// The literals of `include_str!("…")` and `include_bytes!("…")`, but for those that only tests compile in.
fn included_names(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or("");
    let macros = ["include_str!(\"", "include_bytes!(\""];
    let after = macros.iter().flat_map(|name| source.split(name).skip(1));
    after.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}

/// A path relative to the file that names it, as one relative to the root.
fn resolved(file: &Path, name: &str) -> PathBuf {
    let mut path = file.parent().unwrap().to_owned();
    for component in Path::new(name).components() {
        if component == Component::ParentDir {
            path.pop();
        } else {
            path.push(component);
        }
    }
    path
}

/// The lines of one service of a compose file, trimmed.
fn service_lines<'a>(compose: &'a str, service: &str) -> Vec<&'a str> {
    let header = format!("  {service}:");
    let after = compose.lines().skip_while(|line| *line != header).skip(1);
    let lines = after.take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(|line| line.trim().split(" # ").next().unwrap_or("").trim_end()).collect()
}

/// The checks on samples: what must be found, what must not.
mod samples {
    use super::*;

    /// The real Dockerfile with one thing changed.
    fn broken_by(from: &str, to: &str) -> Vec<&'static str> {
        let dockerfile = text("Dockerfile");
        assert!(dockerfile.contains(from), "{from}");
        broken_promises(&dockerfile.replace(from, to))
    }

    #[test]
    fn every_promise_can_be_broken() {
        assert_eq!(broken_by("FROM scratch", "FROM alpine"), ["the last stage is FROM scratch"]);
        assert_eq!(broken_by("CMD [\"serve\"]", "RUN true\nCMD [\"serve\"]"), ["no RUN in the last stage"]);
        assert_eq!(broken_by("USER 65532:65532\n", "USER 0\n"), ["USER 65532:65532"]);
        assert_eq!(broken_by("VOLUME", "USER 0\nVOLUME"), ["no other USER"]);
        assert_eq!(broken_by("--chown=65532:65532 ", ""), ["/data belongs to that user"]);
        assert_eq!(broken_by("VOLUME [\"/data\"]", ""), ["VOLUME /data"]);
        assert_eq!(broken_by("\"health\"", "\"check\""), ["HEALTHCHECK by the binary itself"]);
        assert_eq!(broken_by("ENTRYPOINT", "LABEL entry="), ["ENTRYPOINT is the binary"]);
        assert_eq!(broken_by("[\"serve\"]", "[\"demo\"]"), ["CMD is serve"]);
        assert_eq!(broken_by("STOPSIGNAL SIGTERM", ""), ["STOPSIGNAL SIGTERM"]);
        assert_eq!(broken_by("EXPOSE 8080 8081", "EXPOSE 8080"), ["both ports are exposed"]);
        assert_eq!(broken_by("=0.0.0.0:8081", "=127.0.0.1:8081"), ["the private listener is reachable"]);
        assert_eq!(broken_by("PATH=/data", "PATH=data"), ["the data folder is the volume"]);
        assert_eq!(broken_by("COPY src src", "COPY src src\nADD https://example.com/x /x"), ["no ADD"]);
        assert_eq!(broken_by("apk add", "wget -q example.com && apk add"), ["nothing is downloaded by hand"]);
        assert_eq!(broken_by("ENV ", "ENV API_KEY=secret "), ["no secret in the image"]);
        assert_eq!(broken_by("--locked ", ""), ["built as locked"]);
    }

    #[test]
    fn what_is_copied_from_the_context_is_read() {
        let dockerfile = "COPY a b ./\nCOPY --chown=1:1 \\\n  c c\nCOPY --from=builder d d\n# COPY e e";
        assert_eq!(copied_from_context(dockerfile), ["a", "b", "c"]);
    }

    #[test]
    fn an_included_file_is_found_where_it_lies() {
        let source = "const A: &str = include_str!(\"../../config/default.toml\");";
        let names = included_names(source);
        assert_eq!(names, ["../../config/default.toml"]);
        let found = resolved(Path::new("src/mapping/preset.rs"), &names[0]);
        assert_eq!(found, Path::new("config/default.toml"));
        let in_tests = "#[cfg(test)]\nmod tests { const A: &str = include_str!(\"../tests/a.json\"); }";
        assert_eq!(included_names(in_tests), Vec::<String>::new());
    }

    #[test]
    fn the_lines_of_a_service_end_where_the_next_begins() {
        let compose =
            "services:\n  a:\n    read_only: true # yes\n    ports:\n      - \"1:1\"\n\n  b:\n    image: x\n";
        assert_eq!(service_lines(compose, "a"), ["read_only: true", "ports:", "- \"1:1\"", ""]);
        assert_eq!(service_lines(compose, "b"), ["image: x"]);
        assert_eq!(service_lines(compose, "c"), Vec::<&str>::new());
    }
}
