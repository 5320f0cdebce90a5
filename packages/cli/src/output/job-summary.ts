import { appendFile } from 'node:fs/promises';
import { harmlessLine, type Proposal, type Run } from '@berth/client';
import type { Io } from '../io.ts';
import { isGithubActions } from './github-actions.ts';
import { duration, money } from './units.ts';

/** Longest text from outside in one cell. */
const maxCell = 200;

/**
 * The page of a GitHub Actions job about a run: its status, and the checks behind its proposal. Text from outside is
 * only ever inside code marks, where Markdown means nothing. Pure.
 */
export function jobSummary(run: Run, proposal: Proposal | null): string {
  const pull = run.pullRequest;
  const facts: [string, string][] = [
    ['status', `**${run.status.state.replace('_', ' ')}** ${code(run.status.reason)}`],
    ['run', code(run.id)],
    ['base', run.base === null ? '' : `${code(run.base.ref)} at ${code(run.base.commit.slice(0, 12))}`],
    ['pull request', pull === null ? '' : `#${pull.number}${pull.draft ? ' (draft)' : ''} ${code(pull.url)}`],
    ['cost', `${money(run.costUsd)}${run.simulated ? ' (a cassette stood in for the model)' : ''}`],
  ];
  const rows = facts.filter(([, value]) => value !== '').map(([name, value]) => `| ${name} | ${value} |`);
  const next = run.status.next === null ? '' : `\nNext: ${code(run.status.next.replaceAll('RUN', run.id))}\n`;
  return `### Berth: ${code(run.title)}\n\n| | |\n|---|---|\n${rows.join('\n')}\n${next}${evidence(proposal)}`;
}

function evidence(proposal: Proposal | null): string {
  if (proposal === null) return '';
  const { diffstat } = proposal;
  const verified = proposal.verified
    ? '**Verified** in a fresh sandbox on exactly this tree.'
    : '**Not verified.**';
  const rows = proposal.checks.map(
    (check) =>
      `| ${code(check.name)} | ${code(check.command)} | ${check.where} | ${check.exitCode ?? 'none'} | ${duration(check.durationMs)} | ${code(check.tree.slice(0, 12))} | ${code(check.verdict)} |`,
  );
  const table =
    rows.length === 0
      ? 'No check ran on this change.'
      : `| check | command | where | exit code | duration | tree | verdict |\n|---|---|---|---|---|---|---|\n${rows.join('\n')}`;
  return `\n#### Evidence\n\n${verified} ${diffstat.files} files +${diffstat.added} -${diffstat.removed}, tree ${code(proposal.tree.slice(0, 12))}.\n\n${table}\n`;
}

/** Appends the summary where the runner wants it; nothing elsewhere. */
export async function writeSummary(env: Io['env'], summary: () => Promise<string>): Promise<void> {
  const path = env['GITHUB_STEP_SUMMARY'];
  if (!isGithubActions(env) || path === undefined || path === '') return;
  await appendFile(path, `${await summary()}\n`);
}

/** Text from outside as code in a table's cell: marks longer than any inside, no bar that would end the cell. */
function code(text: string): string {
  const line = harmlessLine(text).slice(0, maxCell).trim();
  if (line === '') return '';
  const longest = Math.max(0, ...Array.from(line.matchAll(/`+/g), ([run]) => run.length));
  const marks = '`'.repeat(longest + 1);
  const pad = longest > 0 ? ' ' : '';
  return `${marks}${pad}${line.replaceAll('|', String.raw`\|`)}${pad}${marks}`;
}
