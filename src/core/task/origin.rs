//! Where the code of a repository comes from, by what git wrote down of it. Runs no git. Pure.

/// The address of `origin` in the text of a `.git/config`.
pub fn origin(config: &str) -> Option<String> {
    let mut is_in = false;
    let mut address = None;
    for line in config.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let name = section.split(']').next().unwrap_or_default().trim();
            let (kind, name) = name.split_once(char::is_whitespace).unwrap_or((name, ""));
            is_in = kind.eq_ignore_ascii_case("remote") && name.trim() == "\"origin\"";
        } else if let Some((key, value)) = line.split_once('=')
            && is_in
            && key.trim().eq_ignore_ascii_case("url")
        {
            // git takes the first of several for what is fetched.
            address = address.or_else(|| Some(value.trim().trim_matches('"').to_owned()));
        }
    }
    address.filter(|address| !address.is_empty())
}

/// Owner and repository on GitHub that an address means.
pub fn repository(address: &str) -> Option<(&str, &str)> {
    const BEGINNINGS: [&str; 5] =
        ["https://github.com/", "http://github.com/", "ssh://git@github.com/", "git@github.com:", "git://github.com/"];
    let path = BEGINNINGS.iter().find_map(|beginning| {
        let head = address.get(..beginning.len())?;
        head.eq_ignore_ascii_case(beginning).then(|| &address[beginning.len()..])
    })?;
    let path = path.trim_end_matches('/');
    let (owner, name) = path.strip_suffix(".git").unwrap_or(path).split_once('/')?;
    (!owner.is_empty() && !name.is_empty() && !name.contains('/')).then_some((owner, name))
}

/// The directory that the text of a `.git` file of a worktree names.
pub fn gitdir(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("gitdir:")).map(str::trim).filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_read_from_gits_configuration() {
        let config = "[core]\n\tbare = false\n\turl = not-this\n[remote \"upstream\"]\n\turl = git@github.com:other/web.git\n\
            [remote \"origin\"]\n\tfetch = +refs/heads/*\n\tURL = https://github.com/Acme/web.git\n\turl = second\n[branch \"url\"]\nurl = x\n";
        assert_eq!(origin(config).as_deref(), Some("https://github.com/Acme/web.git"));
        assert_eq!(origin("[remote \"origin\"]\nurl =\n"), None);
        assert_eq!(origin("url = x\n[remote \"origin2\"]\nurl = y"), None);
        assert_eq!(origin(""), None);
    }

    #[test]
    fn a_repository_of_github_is_known_by_every_form_of_its_address() {
        for address in [
            "https://github.com/Acme/web.git",
            "https://github.com/Acme/web",
            "https://GitHub.com/Acme/web/",
            "ssh://git@github.com/Acme/web.git",
            "git@github.com:Acme/web.git",
        ] {
            assert_eq!(repository(address), Some(("Acme", "web")), "{address}");
        }
        for other in [
            "https://gitlab.com/Acme/web",
            "git@github.com:web",
            "https://github.com/",
            "https://github.com/a/b/c",
            "/srv/web.git",
            "é",
        ] {
            assert_eq!(repository(other), None, "{other}");
        }
    }

    #[test]
    fn a_worktree_says_where_its_repository_is() {
        assert_eq!(gitdir("gitdir: /w/main/.git/worktrees/a\n"), Some("/w/main/.git/worktrees/a"));
        assert_eq!(gitdir("gitdir:\n"), None);
        assert_eq!(gitdir("[core]"), None);
    }
}
