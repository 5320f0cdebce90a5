import { BerthError } from '../domain/errors/index.ts';
import type { ErrorCode } from '../domain/errors/index.ts';
import type { RunContext } from '../domain/ports/run-context.ts';
import { outputMaximum } from './allowance.ts';
import { askModel, namedCalls, repeatsOf } from './call-model.ts';
import { lostAnswerCode } from './codes.ts';
import { cutOf, isNearWindow } from './compaction.ts';
import { condense } from './condense.ts';
import { briefing } from './context/briefing.ts';
import type { Brief } from './context/briefing.ts';
import type { RulesReader } from './context/rules.ts';
import { rulesText } from './context/rules.ts';
import { systemPrompt } from './context/system-prompt.ts';
import type { Conversation, Finished } from './conversation.ts';
import { nextAction } from './decide.ts';
import type { NextAction, Outlook } from './decide.ts';
import { repairNote } from './notes.ts';
import { orAborted } from './or-aborted.ts';
import { meetSandbox, runTools } from './run-tools.ts';
import { Session } from './session.ts';
import type { AgentModels } from './session.ts';

export interface AgentInput {
  /** `<index>:agent`, or `<index>:agent#<round>` in repair rounds. */
  readonly stepKey: string;
  /** A first task, or the failing output of a check; the conversation of the run goes on with it. */
  readonly opening:
    | { readonly kind: 'task'; readonly brief: Brief }
    | { readonly kind: 'repair'; readonly text: string };
  readonly models: AgentModels;
  /** Rules files of a directory of the base commit. */
  readonly rules: RulesReader;
}

export interface AgentResult {
  readonly result: Finished['result'];
  /** Null when it is done. */
  readonly code: ErrorCode | null;
  /** In the agent's words, or ours where it has none: never proof of anything. */
  readonly summary: string;
}

/**
 * Drives one agent step (or repair round) to its end: look at the log, decide on one thing, do it, record it. All
 * memory is in the log, so a call after a crash goes on where the last one was.
 * @throws BerthError the reason of `ctx.signal` within two seconds of its abort, with everything resumable;
 * `MODEL_*` when the model cannot be called; `OWNERSHIP_LOST`, `DATABASE_UNAVAILABLE`
 */
export async function runAgent(ctx: RunContext, input: AgentInput): Promise<AgentResult> {
  const session = new Session(ctx, input.stepKey, input.models, input.rules);
  await takeUp(session);
  for (;;) {
    ctx.signal.throwIfAborted();
    const conversation = await session.follow();
    const action = nextAction(conversation, await outlookOf(session, conversation));
    if (action.kind === 'ended') return resultOf(action.finished);
    await act(session, conversation, action, input);
  }
}

async function act(
  session: Session,
  conversation: Conversation,
  action: Exclude<NextAction, { kind: 'ended' }>,
  input: AgentInput,
): Promise<void> {
  switch (action.kind) {
    case 'begin':
      return await begin(session, input);
    case 'forfeit':
      return await forfeit(session, action.lost);
    case 'tools':
      return await runTools(session, conversation, action.calls);
    case 'tell':
      await session.append(...action.notes);
      return;
    case 'rules':
      return await tellRules(session, action.directories);
    case 'condense':
      session.mustCondense = false;
      return await condense(session, conversation);
    case 'call':
      return await call(session, conversation, action);
    case 'end':
      await session.append({ type: 'agent.finished', data: { step: session.step, ...action.end } });
      session.ctx.workbench.checkpointSoon();
      return;
  }
}

/**
 * What a worker that died may have left undone: an answer that was stored but not settled (settling twice is
 * settling once), and a sandbox that went with it.
 */
async function takeUp(session: Session): Promise<void> {
  const { lastAnswer, finished } = await session.follow();
  if (lastAnswer === null) return;
  const { callId, model, costUsd, usage } = lastAnswer;
  await session.ctx.limits.settle({
    callId,
    costUsd,
    tokens: usage.inputTokens + usage.outputTokens,
    answer: { model, usage },
  });
  for (const id of repeatsOf(callId)) await session.ctx.limits.settle({ callId: id, costUsd: 0, tokens: 0 });
  if (finished[session.step] === undefined) await meetSandbox(session);
}

async function outlookOf(session: Session, conversation: Conversation): Promise<Outlook> {
  const { primary } = session.models;
  const standing = await session.ctx.limits.remaining();
  const inputTokens = session.estimate(conversation);
  const wanted = session.mustCondense || isNearWindow(inputTokens, primary);
  return {
    step: session.step,
    standing,
    nextCall: { model: primary, inputTokens },
    condense: wanted && cutOf(conversation, primary) !== null,
    withoutRules: session.withoutRules,
  };
}

async function begin(session: Session, { stepKey, opening }: AgentInput): Promise<void> {
  if (opening.kind === 'repair') await session.append(repairNote(stepKey, opening.text));
  else {
    const system = systemPrompt(session.ctx.workbench.repositoryPath);
    await session.append({
      type: 'agent.briefed',
      data: { step: stepKey, system, text: briefing(opening.brief) },
    });
  }
}

async function forfeit(
  session: Session,
  lost: { readonly callId: string; readonly model: string; readonly step: string },
): Promise<void> {
  for (const id of [lost.callId, ...repeatsOf(lost.callId)]) await session.ctx.limits.forfeit(id);
  await session.append({
    type: 'model.failed',
    data: { ...lost, code: lostAnswerCode, sentence: 'The answer of this call was lost in an interruption.' },
  });
}

async function tellRules(session: Session, directories: readonly string[]): Promise<void> {
  const files = [];
  for (const directory of directories) {
    const found = await orAborted(session.rules(directory), session.ctx.signal);
    if (found.length === 0) session.withoutRules.add(directory);
    files.push(...found);
  }
  if (files.length === 0) return;
  await session.append({
    type: 'agent.told',
    data: { step: session.step, kind: 'rules', text: rulesText(files) },
  });
}

async function call(
  session: Session,
  conversation: Conversation,
  action: { readonly repeated: boolean; readonly isLast: boolean },
): Promise<void> {
  const { ctx, models } = session;
  const inputTokens = session.estimate(conversation);
  const nextCall = { model: models.primary, inputTokens };
  try {
    await askModel(session, {
      slot: 'primary',
      model: models.primary,
      callId: `c${conversation.requests + 1}`,
      request: { purpose: 'agent', ...session.request(conversation) },
      inputTokens,
      maxOutputTokens: outputMaximum(await ctx.limits.remaining(), nextCall, action.isLast),
      repeated: action.repeated,
      named: namedCalls(conversation.answers + 1),
    });
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    await afterFailure(session, conversation, error);
  }
}

/** Ends the step where a limit refused the call, condenses where the window was full, and else lets it through. */
async function afterFailure(session: Session, conversation: Conversation, error: BerthError): Promise<void> {
  session.ctx.signal.throwIfAborted();
  const { code } = error;
  if (code.startsWith('LIMIT_')) {
    const data = { step: session.step, result: 'limit' as const, code, summary: error.message };
    await session.append({ type: 'agent.finished', data });
  } else if (code === 'MODEL_CONTEXT_OVERFLOW' && cutOf(conversation, session.models.primary) !== null) {
    session.mustCondense = true;
  } else if (code === 'MODEL_CONTEXT_OVERFLOW') {
    throw new BerthError('AGENT_CONTEXT_FULL', undefined, { cause: error });
  } else throw error;
}

function resultOf(finished: Finished): AgentResult {
  const { result, code, summary } = finished;
  return { result, code: code as ErrorCode | null, summary };
}
