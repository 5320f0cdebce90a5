import { execFile, execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** One `mkfifo` makes this many; it takes about 1.5 ms. */
const batch = 48;
const refillBelow = 12;

/** The command's end, a descriptor to hand over and then close, and the runner's end. */
export interface CommandPipe {
  readonly childFd: number;
  readonly ours: Socket;
}

/**
 * Real pipes for commands. Node's own are sockets, and programs that open `/dev/stdin`, `/dev/stdout` or `/dev/stderr` (`echo
 * … >/dev/stderr` in a script) fail on those with "No such device or address". Each is a named pipe that loses its name
 * before the command starts.
 */
export class PipeMaker {
  #names: string[] = [];
  #refilling = false;

  constructor() {
    try {
      const { directory, names } = planBatch();
      execFileSync('mkfifo', ['-m', '600', ...names], { cwd: directory, stdio: 'ignore' });
      this.#names = names;
    } catch {
      // No mkfifo here: commands get Node's pipes.
    }
  }

  /** A pipe the command writes to; null where none can be made. */
  output(): CommandPipe | null {
    return this.#make((name) => {
      const ours = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
      const childFd = openSync(name, constants.O_WRONLY);
      return { childFd, ours: new Socket({ fd: ours, readable: true, writable: false }) };
    });
  }

  /** A pipe the command reads from; null where none can be made. */
  input(): CommandPipe | null {
    return this.#make((name) => {
      const holder = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
      const ours = openSync(name, constants.O_WRONLY | constants.O_NONBLOCK);
      const childFd = openSync(name, constants.O_RDONLY);
      closeSync(holder);
      return { childFd, ours: new Socket({ fd: ours, readable: false, writable: true }) };
    });
  }

  #make(open: (name: string) => CommandPipe): CommandPipe | null {
    const name = this.#names.pop();
    if (this.#names.length < refillBelow) this.#refill();
    if (name === undefined) return null;
    try {
      return open(name);
    } catch {
      return null;
    } finally {
      remove(name);
    }
  }

  #refill(): void {
    if (this.#refilling) return;
    this.#refilling = true;
    try {
      const { directory, names } = planBatch();
      execFile('mkfifo', ['-m', '600', ...names], { cwd: directory }, (error) => {
        this.#refilling = false;
        if (error === null) this.#names = [...names, ...this.#names];
        else rmSync(directory, { recursive: true, force: true });
      });
    } catch {
      this.#refilling = false;
    }
  }
}

function planBatch(): { directory: string; names: string[] } {
  const directory = mkdtempSync(join(tmpdir(), '.berth-pipes-'));
  return { directory, names: Array.from({ length: batch }, (_, index) => join(directory, String(index))) };
}

function remove(name: string): void {
  try {
    unlinkSync(name);
    // Only the last one of a batch leaves the directory empty.
    rmdirSync(dirname(name));
  } catch {
    // Others of the batch are still there, or somebody inside removed it first.
  }
}

/**
 * Collects input that came whole into a file without a name and returns its descriptor. A file, because a named pipe
 * whose writer is done blocks a program that opens `/dev/stdin` for ever.
 */
export async function inputFile(stream: AsyncIterable<Buffer>): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), '.berth-input-'));
  const name = join(directory, 'stdin');
  try {
    const file = await open(name, 'wx', 0o600);
    try {
      for await (const chunk of stream) await file.writeFile(chunk);
    } finally {
      await file.close();
    }
    return openSync(name, constants.O_RDONLY);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
