//! Processes as `ps` shows them, for hosts without `/proc`. Knows no working directories and no environments.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Command, ProcessInfo};

/// The columns asked for, each without a heading so that its width cannot matter. `args` is last because it holds blanks.
const COLUMNS: [&str; 6] = ["pid=", "ppid=", "stat=", "tty=", "etime=", "args="];

/// `ps -A -o …`, as POSIX spells it, plus `stat`, which Linux, macOS and the BSDs have.
pub(super) fn command() -> Command {
    let columns = COLUMNS.iter().flat_map(|column| ["-o", column]).map(Into::into);
    // Two w: the whole command line on every system.
    let args = ["-A", "-ww"].into_iter().map(Into::into).chain(columns).collect();
    Command { program: "ps".to_owned(), args, variables: Vec::new(), deadline: Duration::from_secs(5) }
}

/// One process per line, zombies left out. A line that does not read right is left out as well.
pub(super) fn parse(text: &str, now: DateTime<Utc>) -> Vec<ProcessInfo> {
    text.lines().filter_map(|line| parse_line(line, now)).collect()
}

fn parse_line(line: &str, now: DateTime<Utc>) -> Option<ProcessInfo> {
    let mut rest = line;
    let mut word = || {
        let trimmed = rest.trim_start();
        let (word, after) = trimmed.split_once(' ').unwrap_or((trimmed, ""));
        rest = after;
        word
    };
    let pid = word().parse().ok()?;
    let parent = word().parse().ok()?;
    let state = word();
    let tty = word();
    let age = parse_age(word())?;
    if state.starts_with('Z') || state.is_empty() {
        return None;
    }
    // Arguments that hold blanks come apart here; `ps` does not tell where one ends.
    let argv: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
    let name = argv.first()?.rsplit('/').next().unwrap_or_default().to_owned();
    Some(ProcessInfo {
        pid,
        parent,
        // Of a process that has only just begun `ps` may make an age beyond all clocks: it counts back past zero.
        started: now.checked_sub_signed(age).unwrap_or(now),
        start_ticks: None,
        has_terminal: !tty.starts_with('?') && tty != "-",
        foreground: None,
        name,
        argv,
    })
}

/// `[[days-]hours:]minutes:seconds`.
fn parse_age(text: &str) -> Option<TimeDelta> {
    let (days, clock) = text.split_once('-').map_or((Some(0), text), |(days, clock)| (days.parse::<i64>().ok(), clock));
    let mut seconds = 0i64;
    for part in clock.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(part.parse::<i64>().ok()?)?;
    }
    TimeDelta::try_seconds(days?.checked_mul(86_400)?.checked_add(seconds)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::host::{Environ, run};

    #[test]
    fn an_age_beyond_all_clocks_is_that_of_a_process_that_has_just_begun() {
        let now = Utc::now();
        let all = parse("7 1 S ? 100000000000-00:00:01 pi", now);
        assert_eq!(all.iter().map(|process| (process.pid, process.started)).collect::<Vec<_>>(), [(7, now)]);
    }

    #[test]
    fn the_real_ps_shows_this_process_and_leaves_zombies_out() {
        let mut zombie = std::process::Command::new("true").spawn().unwrap();
        let pid = zombie.id();
        let is_zombie = || crate::host::procfs::process(pid, Utc::now(), 100).is_absent();
        let until = std::time::Instant::now() + Duration::from_secs(5);
        while !is_zombie() {
            assert!(std::time::Instant::now() < until);
        }
        let output = run::run(&command(), &Environ::of_this_process()).unwrap();
        let now = Utc::now();
        let all = parse(&String::from_utf8_lossy(&output.stdout), now);
        let me = all.iter().find(|process| process.pid == std::process::id()).expect("this process");
        assert_eq!(me.parent, std::os::unix::process::parent_id());
        assert!(now - me.started < TimeDelta::hours(1));
        assert!(me.argv[0].ends_with(&me.name) && !me.name.is_empty());
        assert!(!all.iter().any(|process| process.pid == pid));
        zombie.wait().unwrap();
    }

    #[test]
    fn columns_are_read_as_bsd_and_linux_print_them() {
        let now = DateTime::parse_from_rfc3339("2026-11-21T12:00:00Z").unwrap().to_utc();
        let text = "    1     0 Ss   ??    12-01:02:03 /sbin/launchd\n  501     1 S+   ttys003    01:05 node /opt/bin/gemini -y\n\
             502     1 Z    ttys003    00:01 (gone)\n 503 1 S ? 10:00:01 [kthread]\nnonsense\n";
        let all = parse(text, now);
        assert_eq!(all.iter().map(|process| process.pid).collect::<Vec<_>>(), [1, 501, 503]);
        assert_eq!(all[1].argv, ["node", "/opt/bin/gemini", "-y"]);
        assert_eq!(now - all[1].started, TimeDelta::seconds(65));
        assert_eq!(now - all[0].started, TimeDelta::seconds(12 * 86_400 + 3723));
        assert_eq!(all.iter().map(|process| process.has_terminal).collect::<Vec<_>>(), [false, true, false]);
    }
}
