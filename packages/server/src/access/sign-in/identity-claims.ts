import type { Identity } from '../roles-of.ts';
import { hashSecret } from './secret.ts';

type Claims = Readonly<Record<string, unknown>>;

/** Groups kept of one person; claims beyond are of no use to anybody. */
const mostGroups = 500;
const longestGroup = 500;

/**
 * Who the claims of an OpenID Connect provider describe: by the e-mail address when the provider vouches for it,
 * otherwise by `<subject>@<issuer host>`. Pure.
 */
export function oidcIdentity(issuer: string, claims: Claims, groupsClaim: string): Identity {
  const subject = String(claims['sub']);
  const isVerified = claims['email_verified'] === true || claims['email_verified'] === 'true';
  const email = isVerified ? plainEmail(claims['email']) : null;
  const id = email ?? `${plainSubject(subject)}@${new URL(issuer).host}`;
  return {
    kind: 'person',
    id,
    name: nameOf(claims) ?? id,
    claims: groupsOf(claims, groupsClaim),
  };
}

/**
 * An e-mail address in lower case; null for what is none. Only plain ASCII: some letters become ASCII ones in lower
 * case (the Kelvin sign becomes k), so that an address of somebody else's would become this one.
 */
export function plainEmail(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > 320) return null;
  return /^[\x21-\x3f\x41-\x7e]+@[A-Za-z0-9.:[\]-]+$/.test(value) ? value.toLowerCase() : null;
}

/** A subject without the characters that ids must not have; different subjects stay different. */
export function plainSubject(subject: string): string {
  const plain = encodeURIComponent(subject).replaceAll('%3A', ':').replaceAll('%7C', '|');
  return plain.length <= 250 ? plain : hashSecret(subject);
}

/**
 * The values of a claim that names groups: a list, one text (separated by commas or spaces), or an object whose keys
 * name them. The claim may lie deeper: `realm_access.roles`. A claim whose own name holds dots is found first. Pure.
 */
export function groupsOf(claims: Claims, claim: string): readonly string[] {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : deeper(claims, claim.split('.'));
  return listOfGroups(value);
}

export function listOfGroups(value: unknown): readonly string[] {
  const texts = ((): readonly unknown[] => {
    if (typeof value === 'string') return value.split(/[\s,]+/);
    if (Array.isArray(value)) return value.map(nameInList);
    return typeof value === 'object' && value !== null ? Object.keys(value) : [];
  })();
  const groups = texts
    .filter((text): text is string => typeof text === 'string')
    // Half characters, which JSON can write, are none that the database takes.
    .map((text) => text.toWellFormed().trim())
    .filter((text) => text !== '' && text.length <= longestGroup && !text.includes('\0'));
  return [...new Set(groups)].slice(0, mostGroups);
}

/** `{ name: 'a' }` or `{ value: 'a' }` stand for `a`: some providers list objects. */
function nameInList(item: unknown): unknown {
  if (typeof item !== 'object' || item === null) return item;
  const { name, value } = item as { name?: unknown; value?: unknown };
  return name ?? value;
}

function deeper(value: unknown, path: readonly string[]): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return deeper((value as Claims)[key], rest);
}

function nameOf(claims: Claims): string | null {
  for (const key of ['name', 'preferred_username', 'nickname']) {
    const name = plainName(claims[key]);
    if (name !== null) return name;
  }
  return null;
}

/** A name as people read it: one line, no control or direction-changing characters, at most 200 characters. */
export function plainName(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const name = value
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
    .trim()
    .slice(0, 200);
  return name === '' ? null : name;
}
