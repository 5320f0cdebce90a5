import { expect, test } from 'vitest';
import { refused } from '../local/syscalls.ts';
import { tighten } from './seccomp.ts';

test('what a sandbox does not need is taken out of every rule, and refused with a rule of its own', () => {
  const base = {
    defaultAction: 'SCMP_ACT_ERRNO',
    archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
    syscalls: [
      { names: ['read', 'ptrace', 'socketcall'], action: 'SCMP_ACT_ALLOW', args: [] },
      { names: ['socket'], action: 'SCMP_ACT_ALLOW', args: null },
      { names: ['io_uring_setup'], action: 'SCMP_ACT_ALLOW', args: [] },
    ],
  };
  const profile = tighten(base);
  const allowed = profile.syscalls.filter(({ action }) => action === 'SCMP_ACT_ALLOW');
  expect(allowed[0]!.names).toEqual(['read']);
  expect(allowed.slice(1).map(({ names, args }) => [names, args?.map(({ value }) => value)])).toEqual([
    [['socket'], [1]],
    [['socket'], [2]],
    [['socket'], [10]],
    [['socket'], [16, 0]],
  ]);
  expect(profile.syscalls.find(({ errnoRet }) => errnoRet === 1)!.names).toEqual(Object.keys(refused));
  expect(profile.archMap).toEqual([{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: [] }]);
  expect(profile['defaultAction']).toBe('SCMP_ACT_ERRNO');
});
