#!/bin/bash
# Records a history of every way through the saga, on a real server, under a revision (HEAD when none is given) that has
# the recorder. They go to workflows/testdata/histories/<revision>, and those that are there stay: workflows that began
# under an older revision have to replay under every later one.
#
#   workflows/record.sh [revision]
set -euo pipefail
cd "$(dirname "$0")/.."
revision=$(git rev-parse --short --verify "${1:-HEAD}^{commit}")
tree=$(mktemp -d)/$revision
into=$PWD/workflows/testdata/histories/$revision
git worktree add --quiet --detach "$tree" "$revision"
trap 'git worktree remove --force "$tree"' EXIT
rm -r "$tree/workflows/testdata/histories"/* # what is there afterwards was recorded now
bin/devstack exec --services-only -- go -C "$tree" test -count=1 -tags histories -run TestRecordHistories ./workflows
mkdir -p "$into"
cp "$tree"/workflows/testdata/histories/*.json "$into"
echo "recorded $(ls "$into" | wc -l) histories in ${into#"$PWD"/}"
