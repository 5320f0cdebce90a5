import { isUrl, enclosingRepository } from './repository.ts';
import { failure } from './failure.ts';
import { remoteUrlOf } from './remote/remote-url.ts';
import type { Session } from './session.ts';

/** How a command was told which run it is about. */
export interface WhichRun {
  /** An id, a unique beginning of one, `latest`, `#<pull request>`, `project#<pull request>`, or a pull request's URL. */
  readonly id: string | undefined;
  /** The newest run of all. */
  readonly last?: boolean | undefined;
  readonly cwd: string;
}

/** Runs looked through for a pull request; older ones are found by their id. */
const mostLookedAt = 2_000;
const pageSize = 200;

/**
 * The run that is meant, as the server takes it. Without a word: the newest of the repository around `cwd`, or of all.
 * @throws ApiFailure `USAGE`, `NOT_FOUND`
 */
export async function runIdOf(session: Session, { id, last, cwd }: WhichRun): Promise<string> {
  if (last === true) {
    if (id === undefined) return 'latest';
    throw failure('USAGE', `--last and ${JSON.stringify(id)} name two runs.`, 'Give one of them.');
  }
  if (id === undefined) return (await newestHere(session, cwd)) ?? 'latest';
  const numbered = /^([^#/]*)#([1-9]\d{0,9})$/.exec(id);
  if (numbered !== null) {
    const [, name = '', digits = ''] = numbered;
    const project = name === '' ? await projectHere(session, cwd) : name;
    if (project === null) {
      throw failure(
        'USAGE',
        `${id} needs a project, and there is no repository around this directory.`,
        `Name it: \`project${id}\`, or give the run's id.`,
      );
    }
    return byPullRequest(session, id, project, (pull) => pull.number === Number(digits));
  }
  if (!isUrl(id)) return id;
  const project = /\/forge\/(p-[A-Za-z0-9_-]+)\.git\//.exec(id)?.[1];
  return byPullRequest(session, id, project, (pull) => sameUrl(pull.url, id));
}

/** The repository around `cwd` as the server knows it, or null. */
export async function projectHere(session: Session, cwd: string): Promise<string | null> {
  const path = await enclosingRepository(cwd);
  if (path === null || !session.isRemote) return path;
  return remoteUrlOf(path, process.env).catch(() => null);
}

async function newestHere(session: Session, cwd: string): Promise<string | null> {
  const project = await projectHere(session, cwd);
  if (project === null) return null;
  const { runs } = await session.client.listRuns({ project, limit: 1 });
  return runs[0]?.id ?? null;
}

async function byPullRequest(
  session: Session,
  said: string,
  project: string | undefined,
  isMeant: (pull: { readonly number: number; readonly url: string }) => boolean,
): Promise<string> {
  let cursor: string | null = null;
  for (let seen = 0; seen < mostLookedAt; seen += pageSize) {
    const page: { runs: Listed[]; next: string | null } = await session.client.listRuns({
      limit: pageSize,
      ...(project === undefined ? {} : { project }),
      ...(cursor === null ? {} : { cursor }),
    });
    const found = page.runs.find((run) => run.pullRequest !== null && isMeant(run.pullRequest));
    if (found !== undefined) return found.id;
    cursor = page.next;
    if (cursor === null) break;
  }
  throw failure(
    'NOT_FOUND',
    `No run has opened the pull request ${said}${project === undefined ? '' : ` in ${project}`}.`,
    'List them with `berth proposals`.',
  );
}

interface Listed {
  readonly id: string;
  readonly pullRequest: { readonly number: number; readonly url: string } | null;
}

function sameUrl(one: string, other: string): boolean {
  const plain = (url: string): string => url.replace(/[?#].*$/, '').replace(/\/$/, '');
  return plain(one) === plain(other);
}
