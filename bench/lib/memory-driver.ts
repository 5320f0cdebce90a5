import { BerthError } from '../../packages/server/src/domain/errors/index.ts';
import type {
  ExecOptions,
  ExecRequest,
  ExecResult,
  Sandbox,
  SandboxDriver,
  SandboxSpec,
} from '../../packages/server/src/domain/ports/sandbox.ts';

/**
 * Sandboxes that are nothing but an object in this process: every command ends at once with 0, and delivering a
 * repository is believed. For measuring what a run costs its worker, apart from what its sandbox costs the machine.
 */
export class MemoryOnlyDriver implements SandboxDriver {
  readonly name = 'fake';
  readonly #sandboxes = new Map<string, Sandbox>();

  probe(): ReturnType<SandboxDriver['probe']> {
    return Promise.resolve({ ok: true, checks: [] });
  }

  create(spec: SandboxSpec): Promise<Sandbox> {
    const sandbox = memorySandbox(spec);
    this.#sandboxes.set(spec.id, sandbox);
    return Promise.resolve(sandbox);
  }

  attach({ id }: { readonly id: string }): Promise<Sandbox | null> {
    return Promise.resolve(this.#sandboxes.get(id) ?? null);
  }

  list(): ReturnType<SandboxDriver['list']> {
    // Nothing that a reconciler could remove.
    return Promise.resolve([]);
  }

  destroy(id: string): Promise<void> {
    this.#sandboxes.delete(id);
    return Promise.resolve();
  }
}

function memorySandbox(spec: SandboxSpec): Sandbox {
  const done = (): Promise<void> => Promise.resolve();
  const nothing = (): Promise<never> => Promise.reject(new BerthError('FILE_NOT_FOUND'));
  return {
    ref: { id: spec.id, driver: 'fake', bootId: 'memory', address: 'memory' },
    lost: new Promise(() => undefined),
    exec,
    kill: done,
    writeStdin: done,
    resize: done,
    calls: () => Promise.resolve([]),
    forget: done,
    read: nothing,
    readStream: async function* empty() {},
    write: async (_path, data) => {
      if (!(data instanceof Uint8Array)) for await (const _chunk of data);
    },
    stat: () => Promise.resolve(null),
    list: () => Promise.resolve([]),
    remove: done,
    stats: () => Promise.resolve({ diskBytes: 0, diskLimitBytes: 1, memoryBytes: 0, processes: 1 }),
    setEgress: () => undefined,
    onEgress: () => undefined,
    detach: done,
    destroy: done,
  };
}

async function exec(request: ExecRequest, options: ExecOptions): Promise<ExecResult> {
  options.signal.throwIfAborted();
  // A delivery is believed when it answers the commit it was given.
  const commit = 'argv' in request.command ? request.command.argv.find(isCommit) : undefined;
  if (commit !== undefined) {
    const data = Buffer.from(`${commit}\n`);
    await options.onOutput?.({ offset: 0, nextOffset: data.length, stream: 'stdout', data });
  }
  return {
    kind: 'exited',
    exitCode: 0,
    signal: null,
    timedOut: false,
    outOfMemory: false,
    truncated: false,
    durationMs: 0,
  };
}

const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);
