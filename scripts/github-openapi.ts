/**
 * Takes out of GitHub's published OpenAPI document what the GitHub forge uses, for its tests: the whole package
 * unpacks to 400 MB. Run again when the adapter uses more:
 *
 *     npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-*.tgz
 *     node scripts/github-openapi.ts package/generated/api.github.com.json
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const operations = [
  'GET /app',
  'GET /user',
  'GET /repos/{owner}/{repo}',
  'GET /repos/{owner}/{repo}/installation',
  'POST /app/installations/{installation_id}/access_tokens',
  'GET /repos/{owner}/{repo}/branches/{branch}',
  'GET /repos/{owner}/{repo}/pulls',
  'POST /repos/{owner}/{repo}/pulls',
  'GET /repos/{owner}/{repo}/pulls/{pull_number}',
  'PATCH /repos/{owner}/{repo}/pulls/{pull_number}',
  'PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge',
  'GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews',
  'GET /repos/{owner}/{repo}/pulls/{pull_number}/comments',
  'POST /repos/{owner}/{repo}/pulls/{pull_number}/comments/{comment_id}/replies',
  'PATCH /repos/{owner}/{repo}/pulls/comments/{comment_id}',
  'POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers',
  'GET /repos/{owner}/{repo}/issues/{issue_number}',
  'GET /repos/{owner}/{repo}/issues/{issue_number}/comments',
  'POST /repos/{owner}/{repo}/issues/{issue_number}/comments',
  'PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}',
  'POST /repos/{owner}/{repo}/issues/{issue_number}/labels',
  'GET /repos/{owner}/{repo}/collaborators/{username}/permission',
  'GET /repos/{owner}/{repo}/commits/{ref}/check-runs',
  'GET /repos/{owner}/{repo}/commits/{ref}/status',
  'POST /repos/{owner}/{repo}/statuses/{sha}',
  'GET /repos/{owner}/{repo}/actions/jobs/{job_id}/logs',
];

interface Tree {
  readonly [key: string]: unknown;
}

const document = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Tree;

function at(path: string): Tree {
  let value: unknown = document;
  for (const part of path.replace(/^#\//, '').split('/'))
    value = (value as Tree)[part.replaceAll('~1', '/').replaceAll('~0', '~')];
  return value as Tree;
}

/** Without what is for people, and without what GitHub adds for its own pages. */
function lean(value: unknown, isNames = false): unknown {
  if (Array.isArray(value)) return value.map((one) => lean(one));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(
        ([key]) =>
          isNames || !(['description', 'title', 'externalDocs'].includes(key) || key.startsWith('x-')),
      )
      .map(([key, one]) => [
        key,
        ['example', 'value', 'enum'].includes(key) ? one : lean(one, key === 'properties'),
      ]),
  );
}

const components: Record<string, Record<string, unknown>> = {};

function collect(value: unknown): void {
  if (Array.isArray(value)) return value.forEach(collect);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, one] of Object.entries(value)) {
    if (key !== '$ref' || typeof one !== 'string') {
      collect(one);
      continue;
    }
    const [, , kind = '', name = ''] = one.split('/');
    if (components[kind]?.[name] !== undefined) continue;
    const found = lean(at(one), false);
    (components[kind] ??= {})[name] = found;
    collect(found);
  }
}

const paths: Record<string, Record<string, unknown>> = {};
for (const operation of operations) {
  const [method = '', path = ''] = operation.split(' ');
  const found = (document['paths'] as Tree)[path] as Tree | undefined;
  const asked = found?.[method.toLowerCase()] as Tree | undefined;
  if (asked === undefined) throw new Error(`GitHub has no ${operation}`);
  const { parameters, requestBody, responses } = asked;
  const kept = lean({ parameters, requestBody, responses });
  (paths[path] ??= {})[method.toLowerCase()] = kept;
  collect(kept);
}

const target = join(
  import.meta.dirname,
  '../packages/server/src/testing/github/generated/github-openapi.json',
);
const { version } = document['info'] as Tree;
const source = `@octokit/openapi ${String(version)}, MIT License, Copyright (c) 2020 Octokit contributors`;
writeFileSync(target, `${JSON.stringify({ source, paths, components })}\n`);
