//! A fleet for people: the tables, a line for each change, and a picture that is redrawn in place. Decides nothing.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::screen::Screen;
use super::table::{Cell, Column};
use super::{Style, Terminal, age, class_style, plural, table};
use crate::core::fleet::DriftPhase;
use crate::core::fleet::report::{FleetEvent, FleetReport, HostStatus, HostView, SessionView};
use crate::core::ids::ServerKey;
use crate::core::report::status::{CrewRow, Observed};
use crate::core::text::{printable, stamp};

/// The hosts, their sessions, and what it adds up to.
pub(crate) fn render(report: &FleetReport, look: &Terminal) -> String {
    if report.hosts.is_empty() {
        let broker = printable(&report.broker);
        if report.complete {
            // Everything came, and nothing of it was asked for.
            return format!("No host of that name has published anything on {broker}.\n");
        }
        let why: String = report.incomplete.iter().map(|why| format!("Incomplete: {}\n", printable(why))).collect();
        return format!("No host came from {broker}.\n{why}");
    }
    let mut text = hosts(&report.hosts, look);
    if report.hosts.iter().any(|host| !host.sessions.is_empty()) {
        text.push('\n');
        text.push_str(&sessions(&report.hosts, look));
    }
    text.push('\n');
    text.push_str(&summary(report, look));
    text
}

fn hosts(hosts: &[HostView], look: &Terminal) -> String {
    let columns = [
        Column::new("HOST").shrinks_to(12, 1).cut_in_the_middle(),
        Column::new("STATUS"),
        Column::new("SINCE"),
        Column::new("RUNNING").right(),
        Column::new("DRIFTS").right().may_go(3),
        Column::new("LOOKED").may_go(2),
        Column::new("VERSION").shrinks_to(7, 3).may_go(4),
        Column::new("MANIFEST").shrinks_to(12, 4).cut_in_the_middle().may_go(6),
        Column::new("NOTE").shrinks_to(16, 2).may_go(1),
    ];
    let rows: Vec<Vec<Cell>> = hosts.iter().map(|host| row(host, look.now)).collect();
    table::render(&columns, &rows, look)
}

fn row(host: &HostView, now: DateTime<Utc>) -> Vec<Cell> {
    let ago = |at: Option<DateTime<Utc>>| at.map(|at| age(at, now));
    let running = host.counts.map(|counts| format!("{}/{}", counts.running, counts.declared));
    let drifts = host.counts.map(|counts| counts.drifts);
    vec![
        Cell::new(&host.host, Style::Strong),
        Cell::new(host.status.as_str(), host_style(host.status)),
        Cell::or_dash(since(host, now).as_deref(), Style::Plain),
        Cell::or_dash(running.as_deref(), Style::Plain),
        Cell::or_dash(drifts.map(|n| n.to_string()).as_deref(), if drifts > Some(0) { Style::Warn } else { Style::Plain }),
        Cell::or_dash(ago(host.observed_at).as_deref(), Style::Plain),
        Cell::or_dash(host.version.as_deref(), Style::Plain),
        Cell::or_dash(host.manifest.as_deref(), Style::Dim),
        Cell::new(&note(host, now), Style::Dim),
    ]
}

/// Since when it is so. When a host went is only known to whoever was there; others can only say when it was there last.
fn since(host: &HostView, now: DateTime<Utc>) -> Option<String> {
    let is_over = matches!(host.status, HostStatus::Lost | HostStatus::Offline);
    match (host.ended_at, is_over) {
        (Some(at), true) => Some(age(at, now)),
        (None, true) => Some("?".to_owned()),
        (_, false) => host.since.map(|at| age(at, now)),
    }
}

fn note(host: &HostView, now: DateTime<Utc>) -> String {
    let is_over = matches!(host.status, HostStatus::Lost | HostStatus::Offline) && host.ended_at.is_none();
    let last = host.last_known.filter(|_| is_over).map(|at| format!("last seen {} ago", age(at, now)));
    let missing = (host.missing > 0).then(|| format!("{} missing", plural(host.missing, "session", "sessions")));
    [host.note.clone(), last, missing].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

const fn host_style(status: HostStatus) -> Style {
    match status {
        HostStatus::Online => Style::Good,
        HostStatus::Stale | HostStatus::Unreadable => Style::Warn,
        HostStatus::Lost => Style::Bad,
        HostStatus::Offline => Style::Dim,
    }
}

fn sessions(hosts: &[HostView], look: &Terminal) -> String {
    let all = || hosts.iter().flat_map(|host| host.sessions.iter().map(move |session| (host, session)));
    let has_servers = all().any(|(_, it)| it.server != ServerKey::DEFAULT || it.mux != crate::core::ids::MuxKind::Tmux);
    let has_jobs = all().any(|(_, it)| it.job.is_some());
    let has_crews = all().any(|(_, it)| it.crew.is_some());
    let mut columns = vec![Column::new("HOST").shrinks_to(8, 2).cut_in_the_middle()];
    columns.push(Column::new("SESSION").shrinks_to(20, 1).cut_in_the_middle());
    if has_servers {
        columns.push(Column::new("SERVER").shrinks_to(12, 3).may_go(5));
    }
    columns.extend([Column::new("AGENT").may_go(4), Column::new("DECLARED").may_go(3), Column::new("OBSERVED")]);
    columns.push(Column::new("CONVERSATION").shrinks_to(9, 3).may_go(2));
    if has_jobs {
        columns.push(Column::new("JOB").shrinks_to(8, 3).may_go(6));
    }
    if has_crews {
        columns.push(Column::new("CREW").shrinks_to(8, 3).may_go(7));
    }
    columns.push(Column::new("DRIFT"));
    let rows: Vec<Vec<Cell>> = all()
        .map(|(host, session)| {
            let is_current = host.status == HostStatus::Online;
            let mut cells = vec![Cell::new(&host.host, if is_current { Style::Plain } else { Style::Dim })];
            cells.push(Cell::new(&session.name, if is_current { Style::Strong } else { Style::Dim }));
            if has_servers {
                cells.push(Cell::plain(&server(session)));
            }
            cells.push(Cell::plain(session.agent.as_str()));
            cells.push(Cell::or_dash(Some(&session.declared).filter(|word| *word != "-").map(String::as_str), Style::Plain));
            // What a host that is gone said last is no news of the session.
            let observed = if is_current { observed_style(session) } else { Style::Dim };
            let was = if is_current { "" } else { "was " };
            cells.push(Cell::new(&format!("{was}{}", session.observed.as_str()), observed));
            cells.push(Cell::or_dash(session.session_id.as_ref().map(|id| id.as_str()), Style::Plain));
            if has_jobs {
                cells.push(Cell::or_dash(session.job.as_deref(), Style::Plain));
            }
            if has_crews {
                cells.push(Cell::or_dash(session.crew.as_ref().map(CrewRow::words).as_deref(), Style::Plain));
            }
            let words: Vec<&str> = session.drifts.iter().map(|class| class.as_str()).collect();
            let style = session.drifts.first().map_or(Style::Dim, |class| class_style(*class));
            cells.push(Cell::or_dash(Some(words.join(",").as_str()), style));
            cells
        })
        .collect();
    table::render(&columns, &rows, look)
}

fn server(session: &SessionView) -> String {
    ServerKey { mux: session.mux, server: session.server.clone() }.to_string()
}

fn observed_style(session: &SessionView) -> Style {
    match session.observed {
        Observed::Alive => Style::Good,
        Observed::Gone if session.declared == "running" => Style::Bad,
        Observed::NoAgent | Observed::Ambiguous | Observed::Unknown => Style::Warn,
        Observed::Gone | Observed::Elsewhere | Observed::Suspended => Style::Dim,
    }
}

fn summary(report: &FleetReport, look: &Terminal) -> String {
    let counts = &report.counts;
    let of = [
        (counts.online, HostStatus::Online),
        (counts.stale, HostStatus::Stale),
        (counts.lost, HostStatus::Lost),
        (counts.offline, HostStatus::Offline),
        (counts.unreadable, HostStatus::Unreadable),
    ];
    let of = of.into_iter().filter(|(n, _)| *n > 0);
    let of: Vec<String> = of.map(|(n, status)| look.paint(host_style(status), &format!("{n} {}", status.as_str()))).collect();
    let hosts = plural(counts.hosts, "host", "hosts");
    let sessions = plural(counts.sessions, "session", "sessions");
    let drifts = plural(counts.drifts, "drift", "drifts");
    let mut text = format!("{hosts}: {}. {sessions}, {} alive; {drifts}.\n", of.join(", "), counts.alive);
    if counts.rejected > 0 {
        let said = format!("{} rejected.", plural_were(counts.rejected));
        let _ = writeln!(text, "{}", look.paint(Style::Warn, &said));
    }
    for why in &report.incomplete {
        let _ = writeln!(text, "{}", look.paint(Style::Warn, &printable(&format!("Incomplete: {why}"))));
    }
    text
}

fn plural_were(count: u64) -> String {
    if count == 1 { "1 message was".to_owned() } else { format!("{count} messages were") }
}

/// One change as one line; the whole view as its tables.
pub(crate) fn line(event: &FleetEvent, look: &Terminal) -> String {
    let (at, text, style) = match event {
        FleetEvent::View(report) => return render(report, &Terminal { now: report.observed_at, ..*look }),
        FleetEvent::Host { at, host } => {
            let note = note(host, *at);
            let note = if note.is_empty() { note } else { format!(" ({note})") };
            (at, format!("{}: {}{note}", host.host, host.status.as_str()), host_style(host.status))
        }
        FleetEvent::Forgotten { at, host } => (at, format!("{host}: withdrawn"), Style::Dim),
        FleetEvent::Session { at, host, session } => {
            let drifts: Vec<&str> = session.drifts.iter().map(|class| class.as_str()).collect();
            let drifts = if drifts.is_empty() { String::new() } else { format!(", {}", drifts.join(",")) };
            let (name, observed, declared) = (&session.name, session.observed.as_str(), &session.declared);
            (at, format!("{host} {name}: {observed}, declared {declared}{drifts}"), observed_style(session))
        }
        FleetEvent::Gone { at, host, session } => (at, format!("{host} {}: withdrawn", session.name), Style::Dim),
        FleetEvent::Drift { at, host, drift } => {
            let style = if drift.event == DriftPhase::Drift { class_style(drift.class) } else { Style::Good };
            (at, format!("{host} {}", drift.message), style)
        }
        FleetEvent::Broker { at, why } => (at, format!("broker lost: {why}; retrying"), Style::Bad),
    };
    format!("{} {}\n", look.paint(Style::Dim, &stamp(*at)), look.paint(style, &printable(&text)))
}

/// A terminal that shows a fleet.
#[derive(Debug)]
pub(crate) struct FleetScreen {
    look: Terminal,
    screen: Screen,
    last: Option<FleetReport>,
    trouble: Option<String>,
}

impl FleetScreen {
    /// Nothing shown yet.
    pub(crate) const fn new(look: Terminal) -> Self {
        Self { look, screen: Screen::new(), last: None, trouble: None }
    }

    /// The terminal has so many columns and lines.
    pub(crate) fn size(&mut self, size: Option<(usize, usize)>) {
        self.screen.size(size, &mut self.look);
    }

    /// What is to be written to show what was told.
    pub(crate) fn show(&mut self, event: FleetEvent) -> String {
        match event {
            FleetEvent::View(report) => {
                self.look.now = report.observed_at;
                (self.last, self.trouble) = (Some(report), None);
            }
            FleetEvent::Broker { .. } => self.trouble = Some(line(&event, &self.look)),
            _ => {}
        }
        let mut picture = self.trouble.clone().unwrap_or_default();
        if let Some(report) = &self.last {
            let broker = printable(&report.broker).into_owned();
            let _ = writeln!(picture, "{}\n", self.look.paint(Style::Dim, &format!("{broker}  {}", stamp(report.observed_at))));
            picture.push_str(&render(report, &self.look));
        }
        self.screen.draw(&picture, &self.look)
    }

    /// What is to be written at the end: the terminal as it was, and the last picture below.
    pub(crate) fn leave(&self) -> String {
        let last = self.last.as_ref().map(|report| render(report, &self.look)).unwrap_or_default();
        self.screen.leave(&last)
    }
}
