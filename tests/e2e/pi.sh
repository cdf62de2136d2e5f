#!/usr/bin/env bash
# Real Pi: two in one workspace (its process keeps no arguments, so neither is given the other's conversation), one alone, from the
# first prompt to the first answer; below a wrapper that does keep arguments; kill -9; an end below a shell; a session file moved
# away; another home. Then one that headcount starts: what its launcher began is known to be its conversation.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$HERE/lead.sh"
source "$HERE/drive.sh"
source "$HERE/csd.sh"
source "$HERE/jobs.sh"

mkdir -p "$H/.pi/agent" "$H/moved" "$H"/lab/{alone.v2,shared,shell,moved,wrapped,led}
for home in "$H/.pi/agent" "$H/moved"; do
  echo '{"providers":{"fake":{"baseUrl":"'"$URL"'/v1","api":"openai-completions","apiKey":"dummy","models":[{"id":"fake-model"}]}}}' \
    >"$home/models.json"
done
ENV=(PI_OFFLINE=1 PI_TELEMETRY=0 PI_SKIP_VERSION_CHECK=1)
PI=(pi --provider fake --model fake-model)

session alone-creator-pi "$H/lab/alone.v2" "${ENV[@]}" -- "${PI[@]}"
session one-creator-pi "$H/lab/shared" "${ENV[@]}" -- "${PI[@]}" --session-id one.of_two
session two-creator-pi "$H/lab/shared" "${ENV[@]}" -- "${PI[@]}" --session-id two.of_two
# The trailing command keeps bash as a shell around the agent, and after it.
session shell-creator-pi "$H/lab/shell" "${ENV[@]}" -- bash -c "$(printf '%q ' "${PI[@]}"); exec bash --norc"
session moved-creator-pi "$H/lab/moved" "${ENV[@]}" PI_CODING_AGENT_DIR="$H/moved" -- "${PI[@]}"
manifest <<YAML
version: 1
sessions:
  - { name: alone-creator-pi, agent: pi, cwd: ~/lab/alone.v2 }
  - { name: one-creator-pi, agent: pi, cwd: ~/lab/shared }
  - { name: two-creator-pi, agent: pi, cwd: ~/lab/shared }
  - { name: shell-creator-pi, agent: pi, cwd: ~/lab/shell }
  - { name: moved-creator-pi, agent: pi, cwd: ~/lab/moved }
  - { name: wrapped-creator-pi, agent: pi, cwd: ~/lab/wrapped }
YAML
# A wrapper of the same name keeps the arguments that the agent itself does not.
mkdir "$WORLD/wrapped"
printf '#!/bin/bash\nPATH=%q\npi "$@"\n' "$BIN:$SYSPATH" >"$WORLD/wrapped/pi"
chmod +x "$WORLD/wrapped/pi"
session wrapped-creator-pi "$H/lab/wrapped" "${ENV[@]}" -- "$WORLD/wrapped/pi" "${PI[@]:1}" --session-id my-own.id_1

is_ready() { screen "$1" | grep -q fake-model; }
is_titled() { [ "$(cat "/proc/$(pane_pid "$1")/comm")" = pi ]; }
file_of() { find "$H" -path "*sessions/$1/*_*.jsonl" | head -1; }
id_in() { python3 -c 'import json,sys; print(json.loads(open(sys.argv[1]).readline())["id"])' "$1"; }
is_answered() { [ -n "$(file_of "$1")" ] && grep -q '"stopReason":"stop"' "$(file_of "$1")"; }
for name in alone one two shell moved; do
  await 30 "$name ready" is_ready "$name-creator-pi"
  check "$name is alive" alive "$(field "$name-creator-pi" observed)"
done
for name in alone one two; do await 10 "the name of $name" is_titled "$name-creator-pi"; done
# A second after the start a conversation can be told from one that was there.
for name in alone one two shell moved; do
  check "$name has no conversation before its first answer" None "$(field "$name-creator-pi" session_id)"
done

prompt alone-creator-pi $'hello\n@@say all-done-42'
prompt moved-creator-pi $'hello\n@@say all-done-42'
prompt shell-creator-pi $'hello\n@@say all-done-42'
encoded() { echo "--${1//\//-}--"; }
ALONE=$(encoded "${H#/}/lab/alone.v2") SHELLED=$(encoded "${H#/}/lab/shell") SHARED=$(encoded "${H#/}/lab/shared")
MOVED=$(encoded "${H#/}/lab/moved")
for name in "$ALONE" "$SHELLED" "$MOVED"; do await 30 "the answer in $name" is_answered "$name"; done
alone=$(id_in "$(file_of "$ALONE")")
check "alone is in the conversation that appeared" "$alone" "$(field alone-creator-pi session_id)"
check "alone: proof" appeared "$(field alone-creator-pi id_rung)"
check "another home is followed" "$(id_in "$(file_of "$MOVED")")" "$(field moved-creator-pi session_id)"
check "below a shell it is the same" "$(id_in "$(file_of "$SHELLED")")" "$(field shell-creator-pi session_id)"

prompt one-creator-pi $'hello\n@@say all-done-42'
prompt two-creator-pi $'hello\n@@say all-done-42'
both_answered() { [ "$(grep -l '"stopReason":"stop"' "$H/.pi/agent/sessions/$SHARED"/*.jsonl | wc -l)" = 2 ]; }
await 30 "the answers of both" both_answered
for name in one two; do
  check "$name of two is given no conversation" None "$(field "$name-creator-pi" session_id)"
  case " $(drifts) " in *" ambiguous:$name-creator-pi "*) echo "ok: $name of two is ambiguous" ;;
    *) echo "FAILED: $name of two is not ambiguous: $(drifts)" >&2; exit 1 ;; esac
done
record
check "what can be told is recorded" "ambiguous:one-creator-pi ambiguous:two-creator-pi" "$(drifts)"
! grep -q of_two "$H/agent-sessions.yaml" || { echo "FAILED: an unproven id was recorded" >&2; exit 1; }

await 30 "wrapped ready" is_ready wrapped-creator-pi
check "a wrapper's arguments name the conversation" "start my-own.id_1" \
  "$(field wrapped-creator-pi id_rung) $(field wrapped-creator-pi session_id)"
prompt wrapped-creator-pi $'hello\n@@say all-done-42'
await 30 "the answer below the wrapper" is_answered "$(encoded "${H#/}/lab/wrapped")"
check "it is there" True "$(field wrapped-creator-pi transcript)"
turn wrapped-creator-pi idle
prompt wrapped-creator-pi $'again\n@@slow 5\n@@say all-done-43'
turn wrapped-creator-pi working

key shell-creator-pi C-d
is_shell() { [ "$(field shell-creator-pi observed)" = no-agent ]; }
await 15 "the shell alone" is_shell
check "an agent that ended below a shell" "agent-gone:shell-creator-pi ambiguous:one-creator-pi ambiguous:two-creator-pi" "$(drifts)"

prompt alone-creator-pi $'again\n@@slow 20\n@@say all-done-43'
is_asked() { grep -q all-done-43 "$(file_of "$ALONE")"; }
await 20 "a prompt on disk" is_asked
kill -9 "$(pane_pid alone-creator-pi)"
closed alone-creator-pi
is_gone() { [ "$(field alone-creator-pi observed)" = gone ]; }
await 10 "the end of alone" is_gone
case " $(drifts) " in *" dead:alone-creator-pi "*) echo "ok: kill -9 is dead" ;; *) echo "FAILED: not dead: $(drifts)" >&2; exit 1 ;; esac
record
# Opened again, what the killed one left undone is nobody's work, and its arguments are still not to be read.
session alone-creator-pi "$H/lab/alone.v2" "${ENV[@]}" -- "${PI[@]}" --session "$alone"
await 30 "alone again" is_ready alone-creator-pi
check "a recorded conversation stays" "$alone" "$(field alone-creator-pi session_id)"
end_session alone-creator-pi
await 10 "the end of alone" is_gone
record
turn wrapped-creator-pi idle
prompt wrapped-creator-pi /new
is_new() { screen wrapped-creator-pi | grep -q 'New session started'; }
await 20 "another conversation" is_new
prompt wrapped-creator-pi $'hello\n@@say all-done-44'
is_doubtful() { [[ " $(drifts) " = *" ambiguous:wrapped-creator-pi "* ]]; }
await 20 "doubt about wrapped" is_doubtful
echo "ok: after a /new the arguments prove nothing"
end_session moved-creator-pi
is_gone() { [ "$(field moved-creator-pi observed)" = gone ]; }
await 10 "the end of moved" is_gone
case " $(drifts) " in *" stale-id:moved-creator-pi "*) echo "FAILED: missed where it was not kept: $(drifts)" >&2; exit 1 ;;
  *) echo "ok: after its end nothing is missed in a home it did not have" ;; esac
mkdir "$WORLD/away"
mv "$H/.pi/agent/sessions/$ALONE" "$WORLD/away"
case " $(drifts) " in *" stale-id:alone-creator-pi "*) echo "ok: a session file moved away is stale" ;;
  *) echo "FAILED: not stale: $(drifts)" >&2; exit 1 ;; esac
if [ "$MUX" = tmux ]; then
  CSD_ENV=("${ENV[@]}" CSD_PI_MODEL=fake-model CSD_PI_PROVIDER=fake)
  csd_drives pi "$H/lab/csd"
fi
HOOKED=yes
LED="args: [--provider, fake, --model, fake-model], env: { PATH: '$BIN:$SYSPATH', PI_OFFLINE: '1', PI_TELEMETRY: '0', PI_SKIP_VERSION_CHECK: '1' }"
led pi "$H/lab/led" "$LED" fake-model
begun pi "$H/lab/driven" "$LED"
told driven
interrupted driven
questioned driven 60
raced driven "$H/.pi/agent/sessions/*driven*/*.jsonl"
# They need no multiplexer of this world.
[ "$MUX" != tmux ] || delegated pi bypass "${ENV[@]}" -- --provider fake --model fake-model
echo "pi in $MUX: OK"
