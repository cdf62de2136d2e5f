# shellcheck shell=bash
# Sourced by the scripts of agents: what an agent finds in its home, so that it asks nothing and talks to the fake model. Needs what
# common.sh defines.

# shellcheck disable=SC2034 # for the scripts that source this
KEY=dummy-key-0000000000000000000000000000fake

# claude_home DIRECTORY...: what Claude Code knows of a person who trusts these directories below lab, and has given KEY
claude_home() {
  mkdir -p "$H/.claude" "${@/#/$H/lab/}"
  python3 - "$H" "${KEY: -20}" "$@" <<'PY'
import json, sys
home, key, *names = sys.argv[1:]
trusted = {f"{home}/lab/{name}": {"hasTrustDialogAccepted": True} for name in names}
json.dump({"hasCompletedOnboarding": True, "customApiKeyResponses": {"approved": [key]}, "projects": trusted},
          open(f"{home}/.claude.json", "w"))
PY
}

# codex_home HOME DAEMON DIRECTORY...: a configuration of Codex with the fake model, with its background daemon or without (true,
# false), that trusts these directories below lab
codex_home() {
  local home=$1 daemon=$2 name directories=("${@:3}")
  directories=("${directories[@]/#/$H/lab/}")
  mkdir -p "$home" "${directories[@]}"
  cat >"$home/config.toml" <<TOML
model = "fake-model"
model_provider = "fake"
check_for_update_on_startup = false
[analytics]
enabled = false
[feedback]
enabled = false
[features]
daemon_auto_start = $daemon
[model_providers.fake]
name = "fake"
base_url = "$URL/v1"
env_key = "FAKE_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
TOML
  for name in "${directories[@]}"; do
    printf '[projects."%s"]\ntrust_level = "trusted"\n' "$name" >>"$home/config.toml"
  done
}
