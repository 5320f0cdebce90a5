import type { Command } from 'commander';

/** Related commands share a row, so that all of them fit on one screen. */
const groups: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  [
    'Tasks',
    [
      ['run', '"text", -f FILE or -: create a task and follow its run'],
      ['gates, approve, refuse', 'what waits for approval; let it go on; end it'],
      ['schedules, campaigns', 'tasks again and again; one task over many projects'],
      ['triggers, deliveries', 'tasks from outside: what makes them; what came in'],
      ['retry, fork', 'another attempt; a new task from a checkpoint of a run'],
      ['proposals', 'changes with their evidence: show, diff, merge, close'],
    ],
  ],
  [
    'Look',
    [
      ['status, tasks, runs', 'what needs you; all tasks; all runs'],
      ['show, logs, diff, replay', 'one run: facts, events, changes, how it stood before'],
      ['usage, audit, egress', 'what was used; the record of acts; what may be reached'],
    ],
  ],
  [
    'Act on a run',
    [
      ['steer, terminal', 'say something to its agent; a shell in its sandbox'],
      ['pause, resume, cancel', 'hold it; go on after a pause, a crash, a limit; end it'],
    ],
  ],
  [
    'Server',
    [
      ['up', 'start everything in one process, until Ctrl-C'],
      ['serve', 'start parts of it, as replicas over one PostgreSQL'],
      ['config, projects', 'the configuration; projects and their snapshots'],
      ['doctor', 'look whether everything Berth needs is there and works'],
    ],
  ],
  [
    'A server elsewhere',
    [
      ['login, logout, whoami', 'keep its token; forget it; who it says you are'],
      ['context, tokens, api', 'servers signed in to; tokens; any request'],
    ],
  ],
];

/** A row as far as its commands are there. */
function rowOf([names, what]: readonly [string, string], there: ReadonlySet<string>): [string, string][] {
  const known = names.split(', ').filter((name) => there.has(name));
  return known.length === 0 ? [] : [[known.join(', '), what]];
}

/** `berth --help`: on one screen, by what one wants to do. Commands without a row of their own come last. */
export function mainHelp(program: Command): string {
  const visible = program.createHelp().visibleCommands(program);
  const there = new Set(visible.map((one) => one.name()));
  const grouped = groups.map(([title, rows]) => [title, rows.flatMap((one) => rowOf(one, there))] as const);
  const named = new Set([
    ...groups.flatMap(([, rows]) => rows.flatMap(([names]) => names.split(', '))),
    'help',
    'version',
    'completion',
  ]);
  const others = visible
    .filter((one) => !named.has(one.name()))
    .map((one) => [one.name(), one.description()] as const);
  const all = others.length === 0 ? grouped : [...grouped, ['More', others] as const];
  const row = ([names, what]: readonly [string, string]): string => `  ${names.padEnd(25)} ${what}\n`;
  return `Usage: berth <command> [options]

${all.map(([title, rows]) => `${title}\n${rows.map(row).join('')}`).join('')}
An id left out means the newest run of this repository; ids take unique
beginnings, --last is the newest of all, '#12' the run of a pull request.
--server URL|NAME|local, --json, --jsonl, -q and --no-input go with all commands.

Examples:
  berth run "fix the flaky date test" --limit cost=2,time=30m
  berth logs -f
  berth proposals merge

More: berth <command> --help · berth help exit-codes|environment
      berth completion bash|zsh|fish · berth version
`;
}
