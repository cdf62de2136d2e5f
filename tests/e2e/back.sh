#!/usr/bin/env bash
# Five sessions of Claude Code and five of Codex, each told a word of its own in its first prompt. Their server dies three times; each
# time one apply brings all of them back, and each answers with its own word and no other.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$HERE/drive.sh"
source "$HERE/homes.sh"

names=() directories=()
for n in 1 2 3 4 5; do
  names+=("claude-$n" "codex-$n")
  directories+=("claude-$n" "codex-$n")
done
claude_home "${directories[@]}"
codex_home "$H/.codex" false "${directories[@]}"
{
  printf 'version: 1\nlead: { parallel: 2 }\nsessions:\n'
  for name in "${names[@]}"; do
    env="FAKE_KEY: dummy"
    [ "${name%-*}" = codex ] || env="ANTHROPIC_BASE_URL: \"$URL\", ANTHROPIC_API_KEY: $KEY, DISABLE_TELEMETRY: \"1\",
      DISABLE_ERROR_REPORTING: \"1\", DISABLE_AUTOUPDATER: \"1\", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: \"1\""
    cat <<YAML
  - name: $name
    agent: ${name%-*}
    cwd: ~/lab/$name
    desired: running
    prompt: "Keep the word ${name/-/0}kept. @@say kept"
    env: { PATH: "$BIN:$SYSPATH", $env }
YAML
  done
} | manifest

# counted KEY VALUE: of how many sessions status says so
counted() {
  headcount status --settle 0s --json | python3 -c '
import json, sys
print(sum(str(row.get(sys.argv[1])) == sys.argv[2] for row in json.load(sys.stdin)["sessions"]))' "$1" "$2"
}
is_counted() { [ "$(counted "$1" "$2")" = ${#names[@]} ]; }
kill_servers() {
  local name
  if [ "$MUX" = tmux ]; then kill_server; return; fi
  for name in "${names[@]}"; do kill_server "$name"; done
}
ids() { headcount status --settle 0s --json | python3 -c '
import json, sys
print(*sorted(row["session"]["name"] + "=" + str(row["session_id"]) for row in json.load(sys.stdin)["sessions"]))'; }
all_back() { headcount apply --yes; }

headcount apply --yes
await 60 "what each was told first" is_counted transcript True
await 60 "the end of all first turns" is_counted turn idle
record
before=$(ids)
check "ten conversations" 10 "$(tr ' ' '\n' <<<"$before" | cut -d = -f 2 | sort -u | wc -l)"
for round in 1 2 3; do
  kill_servers
  await 30 "the end of all" is_counted observed gone
  began=$SECONDS
  # Some outlive their terminal for a while, and nobody else is let into their conversation meanwhile.
  await 60 "the return of all" all_back
  echo "ok: round $round: ten sessions are back after $((SECONDS - began)) s"
  check "round $round: each in its conversation" "$before" "$(ids)"
  for name in "${names[@]}"; do
    await 60 "$name takes a text" takes "$name"
    check "round $round: $name knows its own word" "${name/-/0}kept" \
      "$(told_to ask "$name" "round $round @@recall ${name%-*}0" "${SURE[@]}" --timeout 120s)"
  done
done
echo "back in $MUX: OK"
