# shellcheck shell=bash
# Sourced by the scripts of agents that headcount starts and stops: the life of one session that the manifest declares. It ends the
# multiplexer's server, so it comes last.

# led AGENT CWD ENTRY COMPOSER [--now]: ENTRY is what its entry says beside name, agent and directory, as fields of a flow mapping;
# COMPOSER what its screen shows when it takes a prompt; --now where nothing tells that one is idle that was told nothing yet
led() {
  local name=led-creator-$1 cwd=$2 id pid before
  printf '  - { name: %s, agent: %s, cwd: %s, mux: %s, desired: running, %s }\n' "$name" "$1" "$cwd" "$MUX" "$3" >>"$H/agent-sessions.yaml"
  is_turn() { [ "$(field "$1" turn)" = "$2" ]; }
  has_spoken() { [ "$(field "$1" transcript)" = True ]; }
  is_observed() { [ "$(field "$1" observed)" = "$2" ]; }
  headcount apply "$name" --yes
  check "$1: it is started" alive "$(field "$name" observed)"
  before=$(field "$name" pid)
  headcount apply "$name" --yes
  check "$1: a second apply changes nothing" "$before" "$(field "$name" pid)"
  await 20 "the composer of $name" on_screen "$name" "${4:-.}"
  prompt "$name" $'hello\n@@say all-done-42'
  await 30 "the first turn of $name" has_spoken "$name"
  await 20 "$name idle" is_turn "$name" idle
  record
  id=$(field "$name" session_id)
  if [ -n "${HOOKED:-}" ]; then
    await 10 "the hooks of $name" hooked "$name" "$id" UserPromptSubmit
    await 10 "the hook of the end of its turn" hooked "$name" "$id" Stop
    echo "ok: $1 tells of itself through hooks"
  fi

  # The server dies, as at a reboot.
  kill_server "$name"
  await 20 "the end of $name" is_observed "$name" gone
  headcount plan "$name" || true
  # Some outlive their terminal for a while, and nobody else is let into their conversation meanwhile.
  await 30 "the return of $name" headcount apply "$name" --yes
  check "$1: it goes on in its conversation" "$id" "$(field "$name" session_id)"
  await 20 "the composer of $name" on_screen "$name" "${4:-.}"
  prompt "$name" $'again\n@@say all-done-43'
  await 30 "the answer in its own conversation" keeps "$id" all-done-43
  await 20 "$name idle" is_turn "$name" idle

  pid=$(field "$name" pid)
  headcount stop "$name" --yes
  check "$1: it is stopped" gone "$(field "$name" observed)"
  [ ! -e "/proc/$pid/exe" ] || { echo "FAILED: $pid is still there" >&2; exit 1; }
  headcount apply "$name" --yes
  check "$1: and stays so" gone "$(field "$name" observed)"
  headcount start "$name"
  check "$1: and goes on when it is started" "$id" "$(field "$name" session_id)"
  pid=$(field "$name" pid)
  headcount restart "$name" --yes ${5:+"$5"}
  check "$1: a restart goes on in it as well" "$id" "$(field "$name" session_id)"
  [ "$pid" != "$(field "$name" pid)" ] || { echo "FAILED: it was not restarted" >&2; exit 1; }
  pid=$(field "$name" pid)
  # In the middle of a turn.
  await 20 "the composer of $name" on_screen "$name" "${4:-.}"
  prompt "$name" $'more\n@@slow 60\n@@say never'
  await 20 "$name at work" is_turn "$name" working
  check "$1: it is not interrupted" 75 "$(headcount stop "$name" --yes --timeout 1s >/dev/null 2>&1; echo $?)"
  kill -0 "$pid"
  headcount stop "$name" --yes --now
  check "$1: unless that is asked for" gone "$(field "$name" observed)"
  headcount start "$name"
  check "$1: and what was said is not lost" "$id" "$(field "$name" session_id)"
  headcount stop "$name" --yes --now
}
# asks AGENT CWD ENTRY: one that asks whether it may trust its directory: it is left to a person, unless its entry answers that
asks() {
  local name=asks-creator-$1
  mkdir -p "$2"
  git -C "$2" init -q
  printf '  - { name: %s, agent: %s, cwd: %s, mux: %s, desired: running, %s }\n' "$name" "$1" "$2" "$MUX" "$3" >>"$H/agent-sessions.yaml"
  check "$1: the question of trust is left to a person" untrusted "$(applied "$name" code)"
  check "$1: and said until it is answered" untrusted "$(blocked_by "$name")"
  headcount stop "$name" --yes --now
  sed -i "/name: $name,/s/desired: stopped/desired: stopped, trust: true/" "$H/agent-sessions.yaml"
  headcount start "$name" --fresh
  check "$1: it is answered where the entry says so" alive "$(field "$name" observed)"
  headcount stop "$name" --yes --now
}
blocked_by() { { headcount plan "$1" --json || true; } | python3 -c '
import json, sys
print(json.load(sys.stdin)["actions"][0]["blocked"]["code"])'; }
# applied NAME FIELD: applies, and gives a field of the receipt
applied() { { headcount apply "$1" --yes --json || true; } | python3 -c '
import json, sys
print(json.load(sys.stdin)["operations"][0].get(sys.argv[1]))' "$2"; }
# nobody AGENT CWD ENTRY: one in a home in which nobody has signed in
nobody() {
  local name=nobody-creator-$1
  printf '  - { name: %s, agent: %s, cwd: %s, mux: %s, desired: running, trust: true, %s }\n' "$name" "$1" "$2" "$MUX" "$3" >>"$H/agent-sessions.yaml"
  check "$1: that nobody has signed in is said" "it asks you to sign in; it was left running" "$(applied "$name" why)"
  check "$1: until somebody has" dialog "$(blocked_by "$name")"
  headcount stop "$name" --yes --now
}
# hooked NAME ID EVENT: whether the very process of a session told of it. HOOKED is set where an agent is given hooks.
hooked() {
  local pid dir=$H/.local/state/headcount/hooks
  for pid in $(field "$1" pid) $(descendants "$(field "$1" pid)"); do
    ! grep -s "\"session_id\":\"$2\"" "$dir/$pid.jsonl" | grep -q "\"event\":\"$3\"" || return 0
  done
  return 1
}
descendants() { local child; for child in $(cat "/proc/$1/task"/*/children 2>/dev/null); do echo "$child"; descendants "$child"; done; }
on_screen() { screen "$1" | grep -qE -- "$2"; }
# keeps ID TEXT: whether a file of this conversation, or the database of all, holds the text
keeps() {
  find "$H" \( -path "*${1:0:12}*" -o -path "*${1:0:8}*" \) -type f -print0 | xargs -0 grep -q -- "$2" ||
    grep -q -- "$2" "$H"/.local/share/opencode/opencode.db*
}
