import type { Forge, OpenPullRequest, PullRequest } from '../domain/ports/forge.ts';
import type { World } from './step-harness.ts';

/** The forge of a step harness: pull requests in a list. */
export function forgeOf(world: World, burn: () => void): Forge {
  const keys: string[] = [];
  const none = (): never => {
    throw new Error('not part of this harness');
  };
  return {
    kind: 'fake',
    fetchUrl: null,
    conversation: null,
    pushTarget: none,
    fetchTarget: none,
    openPullRequest: async (request: OpenPullRequest) => {
      burn();
      const place = keys.includes(request.key) ? keys.indexOf(request.key) : keys.push(request.key) - 1;
      const pull: PullRequest = {
        number: place + 1,
        url: `local/${place + 1}`,
        head: world.branches.get(request.branch)!,
        state: 'open',
        createdAt: '',
        mergedAs: null,
        title: request.title,
        body: request.body,
        branch: request.branch,
        base: request.base,
        draft: request.draft,
      };
      world.pulls[place] = pull;
      burn();
      return pull;
    },
    getPullRequest: none,
    listPullRequests: async () => world.pulls,
    merge: none,
    close: none,
  };
}
