import { limits } from './limits.ts';
import {
  dictionary,
  finite,
  flag,
  integer,
  list,
  literal,
  nullable,
  object,
  optional,
  tagged,
  text,
} from './shape.ts';
import type { Shape, Shaped } from './shape.ts';

/** The protocol's version; both sides must say the same. */
export const protocolVersion = 1;

const callId = text({ min: 1, max: 128, pattern: /^[A-Za-z0-9._:-]+$/ });
const name = text({ min: 1, max: 128, pattern: /^[A-Za-z0-9._:-]+$/ });
const path = text({ min: 1, max: 4096, noNul: true });
const offset = integer(0);
const port = integer(1, 65_535);
const size = integer(1, 10_000);
const signalName = literal('SIGINT', 'SIGTERM', 'SIGKILL', 'SIGHUP', 'SIGQUIT');
const none = {} as const;

export const helloShape = tagged('role', {
  worker: object({
    role: literal('worker'),
    protocol: literal(protocolVersion),
    sandbox: name,
    /** The owner's epoch: a lower one is refused, a higher one closes the channels of the lower. */
    epoch: integer(0),
  }),
  sandboxd: object({
    role: literal('sandboxd'),
    protocol: literal(protocolVersion),
    sandbox: name,
    /** Changes with every start of sandboxd: its journal lives as long as it does. */
    bootId: name,
    /** The highest epoch seen. */
    epoch: integer(0),
    /** Counts the runner's starts; 0 while there was none yet. */
    generation: integer(0),
    /** Of its processor, as Node calls it (`x64`, `arm64`). */
    architecture: optional(name),
  }),
  runner: object({
    role: literal('runner'),
    protocol: literal(protocolVersion),
    generation: integer(1),
    /** Whether a command can have a terminal. */
    pty: flag,
  }),
});
export type Hello = Shaped<typeof helloShape>;
export type WorkerHello = Extract<Hello, { role: 'worker' }>;
export type SandboxdHello = Extract<Hello, { role: 'sandboxd' }>;
export type RunnerHello = Extract<Hello, { role: 'runner' }>;

const fileRequests = {
  read: object({ m: literal('read'), path, offset, length: optional(offset) }),
  write: object({ m: literal('write'), path, mode: optional(integer(0, 0o7777)) }),
  stat: object({ m: literal('stat'), path }),
  list: object({ m: literal('list'), path }),
  remove: object({ m: literal('remove'), path }),
  stats: object({ m: literal('stats') }),
  connect: object({ m: literal('connect'), port }),
} as const;

/** What a worker may open on sandboxd. */
export const workerRequestShape = tagged('m', {
  ...fileRequests,
  /**
   * Starts or joins a call. DATA is `requestBytes` of JSON (`ExecSpec`), then `stdinBytes` of standard input; the answer's
   * DATA is the output log from `offset`.
   */
  exec: object({
    m: literal('exec'),
    id: callId,
    /** Digest of everything that makes the request what it is; the same id with another hash is refused. */
    hash: text({ min: 16, max: 128 }),
    offset,
    requestBytes: integer(2, limits.execRequestBytes),
    stdinBytes: integer(0, limits.execStdinBytes),
  }),
  attach: object({ m: literal('attach'), id: callId, offset }),
  ack: object({ m: literal('ack'), id: callId, offset }),
  /** DATA is typed into the call; `end` closes its standard input afterwards. */
  stdin: object({ m: literal('stdin'), id: callId, end: flag }),
  resize: object({ m: literal('resize'), id: callId, columns: size, rows: size }),
  signal: object({ m: literal('signal'), id: callId, signal: signalName }),
  calls: object({ m: literal('calls') }),
  forget: object({ m: literal('forget'), id: callId }),
  /** The answer's DATA is one JSON `SandboxNotice` per line, for as long as the stream is open. */
  events: object({ m: literal('events') }),
  /**
   * Gives a sandbox that was made ahead to its run, once, before anything was done in it. DATA is `requestBytes` of JSON
   * (`Assignment`).
   */
  assign: object({ m: literal('assign'), requestBytes: integer(2, limits.assignmentBytes) }),
  shutdown: object({ m: literal('shutdown') }),
});
export type WorkerRequest = Shaped<typeof workerRequestShape>;
export type FileRequest = Shaped<(typeof fileRequests)[keyof typeof fileRequests]>;

/** What sandboxd may open on its runner. */
export const runnerRequestShape = tagged('m', {
  ...fileRequests,
  /** DATA is `requestBytes` of JSON (`ExecSpec`), then standard input until END; the answer's DATA is output records. */
  run: object({
    m: literal('run'),
    id: callId,
    requestBytes: integer(2, limits.execRequestBytes),
  }),
  resize: object({ m: literal('resize'), id: callId, columns: size, rows: size }),
  signal: object({ m: literal('signal'), id: callId, signal: signalName }),
});
export type RunnerRequest = Shaped<typeof runnerRequestShape>;

/** All that may be opened from inside: opaque TCP bytes on their way out. */
export const insideRequestShape = object({ m: literal('egress') });

const argument = text({ max: 128 * 1024, noNul: true });
const environment = dictionary(text({ min: 1, max: 1024, pattern: /^[^=]+$/, noNul: true }), argument, 4096);

/** What a sandbox gets with its run: added to the environment of every command from then on. */
export const assignmentShape = object({ env: environment });
export type Assignment = Shaped<typeof assignmentShape>;

export const execSpecShape = object({
  argv: optional(list(argument, 4096)),
  script: optional(text({ min: 1, max: limits.execRequestBytes, noNul: true })),
  cwd: path,
  env: environment,
  /** `none`: empty; `given`: what travels with the request, then closed; `open`: typed by `stdin` until closed. */
  stdin: literal('none', 'given', 'open'),
  pty: optional(object({ columns: size, rows: size })),
  timeoutMs: integer(1, 7 * 24 * 3_600_000),
  maxOutputBytes: integer(0),
  overflow: literal('truncate', 'block'),
});
export type ExecSpec = Shaped<typeof execSpecShape>;

/** What the runner says at the end of a call, as the payload of the exit record. */
export const runnerExitShape = object({
  exitCode: nullable(integer(0, 255)),
  signal: nullable(text({ min: 1, max: 32, pattern: /^SIG[A-Z0-9+-]+$/ })),
  timedOut: flag,
  /** It ended the command because memory ran short; absent: it did not, or cannot know. */
  outOfMemory: optional(flag),
});
export type RunnerExit = Shaped<typeof runnerExitShape>;

/** What sandboxd says at the end of a call, as the payload of the exit record. */
export const callExitShape = tagged('kind', {
  exited: object({
    kind: literal('exited'),
    exitCode: nullable(integer(0, 255)),
    signal: nullable(text({ min: 1, max: 32 })),
    timedOut: flag,
    outOfMemory: flag,
    truncated: flag,
    durationMs: finite,
  }),
  lost: object({ kind: literal('lost'), what: literal('runner') }),
  /** It never started. */
  failed: object({ kind: literal('failed'), code: text({ max: 64 }), sentence: text({ max: 4096 }) }),
});
export type CallExit = Shaped<typeof callExitShape>;

export const fileStatShape = object({
  kind: literal('file', 'directory', 'symlink', 'other'),
  bytes: finite,
  mode: integer(0, 0o7777),
  modifiedMs: finite,
});
export type WireFileStat = Shaped<typeof fileStatShape>;

export const listEntryShape = object({ name: text({ min: 1, max: 4096 }), stat: fileStatShape });
export const statsShape = object({ diskBytes: finite, memoryBytes: finite, processes: integer(0) });
export const callEntryShape = object({ id: callId, running: flag });
export const noticeShape = tagged('t', {
  'runner-up': object({ t: literal('runner-up'), generation: integer(1) }),
  'runner-lost': object({ t: literal('runner-lost'), generation: integer(1) }),
  /** Nothing that must not be reachable was reached; commands run from now on. */
  'network-closed': object({ t: literal('network-closed'), afterMs: integer(0) }),
  /** Something was reached: the sandbox is unusable, and the channel ends with `networkOpenWords`. */
  'network-open': object({ t: literal('network-open'), reached: text({ min: 1, max: 2048 }) }),
});
export type SandboxNotice = Shaped<typeof noticeShape>;

/** How the reason begins with which a channel ends when the network gate was found open; what was reached follows. */
export const networkOpenWords = 'the network of the sandbox is open: ';

/** Why a request was not done. */
export const refusalCodes = [
  'bad-request',
  'not-found',
  'denied',
  'exists',
  'is-directory',
  'not-directory',
  'no-space',
  'too-large',
  'io',
  'unknown-call',
  'hash-mismatch',
  'gone',
  'runner-unavailable',
  'pty-unavailable',
  'too-many-calls',
  'network-open',
  'refused',
] as const;
export type RefusalCode = (typeof refusalCodes)[number];

const refusal = object({
  ok: literal(false),
  code: literal(...refusalCodes),
  sentence: text({ max: 4096 }),
});

/** The shape of a REPLY whose good form carries `value`. */
export function replyShape<T>(
  value: Shape<T>,
): Shape<{ readonly ok: true; readonly value: T } | Shaped<typeof refusal>> {
  const good = object({ ok: literal(true), value });
  return (raw, at) => {
    const isGood = typeof raw === 'object' && raw !== null && 'ok' in raw && raw.ok === true;
    return isGood ? (good(raw, at) as { readonly ok: true; readonly value: T }) : refusal(raw, at);
  };
}
export type Refusal = Shaped<typeof refusal>;

export const emptyShape = object(none);
export const execReplyShape = replyShape(object({ attached: flag }));
export const emptyReplyShape = replyShape(emptyShape);
export const readReplyShape = replyShape(object({ bytes: finite }));
export const statReplyShape = replyShape(object({ stat: nullable(fileStatShape) }));
export const statsReplyShape = replyShape(statsShape);
