import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildTools } from '../packages/server/src/sandboxes/tools/index.ts';
import { writeOciImage } from './oci-image.ts';

/** What the contract of sandboxes, git and ordinary scripts call. */
const programs =
  'bash sh env cat ls grep sed tr head tail cut wc sleep seq xargs touch mkdir mkfifo rm rmdir mv cp ln readlink stat dd du ' +
  'df sha256sum printf test expr echo true false id find chmod chown sort uniq kill setsid nohup script stty tty timeout ' +
  'date uname mktemp tee perl od nproc realpath basename dirname git tar gzip';

const [toolsArchive, workArchive] = process.argv.slice(2);
if (toolsArchive === undefined || workArchive === undefined) {
  process.stderr.write('usage: npm run tools:image -- TOOLS.tar WORK.tar\n');
  process.exit(2);
}

const directory = mkdtempSync(join(tmpdir(), 'berth-images-'));
try {
  const tools = join(directory, 'tools');
  mkdirSync(tools);
  await buildTools(tools);
  const layer = join(directory, 'tools.tar');
  execFileSync('tar', ['-cf', layer, '--owner=0', '--group=0', '-C', tools, '.']);
  writeOciImage(layer, 'localhost/berth-tools:1', toolsArchive);
  writeOciImage(workLayer(join(directory, 'work')), 'localhost/berth-work:1', workArchive);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

/** Programs of this machine with their libraries: an image that no registry is asked for. */
function workLayer(root: string): string {
  for (const path of [
    'etc',
    'usr/bin',
    'usr/lib',
    'usr/lib64',
    'usr/sbin',
    'tmp',
    'workspace',
    'home/agent',
    'var/tmp',
    'run',
  ])
    mkdirSync(join(root, path), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(root, name));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/bash\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n');
  const found = programs
    .split(' ')
    .flatMap((name) => ['/usr/bin', '/bin'].map((place) => join(place, name)).find(existsSync) ?? []);
  const listed = found.flatMap((path) => {
    try {
      const text = execFileSync('ldd', [path], { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
      return [...text.matchAll(/(\/\S+) \(0x/g)].map(([, library]) => library!);
    } catch {
      return [];
    }
  });
  const real = (path: string): string => path.replace(/^\/(bin|sbin|lib|lib64)\//, '/usr/$1/').slice(1);
  const list = join(root, '..', 'work.list');
  const files = new Set([...found, ...listed].map(real));
  for (const extra of ['usr/share/perl-base', 'usr/share/terminfo'])
    if (existsSync(`/${extra}`)) files.add(extra);
  writeFileSync(list, [...files].map((file) => `${file}\n`).join(''));
  const layer = join(root, '..', 'work.tar');
  execFileSync('tar', ['-cf', layer, '--owner=0', '--group=0', '-C', root, '.']);
  execFileSync('tar', ['-rhf', layer, '--owner=0', '--group=0', '--hard-dereference', '-C', '/', '-T', list]);
  return layer;
}
