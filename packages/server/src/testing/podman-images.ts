import { execFile, spawn } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Programs of this machine that the glibc image has; what is missing here is missing there. */
const programs =
  'sh bash env cat ls grep sed tr head tail cut wc sleep seq xargs touch mkdir mkfifo rm rmdir mv cp ln readlink stat dd ' +
  'du df sha256sum printf test expr echo true false id whoami find chmod chown sort uniq kill setsid nohup script stty tty ' +
  'timeout date uname hostname mktemp tee awk tar perl od nproc realpath basename dirname getent ' +
  'unshare mount umount chroot su mknod';

/** Makes the images of the tests out of this machine's programs: about 10 MB, and no registry. */
export async function importImages(
  root: string,
  env: NodeJS.ProcessEnv,
  names: { readonly debian: string; readonly busybox: string },
): Promise<void> {
  const staging = join(root, 'staging');
  await Promise.all([
    debian(join(staging, 'debian')).then((files) =>
      importTar(names.debian, join(staging, 'debian'), files, env),
    ),
    importTar(names.busybox, busybox(join(staging, 'busybox')), [], env),
  ]);
  rmSync(staging, { recursive: true, force: true });
}

/** Everything that the programs and their libraries are, by paths without links of directories in them. */
async function debian(directory: string): Promise<string[]> {
  for (const path of ['etc/profile.d', 'usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64', 'tmp', 'root', 'var'])
    mkdirSync(join(directory, path), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(directory, name));
  for (const file of ['/etc/profile', '/etc/bash.bashrc', '/etc/os-release'])
    if (existsSync(file)) copyFileSync(file, join(directory, file));
  writeFileSync(join(directory, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/bash\n');
  writeFileSync(join(directory, 'etc/group'), 'root:x:0:\n');
  const files = new Set<string>();
  const add = (path: string): void => void files.add(join(realpathSync(dirname(path)), basename(path)));
  const found = programs
    .split(' ')
    .flatMap(
      (name) => ['/usr/bin', '/bin', '/usr/sbin'].map((place) => join(place, name)).find(existsSync) ?? [],
    );
  for (const path of found) add(path);
  // Without it perl complains about the locale that every sandbox has.
  if (existsSync('/usr/lib/locale/C.utf8')) files.add('/usr/lib/locale/C.utf8');
  const { stdout } = await run('ldd', found).catch((error: { stdout: string }) => error);
  for (const [, path] of stdout.matchAll(/(\/\S+) \(0x/g)) add(path!);
  return [...files];
}

function busybox(directory: string): string {
  mkdirSync(join(directory, 'bin'), { recursive: true });
  for (const path of ['etc', 'tmp', 'lib']) mkdirSync(join(directory, path));
  writeFileSync(join(directory, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n');
  copyFileSync('/bin/busybox', join(directory, 'bin/busybox'));
  const applets = programs
    .split(' ')
    .filter(
      (name) =>
        !['bash', 'perl', 'script', 'getent', 'su', 'unshare', 'mount', 'umount', 'chroot', 'mknod'].includes(
          name,
        ),
    );
  for (const name of applets) symlinkSync('busybox', join(directory, 'bin', name));
  const musl = `/lib/ld-musl-${process.arch === 'x64' ? 'x86_64' : 'aarch64'}.so.1`;
  if (existsSync(musl)) copyFileSync(realpathSync(musl), join(directory, musl));
  return directory;
}

/** Makes a busybox image with more in it: programs and settings by path, links to directories of this machine by path. */
export async function importExtraImage(
  name: string,
  root: string,
  env: NodeJS.ProcessEnv,
  more: {
    readonly files?: Readonly<Record<string, { readonly text: string; readonly mode?: number }>>;
    /** Directories of this machine, by where their contents go. */
    readonly copies?: Readonly<Record<string, string>>;
    /** Links by where they are, to where they lead (relative). */
    readonly links?: Readonly<Record<string, string>>;
    /** Programs whose libraries go along, by their own paths. */
    readonly libraries?: readonly string[];
    /** Dockerfile instructions: `ENV A=b`, `VOLUME /data`, `CMD […]`. */
    readonly changes?: readonly string[];
  },
): Promise<void> {
  const staging = join(root, `staging-${basename(name).replaceAll(':', '-')}`);
  busybox(staging);
  for (const [path, { text, mode = 0o644 }] of Object.entries(more.files ?? {})) {
    const file = join(staging, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode });
  }
  for (const [target, source] of Object.entries(more.copies ?? {})) {
    mkdirSync(dirname(join(staging, target)), { recursive: true });
    cpSync(source, join(staging, target), { recursive: true, dereference: true });
  }
  for (const [path, target] of Object.entries(more.links ?? {}))
    if (!existsSync(join(staging, path))) symlinkSync(target, join(staging, path));
  const files = new Set<string>();
  for (const program of more.libraries ?? []) {
    const { stdout } = await run('ldd', [program]);
    for (const [, path] of stdout.matchAll(/(\/\S+) \(0x/g))
      if (!path!.startsWith(dirname(dirname(program)))) files.add(path!);
  }
  await importTar(name, staging, [...files], env, more.changes);
  rmSync(staging, { recursive: true, force: true });
}

/** Makes an image of one folder with a text in it: no shell, no program, as distroless ones are. */
export async function importBareImage(name: string, root: string, env: NodeJS.ProcessEnv): Promise<void> {
  const staging = join(root, `staging-${basename(name).replaceAll(':', '-')}`);
  mkdirSync(join(staging, 'etc'), { recursive: true });
  writeFileSync(join(staging, 'etc/passwd'), 'root:x:0:0:root:/:/nologin\n');
  await importTar(name, staging, [], env);
  rmSync(staging, { recursive: true, force: true });
}

async function importTar(
  name: string,
  staging: string,
  files: readonly string[],
  env: NodeJS.ProcessEnv,
  changes: readonly string[] = [],
): Promise<void> {
  const archive = `${staging}.tar`;
  await run('tar', ['-cf', archive, '--owner=0', '--group=0', '-C', staging, '.']);
  if (files.length > 0) {
    const list = `${staging}.list`;
    writeFileSync(list, files.map((file) => `${file.slice(1)}\n`).join(''));
    await run('tar', ['-rhf', archive, '--hard-dereference', '-C', '/', '-T', list]);
  }
  await new Promise<void>((resolve, reject) => {
    const change = ['ENV PATH=/usr/local/bin:/usr/bin:/bin', 'ENV FROM_IMAGE=yes', ...changes].flatMap(
      (one) => ['--change', one],
    );
    const child = spawn('podman', ['import', ...change, archive, name], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`podman import: ${said}`))));
  });
}
