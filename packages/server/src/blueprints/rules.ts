import type { Blueprint, StepKind } from '../domain/blueprint.ts';
import { show } from './schema-issues.ts';

/** A rule that a schema cannot say, broken: where, and what is allowed instead. */
export interface BrokenRule {
  readonly path: readonly PropertyKey[];
  /** When set, the position is that of this key in the map at `path`. */
  readonly key?: string;
  readonly sentence: string;
}

/** Steps a blueprint may hold only once: their meaning is about the whole run. */
const once: readonly StepKind[] = ['prefetch', 'setup', 'verify', 'propose'];

/** Longest list of steps: more is a program, and every agent step costs money. */
const maxSteps = 32;
const maxChecks = 64;

/** Every broken rule of a blueprint whose shape is valid. Pure. */
export function rulesOf(blueprint: Blueprint): BrokenRule[] {
  return [
    ...stepRules(blueprint),
    ...checkRules(blueprint),
    ...commandRules(blueprint),
    ...protectedPathRules(blueprint),
  ];
}

function stepRules({ steps, setup, checks }: Blueprint): BrokenRule[] {
  const broken: BrokenRule[] = [];
  const say = (index: number, sentence: string): void => {
    broken.push({ path: ['steps', index], sentence });
  };
  const first = (kind: StepKind): number => steps.findIndex((step) => step.step === kind);
  const names = new Set(checks.map((check) => check.name));
  if (steps.length > maxSteps) say(maxSteps, `a blueprint has at most ${maxSteps} steps`);
  steps.forEach((step, index) => {
    const before = steps.slice(0, index).map((other) => other.step);
    if (once.includes(step.step) && before.includes(step.step)) {
      say(index, `step "${step.step}" stands twice; it is allowed once`);
    }
    if (before.includes('propose'))
      say(index, `step "${step.step}" stands after propose; propose is the last step`);
    else if (before.includes('verify') && step.step !== 'propose' && step.step !== 'judge') {
      say(
        index,
        `step "${step.step}" stands after verify; only judge and propose may, or the verdict would be stale`,
      );
    }
    switch (step.step) {
      case 'setup': {
        const late = before.find((kind) => kind === 'check' || kind === 'agent');
        if (late !== undefined) say(index, `setup stands after ${late}; it has to come before`);
        break;
      }
      case 'prefetch':
        if (before.includes('agent')) say(index, 'prefetch stands after agent; it has to come before');
        break;
      case 'judge':
        if (!before.includes('agent')) say(index, 'judge needs an agent step before it');
        break;
      case 'propose':
        if (!before.includes('verify')) say(index, 'propose needs a verify step before it');
        break;
      case 'check':
        step.only?.forEach((name, place) => {
          if (!names.has(name)) {
            broken.push({
              path: ['steps', index, 'only', place],
              sentence: `there is no check ${show(name)}; known: ${[...names].join(', ') || 'none'}`,
            });
          }
        });
        if (step.only?.length === 0) say(index, '`only` is empty; name at least one check or leave it out');
        break;
      case 'agent':
      case 'verify':
        break;
    }
  });
  if (setup.length > 0 && first('setup') === -1) {
    broken.push({
      path: [],
      key: 'setup',
      sentence: 'setup commands are given, but `steps` holds no setup step',
    });
  }
  return broken;
}

function checkRules({ checks }: Blueprint): BrokenRule[] {
  const broken: BrokenRule[] = [];
  if (checks.length > maxChecks) {
    broken.push({ path: ['checks', maxChecks], sentence: `a blueprint has at most ${maxChecks} checks` });
  }
  const seen = new Set<string>();
  checks.forEach((check, index) => {
    if (seen.has(check.name)) {
      broken.push({
        path: ['checks', index, 'name'],
        sentence: `there are two checks named ${show(check.name)}`,
      });
    }
    seen.add(check.name);
  });
  return broken;
}

function commandRules({ setup, checks }: Blueprint): BrokenRule[] {
  const broken: BrokenRule[] = [];
  for (const [list, commands] of [
    ['setup', setup],
    ['checks', checks],
  ] as const) {
    commands.forEach((command, index) => {
      if (leaves(command.cwd)) {
        broken.push({
          path: [list, index, 'cwd'],
          sentence: `cwd is ${show(command.cwd)}; it has to be a directory of the repository, relative to its root`,
        });
      }
      for (const [name, value] of Object.entries({ run: command.run, ...command.env })) {
        if (!value.includes('\0')) continue;
        const path = name === 'run' ? [list, index, 'run'] : [list, index, 'env', name];
        broken.push({ path, sentence: `${name} holds a NUL character` });
      }
    });
  }
  return broken;
}

function leaves(cwd: string): boolean {
  return cwd === '' || cwd.startsWith('/') || cwd.includes('\0') || cwd.split('/').includes('..');
}

/** Pathspec magic (`:(exclude)…`) could turn a list of protected paths into its opposite. */
function protectedPathRules({ protectedPaths }: Blueprint): BrokenRule[] {
  return protectedPaths.flatMap((path, index) =>
    path.startsWith(':') || path.includes('\0')
      ? [
          {
            path: ['protectedPaths', index],
            sentence: `${show(path)}: a plain path or glob is needed, without \`:\``,
          },
        ]
      : [],
  );
}
