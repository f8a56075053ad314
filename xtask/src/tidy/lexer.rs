//! Rust without its comments and the contents of its literals, so that a word found in it is code.

/// `source` with every comment, string and character literal blanked. Lines stay where they are.
pub(crate) fn code_of(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => quoted(rest, '"'),
            '\'' => character(rest),
            // Not the `r` at the end of a name: `for"` is no raw string.
            'r' if !is_word(before) => raw_string(rest),
            _ => 0,
        };
        let length = if skipped == 0 { first.len_utf8() } else { skipped };
        let (piece, after) = rest.split_at(length);
        if skipped == 0 {
            code.push_str(piece);
        } else {
            code.extend(piece.chars().map(|each| if each == '\n' { '\n' } else { ' ' }));
        }
        before = piece.chars().next_back().unwrap_or(' ');
        rest = after;
    }
    code
}

/// Whether a name may contain `letter`.
pub(crate) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let tail = &rest[at..];
        if tail.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if tail.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// A literal from its quote on, in which a backslash takes the next letter along.
fn quoted(rest: &str, quote: char) -> usize {
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' {
            letters.next();
        } else if letter == quote {
            return at + quote.len_utf8();
        }
    }
    rest.len()
}

/// A character literal. A quote that begins a lifetime is none: nothing closes it after one letter.
fn character(rest: &str) -> usize {
    let mut letters = rest.chars().skip(1);
    match (letters.next(), letters.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted(rest, '\''),
        _ => 0,
    }
}

/// `r"..."` and `r#"..."#` with any number of signs.
fn raw_string(rest: &str) -> usize {
    let signs = rest[1..].len() - rest[1..].trim_start_matches('#').len();
    if !rest[1 + signs..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(signs));
    let content = 2 + signs;
    rest[content..].find(&end).map_or(rest.len(), |at| content + at + end.len())
}

#[cfg(test)]
mod tests {
    use super::code_of;

    #[test]
    fn words_in_comments_and_literals_are_no_code() {
        for source in [
            "// word",
            "/* a /* word */ word */",
            "\"word\"",
            "\"\\\" word\"",
            "r\"word\"",
            "r#\"a \" word\"#",
            "b\"word\"",
            "'\\'' // word",
        ] {
            assert!(!code_of(source).contains("word"), "{source} became {}", code_of(source));
        }
    }

    #[test]
    fn code_beside_them_stays_on_its_line() {
        for source in
            ["/* a */ word", "\"a\" word", "fn f<'a>(x: &'a str) { word }", "'\"' word", "r#\"\"\"# word"]
        {
            assert!(code_of(source).contains("word"), "{source} became {}", code_of(source));
        }
        assert_eq!(code_of("\"a\nb\"\nword").lines().nth(2), Some("word"));
    }
}
