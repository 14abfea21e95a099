#!/bin/bash
# The checks of `make check` and of continuous integration, besides the tests. All of them run; the script fails if one fails.
#
#   tools/check.sh [--offline]     --offline leaves out the vulnerability database, which is on the network
set -uo pipefail
cd "$(dirname "$0")/.."
tool=(go tool "-modfile=$PWD/tools/check/go.mod")
modules=(. saga saga/participant e2e tools tools/devstack)
failed=()
export CGO_ENABLED=0 # as the programs and devstack are built

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

# run_in MODULE TOOL ARGUMENTS...: runs a pinned tool in a module's directory.
run_in() (
	cd "$1" && "${tool[@]}" "${@:2}"
)

vulnerabilities() {
	if ! curl --silent --fail --max-time 10 --output /dev/null https://vuln.go.dev/index/db.json; then
		echo "skipped: the vulnerability database (vuln.go.dev) cannot be reached from here"
		return 0
	fi
	local m status=0
	for m in "${modules[@]}"; do
		echo "govulncheck ($m)"
		run_in "$m" govulncheck -tags long ./... || status=1
	done
	return $status
}

check gofmt unformatted
for m in "${modules[@]}"; do
	check "go vet ($m)" go -C "$m" vet -tags long ./...
	check "staticcheck ($m)" run_in "$m" staticcheck -tags long ./...
	check "go mod tidy ($m)" go -C "$m" mod tidy -diff
	check "go mod verify ($m)" go -C "$m" mod verify
done
check workflowcheck "${tool[@]}" workflowcheck ./...
[ "${1:-}" = --offline ] || check govulncheck vulnerabilities

if [ ${#failed[@]} -gt 0 ]; then
	printf 'check: FAILED: %s\n' "${failed[@]}"
	exit 1
fi
echo "check: all good"
