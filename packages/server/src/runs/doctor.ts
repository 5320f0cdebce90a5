import { execFile } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import { asBerthError } from '../domain/errors/index.ts';
import type { DoctorCheck } from '../domain/doctor.ts';
import type { ProvedProfile, SandboxDriver } from '../domain/ports/sandbox.ts';
import type { DoctorView } from '../domain/views.ts';
import type { Database } from '../store/database.ts';
import { countSnapshots } from '../store/snapshots/count-snapshots.ts';

const run = promisify(execFile);
/** Below this, runs fail in the middle for want of space. */
const lowDiskBytes = 2 * 1024 ** 3;

export interface DoctorParts {
  readonly db: Database;
  readonly driver: SandboxDriver;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly signal: AbortSignal;
  /** The sandbox profiles of the configuration; left out: there are none. */
  readonly profiles?: () => readonly ProvedProfile[];
  /** Each configured code host, and a look at it; left out: there are none. */
  readonly forges?: () => readonly { readonly name: string; look(): Promise<Finding> }[];
  /** Every secret that the configuration refers to, and how to read one; left out: there are none. */
  readonly secrets?: {
    references(): readonly { readonly key: string; readonly reference: string }[];
    read(reference: string, signal: AbortSignal): Promise<string>;
  };
}

/** What works on this machine, what does not, why, and the exact fix. */
export async function inspectInstallation(parts: DoctorParts): Promise<DoctorView> {
  const { driver, signal } = parts;
  const [own, probed] = await Promise.all([
    Promise.all([
      git(parts),
      database(parts),
      disk(parts),
      model(parts),
      ...secrets(parts),
      ...forges(parts),
    ]),
    driver.probe(signal),
  ]);
  // Where sandboxes cannot be made at all, nothing more is to be learnt.
  const proved = probed.ok ? ((await driver.prove?.(parts.profiles?.() ?? [], signal)) ?? []) : [];
  const checks = [...own, ...probed.checks, ...proved];
  return { schema: 'berth.doctor/v1', ok: checks.every((check) => check.state !== 'fail'), checks };
}

type Finding = Pick<DoctorCheck, 'state' | 'sentence' | 'fix'>;

async function timed(id: string, parts: DoctorParts, look: () => Promise<Finding>): Promise<DoctorCheck> {
  const { clock } = parts.db;
  const startedMs = clock.monotonicMs();
  const finding = await look().catch((error: unknown): Finding => ({
    state: 'fail',
    sentence: asBerthError(error).message,
    fix: asBerthError(error).next,
  }));
  return { id, ...finding, ms: Math.round(clock.monotonicMs() - startedMs) };
}

const git = (parts: DoctorParts): Promise<DoctorCheck> =>
  timed('git', parts, async () => {
    const found = await run('git', ['--version'], { signal: parts.signal }).catch(() => null);
    return found === null
      ? { state: 'fail', sentence: 'git is not installed.', fix: 'sudo apt-get install git' }
      : { state: 'pass', sentence: found.stdout.trim(), fix: null };
  });

const database = (parts: DoctorParts): Promise<DoctorCheck> =>
  timed('database', parts, async () => {
    const { db } = parts;
    const answer = await db.sql
      .selectFrom('runs')
      .select((count) => count.fn.countAll<string>().as('runs'))
      .executeTakeFirstOrThrow();
    const kind = db.kind === 'embedded' ? 'embedded PostgreSQL' : 'PostgreSQL of DATABASE_URL';
    return { state: 'pass', sentence: `${kind}, ${answer.runs} runs`, fix: null };
  });

const disk = (parts: DoctorParts): Promise<DoctorCheck> =>
  timed('disk', parts, async () => {
    const { bavail, bsize } = await statfs(parts.home);
    const freeBytes = bavail * bsize;
    const { count, storedBytes } = await countSnapshots(parts.db);
    const kept =
      count === 0
        ? ''
        : `; ${count} ${count === 1 ? 'snapshot' : 'snapshots'} of setup: ${(storedBytes / 1024 ** 2).toFixed(0)} MiB`;
    const sentence = `${(freeBytes / 1024 ** 3).toFixed(1)} GiB free in the data directory${kept}`;
    if (freeBytes >= lowDiskBytes) return { state: 'pass', sentence, fix: null };
    return { state: 'warn', sentence, fix: `Free space on the disk of ${parts.home}.` };
  });

const model = (parts: DoctorParts): Promise<DoctorCheck> =>
  timed('model', parts, async () => {
    const { env } = parts;
    const set = ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'BERTH_BASE_URL'].filter(
      (name) => (env[name] ?? '') !== '',
    );
    if (set.length > 0)
      return { state: 'pass', sentence: `configured by ${set.join(', ')} (not called)`, fix: null };
    const fix =
      'Set ANTHROPIC_API_KEY or OPENAI_API_KEY, or BERTH_MODEL and BERTH_BASE_URL for a server of your own.';
    return {
      state: 'warn',
      sentence: 'No model is configured: only cassettes and blueprints without an agent run.',
      fix,
    };
  });

/** One line for each code host: whether its credential works, and what it may do. */
function forges(parts: DoctorParts): Promise<DoctorCheck>[] {
  return (parts.forges?.() ?? []).map((forge) => timed('forge', parts, () => forge.look()));
}

/** Redaction does not look for shorter values. */
const shortestFound = 8;

/** One line for each secret; it says whether it can be read, and never what it is. */
function secrets(parts: DoctorParts): Promise<DoctorCheck>[] {
  const { secrets: known } = parts;
  const all = known?.references() ?? [];
  if (known === undefined || all.length === 0) return [];
  return all.map(({ key, reference }) =>
    timed('secret', parts, async () => {
      const value = await known.read(reference, parts.signal);
      if (value.length >= shortestFound) return { state: 'pass', sentence: `${key} can be read`, fix: null };
      return {
        state: 'warn',
        sentence: `${key} has fewer than ${shortestFound} characters: it is not taken out of texts.`,
        fix: 'Use a longer secret.',
      };
    }).then((check) => ({
      ...check,
      sentence: check.state === 'fail' ? `${key}: ${check.sentence}` : check.sentence,
    })),
  );
}
