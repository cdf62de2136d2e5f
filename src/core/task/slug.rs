//! Short names of work, as folders, sessions and branches can have them. Pure.

use std::fmt::Write as _;

use sha1::{Digest as _, Sha1};

/// The longest name, in letters.
pub const LONGEST_SLUG: usize = 60;
/// As many hex digits tell long names apart.
const DIGITS: usize = 8;

/// Small ASCII letters and digits, with one `-` between words; `None`: nothing is left of the text.
pub(super) fn words(text: &str) -> Option<String> {
    let ascii: String = text.chars().filter(char::is_ascii).map(|c| c.to_ascii_lowercase()).collect();
    let parts: Vec<&str> = ascii.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join("-"))
}

/// The name of a text; `task`, if nothing is left of it.
pub fn slug_of(text: &str) -> String {
    shortened(words(text).unwrap_or_else(|| "task".to_owned()))
}

/// A name that is too long ends with the beginning of its SHA-1 instead.
pub(super) fn shortened(slug: String) -> String {
    if slug.len() <= LONGEST_SLUG {
        return slug;
    }
    let mut digest = String::new();
    Sha1::digest(slug.as_bytes()).iter().take(DIGITS / 2).for_each(|byte| {
        let _ = write!(digest, "{byte:02x}");
    });
    let head: String = slug.chars().take(LONGEST_SLUG - DIGITS - 1).collect();
    format!("{}-{digest}", head.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_small_ascii_words() {
        for (text, expected) in [
            ("Fix the login", "fix-the-login"),
            ("  __A--b..C!! ", "a-b-c"),
            ("Überlauf beheben", "berlauf-beheben"),
            ("日本語", "task"),
            ("", "task"),
            ("$(rm -rf /); `x` \"y\"\n'z'", "rm-rf-x-y-z"),
        ] {
            assert_eq!(slug_of(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_head_and_tells_itself_apart() {
        let at_most = "a".repeat(60);
        assert_eq!(slug_of(&at_most), at_most);
        // The digits are those of `printf %s aaa… | sha1sum`.
        assert_eq!(slug_of(&"a".repeat(61)), format!("{}-aeab141d", "a".repeat(51)));
        assert_eq!(slug_of(&format!("{} {}", "b".repeat(50), "c".repeat(20))).find("b-"), Some(49), "no two `-` in a row");
    }

    proptest! {
        #[test]
        fn every_text_has_a_name_that_is_its_own_name(text in "\\PC{0,120}") {
            let slug = slug_of(&text);
            prop_assert!(!slug.is_empty() && slug.len() <= LONGEST_SLUG, "{slug}");
            prop_assert!(slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{slug}");
            prop_assert!(!slug.starts_with('-') && !slug.ends_with('-') && !slug.contains("--"), "{slug}");
            prop_assert_eq!(slug_of(&slug), slug);
        }
    }
}
