import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { admissionError, ApiFailure, clusterError, isTransient } from './api-failure.ts';
import { capacityCodes } from './pod-state.ts';

interface Recorded {
  readonly from: string;
  readonly note: string;
  readonly method: string;
  readonly status: number;
  readonly retryAfter: string | null;
  readonly text: string;
}

/** What a real Kubernetes 1.36 answered. */
const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../testing/kubernetes/recorded-refusals.json'), 'utf8'),
) as readonly Recorded[];

const ofCreate: Readonly<Record<string, readonly string[]>> = {
  'create-refused-quota': ['SANDBOX_QUOTA_RULES', 'SANDBOX_QUOTA', 'SANDBOX_QUOTA'],
  'create-limitrange': ['SANDBOX_LIMIT_RANGE', 'SANDBOX_LIMIT_RANGE', 'SANDBOX_LIMIT_RANGE'],
  'create-refused-podsecurity': Array.from({ length: 5 }, () => 'SANDBOX_POD_REFUSED'),
  'create-refused-runtimeclass': ['SANDBOX_RUNTIME_CLASS', 'SANDBOX_POD_REFUSED', 'SANDBOX_POD_REFUSED'],
  'namespace-terminating': Array.from({ length: 4 }, () => 'SANDBOX_NAMESPACE'),
  'validating-admission-policy': Array.from({ length: 3 }, () => 'SANDBOX_POD_REFUSED'),
  'create-field-validation': ['SANDBOX_POD_REFUSED', 'SANDBOX_POD_REFUSED'],
};

describe('a refusal of the API server', () => {
  test.each(Object.entries(ofCreate))('as recorded in %s has its own code', (from, codes) => {
    const found = recorded
      .filter((one) => one.from === from)
      .map((one) => admissionError(new ApiFailure(one), true));
    expect(found.map((error) => error.code)).toEqual(codes);
    for (const error of found) expect(error.message).not.toMatch(/^$|undefined|forbidden: pods/);
  });

  test('is a wait for the used up quota alone', () => {
    const waits = recorded
      .filter((one) => one.method === 'POST')
      .filter((one) => capacityCodes.has(admissionError(new ApiFailure(one), true).code));
    expect(waits.map((one) => one.note)).toEqual(['two resources too large', 'pod count reached']);
  });

  test('of a create is one of permission when the account may not create pods, whatever it says', () => {
    const quota = recorded.find((one) => one.note === 'pod count reached')!;
    expect(admissionError(new ApiFailure(quota), false).code).toBe('SANDBOX_CLUSTER_FORBIDDEN');
  });

  test('outside of a create is told by its status', () => {
    const code = (from: string, status: number): string =>
      clusterError(new ApiFailure(recorded.find((one) => one.from === from && one.status === status)!)).code;
    expect(code('unauthorized', 401)).toBe('SANDBOX_CLUSTER_CREDENTIALS');
    expect(code('unauthorized', 403)).toBe('SANDBOX_CLUSTER_FORBIDDEN');
    expect(code('forbidden', 403)).toBe('SANDBOX_CLUSTER_FORBIDDEN');
    expect(code('too-many-requests', 429)).toBe('SANDBOX_CLUSTER_UNREACHABLE');
    expect(clusterError(new Error('connect ECONNREFUSED')).code).toBe('SANDBOX_CLUSTER_UNREACHABLE');
  });

  test('in plain text, and for as long as it says', () => {
    const failure = new ApiFailure(recorded.find((one) => one.status === 429)!);
    expect(failure).toMatchObject({ reason: null, retryAfterMs: 1_000 });
    expect(isTransient(failure)).toBe(true);
    const absurd = new ApiFailure({ status: 503, text: 'x', retryAfter: '999999' });
    expect(absurd.retryAfterMs).toBe(30_000);
  });

  const failure = (status: number, reason?: string, kind?: string): ApiFailure =>
    new ApiFailure({
      status,
      text: JSON.stringify({ kind: 'Status', reason, details: { kind }, message: 'm', code: status }),
      retryAfter: null,
    });

  test.each([
    [failure(500), true],
    [failure(503), true],
    [failure(504, 'Timeout'), true],
    [failure(409, 'Conflict', 'resourcequotas'), true],
    [failure(409, 'Conflict', 'Pod'), false],
    [failure(409, 'AlreadyExists', 'pods'), false],
    [failure(403, 'Forbidden', 'pods'), false],
    [failure(404, 'NotFound', 'pods'), false],
    [failure(410, 'Expired'), false],
    [failure(422, 'Invalid', 'Pod'), false],
  ])('is tried again only where the same may be answered in a moment: %s', (one, expected) => {
    expect(isTransient(one)).toBe(expected);
  });
});
