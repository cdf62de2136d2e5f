#!/usr/bin/env bash
# Real Gemini CLI: one alone, told by the chat of its launch; two in one workspace without ids (nothing is recorded) and with ids;
# a trust dialog; working and idle; kill -9 and a resume; an orphan; an agent that ends in a shell; a chat moved away.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$HERE/lead.sh"
source "$HERE/drive.sh"
source "$HERE/jobs.sh"

mkdir -p "$H"/lab/{alone,shared,asked,orphan,shell,led}
settings() { # HOME
  mkdir -p "$1/.gemini"
  cat >"$1/.gemini/settings.json" <<'JSON'
{"security":{"auth":{"selectedType":"gemini-api-key"}},"general":{"enableAutoUpdate":false,"enableAutoUpdateNotification":false},
 "privacy":{"usageStatisticsEnabled":false},"telemetry":{"enabled":false}}
JSON
  python3 - "$H" >"$1/.gemini/trustedFolders.json" <<'PY'
import json, sys
print(json.dumps({f"{sys.argv[1]}/lab/{name}": "TRUST_FOLDER" for name in ["alone", "shared", "orphan", "shell", "led"]}))
PY
}
settings "$H"
settings "$H/other"
ENV=(GEMINI_API_KEY=dummy GOOGLE_GEMINI_BASE_URL="$URL" GEMINI_TELEMETRY_ENABLED=false GEMINI_SANDBOX=false)
GEMINI=(gemini -m gemini-2.5-flash)
uuid() { cat /proc/sys/kernel/random/uuid; }
tree() { local child; for child in $(cat "/proc/$1/task"/*/children); do tree "$child"; done; echo "$1"; }
# The one dies of the other's end, or not.
end_tree() { local pid; for pid in $(tree "$1" 2>/dev/null); do kill -9 "$pid" 2>/dev/null || true; done; }

shows() { screen "$1" | grep -q "$2"; }
# What is typed while it still works is lost now and then.
is_ready() { [[ $(title "$1") = *Ready* ]]; }
said() { cat "$H"/.gemini/tmp/*/logs.json 2>/dev/null | grep -c '"messageId"' || true; }
has_said_more() { [ "$(said)" -gt "$1" ]; }
# An Enter too close behind what was pasted is part of it: again, until it is taken for a prompt. On a busy machine what was pasted
# may be lost: then it is pasted once more.
prompt() {
  local before try
  before=$(said)
  paste "$1" "$2"
  for try in {1..8}; do
    [ "$try" != 5 ] || paste "$1" "$2"
    pause 0.4
    key "$1" Enter
    comes 3 has_said_more "$before" && return
  done
  echo "FAILED: $1 took no prompt" >&2
  return 1
}
rung() { [ "$(field "$1" id_rung)" = "$2" ]; }
# recorded NAME: the id in the manifest, where every entry is one line
recorded() { grep "name: $1," "$H/agent-sessions.yaml" | grep -o 'session_id: [^,} ]*' | cut -d ' ' -f 2 || echo None; }
turn() { field "$1" turn; }
is_turn() { [ "$(turn "$1")" = "$2" ]; }
# chat WORKSPACE [HOME]: the id in the first line of the only chat there that has one
chat() { head -qn 1 "${2:-$H}/.gemini/tmp/$1/chats"/*.jsonl | grep -o '"sessionId":"[^"]*"' | sort -u | cut -d '"' -f 4; }

manifest <<'YAML'
version: 1
sessions:
  - { name: alone, agent: gemini, cwd: ~/lab/alone }
  - { name: asked, agent: gemini, cwd: ~/lab/asked }
YAML
session alone "$H/lab/alone" "${ENV[@]}" -- "${GEMINI[@]}"
session asked "$H/lab/asked" "${ENV[@]}" GEMINI_CLI_HOME="$H/other" -- "${GEMINI[@]}"
await 40 "alone ready" shows alone 'Type your message'
await 20 "the chat of alone" rung alone appeared
check "alone: the chat of its launch" "$(chat alone)" "$(field alone session_id)"
await 40 "the trust dialog" shows asked 'Trust folder'
key asked Enter
await 40 "asked ready" shows asked 'Type your message'
await 20 "the chat of asked" rung asked appeared
check "asked: the chat of the process behind the dialog, in its own home" "$(chat asked "$H/other")" "$(field asked session_id)"
record
check "everything is recorded" "" "$(drifts)"
alone=$(recorded alone)

await 20 "alone at rest" is_ready alone
prompt alone $'hello\n@@say all-done-41'
await 20 "the answer" shows alone '✦ all-done-41'
check "the id stays" "$alone" "$(field alone session_id)"

# The second deletes the unprompted chat of the first.
session first "$H/lab/shared" "${ENV[@]}" -- "${GEMINI[@]}"
await 40 "first ready" shows first 'Type your message'
session second "$H/lab/shared" "${ENV[@]}" -- "${GEMINI[@]}"
await 40 "second ready" shows second 'Type your message'
for name in first second; do printf '  - { name: %s, agent: gemini, cwd: ~/lab/shared }\n' "$name"; done >>"$H/agent-sessions.yaml"
await 20 "the chat of second" chat shared
record
for name in first second; do check "two without ids: $name records none" None "$(recorded "$name")"; done
await 20 "first at rest" is_ready first
prompt first $'hello\n@@say all-done-42'
await 20 "the answer of first" shows first '✦ all-done-42'
record
for name in first second; do check "first prompted: $name records none" None "$(recorded "$name")"; done
end_tree "$(pane_pid second)"
closed second
is_gone() { [ "$(field "$1" observed)" = gone ]; }
await 10 "the end of second" is_gone second
record
check "left alone, first is not given the chat of second" None "$(recorded first)"
end_tree "$(pane_pid first)"
closed first
await 10 "the end of first" is_gone first
record

ids=("$(uuid)" "$(uuid)")
session first "$H/lab/shared" "${ENV[@]}" -- "${GEMINI[@]}" --session-id "${ids[0]}"
session second "$H/lab/shared" "${ENV[@]}" -- "${GEMINI[@]}" --session-id "${ids[1]}"
for name in first second; do await 40 "$name ready" shows "$name" 'Type your message'; done
check "first: its own id" "${ids[0]}" "$(field first session_id)"
check "second: its own id" "${ids[1]}" "$(field second session_id)"
check "by their arguments" start "$(field first id_rung)"
record

await 20 "first at rest" is_ready first
check "before a prompt it is idle, by its title" idle "$(turn first)"
prompt first $'hello\n@@slow 3\n@@say all-done-42'
await 20 "at work" is_turn first working
await 20 "the answer" shows first '✦ all-done-42'
await 20 "first at rest" is_ready first
check "that it is done its title says" idle "$(turn first)"
prompt first $'hello\n@@tool echo hi > x\n@@say all-done-43'
await 20 "the question" shows first 'Allow execution'
await 20 "waiting for leave, by its title" is_turn first waiting
key first Enter
await 20 "the second answer" shows first '✦ all-done-43'
await 20 "first at rest" is_ready first
prompt first $'hello\n@@hang'
await 20 "at work again" is_turn first working
key first Escape
await 20 "idle after a cancel" is_turn first idle

end_tree "$(pane_pid alone)"
closed alone
await 10 "the end of alone" is_gone alone
check "kill -9 is dead" "dead:alone" "$(drifts)"
record
session alone "$H/lab/alone" "${ENV[@]}" -- "${GEMINI[@]}" --resume "$alone"
await 40 "alone resumed" shows alone 'Type your message'
check "a resume keeps the id" "$alone" "$(field alone session_id)"
record
check "and is recorded" "" "$(drifts)"
await 20 "alone at rest" is_ready alone
prompt alone $'again\n@@say all-done-44'
await 20 "the answer after the resume" shows alone '✦ all-done-44'

session orphan "$H/lab/orphan" "${ENV[@]}" -- "${GEMINI[@]}"
await 40 "orphan ready" shows orphan 'Type your message'
printf '  - { name: orphan, agent: gemini, cwd: ~/lab/orphan }\n' >>"$H/agent-sessions.yaml"
record
left=$(pane_pid orphan)
end_session orphan
await 10 "the end of orphan" is_gone orphan
check "an orphan is no session's agent" "dead:orphan" "$(drifts)"
record
sed -i '/name: orphan/,$d' "$H/agent-sessions.yaml"
# Most go on without their terminal. What one that ended with it cannot show is not asked of it.
if [ -e "/proc/$left" ]; then
  session orphan "$H/lab/orphan" "${ENV[@]}" -- "${GEMINI[@]}"
  printf '  - { name: orphan, agent: gemini, cwd: ~/lab/orphan }\n' >>"$H/agent-sessions.yaml"
  await 40 "its successor ready" shows orphan 'Type your message'
  record
  check "beside an orphan the successor's id is not proven" None "$(recorded orphan)"
  end_tree "$left"
  end_tree "$(pane_pid orphan)"
  sed -i '/name: orphan/,$d' "$H/agent-sessions.yaml"
else
  echo "SKIPPED a Gemini beside an orphan: this one ended with its terminal"
fi

session shell "$H/lab/shell" "${ENV[@]}" -- bash --norc -c "$(printf '%q ' "${GEMINI[@]}"); exec bash --norc"
printf '  - { name: shell, agent: gemini, cwd: ~/lab/shell }\n' >>"$H/agent-sessions.yaml"
await 40 "shell ready" shows shell 'Type your message'
await 20 "the chat below a shell" rung shell appeared
record
for pid in $(cat "/proc/$(pane_pid shell)/task"/*/children); do end_tree "$pid"; done
has_ended() { [[ " $(drifts) " = *" agent-gone:shell "* ]]; }
await 20 "agent-gone" has_ended
echo "ok: an agent that ended in its shell is gone"

await 20 "alone at rest" is_ready alone
paste alone /clear
pause 1
key alone Enter
is_doubtful() { [[ " $(drifts) " = *" ambiguous:alone "* ]]; }
await 20 "doubt about alone" is_doubtful
check "after a /clear the arguments prove nothing" "recorded $alone" "$(field alone id_rung) $(field alone session_id)"

mkdir "$WORLD/away"
mv "$H"/.gemini/tmp/alone/chats/*-"${alone:0:8}".jsonl "$WORLD/away"
is_stale() { [[ " $(drifts) " = *" stale-id:alone "* ]]; }
await 10 "stale-id" is_stale
echo "ok: a chat moved away is stale"
LED="args: [-m, gemini-2.5-flash], env: { PATH: '$BIN:$SYSPATH', GEMINI_API_KEY: dummy, GOOGLE_GEMINI_BASE_URL: '$URL', GEMINI_TELEMETRY_ENABLED: 'false', GEMINI_SANDBOX: 'false' }"
asks gemini "$H/lab/asks" "$LED"
settings "$H/nobody"
echo '{}' >"$H/nobody/.gemini/settings.json"
nobody gemini "$H/lab/led" "env: { PATH: '$BIN:$SYSPATH', GEMINI_CLI_HOME: '$H/nobody', GEMINI_SANDBOX: 'false' }"
led gemini "$H/lab/led" "$LED" 'Type your message'
begun gemini "$H/lab/led" "$LED"
told driven
refused_by_a_dialog driven
questioned driven 10
raced driven "$H/.gemini/tmp/led/chats/*.jsonl"
# They need no multiplexer of this world.
[ "$MUX" != tmux ] || delegated gemini bypass "${ENV[@]}" -- -m gemini-2.5-flash
echo "gemini in $MUX: OK"
