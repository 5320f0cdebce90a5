import type { AuditAct } from '../domain/ports/audit.ts';

/** An act of somebody that tests read back. */
export function act(overrides: Partial<AuditAct> = {}): AuditAct {
  return {
    by: 'anna@example.org',
    byKind: 'person',
    tokenId: 'k-1',
    via: 'oidc',
    action: 'run.cancel',
    object: { kind: 'run', id: 'r-1', projectId: 'p-1' },
    result: 'allowed',
    code: null,
    from: { address: '192.0.2.7', agent: 'curl/8' },
    requestId: 'req_1',
    details: { reason: 'enough' },
    ...overrides,
  };
}
