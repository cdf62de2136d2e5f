#!/usr/bin/env bash
# Real Copilot CLI: two in one workspace, each told by the lock it holds, also behind the trust dialog; idle, working, waiting; /new;
# kill -9 and a resume; an agent that ends in a shell; a transcript moved away.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$HERE/lead.sh"
source "$HERE/drive.sh"
source "$HERE/jobs.sh"

mkdir -p "$H/.copilot" "$H"/lab/{shared,new,led}
echo "{\"trustedFolders\":[\"$H/lab/shared\",\"$H/lab/led\"]}" >"$H/.copilot/config.json"
ENV=(COPILOT_OFFLINE=true COPILOT_AUTO_UPDATE=false COPILOT_PROVIDER_BASE_URL="$URL/v1" COPILOT_PROVIDER_API_KEY=dummy
  COPILOT_MODEL=fake-model)

session one "$H/lab/shared" "${ENV[@]}" -- copilot
session two "$H/lab/shared" "${ENV[@]}" -- copilot
session elsewhere "$H/lab/shared" "${ENV[@]}" COPILOT_HOME="$H/other" -- copilot
session asked "$H/lab/new" "${ENV[@]}" -- copilot
manifest <<'YAML'
version: 1
sessions:
  - { name: one, agent: copilot, cwd: ~/lab/shared }
  - { name: two, agent: copilot, cwd: ~/lab/shared }
  - { name: elsewhere, agent: copilot, cwd: ~/lab/shared }
  - { name: asked, agent: copilot, cwd: ~/lab/new }
YAML
shows() { screen "$1" | grep -q "$2"; }
# The process that holds the lock: the child of the loader.
child_of() { cat "/proc/$(pane_pid "$1")/task"/*/children | tr -d ' '; }
# locked NAME [HOME]: the conversation whose lock names the session's process
locked() { basename "$(dirname "$(ls "${2:-$H/.copilot}"/session-state/*/inuse."$(child_of "$1")".lock)")"; }
is_proven() { [ "$(field "$1" id_rung)" = registry ]; }
# recorded NAME: the id in the manifest, where every entry is one line
recorded() { grep "name: $1," "$H/agent-sessions.yaml" | grep -o 'session_id: [^,} ]*' | cut -d ' ' -f 2 || echo None; }
turn() { field "$1" turn; }
is_turn() { [ "$(turn "$1")" = "$2" ]; }

for name in one two elsewhere asked; do await 40 "the lock of $name" is_proven "$name"; done
for name in one two asked; do check "$name: by its lock" "$(locked "$name")" "$(field "$name" session_id)"; done
check "elsewhere: in its own home" "$(locked elsewhere "$H/other")" "$(field elsewhere session_id)"
one=$(field one session_id)
two=$(field two session_id)
[ "$one" != "$two" ] || { echo "FAILED: both are in $one" >&2; exit 1; }
for name in one two; do await 30 "$name ready" shows "$name" '/ commands'; done
await 30 "the trust dialog" shows asked 'Do you trust the files'
check "behind a dialog nothing is said of its turn" None "$(turn asked)"
record
check "everything is recorded" "" "$(drifts)"

prompt one $'hello\n@@say all-done-42'
has_transcript() { [ "$(field "$1" transcript)" = True ]; }
await 30 "the transcript of one" has_transcript one
await 20 "idle after the answer" is_turn one idle
prompt one $'hello\n@@tool sleep 3; echo hi\n@@say all-done-43'
await 20 "waiting for leave" is_turn one waiting
key one 1
await 20 "at work" is_turn one working
await 20 "idle again" is_turn one idle
check "the id stays" "$one" "$(field one session_id)"

prompt two $'hello\n@@say all-done-42'
await 30 "the transcript of two" has_transcript two
prompt two /new
several() { headcount explain --json two 2>/dev/null || headcount explain two; }
is_unsure() { several | grep -q 'several conversations open'; }
await 20 "two conversations in one process" is_unsure
record
check "with two of them open the recorded id stays" "$two" "$(recorded two)"
headcount diff --settle 0s --json >/dev/null && { echo "FAILED: what cannot be told is in sync" >&2; exit 1; }
echo "ok: what cannot be told is not in sync"

prompt one $'hello\n@@hang'
await 20 "at work again" is_turn one working
kill -9 "$(child_of one)" "$(pane_pid one)"
closed one
is_gone() { [ "$(field "$1" observed)" = gone ]; }
await 10 "the end of one" is_gone one
check "kill -9 is dead" "dead:one" "$(drifts)"
check "its lock is left behind" yes "$(ls "$H/.copilot/session-state/$one"/inuse.*.lock >/dev/null && echo yes)"
record

# A resumed one has no lock before its first prompt, and the old one's is not taken for it.
session one "$H/lab/shared" "${ENV[@]}" -- copilot "--resume=$one"
await 30 "one resumed" shows one '/ commands'
check "resumed: told by its arguments" start "$(field one id_rung)"
check "resumed: nothing is said of its turn" None "$(turn one)"
known=$(ls "$H/.copilot/session-state")
(cd "$H/lab/shared" && clean env PATH="$BIN:$SYSPATH" "${ENV[@]}" timeout 300 copilot -p hello --allow-all-tools </dev/null >/dev/null 2>&1)
prompt one "/resume $(comm -13 <(echo "$known") <(ls "$H/.copilot/session-state"))"
is_doubtful() { [[ " $(drifts) " = *" ambiguous:one "* ]]; }
await 20 "doubt about one" is_doubtful
echo "ok: what it went on in without a prompt leaves the arguments in doubt"
end_session one
await 10 "the end of one" is_gone one
record
session one "$H/lab/shared" "${ENV[@]}" -- copilot "--resume=$one"
await 30 "one resumed again" shows one '/ commands'
check "it is told by its arguments again" start "$(field one id_rung)"
prompt one $'again\n@@say all-done-44'
await 20 "the lock of the resumed one" is_proven one
check "a resume keeps the id" "$one" "$(field one session_id)"
record

session shell "$H/lab/shared" "${ENV[@]}" -- bash --norc -c 'copilot; exec bash --norc'
printf '  - { name: shell, agent: copilot, cwd: ~/lab/shared }\n' >>"$H/agent-sessions.yaml"
await 40 "the lock below a shell" is_proven shell
await 30 "shell ready" shows shell '/ commands'
prompt shell $'hello\n@@say all-done-42'
await 30 "the transcript of shell" has_transcript shell
record
has_ended() { [ "$(drifts)" = "agent-gone:shell" ]; }
leave shell /exit 20 "agent-gone" has_ended
echo "ok: an agent that ended in its shell is gone"

mkdir "$WORLD/away"
mv "$H/.copilot/session-state/$one/events.jsonl" "$WORLD/away"
check "a transcript moved away is stale" "agent-gone:shell stale-id:one" "$(drifts)"
LED="env: { PATH: '$BIN:$SYSPATH', COPILOT_OFFLINE: 'true', COPILOT_AUTO_UPDATE: 'false', COPILOT_PROVIDER_BASE_URL: '$URL/v1', COPILOT_PROVIDER_API_KEY: dummy, COPILOT_MODEL: fake-model }"
asks copilot "$H/lab/asks" "$LED"
nobody copilot "$H/lab/led" "env: { PATH: '$BIN:$SYSPATH', COPILOT_HOME: '$H/nobody', COPILOT_AUTO_UPDATE: 'false' }"
HOOKED=yes
led copilot "$H/lab/led" "$LED" '/ commands' --now
begun copilot "$H/lab/led" "$LED"
told driven
refused_by_a_dialog driven
questioned driven 10
raced driven "$H/.copilot/session-state/*/events.jsonl"
# They need no multiplexer of this world.
[ "$MUX" != tmux ] || delegated copilot bypass "${ENV[@]}" --
echo "copilot in $MUX: OK"
