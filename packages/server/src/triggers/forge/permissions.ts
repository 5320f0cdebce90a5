import type { RepositoryPermission } from '../../domain/config/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { ForgeConversation } from '../../domain/ports/forge.ts';

/** An answer counts for so long: short, so that a right taken away is soon gone. */
const keptMs = 30_000;
const mostKept = 5_000;

export type PermissionOf = (login: string) => Promise<RepositoryPermission>;

/** Asks forges what accounts may do on a repository, and remembers the answers shortly. Failures are not remembered. */
export function askedPermissions(
  clock: Clock,
): (repository: string, conversation: Pick<ForgeConversation, 'permissionOf'>) => PermissionOf {
  const held = new Map<string, { readonly answer: Promise<RepositoryPermission>; readonly atMs: number }>();
  return (repository, conversation) => async (login) => {
    const key = `${repository} ${login.toLowerCase()}`;
    const before = held.get(key);
    if (before !== undefined && clock.monotonicMs() - before.atMs < keptMs) return before.answer;
    const answer = conversation.permissionOf(login);
    held.delete(key);
    held.set(key, { answer, atMs: clock.monotonicMs() });
    if (held.size > mostKept) held.delete(held.keys().next().value ?? '');
    answer.catch(() => held.delete(key));
    return answer;
  };
}
