#!/usr/bin/env bash
# A crew of real agents: Claude Code leads by the commands of the manager's skill, Codex does a task by those of the worker's. It asks, is
# answered, and gives its result; a task whose worker is killed is done by the one that comes back.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$HERE/drive.sh"
source "$HERE/homes.sh"

mkdir -p "$WORLD/bin"
ln -s "$HEADCOUNT" "$WORLD/bin/headcount"
claude_home lead
echo '{"permissions":{"allow":["Bash"]}}' >"$WORLD/settings.json"
codex_home "$H/.codex" false work
manifest <<YAML
version: 1
lead: { backoff: { first: 0s, most: 1s } }
sessions:
  - name: boss
    agent: claude
    cwd: ~/lab/lead
    desired: running
    crew: { name: auth, role: manager }
    args: [--settings, "$WORLD/settings.json"]
    env: { PATH: "$WORLD/bin:$BIN:$SYSPATH", ANTHROPIC_BASE_URL: "$URL", ANTHROPIC_API_KEY: $KEY, DISABLE_TELEMETRY: "1",
      DISABLE_ERROR_REPORTING: "1", DISABLE_AUTOUPDATER: "1", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" }
  - name: hand
    agent: codex
    cwd: ~/lab/work
    desired: running
    restart: on-failure
    crew: { name: auth, role: worker }
    args: [--sandbox, danger-full-access, --ask-for-approval, never]
    env: { PATH: "$WORLD/bin:$BIN:$SYSPATH", FAKE_KEY: dummy }
YAML

# task ID: how far a task is
task() { headcount crew status auth --json | python3 -c '
import json, sys
print({row["task"]: row["state"] for row in json.load(sys.stdin)["tasks"]}.get(sys.argv[1]))' "$1"; }
is_task() { [ "$(task "$1")" = "$2" ]; }
# leads TEXT: what the manager is told, once it takes it; its answer
leads() {
  await 30 "boss takes a text" takes boss
  told_to ask boss "$1" "${SURE[@]}" --timeout 180s
}
# A goal is one line, so what is to be done ends where its envelope goes on. The shell of Codex is a login shell, with a PATH of its own.
REPLY='{--task} {--lease}'

headcount consent bypass --yes
headcount apply --yes
await 30 "hand takes a text" takes hand
echo "Make the tests pass. @@tool echo $REPLY >~/lease; $HEADCOUNT crew reply auth ACCEPT $REPLY; $HEADCOUNT crew reply auth ASK Which-branch $REPLY #" \
  >"$H/goal"
check "the manager hands a task out and reads what the worker asks" "asked" "$(leads 'lead the crew
@@tool headcount crew assign auth hand "$(cat ~/goal)"
@@tool headcount crew inbox auth --wait --timeout 20s
@@tool headcount crew inbox auth --wait --timeout 20s
@@say asked')"
await 30 "a task that waits for an answer" is_task t1 blocked
# An answer repeats neither task nor lease: the worker has them from before.
echo "main @@tool echo worked >>~/worked; $HEADCOUNT crew reply auth RESULT the-tests-pass \$(cat ~/lease) #" >"$H/answer"
check "the manager answers and takes the result" "answered" "$(leads 'answer the worker
@@tool headcount crew answer auth t1 "$(cat ~/answer)"
@@tool headcount crew inbox auth --wait --timeout 20s
@@say answered')"
await 60 "the end of the task" is_task t1 'done'
check "it was done once" worked "$(cat "$H/worked")"
# Who sent it may note that only after the first reply.
check "what happened to it" "answered assigned queued reply reply reply sent" "$(headcount crew bus auth | python3 -c '
import json, sys
print(*sorted(one.get("event") for one in map(json.loads, sys.stdin) if one.get("task") == "t1"))')"

# A task whose worker is killed over it is handed out again, under another lease.
headcount watch --enforce --interval 1s >"$WORLD/watch" 2>&1 &
await 30 "hand takes a text" takes hand
echo "Take long. @@tool $HEADCOUNT crew reply auth ACCEPT $REPLY; test -e ~/killed || sleep 600; $HEADCOUNT crew reply auth RESULT late $REPLY #" \
  >"$H/goal"
check "the manager hands out another" "assigned" "$(leads 'another task
@@tool headcount crew assign auth hand "$(cat ~/goal)" --retry 1s
@@say assigned')"
await 60 "a task that runs" is_task t2 running
touch "$H/killed"
# With all that it runs in: what of it lives on has the conversation still.
kill -9 -- "-$(ps -o pgid= -p "$(field hand pid)" | tr -d ' ')"
await 120 "the end of the task of another worker" is_task t2 'done'
check "the queue agrees with the log" "t1 done t2 done" "$(echo t1 "$(task t1)" t2 "$(task t2)")"
echo "crew in $MUX: OK"
