//! The same on a real tmux server with stand-in agents: whole passes, compared report by report.
