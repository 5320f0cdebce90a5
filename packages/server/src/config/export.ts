import { stringify } from 'yaml';
import { configSchema } from '../domain/config/index.ts';
import { isNamedSection } from './merge.ts';
import type { ConfigDocument } from './parse/index.ts';
import { isSecretAt } from './parse/schema-walk.ts';

/** What both layers say as one `berth.yaml`, without defaults; reading it gives the same configuration. Pure. */
export function exportYaml(document: ConfigDocument): string {
  const given: Record<string, unknown> = { version: 1 };
  for (const section of Object.keys(configSchema.shape)) {
    const value = document[section];
    if (section === 'version' || value === undefined) continue;
    if (isNamedSection(section) && Array.isArray(value) && value.length === 0) continue;
    given[section] = escaped(value, [section]);
  }
  return stringify(given, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** Texts that look like references and are none, so that they are not replaced when they are read. */
function escaped(value: unknown, path: readonly PropertyKey[]): unknown {
  if (typeof value === 'string') {
    return isSecretAt(path) ? value : value.replaceAll(/\$+\{(?:env|file):[^}]*\}/g, (found) => `$${found}`);
  }
  if (Array.isArray(value)) return value.map((entry, place) => escaped(entry, [...path, place]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key, escaped(entry, [...path, key])]),
  );
}
