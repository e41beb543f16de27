# common.sh - what the scripts beside it share; to be sourced.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/virtrigaud
lazy=400 # GOGC of compilers, which spend a tenth of their time on garbage otherwise

# A CLI configuration of the user's must not steer what runs here.
unset TF_CLI_CONFIG_FILE TF_PLUGIN_CACHE_DIR TF_WORKSPACE TF_CLI_ARGS
export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1

heading() { printf '\n== %s\n' "$*"; }
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# scratch_dir: makes $scratch, a folder that goes with the script.
scratch_dir() {
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
}

# build_once DIR COMMAND...: runs COMMAND with $new set to a folder to fill, once for all scripts
# that run at the same time, and moves the folder to DIR when it is complete.
build_once() {
  local dir=$1
  shift
  mkdir -p "$(dirname "$dir")"
  (
    if command -v flock > /dev/null; then flock 9; fi
    [ -d "$dir" ] && exit 0
    new=$dir.part
    rm -rf "$new"
    mkdir -p "$new"
    "$@"
    mv "$new" "$dir"
  ) 9> "$dir.lock"
}

# tools: sets $tools to a folder with golangci-lint and tfplugindocs, built from tools/go.mod.
tools() {
  tools=$cache/tools-$(cat "$root/tools/go.mod" "$root/tools/go.sum" | cksum | cut -d' ' -f1)
  build_once "$tools" build_tools
}
build_tools() {
  echo "Building golangci-lint and tfplugindocs (once, some two minutes) ..." >&2
  (cd "$root/tools" && GOGC=$lazy GOFLAGS=-mod=readonly go build -o "$new/" tool)
}

# cli: sets $cli to terraform or tofu: $TERRAFORM if given, else from PATH, else OpenTofu built from its Go module.
tofu_version=v1.12.6
cli() {
  cli=${TERRAFORM-}
  if [ -z "$cli" ]; then cli=$(command -v terraform || command -v tofu || true); fi
  if [ -z "$cli" ]; then
    build_once "$cache/opentofu-$tofu_version" build_tofu
    cli=$cache/opentofu-$tofu_version/tofu
  fi
}
build_tofu() {
  echo "Neither terraform nor tofu is on PATH: building OpenTofu $tofu_version (once, some three minutes) ..." >&2
  local module src=$new/src
  # As the main module, because its go.mod has replacements, which "go install" refuses.
  module=$(cd "$new" && GOFLAGS= go mod download -json "github.com/opentofu/opentofu@$tofu_version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  [ -n "$module" ] || die "OpenTofu's module cannot be downloaded"
  cp -r "$module" "$src"
  chmod -R u+w "$src"
  (cd "$src" && GOFLAGS=-mod=mod CGO_ENABLED=0 go build -trimpath -ldflags '-X github.com/opentofu/opentofu/version.dev=no' -o "$new/tofu" ./cmd/tofu)
  rm -rf "$src"
}
is_tofu() { [[ $("$cli" version) == OpenTofu* ]]; }

# dev_provider: builds the provider into $scratch and makes $cli use it.
dev_provider() {
  (cd "$root" && GOGC=$lazy go build -o "$scratch/bin/terraform-provider-virtrigaud" .)
  cat > "$scratch/cli.tfrc" <<CONFIG
provider_installation {
  dev_overrides {
    "registry.terraform.io/virtrigaud/virtrigaud" = "$scratch/bin"
    "registry.opentofu.org/virtrigaud/virtrigaud" = "$scratch/bin"
  }
  direct {}
}
CONFIG
  export TF_CLI_CONFIG_FILE=$scratch/cli.tfrc
}
