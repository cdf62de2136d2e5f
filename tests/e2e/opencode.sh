#!/usr/bin/env bash
# Real OpenCode: one alone, from the first prompt on; two in one workspace, whose conversations nothing tells apart; what a look
# leaves beside the live database (nothing); an `opencode run` beside one that idles; a permission; a /new after an id in the arguments; kill -9 in the midst of an answer; an end below a shell; a conversation deleted.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$HERE/lead.sh"
source "$HERE/drive.sh"
source "$HERE/jobs.sh"

mkdir -p "$H/.config/opencode" "$H"/lab/{alone,shared,shell,led}
cat >"$H/.config/opencode/opencode.json" <<JSON
{"autoupdate":false,"share":"disabled","model":"fake/fake-model","small_model":"fake/fake-model","permission":{"bash":"ask"},
 "provider":{"fake":{"npm":"@ai-sdk/openai-compatible","name":"fake","options":{"baseURL":"$URL/v1","apiKey":"dummy"},
 "models":{"fake-model":{"name":"fake","tool_call":true,"limit":{"context":100000,"output":8000}}}}}}
JSON
ENV=(OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_MODELS_FETCH=1 OPENCODE_DISABLE_LSP_DOWNLOAD=1
  OPENCODE_DISABLE_DEFAULT_PLUGINS=1)
DATA=$H/.local/share/opencode

is_ready() { screen "$1" | grep -q 'ctrl+p commands'; }
manifest <<YAML
version: 1
sessions:
  - { name: alone-creator-opencode, agent: opencode, cwd: ~/lab/alone }
  - { name: one-creator-opencode, agent: opencode, cwd: ~/lab/shared }
  - { name: two-creator-opencode, agent: opencode, cwd: ~/lab/shared }
  - { name: shell-creator-opencode, agent: opencode, cwd: ~/lab/shell }
YAML
session alone-creator-opencode "$H/lab/alone" "${ENV[@]}" -- opencode
# The first one makes the database; several at once would quarrel about it. The others begin one after another as well: on a busy
# machine three at once are not ready in time.
await 60 "alone ready" is_ready alone-creator-opencode
for name in one two; do
  session "$name-creator-opencode" "$H/lab/shared" "${ENV[@]}" -- opencode
  await 60 "$name ready" is_ready "$name-creator-opencode"
done
session shell-creator-opencode "$H/lab/shell" "${ENV[@]}" -- bash -c "opencode; exec bash --norc"
await 60 "shell ready" is_ready shell-creator-opencode
for name in alone one two shell; do
  check "$name is alive" alive "$(field "$name-creator-opencode" observed)"
  check "$name has no conversation before its first prompt" None "$(field "$name-creator-opencode" session_id)"
done

has_id() { [ "$(field "$1-creator-opencode" session_id)" != None ]; }
prompt alone-creator-opencode $'hello\n@@say all-done-42'
await 30 "the conversation of alone" has_id alone
check "alone: proof" appeared "$(field alone-creator-opencode id_rung)"
said() { screen "$1-creator-opencode" | grep -qE '▣ .* · [0-9.]+m?s'; }
await 30 "the answer of alone" said alone
alone=$(field alone-creator-opencode session_id)
listed() { clean env PATH="$BIN:$SYSPATH" "${ENV[@]}" timeout 300 opencode "$@"; }
list() { (cd "$H/lab/$1" && listed session list --format json) | python3 -c '
import json, sys
print(" ".join(sorted(row["id"] for row in json.load(sys.stdin) if row["directory"] == sys.argv[1])))' "$H/lab/$1"; }
check "it is the one OpenCode itself lists there" "$alone" "$(list alone)"

prompt one-creator-opencode $'hello\n@@say all-done-42'
prompt two-creator-opencode $'hello\n@@say all-done-42'
for name in one two; do await 30 "the answer of $name" said "$name"; done
check "both began a conversation" 2 "$(list shared | wc -w)"
for name in one two; do
  check "$name of two is given no conversation" None "$(field "$name-creator-opencode" session_id)"
done
(cd "$H/lab/shell" && listed run $'hello\n@@say all-done-40' </dev/null >/dev/null 2>&1)
check "opencode run left a conversation" 1 "$(list shell | wc -w)"
check "which is not taken for that of the one that idles beside it" None "$(field shell-creator-opencode session_id)"
listed session delete "$(list shell)" >/dev/null
prompt shell-creator-opencode $'hello\n@@say all-done-42'
await 30 "the conversation of shell" has_id shell
await 30 "the answer of shell" said shell
record
check "what can be told is recorded" "ambiguous:one-creator-opencode ambiguous:two-creator-opencode" "$(drifts)"

# Nobody writes now: a look at the live database changes no byte, and makes and removes no file.
state() { (cd "$DATA" && stat -c '%n %i %s %y' opencode.db* && sha256sum opencode.db*); }
# What OpenCode does after an answer, it does seconds later.
is_still() { local was; was=$(state); pause 3; [ "$was" = "$(state)" ]; }
await 60 "a database that nobody writes" is_still
before=$(state)
headcount status >/dev/null
headcount diff >/dev/null || true
check "a look leaves no trace" "$before" "$(state)"

listed session delete "$(list shell)" >/dev/null
check "a live conversation that was deleted is stale" \
  "ambiguous:one-creator-opencode ambiguous:two-creator-opencode stale-id:shell-creator-opencode" "$(drifts)"
key shell-creator-opencode C-c
is_shell() { [ "$(field shell-creator-opencode observed)" = no-agent ]; }
await 15 "the shell alone" is_shell
case " $(drifts) " in *" agent-gone:shell-creator-opencode "*) echo "ok: an agent that ended below a shell" ;;
  *) echo "FAILED: not gone: $(drifts)" >&2; exit 1 ;; esac

prompt alone-creator-opencode $'again\n@@slow 30\n@@say all-done-43'
is_working() { screen "alone-creator-opencode" | grep -q 'esc interrupt'; }
await 20 "alone at work" is_working
kill -9 "$(pane_pid alone-creator-opencode)"
closed alone-creator-opencode
is_gone() { [ "$(field alone-creator-opencode observed)" = gone ]; }
await 10 "the end of alone" is_gone
case " $(drifts) " in *" dead:alone-creator-opencode "*) echo "ok: kill -9 is dead" ;; *) echo "FAILED: not dead: $(drifts)" >&2; exit 1 ;; esac
record
session alone-creator-opencode "$H/lab/alone" "${ENV[@]}" -- opencode -s "$alone"
await 60 "alone again" is_ready alone-creator-opencode
check "opened by its id it is proven by its arguments" "start $alone" \
  "$(field alone-creator-opencode id_rung) $(field alone-creator-opencode session_id)"
# Only what is recorded as running can be gone from its pane.
record
check "and is recorded as running again" running "$(field alone-creator-opencode declared)"
turn alone-creator-opencode idle
prompt alone-creator-opencode $'once more\n@@slow 5\n@@say all-done-44'
turn alone-creator-opencode working
turn alone-creator-opencode idle
prompt alone-creator-opencode $'leave\n@@tool sleep 5\n@@say all-done-46'
asks() { screen alone-creator-opencode | grep -q 'Permission required'; }
await 30 "the question" asks
check "of a tool that may wait for leave nothing is said" None "$(field alone-creator-opencode turn)"
key alone-creator-opencode Enter
turn alone-creator-opencode working
turn alone-creator-opencode idle
prompt alone-creator-opencode /new
is_new() { screen alone-creator-opencode | grep -q 'Ask anything'; }
await 20 "another conversation" is_new
prompt alone-creator-opencode $'hello\n@@say all-done-45'
is_doubtful() { [[ " $(drifts) " = *" ambiguous:alone-creator-opencode "* ]]; }
await 30 "doubt about alone" is_doubtful
check "after a /new the arguments prove nothing" "recorded None" \
  "$(field alone-creator-opencode id_rung) $(field alone-creator-opencode turn)"
for name in alone one two; do
  kill -9 "$(pane_pid "$name-creator-opencode")"
  closed "$name-creator-opencode"
done
await 10 "the end of alone" is_gone
record
listed session delete "$alone" >/dev/null
case " $(drifts) " in *" stale-id:alone-creator-opencode "*) echo "ok: a deleted conversation is stale" ;;
  *) echo "FAILED: not stale: $(drifts)" >&2; exit 1 ;; esac
# A plugin would make it wait for this package, which it cannot get here.
mkdir "$H/.config/opencode/node_modules"
echo '{"packages":{"":{"dependencies":{"@opencode-ai/plugin":"1.18.33"}}}}' >"$H/.config/opencode/package-lock.json"
HOOKED=yes
LED="env: { PATH: '$BIN:$SYSPATH', OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1', OPENCODE_DISABLE_LSP_DOWNLOAD: '1', OPENCODE_DISABLE_DEFAULT_PLUGINS: '1' }"
led opencode "$H/lab/led" "$LED" 'ctrl.p commands'
begun opencode "$H/lab/driven" "$LED"
# Before that nothing tells which conversation a text would begin.
await 30 "the composer of driven" on_screen driven 'ctrl.p commands'
prompt driven $'hello\n@@say hi'
turn driven idle
told driven
refused_by_a_dialog driven
questioned driven 10
# Its prompts are in a database, which its own list shows.
prompts() { listed export "$(field driven session_id)" 2>/dev/null | grep -c "\"text\": \"$2\"" || true; }
raced driven -
# They need no multiplexer of this world.
[ "$MUX" != tmux ] || delegated opencode bypass "${ENV[@]}" --
echo "opencode in $MUX: OK"
