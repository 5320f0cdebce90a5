import { gitText } from './git-process.ts';

/** What a proposal's commit is made from; the same request always gives the same commit id. */
export interface ProposalCommit {
  readonly base: string;
  readonly tree: string;
  readonly taskId: string;
  readonly runId: string;
  readonly title: string;
  readonly body: string;
  readonly atMs: number;
  readonly signal: AbortSignal;
}

const printable = (text: string) =>
  Array.from(text.replaceAll('\r\n', '\n'), (c) => ((c < ' ' && c !== '\n') || c === '\x7f' ? ' ' : c)).join(
    '',
  );

/** The commit's message: title, text, and trailers that name task and run. */
export function commitMessage(request: Pick<ProposalCommit, 'title' | 'body' | 'taskId' | 'runId'>): string {
  const title = printable(request.title).replaceAll('\n', ' ').trim().slice(0, 200);
  const body = printable(request.body).trim().slice(0, 16_384);
  const trailers = `Berth-Task: ${request.taskId}\nBerth-Run: ${request.runId}`;
  return `${[title === '' ? 'Change by Berth' : title, body, trailers].filter((part) => part !== '').join('\n\n')}\n`;
}

/** Makes the commit in `directory`, with Berth as author; the agent's own commits are never published. */
export async function commitProposal(directory: string, request: ProposalCommit): Promise<string> {
  const date = `@${Math.floor(request.atMs / 1000)} +0000`;
  const person = { NAME: 'Berth', EMAIL: 'berth@berth.invalid', DATE: date };
  const env = Object.fromEntries(
    ['AUTHOR', 'COMMITTER'].flatMap((role) =>
      Object.entries(person).map(([key, value]) => [`GIT_${role}_${key}`, value]),
    ),
  );
  return gitText({
    args: ['-c', 'i18n.commitEncoding=UTF-8', 'commit-tree', request.tree, '-p', request.base, '-F', '-'],
    cwd: directory,
    env,
    input: commitMessage(request),
    signal: request.signal,
  });
}
