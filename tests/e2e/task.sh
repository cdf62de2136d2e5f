# shellcheck shell=bash
# Sourced by codex.sh: the tools that work across zellij sessions by tasks, with the real Codex. Needs what common.sh and mux.sh define.

# called NAME WORD...: headcount, called by the name of another tool
called() {
  # shellcheck disable=SC2016 # it is the other shell that has them
  clean PATH="$BIN:$SYSPATH" FAKE_KEY=dummy CODEX_THREAD_ID=another ZELLIJ_CONFIG_FILE="$WORLD/zellij/config/zellij/config.kdl" \
    XDG_CACHE_HOME="$ZHOME/cache" bash -c 'exec -a "$1" "$0" "${@:2}"' "$HEADCOUNT" "$@"
}
# told_task WORD...: the outcome of a text to the session of the task
told_task() {
  called send-zellij-message --zellij-session of-a-task --json "$@" >"$WORLD/told_task" || true
  python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["outcome"])' "$WORLD/told_task"
}
shows_task() { zj --session=of-a-task action dump-screen --pane-id terminal_0 | grep -q "$1"; }
is_told() { [ "$(told_task "${@:2}")" = "$1" ]; }
# across_tasks CWD: a session is begun for a task, spoken to, and looked at
across_tasks() {
  mkdir -p "$1"
  headcount consent bypass --yes
  local said=0
  (cd "$1" && called start-zellij-session-for-task --session-name of-a-task --tab-name '[ENG-7]' -- $'Say "it" $(touch oops)\n@@say task-done-42') \
    >"$WORLD/started" 2>&1 || said=$?
  [ "$said" = 0 ] || cat "$WORLD/started" >&2
  check "task: its session is begun" 0 "$said"
  await 20 "what Codex says of the task" shows_task task-done-42
  check "task: its tab" '[ENG-7]' "$(zj --session=of-a-task action query-tab-names)"
  check "task: no shell saw its words" False "$([ -e "$1/oops" ] && echo True || echo False)"
  said=0
  called start-zellij-session-for-task --session-name of-a-task again >"$WORLD/started" 2>&1 || said=$?
  check "task: its name is taken" "1 1" "$said $(grep -c 'session already exists: of-a-task' "$WORLD/started")"
  await 20 "Codex to take a text" is_told preview_safe --text hello
  check "task: a text is delivered" delivered "$(told_task --text $'hello\n@@say sent-done-43' --submit enter --execute)"
  await 20 "the answer" shows_task sent-done-43
  said=$(called get-cross-session-context --zellij-session of-a-task --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["session"]["state"])')
  check "task: its session is seen" active "$said"
  zj kill-session of-a-task || true
}
