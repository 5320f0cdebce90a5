import { createHash } from 'node:crypto';
import {
  configSchema,
  namedSections,
  type Config,
  type ConfigSource,
  type NamedSection,
} from '../domain/config/index.ts';
import type { ConfigDocument } from './parse/index.ts';

/** Sections that the API can change whole. The others hold who may come in, and are changed where the server is run. */
export const settingSections = [
  'models',
  'limits',
  'egress',
  'gates',
] as const satisfies readonly (keyof Config)[];
export type SettingSection = (typeof settingSections)[number];
export type ConfigSection = NamedSection | SettingSection;

export function isNamedSection(section: string): section is NamedSection {
  return namedSections.some(([name]) => name === section);
}

export function isConfigSection(section: string): section is ConfigSection {
  return isNamedSection(section) || (settingSections as readonly string[]).includes(section);
}

/** The key that names an object of a named section. */
export function nameKey(section: NamedSection): string {
  return namedSections.find(([name]) => name === section)![1];
}

/** One object of the layer of the API, as far as merging it goes. */
export interface ObjectOfLayer {
  readonly section: string;
  readonly name: string;
  readonly value: Readonly<Record<string, unknown>>;
}

export interface Merged {
  /** Both layers as one, before defaults. */
  readonly document: ConfigDocument;
  readonly config: Config;
  readonly sources: Readonly<Record<string, ConfigSource>>;
  /** `<section>/<name>` of the objects of the API that the file hides, and why. */
  readonly hidden: Readonly<Record<string, string>>;
}

/**
 * The two layers as one: of two objects of one name, and of two projects of one repository, the file's counts; a
 * section that is one object is the file's whole as soon as the file has it. Pure.
 * @throws ZodError when an object of the layer of the API does not have its shape (any more)
 */
export function mergeLayers(file: ConfigDocument | null, objects: readonly ObjectOfLayer[]): Merged {
  const merged: Record<string, unknown> = { ...file, version: 1 };
  const sources: Record<string, ConfigSource> = {};
  const hidden: Record<string, string> = {};
  for (const section of Object.keys(configSchema.shape)) {
    if (isNamedSection(section) || section === 'version') continue;
    const own = objects.find((object) => object.section === section);
    const inFile = file !== null && Object.hasOwn(file, section);
    if (inFile && own !== undefined) hidden[section] = 'the file has this section';
    if (!inFile && own !== undefined) merged[section] = own.value;
    sources[section] = inFile ? 'file' : own === undefined ? 'default' : 'database';
  }
  for (const [section, key] of namedSections) {
    const given = file?.[section];
    const fromFile = (Array.isArray(given) ? given : []) as readonly Readonly<Record<string, unknown>>[];
    const names = new Set(fromFile.map((entry) => String(entry[key])));
    const repositories = new Set(fromFile.map((entry) => entry['repository']));
    const entries = [...fromFile];
    for (const name of names) sources[`${section}/${name}`] = 'file';
    for (const object of objects) {
      if (object.section !== section) continue;
      const id = `${section}/${object.name}`;
      if (names.has(object.name)) hidden[id] = 'the file has an object of this name';
      else if (section === 'projects' && repositories.has(object.value['repository'])) {
        hidden[id] = 'the file has a project of this repository';
      } else {
        entries.push({ ...object.value, [key]: object.name });
        sources[id] = 'database';
      }
    }
    merged[section] = entries;
  }
  return { document: merged, config: configSchema.parse(merged), sources, hidden };
}

/** The same for the same contents, however their keys are ordered. */
export function digestOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(ordered(value)))
    .digest('hex');
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entry]) => [key, ordered(entry)]),
  );
}

export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const entry of Object.values(value)) deepFreeze(entry);
  }
  return value;
}
