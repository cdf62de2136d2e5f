#!/usr/bin/env bash
# Real Claude Code, started, resumed, stopped and restarted, while headcount, its launcher, the agent or the tmux server is killed at
# random moments: never two in one conversation, and the next applies finish. ./x soak lead runs it where Claude can be installed.
# KILLS says how often (100), SEED which ones (1).
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$HERE/lead.sh"
source "$HERE/homes.sh"

name=led-creator-claude
claude_home led
manifest <<YAML
version: 1
lead: { spacing: 0s }
sessions:
  - name: $name
    agent: claude
    cwd: $H/lab/led
    desired: running
    env: { PATH: '$BIN:$SYSPATH', ANTHROPIC_BASE_URL: '$URL', ANTHROPIC_API_KEY: $KEY, DISABLE_TELEMETRY: '1', DISABLE_ERROR_REPORTING: '1', DISABLE_AUTOUPDATER: '1', CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' }
YAML

has_spoken() { [ "$(field "$name" transcript)" = True ]; }
headcount apply --yes
await 20 "the composer" on_screen "$name" '❯'
prompt "$name" $'hello\n@@say done'
await 30 "the first turn" has_spoken
record
id=$(field "$name" session_id)

# agents: the pids of live agents, as they register themselves, with their conversations
agents() {
  local file pid
  for file in "$H"/.claude/sessions/*.json; do
    pid=$(basename "$file" .json)
    # Or it would be whoever has that number by now.
    grep -qzxF "HOME=$H" "/proc/$pid/environ" 2>/dev/null && echo "$pid $(grep -o '"sessionId":"[^"]*"' "$file" | cut -d '"' -f 4)"
  done
  return 0
}
wanted() { grep -q 'desired: running' "$H/agent-sessions.yaml" && echo 1 || echo 0; }
left() { find "$H/.local/state/headcount/operations" -name "$1" 2>/dev/null | wc -l; }
# settled: one apply says that all is so, and it is
settled() {
  local code=0 all
  said=$(headcount apply --yes 2>&1) || code=$?
  all=$(agents)
  [ "$(grep -c . <<<"$all")" -le 1 ] || { echo "FAILED: two at once: $all" >&2; exit 1; }
  [ $code = 0 ] && [ "$(grep -c . <<<"$all")" = "$(wanted)" ] && [ "$(left begun.json)" = "$(left receipt.json)" ] &&
    { [ -z "$all" ] || [ "${all#* }" = "$id" ]; }
}

RANDOM=${SEED:-1}
declare -A killed
for ((count = 0; count < ${KILLS:-100}; )); do
  verbs=("start $name" "stop $name --yes --now" "restart $name --yes --now" "apply --yes")
  # shellcheck disable=SC2206 # two words
  verb=(${verbs[RANDOM % 4]})
  headcount "${verb[@]}" >/dev/null 2>&1 &
  job=$!
  pause "$((RANDOM % 4)).$((RANDOM % 10))"
  victims=(headcount headcount headcount launcher agent server)
  victim=${victims[RANDOM % 6]}
  case $victim in
    headcount) pid=$(cat "/proc/$job/task/$job/children" 2>/dev/null || true) ;;
    launcher) pid=$(tm list-panes -a -F '#{pane_pid}' 2>/dev/null | head -n 1 || true) ;;
    agent) pid=$(agents | cut -d ' ' -f 1 | head -n 1) ;;
    server) pid=$(tm display-message -p '#{pid}' 2>/dev/null || true) ;;
  esac
  # shellcheck disable=SC2086 # none, or more than one
  if [ -n "$pid" ] && kill -9 $pid 2>/dev/null; then
    count=$((count + 1))
    [ $victim != headcount ] || victim=${verb[0]}
    killed[$victim]=$((${killed[$victim]:-0} + 1))
  fi
  wait "$job" 2>/dev/null || true
  [ $((count % 10)) != 0 ] || echo "$count kills, $SECONDS s"
  comes 30 settled || { echo "FAILED after kill $count ($victim, ${verb[*]}): wanted $(wanted), $(agents): $said" >&2; show_world; exit 1; }
done
echo "claude: $count kills, none wrong:$(for victim in "${!killed[@]}"; do echo -n " $victim ${killed[$victim]}"; done)"
