import { asBerthError } from '../domain/errors/index.ts';
import { estimateTokens } from '../models/index.ts';
import { askModel } from './call-model.ts';
import { condenseSystem, cutOf, plainAccount, recordOf, summaryText } from './compaction.ts';
import type { Cut } from './compaction.ts';
import { delimited } from './context/delimited.ts';
import type { Conversation } from './conversation.ts';
import { foldEvent } from './fold.ts';
import { textOf } from './messages.ts';
import type { Session } from './session.ts';

const summaryOutputTokens = 4096;

/** Replaces the older part of the conversation by a summary, with the model's words or without. */
export async function condense(session: Session, conversation: Conversation): Promise<void> {
  const cut = cutOf(conversation, session.models.primary);
  if (cut === null) return;
  const account = await accountOf(session, conversation, cut);
  const summary = summaryText(conversation, account);
  const { throughSeq } = cut;
  const data = { step: session.step, throughSeq, summary };
  const after = foldEvent(conversation, {
    type: 'agent.condensed',
    data: { ...data, beforeTokens: 0, afterTokens: 0 },
    runId: session.ctx.runId,
    seq: conversation.seq,
    at: '',
  });
  await session.append({
    type: 'agent.condensed',
    data: { ...data, beforeTokens: session.estimate(conversation), afterTokens: session.estimate(after) },
  });
}

async function accountOf(session: Session, conversation: Conversation, cut: Cut): Promise<string> {
  const model = session.models.condense;
  const text = `Condense this record.\n${delimited('record', {}, recordOf(cut.dropped))}`;
  const request = {
    purpose: 'condense',
    system: condenseSystem,
    messages: [{ role: 'user' as const, parts: [{ type: 'text' as const, text }] }],
    tools: [],
  };
  const inputTokens = estimateTokens(request);
  const maxOutputTokens = Math.min(summaryOutputTokens, model.maxOutputTokens);
  if (inputTokens + maxOutputTokens > model.contextTokens) return plainAccount(cut.dropped);
  try {
    const answer = await askModel(session, {
      slot: 'condense',
      model,
      callId: `k${conversation.seq}`,
      request,
      inputTokens,
      maxOutputTokens,
      repeated: false,
      named: (parts) => [...parts],
    });
    const said = textOf(answer.parts);
    return said === '' || answer.finish === 'refusal' ? plainAccount(cut.dropped) : said;
  } catch (error) {
    session.ctx.signal.throwIfAborted();
    const { code } = asBerthError(error);
    // A summary is a convenience: without the model (or without money for it) the cut is made all the same.
    if (code.startsWith('MODEL_') || code.startsWith('LIMIT_') || code.startsWith('CASSETTE_')) {
      return plainAccount(cut.dropped);
    }
    throw error;
  }
}
