import { ZodError } from 'zod';
import { configSchema, type Config } from '../domain/config/index.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { Database } from '../store/database.ts';
import {
  changeConfig,
  configBell,
  deleteObject,
  readFileLayer,
  readObjects,
  writeObject,
} from '../store/config/layers.ts';
import { buildRevision } from './build-revision.ts';
import { isNamedSection, mergeLayers, nameKey, type ConfigSection, type Merged } from './merge.ts';
import { describeIssue } from './parse/describe-issue.ts';
import { invalidConfig, type CheckBlueprint, type ConfigProblem } from './parse/index.ts';
import { spell } from './parse/problem.ts';
import { unstorableValues } from './parse/read-yaml.ts';
import { concerns, rulesOf } from './parse/rules.ts';
import { withVariables } from './parse/variables.ts';

type Value = Readonly<Record<string, unknown>>;

export interface ObjectChange {
  readonly section: ConfigSection;
  /** Empty for a section that is one object. */
  readonly name: string;
  /** Null: it is deleted. */
  readonly value: Value | null;
  /** The version that is changed; `new`: there must be none yet. */
  readonly expected: string;
  readonly by: string;
  /** Asked with what counts before and the change, under the lock; throws to refuse. */
  readonly authorise?: (before: Config, value: Value | null) => void;
}

export interface ChangedObject {
  /** Null once deleted. */
  readonly version: string | null;
  readonly revision: number;
  /** What it was before; for the record of acts. */
  readonly before: Value | null;
}

/**
 * Variables of the server whose values an API may point a provider at: whoever may write this may also write where
 * the value is sent to, so that what is not meant for it (the database's address, another part's key) stays out.
 */
const referableSecret = /^\$\{env:(?:[A-Z0-9_]*_API_KEY|BERTH_SECRET_[A-Z0-9_]+)\}$/;

/** What a secret for projects may be read from where the API makes it. */
const forwardableSecret = /^\$\{(?:env:BERTH_SECRET_[A-Z0-9_]+|op:.*)\}$/;

/**
 * Makes, changes or deletes one object of the layer of the API.
 * @throws BerthError `CONFIG_READ_ONLY`, `CONFIG_CHANGED`, `CONFIG_INVALID`, `CONFIG_NAME_TAKEN`, `NOT_FOUND`
 */
export async function changeObject(
  db: Database,
  change: ObjectChange,
  checkBlueprint?: CheckBlueprint,
): Promise<ChangedObject> {
  const { section, name } = change;
  const id = name === '' ? section : `${section}/${name}`;
  const changed = await changeConfig(db, async (transaction) => {
    const file = await readFileLayer(transaction);
    const objects = await readObjects(transaction);
    const before = mergeLayers(file?.document ?? null, objects);
    if (before.sources[id] === 'file') throw readOnly(id, file?.place ?? 'the file');
    change.authorise?.(before.config, change.value);
    const present = objects.find((object) => object.section === section && object.name === name) ?? null;
    if (present === null && change.value === null) {
      throw new BerthError('NOT_FOUND', `There is no ${id} that was made over the API.`);
    }
    if ((present?.version ?? 'new') !== change.expected) {
      const sentence =
        change.expected === 'new' ? `There is already ${id}.` : `${id} is not what it was when it was read.`;
      throw new BerthError('CONFIG_CHANGED', sentence, {
        details: { version: present?.version ?? null },
      });
    }
    const others = objects.filter((object) => object !== present);
    const wanted = change.value === null ? others : [...others, { section, name, value: change.value }];
    const after = checked(id, change, wanted, file?.document ?? null);
    if (after.hidden[id] !== undefined) throw readOnly(id, file?.place ?? 'the file');
    assertRules(id, change, before.config, after.config, checkBlueprint);
    const version =
      change.value === null
        ? (await deleteObject(transaction, section, name), null)
        : await writeObject(transaction, { section, name, value: change.value, by: change.by });
    const { number } = await buildRevision(transaction, {
      source: 'database',
      by: change.by,
      nowMs: db.clock.nowMs(),
    });
    return { version, revision: number, before: present?.value ?? null };
  });
  db.bell.ring(configBell);
  return changed;
}

function readOnly(id: string, place: string): BerthError {
  const path = place.slice(place.indexOf(':') + 1);
  return new BerthError('CONFIG_READ_ONLY', `${id} comes from the file ${path} and is changed there.`, {
    details: { object: id, file: path },
  });
}

function checked(
  id: string,
  change: ObjectChange,
  objects: Parameters<typeof mergeLayers>[1],
  file: Value | null,
): Merged {
  // Also the name: it came in an address.
  const unstorable = unstorableValues({ name: change.name, ...change.value }, nowhere);
  if (unstorable.length > 0) throw invalidConfig(id, unstorable);
  const at = isNamedSection(change.section) ? [change.section, 0] : [change.section];
  const refused = change.value === null ? [] : withVariables(change.value, null, at).problems;
  const problems = refused.map(({ path, sentence }) => problem(path.slice(at.length), sentence));
  if (problems.length > 0) throw invalidConfig(id, problems);
  if (isNamedSection(change.section) && change.value !== null) {
    const key = nameKey(change.section);
    if (Object.hasOwn(change.value, key) && change.value[key] !== change.name) {
      throw invalidConfig(id, [problem([key], `it is named ${change.name} by its address`)]);
    }
  }
  try {
    return mergeLayers(file, objects);
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    throw invalidConfig(id, problemsOf(error, change));
  }
}

/** Issues as paths within the object: it is the only one that can have any. */
function problemsOf(error: ZodError, change: ObjectChange): ConfigProblem[] {
  const depth = isNamedSection(change.section) ? 2 : 1;
  const own = { [change.section]: isNamedSection(change.section) ? [change.value] : change.value };
  // Within the object: its address says the rest.
  const prefix = isNamedSection(change.section) ? `${change.section}[0].` : `${change.section}.`;
  const within = (text: string): string => text.replaceAll(prefix, '');
  return error.issues.flatMap((issue) => {
    const rest = issue.path.slice(depth);
    const path = isNamedSection(change.section) ? [change.section, 0, ...rest] : [change.section, ...rest];
    return describeIssue({ ...issue, path }, own, nowhere).map((one) => ({
      ...one,
      path: within(one.path),
      sentence: within(one.sentence),
    }));
  });
}

const nowhere = { value: () => ({ line: 1, column: 1 }), key: () => ({ line: 1, column: 1 }) };

function problem(path: readonly PropertyKey[], sentence: string): ConfigProblem {
  return { line: 1, column: 1, path: spell(path), sentence };
}

function assertRules(
  id: string,
  change: ObjectChange,
  before: Config,
  after: Config,
  checkBlueprint: CheckBlueprint | undefined,
): void {
  const { section, name } = change;
  const broken = rulesOf(after, checkBlueprint);
  const own = broken.filter((rule) => concerns(rule, after, section, name));
  if (change.value !== null && own.length > 0) {
    throw invalidConfig(
      id,
      own.map((rule) => problem(rule.path.slice(2), rule.sentence)),
    );
  }
  const known = new Set(rulesOf(before).map((rule) => rule.sentence));
  const caused = rulesOf(after).find(
    (rule) => !known.has(rule.sentence) && !concerns(rule, after, section, name),
  );
  if (caused !== undefined) {
    throw new BerthError('CONFIG_NAME_TAKEN', `${id} is in use: ${spell(caused.path)}: ${caused.sentence}.`);
  }
  assertReferable(id, section, name, after);
}

/**
 * What the API may point at. Forwarded or brokered, a secret goes where the same person says, so that none may name the
 * server's own credentials; and only the file says whom the server asks for secrets.
 */
function assertReferable(id: string, section: string, name: string, after: Config): void {
  if (section === 'secretSources' && after.secretSources.onePassword !== undefined) {
    throw invalidConfig(id, [
      problem(['onePassword'], 'where secrets are read from is written in the file only'),
    ]);
  }
  const secret = section === 'secrets' ? after.secrets.find((one) => one.name === name) : undefined;
  if (secret !== undefined && !forwardableSecret.test(secret.from)) {
    const sentence =
      'over the API a secret can be ${env:BERTH_SECRET_…} or ${op:…}; other secrets are named in the file';
    throw invalidConfig(id, [problem(['from'], sentence)]);
  }
  if (section !== 'models') return;
  for (const [provider, { apiKey }] of Object.entries(after.models.providers)) {
    if (apiKey !== undefined && !referableSecret.test(apiKey)) {
      throw invalidConfig(id, [
        problem(
          ['providers', provider, 'apiKey'],
          'over the API a key can be ${env:…_API_KEY} or ${env:BERTH_SECRET_…}; other secrets are named in the file',
        ),
      ]);
    }
  }
}

/** Whether `section` is one of the configuration at all. */
export function sectionExists(section: string): boolean {
  return Object.hasOwn(configSchema.shape, section);
}
