import type { V1Container, V1Pod } from '../../sandboxes/kubernetes/api-types.ts';

/** Volumes that `restricted` lets in. */
const allowedVolumes = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

/**
 * What Pod Security `restricted` has against a pod, in the words of the admission plugin (Kubernetes 1.36), one entry
 * per rule; empty: it passes.
 */
export function podSecurityViolations(pod: V1Pod): string[] {
  const spec = pod.spec!;
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  const found: string[] = [];
  const host = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((name) => spec[name] === true);
  if (host.length > 0) found.push(`host namespaces (${host.map((name) => `${name}=true`).join(', ')})`);
  const each = (rule: string, wrong: (container: V1Container) => string | null, who = 'container'): void => {
    const said = containers.flatMap((container) => {
      const reason = wrong(container);
      return reason === null ? [] : reason.split('; ').map((one) => `${who} "${container.name}" ${one}`);
    });
    if (said.length > 0) found.push(`${rule} (${said.join('; ')})`);
  };
  each('privileged', ({ securityContext }) =>
    securityContext?.privileged === true ? 'must not set securityContext.privileged=true' : null,
  );
  each('allowPrivilegeEscalation != false', ({ securityContext }) =>
    securityContext?.allowPrivilegeEscalation === false
      ? null
      : 'must set securityContext.allowPrivilegeEscalation=false',
  );
  each('unrestricted capabilities', ({ securityContext }) => {
    const { drop = [], add = [] } = securityContext?.capabilities ?? {};
    const [more] = add.filter((name) => name !== 'NET_BIND_SERVICE');
    const said = [
      ...(drop.includes('ALL') ? [] : ['must set securityContext.capabilities.drop=["ALL"]']),
      ...(more === undefined ? [] : [`must not include "${more}" in securityContext.capabilities.add`]),
    ];
    return said.length === 0 ? null : said.join('; ');
  });
  const bad = (spec.volumes ?? []).flatMap((volume) => {
    const type = Object.keys(volume).find((key) => key !== 'name') ?? 'emptyDir';
    return allowedVolumes.has(type) ? [] : [`volume "${volume.name}" uses restricted volume type "${type}"`];
  });
  if (bad.length > 0) found.push(`restricted volume types (${bad.join('; ')})`);
  each(
    'runAsNonRoot != true',
    ({ securityContext }) =>
      (securityContext?.runAsNonRoot ?? spec.securityContext?.runAsNonRoot) === true
        ? null
        : 'must set securityContext.runAsNonRoot=true',
    'pod or container',
  );
  each('runAsUser=0', ({ securityContext }) =>
    (securityContext?.runAsUser ?? spec.securityContext?.runAsUser) === 0 ? 'must not set runAsUser=0' : null,
  );
  each(
    'seccompProfile',
    ({ securityContext }) => {
      const type = (securityContext?.seccompProfile ?? spec.securityContext?.seccompProfile)?.type;
      return type === 'RuntimeDefault' || type === 'Localhost'
        ? null
        : 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"';
    },
    'pod or container',
  );
  return found;
}
