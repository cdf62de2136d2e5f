//! What a project keeps of a task, and what a reference to it says: whatever stands there, a name can be made of it, and a recap has three
//! short lines.

use headcount::core::task::{
    LONGEST_SLUG, TaskMetadata, TaskReference, folder_slug, gitdir, origin, recap, repository, slug_of, status_root,
};

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let slug = slug_of(&text);
    assert!(!slug.is_empty() && slug.len() <= LONGEST_SLUG && slug_of(&slug) == slug, "{slug}");
    if let Ok(task) = TaskReference::parse(&text) {
        assert!(task.is_meant_by(&task.text));
        let name = task.slug();
        assert!(!name.is_empty() && name.len() <= LONGEST_SLUG && name.is_ascii(), "{name}");
        assert!(!task.tab_name(&name).is_empty());
        if let Some(url) = task.issue.as_ref().and_then(|issue| issue.url()) {
            let again = TaskReference::parse(&url).unwrap();
            assert!(again.issue.unwrap().is(task.issue.as_ref().unwrap()), "{url}");
        }
    }
    let metadata = TaskMetadata::read(&text);
    assert_eq!(metadata.all().len(), 25);
    assert!(metadata.said().all(|(name, value)| metadata.get(name) == Some(value) && !value.is_empty()));
    assert!(recap(&text).iter().all(|line| line.chars().count() <= 240));
    assert!(status_root(&text).is_none_or(|root| !root.is_empty()));
    assert!(text.ends_with(folder_slug(&text)));
    let _ = gitdir(&text);
    if let Some(address) = origin(&text)
        && let Some((owner, name)) = repository(&address)
    {
        assert!(!owner.is_empty() && !name.is_empty());
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let block = "# Fix it\n<!-- TASK-METADATA:START -->\n## Task Metadata\n- Tracker URL: https://linear.app/a/issue/ENG-1/t\n\
        - Last Synced: 2026-11-29 ~03:05pm PST\n<!-- TASK-METADATA:END -->\n**Goal**: ship\n## Current State\n- one\n## Next Steps\n1. two\n";
    let all = [
        block,
        "see (https://github.com/a/b/issues/7#x), https://linear.app/w/issue/x-1/title-of-it?y",
        "ENG-123",
        "09h05m07sPST-fix-login",
        "task-status-root: `notes/YYYY-MM-DD/<task-slug>`\n",
        "[remote \"origin\"]\n\turl = git@github.com:a/b.git\n",
        "gitdir: /w/.git/worktrees/a\n",
    ];
    all.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}
