//! OpenNebula's refusals without the secrets that they quote.
//!
//! A `CONTEXT` that cannot be parsed is quoted whole, every value of it, passwords and keys among them (observed on 6.10.3 and
//! in its source: `Error parsing: A=..@^_^@B=... syntax error, ...`).

/// What the parser puts between the pairs of a `CONTEXT`.
const SEPARATOR: &str = "@^_^@";
/// Longer than any refusal without a quotation.
const LENGTH_MAX: usize = 600;

/// The text as it may be shown. `session` is `user:password`: neither it nor the password is left in.
pub(crate) fn redact(text: &str, session: &str) -> String {
    let mut text = hide_context(text);
    let password = session.split_once(':').map_or("", |(_, password)| password);
    for secret in [session, password] {
        // A word as short as this is no secret, and hides half of the text.
        if secret.len() > 3 {
            text = text.replace(secret, "(hidden)");
        }
    }
    let mut shown: String =
        text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(LENGTH_MAX).collect();
    if shown.len() < text.len() && text.chars().count() > LENGTH_MAX {
        shown.push_str("...");
    }
    shown
}

fn hide_context(text: &str) -> String {
    const MARK: &str = "Error parsing:";
    let Some((before, after)) = text.split_once(MARK) else {
        return if text.contains(SEPARATOR) { "(a CONTEXT, hidden)".to_owned() } else { text.to_owned() };
    };
    // A file that is not found is named in the same words, and its name is what the reader needs.
    let rest = after.trim_start();
    if rest.starts_with("$FILE[") && !rest.contains(SEPARATOR) && !rest.contains("syntax error") {
        return text.to_owned();
    }
    let why = after.rfind(". syntax error").and_then(|at| after.get(at..)).unwrap_or("");
    format!("{before}{MARK} (the CONTEXT, hidden){why}")
}

#[cfg(test)]
mod tests {
    use super::redact;

    const SESSION: &str = "oneadmin:opennebula";

    #[test]
    fn a_context_is_never_quoted() {
        let text = "[one.vm.allocate] Error parsing: A=cost 5$ each@^_^@PASSWORD=s3cret. x@^_^@TARGET=hda. syntax error, \
                    unexpected EOA, expecting $end or VARIABLE or RSTRING at line 0, columns 10:11";
        let shown = redact(text, SESSION);
        assert!(!shown.contains("s3cret") && !shown.contains("cost"), "{shown}");
        assert!(
            shown.ends_with("at line 0, columns 10:11") && shown.starts_with("[one.vm.allocate] Error"),
            "{shown}"
        );
        let alone = redact("Error parsing: PASSWORD=5$. syntax error, unexpected EOA", SESSION);
        assert_eq!(alone, "Error parsing: (the CONTEXT, hidden). syntax error, unexpected EOA");
        assert!(!redact("strange: X=1@^_^@PASSWORD=s3cret", SESSION).contains("s3cret"));
        assert!(!redact("Error parsing: PASSWORD=s3cret", SESSION).contains("s3cret"));
    }

    #[test]
    fn a_missing_file_is_still_named() {
        let text = "Error parsing: $FILE[IMAGE=nosuch]. User 0 does not own an image with name: nosuch . Set IMAGE_UNAME";
        assert_eq!(redact(text, SESSION), text);
    }

    #[test]
    fn credentials_control_characters_and_length_are_taken_out() {
        let shown = redact("no oneadmin:opennebula\u{1b}[31m here, nor opennebula", SESSION);
        assert_eq!(shown, "no (hidden) [31m here, nor (hidden)");
        assert_eq!(redact(&"é".repeat(5000), SESSION).chars().count(), 603);
        assert_eq!(redact("a:b", "a:b"), "a:b", "a password of one letter would hide every such letter");
    }
}
