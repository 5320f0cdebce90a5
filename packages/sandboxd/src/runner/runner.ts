import { execFile } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createConnection } from 'node:net';
import {
  encodeRecordHeader,
  execSpecShape,
  helloShape,
  Mux,
  parseJson,
  protocolVersion,
  runnerRequestShape,
} from '@berth/protocol';
import type { DialledSocket, ExecSpec, MuxStream, RunnerRequest } from '@berth/protocol';
import { answer, parseRequest, readExactly, refuse, RefusedError } from '../refusal.ts';
import { oneWay } from '../splice.ts';
import { RunningCall } from './call.ts';
import { findProgram, startCommand, terminalProgram } from './command.ts';
import type { StartedCommand } from './command.ts';
import { openEgressDoor, proxyEnvironment } from './egress-door.ts';
import { listDirectory, readFile, removePath, statFile, writeFile } from './files.ts';
import { inputFile, PipeMaker } from './pipes.ts';
import { resolvePath } from './places.ts';
import { isCrowded, killTree, processesOf } from './process-tree.ts';
import { UsageMeter } from './stats.ts';

export interface RunnerOptions {
  readonly sandbox: string;
  readonly generation: number;
  readonly workspace: string;
  /** Null: no door. 0: a free port. */
  readonly egressPort: number | null;
  readonly diskRoots: readonly string[];
  /** What every command's environment starts from. */
  readonly environment: Readonly<Record<string, string>>;
  /** Commands that were ended so far because memory ran short. */
  readonly memoryKills: () => number;
}

const markName = 'BERTH_CALL';

/** How the environment entry of every command of this sandbox begins. */
function sandboxMark(sandbox: string): string {
  return `${markName}=${sandbox}/`;
}

/** Kills every command of this sandbox, also those of finished calls and of earlier runners. */
export async function killAllCommands(sandbox: string): Promise<void> {
  await killTree({ mark: sandboxMark(sandbox), prefix: true });
}

/** Executes commands and file operations for sandboxd. */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #mux: Mux;
  readonly #calls = new Map<string, RunningCall>();
  readonly #starting = new Map<string, Promise<void>>();
  readonly #usage: UsageMeter;
  readonly #pipes = new PipeMaker();
  /** The variables of the egress door, once it is open. */
  readonly #proxy: Promise<Record<string, string>>;

  constructor({ socket, feed }: DialledSocket, options: RunnerOptions) {
    this.#options = options;
    this.#usage = new UsageMeter(options.diskRoots, this.#markPrefix);
    this.#mux = new Mux(socket, {
      side: 'even',
      feed,
      hello: {
        role: 'runner',
        protocol: protocolVersion,
        generation: options.generation,
        pty: terminalProgram !== null,
      },
      onHello: (payload) => {
        const hello = parseJson(payload, helloShape, 'hello');
        if (hello.role !== 'sandboxd') throw new Error('not a sandboxd');
      },
      onOpen: (stream, payload) => {
        this.#serve(stream, payload).catch((error: unknown) => refuse(stream, error));
      },
    });
    this.#proxy = this.#openDoor();
  }

  /** Resolves when sandboxd is gone. */
  async run(): Promise<void> {
    await this.#mux.closed;
  }

  /** A port that somebody inside already took is no reason to have no commands: they then have no network. */
  async #openDoor(): Promise<Record<string, string>> {
    const { egressPort } = this.#options;
    if (egressPort === null) return {};
    try {
      return proxyEnvironment(await openEgressDoor(egressPort, this.#mux));
    } catch (error) {
      process.stderr.write(`runner: the egress door stays closed: ${String(error)}\n`);
      return {};
    }
  }

  get #markPrefix(): string {
    return sandboxMark(this.#options.sandbox);
  }

  async #serve(stream: MuxStream, payload: Buffer): Promise<void> {
    const message: RunnerRequest = parseRequest(payload, runnerRequestShape);
    const { workspace } = this.#options;
    switch (message.m) {
      case 'run':
        await this.#run(message.id, message.requestBytes, stream);
        return;
      case 'signal':
        await this.#signal(message.id, message.signal);
        answer(stream);
        return;
      case 'resize':
        await this.#resize(message.id, message.columns, message.rows);
        answer(stream);
        return;
      case 'read':
        await readFile(message, workspace, stream);
        return;
      case 'write':
        await writeFile(message, workspace, stream);
        return;
      case 'stat':
        await statFile(message, workspace, stream);
        return;
      case 'list':
        await listDirectory(message, workspace, stream);
        return;
      case 'remove':
        await removePath(message, workspace, stream);
        return;
      case 'stats':
        answer(stream, await this.#usage.measure());
        return;
      case 'connect':
        await this.#connect(message.port, stream);
        return;
    }
  }

  async #run(id: string, requestBytes: number, stream: MuxStream): Promise<void> {
    const starting = this.#start(id, requestBytes, stream);
    // A signal right behind the request waits until there is something to signal.
    this.#starting.set(
      id,
      starting.then(
        () => {},
        () => {},
      ),
    );
    const started = await starting.finally(() => this.#starting.delete(id));
    if (started === null) return;
    try {
      await started.call.run(started.spec);
    } finally {
      this.#calls.delete(id);
      started.command.cleanUp();
    }
  }

  async #start(
    id: string,
    requestBytes: number,
    stream: MuxStream,
  ): Promise<{ call: RunningCall; spec: ExecSpec; command: StartedCommand } | null> {
    const spec = parseRequest(await readExactly(stream, requestBytes), execSpecShape);
    const { workspace, environment } = this.#options;
    const cwd = resolvePath(spec.cwd, workspace);
    const place = await stat(cwd).catch(() => null);
    if (place?.isDirectory() !== true)
      throw new RefusedError('not-found', `There is no directory ${spec.cwd}.`);
    const mark = `${this.#options.sandbox}/${id}`;
    const env: Record<string, string> = {
      ...environment,
      ...(await this.#proxy),
      ...spec.env,
      [markName]: mark,
    };
    const program = spec.argv?.[0];
    if (program !== undefined && findProgram(program, cwd, env['PATH'] ?? '') === null) {
      tellNotFound(program, stream);
      return null;
    }
    // A fork bomb may leave just room enough for a shell that then cannot start anything.
    if (isCrowded()) await this.#killLeftovers();
    const given = spec.stdin === 'given' ? await inputFile(stream) : null;
    const command = await startCommand(spec, cwd, env, {
      pipes: this.#pipes,
      given,
      makeRoom: () => this.#killLeftovers(),
    });
    stream.reply({ ok: true, value: {} });
    const call = new RunningCall(command, stream, `${markName}=${mark}`, this.#options.memoryKills);
    this.#calls.set(id, call);
    return { call, spec, command };
  }

  /**
   * Ends what finished calls left in the background: a fork bomb whose first process is gone would otherwise hold every
   * process number, and no command could start again.
   */
  async #killLeftovers(): Promise<void> {
    await killTree({ mark: this.#markPrefix, prefix: true }, () => {
      const running = [...this.#calls].map(([id, { pid }]) => ({
        mark: `${this.#markPrefix}${id}`,
        leader: pid,
      }));
      return new Set(running.flatMap((tree) => processesOf(tree)));
    });
  }

  async #signal(id: string, signal: NodeJS.Signals): Promise<void> {
    await this.#starting.get(id);
    const call = this.#calls.get(id);
    if (call !== undefined) {
      await call.signal(signal);
      return;
    }
    // The call is over; what it left in the background is still its own.
    const tree = { mark: `${this.#markPrefix}${id}` };
    if (signal === 'SIGKILL') await killTree(tree);
    else for (const pid of processesOf(tree)) process.kill(pid, signal);
  }

  /** Tells the terminal of a call its new size; the kernel then tells the programs. */
  async #resize(id: string, columns: number, rows: number): Promise<void> {
    await this.#starting.get(id);
    const pid = this.#calls.get(id)?.pid;
    if (pid === undefined) throw new RefusedError('unknown-call', 'This call does not run.');
    const terminal = processesOf({ mark: `${this.#markPrefix}${id}`, leader: pid })
      .map(terminalOf)
      .find((name) => name !== null);
    if (terminal === undefined || terminal === null) {
      throw new RefusedError('pty-unavailable', 'This call has no terminal.');
    }
    await new Promise<void>((resolve) => {
      execFile('stty', ['-F', terminal, 'rows', String(rows), 'cols', String(columns)], () => resolve());
    });
  }

  async #connect(port: number, stream: MuxStream): Promise<void> {
    const socket = createConnection({ host: '127.0.0.1', port, allowHalfOpen: true });
    socket.on('error', () => {});
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    }).catch(() => {
      throw new RefusedError('not-found', `Nothing listens on port ${port}.`);
    });
    stream.reply({ ok: true, value: {} });
    oneWay(stream, socket);
    oneWay(socket, stream);
  }
}

/** As a shell would: a message and exit code 127, so that people and models read what they know. */
function tellNotFound(program: string, stream: MuxStream): void {
  stream.reply({ ok: true, value: {} });
  stream.resume();
  const message = Buffer.from(`berth: ${program}: command not found\n`);
  const exit = Buffer.from(JSON.stringify({ exitCode: 127, signal: null, timedOut: false }));
  stream.write(Buffer.concat([encodeRecordHeader('stderr', message.length), message]));
  stream.end(Buffer.concat([encodeRecordHeader('exit', exit.length), exit]));
}

function terminalOf(pid: number): string | null {
  try {
    const name = readlinkSync(`/proc/${pid}/fd/0`);
    return name.startsWith('/dev/pts/') ? name : null;
  } catch {
    return null;
  }
}
