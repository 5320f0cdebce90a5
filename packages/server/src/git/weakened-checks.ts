/** Something in a changed file that makes a check say less than before. */
export interface Weakening {
  readonly why: string;
  /** 1-based, in the new file; null: it is about the file, or about what is gone from it. */
  readonly line: number | null;
}

const testPath =
  /(?:^|\/)(?:tests?|__tests__|spec|specs|e2e)\/|(?:^|\/)test_[^/]+\.py$|[._-](?:test|spec|tests)\.[a-z]+$|_test\.(?:go|py|rb|exs?)$|(?:Test|Tests|Spec)\.(?:java|kt|cs|scala|swift)$/;

export function isTestPath(path: string): boolean {
  return testPath.test(path);
}

/** A test case begins here, in the usual languages. */
const testCase =
  /^\s*(?:(?:it|test|specify)(?:\.\w+)*\s*\(|(?:async\s+)?def\s+test\w*\s*\(|func\s+(?:\([^)]*\)\s*)?Test\w*\s*\(|@(?:Test|ParameterizedTest)\b|#\[(?:tokio::)?test\b|\[(?:Fact|Theory|Test|TestMethod)\b)/;
const assertion = /\b(?:expect|assert\w*|should|require\.\w+|t\.(?:Error|Fatal)\w*)\b\s*[(.!]/;
const skipped =
  /\b(?:it|test|describe|context|suite)\.(?:skip|todo|only|fixme|skipIf)\b|\b(?:xit|xdescribe|xtest|fit|fdescribe)\s*\(|@(?:pytest\.mark\.(?:skip|skipif|xfail)|unittest\.skip\w*|Disabled|Ignore)\b|\bpytest\.skip\s*\(|\bself\.skipTest\s*\(|\bt\.Skip(?:f|Now)?\s*\(|#\[ignore\b|\bSkip\s*=\s*"/;
const silenced =
  /\b(?:eslint|oxlint|tslint|stylelint)-disable|@ts-(?:ignore|nocheck|expect-error)\b|\bbiome-ignore\b|#\s*noqa\b|#\s*type:\s*ignore\b|\bpylint:\s*disable|\/\/\s*nolint\b|#!?\[allow\(|@SuppressWarnings\b|\brubocop:disable\b|\bNOSONAR\b|\b(?:istanbul|c8|v8)\s+ignore\b|\bpragma:\s*no\s*cover\b|#pragma\s+warning\s+disable\b|\bshellcheck\s+disable=/;
const ruleOff = /["']?[@\w/-]+["']?\s*:\s*(?:["']off["']|\[?\s*0\b|["']allow["'])/;
const linterConfig =
  /(?:^|\/)(?:\.?(?:eslint|oxlint|stylelint|tslint|biome|prettier)(?:rc|\.config)?(?:\.[\w.]+)?|\.pylintrc|\.flake8|ruff\.toml|\.golangci\.ya?ml|\.rubocop\.ya?ml|clippy\.toml)$/i;
const tolerant =
  /\|\|\s*(?:true|:|exit\s+0)\b|\bcontinue-on-error:\s*true\b|\ballow_failure:\s*true\b|\bset\s+\+e\b|--passWithNoTests\b|--no-verify\b|--exit-zero\b/;
/** Where a command that may fail is a check that may fail. */
const commandPath =
  /(?:^|\/)(?:package\.json|[Mm]akefile|GNUmakefile|[Jj]ustfile|tox\.ini|noxfile\.py|Jenkinsfile|Rakefile)$|\.ya?ml$|\.sh$/;

/** A name with a number that must not become smaller (`down`) or larger (`up`). */
const thresholds: ReadonlyArray<readonly [RegExp, 'down' | 'up']> = [
  [
    /\b((?:cov-)?fail[_-]under|branches|functions|lines|statements|minimum[_-]?coverage|min[_-]?coverage|coverage[_-]?threshold|line-rate|mutation[_-]?score|break)\b["']?\s*[:=]\s*["']?(\d+(?:\.\d+)?)/i,
    'down',
  ],
  [
    /\b(max-warnings|max[_-]?complexity|retries|max-line-length)\b["']?\s*[:= ]\s*["']?(\d+(?:\.\d+)?)/i,
    'up',
  ],
];

/** Most that is said of one file. */
const maxPerFile = 5;

/**
 * What a change to one file takes away from the checks, found by form alone: it reads no language, so it names
 * places to look at and is no verdict. Pure.
 * @param before null: the file is new
 * @param after null: the file is deleted
 */
export function weakenings(path: string, before: string | null, after: string | null): Weakening[] {
  const isTest = isTestPath(path);
  if (after === null) return isTest ? [{ why: 'a file of tests is deleted', line: null }] : [];
  const old = before?.split('\n') ?? [];
  const now = after.split('\n');
  const added = withoutThose(now, old);
  const found: Weakening[] = [];
  const say = (why: string, form: RegExp): void => {
    const first = added.find(({ text }) => form.test(text));
    if (first !== undefined) found.push({ why, line: first.line });
  };
  if (isTest) {
    const tests = count(old, testCase) - count(now, testCase);
    if (tests > 0) found.push({ why: `${tests} fewer ${tests === 1 ? 'test' : 'tests'}`, line: null });
    const asserts = count(old, assertion) - count(now, assertion);
    if (tests <= 0 && asserts > 0)
      found.push({ why: `${asserts} fewer ${asserts === 1 ? 'assertion' : 'assertions'}`, line: null });
    say('tests are skipped, or others run alone', skipped);
  }
  say('a linter, a type checker or coverage is told to look away', silenced);
  if (linterConfig.test(path)) say('a rule of a linter is switched off', ruleOff);
  if (commandPath.test(path)) say('a command may fail without anybody noticing', tolerant);
  found.push(...loweredThresholds(withoutThose(old, now), added));
  return found.slice(0, maxPerFile);
}

interface Line {
  readonly text: string;
  readonly line: number;
}

/** Lines of one list that the other has not, each as often as it is there. */
function withoutThose(lines: readonly string[], others: readonly string[]): Line[] {
  const left = new Map<string, number>();
  for (const other of others) left.set(other, (left.get(other) ?? 0) + 1);
  return lines.flatMap((text, place) => {
    const times = left.get(text) ?? 0;
    if (times > 0) {
      left.set(text, times - 1);
      return [];
    }
    // Longer ones are generated, and would cost more to look at than they say.
    return text.length > 2_000 ? [] : [{ text, line: place + 1 }];
  });
}

function count(lines: readonly string[], form: RegExp): number {
  return lines.filter((line) => line.length <= 2_000 && form.test(line)).length;
}

function loweredThresholds(removed: readonly Line[], added: readonly Line[]): Weakening[] {
  return thresholds.flatMap(([form, bad]) => {
    const before = removed.flatMap(({ text }) => {
      const match = form.exec(text);
      return match === null ? [] : [{ name: match[1]!.toLowerCase(), value: Number(match[2]) }];
    });
    return added.flatMap(({ text, line }): Weakening[] => {
      const match = form.exec(text);
      const was = match === null ? undefined : before.find(({ name }) => name === match[1]!.toLowerCase());
      if (match === null || was === undefined) return [];
      const value = Number(match[2]);
      const isWorse = bad === 'down' ? value < was.value : value > was.value;
      return isWorse ? [{ why: `the threshold ${was.name} goes from ${was.value} to ${value}`, line }] : [];
    });
  });
}
