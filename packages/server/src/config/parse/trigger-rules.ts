import { compile } from '@jmespath-community/jmespath';
import type { Config, TriggerConfig } from '../../domain/config/index.ts';
import type { BrokenRule } from './rules.ts';

/** What triggers say that leads nowhere: projects, expressions, names in a task's text. Pure. */
export function triggerRules(config: Config): BrokenRule[] {
  const projects = new Set(config.projects.map((project) => project.name));
  return config.triggers.flatMap((trigger, place) => {
    const broken: BrokenRule[] = [];
    const path = ['triggers', place] as const;
    if (!projects.has(trigger.project)) {
      broken.push({ path: [...path, 'project'], sentence: `there is no project ${trigger.project}` });
    }
    if (trigger.kind === 'forge') {
      const { label, assignee, mention } = trigger.on;
      if (label === undefined && assignee === undefined && mention === undefined) {
        broken.push({
          path: [...path, 'on'],
          sentence: 'it waits for nothing: give label, assignee or mention',
        });
      }
      return broken;
    }
    return [...broken, ...expressionRules(trigger, path)];
  });
}

function expressionRules(
  trigger: Extract<TriggerConfig, { kind: 'webhook' }>,
  path: readonly PropertyKey[],
): BrokenRule[] {
  const expressions: (readonly [readonly PropertyKey[], string])[] = [
    ...trigger.when.map((one, place) => [[...path, 'when', place], one] as const),
    ...Object.entries(trigger.values).map(([name, one]) => [[...path, 'values', name], one] as const),
  ];
  const broken: BrokenRule[] = expressions
    .filter(([, expression]) => !isExpression(expression))
    .map(([at]) => ({ path: at, sentence: 'it is no JMESPath expression' }));
  for (const [, name = ''] of trigger.task.matchAll(/\{\{\s*([a-zA-Z][a-zA-Z0-9_]{0,49})\s*\}\}/g)) {
    if (!Object.hasOwn(trigger.values, name)) {
      broken.push({ path: [...path, 'task'], sentence: `values has no ${name}` });
    }
  }
  return broken;
}

function isExpression(text: string): boolean {
  try {
    compile(text);
    return true;
  } catch {
    return false;
  }
}
