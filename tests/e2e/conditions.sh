# shellcheck shell=bash
# Sourced by the scripts of agents: what is told of a session that headcount starts, and what can be waited for. Needs what common.sh,
# lead.sh and drive.sh define.

# waits CODE NAME WORD...: how waiting for it ends
waits() {
  local code=$1 name=$2 rc=0
  shift 2
  headcount wait "$name" --for "$@" >"$WORLD/waited" 2>&1 || rc=$?
  [ "$rc" = "$code" ] || cat "$WORLD/waited" >&2
  check "$name: a wait for $*" "$code" "$rc"
}
# comes_of NAME TEXT COND: it is sent, and one of the conditions comes after it. A wait that began after the text would miss what an
# agent does at once. A text that its service refuses may be known to be rejected when the receipt is written, or not yet.
comes_of() {
  local outcome
  await 20 "$1 takes a text" takes "$1"
  receipt "$1" "$2"
  outcome="$RC $(of outcome)"
  case "$2:$outcome" in
    *@@error*:'1 rejected') ;;
    *) check "$1: a text is delivered" "0 delivered" "$outcome" ;;
  esac
  waits 0 "$1" "$3" --after "$(of id)" --timeout 120s
}
# conditions_held NAME: the conditions that hold
conditions_held() {
  headcount status --settle 0s --json | python3 -c '
import json, sys
rows = {row["session"]["name"]: row for row in json.load(sys.stdin)["sessions"]}
print(*(it["condition"] for it in rows[sys.argv[1]].get("conditions", [])))' "$1"
}
# conditions AGENT CWD ENTRY COMPOSER: of one that tries a request only once. ENTRY and COMPOSER are those of `led`.
conditions() {
  local name=told-creator-$1 pid
  printf '  - { name: %s, agent: %s, cwd: %s, mux: %s, desired: running, permissions: ask, %s }\n' "$name" "$1" "$2" "$MUX" "$3" \
    >>"$H/agent-sessions.yaml"
  headcount apply "$name" --yes
  waits 0 "$name" ready
  check "$1: nothing was said yet" "idle ready" "$(conditions_held "$name")"
  waits 75 "$name" turn-ended --timeout 1s
  await 20 "the composer of $name" on_screen "$name" "$4"
  # What begins after the command only: the turn, and its end.
  prompt "$name" $'told one\n@@slow 3\n@@say done'
  waits 0 "$name" working --timeout 30s
  check "$1: a turn goes on" "working ready" "$(conditions_held "$name")"
  waits 0 "$name" turn-ended --timeout 60s
  check "$1: it has ended" "idle turn-ended ready" "$(conditions_held "$name")"
  waits 75 "$name" turn-ended --next --timeout 1s

  comes_of "$name" $'told two\n@@error 429' rate-limited,idle
  check "$1: a limit is told from idle" "rate-limited turn-ended ready" "$(conditions_held "$name")"
  comes_of "$name" $'told three\n@@error 400' error,idle
  check "$1: and so is another error" "error turn-ended ready" "$(conditions_held "$name")"
  comes_of "$name" $'told four\n@@say well' idle
  check "$1: the next prompt ends it" "idle turn-ended ready" "$(conditions_held "$name")"
  headcount describe "$name" >"$WORLD/described"
  grep -q 'said: well' "$WORLD/described" || { cat "$WORLD/described"; exit 1; }

  comes_of "$name" $'told five\n@@ask touch told-asked' needs-input,turn-ended
  check "$1: it asks for a permission" needs-input "$(conditions_held "$name")"
  key "$name" Escape
  waits 0 "$name" idle --timeout 30s
  check "$1: and was refused" "idle turn-ended ready" "$(conditions_held "$name")"

  pid=$(field "$name" pid)
  # What npm starts it by is a parent of its own, without which the agent would go on.
  # shellcheck disable=SC2046
  kill -9 "$pid" $(descendants "$pid") || true
  waits 0 "$name" crashed,ended,gone --timeout 30s
  check "$1: it was killed" crashed "$(conditions_held "$name")"
  waits 1 "$name" idle
  # Beside the pane of one that was killed there would be two to look at.
  [ "$MUX" = tmux ] || kill_server "$name"
  await 30 "the return of $name" headcount start "$name"
  await 20 "the composer of $name" on_screen "$name" "$4"
  prompt "$name" "${5:-/exit}"
  waits 0 "$name" crashed,ended,gone --timeout 30s
  # Of a zellij server without a pane nothing is told until it is ten seconds old: it may only just be starting.
  has_ended() { [ "$(conditions_held "$1")" = ended ]; }
  await 20 "the end of $name" has_ended "$name"
  echo "ok: $1: it has quit"
}
