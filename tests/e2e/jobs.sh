# shellcheck shell=bash
# Sourced by the per-agent scripts: jobs of `headcount job run` with the real agent on the fake model, in tmux whatever MUX is.
#
# delegated AGENT MODE ENV... -- FLAGS...: one that is done, and one whose agent is killed in the midst of a turn.
delegated() {
  local agent=$1 mode=$2 env=() id dir pid
  shift 2
  while [ "$1" != -- ]; do env+=("$1"); shift; done
  shift
  mkdir -p "$H/lab/led"
  here() { (cd "$H/lab/led" && clean "${env[@]}" PATH="$BIN:$SYSPATH" XDG_STATE_HOME="$H/state" TMUX_TMPDIR="$WORLD/jobs" "$HEADCOUNT" "$@"); }
  job() { here job "$@"; }
  [ "$mode" != bypass ] || here consent bypass --yes >/dev/null
  job_run() { job run --agent "$agent" --headless --permissions "$mode" --backoff 0s "$@" | head -n 1; }
  job_field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$dir/done" "$1"; }
  mkdir -p "$WORLD/jobs"

  id=$(job_run --name plain --prompt $'hello "there" $(touch OOPS)\n@@tool echo tooled >made\n@@say all-done-42' -- "$@")
  dir=$H/state/headcount/jobs/$id
  job wait "$id" --timeout 60s >/dev/null || { job logs "$id" --raw | tail -n 5 >&2; cat "$dir/attempts" >&2; }
  check "$agent: a job is completed" completed "$(job_field outcome)"
  check "$agent: with what it said" all-done-42 "$(job_field last_message)"
  check "$agent: with its exit code" 0 "$(job_field code)"
  check "$agent: in the conversation that it named" "$(job_field session_id)" "$(cat "$dir/session-id")"
  check "$agent: nothing was run from the prompt" "" "$(ls "$H/lab/led/OOPS" 2>/dev/null)"

  id=$(job_run --prompt $'hello\n@@slow 20\n@@say never-said' -- "$@")
  dir=$H/state/headcount/jobs/$id
  has_begun() { grep -qs . "$dir/output.log" && grep -qs 'started' "$H/state/headcount/jobs/$id.events.log"; }
  await 30 "$agent at its job" has_begun
  pause 2
  pid=$(cat "$dir/agent.1")
  kill -9 "$pid"
  job wait "$id" --timeout 60s >/dev/null || { job logs "$id" --raw | tail -n 5 >&2; cat "$dir/attempts" >&2; }
  check "$agent: a killed job is completed" completed "$(job_field outcome)"
  check "$agent: by its second attempt" 2 "$(job_field attempts)"
  check "$agent: in one conversation" "$(job_field session_id)" "$(python3 -c '
import json, sys
print(json.loads(open(sys.argv[1]).readline())["begun"]["assigned"] or json.loads(open(sys.argv[1]).readlines()[1])["ended"]["id"])' "$dir/attempts")"
  job prune --older-than 0s >/dev/null
  check "$agent: nothing is left" "" "$(find "$H/state/headcount/jobs" -mindepth 1 -not -name '.*')"
}
