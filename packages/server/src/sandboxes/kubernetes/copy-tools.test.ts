import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { toolEntries, toolPaths } from '../tools/layout.ts';
import { toolsDirectory } from '../tools/index.ts';
import { podPaths } from './pod-spec.ts';
import { copyToolsArgv } from './tools-probe.ts';

const isMissing = !existsSync('/usr/bin/bwrap') || process.getuid?.() !== 0;
const [target, home, empty] = ['copied', 'tools', 'empty'].map((name) =>
  mkdtempSync(join(tmpdir(), `berth-${name}-`)),
) as [string, string, string];
afterAll(() => {
  for (const path of [target, home, empty]) rmSync(path, { recursive: true, force: true });
});

/** A container of the image, as a node starts it: its root and nothing else, the volume where it is mounted, another user. */
function inImage(root: string, volume: readonly string[], argv: readonly string[]): string {
  const entries = readdirSync(root).flatMap((name) => ['--ro-bind', join(root, name), `/${name}`]);
  const apart = ['--unshare-all', '--uid', '65532', '--gid', '65532', '--cap-drop', 'ALL', '--clearenv'];
  return execFileSync(
    'bwrap',
    [
      ...apart,
      '--tmpfs',
      '/',
      ...entries,
      ...volume,
      '--proc',
      '/proc',
      '--dev',
      '/dev',
      '--remount-ro',
      '/',
      ...argv,
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
  );
}

test.skipIf(isMissing)(
  'the init container brings tools that run in an image without any (bwrap or root is missing)',
  async () => {
    const tools = await toolsDirectory(home);
    expect(toolEntries.filter((name) => name !== 'git')).toEqual(
      readdirSync(tools).filter((name) => name !== 'git'),
    );
    chmodSync(target, 0o777);
    inImage(tools, ['--bind', target, podPaths.tools], copyToolsArgv);
    expect(readdirSync(target)).toEqual(readdirSync(tools));
    // An image of nothing: what runs in it, the volume brought.
    const mounted = ['--ro-bind', target, podPaths.tools];
    expect(inImage(empty, mounted, [toolPaths.node, '-p', '6 * 7'])).toBe('42\n');
    expect(inImage(empty, mounted, [toolPaths.shell, '-c', 'echo shell'])).toBe('shell\n');
    // What `work` and sandboxd are started with lies where they look for it.
    const started = [toolPaths.runner, toolPaths.sandboxd].map((path) =>
      path.replace(podPaths.tools, target),
    );
    expect(started.filter((path) => !existsSync(path))).toEqual([]);
  },
);
