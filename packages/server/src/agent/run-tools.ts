import { BerthError } from '../domain/errors/index.ts';
import type { EventData, NewEvent } from '../domain/events/index.ts';
import type { Sandbox } from '../domain/ports/sandbox.ts';
import type { Tool, ToolContext, ToolResult } from '../tools/tool.ts';
import { failure } from '../tools/tool.ts';
import type { Call, Conversation } from './conversation.ts';
import { orAborted } from './or-aborted.ts';
import type { Session } from './session.ts';

/** More calls in one answer are refused: their results together have to fit the window. */
const maxCalls = 16;

/**
 * Runs the open calls of the last answer: at the same time when all of them only read, otherwise in order. Each
 * is recorded before it acts and after; whatever goes wrong in a tool is its result.
 */
export async function runTools(
  session: Session,
  conversation: Conversation,
  calls: readonly Call[],
): Promise<void> {
  const answer = conversation.turns.findLast((turn) => turn.kind === 'answer');
  const all = answer?.calls ?? calls;
  // A crash between an interrupted call and the ones behind it must not let those run.
  if (all.some((call) => call.end?.interrupted === true)) {
    await skipRest(session, calls);
    return;
  }
  const allRead = all.every((call) => toolOf(session, call)?.kind === 'reads');
  const sandbox = await orAborted(session.ctx.workbench.sandbox('work'), session.ctx.signal);
  const run = async (call: Call): Promise<ToolResult> =>
    await runCall(session, conversation, sandbox, call, all.indexOf(call));
  if (allRead) {
    const results = await Promise.all(calls.map(run));
    if (results.some((result) => result.interrupted === true)) await meetSandbox(session);
  } else {
    let failedBefore = all.some((call) => call.end?.isError === true);
    for (const call of calls) {
      const result =
        call.name === 'finish' && failedBefore ? await refuseFinish(session, call) : await run(call);
      failedBefore ||= result.isError;
      // The rest of the calls meet the new sandbox, after the model was told.
      if (result.interrupted === true) {
        await skipRest(session, calls.slice(calls.indexOf(call) + 1));
        await meetSandbox(session);
        return;
      }
    }
  }
  if (all.some((call) => toolOf(session, call)?.kind === 'acts')) session.ctx.workbench.checkpointSoon();
}

/** Attaches to the work sandbox or has it replaced, so that the log, and the model, learn of a loss at once. */
export async function meetSandbox(session: Session): Promise<void> {
  await orAborted(session.ctx.workbench.sandbox('work'), session.ctx.signal);
}

function toolOf(session: Session, call: Call): Tool | undefined {
  return session.tools.find((tool) => tool.spec.name === call.name);
}

async function runCall(
  session: Session,
  conversation: Conversation,
  sandbox: Sandbox,
  call: Call,
  place: number,
): Promise<ToolResult> {
  const tool = toolOf(session, call);
  const refused = refusal(session, call, tool, place);
  if (refused !== null || tool === undefined) {
    return await store(session, call, refused ?? failure('Unknown tool.', call.name), 0);
  }
  const parsed = tool.parse(call.input);
  if (!parsed.ok) {
    const problem = `The input of ${call.name} is not valid: ${parsed.problem}. Correct it and call again.`;
    return await store(session, call, failure(problem, `${call.name}: invalid input`), 0);
  }
  const { clock } = session.ctx;
  const startedMs = clock.monotonicMs();
  if (call.startedIn === null) {
    const { id, name, input } = call;
    await session.append({
      type: 'tool.started',
      data: { id, step: session.step, name, input, sandboxId: sandbox.ref.id },
    });
  } else if (call.startedIn !== sandbox.ref.id && tool.kind !== 'control') {
    const lost = interrupted(`the sandbox it ran in was lost`, call);
    return await store(session, call, lost, clock.monotonicMs() - startedMs);
  }
  const result = await attempt(tool, parsed.input, toolContext(session, conversation, call, sandbox));
  const stored = await store(session, call, result, clock.monotonicMs() - startedMs);
  // Only now: until the result is stored, the sandbox's journal is what a restart attaches to.
  for (const id of result.forget ?? []) sandbox.forget(id).catch(() => undefined);
  return stored;
}

/** Why a call is answered without being run; null: it may run. */
function refusal(session: Session, call: Call, tool: Tool | undefined, place: number): ToolResult | null {
  if (call.malformed !== null) {
    return failure(
      `The arguments of this call of ${call.name} are no valid JSON object (maybe cut off at the output limit): ${jsonProblem(call.malformed)}. It was not run. Call again with correct JSON, and with less text at once if it was long.`,
      `${call.name}: malformed call`,
    );
  }
  if (tool === undefined) {
    const names = session.specs.map((spec) => spec.name).join(', ');
    return failure(
      `There is no tool of that name. There are: ${names}.`,
      `unknown tool ${call.name.slice(0, 40)}`,
    );
  }
  if (place >= maxCalls) {
    return failure(
      `Not run: at most ${maxCalls} calls in one answer. Call it again.`,
      `${call.name}: not run`,
    );
  }
  return null;
}

function jsonProblem(text: string): string {
  try {
    JSON.parse(text);
    return 'it is JSON, but no object';
  } catch (error) {
    return error instanceof Error ? error.message.slice(0, 200) : 'it cannot be parsed';
  }
}

function toolContext(
  session: Session,
  conversation: Conversation,
  call: Call,
  sandbox: Sandbox,
): ToolContext {
  const { ctx } = session;
  return {
    id: call.id,
    sandbox,
    repositoryPath: ctx.workbench.repositoryPath,
    blobs: ctx.blobs,
    redaction: ctx.redaction,
    clock: ctx.clock,
    signal: ctx.signal,
    events: ctx.events,
    earlierPlan: call.plan,
    plan: async (plan) => {
      await session.append({ type: 'tool.planned', data: { id: call.id, ...plan } });
    },
    fullOutputOf: (id) => conversation.outputs[id] ?? null,
  };
}

/** Errors of the sandbox and of the tool become results; what ends the run itself goes through. */
async function attempt(tool: Tool, input: unknown, context: ToolContext): Promise<ToolResult> {
  try {
    return await orAborted(tool.run(input, context), context.signal);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof BerthError)) throw error;
    const { code } = error;
    if (code === 'SANDBOX_LOST')
      return interrupted('the sandbox was lost while it ran', { name: tool.spec.name });
    if (code === 'OWNERSHIP_LOST' || code === 'INTERNAL') throw error;
    // Nothing the model could mend: the call stays open, and whoever goes on attaches to it.
    if (code === 'DATABASE_UNAVAILABLE' || code === 'DATABASE_DISK_FULL') throw error;
    return failure(`${error.message} (${code})`, `${tool.spec.name}: ${code}`);
  }
}

function interrupted(why: string, call: { readonly name: string }): ToolResult {
  return {
    ...failure(
      `Interrupted: ${why}. Whether it took effect is unknown, and it was not repeated. Look at the present state before you go on.`,
      `${call.name} interrupted`,
    ),
    interrupted: true,
  };
}

async function refuseFinish(session: Session, call: Call): Promise<ToolResult> {
  const text =
    'Not accepted: another call of the same answer failed. Look at its result first, then call finish alone.';
  return await store(session, call, failure(text, 'finish: not accepted'), 0);
}

async function skipRest(session: Session, calls: readonly Call[]): Promise<void> {
  for (const call of calls) {
    const text = 'Not run: a call before it was interrupted.';
    await store(session, call, failure(text, `${call.name}: not run`), 0);
  }
}

async function store(
  session: Session,
  call: Call,
  result: ToolResult,
  durationMs: number,
): Promise<ToolResult> {
  const data: EventData<'tool.ended'> = {
    id: call.id,
    step: session.step,
    name: call.name,
    text: result.text,
    isError: result.isError,
    interrupted: result.interrupted ?? false,
    summary: result.summary,
    full: result.full ?? null,
    exitCode: result.exitCode ?? null,
    durationMs: Math.round(durationMs),
  };
  const ended: NewEvent = { type: 'tool.ended', data };
  await session.append(ended);
  return result;
}
