#!/bin/bash
# Records a history of every way through the saga, on a real server, under a revision (HEAD when none is given) that has
# the recorder. They go to workflows/testdata/histories/<revision>, and those that are there stay: workflows that began
# under an older revision have to replay under every later one.
#
#   workflows/record.sh [revision]
set -euo pipefail
cd "$(dirname "$0")/.."
revision=$(git rev-parse --short --verify "${1:-HEAD}^{commit}")
histories=workflows/testdata/histories
temp=$(mktemp -d)
trap 'git worktree remove --force "$temp/source"; rmdir "$temp"' EXIT
git worktree add --quiet --detach "$temp/source" "$revision"
rm -rf "$temp/source/$histories" # what is there afterwards was recorded now
mkdir -p "$temp/source/$histories"
bin/devstack exec --services-only -- go -C "$temp/source" test -count=1 -tags histories -run TestRecordHistories ./workflows
mkdir -p "$histories/$revision"
cp "$temp/source/$histories"/*.json "$histories/$revision"
echo "recorded $(ls "$histories/$revision" | wc -l) histories in $histories/$revision"
