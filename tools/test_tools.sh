#!/usr/bin/env bash
# Installs the programs that tests need, on Debian and Ubuntu; what is there already stays.
set -euo pipefail

programs="$HOME/go/bin" # where `go install` puts them; `make` and the tests look there
mkdir -p "$programs"
PATH="$programs:$PATH"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
here() { command -v "$1" >/dev/null; }

updated=
install() { # install PACKAGE...
  here apt-get || { echo "$* cannot be installed: this is neither Debian nor Ubuntu" >&2; exit 1; }
  echo "Installing $* ..."
  [ -n "$updated" ] || as_root apt-get update -qq
  updated=yes
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

here chromium || here chromium-browser || here google-chrome ||
  install chromium || install chromium-browser # which is Ubuntu's name of it
here jq || install jq
here promtool || install prometheus
here node || install nodejs
here npm || install npm
here javac || install default-jdk-headless
here mvn || install maven

if ! compgen -G "/usr/lib/postgresql/*/bin/pg_ctl" >/dev/null; then
  install postgresql-common
  # No cluster, so no service starts: the tests start one of their own, on loopback.
  as_root sed -ri 's/#?(create_main_cluster) .*$/\1 = false/' /etc/postgresql-common/createcluster.conf
  install postgresql
fi

here go || install golang-go
if [[ $(go env GOVERSION) =~ ^go1\.([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -lt 21 ]; then
  # Such as Debian 12's: it does not fetch the version that a module asks for, as later ones do.
  echo "Installing Go 1.26 ..."
  version="v0.0.1-go1.26.0.$(go env GOOS)-$(go env GOARCH)"
  folder=$(cd / && go mod download -json "golang.org/toolchain@$version" | jq -r .Dir)
  chmod -R u+w "$folder"
  chmod a+x "$folder"/bin/* "$folder"/pkg/tool/*/*
  ln -sf "$folder/bin/go" "$programs/go"
  hash -r
fi
here grpcurl || {
  echo "Installing grpcurl ..."
  GOBIN="$programs" go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4
}
