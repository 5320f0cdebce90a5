import { git, gitText } from './git-process.ts';
import { signCommit } from './sign-commit.ts';

export interface CoAuthor {
  readonly name: string;
  readonly email: string;
}

/** Who makes commits, and what they are signed with. */
export interface CommitMaker {
  readonly name: string;
  readonly email: string;
  /** SSH private key; null: unsigned. */
  readonly signingKey: string | null;
}

export const unsignedBerth: CommitMaker = { name: 'Berth', email: 'berth@berth.invalid', signingKey: null };

/** What a proposal's commit is made from; the same request always gives the same commit id. */
export interface ProposalCommit {
  readonly base: string;
  readonly tree: string;
  readonly taskId: string;
  readonly runId: string;
  readonly title: string;
  readonly body: string;
  readonly atMs: number;
  readonly coAuthors?: readonly CoAuthor[];
  readonly maker?: CommitMaker;
  readonly signal: AbortSignal;
}

const printable = (text: string) =>
  Array.from(text.replaceAll('\r\n', '\n'), (c) => ((c < ' ' && c !== '\n') || c === '\x7f' ? ' ' : c)).join(
    '',
  );

/** A name or address as one line of a commit holds it. */
const person = (text: string) =>
  printable(text)
    .replaceAll(/[<>\n]/g, '')
    .trim();

/** The commit's message: title, text, and trailers that name task, run and co-authors. */
export function commitMessage(
  request: Pick<ProposalCommit, 'title' | 'body' | 'taskId' | 'runId' | 'coAuthors'>,
): string {
  const title = printable(request.title).replaceAll('\n', ' ').trim().slice(0, 200);
  const body = printable(request.body).trim().slice(0, 16_384);
  const trailers = [
    `Berth-Task: ${request.taskId}`,
    `Berth-Run: ${request.runId}`,
    ...(request.coAuthors ?? []).map(
      ({ name, email }) => `Co-authored-by: ${person(name)} <${person(email)}>`,
    ),
  ].join('\n');
  return `${[title === '' ? 'Change by Berth' : title, body, trailers].filter((part) => part !== '').join('\n\n')}\n`;
}

/** Makes the commit in `directory`, with Berth as author; the agent's own commits are never published. */
export async function commitProposal(directory: string, request: ProposalCommit): Promise<string> {
  const { base, tree, atMs, signal, maker = unsignedBerth } = request;
  const seconds = Math.floor(atMs / 1000);
  const message = commitMessage(request);
  if (maker.signingKey !== null) {
    const by = `${person(maker.name)} <${person(maker.email)}> ${seconds} +0000`;
    const commit = `tree ${tree}\nparent ${base}\nauthor ${by}\ncommitter ${by}\n\n${message}`;
    const signed = await signCommit(commit, maker.signingKey, signal);
    const { stdout } = await git({
      args: ['hash-object', '-t', 'commit', '-w', '--stdin'],
      cwd: directory,
      input: signed,
      signal,
    });
    return stdout.toString('latin1').trim();
  }
  const who = { NAME: person(maker.name), EMAIL: person(maker.email), DATE: `@${seconds} +0000` };
  const env = Object.fromEntries(
    ['AUTHOR', 'COMMITTER'].flatMap((role) =>
      Object.entries(who).map(([key, value]) => [`GIT_${role}_${key}`, value]),
    ),
  );
  return gitText({
    args: ['-c', 'i18n.commitEncoding=UTF-8', 'commit-tree', tree, '-p', base, '-F', '-'],
    cwd: directory,
    env,
    input: message,
    signal,
  });
}
