#!/usr/bin/env bash
# Real Claude Code: five hand-written sessions, two of them in one workspace and one below a wrapper; /clear, the picker of a start,
# a pane parked by the agents view, /bg, kill -9, a transcript moved away; headcount's MCP server.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$HERE/lead.sh"
source "$HERE/homes.sh"
source "$HERE/drive.sh"
source "$HERE/jobs.sh"
source "$HERE/conditions.sh"
source "$HERE/tools.sh"
source "$HERE/csd.sh"

claude_home plain dots.v2 shared led driven tools
echo '{"permissions":{"allow":["Bash"]}}' >"$WORLD/settings.json"
ENV=(ANTHROPIC_BASE_URL="$URL" ANTHROPIC_API_KEY="$KEY" DISABLE_TELEMETRY=1 DISABLE_ERROR_REPORTING=1 DISABLE_AUTOUPDATER=1
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1)
CLAUDE=(claude --settings "$WORLD/settings.json" --permission-mode default)

session plain "$H/lab/plain" "${ENV[@]}" -- "${CLAUDE[@]}"
session dots "$H/lab/dots.v2" "${ENV[@]}" -- "${CLAUDE[@]}"
session one-creator-claude "$H/lab/shared" "${ENV[@]}" -- "${CLAUDE[@]}"
session two-creator-claude "$H/lab/shared" "${ENV[@]}" -- "${CLAUDE[@]}"
# The trailing command keeps bash as a wrapper around the agent.
session wrapped "$H/lab/plain" "${ENV[@]}" -- bash -c "$(printf '%q ' "${CLAUDE[@]}"); exit 0"
manifest <<'YAML'
version: 1
sessions:
  - name: plain     # mine
    agent: claude
    cwd: ~/lab/plain
  - name: dots
    agent: claude
    cwd: ~/lab/dots.v2
    status: running
  - name: wrapped
    agent: claude
    cwd: ~/lab/plain
  - name: gone
    agent: claude
    cwd: ~/lab/plain
    status: running
YAML

registry_of() { local pid; for pid in "$(pane_pid "$1")" $(cat "/proc/$(pane_pid "$1")/task"/*/children); do
  [ -e "$H/.claude/sessions/$pid.json" ] && echo "$H/.claude/sessions/$pid.json" && return; done; return 1; }
is_idle() { grep -q '"status":"idle"' "$(registry_of "$1")"; }
id_in_registry() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["sessionId"])' "$(registry_of "$1")"; }

for name in plain dots wrapped one-creator-claude two-creator-claude; do await 20 "$name idle" is_idle "$name"; done
for name in plain dots wrapped one-creator-claude two-creator-claude; do
  check "$name is alive" alive "$(field "$name" observed)"
  check "$name is in the conversation its registry says" "$(id_in_registry "$name")" "$(field "$name" session_id)"
  check "$name: proof" registry "$(field "$name" id_rung)"
done
check "gone is gone" gone "$(field gone observed)"
record
check "everything is recorded" "" "$(drifts)"

check "plain waits for a prompt" idle "$(field plain turn)"
prompt plain $'hello\n@@slow 3\n@@say done'
has_transcript() { [ "$(field plain transcript)" = True ]; }
is_turn() { [ "$(field "$1" turn)" = "$2" ]; }
await 20 "plain at work" is_turn plain working
await 20 "plain idle again" is_turn plain idle
await 20 "the transcript of plain" has_transcript
first=$(field plain session_id)
prompt plain /clear
has_cleared() { [ "$(id_in_registry plain)" != "$first" ]; }
await 20 "another conversation after /clear" has_cleared
check "/clear is followed" "new-id:plain" "$(drifts)"
record
check "the new id is recorded" "$(id_in_registry plain)" "$(field plain session_id)"

prompt dots $'hello\n@@slow 60\n@@say done'
has_transcript() { [ "$(field dots transcript)" = True ]; }
await 20 "the transcript of dots" has_transcript
await 20 "dots at work" is_turn dots working
record
kill -9 "$(pane_pid dots)"
closed dots
is_gone() { [ "$(field dots observed)" = gone ]; }
await 10 "the end of dots" is_gone
check "kill -9 is dead" "dead:dots" "$(drifts)"
grep -q '"status":"busy"' "$H"/.claude/sessions/*.json
check "and what it left is no turn" None "$(field dots turn)"
record
mkdir "$WORLD/away"
mv "$H"/.claude/projects/*dots-v2 "$WORLD/away"
check "a transcript moved away is stale" "stale-id:dots" "$(drifts)"
# A picker is open: the registry names a placeholder, and the conversation is the recorded one.
kept=$(field wrapped session_id)
prompt wrapped $'hello\n@@say done'
has_spoken() { [ "$(field wrapped transcript)" = True ]; }
await 20 "the transcript of wrapped" has_spoken
await 20 "wrapped idle" is_turn wrapped idle
record
end_session wrapped
record
session wrapped "$H/lab/plain" "${ENV[@]}" -- bash -c "$(printf '%q ' "${CLAUDE[@]}" --resume); exit 0"
has_placeholder() { registry_of wrapped && [ "$(id_in_registry wrapped)" != "$kept" ]; }
await 20 "the placeholder" has_placeholder
check "an open picker is starting" starting "$(field wrapped turn)"
record
check "and its placeholder is not recorded" "$kept" "$(field wrapped session_id)"

# Left on an empty composer: the conversation goes on in the background under another id.
prompt one-creator-claude $'hello\n@@say done'
has_spoken() { [ "$(field one-creator-claude transcript)" = True ]; }
await 20 "the transcript of one" has_spoken
await 20 "one idle" is_turn one-creator-claude idle
record
parked=$(field one-creator-claude session_id)
key one-creator-claude Left
await 20 "one parked" is_turn one-creator-claude parked
heir_of() { python3 -c '
import glob, json, sys
lines = [json.loads(line) for path in glob.glob(sys.argv[1] + "/.claude/projects/*/" + sys.argv[2] + ".jsonl") for line in open(path)]
print(next(line["continuedInSessionId"] for line in lines if line["type"] == "continued-in"))' "$H" "$1"; }
await 20 "the end of its transcript" heir_of "$parked"
# Its job registers itself a moment after that.
is_heir() { [ "$(field "$1" session_id)" = "$(heir_of "$2")" ]; }
await 20 "the job of one" is_heir one-creator-claude "$parked"
check "a parked pane is in the conversation of its job" "$(heir_of "$parked")" "$(field one-creator-claude session_id)"
# Nothing was said there yet: what would be lost is the recorded one.
record
grep -q "$parked" "$H/agent-sessions.yaml"

# /bg: the pane ends, the conversation goes on in the background.
prompt two-creator-claude $'hello\n@@say done'
has_spoken() { [ "$(field two-creator-claude transcript)" = True ]; }
await 20 "the transcript of two" has_spoken
await 20 "two idle" is_turn two-creator-claude idle
record
left=$(field two-creator-claude session_id)
prompt two-creator-claude /bg
has_left() { case $(field two-creator-claude observed) in gone | no-agent) ;; *) return 1 ;; esac; }
await 30 "the end of the pane of two" has_left
await 20 "the end of its transcript" heir_of "$left"
await 20 "the job of two" is_heir two-creator-claude "$left"
check "a session that ended in the background is offered where it went on" "$(heir_of "$left")" "$(field two-creator-claude session_id)"
record
# zellij keeps the pane that /bg left, without an agent.
left=$([ "$MUX" = tmux ] || echo "agent-gone:two-creator-claude ")
check "what stays is said" "${left}ambiguous:wrapped new-id:one-creator-claude new-id:two-creator-claude stale-id:dots" \
  "$(drifts | tr ' ' '\n' | sort | xargs)"
grep -q 'name: plain     # mine' "$H/agent-sessions.yaml"

LED="args: [--settings, '$WORLD/settings.json'], env: { PATH: '$BIN:$SYSPATH', ANTHROPIC_BASE_URL: '$URL', ANTHROPIC_API_KEY: $KEY, DISABLE_TELEMETRY: '1', DISABLE_ERROR_REPORTING: '1', DISABLE_AUTOUPDATER: '1', CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' }"
asks claude "$H/lab/asks" "$LED"
printf '  - { name: bold-creator-claude, agent: claude, cwd: ~/lab/led, mux: %s, desired: running, permissions: bypass, %s }\n' \
  "$MUX" "${LED/env: \{/env: { IS_SANDBOX: '1',}" >>"$H/agent-sessions.yaml"
check "claude: it asks always, unless a person consented" consent "$(applied bold-creator-claude code)"
headcount consent bypass --yes
headcount apply bold-creator-claude --yes
check "claude: and then its own question is answered" alive "$(field bold-creator-claude observed)"
headcount stop bold-creator-claude --yes --now
HOOKED=yes
led claude "$H/lab/led" "$LED" '❯'
# Its settings would let every command run unasked.
ASKING=${LED#*], }
conditions claude "$H/lab/led" "${ASKING/env: \{/env: { CLAUDE_CODE_MAX_RETRIES: '0',}" '❯'
echo '{"permissions":{"allow":["mcp__headcount"]},"enabledMcpjsonServers":["headcount"]}' >"$WORLD/tools.json"
printed claude >"$H/lab/tools/.mcp.json"
FINDS='@@call ToolSearch {"query":"select:mcp__headcount__list,mcp__headcount__send,mcp__headcount__wait,mcp__headcount__read_turn","max_results":10}'
uses_tools claude "$H/lab/tools" "${LED/settings.json/tools.json}" "$H/.claude/projects/*-tools/" claude-code
if [ "$MUX" = tmux ]; then
  CSD_ENV=("${ENV[@]}" IS_SANDBOX=1)
  csd_drives claude "$H/lab/csd"
fi
session driven "$H/lab/driven" "${ENV[@]}" -- claude --permission-mode default
printf '  - { name: driven, agent: claude, cwd: ~/lab/driven }\n' >>"$H/agent-sessions.yaml"
driven driven "$H/.claude/projects/*driven/*.jsonl"
# They need no multiplexer of this world.
[ "$MUX" != tmux ] || delegated claude edit "${ENV[@]}" --
echo "claude in $MUX: OK"
