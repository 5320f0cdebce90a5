import { writeFileSync } from 'node:fs';
import { insideHome, insideUser } from '../local/etc-files.ts';
import type { Place } from '../local/place.ts';
import type { SandboxImage } from './image.ts';

/** Writes the files of `/etc` that a sandbox has of its own, over those of the image. */
export function writeEtc(
  place: Place,
  image: Pick<SandboxImage, 'passwd' | 'group'>,
  user: { readonly uid: number; readonly gid: number },
  searchPath: string,
  serviceNames: readonly string[] = [],
): void {
  const write = (name: string, text: string): void =>
    writeFileSync(place.path('etc', name), text, { mode: 0o644 });
  write('passwd', passwdOf(image.passwd, user));
  write('group', groupOf(image.group, user.gid));
  write('hosts', `127.0.0.1 ${['localhost', 'sandbox', ...serviceNames].join(' ')}\n::1 localhost sandbox\n`);
  // No resolver: names are resolved by the proxy, and a lookup fails at once.
  write('resolv.conf', '');
  write('profile.sh', profileOf(searchPath));
}

/** The image's users, and the sandbox's own, who takes the place of whoever has his number or name. */
export function passwdOf(image: string, { uid, gid }: { uid: number; gid: number }): string {
  const others = linesOf(image).filter((line) => {
    const [name, , number] = line.split(':');
    return name !== insideUser && Number(number) !== uid;
  });
  if (!others.some((line) => line.startsWith('root:')) && uid !== 0)
    others.unshift('root:x:0:0:root:/root:/bin/sh');
  return [...others, `${insideUser}:x:${uid}:${gid}:agent:${insideHome}:/bin/sh`, ''].join('\n');
}

export function groupOf(image: string, gid: number): string {
  const others = linesOf(image).filter((line) => {
    const [name, , number] = line.split(':');
    return name !== insideUser && Number(number) !== gid;
  });
  return [...others, `${insideUser}:x:${gid}:`, ''].join('\n');
}

/**
 * Login shells set PATH anew (`/etc/profile` of Debian and Alpine) and then read `/etc/profile.d`: here they get back what
 * every other command has, the image's own directories and Berth's tools.
 */
export function profileOf(searchPath: string): string {
  return `PATH='${searchPath.replaceAll("'", `'\\''`)}'\nexport PATH\n`;
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line.includes(':'));
}
