//! Patterns of names: `discovery.names` and the NAME globs of the command line. Pure matching.

use crate::core::agents::Declared;
use crate::core::ids::AgentKind;

/// A pattern such as `*-creator-{agent}`: `*` is any text, `?` any one character, `{agent}` an agent's name or alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern(String);

/// Where the agent's name stands in a pattern.
const AGENT: &str = "{agent}";

impl NamePattern {
    /// The patterns in force when a manifest gives none.
    pub fn defaults() -> Vec<Self> {
        vec![Self("*-creator-{agent}".to_owned())]
    }

    /// A pattern as written.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The agents a session of this name may hold: none if the name does not match; every agent if the pattern does not
    /// name one.
    pub fn agents(&self, name: &str, declared: &Declared) -> Vec<AgentKind> {
        let matches = |kind: &AgentKind| declared.names(kind).any(|word| glob(&self.0.replace(AGENT, word), name));
        declared.kinds().filter(matches).collect()
    }
}

/// Whether `pattern` covers the whole of `text`; `*` is any text, `?` any one character.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_of_a_name_is_the_one_its_pattern_names() {
        let default = &NamePattern::defaults()[0];
        let agents = |pattern: &NamePattern, name: &str| pattern.agents(name, &Declared::default());
        assert_eq!(agents(default, "lab-landing-page-creator-claude"), [AgentKind::Claude]);
        assert_eq!(agents(default, "lab-x-creator-agy"), [AgentKind::Antigravity]);
        assert!(agents(default, "lab-x-creator-emacs").is_empty());
        assert_eq!(agents(&NamePattern::new("work-*"), "work-1").len(), AgentKind::ALL.len());
    }

    #[test]
    fn a_glob_covers_the_whole_name() {
        for (pattern, text, expected) in [
            ("lane-1", "lane-1", true),
            ("lane-1", "lane-10", false),
            ("lane-?", "lane-1", true),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("é*", "éa", true),
            ("**x", "aax", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
