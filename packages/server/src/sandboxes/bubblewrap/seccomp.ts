import { absent, auditArchitecture, inspected, refused, type Architecture } from '../local/syscalls.ts';

// Classic BPF and seccomp: linux/bpf_common.h, linux/seccomp.h.
const load = 0x20; // BPF_LD | BPF_W | BPF_ABS
const jumpEqual = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const jumpGreaterEqual = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const jumpAnyBit = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const giveBack = 0x06; // BPF_RET | BPF_K

const allow = 0x7fff_0000;
const killProcess = 0x8000_0000;
const withErrno = (errno: number): number => 0x0005_0000 | errno;
const refuse = withErrno(1); // EPERM
const notThere = withErrno(38); // ENOSYS
const noFamily = withErrno(97); // EAFNOSUPPORT

/** Offsets in `struct seccomp_data`; low words of arguments, both architectures being little-endian. */
const atNumber = 0;
const atArchitecture = 4;
const atArgument = (index: number): number => 16 + 8 * index;

/** Every `CLONE_NEW*` flag of linux/sched.h: time, mount, cgroup, uts, ipc, user, pid, net. */
const cloneNewFlags =
  0x80 | 0x2_0000 | 0x200_0000 | 0x400_0000 | 0x800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000;
/** AF_UNIX, AF_INET, AF_INET6; AF_NETLINK only for NETLINK_ROUTE, which `getifaddrs` needs. */
const families = [1, 2, 10];
const netlinkFamily = 16;
/** TIOCSTI types into a terminal; TIOCLINUX pastes into a console. */
const refusedIoctls = [0x5412, 0x541c];

/** One instruction; `jt` and `jf` count the instructions skipped when the comparison holds or not. */
interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}
const op = (code: number, k: number, jt = 0, jf = 0): Instruction => ({ code, jt, jf, k });

/** The filter's instructions, in the order the kernel runs them. */
export function seccompProgram(architecture: Architecture): readonly Instruction[] {
  const program: Instruction[] = [
    op(load, atArchitecture),
    op(jumpEqual, auditArchitecture[architecture], 1, 0),
    op(giveBack, killProcess),
    op(load, atNumber),
  ];
  // x32 calls come with the architecture of x86_64 and their own numbers: a way around every check below.
  if (architecture === 'x86_64')
    program.push(op(jumpGreaterEqual, 0x4000_0000, 0, 1), op(giveBack, killProcess));
  const answer = (number: number, value: number) =>
    program.push(op(jumpEqual, number, 0, 1), op(giveBack, value));
  for (const number of Object.values(absent)) answer(number, notThere);
  for (const numbers of Object.values(refused)) {
    const number = numbers[architecture];
    if (number !== null) answer(number, refuse);
  }
  const { clone, socket, ioctl } = inspected[architecture];
  program.push(
    op(jumpEqual, clone, 0, 4),
    op(load, atArgument(0)),
    op(jumpAnyBit, cloneNewFlags, 0, 1),
    op(giveBack, refuse),
    op(giveBack, allow),
  );
  const ioctls = [
    op(load, atArgument(1)),
    ...refusedIoctls.flatMap((k) => [op(jumpEqual, k, 0, 1), op(giveBack, refuse)]),
  ];
  program.push(op(jumpEqual, ioctl, 0, ioctls.length + 1), ...ioctls, op(giveBack, allow));
  program.push(op(jumpEqual, socket, 1, 0), op(giveBack, allow), op(load, atArgument(0)));
  for (const family of families) program.push(op(jumpEqual, family, 0, 1), op(giveBack, allow));
  program.push(
    op(jumpEqual, netlinkFamily, 0, 3),
    op(load, atArgument(2)),
    op(jumpEqual, 0, 0, 1),
    op(giveBack, allow),
    op(giveBack, noFamily),
  );
  return program;
}

/** The program as `struct sock_filter[]`, as `bwrap --seccomp FD` reads it. */
export function assemble(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(({ code, jt, jf, k }, index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jt, index * 8 + 2);
    bytes.writeUInt8(jf, index * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4);
  });
  return bytes;
}

/** This machine's architecture as the filter calls it, or null when there is no table for it. */
export function filterArchitecture(arch: string = process.arch): Architecture | null {
  return arch === 'x64' ? 'x86_64' : arch === 'arm64' ? 'aarch64' : null;
}
