#!/usr/bin/env bash
# Real Codex: two in one workspace with the background daemon off, each its own thread from the launch on; an approval; one with the daemon on;
# kill -9; a rollout moved away; headcount's MCP server.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$HERE/lead.sh"
source "$HERE/homes.sh"
source "$HERE/drive.sh"
source "$HERE/jobs.sh"
source "$HERE/conditions.sh"
source "$HERE/task.sh"
source "$HERE/tools.sh"
source "$HERE/csd.sh"

codex_home "$H/.codex" false shared daemon led tools
codex_home "$H/daemon-home" true shared daemon led tools
daemon_pid() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["pid"])' "$H/daemon-home/app-server-daemon/$1.pid"; }
# The daemon outlives its terminal: it is ended by the pid it left.
end_daemon() { local name; for name in daemon daemon-updater; do kill "$(daemon_pid $name)" 2>/dev/null || true; done; }
ending() {
  local rc=$?
  set +e
  end_daemon
  (exit "$rc")
  finish
}
trap ending EXIT

session one-creator-codex "$H/lab/shared" FAKE_KEY=dummy -- codex
session two-creator-codex "$H/lab/shared" FAKE_KEY=dummy -- codex
manifest <<YAML
version: 1
sessions:
  - { name: one-creator-codex, agent: codex, cwd: ~/lab/shared }
  - { name: two-creator-codex, agent: codex, cwd: ~/lab/shared }
YAML
is_proven() { [ "$(field "$1" id_rung)" = "held file" ]; }
is_ready() { screen "$1" | grep -q 'Ask Codex to do anything'; }
for name in one two; do
  await 30 "$name ready" is_ready "$name-creator-codex"
  await 20 "the thread of $name" is_proven "$name-creator-codex"
done
one=$(field one-creator-codex session_id)
two=$(field two-creator-codex session_id)
[ "$one" != "$two" ] || { echo "FAILED: both are in $one" >&2; exit 1; }
check "one is in a thread that is locked" True "$([ -e "$H/.codex/thread-writer-locks/$one.lock" ] && echo True)"
record
check "everything is recorded" "" "$(drifts)"

prompt one-creator-codex $'hello\n@@slow 3\n@@say all-done-42'
has_rollout() { [ "$(field one-creator-codex transcript)" = True ]; }
await 30 "the rollout of one" has_rollout
is_turn() { [ "$(field "$1" turn)" = "$2" ]; }
await 20 "one at work" is_turn one-creator-codex working
await 20 "one idle" is_turn one-creator-codex idle
prompt one-creator-codex $'leave\n@@ask echo asked-for\n@@say all-done-44'
await 20 "one waiting for an approval" is_turn one-creator-codex waiting
key one-creator-codex y
await 20 "one idle after the approval" is_turn one-creator-codex idle
prompt one-creator-codex $'again\n@@slow 60\n@@say never'
await 20 "one at work again" is_turn one-creator-codex working
check "the id stays" "$one" "$(field one-creator-codex session_id)"
record
kill -9 "$(pane_pid one-creator-codex)"
closed one-creator-codex
is_gone() { [ "$(field one-creator-codex observed)" = gone ]; }
await 10 "the end of one" is_gone
check "kill -9 is dead" "dead:one-creator-codex" "$(drifts)"
record
mkdir "$WORLD/away"
mv "$H"/.codex/sessions/*/*/*/*"$one".jsonl "$WORLD/away"
check "a rollout moved away is stale" "stale-id:one-creator-codex" "$(drifts)"

session daemon-creator-codex "$H/lab/daemon" FAKE_KEY=dummy CODEX_HOME="$H/daemon-home" -- codex
await 30 "codex with a daemon ready" is_ready daemon-creator-codex
check "with a daemon it is alive all the same" alive "$(field daemon-creator-codex observed)"
prompt daemon-creator-codex $'hello\n@@say all-done-42'
# In a zellij that is only just being started it has no row yet.
is_known() { local id; id=$(field daemon-creator-codex session_id) && [ "$id" != None ]; }
await 30 "the conversation the daemon runs" is_known
check "with a daemon it is told by the rollout that appeared" appeared "$(field daemon-creator-codex id_rung)"
printf '  - { name: daemon-creator-codex, agent: codex, cwd: ~/lab/daemon }\n' >>"$H/agent-sessions.yaml"
record
prompt daemon-creator-codex /new
is_new() { [ "$(find "$H/daemon-home/thread-writer-locks" -name '[!.]*.lock' | wc -l)" = 2 ]; }
await 20 "another thread" is_new
prompt daemon-creator-codex $'hello\n@@say all-done-43'
is_doubtful() { [[ " $(drifts) " = *" ambiguous:daemon-creator-codex "* ]]; }
await 20 "doubt about the one with a daemon" is_doubtful
echo "ok: a /new leaves what was recorded in doubt"
end_session daemon-creator-codex
await 20 "its end" eval '[ "$(field daemon-creator-codex observed)" = gone ]'
case " $(drifts) " in *" stale-id:daemon-creator-codex "*) echo "FAILED: missed where it was not kept: $(drifts)" >&2; exit 1 ;;
  *) echo "ok: after its end nothing is missed in a home it did not have" ;; esac

LED="env: { PATH: '$BIN:$SYSPATH', FAKE_KEY: dummy }"
asks codex "$H/lab/asks" "$LED"
mkdir "$H/nobody"
nobody codex "$H/lab/led" "env: { PATH: '$BIN:$SYSPATH', CODEX_HOME: '$H/nobody' }"
if [ "$MUX" = tmux ]; then
  # Only one that asks nothing is given hooks.
  mkdir "$H/lab/bold"
  printf '[projects."%s"]\ntrust_level = "trusted"\n' "$H/lab/bold" >>"$H/.codex/config.toml"
  printf '  - { name: bold-creator-codex, agent: codex, cwd: ~/lab/bold, mux: tmux, desired: running, permissions: bypass, %s }\n' "$LED" \
    >>"$H/agent-sessions.yaml"
  headcount consent bypass --yes
  headcount apply bold-creator-codex --yes
  prompt bold-creator-codex $'hello\n@@say all-done-44'
  has_told() { hooked bold-creator-codex "$(field bold-creator-codex session_id)" "$1"; }
  await 20 "its hook of a prompt" has_told UserPromptSubmit
  await 20 "its hook of the end of a turn" has_told Stop
  echo "ok: codex tells of itself through hooks"
  headcount stop bold-creator-codex --yes --now
fi
led codex "$H/lab/led" "$LED" 'Ask Codex to do anything'
conditions codex "$H/lab/led" "$LED" 'Ask Codex to do anything' /quit
cp "$H/.codex/config.toml" "$WORLD/config.toml"
printed codex >>"$H/.codex/config.toml"
# It asks a person before each tool that acts.
uses_tools codex "$H/lab/tools" "args: [-c, 'mcp_servers.headcount.default_tools_approval_mode=\"approve\"'], $LED" \
  "$H/.codex/sessions/*/*/*/*" codex-mcp-client
mv "$WORLD/config.toml" "$H/.codex/config.toml"
if [ "$MUX" = tmux ]; then
  CSD_ENV=(FAKE_KEY=dummy CSD_CODEX_MODEL=fake-model)
  csd_drives codex "$H/lab/csd" -c 'model_provider="fake"' -c check_for_update_on_startup=false -c analytics.enabled=false \
    -c "model_providers.fake={name=\"fake\",base_url=\"$URL/v1\",env_key=\"FAKE_KEY\",wire_api=\"responses\"}"
fi
session driven "$H/lab/shared" FAKE_KEY=dummy -- codex --ask-for-approval on-request --sandbox read-only
printf '  - { name: driven, agent: codex, cwd: ~/lab/shared }\n' >>"$H/agent-sessions.yaml"
driven driven "$H/.codex/sessions/*/*/*/*.jsonl"
# They need no multiplexer of this world.
[ "$MUX" != tmux ] || delegated codex edit FAKE_KEY=dummy --
echo "codex in $MUX: OK"
if [ "$MUX" = zellij ]; then across_tasks "$H/lab/task"; fi
