import type { Principal } from '../../domain/access.ts';
import { asBerthError } from '../../domain/errors/index.ts';
import type { AuditAct, AuditSink } from '../../domain/ports/audit.ts';
import type { IncomingRequest } from '../authenticator.ts';
import type { Visitor } from './sessions.ts';

/** Address and program of a request, as sessions and the record of acts keep them. */
export function visitorOf(request: Pick<IncomingRequest, 'address' | 'headers'>): Visitor {
  const agent = request.headers['user-agent'];
  return {
    // Over a unix socket there is none.
    address: request.address === '' ? null : request.address,
    agent: agent === undefined ? null : agent.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 300),
  };
}

/** A session that begins or ends, or a sign-in, for the record of acts. */
export function sessionAct(
  who: Pick<AuditAct, 'by' | 'byKind' | 'via'> & { readonly tokenId?: string | null },
  action: 'session.create' | 'session.end' | 'session.link',
  sessionId: string,
  visitor: Visitor | null,
  details: AuditAct['details'] = {},
): Omit<AuditAct, 'result' | 'code'> {
  return {
    tokenId: null,
    ...who,
    action,
    object: { kind: 'session', id: sessionId, projectId: null },
    from: visitor ?? { address: null, agent: null },
    requestId: null,
    details,
  };
}

export function byPrincipal(principal: Principal): Pick<AuditAct, 'by' | 'byKind' | 'via' | 'tokenId'> {
  const { id, kind, via, tokenId, sessionId } = principal;
  return { by: id, byKind: kind, via, tokenId: tokenId ?? sessionId };
}

/**
 * Does `work` between its two lines in the record of acts.
 * @param made the object that only the work names
 */
export async function recorded<T>(
  audit: AuditSink,
  act: Omit<AuditAct, 'result' | 'code'>,
  work: () => Promise<T>,
  made?: (result: T) => AuditAct['object'],
): Promise<T> {
  const begun = await audit.begin(act);
  try {
    const result = await work();
    await begun.end({
      result: 'allowed',
      code: null,
      ...(made === undefined ? {} : { object: made(result) }),
    });
    return result;
  } catch (error) {
    await begun.end({ result: 'failed', code: asBerthError(error).code });
    throw error;
  }
}
