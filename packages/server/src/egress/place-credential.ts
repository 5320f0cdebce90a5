import type { BrokeredCredential } from '../domain/egress.ts';
import { credentialFor } from './decide.ts';
import type { Target } from './hosts.ts';
import { type RawHeaders, valuesOf } from './request-check.ts';

/** The parts of a request that can carry a credential. */
export interface CredentialParts {
  /** Origin form, query included. */
  readonly path: string;
  readonly headers: RawHeaders;
}

export type PlacedCredential =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'use';
      readonly credential: BrokeredCredential;
      /** The request with the real value in place. */
      readonly put: (value: string) => CredentialParts;
    }
  /** It must not go out: what was meant is not clear, or a placeholder would reach a place it is not for. */
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * Finds the credential of a request and its place. What a tool sent there is the placeholder or nothing; another value
 * is refused, since one of both would be lost in silence. A placeholder anywhere else, in any spelling that is undone on
 * the way (percent-encoding, Basic), is refused too. Pure; bodies are not looked at.
 */
export function placeCredential(
  credentials: readonly BrokeredCredential[],
  target: Target,
  request: CredentialParts,
): PlacedCredential {
  if (credentials.length === 0) return { kind: 'none' };
  const choice = credentialFor(credentials, target, request);
  if (choice.kind === 'refused') return choice;
  if (choice.kind === 'none') return straysIn(credentials, request) ?? { kind: 'none' };
  const { credential } = choice;
  const slot = slotOf(credential, request);
  if (typeof slot === 'string') return { kind: 'refused', reason: slot };
  return straysIn(credentials, slot.rest) ?? { kind: 'use', credential, put: slot.put };
}

interface Slot {
  /** The request without what is in the credential's place. */
  readonly rest: CredentialParts;
  readonly put: (value: string) => CredentialParts;
}

/** The place in the request, or why it is not clear. */
function slotOf(credential: BrokeredCredential, request: CredentialParts): Slot | string {
  const { placement, placeholder, name } = credential;
  const another = (what: string): string =>
    `the request carries another value in ${what}, where the credential ${name} belongs`;
  switch (placement.in) {
    case 'header': {
      const values = valuesOf(request.headers, placement.name.toLowerCase());
      const expected = [placement.prefix + placeholder, placeholder];
      const fits = (value: string): boolean =>
        expected.some((one) => one.toLowerCase() === value.trim().toLowerCase());
      if (values.length > 1 || !values.every(fits)) return another(`the header ${placement.name}`);
      return headerSlot(request, placement.name, (value) => placement.prefix + value);
    }
    case 'basic': {
      const values = valuesOf(request.headers, 'authorization');
      const fits = (value: string): boolean => basicPair(value) === `${placement.username}:${placeholder}`;
      if (values.length > 1 || !values.every(fits)) return another('the header authorization');
      return headerSlot(
        request,
        'Authorization',
        (value) => `Basic ${Buffer.from(`${placement.username}:${value}`).toString('base64')}`,
      );
    }
    case 'query': {
      const [path = '', ...queries] = request.path.split('?');
      const pairs = queries
        .join('?')
        .split('&')
        .filter((pair) => pair !== '');
      const mine = pairs.filter((pair) => decoded(pair.split('=', 1)[0]!) === placement.name);
      const fits = (pair: string): boolean => decoded(pair.slice(pair.indexOf('=') + 1)) === placeholder;
      if (mine.length > 1 || !mine.every(fits)) return another(`the query parameter ${placement.name}`);
      const others = pairs.filter((pair) => !mine.includes(pair));
      const withPairs = (list: readonly string[]): CredentialParts => ({
        headers: request.headers,
        path: list.length === 0 ? path : `${path}?${list.join('&')}`,
      });
      return {
        rest: withPairs(others),
        put: (value) => withPairs([...others, `${placement.name}=${encodeURIComponent(value)}`]),
      };
    }
    default:
      return placement satisfies never;
  }
}

function headerSlot(request: CredentialParts, name: string, write: (value: string) => string): Slot {
  const headers: string[] = [];
  let spelling = name;
  for (let at = 0; at + 1 < request.headers.length; at += 2) {
    if (request.headers[at]!.toLowerCase() === name.toLowerCase()) spelling = request.headers[at]!;
    else headers.push(request.headers[at]!, request.headers[at + 1]!);
  }
  return {
    rest: { path: request.path, headers },
    put: (value) => ({ path: request.path, headers: [...headers, spelling, write(value)] }),
  };
}

/** A placeholder in a place that it is not for. */
function straysIn(
  credentials: readonly BrokeredCredential[],
  { path, headers }: CredentialParts,
): Extract<PlacedCredential, { kind: 'refused' }> | null {
  const texts = [path, ...headers].flatMap((text) => [text, decoded(text), basicPair(text) ?? '']);
  const stray = credentials.find(({ placeholder }) =>
    texts.some((text) => text.toLowerCase().includes(placeholder.toLowerCase())),
  );
  if (stray === undefined) return null;
  return {
    kind: 'refused',
    reason: `the placeholder of the credential ${stray.name} stands where that credential is not put`,
  };
}

/** Percent-encoding undone where it can be; `+` is a space in queries. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

/** `user:password` of a Basic header; null when it is something else. */
function basicPair(value: string): string | null {
  const match = /^\s*basic\s+([A-Za-z0-9+/_=-]+)\s*$/i.exec(value);
  return match === null ? null : Buffer.from(match[1]!, 'base64').toString('utf8');
}
