# shellcheck shell=bash
# Sourced by the per-agent scripts, which ./x e2e runs. Needs HEADCOUNT (the program) and BIN (the agent's directories for PATH).
#
# One world: a network namespace with loopback only, an environment built from nothing, a temp HOME, a multiplexer of its own (MUX,
# see mux.sh) and a fake model server on 127.0.0.1. Only processes of this world are ended, by pid or through its socket, and all of
# them: a world that is kept is its files.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${HEADCOUNT:?the headcount program}" "${BIN:?directories of the agent for PATH}"

if [ "${NETNS:-}" != in ]; then
  for how in "unshare -n" "unshare -rn"; do
    if $how true 2>/dev/null; then NETNS=in exec $how "$BASH" "$0" "$@"; fi
  done
  echo "note: no network namespace here; relying on the agent's own offline settings" >&2
else
  python3 - <<'PY'
import fcntl, socket, struct  # the loopback interface of the new namespace is down
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
flags = struct.unpack("16sH22x", fcntl.ioctl(s, 0x8913, struct.pack("16sH22x", b"lo", 0)))[1]
fcntl.ioctl(s, 0x8914, struct.pack("16sH22x", b"lo", flags | 1))
PY
fi

WORLD=$(mktemp -d "${TMPDIR:-/tmp}/headcount-e2e.XXXXXX")
WORLD=$(cd "$WORLD" && pwd -P)
H=$WORLD/home
mkdir -p "$H" "$WORLD/tmux"
SYSPATH=/usr/local/bin:/usr/bin:/bin
NODE=$(command -v node || true)
[ -z "$NODE" ] || SYSPATH=$(dirname "$NODE"):$SYSPATH

clean() { env -i PATH="$SYSPATH" HOME="$H" TMUX_TMPDIR="$WORLD/tmux" ZELLIJ_SOCKET_DIR="$WORLD/z" TERM=xterm-256color \
  LANG=C.UTF-8 SHELL=/bin/bash "$@"; }
# The configuration of zellij is for zellij alone: what headcount starts inherits the rest.
headcount() {
  clean HEADCOUNT_MANIFEST="$H/agent-sessions.yaml" ZELLIJ_CONFIG_FILE="$WORLD/zellij/config/zellij/config.kdl" "$HEADCOUNT" "$@"
}

# pause SECONDS: there is nothing to be awaited
pause() { read -rt "$1" <> <(:) || true; }

# everybody: what has the home of this world, which nothing else has: agents that outlive their terminal, servers, the fake model
everybody() { grep -lzxF "HOME=$H" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3; }
finish() {
  local rc=$? doing=$BASH_COMMAND pid pids
  set +e
  trap - TERM
  # It may come while the output of something is thrown away.
  exec 2>&3
  [ $rc = 0 ] || echo "FAILED: ended with $rc after $SECONDS s${AWAITED:+, waiting for $AWAITED}, in $doing (${FUNCNAME[*]:1})" >&2
  end_sessions
  for _ in {1..50}; do
    pids=$(everybody)
    [ -n "$pids" ] || break
    for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
    pause 0.1
  done
  [ -z "$pids" ] || echo "note: not to be ended: ${pids//$'\n'/ }" >&2
  if [ $rc = 0 ]; then rm -rf "$WORLD"; else echo "kept: $WORLD" >&2; fi
  exit $rc
}
exec 3>&2
trap finish EXIT
trap 'exit 143' TERM

source "$HERE/mux.sh"

clean "$(command -v python3)" -B "$HERE/fake_model_server.py" --port-file "$WORLD/port" --log "$WORLD/requests.jsonl" \
  >"$WORLD/model.out" 2>&1 &

# measure_load: how many times longer than on a machine that has time everything takes now, at most 8, in LOAD
CORES=$(nproc)
measure_load() {
  local load
  read -r load _ </proc/loadavg
  LOAD=$((1 + ${load%.*} / CORES))
  [ "$LOAD" -le 8 ] || LOAD=8
}
# comes SECONDS COMMAND...: whether the command succeeds in time. The seconds are those of a machine that has time.
comes() {
  local began=$SECONDS seconds=$1
  shift
  until "$@" >/dev/null 2>&1; do
    measure_load
    [ $((SECONDS - began)) -lt $((seconds * LOAD)) ] || return 1
    pause 0.05
  done
}
# await SECONDS WHAT COMMAND...: until the command succeeds
await() {
  local began=$SECONDS
  AWAITED=$2
  if comes "$1" "${@:3}"; then
    AWAITED=''
    return 0
  fi
  echo "FAILED: $2 did not come in $((SECONDS - began)) s (load $(cut -d ' ' -f 1 /proc/loadavg))" >&2
  show_world
  return 1
}
# show_world: what a person who looks for the fault would look at first
show_world() {
  local name
  [ -e "$H/agent-sessions.yaml" ] || return 0
  # Why it takes no text, where that was waited for.
  [ ! -e "$WORLD/takes" ] || cat "$WORLD/takes"
  { headcount status --settle 0s; headcount diff --settle 0s; } >&2 || true
  for name in $(sessions); do
    echo "--- the screen of $name" >&2
    { screen "$name" | grep -v '^ *$' | tail -n 12; } >&2 || true
  done
}
await 10 "the fake model server" test -s "$WORLD/port"
# shellcheck disable=SC2034 # for the scripts that source this
URL=http://127.0.0.1:$(cat "$WORLD/port")

# manifest: what stands on the standard input, its sessions in this multiplexer
manifest() { sed "1a defaults: { mux: $MUX }" >"$H/agent-sessions.yaml"; }

# field NAME KEY: what status says of a session
field() {
  headcount status --settle 0s --json | python3 -c '
import json, sys
rows = {row["session"]["name"]: row for row in json.load(sys.stdin)["sessions"]}
print(rows[sys.argv[1]].get(sys.argv[2]))' "$1" "$2"
}
# check WHAT EXPECTED ACTUAL
check() {
  if [ "$2" = "$3" ]; then
    echo "ok: $1"
  else
    echo "FAILED: $1: expected $2, got $3" >&2
    show_world
    exit 1
  fi
}
drifts() { headcount diff --settle 0s --json | python3 -c '
import json, sys
print(" ".join(sorted(d["class"] + ":" + d["session"]["name"] for d in json.load(sys.stdin)["drifts"])))' || true; }
record() { headcount reconcile --settle 0s >/dev/null; }
# turn NAME TURN: awaits that status says the session's agent is idle or working
turn() {
  headcount schema status | grep -q '"turn"' || { echo "SKIPPED $1 $2: status does not say what agents are doing"; return 0; }
  is_turn() { [ "$(field "$1" turn)" = "$2" ]; }
  await 20 "$1 $2" is_turn "$1" "$2"
  echo "ok: $1 is $2"
}
