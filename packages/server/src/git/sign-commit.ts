import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BerthError } from '../domain/errors/index.ts';
import { runProgram } from './run-program.ts';

/** Where a key may lie for a moment: in memory, where there is such a place. */
const keyPlaces = ['/dev/shm', tmpdir()];

/**
 * Signs a commit as `gpg.format=ssh` does. The one process that sees the key is `ssh-keygen`, and it sees nothing but the
 * key and the text of the commit, which Berth made itself: no byte of a sandbox is read beside a key. With an Ed25519 or
 * RSA key the same commit has the same signature.
 *
 * @param commit headers, an empty line and the message
 * @param key unencrypted private key, OpenSSH or PEM
 * @throws BerthError `SIGNING_FAILED`
 */
export async function signCommit(commit: string, key: string, signal: AbortSignal): Promise<string> {
  const parent = keyPlaces.find((place) => existsSync(place)) ?? tmpdir();
  const directory = await mkdtemp(join(parent, 'berth-sign-'));
  try {
    await chmod(directory, 0o700);
    const file = join(directory, 'key');
    await writeFile(file, `${key.replaceAll('\r\n', '\n').trimEnd()}\n`, { mode: 0o600 });
    const end = await runProgram(
      {
        program: 'ssh-keygen',
        argv: ['-q', '-Y', 'sign', '-n', 'git', '-f', file],
        cwd: directory,
        // No agent, no terminal and no program to ask for a passphrase.
        env: {
          PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
          HOME: directory,
          LC_ALL: 'C',
          SSH_ASKPASS_REQUIRE: 'force',
          SSH_ASKPASS: '/bin/false',
        },
        input: commit,
        inputFile: null,
        outputFile: null,
        maxOutputBytes: 64 * 1024,
        timeoutMs: 20_000,
      },
      signal,
    );
    signal.throwIfAborted();
    const signature = Buffer.from(end.stdout).toString('latin1').trim();
    if (
      end.exitCode !== 0 ||
      !/^-----BEGIN SSH SIGNATURE-----\n[\s\S]+\n-----END SSH SIGNATURE-----$/.test(signature)
    ) {
      // What it says may name the file, never the key.
      const said = end.isMissing ? 'there is no ssh-keygen' : (end.stderr.trim().split('\n').at(-1) ?? '');
      throw new BerthError('SIGNING_FAILED', undefined, {
        details: { said: said.replaceAll(directory, '') },
      });
    }
    return withSignature(commit, signature);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The signature as the last header; its lines after the first begin with a space. */
function withSignature(commit: string, signature: string): string {
  const end = commit.indexOf('\n\n');
  return `${commit.slice(0, end)}\ngpgsig ${signature.replaceAll('\n', '\n ')}${commit.slice(end)}`;
}
