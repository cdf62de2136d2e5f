#!/usr/bin/env bash
# Jobs without a terminal of real Codex and Claude Code, several at once, while agents, launchers, panes, the tmux server and headcounts
# are killed at random moments: each ends once, completed or failed with its reason, none is lost, and everything that was written of it
# says the same. ./x soak jobs runs it where the agents can be installed.
# JOBS says how many (200), AGENTS of which agents ("codex claude"), LANES how many at once (4), SEED which kills (1).
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$HERE/homes.sh"

[ "$MUX" = tmux ] || { echo "SKIPPED jobs that are killed in $MUX: they are done in tmux"; exit 0; }
claude_home jobs
codex_home "$H/.codex" false jobs
manifest <<YAML
version: 1
lead: { backoff: { first: 0s, most: 0s } }
sessions: []
YAML
headcount consent bypass --yes >/dev/null
# Where it is started everything else is started: tmux, watches, launchers, agents.
clean PATH="$BIN:$SYSPATH" HEADCOUNT_MANIFEST="$H/agent-sessions.yaml" FAKE_KEY=dummy IS_SANDBOX=1 \
  ANTHROPIC_BASE_URL="$URL" ANTHROPIC_API_KEY="$KEY" DISABLE_TELEMETRY=1 DISABLE_ERROR_REPORTING=1 DISABLE_AUTOUPDATER=1 \
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 "$(command -v python3)" -B "$HERE/job_kills.py" --headcount "$HEADCOUNT" \
  --requests "$WORLD/requests.jsonl" --jobs "${JOBS:-200}" --agents "${AGENTS:-codex claude}" --lanes "${LANES:-4}" --seed "${SEED:-1}"
