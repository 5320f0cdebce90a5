import { limits } from '@berth/protocol';
import type { Assignment, ExecSpec } from '@berth/protocol';
import { RefusedError } from '../refusal.ts';

/**
 * An exec request with the environment that came with the sandbox's run; what the request itself sets wins. The call's
 * hash stays that of what the worker sent, so a later owner, who need not know the values, joins it. Pure.
 * @throws RefusedError when both together are too large for the runner
 */
export function assignedRequest(
  spec: ExecSpec,
  request: Buffer,
  assignment: Assignment | null,
): { readonly spec: ExecSpec; readonly request: Buffer } {
  if (assignment === null || Object.keys(assignment.env).length === 0) return { spec, request };
  const whole = { ...spec, env: { ...assignment.env, ...spec.env } };
  const bytes = Buffer.from(JSON.stringify(whole));
  if (bytes.length > limits.execRequestBytes)
    throw new RefusedError(
      'bad-request',
      'The command and the environment of its run are too large together.',
    );
  return { spec: whole, request: bytes };
}
