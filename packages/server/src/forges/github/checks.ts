import { BerthError } from '../../domain/errors/index.ts';
import type { CommitCheck } from '../../domain/ports/forge.ts';
import { failureOf, unreachable } from './failures.ts';
import type { GitHubRepository } from './repository.ts';
import { checkRunsSchema, statusesSchema } from './shapes.ts';

/** Under this name Berth says its own word on a commit; it is none of the checks it waits for. */
const ownContext = 'berth';
/** Longest sentence of a status that GitHub takes. */
const longestSentence = 140;
/** Most of a log that is read for its end: GitHub's own files are smaller. */
const patienceBytes = 4 * 1024 * 1024;

const commitPattern = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** What checks and statuses say of a commit. What the credential may not see is left out. */
export async function checksOf(repository: GitHubRepository, commit: string): Promise<CommitCheck[]> {
  assertCommit(commit);
  const common = { method: 'GET', purpose: 'talk', isPolled: true } as const;
  const [runs, statuses] = await Promise.all([
    repository.pages(
      {
        ...common,
        path: `/commits/${commit}/check-runs?filter=latest&per_page=100`,
        what: `reading the check runs of ${commit.slice(0, 8)}`,
      },
      checkRunsSchema,
    ),
    repository.pages(
      {
        ...common,
        path: `/commits/${commit}/status?per_page=100`,
        what: `reading the statuses of ${commit.slice(0, 8)}`,
      },
      statusesSchema,
    ),
  ]);
  const fromRuns = runs
    .flatMap((page) => page.check_runs)
    .map((run) => ({
      name: run.name,
      state: run.status === 'completed' ? conclusionState(run.conclusion) : ('pending' as const),
      url: run.html_url ?? null,
      // Of GitHub's own Actions a check run is a job, with one number.
      log: run.app?.slug === 'github-actions' ? `job:${run.id}` : null,
    }));
  const fromStatuses = statuses
    .flatMap((page) => page.statuses)
    .filter(({ context }) => context !== ownContext)
    .map((status) => ({
      name: status.context,
      state: statusState(status.state),
      url: status.target_url ?? null,
      log: null,
    }));
  return [...fromRuns, ...fromStatuses];
}

/** What is not known to be well has failed. */
function conclusionState(conclusion: string | null): CommitCheck['state'] {
  switch (conclusion ?? '') {
    case 'success':
      return 'passed';
    case 'neutral':
    case 'skipped':
    case 'stale':
      return 'skipped';
    default:
      return 'failed';
  }
}

function statusState(state: string): CommitCheck['state'] {
  if (state === 'success') return 'passed';
  return state === 'pending' ? 'pending' : 'failed';
}

/**
 * The end of a job's log, up to where it failed. It lies with another host, which a redirect with a signature of its
 * own leads to: our credential stays here.
 * @throws BerthError `FORGE_NOT_FOUND` where there is none (any more), `FORGE_*`
 */
export async function failedLog(
  repository: GitHubRepository,
  log: string,
  maxBytes: number,
): Promise<string> {
  const id = /^job:([1-9]\d{0,17})$/.exec(log)?.[1];
  if (id === undefined) throw new BerthError('FORGE_NOT_FOUND', 'This check has no log on GitHub.');
  const { client, credentials, name, addresses } = repository.connection;
  const { authorize } = credentials.for(repository.name, 'talk');
  const what = `reading the log of job ${id}`;
  const size = { maxBytes: Math.max(maxBytes, patienceBytes), longer: 'keep-end' } as const;
  let url = `${addresses.rest}/repos/${repository.fullName}/actions/jobs/${id}/logs`;
  let headers: Record<string, string> = { authorization: await authorize({ isRefused: false }) };
  for (let hops = 0; hops < 4; hops += 1) {
    const answer = await client.raw({ method: 'GET', url, headers, ...size }).catch((error: unknown) => {
      throw unreachable(name, what, error);
    });
    if (answer.status === 200) return failingPart(answer.body.toString('utf8'), maxBytes);
    const target = URL.parse(answer.headers.location ?? '', url);
    if (answer.status < 300 || answer.status >= 400 || target === null)
      throw failureOf(name, what, { status: answer.status, text: answer.body.toString('utf8') });
    const from = new URL(url);
    if (target.protocol !== from.protocol && target.protocol !== 'https:')
      throw failureOf(name, what, { status: answer.status, text: '' });
    if (target.origin !== from.origin) headers = { accept: '*/*' };
    url = target.href;
  }
  throw new BerthError('FORGE_ANSWER_INVALID', `${name} leads from one place to the next at ${what}.`);
}

/** Lines after the last error are the tidying up of the job. */
const linesAfter = 5;

/** The end of a log of Actions, at most `maxBytes`: where it says that it failed, without time stamps and colours. Pure. */
export function failingPart(text: string, maxBytes: number): string {
  const lines = text
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map((line) => line.replace(/^\uFEFF?\d{4}-\d\d-\d\dT[\d:.]+Z /, ''));
  const last = lines.findLastIndex((line) => line.startsWith('##[error]'));
  const shown = (last === -1 ? lines : lines.slice(0, last + linesAfter)).join('\n').trimEnd();
  const bytes = Buffer.from(withoutColours(shown));
  if (bytes.byteLength <= maxBytes) return bytes.toString('utf8');
  // Not in the middle of a character.
  let from = bytes.byteLength - maxBytes;
  while (from < bytes.byteLength && (bytes[from]! & 0xc0) === 0x80) from += 1;
  return bytes.subarray(from).toString('utf8');
}

const escape = String.fromCharCode(27);

function withoutColours(text: string): string {
  return text.replaceAll(new RegExp(`${escape}\\[[0-9;?]*[ -/]*[@-~]`, 'g'), '');
}

export async function setStatus(
  repository: GitHubRepository,
  commit: string,
  status: {
    readonly state: 'pending' | 'passed' | 'failed';
    readonly sentence: string;
    readonly url: string | null;
  },
): Promise<void> {
  assertCommit(commit);
  const states = { pending: 'pending', passed: 'success', failed: 'failure' } as const;
  const { sentence, url } = status;
  await repository.send({
    method: 'POST',
    path: `/statuses/${commit}`,
    body: {
      state: states[status.state],
      context: ownContext,
      description:
        sentence.length <= longestSentence ? sentence : `${sentence.slice(0, longestSentence - 1)}…`,
      ...(url === null ? {} : { target_url: url }),
    },
    purpose: 'talk',
    what: `saying how ${commit.slice(0, 8)} is`,
    // The last word counts: said twice it is the same.
    isRepeatable: true,
  });
}

function assertCommit(commit: string): void {
  if (!commitPattern.test(commit)) throw new BerthError('FORGE_NOT_FOUND', 'That is not a commit.');
}
