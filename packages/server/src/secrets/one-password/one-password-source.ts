import { z } from 'zod';
import { BerthError } from '../../domain/errors/index.ts';
import type { SecretSource } from '../../domain/ports/secret-source.ts';
import {
  type ConnectClient,
  connectClient,
  type ConnectClientOptions,
  type ConnectServer,
} from './connect-client.ts';

const vaultsSchema = z.array(z.object({ id: z.string(), name: z.string().optional() }));
const itemsSchema = z.array(z.object({ id: z.string(), title: z.string().optional() }));
const itemSchema = z.object({
  id: z.string(),
  sections: z.array(z.object({ id: z.string(), label: z.string().optional() })).default([]),
  fields: z
    .array(
      z.object({
        id: z.string(),
        label: z.string().optional(),
        value: z.string().optional(),
        section: z.object({ id: z.string() }).optional(),
      }),
    )
    .default([]),
});
type Item = z.infer<typeof itemSchema>;

/** Ids of 1Password: what looks like one is asked for as one. */
const idPattern = /^[a-z0-9]{26}$/;
const mostKnownPlaces = 1_000;

interface Place {
  readonly vault: string;
  readonly item: string;
  readonly section: string | null;
  readonly field: string;
}

/**
 * Fields of items in 1Password, read from a Connect server: `vault/item/field`, or `vault/item/section/field`, each by
 * name or id. Each read asks for the item; only which ids the names have is remembered.
 * @param server asked at each read; throws what reading its token throws
 */
export function onePasswordSource(
  server: (signal: AbortSignal) => Promise<ConnectServer>,
  options: ConnectClientOptions,
): SecretSource {
  const known = new Map<string, { readonly vaultId: string; readonly itemId: string }>();
  return {
    kind: 'op',
    async read(text, signal) {
      signal.throwIfAborted();
      const place = placeOf(text);
      const { url, token } = await server(signal);
      const client = connectClient({ url, token }, options);
      const key = JSON.stringify([url, place.vault, place.item]);
      const remembered = known.get(key);
      const found = remembered === undefined ? null : await getItem(client, remembered, signal);
      if (found !== null) return fieldOf(found, place);
      // It was never looked up, or moved since.
      known.delete(key);
      const ids = await idsOf(client, place, signal);
      const item = await getItem(client, ids, signal);
      if (item === null) throw missing(`1Password has no item ${place.item} in the vault ${place.vault}`);
      if (known.size >= mostKnownPlaces) known.clear();
      known.set(key, ids);
      return fieldOf(item, place);
    },
  };
}

function placeOf(text: string): Place {
  const parts = text.split('/');
  const [vault = '', item = ''] = parts;
  const field = parts.at(-1) ?? '';
  return { vault, item, section: parts.length === 4 ? (parts[2] ?? null) : null, field };
}

function getItem(
  client: ConnectClient,
  { vaultId, itemId }: { readonly vaultId: string; readonly itemId: string },
  signal: AbortSignal,
): Promise<Item | null> {
  const path = `/vaults/${encodeURIComponent(vaultId)}/items/${encodeURIComponent(itemId)}`;
  return client.one(path, itemSchema, signal);
}

async function idsOf(
  client: ConnectClient,
  { vault, item }: Place,
  signal: AbortSignal,
): Promise<{ readonly vaultId: string; readonly itemId: string }> {
  const vaultId = idPattern.test(vault)
    ? vault
    : only(
        (await client.list('/vaults', `name eq ${quoted(vault)}`, vaultsSchema, signal))?.filter(
          ({ name }) => name === vault,
        ),
        `vault ${vault} that its token may read`,
      );
  if (idPattern.test(item)) return { vaultId, itemId: item };
  const path = `/vaults/${encodeURIComponent(vaultId)}/items`;
  const items = await client.list(path, `title eq ${quoted(item)}`, itemsSchema, signal);
  const itemId = only(
    items?.filter(({ title }) => title === item),
    `item ${item} in the vault ${vault}`,
  );
  return { vaultId, itemId };
}

function only(found: readonly { readonly id: string }[] | undefined, what: string): string {
  const [first, second] = found ?? [];
  if (first === undefined) throw missing(`1Password has no ${what}`);
  if (second !== undefined) throw missing(`1Password has more than one ${what}; write its id instead`);
  return first.id;
}

function fieldOf(item: Item, place: Place): string {
  const sections = item.sections
    .filter(({ id, label }) => id === place.section || label === place.section)
    .map(({ id }) => id);
  const fields = item.fields.filter(
    ({ id, label, section }) =>
      (id === place.field || label === place.field) &&
      (place.section === null || (section !== undefined && sections.includes(section.id))),
  );
  const named = `field ${[place.section, place.field].filter((part) => part !== null).join('/')} in the item ${place.item}`;
  const [first, second] = fields;
  if (first === undefined) throw missing(`1Password has no ${named}`);
  if (second !== undefined)
    throw missing(`1Password has more than one ${named}; name its section, or its id`);
  if (first.value === undefined || first.value === '') throw missing(`In 1Password the ${named} is empty`);
  return first.value;
}

function missing(what: string): BerthError {
  return new BerthError('SECRET_MISSING', `${what}.`);
}

/** A text of a SCIM filter. */
function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}
