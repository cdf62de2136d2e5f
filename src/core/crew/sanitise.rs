//! What may not stand in what a crew shares: secrets, control characters, where somebody's home is. Rules only; `docs/crew.md` lists them.

use regex::{Captures, Regex};

/// The longest summary, in characters: what is longer belongs in a file.
pub const LONGEST_SUMMARY: usize = 2000;

/// What stands where a secret stood.
const HIDDEN: &str = "[hidden]";

/// A rule: what it finds, and which part of that stays.
struct Rule {
    pattern: &'static str,
    /// What stays in front.
    keeps: bool,
}

/// In this order. Each finds whole secrets, so that no half of one is left.
const RULES: [Rule; 8] = [
    // Blocks of keys, also one that is cut off.
    Rule { pattern: r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\z)", keeps: false },
    // Headers that carry a token.
    Rule {
        pattern: r"(?i)(\b(?:authorization|proxy-authorization|x-api-key|cookie|set-cookie)\b\s*[:=]\s*)[^\n]+",
        keeps: true,
    },
    Rule { pattern: r"(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9+/=._~-]{8,}", keeps: true },
    // A password in an address.
    Rule { pattern: r"([a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?:@)", keeps: true },
    // Shapes that only keys have.
    Rule {
        pattern: r"\b(?:sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{30,}|npm_[A-Za-z0-9]{30,}|lin_api_[A-Za-z0-9]{20,})",
        keeps: false,
    },
    Rule { pattern: r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*", keeps: false },
    // What is called one: in quotes, or up to the next blank.
    Rule {
        pattern: r#"(?i)([A-Za-z0-9_.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)[A-Za-z0-9_-]*["']?\s*[:=]\s*)(?:"[^"\n]*"?|'[^'\n]*'?|[^\s"',;]+)"#,
        keeps: true,
    },
    // The same as a flag.
    Rule { pattern: r#"(?i)(--?(?:password|passwd|secret|token|api-?key)\s+)(?:"[^"\n]*"?|'[^'\n]*'?|[^\s"']+)"#, keeps: true },
];

/// Sequences that a terminal obeys.
const ESCAPES: &str = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|.)?";

/// Homes of whoever: `/home/NAME`, `/Users/NAME`, `/root`.
const HOMES: &str = r"(^|[^A-Za-z0-9_.~/-])(?:/home/[^/\s:'\x22]+|/Users/[^/\s:'\x22]+|/root)(/|\b|$)";

/// A text as it may be shared: in one line, without what is secret. `home` is the home of whoever says it.
pub fn sanitise(text: &str, home: Option<&str>) -> String {
    let mut text = text.to_owned();
    if let Ok(escapes) = Regex::new(ESCAPES) {
        text = escapes.replace_all(&text, "").into_owned();
    }
    text.retain(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    for Rule { pattern, keeps } in RULES {
        let Ok(rule) = Regex::new(pattern) else { continue };
        let hide = |found: &Captures<'_>| match found.get(1).filter(|_| keeps) {
            Some(kept) => format!("{}{HIDDEN}", kept.as_str()),
            None => HIDDEN.to_owned(),
        };
        text = rule.replace_all(&text, hide).into_owned();
    }
    if let Some(home) = home.filter(|home| home.len() > 1) {
        text = text.replace(home.trim_end_matches('/'), "~");
    }
    if let Ok(homes) = Regex::new(HOMES) {
        text = homes.replace_all(&text, "${1}~${2}").into_owned();
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST_SUMMARY {
        return line;
    }
    let cut: String = line.chars().take(LONGEST_SUMMARY).collect();
    format!("{cut} … (cut)")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_rule_and_every_pattern_is_one() {
        assert!(RULES.iter().map(|rule| rule.pattern).chain([ESCAPES, HOMES]).all(|pattern| Regex::new(pattern).is_ok()));
    }

    #[test]
    fn secrets_go_and_what_is_said_about_them_stays() {
        let cases = [
            ("use sk-ant-api03-abcdefghijklmnop now", "use [hidden] now"),
            ("ghp_0123456789abcdefghijABCDEFGHIJ012345!", "[hidden]!"),
            ("AKIAIOSFODNN7EXAMPLE", "[hidden]"),
            ("Authorization: Bearer abc.def.ghi-jkl\nnext", "Authorization: [hidden] next"),
            ("curl -H 'x: y' Bearer abcdefghijkl", "curl -H 'x: y' Bearer [hidden]"),
            ("DB_PASSWORD=hunter2 ./run", "DB_PASSWORD=[hidden] ./run"),
            ("api_key: \"two words\" then", "api_key: [hidden] then"),
            ("{\"client_secret\": \"x y\", \"a\": 1}", "{\"client_secret\": [hidden], \"a\": 1}"),
            ("login --token abc123 --user me", "login --token [hidden] --user me"),
            ("postgres://me:pw@host/db", "postgres://me:[hidden]host/db"),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter", "[hidden] after"),
            ("-----BEGIN PRIVATE KEY-----\nMIIE cut off", "[hidden]"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln", "[hidden]"),
            ("the token bucket and the secret of it", "the token bucket and the secret of it"),
            ("task-sk-1 is fine", "task-sk-1 is fine"),
        ];
        for (text, expected) in cases {
            assert_eq!(sanitise(text, None), expected, "{text}");
        }
    }

    #[test]
    fn homes_and_control_characters_go() {
        let cases = [
            ("/home/me/shop/a.rs", "~/shop/a.rs"),
            ("see /Users/me/x, /root/y and /home/you", "see ~/x, ~/y and ~"),
            ("/srv/home/me/x /rooted", "/srv/home/me/x /rooted"),
            ("\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}x\u{8}y\u{9b}z", "red xyz"),
            ("two\n\n lines\t!", "two lines !"),
            ("/data/people/me/x", "~/x"),
        ];
        for (text, expected) in cases {
            assert_eq!(sanitise(text, Some("/data/people/me")), expected, "{text}");
        }
        let long = sanitise(&"é".repeat(5000), None);
        assert!(long.ends_with("… (cut)") && long.chars().count() < LONGEST_SUMMARY + 20);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_comes_out_is_one_printable_line_and_stays_so(text in any::<String>()) {
            let once = sanitise(&text, Some("/home/me"));
            prop_assert!(!once.chars().any(char::is_control));
            prop_assert!(!once.contains("/home/me/"));
        }

        #[test]
        fn a_key_is_hidden_wherever_it_stands(before in "[a-z ]{0,9}", key in "[A-Za-z0-9]{24}", after in "[ ,.][a-z ]{0,9}") {
            let text = format!("{before} sk-{key}{after}");
            prop_assert!(!sanitise(&text, None).contains(&key));
        }
    }
}
