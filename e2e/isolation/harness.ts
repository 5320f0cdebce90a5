import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Sandbox, SandboxRef, SandboxSpec } from '../../packages/server/src/domain/ports/sandbox.ts';
import { execRequest, runToEnd, type Ran } from '../../packages/server/src/testing/exec-helper.ts';

/** What must never be found inside unless it was forwarded. */
export const canary = `canary-${Math.random().toString(36).slice(2)}${Date.now().toString(36)}`;

/** A worker of its own with secrets in its environment, home, and descriptors; it makes one sandbox. */
export async function startWorker(
  { stateDirectory, engine }: { readonly stateDirectory: string; readonly engine: string | null },
  spec: SandboxSpec,
): Promise<{
  readonly worker: ChildProcess;
  readonly ref: SandboxRef;
  readonly home: string;
  readonly cleanUp: () => void;
}> {
  const home = mkdtempSync(join(homedir(), '.berth-test-home-'));
  const files = [
    '.npmrc',
    '.netrc',
    '.ssh/id_ed25519',
    '.aws/credentials',
    '.cargo/credentials.toml',
    '.config/gh/hosts.yml',
    '.docker/config.json',
    'secret',
  ];
  for (const name of files) {
    mkdirSync(dirname(join(home, name)), { recursive: true });
    writeFileSync(join(home, name), `token = ${canary}\n`);
  }
  mkdirSync(join(home, '.cargo/bin'));
  writeFileSync(join(home, '.cargo/bin/from-home'), '#!/bin/sh\necho from home\n', { mode: 0o755 });
  const descriptor = openSync(join(home, 'secret'), 'r');
  const worker = spawn(
    process.execPath,
    [resolve(import.meta.dirname, 'worker.ts'), stateDirectory, JSON.stringify(spec), engine ?? ''],
    {
      env: {
        ...process.env,
        HOME: home,
        PATH: `${home}/.cargo/bin:${process.env['PATH']}`,
        ANTHROPIC_API_KEY: canary,
        GITHUB_TOKEN: canary,
        npm_config__authToken: canary,
        SSH_AUTH_SOCK: `/tmp/${canary}`,
      },
      stdio: ['pipe', 'pipe', 'inherit', 'ignore', 'ignore', descriptor, descriptor],
    },
  );
  const ref = await new Promise<SandboxRef>((done, fail) => {
    let said = '';
    worker.stdout!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('\n')) done(JSON.parse(said.split('\n')[0]!) as SandboxRef);
    });
    worker.once('exit', (code) => fail(new Error(`the worker ended with ${code}: ${said}`)));
  });
  return {
    worker,
    ref,
    home,
    cleanUp: () => {
      worker.kill('SIGKILL');
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Runs a script inside and returns all it printed, with how it ended. */
export async function inside(
  sandbox: Sandbox,
  script: string,
  overrides: Parameters<typeof execRequest>[1] = {},
): Promise<{ readonly text: string; readonly result: Ran['result'] }> {
  const ran = await runToEnd(
    sandbox,
    execRequest(script, { id: `i-${Math.random().toString(36).slice(2)}`, ...overrides }),
  );
  return { text: ran.stdout.toString() + ran.stderr.toString(), result: ran.result };
}

/** Runs a program of Node's language inside, with arguments. */
export async function nodeInside(
  sandbox: Sandbox,
  program: string,
  ...args: readonly string[]
): Promise<string> {
  const ran = await runToEnd(
    sandbox,
    execRequest(['node', '-e', program, ...args], { id: `n-${Math.random().toString(36).slice(2)}` }),
  );
  return ran.stdout.toString() + ran.stderr.toString();
}

/** A program for inside: asks the door for an address as plain HTTP and prints status and answer. */
export const askDoor = `
const [url, host] = process.argv.slice(1);
require('http').get({ host: '127.0.0.1', port: 3128, path: url, headers: { host: host ?? new URL(url).host } }, (r) => {
  let text = ''; r.on('data', (c) => (text += c)); r.on('end', () => console.log(r.statusCode, text));
}).on('error', (e) => console.log(e.message));`;
