import { createHash, randomUUID } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { GitTarget } from '../domain/ports/forge.ts';
import { trusted } from '../net/exchange.ts';

/**
 * Address and environment for git with a token: as a header that only requests to exactly this origin get, given by
 * variables: neither in arguments nor in the address nor in a file. Redirects are not followed: git would send the
 * header to wherever they lead.
 * @param url of the repository, http(s), without credentials
 * @param caFile certificates that git trusts, in place of the system's; null: the system's
 */
export function targetWithToken(url: string, user: string, token: string, caFile: string | null): GitTarget {
  const { origin } = new URL(url);
  const basic = Buffer.from(`${user}:${token}`).toString('base64');
  const settings: readonly (readonly [string, string])[] = [
    [`http.${origin}/.extraHeader`, `Authorization: Basic ${basic}`],
    ['http.followRedirects', 'false'],
    ['credential.helper', ''],
    ['credential.interactive', 'false'],
  ];
  const env: Record<string, string> = { GIT_CONFIG_COUNT: String(settings.length) };
  for (const [place, [key, value]] of settings.entries()) {
    env[`GIT_CONFIG_KEY_${place}`] = key;
    env[`GIT_CONFIG_VALUE_${place}`] = value;
  }
  if (caFile !== null) env['GIT_SSL_CAINFO'] = caFile;
  return { url, env };
}

/** Writes what the machine trusts and `ca` beside it into one file, as git wants it; made once for each content. */
export async function certificateFile(home: string, ca: string): Promise<string> {
  const text = `${[...trusted(), ca].map((one) => one.trim()).join('\n')}\n`;
  const directory = join(home, 'forges');
  const name = `ca-${createHash('sha256').update(text).digest('hex').slice(0, 24)}.pem`;
  const path = join(directory, name);
  if (existsSync(path)) return path;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const temporary = join(directory, `.${name}.${randomUUID()}`);
  await writeFile(temporary, text, { mode: 0o644 });
  await rename(temporary, path);
  return path;
}
