import type { EgressDecision } from '../../domain/egress.ts';
import type { AuditSink } from '../../domain/ports/audit.ts';

/** Puts refused connections of a run's sandboxes on record; the sink counts repetitions, and bounds what a flood costs. */
export function egressOnRecord(
  sink: AuditSink,
  runId: string,
  projectId: string,
): (decision: EgressDecision) => void {
  return ({ host, port, reason, method, path }) => {
    const act = sink.record({
      by: `run:${runId}`,
      byKind: 'run',
      tokenId: null,
      via: 'sandbox',
      action: 'egress.deny',
      object: { kind: 'host', id: `${host}:${port}`, projectId },
      result: 'denied',
      code: 'EGRESS_REFUSED',
      from: { address: null, agent: null },
      requestId: null,
      details: {
        reason,
        ...(method === undefined ? {} : { method }),
        ...(path === undefined ? {} : { path }),
      },
    });
    // Counted in memory; the sink itself tells whoever runs the server of what it cannot write.
    act.catch(() => undefined);
  };
}
