import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type Docker from 'dockerode';
import { readFile, type SandboxImage } from './image.ts';

/** Where the tools of package ecosystems keep an account's own settings, in its home directory. */
const settingsFiles = [
  '.npmrc',
  '.config/pip/pip.conf',
  '.pip/pip.conf',
  '.config/go/env',
  '.cargo/config.toml',
  '.m2/settings.xml',
] as const;

/** The home of the account that an image is meant for: what it says itself, else its user's, else root's. */
export function homeOf(image: Pick<SandboxImage, 'env' | 'passwd' | 'user'>): string {
  const said = image.env['HOME'];
  if (said !== undefined && said.startsWith('/')) return said;
  const [user = ''] = image.user.split(':');
  for (const line of image.passwd.split('\n')) {
    const [name, , uid, , , home = ''] = line.split(':');
    if (user !== '' && (name === user || uid === user) && home.startsWith('/')) return home;
  }
  return '/root';
}

/**
 * Copies the settings of the image's account to a directory that any user can read: the account's own is often closed to
 * all others, and nothing of an image runs as root.
 */
export async function copySettings(
  container: Docker.Container,
  image: Pick<SandboxImage, 'env' | 'passwd' | 'user'>,
  directory: string,
): Promise<void> {
  const home = homeOf(image);
  const cargo = image.env['CARGO_HOME'];
  for (const name of settingsFiles) {
    let text = await readFile(container, join(home, name));
    if (name.startsWith('.cargo/') && cargo?.startsWith('/') === true)
      text = (await readFile(container, join(cargo, 'config.toml'))) || text;
    if (text === '') continue;
    const file = join(directory, name);
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    writeFileSync(file, text, { mode: 0o644 });
  }
}
