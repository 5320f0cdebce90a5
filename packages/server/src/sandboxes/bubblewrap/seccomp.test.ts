import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { assemble, seccompProgram } from './seccomp.ts';
import { absent, auditArchitecture, inspected, refused, type Architecture } from '../local/syscalls.ts';

/** Runs the bytes as the kernel would (the instructions used here) and names the answer. */
function run(bytes: Buffer, call: { arch: number; number: number; args?: readonly number[] }): string {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.number >>> 0, 0);
  data.writeUInt32LE(call.arch >>> 0, 4);
  (call.args ?? []).forEach((value, index) => data.writeUInt32LE(value >>> 0, 16 + 8 * index));
  let accumulator = 0;
  for (let at = 0; ; at += 8) {
    const [code, jt, jf, k] = [
      bytes.readUInt16LE(at),
      bytes[at + 2]!,
      bytes[at + 3]!,
      bytes.readUInt32LE(at + 4),
    ];
    const jump = (holds: boolean) => (at += 8 * (holds ? jt : jf));
    if (code === 0x20) accumulator = data.readUInt32LE(k);
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x35) jump(accumulator >= k);
    else if (code === 0x45) jump((accumulator & k) !== 0);
    else if (code === 0x06)
      return k === 0x7fff0000 ? 'allow' : k === 0x80000000 ? 'kill' : `errno ${k & 0xffff}`;
    else throw new Error(`unknown instruction ${code}`);
  }
}

{
  for (const architecture of ['x86_64', 'aarch64'] satisfies Architecture[]) {
    const bytes = assemble(seccompProgram(architecture));
    const arch = auditArchitecture[architecture];
    const { clone, socket, ioctl } = inspected[architecture];
    const ask = (number: number, ...args: number[]) => run(bytes, { arch, number, args });

    test(`${architecture}: ordinary calls pass, refused ones answer EPERM, absent ones ENOSYS`, () => {
      expect(ask(1)).toBe('allow');
      for (const numbers of Object.values(refused)) {
        const number = numbers[architecture];
        if (number !== null) expect(ask(number)).toBe('errno 1');
      }
      for (const number of Object.values(absent)) expect(ask(number)).toBe('errno 38');
    });

    test(`${architecture}: another architecture kills`, () => {
      for (const other of [0x40000003, 0x40000028, architecture === 'x86_64' ? 0xc00000b7 : 0xc000003e]) {
        expect(run(bytes, { arch: other, number: 1 })).toBe('kill');
      }
      if (architecture === 'x86_64') expect(ask(0x40000000 + 1)).toBe('kill');
    });

    test(`${architecture}: clone makes threads and children, never namespaces`, () => {
      expect(ask(clone, 0x003d0f00)).toBe('allow');
      expect(ask(clone, 0x01200011)).toBe('allow');
      for (const flag of [
        0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
      ]) {
        expect(ask(clone, flag | 0x11)).toBe('errno 1');
      }
    });

    test(`${architecture}: sockets of the usual families only`, () => {
      for (const family of [1, 2, 10]) expect(ask(socket, family, 1, 0)).toBe('allow');
      expect(ask(socket, 16, 3, 0)).toBe('allow');
      expect(ask(socket, 16, 3, 12)).toBe('errno 97');
      for (const family of [0, 3, 9, 15, 17, 29, 31, 38, 40, 44])
        expect(ask(socket, family, 1, 0)).toBe('errno 97');
    });

    test(`${architecture}: typing into terminals is refused, other ioctls pass`, () => {
      expect(ask(ioctl, 0, 0x5412)).toBe('errno 1');
      expect(ask(ioctl, 0, 0x541c)).toBe('errno 1');
      expect(ask(ioctl, 0, 0x5413)).toBe('allow');
    });
  }
}

const headers = {
  x86_64: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h',
  aarch64: '/usr/include/asm-generic/unistd.h',
};
for (const architecture of ['x86_64', 'aarch64'] as const) {
  test.skipIf(!existsSync(headers[architecture]))(
    `${architecture}: the numbers are those of the kernel's headers (kernel headers are not installed)`,
    () => {
      const text = readFileSync(headers[architecture], 'utf8');
      const numbers = new Map<string, number>();
      for (const [, name, number] of text.matchAll(/#define __NR(?:3264)?_(\w+)\s+(\d+)/g))
        numbers.set(name!, Number(number));
      const known = { ...absent, ...inspected[architecture] } as Record<string, number>;
      for (const [name, each] of Object.entries(refused))
        if (each[architecture] !== null) known[name] = each[architecture]!;
      for (const [name, number] of Object.entries(known)) {
        if (numbers.has(name)) expect([name, number]).toEqual([name, numbers.get(name)]);
      }
      expect(numbers.size).toBeGreaterThan(200);
    },
  );
}
