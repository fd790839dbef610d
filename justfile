# Short ways; `scripts/test` is the whole.

# The demo: sandbox CRM, service and one event delivered.
demo:
    cargo run --release -- demo

# Format and lints.
lint:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings

# The tests that need no browser and no SDKs; `just unit consent::` for one room.
unit *filter:
    cargo test --locked --lib -- {{filter}}

# What the documents name exists.
docs:
    cargo test --locked --test it documents::

# A site of the documents in target/site; broken links fail. Fetches MkDocs once.
site:
    scripts/site

# All that has to hold before a merge.
test:
    scripts/test
