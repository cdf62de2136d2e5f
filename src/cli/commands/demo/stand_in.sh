#!/bin/sh
# Stands in for Claude Code in the demo: leaves on disk what the real one leaves, and waits.
# usage: claude --session-id ID | --resume ID
id=
while [ $# -gt 0 ]; do
  case $1 in --session-id | --resume) id=$2 ;; esac
  shift
done
here=$(pwd -P)
home=${CLAUDE_CONFIG_DIR:-$HOME/.claude}
project=$home/projects/$(printf %s "$here" | tr -c 'A-Za-z0-9' -)
start=$(cut -d ' ' -f 22 "/proc/$$/stat" 2>/dev/null)
mkdir -p "$home/sessions" "$project"
if [ ! -e "$project/$id.jsonl" ]; then
  printf '{"type":"user","sessionId":"%s","cwd":"%s","timestamp":"%s"}\n' \
    "$id" "$here" "$(date -u +%Y-%m-%dT%H:%M:%S.000Z)" >"$project/$id.jsonl"
fi
printf '{"pid":%s,"sessionId":"%s","cwd":"%s","procStart":"%s","version":"0","kind":"interactive","status":"idle"}' \
  "$$" "$id" "$here" "$start" >"$home/sessions/.$$.tmp"
mv "$home/sessions/.$$.tmp" "$home/sessions/$$.json"
while :; do sleep 3600; done
