import { hostname } from 'node:os';
import type { Config } from '../domain/config/index.ts';
import type { Database } from '../store/database.ts';
import {
  changeConfig,
  configBell,
  noteReplica,
  readFileLayer,
  readReplicas,
  writeFileLayer,
} from '../store/config/layers.ts';
import { buildRevision } from './build-revision.ts';
import { readConfigText, type ConfigPlace } from './file.ts';
import { importDecision, noFile, type ImportDecision } from './import-decision.ts';
import { digestOf } from './merge.ts';
import { parseConfig, type CheckBlueprint, type ConfigDocument, type ConfigProblem } from './parse/index.ts';

/** A replica that has said nothing for so long holds nothing any more. */
export const replicaLiveMs = 60_000;

/** What this replica's file is now. */
export type FileSeen =
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreadable'; readonly sentence: string }
  | { readonly kind: 'invalid'; readonly problems: readonly ConfigProblem[] }
  | { readonly kind: 'valid'; readonly digest: string; readonly document: ConfigDocument };

export interface FileLook {
  readonly place: ConfigPlace;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly checkBlueprint?: CheckBlueprint;
  /** The one form of a repository's address; the text itself where it cannot be looked at from here. */
  readonly canonicalRepository: (repository: string) => Promise<string>;
}

/** Reads and parses the file; answers the same object again while its text is the same. */
export function fileReader(look: FileLook): () => Promise<FileSeen> {
  let last: { readonly text: string; readonly seen: FileSeen } | null = null;
  return async () => {
    const read = await readConfigText(look.place.path);
    if (read.kind === 'unreadable') return read;
    if (read.kind === 'absent') {
      return look.place.isExplicit
        ? { kind: 'unreadable', sentence: `${look.place.path} (BERTH_CONFIG) is not there.` }
        : read;
    }
    if (last?.text === read.text) return last.seen;
    const parsed = parseConfig(read.text, look);
    const seen: FileSeen = parsed.ok
      ? await valid(parsed.document, parsed.config, look)
      : { kind: 'invalid', problems: parsed.problems };
    last = { text: read.text, seen };
    return seen;
  };
}

async function valid(document: ConfigDocument, config: Config, look: FileLook): Promise<FileSeen> {
  const given = document['projects'];
  if (!Array.isArray(given)) return { kind: 'valid', digest: digestOf(document), document };
  const projects: { readonly repository: string }[] = [];
  // One after the other: each may start a process.
  for (const [place, { repository }] of config.projects.entries()) {
    projects.push({
      ...(given[place] as object),
      repository: await look.canonicalRepository(repository),
    });
  }
  const repositories = projects.map((project) => project.repository);
  const twice = repositories.findIndex((one, at) => repositories.indexOf(one) !== at);
  if (twice !== -1) {
    const sentence = `${config.projects[twice]?.name ?? ''} has the repository of another project`;
    return {
      kind: 'invalid',
      problems: [{ line: 1, column: 1, path: `projects[${twice}].repository`, sentence }],
    };
  }
  const canonical = { ...document, projects };
  return { kind: 'valid', digest: digestOf(canonical), document: canonical };
}

/** Names a replica's file among all replicas of the installation. */
export function placeName(place: ConfigPlace, host = hostname()): string {
  return `${host}:${place.path}`;
}

/**
 * Says which file this replica holds, and imports it where `importDecision` says so.
 * @returns what was decided
 */
export async function syncFile(
  db: Database,
  place: string,
  seen: Extract<FileSeen, { kind: 'absent' | 'valid' }>,
): Promise<ImportDecision> {
  const mine = seen.kind === 'absent' ? noFile : seen.digest;
  const decided = await decideImport(db.sql, place, mine);
  if (decided !== 'import') {
    if (decided !== 'nothing') await noteReplica(db.sql, { place, digest: mine });
    return decided;
  }
  const isNew = await changeConfig(db, async (transaction) => {
    // Asked again now that nobody else changes anything.
    if ((await decideImport(transaction, place, mine)) !== 'import') return false;
    const document = seen.kind === 'absent' ? {} : seen.document;
    await writeFileLayer(transaction, { digest: mine, document, place });
    await noteReplica(transaction, { place, digest: mine });
    const built = await buildRevision(transaction, { source: 'file', by: place, nowMs: db.clock.nowMs() });
    return built.isNew;
  });
  if (isNew) db.bell.ring(configBell);
  return 'import';
}

async function decideImport(
  reader: Parameters<typeof readFileLayer>[0],
  place: string,
  mine: string,
): Promise<ImportDecision> {
  const layer = await readFileLayer(reader);
  const replicas = await readReplicas(reader, replicaLiveMs);
  return importDecision({
    mine,
    knownHere: replicas.find((replica) => replica.place === place)?.digest ?? null,
    imported: layer?.digest ?? null,
    heldElsewhere: replicas.some(
      (replica) => replica.place !== place && replica.isLive && replica.digest === layer?.digest,
    ),
  });
}
