//! Three-valued facts. Owns the rule that *unknown is not absent*; never decides what a fact means.

/// What a probe says about one thing in the world.
///
/// A probe that failed or timed out yields [`Fact::Unknown`], never [`Fact::Absent`]; nothing is ever changed because of an
/// unknown fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<T> {
    /// It is there, and this is it.
    Seen(T),
    /// The probe worked and it is not there.
    Absent,
    /// The probe could not tell; the reason is one line for people.
    Unknown(String),
}

impl<T> Fact<T> {
    /// The value, if it was seen.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(value) => Some(value),
            Self::Absent | Self::Unknown(_) => None,
        }
    }

    /// The value itself, if it was seen.
    pub fn into_seen(self) -> Option<T> {
        match self {
            Self::Seen(value) => Some(value),
            Self::Absent | Self::Unknown(_) => None,
        }
    }

    /// The reason, if the fact is unknown.
    pub fn why_unknown(&self) -> Option<&str> {
        match self {
            Self::Unknown(why) => Some(why),
            Self::Seen(_) | Self::Absent => None,
        }
    }

    /// True only if the probe worked and found nothing.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Applies `f` to a seen value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Seen(value) => Fact::Seen(f(value)),
            Self::Absent => Fact::Absent,
            Self::Unknown(why) => Fact::Unknown(why),
        }
    }

    /// The same fact about a borrowed value.
    pub fn as_ref(&self) -> Fact<&T> {
        match self {
            Self::Seen(value) => Fact::Seen(value),
            Self::Absent => Fact::Absent,
            Self::Unknown(why) => Fact::Unknown(why.clone()),
        }
    }
}
