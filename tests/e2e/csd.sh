# shellcheck shell=bash
# Sourced by the scripts of agents that csd drives: headcount as csd, on a tmux server of its own. Needs what common.sh defines.

# csd WORD...: as a skill calls it. CSD_ENV is what its server, and so its workers, get beside the usual.
csd() {
  clean TMUX_TMPDIR="$WORLD/csd" CSD_WORKER_DIR="$WORLD/csd/workers" PATH="$BIN:$SYSPATH" "${CSD_ENV[@]}" \
    bash "$WORLD/skill/scripts/csd" "$@"
}
# worker WORD...: of the one worker
worker() { csd --worker w "$@"; }
# has_event WORD: whether a hook has told it
has_event() { worker read-events --type "$1" | grep -q .; }

# csd_drives HARNESS CWD WORD...: the life of one worker, launched with these arguments
csd_drives() {
  local harness=$1 cwd=$2 id server
  shift 2
  mkdir -p "$WORLD/csd" "$cwd"
  chmod 700 "$WORLD/csd"
  headcount links --skill "$WORLD/skill" >/dev/null
  echo yes | csd grant-consent
  csd launch --harness "$harness" w "$cwd" -- "$@"
  check "csd: $harness answers" first-answer "$(worker converse $'hello\n@@say first-answer' 60)"
  id=$(worker session-id)
  check "csd: it waits" idle "$(worker status)"
  worker send $'run it\n@@tool echo from-tool\n@@say second-answer'
  await 30 "its hook of a tool" has_event pre_tool_use
  await 30 "the end of its turn" eval '[ "$(worker read-events --type stop | wc -l)" = 2 ]'
  worker read-turn >"$WORLD/turn"
  grep -q '^second-answer$' "$WORLD/turn" || { cat "$WORLD/turn"; exit 1; }
  grep -q 'from-tool' "$WORLD/turn" || { cat "$WORLD/turn"; exit 1; }
  check "csd: each prompt was told once" 2 "$(worker read-events --type user_prompt_submit | wc -l)"
  check "csd: headcount knows what it does" "$id" "$(clean TMUX_TMPDIR="$WORLD/csd" "$HEADCOUNT" status --settle 0s --json \
    -f "$H/.local/state/headcount/frontends/csd.yaml" | python3 -c 'import json,sys; print(json.load(sys.stdin)["sessions"][0]["session_id"])')"
  if [ "$harness" = claude ]; then
    server=$(clean tmux -S "$WORLD/csd/tmux-$(id -u)/default" display-message -p '#{pid}')
    kill -9 "$server"
    await 20 "the end of its session" eval '[ "$(worker status)" = gone ]'
    await 30 "its recovery" csd recover --execute
    check "csd: it goes on in its conversation" "$id" "$(worker session-id)"
    check "csd: and answers" third-answer "$(worker converse $'again\n@@say third-answer' 60)"
  fi
  worker stop
  check "csd: nothing is left of it" "" "$(find "$WORLD/csd/workers" -type f)"
}
