import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

/** Set-up on machines that lack something: the scripts are real, the programs they call are made up. */
let checkout: string;
let programs: string;

beforeEach(() => {
  checkout = join(mkdtempSync(join(tmpdir(), 'berth set-up ')), 'a clone');
  programs = join(checkout, '..', 'programs');
  for (const directory of [programs, join(checkout, 'scripts'), join(checkout, 'packages/one')]) {
    mkdirSync(directory, { recursive: true });
  }
  for (const name of ['setup.sh', 'install-dependencies.sh']) {
    copyFileSync(join(import.meta.dirname, name), join(checkout, 'scripts', name));
  }
  script(join(checkout, 'scripts/ensure-sandbox-driver.sh'), 'exit 0');
  writeFileSync(join(checkout, 'package-lock.json'), '{}');
  writeFileSync(join(checkout, 'packages/one/package.json'), '{}');
  program('node', 'echo v20.19.0');
  program('git', 'exit 0');
  program('npm', `${install}echo "added 195 packages in 14s"`);
});
afterEach(() => rmSync(join(checkout, '..'), { recursive: true, force: true }));

const install =
  'echo installed >>installs; mkdir -p node_modules/.bin; printf "#!/bin/sh\\necho built\\n" >node_modules/.bin/node; chmod +x node_modules/.bin/node; ';

function script(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}

function program(name: string, text: string): void {
  script(join(programs, name), text);
}

function setup(env: Record<string, string> = {}): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('/bin/sh', [join(checkout, 'scripts/setup.sh')], {
    cwd: '/',
    encoding: 'utf8',
    env: { PATH: `${programs}:/usr/bin:/bin`, HOME: join(checkout, '..'), ...env },
  });
}

test('dependencies are installed once, and again when the lock file changes', () => {
  expect(setup()).toMatchObject({ status: 0, stdout: expect.stringContaining('built') });
  expect(setup().stderr).toBe('');
  writeFileSync(join(checkout, 'package-lock.json'), '{ }');
  expect(setup().stderr).toContain('npm ci');
  expect(readFileSync(join(checkout, 'installs'), 'utf8')).toBe('installed\ninstalled\n');
});

test('a Node that is too old, or does not start, is named with its place', () => {
  program('node', 'echo v18.19.0');
  expect(setup()).toMatchObject({ status: 1, stderr: expect.stringContaining('this is v18.19.0') });
  program('node', 'exit 1');
  expect(setup().stderr).toContain(`one that does not start (${programs}/node)`);
});

test.each([
  ['getaddrinfo EAI_AGAIN registry.example', 'cannot reach its package registry'],
  ['ENOSPC: no space left on device, write', 'the disk is full'],
  ['EACCES: permission denied, mkdir', 'may not write'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'NODE_EXTRA_CA_CERTS'],
  ['404 Not Found - GET left-pad: E404', 'refused or lacks a package'],
  ['something else', 'npm ci failed'],
])('npm says "%s": %s', (said, next) => {
  program('npm', `echo "npm error ${said}" >&2; exit 1`);
  const { status, stderr } = setup();
  expect(status).toBe(1);
  expect(stderr).toContain(said);
  expect(stderr).toContain(`setup: `);
  expect(stderr).toContain(next);
  program('npm', install);
  expect(setup().status).toBe(0);
});

test('a package that npm could write only in part is no success, whatever npm says', () => {
  program('npm', `${install}echo "npm warn tar TAR_ENTRY_ERROR ENOSPC: no space left on device, write"`);
  expect(setup()).toMatchObject({ status: 1, stderr: expect.stringContaining('the disk is full') });
  expect(existsSync(join(checkout, 'node_modules/.berth-installed'))).toBe(false);
});

test('without a home that can be written, npm gets a cache for the time being', () => {
  program('npm', `${install}echo "$npm_config_cache" >cache`);
  expect(setup({ HOME: '/proc/nobody' }).status).toBe(0);
  const cache = readFileSync(join(checkout, 'cache'), 'utf8').trim();
  expect(cache).not.toBe('');
  expect(existsSync(cache)).toBe(false);
});
