# shellcheck shell=bash
# Sourced by common.sh. The multiplexer an agent is tried in, MUX (tmux or zellij): the same verbs for both, on a server of this
# world's own. Never addresses anything of another.
MUX=${MUX:-tmux}
ZSOCKETS=$WORLD/z
ZHOME=$WORLD/zellij

TMUX_BIN=$(command -v tmux)
case $MUX in
  tmux) ;;
  zellij)
    : "${ZELLIJ_BIN:?the zellij program}"
    mkdir -p "$ZHOME"/{config/zellij,cache,data,tmp}
    # Where headcount finds it.
    mkdir "$WORLD/bin"
    ln -s "$ZELLIJ_BIN" "$WORLD/bin/zellij"
    SYSPATH=$WORLD/bin:$SYSPATH
    printf '%s false\n' show_startup_tips show_release_notes session_serialization >"$ZHOME/config/zellij/config.kdl"
    ;;
  *) echo "MUX is tmux or zellij, not $MUX" >&2; exit 64 ;;
esac

tm() { clean "$TMUX_BIN" -f /dev/null "$@"; }
# A zellij that loses its server while it is being set up would wait for ever.
zj() {
  clean XDG_CONFIG_HOME="$ZHOME/config" XDG_CACHE_HOME="$ZHOME/cache" XDG_DATA_HOME="$ZHOME/data" TMPDIR="$ZHOME/tmp" \
    timeout 20 "$ZELLIJ_BIN" "$@" </dev/null
}
# action NAME VERB WORD...: on the pane the agent is in, once more where a busy zellij does not find a session that runs: then it has
# done nothing, whatever its exit code says
action() {
  local said rc _
  for _ in {1..5}; do
    rc=0
    said=$(zj "--session=$1" action "$2" --pane-id terminal_0 "${@:3}" 2>"$WORLD/action.err") || rc=$?
    grep -q "Session '.*' not found" "$WORLD/action.err" || break
    pause 0.3
  done
  cat "$WORLD/action.err" >&2
  [ -z "$said" ] || printf '%s\n' "$said"
  return "$rc"
}
# server NAME: the process that serves a zellij session
server() {
  local file words
  for file in /proc/[0-9]*/cmdline; do
    { mapfile -d '' words <"$file"; } 2>/dev/null || continue
    if [ "${words[1]:-}" = --server ] && [ "${words[2]:-}" = "$ZSOCKETS/contract_version_1/$1" ]; then
      file=${file%/cmdline}
      echo "${file#/proc/}"
      return
    fi
  done
  return 1
}

# session NAME CWD ENV... -- CMD...: the agent as the pane's own process
session() {
  local name=$1 cwd=$2 line word
  shift 2
  line="exec env -i PATH=$(printf %q "$BIN:$SYSPATH") HOME=$(printf %q "$H") TERM=xterm-256color LANG=C.UTF-8"
  # shellcheck disable=SC2016 # it is the pane that knows it
  [ "$MUX" = tmux ] || line+=' ZELLIJ=0 ZELLIJ_PANE_ID="$ZELLIJ_PANE_ID" ZELLIJ_SESSION_NAME="$ZELLIJ_SESSION_NAME"'
  for word in "$@"; do [ "$word" = -- ] || line+=" $(printf %q "$word")"; done
  if [ "$MUX" = tmux ]; then
    tm new-session -d -s "$name" -x 150 -y 45 -c "$cwd" "$line"
  else
    (cd "$cwd" && zj attach --create-background "$name" -- bash -c "$line")
    await 20 "the pane of $name" pane_pid "$name"
    view "$name"
  fi
}
# view NAME: without anybody looking a zellij session has 50 columns, too few for some agents to say all they have to say. A viewer
# that comes while the session is still being set up may be sent away, or wait for ever: then another one comes.
view() {
  local try
  is_seen() { is_wide "$1" || ! tm -L viewers has-session -t "=$1"; }
  for try in {1..6}; do
    tm -L viewers new-session -d -s "$1" -x 150 -y 45 \
      "$(printf '%q ' env -u TMUX XDG_CONFIG_HOME="$ZHOME/config" XDG_CACHE_HOME="$ZHOME/cache" "$ZELLIJ_BIN" attach "$1")"
    comes 20 is_seen "$1" || tm -L viewers kill-session -t "=$1"
    ! is_wide "$1" || return 0
    echo "note: viewer $try of $1 did not stay" >&2
  done
  echo "FAILED: no wide screen for $1" >&2
  return 1
}
is_wide() { [ "$(stty -F "/proc/$(pane_pid "$1")/fd/0" size | cut -d ' ' -f 2)" -gt 100 ]; }
sessions() { if [ "$MUX" = tmux ]; then tm list-sessions -F '#{session_name}'; else ls "$ZSOCKETS/contract_version_1"; fi; }
# pane_pid NAME: the process of its only pane. Only that has a terminal: what plugins run has none.
pane_pid() {
  if [ "$MUX" = tmux ]; then tm display -p -t "=$1:" '#{pane_pid}'; return; fi
  local server pid stat
  server=$(server "$1") || return 1
  for pid in $(cat "/proc/$server/task"/*/children 2>/dev/null); do
    stat=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
    read -ra stat <<<"${stat##*) }"
    [ "${stat[4]}" = 0 ] || { echo "$pid"; return; }
  done
  return 1
}
screen() { if [ "$MUX" = tmux ]; then tm capture-pane -p -t "=$1:"; else action "$1" dump-screen; fi; }
title() {
  if [ "$MUX" = tmux ]; then tm display -p -t "=$1:" '#{pane_title}'; return; fi
  zj "--session=$1" action list-panes --all --json | python3 -c '
import json, sys
print(next(pane["title"] for pane in json.load(sys.stdin) if not pane["is_plugin"]))'
}
paste() {
  if [ "$MUX" = zellij ]; then action "$1" paste "$2"; return; fi
  tm set-buffer -b p -- "$2"
  tm paste-buffer -p -r -d -b p -t "=$1:"
}
# letters NAME TEXT: typed, not pasted
letters() { if [ "$MUX" = tmux ]; then tm send-keys -t "=$1:" -l -- "$2"; else action "$1" write-chars "$2"; fi; }
# key NAME KEY: a letter, or Enter, Escape, Left, C-c, C-d, C-u
key() {
  if [ "$MUX" = tmux ]; then tm send-keys -t "=$1:" "$2"; return; fi
  case $2 in
    Enter) action "$1" write 13 ;;
    Escape) action "$1" write 27 ;;
    Left) action "$1" write 27 91 68 ;;
    C-c) action "$1" write 3 ;;
    C-d) action "$1" write 4 ;;
    C-u) action "$1" write 21 ;;
    *) action "$1" write-chars "$2" ;;
  esac
}
# prompt NAME TEXT: Enter comes when the text is on the screen, or when as much time has passed as an agent needs that folds it
prompt() {
  local last=${2##*$'\n'} _
  [ ${#last} -le 12 ] || last=${last: -12}
  paste "$1" "$2"
  measure_load
  pause "$((LOAD / 3)).4"
  for _ in {1..40}; do
    ! screen "$1" | grep -qF -- "$last" || break
    pause 0.1
  done
  key "$1" Enter
}
# leave NAME COMMAND SECONDS WHAT CONDITION...: the command that ends an agent, and Enter once more where the first one only chose it
# from the list of commands that its first letters open
leave() {
  prompt "$1" "$2"
  comes 5 "${@:5}" || key "$1" Enter
  await "${@:3}"
}
# end_session NAME: as a person does, until it is gone. What zellij keeps of it would be resurrected under the same name.
end_session() {
  if [ "$MUX" = tmux ]; then tm kill-session -t "=$1"; return; fi
  local pid
  pid=$(server "$1")
  zj kill-session "$1"
  await 10 "the end of the server of $1" test ! -e "/proc/$pid/exe"
  zj delete-session "$1" >/dev/null 2>&1 || true
}
# kill_server NAME: the server of a session dies, as at a reboot
kill_server() { if [ "$MUX" = tmux ]; then tm kill-server; else kill -9 "$(server "$1")"; fi; }
# closed NAME: after its agent was killed. tmux closes the pane and with it the session; zellij keeps the pane, where the agent is
# missing from, until a person closes it.
closed() {
  [ "$MUX" = zellij ] || return 0
  is_left() { [ "$(field "$1" observed)" = no-agent ]; }
  await 10 "the pane that $1 left" is_left "$1"
  # On a busy machine its server may not answer at once.
  is_missed() { [[ " $(drifts) " = *" agent-gone:$1 "* ]]; }
  await 10 "agent-gone of $1" is_missed "$1"
  echo "ok: zellij keeps the pane of a killed agent, which is gone from it"
  end_session "$1"
}
# end_sessions: all of this world that ends when told to. A zellij server heeds no SIGTERM once the command of its pane has ended:
# finish kills it.
end_sessions() {
  if [ "$MUX" = tmux ]; then tm kill-server 2>/dev/null; else tm -L viewers kill-server 2>/dev/null; fi
}
