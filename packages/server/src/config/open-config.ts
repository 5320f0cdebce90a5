import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import { emptyConfig, type ConfigRevision, type CurrentConfig } from '../domain/config/index.ts';
import { asBerthError, BerthError } from '../domain/errors/index.ts';
import type { Database } from '../store/database.ts';
import {
  configBell,
  readFileLayer,
  readObjects,
  retireReplica,
  type LayerObject,
} from '../store/config/layers.ts';
import { newestRevisionNumber, readNewestRevision, readRevision } from '../store/config/revisions.ts';
import { revisionOf } from './build-revision.ts';
import { changeObject, type ChangedObject, type ObjectChange } from './change-object.ts';
import { configPlace } from './file.ts';
import { fileReader, placeName, syncFile, type FileSeen } from './file-layer.ts';
import { mergeLayers } from './merge.ts';
import { invalidConfig, problemLines, type CheckBlueprint, type ConfigProblem } from './parse/index.ts';
import { rulesOf } from './parse/rules.ts';
import { spell } from './parse/problem.ts';

/** A watched directory tells at once; this poll is the net beneath it, beneath the bell, and the sign of life. */
const pollMs = 5_000;
/** An editor writes a file in pieces. */
const settleMs = 50;
/** Revisions that runs pin; a run asks a few times. */
const keptRevisions = 64;

export interface OpenConfigOptions {
  readonly db: Database;
  /** `$BERTH_HOME`. */
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Looks at the text of a blueprint that the configuration carries; null: it is one. */
  readonly checkBlueprint?: CheckBlueprint;
  /** The one form of a repository's address; may fail, then the text stands for itself. */
  readonly canonicalRepository?: (repository: string) => Promise<string>;
  /** Told in a sentence what is wrong with the file, and that it is mended. */
  readonly onProblem?: (sentence: string) => void;
  /** Instead of this machine's name. */
  readonly hostName?: string;
  readonly pollMs?: number;
}

/** How the configuration of this replica stands, for health, `berth config show` and people. */
export interface ConfigStatus {
  readonly revision: number;
  readonly file: {
    readonly path: string;
    /** `counts`: it is the layer of the file; `differs`: another replica's newer file is. */
    readonly state: 'none' | 'counts' | 'differs' | 'invalid' | 'unreadable';
  };
  /** Why the file is not taken: what was valid before goes on counting. */
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

/** The configuration of this replica: what counts now, the revisions that runs pin, and the way to change it. */
export interface OpenConfig extends CurrentConfig {
  status(): ConfigStatus;
  /** The revision a run pinned. @throws BerthError `CONFIG_REVISION_GONE`, `DATABASE_UNAVAILABLE` */
  revision(number: number): Promise<ConfigRevision>;
  /** The layer of the API, also what the file hides, with the reason. */
  objects(): Promise<readonly (LayerObject & { readonly hidden: string | null })[]>;
  /** @throws BerthError see `changeObject` */
  change(change: ObjectChange): Promise<ChangedObject>;
  /** Looks at file and database now, and answers when what is there counts. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the configuration: reads the file, imports it, and follows both layers from then on.
 * @throws BerthError `CONFIG_INVALID`, `CONFIG_UNREADABLE` when the file is not valid and nothing ever was: a server
 *   must not start without the limits and sign-in that somebody tried to write down
 */
export async function openConfig(options: OpenConfigOptions): Promise<OpenConfig> {
  const { db, env, home } = options;
  const place = configPlace(env, home);
  const replica = placeName(place, options.hostName);
  const canonicalRepository = async (text: string): Promise<string> =>
    (await options.canonicalRepository?.(text).catch(() => text)) ?? text;
  const read = fileReader({
    place,
    env,
    ...(options.checkBlueprint === undefined ? {} : { checkBlueprint: options.checkBlueprint }),
    canonicalRepository,
  });
  const closing = new AbortController();
  const listeners = new Set<(revision: ConfigRevision) => void>();
  const pinned = new Map<number, ConfigRevision>();
  let current: ConfigRevision = { number: 0, config: emptyConfig, sources: {} };
  let seen: FileSeen = { kind: 'absent' };
  let state: ConfigStatus['file']['state'] = 'none';
  let told = '';
  let wasHere = false;
  let warnings: readonly string[] = [];

  const load = async (): Promise<void> => {
    if ((await newestRevisionNumber(db.sql)) === current.number) return;
    const row = await readNewestRevision(db.sql);
    if (row === null) return;
    current = revisionOf(row);
    const layer = await readFileLayer(db.sql);
    const { hidden } = mergeLayers(layer?.document ?? null, await readObjects(db.sql));
    warnings = [
      ...Object.entries(hidden).map(([id, why]) => `${id} made over the API does not count: ${why}`),
      ...rulesOf(current.config).map((rule) => `${spell(rule.path)}: ${rule.sentence}`),
    ];
    for (const listener of listeners) {
      try {
        listener(current);
      } catch (error) {
        options.onProblem?.(
          `The configuration changed, and a part did not take it: ${asBerthError(error).message}`,
        );
      }
    }
  };

  const tell = (sentence: string): void => {
    if (sentence === told) return;
    if (sentence !== '') options.onProblem?.(sentence);
    else if (told !== '') options.onProblem?.('The configuration file is valid again.');
    told = sentence;
  };

  const look = async (): Promise<void> => {
    const next = await read();
    // A file that is being replaced is away for a moment: gone is what is gone twice.
    const isGone = next.kind === 'absent' && wasHere && seen.kind !== 'absent';
    wasHere = next.kind === 'valid';
    seen = next;
    switch (next.kind) {
      case 'unreadable':
        state = 'unreadable';
        return tell(`${next.sentence} What counted before goes on counting.`);
      case 'invalid':
        state = 'invalid';
        return tell(
          `${problemLines(place.path, next.problems).slice(0, 5).join('\n')}\nWhat counted before goes on counting.`,
        );
      case 'absent':
      case 'valid': {
        if (isGone) return;
        const decision = await syncFile(db, replica, next);
        state = next.kind === 'absent' ? 'none' : decision === 'differs' ? 'differs' : 'counts';
        return tell(
          decision === 'differs'
            ? `${place.path} differs from the configuration that another replica imported later, and does not count.`
            : '',
        );
      }
    }
  };

  const once = async (): Promise<void> => {
    await look();
    await load();
  };
  /** One at a time, and one more for whatever was said meanwhile. */
  let running: Promise<void> | null = null;
  let again: Promise<void> | null = null;
  const refresh = (): Promise<void> => {
    if (running === null) {
      running = once().finally(() => {
        running = null;
      });
      return running;
    }
    again ??= running
      .catch(() => undefined)
      .then(() => {
        again = null;
        return refresh();
      });
    return again;
  };
  const hint = (): void => {
    if (!closing.signal.aborted) refresh().catch((error: unknown) => report(error));
  };
  const report = (error: unknown): void => {
    const known = asBerthError(error);
    // The poll repeats it.
    if (known.code !== 'DATABASE_UNAVAILABLE' && !closing.signal.aborted) tell(known.message);
  };

  await refresh();
  if (current.number === 0) {
    // Nothing to go on with.
    const file = seen as FileSeen;
    if (file.kind === 'invalid') throw invalidConfig(place.path, file.problems);
    if (file.kind === 'unreadable') throw new BerthError('CONFIG_UNREADABLE', file.sentence);
  }
  const endListening = db.bell.listen(configBell, hint);
  const endWatching = watchDirectory(place.path, hint);
  const poll = (async () => {
    while (!closing.signal.aborted) {
      await db.clock.sleep(options.pollMs ?? pollMs, closing.signal).catch(() => undefined);
      if (!closing.signal.aborted) await refresh().catch(report);
    }
  })();

  return {
    current: () => current,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    status: () => ({
      revision: current.number,
      file: { path: place.path, state },
      problems:
        seen.kind === 'invalid'
          ? seen.problems
          : seen.kind === 'unreadable'
            ? [{ line: 1, column: 1, path: '', sentence: seen.sentence }]
            : [],
      warnings: state === 'differs' ? [told, ...warnings] : warnings,
    }),
    async revision(number) {
      if (number === current.number) return current;
      if (number === 0) return { number: 0, config: emptyConfig, sources: {} };
      const kept = pinned.get(number);
      if (kept !== undefined) return kept;
      const row = await readRevision(db.sql, number);
      if (row === null) {
        throw new BerthError('CONFIG_REVISION_GONE', `There is no revision ${number} of the configuration.`);
      }
      const revision = revisionOf(row);
      pinned.set(number, revision);
      if (pinned.size > keptRevisions) pinned.delete(pinned.keys().next().value!);
      return revision;
    },
    async objects() {
      const layer = await readFileLayer(db.sql);
      const objects = await readObjects(db.sql);
      const { hidden } = mergeLayers(layer?.document ?? null, objects);
      return objects.map((object) => ({
        ...object,
        hidden: hidden[object.name === '' ? object.section : `${object.section}/${object.name}`] ?? null,
      }));
    },
    async change(change) {
      const value = await canonicalObject(change, canonicalRepository);
      const changed = await changeObject(db, { ...change, value }, options.checkBlueprint);
      await refresh();
      return changed;
    },
    refresh,
    async close() {
      closing.abort(new Error('the configuration is closed'));
      endListening();
      endWatching();
      await poll;
      await running?.catch(() => undefined);
      await retireReplica(db.sql, replica).catch(() => undefined);
    },
  };
}

async function canonicalObject(
  { section, value }: ObjectChange,
  canonical: (repository: string) => Promise<string>,
): Promise<ObjectChange['value']> {
  const repository = value?.['repository'];
  if (section !== 'projects' || typeof repository !== 'string') return value;
  return { ...value, repository: await canonical(repository) };
}

/** Hints at each change in the file's directory: a mounted ConfigMap swaps a link beside the file, not the file. */
function watchDirectory(path: string, hint: () => void): () => void {
  let timer: NodeJS.Timeout | null = null;
  let watcher: FSWatcher | null = null;
  try {
    watcher = watch(dirname(path), { persistent: false }, () => {
      timer ??= setTimeout(() => {
        timer = null;
        hint();
      }, settleMs);
    });
    // Where it cannot be watched, it is polled.
    watcher.on('error', () => watcher?.close());
  } catch {
    watcher = null;
  }
  return () => {
    if (timer !== null) clearTimeout(timer);
    watcher?.close();
  };
}
