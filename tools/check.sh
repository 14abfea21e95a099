#!/bin/bash
# The checks of `make check` and of continuous integration, besides the tests. All of them run; the script fails if one fails.
#
#   tools/check.sh [--offline]     --offline leaves out the vulnerability database, which is on the network
set -uo pipefail
cd "$(dirname "$0")/.."
tool=(go tool "-modfile=$PWD/tools/check/go.mod")
modules=(. saga saga/participant e2e tools)
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

# staticcheck DIRECTORY: devstack is compiled without cgo, as its Makefile target does.
staticcheck() (
	cd "$1" && CGO_ENABLED=0 "${tool[@]}" staticcheck -tags long ./...
)

vulnerabilities() {
	if ! curl --silent --fail --max-time 10 --output /dev/null https://vuln.go.dev/index/db.json; then
		echo "skipped: the vulnerability database (vuln.go.dev) cannot be reached from here"
		return 0
	fi
	"${tool[@]}" govulncheck ./...
}

check gofmt unformatted
for m in "${modules[@]}"; do
	check "go vet ($m)" go -C "$m" vet -tags long ./...
	check "staticcheck ($m)" staticcheck "$m"
	check "go mod tidy ($m)" go -C "$m" mod tidy -diff
done
check "go vet (devstack)" env CGO_ENABLED=0 go -C tools/devstack vet ./...
check "staticcheck (devstack)" staticcheck tools/devstack
check workflowcheck "${tool[@]}" workflowcheck ./...
check "go mod verify" go mod verify
[ "${1:-}" = --offline ] || check govulncheck vulnerabilities

if [ ${#failed[@]} -gt 0 ]; then
	printf 'check: FAILED: %s\n' "${failed[@]}"
	exit 1
fi
echo "check: all good"
