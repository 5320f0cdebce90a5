import { BerthError } from '../../packages/server/src/domain/errors/index.ts';
import type {
  ExecOptions,
  ExecRequest,
  ExecResult,
  Sandbox,
  SandboxDriver,
  SandboxSpec,
} from '../../packages/server/src/domain/ports/sandbox.ts';

/** What a pretended command prints, when it is done; called once for each call that a sandbox is given. */
export type Pretend = (request: ExecRequest) => Promise<string>;

/**
 * Sandboxes that are nothing but an object in this process: every command ends with 0 (at once and silently, unless
 * `pretend` says otherwise), delivering a repository is believed, and a checkpoint holds the base. For measuring what a run costs its worker, apart
 * from what its sandbox costs the machine. As in a real one, a call that is given again is attached to.
 */
export class MemoryOnlyDriver implements SandboxDriver {
  readonly name = 'fake';
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #pretend: Pretend;

  constructor(pretend: Pretend = () => Promise.resolve('')) {
    this.#pretend = pretend;
  }

  probe(): ReturnType<SandboxDriver['probe']> {
    return Promise.resolve({ ok: true, checks: [] });
  }

  create(spec: SandboxSpec): Promise<Sandbox> {
    const sandbox = memorySandbox(spec, this.#pretend);
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

function memorySandbox(spec: SandboxSpec, pretend: Pretend): Sandbox {
  const calls = new Map<string, Promise<string>>();
  const done = (): Promise<void> => Promise.resolve();
  const nothing = (): Promise<never> => Promise.reject(new BerthError('FILE_NOT_FOUND'));
  return {
    ref: { id: spec.id, driver: 'fake', bootId: 'memory', address: 'memory' },
    lost: new Promise(() => undefined),
    exec: (request, options) => exec(request, options, calls, pretend),
    kill: done,
    writeStdin: done,
    resize: done,
    calls: () => Promise.resolve([]),
    forget: (id) => {
      calls.delete(id);
      return done();
    },
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

async function exec(
  request: ExecRequest,
  { signal, onOutput }: ExecOptions,
  calls: Map<string, Promise<string>>,
  pretend: Pretend,
): Promise<ExecResult> {
  signal.throwIfAborted();
  const own = ownScript(request);
  const call = calls.get(request.id) ?? (own === null ? pretend(request) : Promise.resolve(own.text));
  calls.set(request.id, call);
  const printed = await call;
  signal.throwIfAborted();
  if (printed !== '') {
    const data = Buffer.from(`${printed}\n`);
    await onOutput?.({ offset: 0, nextOffset: data.length, stream: own?.stream ?? 'stdout', data });
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

/** What one of Berth's own scripts answers: it is known by the base commit among its arguments. */
function ownScript({
  command,
}: ExecRequest): { readonly stream: 'stdout' | 'stderr'; readonly text: string } | null {
  if (!('argv' in command)) return null;
  const commit = command.argv.find(isCommit);
  if (commit === undefined) return null;
  // A delivery is believed when it answers the commit it was given.
  if (!command.argv.some((text) => text.includes('berth:root'))) return { stream: 'stdout', text: commit };
  return {
    stream: 'stderr',
    text: ['root', 'tree', 'proposal'].map((name) => `berth:${name} ${commit}`).join('\n'),
  };
}

const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);
