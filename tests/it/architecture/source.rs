//! Reads Rust source far enough to name every path in it: comments, literals and test items fall away, `use` trees
//! unfold. Knows no rule about the rooms.

use std::fmt;

/// A path as written, one for each branch of a `use` tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its names, first to last; a `*` for a glob.
    pub segments: Vec<String>,
    /// The line of its first name, from 1.
    pub line: usize,
    /// How many `mod name { … }` of the same file it stands in.
    pub inline_modules: usize,
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.segments.join("::"))
    }
}

/// Every path of the text outside tests, those of a single name included.
pub fn imports(text: &str) -> Vec<Import> {
    let tokens = without_test_items(&tokens_of(&without_literals(text)));
    let mut reader = Reader { tokens: &tokens, at: 0, inline_modules: 0, found: Vec::new() };
    reader.read();
    reader.found
}

#[derive(Debug, Clone)]
struct Token {
    text: String,
    line: usize,
}

impl Token {
    fn is_name(&self) -> bool {
        self.text.starts_with(|first: char| first.is_alphabetic() || first == '_')
    }
}

/// The text with comments and the insides of strings and characters gone, its lines in place.
fn without_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.push(' ');
            code.extend(chars[at..end].iter().filter(|c| **c == '\n'));
            at = end;
        }
    }
    code
}

/// Where the comment or literal that begins at `at` ends; `at` itself when none begins there.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = |offset: usize| chars.get(at + offset).copied();
    let in_a_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        '/' if next(1) == Some('/') => find(chars, at, |i| chars[i] == '\n'),
        '/' if next(1) == Some('*') => block_comment_end(chars, at),
        '"' => quoted_end(chars, at, '"'),
        '\'' if next(1) == Some('\\') || next(2) == Some('\'') => quoted_end(chars, at, '\''),
        'r' if !in_a_word => raw_string_end(chars, at, 1),
        'b' | 'c' if !in_a_word && next(1) == Some('r') => raw_string_end(chars, at, 2),
        _ => at,
    }
}

fn find(chars: &[char], from: usize, found: impl Fn(usize) -> bool) -> usize {
    (from..chars.len()).find(|i| found(*i)).unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], from: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = from;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn quoted_end(chars: &[char], from: usize, quote: char) -> usize {
    let mut at = from + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The end of `r"…"` or `r##"…"##`, whose prefix is `prefix` letters long; `from` when it is a mere word.
fn raw_string_end(chars: &[char], from: usize, prefix: usize) -> usize {
    let hashes = chars[from + prefix..].iter().take_while(|c| **c == '#').count();
    let opening = from + prefix + hashes;
    if chars.get(opening) != Some(&'"') {
        return from;
    }
    let closes = |i: usize| {
        chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (find(chars, opening + 1, closes) + 1 + hashes).min(chars.len())
}

fn tokens_of(code: &str) -> Vec<Token> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens: Vec<Token> = Vec::new();
    for (index, text) in code.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (token, after) = rest.split_at(length);
            tokens.push(Token { text: token.to_owned(), line: index + 1 });
            rest = after.trim_start();
        }
    }
    tokens
}

/// The tokens less every item under `#[cfg(test)]`; none at all of a file under `#![cfg(test)]`.
fn without_test_items(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let Some((attribute, end, inner)) = attribute_at(tokens, at) else {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        };
        if !(attribute == "cfg(test)" || attribute.starts_with("cfg(all(test,")) {
            kept.extend_from_slice(&tokens[at..end]);
            at = end;
        } else if inner {
            return Vec::new();
        } else {
            at = item_end(tokens, end);
        }
    }
    kept
}

/// The attribute that begins at `at`: its text without spaces, where it ends, whether it is an inner one (`#!`).
fn attribute_at(tokens: &[Token], at: usize) -> Option<(String, usize, bool)> {
    let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    if text(at) != "#" {
        return None;
    }
    let inner = text(at + 1) == "!";
    let open = at + 1 + usize::from(inner);
    if text(open) != "[" {
        return None;
    }
    let end = closing(tokens, open);
    let inside =
        tokens[open + 1..end.saturating_sub(1).max(open + 1)].iter().map(|token| token.text.as_str());
    Some((inside.collect(), end, inner))
}

/// One past the bracket that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// One past the item at `from`, its further attributes included: at its `;` or at the end of its braces.
fn item_end(tokens: &[Token], from: usize) -> usize {
    let mut at = from;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            ";" => return at + 1,
            "{" => return closing(tokens, at),
            "(" | "[" => at = closing(tokens, at),
            ")" | "]" | "}" => return at,
            _ => at += 1,
        }
    }
    at
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    inline_modules: usize,
    found: Vec<Import>,
}

impl Reader<'_> {
    fn text(&self, offset: usize) -> &str {
        self.tokens.get(self.at + offset).map_or("", |token| token.text.as_str())
    }

    fn name(&self, offset: usize) -> bool {
        self.tokens.get(self.at + offset).is_some_and(Token::is_name)
    }

    fn read(&mut self) {
        // One entry per open brace: whether it is that of an inline module.
        let mut braces = Vec::new();
        while self.at < self.tokens.len() {
            match self.text(0) {
                "mod" if self.name(1) && self.text(2) == "{" => {
                    braces.push(true);
                    self.at += 3;
                }
                "{" => {
                    braces.push(false);
                    self.at += 1;
                }
                "}" => {
                    braces.pop();
                    self.at += 1;
                }
                _ if self.name(0) && self.begins_a_path() => {
                    self.inline_modules = braces.iter().filter(|module| **module).count();
                    let line = self.tokens[self.at].line;
                    self.tree(&mut Vec::new(), line);
                }
                _ => self.at += 1,
            }
        }
    }

    /// A name after `a::`, `>::` or `.` goes on with what began before it.
    fn begins_a_path(&self) -> bool {
        let before = |offset: usize| self.at.checked_sub(offset).map(|at| &self.tokens[at]);
        match before(1).map(|token| token.text.as_str()) {
            Some(".") => false,
            Some("::") => !before(2).is_some_and(|token| token.is_name() || token.text == ">"),
            _ => true,
        }
    }

    /// Reads one path or `use` tree whose names so far are `prefix`.
    fn tree(&mut self, prefix: &mut Vec<String>, line: usize) {
        loop {
            if self.text(0) == "{" {
                return self.branches(prefix, line);
            }
            prefix.push(self.text(0).to_owned());
            self.at += 1;
            let goes_on = self.text(0) == "::" && (self.name(1) || matches!(self.text(1), "{" | "*"));
            if !goes_on {
                let inline_modules = self.inline_modules;
                self.found.push(Import { segments: prefix.clone(), line, inline_modules });
                return;
            }
            self.at += 1;
        }
    }

    fn branches(&mut self, prefix: &mut Vec<String>, line: usize) {
        let shared = prefix.len();
        self.at += 1;
        while self.at < self.tokens.len() && self.text(0) != "}" {
            if self.name(0) || matches!(self.text(0), "{" | "*") {
                self.tree(prefix, line);
                prefix.truncate(shared);
            }
            // Past `as Name` to the next branch.
            while self.at < self.tokens.len() && !matches!(self.text(0), "," | "}") {
                self.at += 1;
            }
            if self.text(0) == "," {
                self.at += 1;
            }
        }
        self.at += 1;
    }
}

/// The reading on samples.
mod samples {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        imports(text).iter().filter(|import| import.segments.len() > 1).map(ToString::to_string).collect()
    }

    #[test]
    fn a_use_tree_unfolds_into_its_branches() {
        assert_eq!(
            paths("use crate::{a, b::{c as d, e::*}, f::{self, g}};\nuse h::i;"),
            ["crate::a", "crate::b::c", "crate::b::e::*", "crate::f::self", "crate::f::g", "h::i"]
        );
    }

    #[test]
    fn paths_in_types_expressions_macros_and_attributes_are_read() {
        assert_eq!(
            paths("fn f(x: &a::B<c::D>) -> e::F { g::h::<i::J>(x)?.k() }"),
            ["a::B", "c::D", "e::F", "g::h", "i::J"]
        );
        assert_eq!(paths("#[a::b]\nfn f() { c::d!(e::f, ::g::h) }"), ["a::b", "c::d", "e::f", "g::h"]);
        assert_eq!(paths("macro_rules! m { () => { $crate::a::b } }"), ["crate::a::b"]);
    }

    #[test]
    fn literals_and_comments_are_no_paths() {
        assert_eq!(paths("// a::b\n/* c::d /* e::f */ g::h */"), Vec::<String>::new());
        assert_eq!(
            paths(r##"f("a::b \" c::d", r"e::f\", r#"g::h " i::j"#, b"k::l", br#"m::n"#); o::p"##),
            ["o::p"]
        );
        assert_eq!(paths("let quote = '\"'; a::b; let tick = '\\''; c::d"), ["a::b", "c::d"]);
        assert_eq!(paths("fn f<'a>(x: &'a a::B) -> &'a str { \"c::d\" }"), ["a::B"]);
        assert_eq!(paths("let r#type = a::b; let for_ = 1; br; c::d"), ["a::b", "c::d"]);
    }

    #[test]
    fn lines_are_counted_through_comments_and_strings() {
        let text = "/* one\ntwo */ const A: &str = \"three\nfour\";\nuse a::b;";
        let last = imports(text).pop().unwrap();
        assert_eq!((last.to_string().as_str(), last.line), ("a::b", 4));
    }

    #[test]
    fn test_items_fall_away_and_what_follows_stays() {
        assert_eq!(paths("#[cfg(test)]\nmod tests { fn f() { a::b } }\nuse c::d;"), ["c::d"]);
        assert_eq!(paths("#[cfg(test)]\n#[path = \"x\"]\nmod tests;\nuse c::d;"), ["c::d"]);
        assert_eq!(paths("#[cfg(all(test, unix))]\nfn f(x: [u8; 4]) { a::b }\nuse c::d;"), ["c::d"]);
        assert_eq!(paths("#[cfg(test)]\nuse a::b;\nuse c::d;"), ["c::d"]);
        assert_eq!(paths("#[cfg(not(test))]\nuse c::d;"), ["c::d"]);
        assert_eq!(paths("#![cfg(test)]\nuse c::d;"), Vec::<String>::new());
    }

    #[test]
    fn inline_modules_are_counted() {
        let found = imports("mod a { fn f() { x::one } mod b { x::two } } x::three");
        let depths: Vec<usize> = found
            .iter()
            .filter(|import| import.segments.len() == 2)
            .map(|import| import.inline_modules)
            .collect();
        assert_eq!(depths, [1, 2, 0]);
    }
}
