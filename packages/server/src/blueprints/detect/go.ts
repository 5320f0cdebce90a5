import { forFiles, setupMinutes, testMinutes, unattended, type Part } from './part.ts';
import type { Place } from './reader.ts';

const gofmtCheck = [
  "out=$(git ls-files -z -- '*.go' ':!:vendor/' | xargs -0 -r gofmt -l) || exit 1",
  '[ -z "$out" ] || { printf \'%s\\n\' "$out" | sed \'s/^/would reformat /\'; exit 1; }',
].join('\n');

/** The packages of the changed files and those that import them, tests included. */
const affected = [
  'pk=$(for f in "$@"; do case "$f" in *.go) go list "./$(dirname "$f")" 2>/dev/null ;; esac; done | sort -u)',
  '[ -n "$pk" ] || exec go test ./...',
  'set -f',
  'hit=$(go list -f \'{{.ImportPath}} {{join .Deps " "}} {{join .TestImports " "}} {{join .XTestImports " "}}\' ./... |',
  '  PK="$pk" awk \'BEGIN { n = split(ENVIRON["PK"], p, "\\n"); for (i = 1; i <= n; i++) want[p[i]] = 1 }',
  "    { for (i = 1; i <= NF; i++) if ($i in want) { print $1; next } }')",
  '[ -n "$hit" ] || exec go test ./...',
  'exec go test $hit',
].join('\n');

/** Go: modules, the formatter, vet, tests. */
export async function detectGo(place: Place): Promise<Part | null> {
  if (!place.names.has('go.mod')) return null;
  const mod = (await place.read('go.mod')) ?? '';
  const cwd = place.directory;
  const vendored = place.files.includes('vendor/modules.txt');
  const requires = /^require\b/m.test(mod) || /^toolchain\b/m.test(mod);
  return {
    ecosystem: 'go',
    directory: cwd,
    setup:
      requires && !vendored
        ? [{ run: 'go mod download', cwd, timeoutMinutes: setupMinutes, egress: [{ ecosystem: 'go' }] }]
        : [],
    checks: [
      { name: 'format', kind: 'format', run: gofmtCheck, fix: forFiles(['*.go'], 'gofmt -w'), cwd },
      { name: 'lint', kind: 'lint', run: 'go vet ./...', cwd },
      {
        name: 'test',
        kind: 'test',
        run: 'go test ./...',
        affected,
        cwd,
        env: { ...unattended },
        timeoutMinutes: testMinutes,
      },
      { name: 'build', kind: 'build', run: 'go build ./...', cwd },
    ],
    notes: [],
  };
}
