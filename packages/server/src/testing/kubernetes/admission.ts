import type { V1Container, V1Pod } from '../../sandboxes/kubernetes/api-types.ts';
import { unknownFields } from './field-validation.ts';
import { podSecurityViolations } from './pod-security.ts';
import { badRequest, forbidden } from './status.ts';

/** What a namespace of the test cluster allows; null: everything. */
export interface Rules {
  quota: { readonly pods: number } | null;
  /** Most memory of a container, in bytes. */
  maxMemoryBytes: number | null;
  runtimeClasses: readonly string[];
  podSecurity: 'restricted' | null;
}

/** The admission of pods in the order of the real one. @throws Refusal */
export function admit(pod: V1Pod, rules: Rules, live: number, fieldValidation: string | null): void {
  const name = pod.metadata?.name ?? '';
  const unknown = fieldValidation === 'Strict' ? unknownFields(pod) : [];
  if (unknown.length > 0) {
    const fields = unknown.map((field) => `unknown field "${field}"`).join(', ');
    throw badRequest(`Pod in version "v1" cannot be handled as a Pod: strict decoding error: ${fields}`);
  }
  const runtime = pod.spec?.runtimeClassName;
  if (runtime !== undefined && !rules.runtimeClasses.includes(runtime))
    throw forbidden(name, `pod rejected: RuntimeClass "${runtime}" not found`);
  const over = containersOf(pod).flatMap((container) => {
    const limit = Number(container.resources?.limits?.['memory'] ?? 0);
    const most = rules.maxMemoryBytes;
    return most === null || limit <= most
      ? []
      : [`maximum memory usage per Container is ${most}, but limit is ${limit}`];
  });
  if (over.length === 1) throw forbidden(name, over[0]!);
  if (over.length > 1) throw forbidden(name, `[${over.join(', ')}]`);
  const violations = rules.podSecurity === null ? [] : podSecurityViolations(pod);
  if (violations.length > 0)
    throw forbidden(name, `violates PodSecurity "restricted:latest": ${violations.join(', ')}`);
  if (rules.quota !== null && live >= rules.quota.pods) {
    const { pods } = rules.quota;
    throw forbidden(
      name,
      `exceeded quota: berth, requested: pods=1, used: pods=${live}, limited: pods=${pods}`,
    );
  }
}

export function containersOf(pod: V1Pod): readonly V1Container[] {
  return [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
}
