//! What the documents tell users of an SDK is what its driver does, line by line; where the SDK itself is not run, they say so.

use std::path::Path;

use super::{Run, SDKS, drivers};

#[test]
fn the_page_on_sdks_shows_each_the_lines_that_are_tested() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/how-to/sdks.md");
    let page = std::fs::read_to_string(page).unwrap();
    for sdk in &SDKS {
        let heading = format!("\n## {}\n", sdk.name);
        let (_, section) = page.split_once(&heading).unwrap_or_else(|| panic!("no section {}", sdk.name));
        let section = section.split("\n##").next().unwrap();
        assert!(section.contains("`mapping.identify = \"create\"`"), "{}", sdk.name);
        let (file, in_page) = match sdk.run {
            Run::Node(file) | Run::Python(file) => (file, false),
            Run::Page(file, _) => (file, true),
            Run::StandIn(_, script, version) => {
                let told = format!(
                    "The library itself was not run: [a script of ours](../../tests/sdks/{script}) sends as {version} does."
                );
                assert!(section.contains(&told), "{}: no {told}", sdk.name);
                continue;
            }
        };
        let driver = std::fs::read_to_string(drivers().join(file)).unwrap();
        let block = section.split("```").nth(1).unwrap();
        let lines: Vec<_> = block.lines().skip(1).filter(|line| !line.is_empty()).collect();
        assert!(lines.len() >= 2, "{}", sdk.name);
        for line in lines {
            // A page of the test has the SDK from a script, where that of a user has it from a bundler.
            if in_page && line.starts_with("import ") {
                assert!(line.contains(sdk.name), "{line}");
                continue;
            }
            let tested = line.replace("\"https://events.example.com\"", "host");
            let tested = tested.replace("\"KEY\"", "key").replace("\"KEY:x\"", "`${key}:x`");
            assert!(driver.lines().any(|line| line == tested), "{}: {tested}", sdk.name);
        }
    }
}
