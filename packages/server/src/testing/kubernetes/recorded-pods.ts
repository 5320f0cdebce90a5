import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { V1Pod } from '../../sandboxes/kubernetes/api-types.ts';

interface Row {
  /** Milliseconds since the start of the recording. */
  readonly t: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly pod: V1Pod;
}

/** What a watch told of pods on a real Kubernetes 1.36, one list a scenario; statuses only, without what no one reads. */
const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, 'recorded-pods.json'), 'utf8'),
) as Readonly<Record<string, { readonly about: string; readonly rows: readonly Row[] }>>;

export function recordedScenarios(): string[] {
  return Object.keys(recorded);
}

export function recordedPods(scenario: string): readonly Row[] {
  const found = recorded[scenario];
  if (found === undefined) throw new Error(`no recording ${scenario}`);
  return found.rows.map((row) => ({ ...row, pod: { metadata: {}, ...row.pod } }));
}
