import createFetchClient from 'openapi-fetch';
import { ApiFailure, failureFrom, unreachable } from './api-failure.ts';
import type { components, operations, paths } from './generated/api.ts';
import { deliveryCalls } from './deliveries.ts';
import { jobCalls } from './jobs.ts';
import type { OpenTerminal, TerminalEvents } from './open-terminal.ts';
import { baseUrlOf, fetchOver, type ServerAddress } from './http-fetch.ts';

export type Run = components['schemas']['Run'];
export type Task = components['schemas']['Task'];
export type RunRow = components['schemas']['RunRow'];
export type TaskRow = components['schemas']['TaskRow'];
export type RunStateView = components['schemas']['RunState'];
export type Outline = components['schemas']['Outline'];
export type EventSummary = components['schemas']['EventSummary'];
export type Event = components['schemas']['Event'];
export type LiveFrame = components['schemas']['LiveFrame'];
export type Proposal = components['schemas']['Proposal'];
export type ProposalWithBody = components['schemas']['ProposalWithBody'];
export type Gate = components['schemas']['Gate'];
export type Doctor = components['schemas']['Doctor'];
export type Config = components['schemas']['Config'];
export type ConfigRevision = components['schemas']['ConfigRevision'];
export type Project = components['schemas']['Project'];
export type ProjectRow = components['schemas']['ProjectRow'];
export type ProjectSnapshots = components['schemas']['ProjectSnapshots'];
export type EgressExplained = components['schemas']['EgressExplained'];
export type EgressQuery = NonNullable<operations['explainEgress']['parameters']['query']>;
export type Usage = components['schemas']['Usage'];
export type Budgets = components['schemas']['Budgets'];
export type Status = Run['status'];
export type AuditAct = components['schemas']['AuditAct'];
export type AuditVerdict = components['schemas']['AuditVerdict'];
export type AuditQuery = NonNullable<operations['exportAudit']['parameters']['query']>;
type Body<Name extends keyof operations> = operations[Name] extends {
  requestBody: { content: { 'application/json': infer Type } };
}
  ? Type
  : never;
export type NewTask = Body<'createTask'>;
export type RunOptions = NonNullable<NewTask['options']>;
export type Token = components['schemas']['Token'];
export type NewToken = Body<'createToken'>;
/** `tree`: what was looked at; another one is not decided. */
export type GateDecision = NonNullable<Body<'approveGate'>>;
export interface CreatedToken {
  readonly token: Token;
  readonly secret: string;
  readonly preview: readonly string[];
}
export type Limits = NonNullable<RunOptions['limits']>;
export type RunState = Status['state'];

/** What a run that is made from another gets of its own. */
export interface AttemptBody {
  readonly text?: string;
  readonly limits?: Limits;
}

/** What lists are asked with; `q` is a filter (`status:failed by:me`). */
export interface RowQuery {
  readonly q?: string;
  readonly state?: RunState;
  readonly project?: string;
  readonly cursor?: string;
  readonly limit?: number;
}

/** Every route as a function. All throw `ApiFailure`; ids take unique prefixes and `latest`. */
export type BerthClient = ReturnType<typeof createClient>;

export function createClient(address: ServerAddress) {
  const fetch = fetchOver(address);
  const baseUrl = baseUrlOf(address);
  const api = createFetchClient<paths>({ baseUrl, fetch });
  const post = { body: {} } as const;
  return {
    ...jobCalls(api, answer),
    ...deliveryCalls(api, answer),
    createTask: async (task: NewTask, idempotencyKey: string) =>
      answer(
        api.POST('/api/v1/tasks', {
          params: { header: { 'idempotency-key': idempotencyKey } },
          body: task,
        }),
      ),
    getTask: async (id: string): Promise<Task> =>
      answer(api.GET('/api/v1/tasks/{id}', { params: { path: { id } } })),
    getRun: async (id: string): Promise<Run> =>
      answer(api.GET('/api/v1/runs/{id}', { params: { path: { id } } })),
    listRuns: async (query: RowQuery) => answer(api.GET('/api/v1/runs', { params: { query } })),
    listTasks: async (query: RowQuery) => answer(api.GET('/api/v1/tasks', { params: { query } })),
    /** How a run stood after an entry of its log; null: now. */
    runState: async (id: string, seq: number | null): Promise<RunStateView> =>
      answer(
        api.GET('/api/v1/runs/{id}/state', {
          params: { path: { id }, query: seq === null ? {} : { seq } },
        }),
      ),
    outline: async (id: string): Promise<Outline> =>
      answer(api.GET('/api/v1/runs/{id}/outline', { params: { path: { id } } })),
    retry: async (id: string, body: AttemptBody & { readonly base?: 'same' | 'newest' }): Promise<Run> =>
      answer(api.POST('/api/v1/runs/{id}/retry', { params: { path: { id } }, body })),
    branchOff: async (id: string, body: AttemptBody & { readonly seq?: number }) =>
      answer(api.POST('/api/v1/runs/{id}/branch-off', { params: { path: { id } }, body })),
    listEvents: async (id: string, query: { after?: number; limit?: number; types?: string }) =>
      answer(api.GET('/api/v1/runs/{id}/events', { params: { path: { id }, query } })),
    runDiff: async (id: string): Promise<string> =>
      answer(api.GET('/api/v1/runs/{id}/diff', { params: { path: { id } }, parseAs: 'text' })),
    cancel: async (id: string): Promise<Run> =>
      answer(api.POST('/api/v1/runs/{id}/cancel', { params: { path: { id } }, ...post })),
    pause: async (id: string, reason: string | null): Promise<Run> =>
      answer(
        api.POST('/api/v1/runs/{id}/pause', {
          params: { path: { id } },
          body: reason === null ? {} : { reason },
        }),
      ),
    resume: async (id: string, limits: Limits): Promise<Run> =>
      answer(api.POST('/api/v1/runs/{id}/resume', { params: { path: { id } }, body: { limits } })),
    steer: async (id: string, text: string, mode: 'now' | 'after_step') =>
      answer(api.POST('/api/v1/runs/{id}/messages', { params: { path: { id } }, body: { text, mode } })),
    listProposals: async (query: { project?: string; limit?: number }) =>
      answer(api.GET('/api/v1/proposals', { params: { query } })),
    getProposal: async (id: string): Promise<ProposalWithBody> =>
      answer(api.GET('/api/v1/proposals/{id}', { params: { path: { id } } })),
    proposalDiff: async (id: string): Promise<string> =>
      answer(api.GET('/api/v1/proposals/{id}/diff', { params: { path: { id } }, parseAs: 'text' })),
    mergeProposal: async (id: string): Promise<Proposal> =>
      answer(api.POST('/api/v1/proposals/{id}/merge', { params: { path: { id } }, ...post })),
    closeProposal: async (id: string): Promise<Proposal> =>
      answer(api.POST('/api/v1/proposals/{id}/close', { params: { path: { id } }, ...post })),
    listGates: async (query: { project?: string; cursor?: string; limit?: number }) =>
      answer(api.GET('/api/v1/gates', { params: { query } })),
    /** @param id of a gate, or of a run that came to one */
    getGate: async (id: string): Promise<Gate> =>
      answer(api.GET('/api/v1/gates/{id}', { params: { path: { id } } })),
    approveGate: async (id: string, body: GateDecision): Promise<Gate> =>
      answer(api.POST('/api/v1/gates/{id}/approve', { params: { path: { id } }, body })),
    refuseGate: async (id: string, body: GateDecision): Promise<Gate> =>
      answer(api.POST('/api/v1/gates/{id}/refuse', { params: { path: { id } }, body })),
    createToken: async (token: NewToken): Promise<CreatedToken> =>
      answer(api.POST('/api/v1/tokens', { body: token })),
    listTokens: async (all: boolean) =>
      answer(api.GET('/api/v1/tokens', { params: { query: { all: all ? 'true' : 'false' } } })),
    revokeToken: async (id: string): Promise<Token> =>
      answer(api.DELETE('/api/v1/tokens/{id}', { params: { path: { id } } })),
    /** Any request, signed in like the others; answers whatever comes. @param path from the root on */
    raw: async (
      method: string,
      path: string,
      options: { readonly body?: Uint8Array; readonly headers?: Record<string, string> } = {},
    ): Promise<Response> =>
      fetch(
        new Request(new URL(`${baseUrl}${path}`), {
          method,
          headers: options.headers ?? {},
          ...(options.body === undefined ? {} : { body: Buffer.from(options.body) }),
        }),
      ),
    listSnapshots: async (project: string): Promise<ProjectSnapshots> =>
      answer(api.GET('/api/v1/projects/{id}/snapshots', { params: { path: { id: project } } })),
    clearSnapshots: async (project: string) =>
      answer(api.DELETE('/api/v1/projects/{id}/snapshots', { params: { path: { id: project } } })),
    explainEgress: async (project: string, query: EgressQuery): Promise<EgressExplained> =>
      answer(api.GET('/api/v1/projects/{id}/egress/explain', { params: { path: { id: project }, query } })),
    usage: async (query: { by?: string; from?: string; to?: string; project?: string }): Promise<Usage> =>
      answer(api.GET('/api/v1/usage', { params: { query } })),
    budgets: async (): Promise<Budgets> => answer(api.GET('/api/v1/budgets')),
    doctor: async (): Promise<Doctor> => answer(api.GET('/api/v1/doctor')),
    getConfig: async (): Promise<Config> => answer(api.GET('/api/v1/config')),
    exportConfig: async (): Promise<string> => answer(api.GET('/api/v1/config/export', { parseAs: 'text' })),
    listConfigRevisions: async (query: { limit?: number; before?: number }) =>
      answer(api.GET('/api/v1/config/revisions', { params: { query } })),
    listProjects: async (query: { limit?: number; cursor?: string }) =>
      answer(api.GET('/api/v1/projects', { params: { query } })),
    getProject: async (id: string): Promise<Project> =>
      answer(api.GET('/api/v1/projects/{id}', { params: { path: { id } } })),
    /** Makes an object of the configuration that is not there yet. */
    addConfigObject: async (section: string, name: string, value: Record<string, unknown>) =>
      answer(
        api.PUT('/api/v1/config/{section}/{name}', {
          params: { path: { section, name }, header: { 'if-none-match': '*' } },
          body: value,
        }),
      ),
    listAudit: async (query: AuditQuery & { cursor?: string; limit?: number }) =>
      answer(api.GET('/api/v1/audit', { params: { query } })),
    verifyRun: async (id: string): Promise<AuditVerdict> =>
      answer(api.GET('/api/v1/runs/{id}/verify', { params: { path: { id } } })),
    /** JSON lines: progress, the verdict last. */
    verifyAudit: async (): Promise<ReadableStream<Uint8Array>> =>
      open(fetch, `${baseUrl}/api/v1/audit/verify`),
    /** JSON lines: keys, entries, seals. */
    exportAudit: async (query: AuditQuery): Promise<ReadableStream<Uint8Array>> =>
      open(fetch, `${baseUrl}/api/v1/audit/export?${new URLSearchParams(query).toString()}`),
    /** The whole output of a command or tool call, as it arrives. */
    output: async (id: string, callId: string): Promise<ReadableStream<Uint8Array>> =>
      open(fetch, `${baseUrl}/api/v1/runs/${encodeURIComponent(id)}/outputs/${encodeURIComponent(callId)}`),
    /** The raw event stream; `followRun` reads it. */
    stream: async (id: string, after: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> =>
      open(fetch, `${baseUrl}/api/v1/runs/${encodeURIComponent(id)}/stream?after=${after}`, signal),
    /** A shell in the sandbox of a run; ends with the shell or when it is left. */
    terminal: async (
      id: string,
      size: { readonly columns: number; readonly rows: number },
      events: TerminalEvents,
    ): Promise<OpenTerminal> => (await import('./open-terminal.ts')).openTerminal(address, id, size, events),
    /** Whether the server can serve. */
    ready: async (signal?: AbortSignal): Promise<void> => {
      const body = await open(fetch, `${baseUrl}/readyz`, signal);
      await body.cancel();
    },
  };
}

async function answer<Data>(
  request: Promise<{ data?: Data; error?: unknown; response: Response }>,
): Promise<Data> {
  let result: Awaited<typeof request>;
  try {
    result = await request;
  } catch (error) {
    // A body that ends too early is a server that went away.
    if (error instanceof ApiFailure || isAbort(error)) throw error;
    throw unreachable(error);
  }
  if (!result.response.ok || result.data === undefined) {
    throw failureFrom(result.error, result.response.status);
  }
  return result.data;
}

async function open(
  fetch: ReturnType<typeof fetchOver>,
  url: string,
  signal?: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const response = await fetch(new Request(url, signal === undefined ? {} : { signal }));
  if (response.ok && response.body !== null) return response.body;
  const body: unknown = await response.json().catch(() => null);
  throw failureFrom(body, response.status);
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
}
