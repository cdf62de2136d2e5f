//! The work that sessions are about: what a reference to it means, what its own folder says of it, and where its code is. Pure: text in,
//! values out.

mod home;
mod origin;
mod reference;
mod slug;

pub use home::{TaskHome, TaskMetadata, TaskRank, folder_slug, recap, status_root};
pub use origin::{gitdir, origin, repository};
pub use reference::{BadReference, TaskReference, TrackerIssue};
pub use slug::{LONGEST_SLUG, slug_of};
