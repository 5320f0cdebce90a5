import { ApiFailure, failureFrom, type BerthClient } from '@berth/client';

/** Who the server says one is; null in what it does not say. */
export interface Me {
  readonly id: string | null;
  readonly name: string | null;
  readonly kind: string | null;
  readonly role: string | null;
}

const unknown: Me = { id: null, name: null, kind: null, role: null };

/**
 * Asks the server who sends its requests.
 * @throws ApiFailure when it lets nobody in (`TOKEN_REFUSED`, `TOKEN_EXPIRED` …) or does not answer
 */
export async function whoAmI(client: BerthClient): Promise<Me> {
  const answer = await client.raw('GET', '/api/v1/me');
  const body: unknown = await answer.json().catch(() => null);
  if (answer.ok && typeof body === 'object' && body !== null) {
    const text = (name: string): string | null => {
      const value = (body as Readonly<Record<string, unknown>>)[name];
      return typeof value === 'string' ? value : null;
    };
    return { id: text('id'), name: text('name'), kind: text('kind'), role: text('globalRole') };
  }
  if (answer.status !== 404) throw failureFrom(body, answer.status);
  // A server that cannot say it: whether it lets one in at all.
  try {
    await client.listRuns({ limit: 1 });
  } catch (error) {
    if (!(error instanceof ApiFailure && error.code === 'FORBIDDEN')) throw error;
  }
  return unknown;
}
