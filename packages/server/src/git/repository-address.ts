import { homedir } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BerthError } from '../domain/errors/index.ts';
import type { Transport } from './git-environment.ts';

export type RepositoryAddress =
  | { readonly kind: 'local'; readonly path: string; readonly shown: string }
  | {
      readonly kind: 'remote';
      readonly transport: Transport;
      /** For git; may hold credentials, so it is never shown or stored. */
      readonly url: string;
      readonly shown: string;
    };

const scpForm = /^(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9.-]+:(?!\/\/)[^\s]+$/;

function refused(text: string): BerthError {
  return new BerthError(
    'REPO_ADDRESS_INVALID',
    `"${withoutCredentials(text).slice(0, 200)}" is not an address of a git repository.`,
  );
}

/**
 * Reads an address as people give it: a path, `file://`, `https://`, `http://`, `ssh://` or `user@host:path`.
 * Nothing else is passed to git (`ext::` would execute a program, a leading dash would be an option).
 *
 * @param cwd where relative paths start.
 * @throws BerthError `REPO_ADDRESS_INVALID`
 */
export function parseAddress(text: string, cwd: string): RepositoryAddress {
  const hasControl = Array.from(text).some((character) => character < ' ' || character === '\x7f');
  if (text.trim() === '' || text.startsWith('-') || text.includes('\0')) throw refused(text);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'file':
      return localFromUrl(text);
    case 'https':
    case 'http':
    case 'ssh': {
      if (hasControl) throw refused(text);
      const url = URL.parse(text);
      if (url === null || url.hostname === '' || url.hostname.startsWith('-') || url.username.startsWith('-'))
        throw refused(text);
      return { kind: 'remote', transport: scheme, url: text, shown: withoutCredentials(text) };
    }
    case undefined:
      break;
    default:
      throw refused(text);
  }
  const looksLocal = isAbsolute(text) || text.startsWith('.') || text.startsWith('~');
  if (!looksLocal && /^[A-Za-z0-9]+::/.test(text)) throw refused(text);
  if (!looksLocal && !hasControl && scpForm.test(text) && !/^[^:]*\//.test(text)) {
    return { kind: 'remote', transport: 'ssh', url: text, shown: text };
  }
  const path = text === '~' || text.startsWith('~/') ? homedir() + text.slice(1) : text;
  const absolute = resolve(cwd, path);
  return { kind: 'local', path: absolute, shown: absolute };
}

function localFromUrl(text: string): RepositoryAddress {
  try {
    const path = fileURLToPath(text);
    return { kind: 'local', path, shown: path };
  } catch {
    throw refused(text);
  }
}

/** The text with user names and passwords of URLs removed. */
export function withoutCredentials(text: string): string {
  return text
    .replaceAll(/(https?:\/\/)[^\s/@'"]+@/gi, '$1')
    .replaceAll(/(ssh:\/\/[^\s/@:'"]+):[^\s/@'"]*@/gi, '$1@');
}
