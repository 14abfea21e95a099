#!/bin/bash
# What `make check` runs besides the tests. Each check says what it found; all run, and one that fails fails the whole.
#
#   tools/check.sh [go.mod with the linters]
set -uo pipefail
cd "$(dirname "$0")/.."
tools=(go tool "-modfile=${1:-tools/check/go.mod}")
failed=()

# check NAME COMMAND...: passes when the command succeeds.
check() {
	echo "check: $1"
	"${@:2}" || failed+=("$1")
}

unformatted() {
	local files
	files=$(git ls-files '*.go' | xargs gofmt -l)
	[ -z "$files" ] || { echo "gofmt would change:"; echo "$files"; return 1; }
}

# Vulnerabilities come from a database on the network, which is not everywhere.
vulnerabilities() {
	if ! curl --silent --fail --max-time 10 --output /dev/null https://vuln.go.dev/index/db.json; then
		echo "skipped: the vulnerability database (vuln.go.dev) cannot be reached from here"
		return 0
	fi
	"${tools[@]}" govulncheck ./...
}

devstack_staticcheck() (
	cd tools/devstack && CGO_ENABLED=0 go tool -modfile=../check/go.mod staticcheck ./...
)

check gofmt unformatted
for m in . saga e2e tools; do check "go vet ($m)" go -C "$m" vet ./...; done
check "go vet (devstack)" env CGO_ENABLED=0 go -C tools/devstack vet ./...
check staticcheck "${tools[@]}" staticcheck ./...
check "staticcheck (devstack)" devstack_staticcheck
check workflowcheck "${tools[@]}" workflowcheck ./...
check "go mod verify" go mod verify
check "go mod tidy" go mod tidy -diff
check govulncheck vulnerabilities

if [ ${#failed[@]} -gt 0 ]; then
	printf 'check: FAILED: %s\n' "${failed[@]}"
	exit 1
fi
echo "check: all good"
