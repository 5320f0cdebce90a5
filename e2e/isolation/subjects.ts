import { describe } from 'vitest';
import type { SandboxDriver, SandboxSpec } from '../../packages/server/src/domain/ports/sandbox.ts';
import type { BubblewrapOptions } from '../../packages/server/src/sandboxes/bubblewrap/index.ts';
import { bubblewrapIsMissing, testDriver } from '../../packages/server/src/testing/bubblewrap.ts';
import { fakeSpec } from '../../packages/server/src/testing/fake-sandbox.ts';
import {
  imageProfile,
  podmanIsMissing,
  testContainerDriver,
} from '../../packages/server/src/testing/podman.ts';

/** What the isolation tests may set of a driver. */
export type SubjectOptions = Pick<BubblewrapOptions, 'egress' | 'watchesDisk'>;

export interface Subject {
  readonly driver: SandboxDriver;
  readonly stateDirectory: string;
  /** A spec that this driver can be. */
  readonly spec: (overrides?: Partial<SandboxSpec>) => SandboxSpec;
  /** Unix socket of its container engine, where it has one. */
  readonly engine: string | null;
  readonly cleanUp: () => Promise<void>;
}

export interface SubjectKind {
  readonly name: 'bubblewrap' | 'container';
  readonly make: (options?: SubjectOptions) => Promise<Subject>;
}

const kinds: ReadonlyArray<SubjectKind & { readonly missing: string; readonly isMissing: boolean }> = [
  {
    name: 'bubblewrap',
    missing: 'bwrap is not installed',
    isMissing: bubblewrapIsMissing,
    make: async (options) => {
      const made = testDriver({ pathVariable: '/usr/local/bin:/usr/bin:/bin', ...options });
      return await Promise.resolve({ ...made, spec: fakeSpec, engine: null });
    },
  },
  {
    name: 'container',
    missing: 'Podman, busybox-static or root is missing',
    isMissing: podmanIsMissing,
    make: async (options) => ({
      ...(await testContainerDriver(options)),
      spec: (overrides) => fakeSpec({ profile: imageProfile(), ...overrides }),
    }),
  },
];

/** The same promises, kept by every driver of this machine. */
export function onEveryDriver(title: string, suite: (kind: SubjectKind) => void): void {
  for (const kind of kinds)
    describe.skipIf(kind.isMissing)(`${title}: ${kind.name} (${kind.missing})`, () => {
      suite(kind);
    });
}
