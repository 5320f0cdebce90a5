import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const here = import.meta.dirname;
const output = resolve(here, '..', 'dist');
const sourceDirectories = [here, resolve(here, '..', '..', 'protocol', 'src')];

/** The two programs of a sandbox, each one file that needs only Node's own modules. */
export interface SandboxdBundle {
  readonly sandboxd: string;
  readonly runner: string;
}

const bundle: SandboxdBundle = { sandboxd: join(output, 'sandboxd.mjs'), runner: join(output, 'runner.mjs') };
let building: Promise<SandboxdBundle> | null = null;

function newestSourceMs(): number {
  let newest = 0;
  for (const directory of sourceDirectories) {
    for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
      if (name.endsWith('.ts') && !name.endsWith('.test.ts')) {
        newest = Math.max(newest, statSync(join(directory, name)).mtimeMs);
      }
    }
  }
  return newest;
}

function isFresh(): boolean {
  const newest = newestSourceMs();
  return Object.values(bundle).every((file) => existsSync(file) && statSync(file).mtimeMs > newest);
}

/**
 * The paths of the bundled programs; builds them when a source is newer (about 50 ms), otherwise only compares times
 * (about 2 ms). Concurrent builds, also of several processes, are harmless: files are replaced whole.
 */
export function sandboxdBundle(): Promise<SandboxdBundle> {
  building ??= build().finally(() => {
    building = null;
  });
  return building;
}

async function build(): Promise<SandboxdBundle> {
  if (isFresh()) return bundle;
  const { build: esbuild } = await import('esbuild');
  await mkdir(output, { recursive: true });
  for (const [name, target] of Object.entries(bundle) as Array<[keyof SandboxdBundle, string]>) {
    const temporary = `${target}.${process.pid}.tmp`;
    try {
      await esbuild({
        entryPoints: [join(here, name, 'main.ts')],
        outfile: temporary,
        bundle: true,
        platform: 'node',
        target: 'node20',
        format: 'esm',
        legalComments: 'none',
        logLevel: 'silent',
      });
      await rename(temporary, target);
    } finally {
      await rm(temporary, { force: true });
    }
  }
  return bundle;
}
