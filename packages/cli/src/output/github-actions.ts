import { appendFile } from 'node:fs/promises';
import type { Event, Run } from '@berth/client';
import { harmlessLine } from '@berth/client';
import type { Io } from '../io.ts';

export function isGithubActions(env: Io['env']): boolean {
  return env['GITHUB_ACTIONS'] === 'true';
}

/**
 * The lines around an event's line: a group per step, an error for a failed check. Text from outside never begins a
 * line of ours, so that it cannot speak to the runner itself.
 */
export function workflowLines(event: Event): { readonly before: string; readonly after: string } {
  const data = (typeof event.data === 'object' ? event.data : null) as Record<string, unknown> | null;
  const title = escaped(harmlessLine(event.title));
  if (event.type === 'step.started') return { before: `::group::${title}\n`, after: '' };
  if (event.type === 'step.ended') return { before: '', after: '::endgroup::\n' };
  if (event.type === 'check.judged' && data?.['verdict'] === 'failed') {
    return { before: `::error title=check failed::${title}\n`, after: '' };
  }
  return { before: '', after: '' };
}

/** `run-id`, `outcome` and `pr-url` for the steps that follow. */
export async function writeOutputs(env: Io['env'], run: Run): Promise<void> {
  const path = env['GITHUB_OUTPUT'];
  if (!isGithubActions(env) || path === undefined || path === '') return;
  const outputs = { 'run-id': run.id, outcome: run.status.state, 'pr-url': run.pullRequest?.url ?? '' };
  const text = Object.entries(outputs).map(([name, value]) => `${name}=${harmlessLine(value)}\n`);
  await appendFile(path, text.join(''));
}

function escaped(text: string): string {
  return text.replaceAll('%', '%25');
}
