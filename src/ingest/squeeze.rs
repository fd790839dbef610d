//! Makes a script smaller without changing what it does: no comments, no space that separates nothing, and short names
//! for what only the script itself can see.
//!
//! For scripts of ours, written for it: a comment has a line to itself, there are no template literals, and what is declared
//! has the name of no global of a browser (the browser tests look). Must not understand more of JavaScript than it needs.

use std::collections::{BTreeMap, BTreeSet};

/// Words that are keywords in some places and may be declared in others.
const MAY_BE_KEYWORDS: [&str; 6] = ["of", "as", "async", "await", "get", "set"];

/// A piece of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    /// A name, a keyword or a number.
    Word(&'a str),
    /// A string or a regular expression, with what encloses it; `++` and `--`.
    Literal(&'a str),
    /// A single sign.
    Sign(char),
    /// The end of a line, which may end a statement.
    LineEnd,
}

/// The script, smaller.
pub fn squeezed(source: &str) -> String {
    let lines = source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    let lines: Vec<&str> = lines.collect();
    let tokens: Vec<Token<'_>> = lines.iter().flat_map(|line| tokens_of(line)).collect();
    let short = short_names(&tokens);
    let mut script = String::with_capacity(source.len());
    for (index, token) in tokens.iter().enumerate() {
        match *token {
            Token::Word(word) => {
                let word = short.get(word).map_or(word, String::as_str);
                if script.ends_with(is_word) {
                    script.push(' ');
                }
                script.push_str(word);
            }
            Token::Literal(literal) => script.push_str(literal),
            Token::Sign(sign) => {
                // Two of them would be another sign.
                if matches!(sign, '+' | '-') && script.ends_with(sign) {
                    script.push(' ');
                }
                script.push(sign);
            }
            Token::LineEnd => {
                if !ends_nothing(script.chars().last(), tokens.get(index + 1)) {
                    script.push('\n');
                }
            }
        }
    }
    script
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '$'
}

/// Takes one line apart. Whether a slash begins a regular expression is seen from what stands before it.
fn tokens_of(line: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = if is_word(first) {
            rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())
        } else if matches!(first, '"' | '\'') || (first == '/' && begins_expression(tokens.last())) {
            literal_length(rest, first)
        } else if rest.starts_with("++") || rest.starts_with("--") {
            2
        } else {
            first.len_utf8()
        };
        let (piece, after) = rest.split_at(length);
        if is_word(first) {
            tokens.push(Token::Word(piece));
        } else if length > first.len_utf8() {
            tokens.push(Token::Literal(piece));
        } else if first != ' ' {
            tokens.push(Token::Sign(first));
        }
        rest = after;
    }
    tokens.push(Token::LineEnd);
    tokens
}

fn begins_expression(before: Option<&Token<'_>>) -> bool {
    match before {
        None | Some(Token::LineEnd) => true,
        Some(Token::Sign(sign)) => !matches!(sign, ')' | ']' | '}'),
        Some(Token::Word(_) | Token::Literal(_)) => false,
    }
}

/// The length of a string, or of a regular expression without its flags: those are a word.
fn literal_length(text: &str, quote: char) -> usize {
    let (mut is_escaped, mut in_class) = (false, false);
    for (index, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '[' if quote == '/' => in_class = true,
            ']' => in_class = false,
            _ if letter == quote && !in_class => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// Whether a line ends within a statement whatever follows, or where the next begins without it.
fn ends_nothing(last: Option<char>, next: Option<&Token<'_>>) -> bool {
    let open = last.is_none_or(|last| "{([,;:?=&|>\n".contains(last));
    open || matches!(next, None | Some(Token::Sign('}' | ')' | ']' | '.' | '?' | ':' | '&' | '|')))
}

/// A short name for everything that is declared by `const` or `let` or is given to an arrow function, unless it is also the
/// name of a property somewhere.
fn short_names<'a>(tokens: &[Token<'a>]) -> BTreeMap<&'a str, String> {
    let written: Vec<Token<'a>> = tokens.iter().copied().filter(|token| *token != Token::LineEnd).collect();
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut declared, mut of_properties) = (BTreeSet::new(), BTreeSet::new());
    let mut open = Vec::new();
    for (index, token) in written.iter().enumerate() {
        match token {
            Token::Sign(sign @ ('(' | '[' | '{')) => open.push((*sign, index)),
            Token::Sign(')' | ']' | '}') => {
                let arrow = [Token::Sign('='), Token::Sign('>')];
                if let Some((_, begin)) =
                    open.pop().filter(|_| written.get(index + 1..index + 3) == Some(&arrow))
                {
                    declared.extend(given(written.get(begin..index).unwrap_or_default()));
                }
            }
            Token::Word(word) => {
                *uses.entry(word).or_default() += 1;
                let before =
                    |distance| index.checked_sub(distance).and_then(|index: usize| written.get(index));
                if matches!(before(1), Some(Token::Word("const" | "let"))) {
                    declared.insert(*word);
                }
                let spread = before(2) == Some(&Token::Sign('.'));
                if is_property(before(1), written.get(index + 1), open.last().map(|(sign, _)| sign), spread) {
                    of_properties.insert(*word);
                }
            }
            Token::Sign(_) | Token::Literal(_) | Token::LineEnd => {}
        }
    }
    let hidden = declared.difference(&of_properties).copied();
    let mut hidden: Vec<&str> = hidden.filter(|word| !MAY_BE_KEYWORDS.contains(word)).collect();
    hidden.sort_by_key(|word| std::cmp::Reverse(uses.get(word).copied()));
    let free = names().filter(|name| !uses.contains_key(name.as_str()));
    hidden.into_iter().zip(free).collect()
}

/// The plain names between the brackets of an arrow function, without what is taken apart there.
fn given<'a>(between: &[Token<'a>]) -> Vec<&'a str> {
    let mut depth = 1;
    let mut names = Vec::new();
    for pair in between.windows(2) {
        match pair {
            [Token::Sign('(' | ',' | '.'), Token::Word(name)] if depth == 1 => names.push(*name),
            _ => {}
        }
        match pair {
            [_, Token::Sign('[' | '{' | '(')] => depth += 1,
            [_, Token::Sign(']' | '}' | ')')] => depth -= 1,
            _ => {}
        }
    }
    names
}

/// Whether a word names a property where it stands: after a dot, before a colon, or by itself in an object.
fn is_property(
    before: Option<&Token<'_>>,
    after: Option<&Token<'_>>,
    inside: Option<&char>,
    spread: bool,
) -> bool {
    let after_dot = before == Some(&Token::Sign('.')) && !spread;
    let alone = inside == Some(&'{')
        && matches!(before, Some(Token::Sign('{' | ',')))
        && matches!(after, Some(Token::Sign(',' | '}' | '=' | '(')));
    after_dot || alone || after == Some(&Token::Sign(':'))
}

/// `a`, `b`, … `Z`, `aa`, `ab`, … but no keyword.
fn names() -> impl Iterator<Item = String> {
    let letters = || ('a'..='z').chain('A'..='Z');
    let one = letters().map(String::from);
    let two =
        letters().flat_map(move |first| letters().map(move |second| String::from_iter([first, second])));
    one.chain(two).filter(|name| !matches!(name.as_str(), "do" | "if" | "in" | "of" | "as"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_separates_nothing_goes() {
        for (source, small) in [
            (
                "// why\n  a(\"// not a comment\");\n\n    // more\n  b(  1, \"x  y\" );",
                "a(\"// not a comment\");b(1,\"x  y\");",
            ),
            ("if (a) return b;\nelse c();", "if(a)return b;else c();"),
            ("a = b\n(c)", "a=b\n(c)"),
            ("x = {\n  a,\n  b: 1,\n};\ny()", "x={a,b:1,};y()"),
            ("one()\n  .two();", "one().two();"),
            ("a + '\"b + c' + d", "a+'\"b + c'+d"),
            ("a / b / c; d = e + +f - -g; h++; --i", "a/b/c;d=e+ +f- -g;h++;--i"),
        ] {
            assert_eq!(squeezed(source), small);
        }
    }

    #[test]
    fn texts_and_regular_expressions_stay() {
        for source in ["a.match(/[/\" ]+ x\\//g)", "b(\"a \\\" const a b\")", "c=!/const a = 1/.test(d)"] {
            assert_eq!(squeezed(source), source);
        }
    }

    #[test]
    fn what_only_the_script_sees_gets_a_short_name() {
        for (source, small) in [
            ("const total = 1; let other = total + total; f(...other)", "const a=1;let b=a+a;f(...b)"),
            ("const total = 1; a(total.other.total)", "const total=1;a(total.other.total)"),
            ("const total = 1; const b = {total, c: 1}", "const total=1;const a={total,c:1}"),
            ("const total = 1; x = {total: 2}", "const total=1;x={total:2}"),
            ("const { total } = x; const total = 1", "const{total}=x;const total=1"),
            ("const total = 1; y = \"total\"; a(b, total, c)", "const d=1;y=\"total\";a(b,d,c)"),
            ("for (const of of b) c(of)", "for(const of of b)c(of)"),
            (
                "f((total, {other}, ...more) => total(other, total, more))",
                "f((a,{other},...b)=>a(other,a,b))",
            ),
            ("const map = 1; x = {map() {}}", "const map=1;x={map(){}}"),
        ] {
            assert_eq!(squeezed(source), small, "{source}");
        }
    }
}
