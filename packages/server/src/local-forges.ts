import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Forge, PullRequest } from './domain/ports/forge.ts';
const prs: PullRequest[] = [];
export function localForges(home: string): (projectId: string) => Forge { return (id) => { 
  const dir = `${home}/forge/${id}.git`; if (!existsSync(dir)) execFileSync('git', ['init', '-q', '--bare', dir]);
  return { kind: 'local', pushTarget: async () => ({ url: dir, env: {} }), openPullRequest: async (r) => { const pr: PullRequest = { number: prs.length + 1, url: dir, title: r.title, body: r.body, branch: r.branch, base: r.base, head: '', draft: r.draft, state: 'open', createdAt: '', mergedAs: null }; prs.push(pr); return pr; }, getPullRequest: async (n) => prs[n - 1] ?? null, listPullRequests: async () => prs, merge: async (n) => prs[n - 1]!, close: async (n) => prs[n - 1]! }; }; }
