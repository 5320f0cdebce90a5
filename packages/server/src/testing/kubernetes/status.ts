import type { V1Status } from '../../sandboxes/kubernetes/api-types.ts';

/** A refusal as the API server words it (compared with recordings of a real one). */
export class Refusal extends Error {
  readonly status: V1Status;
  constructor(code: number, reason: string | null, message: string, details?: V1Status['details']) {
    super(message);
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      ...(reason === null ? {} : { reason }),
      ...(details === undefined ? {} : { details }),
      code,
    };
  }
}

export const notFound = (name: string): Refusal =>
  new Refusal(404, 'NotFound', `pods "${name}" not found`, { name, kind: 'pods' });

export const forbidden = (name: string, why: string): Refusal =>
  new Refusal(403, 'Forbidden', `pods "${name}" is forbidden: ${why}`, { name, kind: 'pods' });

export const badRequest = (message: string): Refusal => new Refusal(400, 'BadRequest', message);

/** RBAC's. */
export function notAllowed(
  user: string,
  verb: string,
  resource: string,
  namespace: string,
  name: string | null,
): Refusal {
  const kind = resource.split('/')[0]!;
  const who = name === null ? kind : `${kind} "${name}"`;
  const details = { ...(name === null ? {} : { name }), kind };
  const message = `${who} is forbidden: User "${user}" cannot ${verb} resource "${resource}" in API group "" in the namespace "${namespace}"`;
  return new Refusal(403, 'Forbidden', message, details);
}
