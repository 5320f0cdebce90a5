import {
  forFiles,
  setupMinutes,
  testMinutes,
  unattended,
  type CheckInput,
  type CommandInput,
  type Part,
} from './part.ts';
import type { Place } from './reader.ts';

/** Files that make a directory a Python project. */
const markers = [
  'pyproject.toml',
  'setup.py',
  'setup.cfg',
  'uv.lock',
  'poetry.lock',
  'Pipfile',
  'tox.ini',
  'pytest.ini',
];
/** Requirement files by their usual names; none is taken from the repository's own words. */
const requirementFiles = [
  'requirements.txt',
  'requirements-dev.txt',
  'requirements_dev.txt',
  'requirements-test.txt',
  'requirements_test.txt',
  'dev-requirements.txt',
  'test-requirements.txt',
  'requirements/base.txt',
  'requirements/dev.txt',
  'requirements/test.txt',
  'requirements/tests.txt',
];
const extras = ['test', 'tests', 'testing', 'dev'];
const python = '.venv/bin/python';
const pythonFiles = ['*.py', '*.pyi'];
const uvPath = 'PATH="$HOME/.berth/uv/bin:$PATH"';

/** Python: everything goes into `.venv` inside the repository; nothing global is written. */
export async function detectPython(place: Place): Promise<Part | null> {
  const requirements = requirementFiles.filter((name) => place.files.includes(name));
  const tests = place.files.filter((file) => /(?:^|\/)(?:test_[^/]*|[^/]*_test)\.py$/.test(file));
  const known = markers.some((name) => place.names.has(name)) || requirements.length > 0;
  if (!known && !(tests.length > 0 && [...place.names].some((name) => name.endsWith('.py')))) return null;
  const facts = await readFacts(place, requirements, tests);
  return {
    ecosystem: 'python',
    directory: place.directory,
    setup: setupOf(place, facts),
    checks: checksOf(place, facts),
    notes: facts.runner === null ? ['no Python tests were found'] : [],
  };
}

interface Facts {
  readonly requirements: readonly string[];
  readonly project: string;
  readonly installable: boolean;
  readonly extras: readonly string[];
  readonly uv: boolean;
  readonly runner: 'pytest' | 'unittest' | null;
  readonly unittestDirectory: string | null;
  readonly ruff: boolean;
  readonly ruffFormat: boolean;
  readonly black: boolean;
}

async function readFacts(
  place: Place,
  requirements: readonly string[],
  tests: readonly string[],
): Promise<Facts> {
  const text = async (name: string): Promise<string> => (await place.read(name)) ?? '';
  const project = await text('pyproject.toml');
  const told = [
    project,
    await text('setup.cfg'),
    await text('tox.ini'),
    await text('setup.py'),
    ...(await Promise.all(requirements.map(text))),
  ].join('\n');
  const samples = await Promise.all(tests.slice(0, 5).map(text));
  const usesPytest =
    place.names.has('pytest.ini') ||
    place.files.some((file) => /(?:^|\/)conftest\.py$/.test(file)) ||
    /\bpytest\b/.test(told) ||
    samples.some((sample) => /^\s*(?:import|from)\s+pytest\b/m.test(sample));
  const usesUnittest = samples.some((sample) => /^\s*(?:import|from)\s+unittest\b/m.test(sample));
  const section =
    /^\[project\.optional-dependencies\]\s*$([\s\S]*?)(?=^\[|$(?![\s\S]))/m.exec(project)?.[1] ?? '';
  const hooks = await text('.pre-commit-config.yaml');
  const ruff =
    place.names.has('ruff.toml') || place.names.has('.ruff.toml') || /^\[tool\.ruff\b/m.test(project);
  return {
    requirements,
    project,
    installable: /^\[(?:build-system|project|tool\.poetry)\]/m.test(project) || place.names.has('setup.py'),
    extras: extras.filter((name) => new RegExp(`^["']?${name}["']?\\s*=`, 'm').test(section)),
    uv: place.names.has('uv.lock'),
    runner: tests.length === 0 && !usesPytest ? null : usesPytest || !usesUnittest ? 'pytest' : 'unittest',
    unittestDirectory:
      ['tests', 'test'].find((name) => tests.some((file) => file.startsWith(`${name}/`))) ?? null,
    ruff,
    ruffFormat: /^\[tool\.ruff\.format\]/m.test(project) || /\bruff-format\b/.test(hooks),
    black: /^\[tool\.black\]/m.test(project),
  };
}

function setupOf(place: Place, facts: Facts): CommandInput[] {
  const command = (run: string): CommandInput => ({
    run,
    cwd: place.directory,
    timeoutMinutes: setupMinutes,
    egress: [{ ecosystem: 'pip' }],
    env: { PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_NO_INPUT: '1' },
  });
  // Older versions of venv do not ignore themselves, and the environment must not become part of a proposal.
  const hide = "printf '*\\n' > .venv/.gitignore";
  const tools = [
    ...(facts.runner === 'pytest' ? ['pytest'] : []),
    ...(facts.ruff || facts.ruffFormat ? ['ruff'] : []),
    ...(facts.black ? ['black'] : []),
  ];
  const ensure = tools.map((tool) =>
    command(
      `${python} -m ${tool} --version >/dev/null 2>&1 || ${facts.uv ? `${uvPath} uv pip` : `${python} -m pip`} install ${tool}`,
    ),
  );
  if (facts.uv) {
    return [
      command(
        'command -v uv >/dev/null 2>&1 || { python3 -m venv "$HOME/.berth/uv" && "$HOME/.berth/uv/bin/pip" install uv; }',
      ),
      command(`${uvPath} uv sync --frozen && ${hide}`),
      ...ensure,
    ];
  }
  const installs = [
    ...(facts.requirements.length === 0
      ? []
      : [`${python} -m pip install ${facts.requirements.map((name) => `-r ${name}`).join(' ')}`]),
    ...(facts.installable
      ? [`${python} -m pip install -e '.${facts.extras.length === 0 ? '' : `[${facts.extras.join(',')}]`}'`]
      : []),
  ];
  if (installs.length === 0 && tools.length === 0) return [];
  return [
    command(`python3 -m venv --system-site-packages .venv && ${hide}`),
    ...installs.map(command),
    ...ensure,
  ];
}

function checksOf(place: Place, facts: Facts): CheckInput[] {
  const cwd = place.directory;
  const checks: CheckInput[] = [];
  if (facts.ruffFormat) {
    checks.push({
      name: 'format',
      kind: 'format',
      run: `${python} -m ruff format --check .`,
      fix: forFiles(pythonFiles, `${python} -m ruff format --force-exclude`),
      cwd,
    });
  } else if (facts.black) {
    checks.push({
      name: 'format',
      kind: 'format',
      run: `${python} -m black --check .`,
      fix: forFiles(pythonFiles, `${python} -m black --quiet`),
      cwd,
    });
  }
  if (facts.ruff) {
    checks.push({
      name: 'lint',
      kind: 'lint',
      run: `${python} -m ruff check .`,
      fix: forFiles(pythonFiles, `${python} -m ruff check --fix --force-exclude --exit-zero`),
      cwd,
    });
  }
  const test = {
    name: 'test',
    kind: 'test',
    cwd,
    env: { ...unattended },
    timeoutMinutes: testMinutes,
  } as const;
  if (facts.runner === 'pytest') {
    checks.push({ ...test, run: `${python} -m pytest`, affected: affectedPytest });
  } else if (facts.runner === 'unittest') {
    const where = facts.unittestDirectory === null ? '' : ` -s ${facts.unittestDirectory} -t .`;
    const interpreter = facts.requirements.length > 0 || facts.installable ? python : 'python3';
    const run = `${interpreter} -m unittest discover${where}`;
    checks.push({ ...test, run: isPackage(place, facts) ? run : run.replace(' -t .', '') });
  }
  return checks;
}

/** `-t .` needs the test directory to be a package. */
function isPackage(place: Place, facts: Facts): boolean {
  return place.files.includes(`${facts.unittestDirectory ?? 'tests'}/__init__.py`);
}

/** Changed tests themselves, and for a changed module `x.py` the tests named after it; all tests when there are none. */
const affectedPytest = [
  'set -f',
  "IFS='",
  "'",
  'found=$(for f in "$@"; do',
  '  b=${f##*/}; b=${b%.py}',
  '  case "$f" in *.py) ;; *) continue ;; esac',
  '  case "$b" in',
  '    test_*|*_test) printf \'%s\\n\' "$f" ;;',
  '    *) git -c core.quotePath=false ls-files -- "test_$b.py" "*/test_$b.py" "*/${b}_test.py" ;;',
  '  esac',
  'done | sort -u)',
  `exec ${python} -m pytest $found`,
].join('\n');
