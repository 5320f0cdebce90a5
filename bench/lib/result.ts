import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Figure, isMet, type Measured } from './benchmark.ts';
import type { Machine } from './machine.ts';

export interface Result extends Measured {
  readonly name: string;
  readonly command: string;
  readonly date: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly durationMs: number;
}

const resultsDirectory = join(import.meta.dirname, '..', 'results');

/** `results/<name>.json`: the numbers, rounded, with their goals and whether each is met. */
export function writeResult(result: Result): void {
  mkdirSync(resultsDirectory, { recursive: true });
  const figures = result.figures.map((figure) => ({
    ...figure,
    value: rounded(figure.value),
    met: isMet(figure),
  }));
  const text = JSON.stringify({ schema: 'berth.bench/v1', ...result, figures }, null, 2);
  writeFileSync(join(resultsDirectory, `${result.name}.json`), `${text}\n`);
}

/** The last recorded result; null when there is none. */
export function readResult(name: string): Result | null {
  try {
    return JSON.parse(readFileSync(join(resultsDirectory, `${name}.json`), 'utf8')) as Result;
  } catch {
    return null;
  }
}

export const rounded = (value: number): number => Number(value.toPrecision(value >= 1000 ? 4 : 3));

export function shown({ value, unit }: Figure): string {
  return unit === 'per second' ? `${rounded(value)}/s` : `${rounded(value)} ${unit}`;
}

export function goalOf({ goal, unit }: Figure): string {
  if (goal === undefined) return '';
  return 'below' in goal
    ? `< ${shown({ name: '', value: goal.below, unit })}`
    : `≥ ${shown({ name: '', value: goal.atLeast, unit })}`;
}

/** The figures of one benchmark as lines of aligned columns: name, value, goal, verdict. */
export function tableOf(figures: readonly Figure[]): string[] {
  const verdict = { true: 'met', false: 'MISSED', null: '' } as const;
  const rows = figures.map((figure) => [
    figure.name,
    shown(figure),
    goalOf(figure),
    verdict[`${isMet(figure)}`],
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map(([name = '', value = '', goal = '', met = '']) =>
    `  ${name.padEnd(widths[0] ?? 0)}  ${value.padStart(widths[1] ?? 0)}  ${goal.padEnd(widths[2] ?? 0)}  ${met}`.trimEnd(),
  );
}
