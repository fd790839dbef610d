//! No value of a watch stays locked longer than it takes to read it.

use super::hold;

#[test]
fn no_watched_value_stays_locked_while_something_is_put_together() {
    hold(&["src"], locked_in_literals);
}

/// Fields of a literal that borrow from a watch. The lock lasts until the whole literal is made: where another part of it borrows
/// the same value while somebody waits to write it, nobody goes on.
fn locked_in_literals(path: &str, text: &str) -> Vec<String> {
    let field = |line: &str| {
        let line = line.trim_start();
        let name = line.split(": ").next().unwrap_or_default();
        let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        named && line.contains(": ") && line.contains(".borrow()") && line.ends_with(',')
    };
    let found = text.lines().enumerate().filter(|(_, line)| field(line));
    found.map(|(nth, line)| format!("{path}:{}: {}", nth + 1, line.trim())).collect()
}

#[test]
fn a_value_that_is_borrowed_in_a_literal_is_found() {
    let text = "let view = View {\n    opened: app.pressure.borrow().opened,\n    other: 1,\n};\nlet now = *pressure.borrow();";
    assert_eq!(locked_in_literals("a.rs", text), ["a.rs:2: opened: app.pressure.borrow().opened,"]);
}
