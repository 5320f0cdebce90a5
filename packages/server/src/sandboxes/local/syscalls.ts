/** Processor architectures that the filter knows. */
export type Architecture = 'x86_64' | 'aarch64';

/** `AUDIT_ARCH_*` of linux/audit.h. */
export const auditArchitecture: Readonly<Record<Architecture, number>> = {
  x86_64: 0xc000003e,
  aarch64: 0xc00000b7,
};

/** System calls that the filter treats by their arguments. */
export const inspected = {
  x86_64: { clone: 56, socket: 41, ioctl: 16 },
  aarch64: { clone: 220, socket: 198, ioctl: 29 },
} as const satisfies Record<Architecture, Record<string, number>>;

/**
 * System calls that a sandbox has no use for and that widen the kernel's surface. They answer EPERM.
 * Numbers: asm/unistd_64.h and asm-generic/unistd.h of Linux; null where the architecture has none.
 */
export const refused: Readonly<
  Record<string, { readonly x86_64: number | null; readonly aarch64: number | null }>
> = {
  acct: { x86_64: 163, aarch64: 89 },
  add_key: { x86_64: 248, aarch64: 217 },
  adjtimex: { x86_64: 159, aarch64: 171 },
  bpf: { x86_64: 321, aarch64: 280 },
  chroot: { x86_64: 161, aarch64: 51 },
  clock_adjtime: { x86_64: 305, aarch64: 266 },
  clock_settime: { x86_64: 227, aarch64: 112 },
  create_module: { x86_64: 174, aarch64: null },
  delete_module: { x86_64: 176, aarch64: 106 },
  fanotify_init: { x86_64: 300, aarch64: 262 },
  finit_module: { x86_64: 313, aarch64: 273 },
  fsconfig: { x86_64: 431, aarch64: 431 },
  fsmount: { x86_64: 432, aarch64: 432 },
  fsopen: { x86_64: 430, aarch64: 430 },
  fspick: { x86_64: 433, aarch64: 433 },
  init_module: { x86_64: 175, aarch64: 105 },
  ioperm: { x86_64: 173, aarch64: null },
  iopl: { x86_64: 172, aarch64: null },
  kcmp: { x86_64: 312, aarch64: 272 },
  kexec_file_load: { x86_64: 320, aarch64: 294 },
  kexec_load: { x86_64: 246, aarch64: 104 },
  keyctl: { x86_64: 250, aarch64: 219 },
  lookup_dcookie: { x86_64: 212, aarch64: 18 },
  migrate_pages: { x86_64: 256, aarch64: 238 },
  modify_ldt: { x86_64: 154, aarch64: null },
  mount: { x86_64: 165, aarch64: 40 },
  mount_setattr: { x86_64: 442, aarch64: 442 },
  move_mount: { x86_64: 429, aarch64: 429 },
  move_pages: { x86_64: 279, aarch64: 239 },
  name_to_handle_at: { x86_64: 303, aarch64: 264 },
  nfsservctl: { x86_64: 180, aarch64: 42 },
  open_by_handle_at: { x86_64: 304, aarch64: 265 },
  open_tree: { x86_64: 428, aarch64: 428 },
  open_tree_attr: { x86_64: 467, aarch64: 467 },
  perf_event_open: { x86_64: 298, aarch64: 241 },
  pidfd_getfd: { x86_64: 438, aarch64: 438 },
  pivot_root: { x86_64: 155, aarch64: 41 },
  process_madvise: { x86_64: 440, aarch64: 440 },
  process_vm_readv: { x86_64: 310, aarch64: 270 },
  process_vm_writev: { x86_64: 311, aarch64: 271 },
  ptrace: { x86_64: 101, aarch64: 117 },
  quotactl: { x86_64: 179, aarch64: 60 },
  quotactl_fd: { x86_64: 443, aarch64: 443 },
  reboot: { x86_64: 169, aarch64: 142 },
  request_key: { x86_64: 249, aarch64: 218 },
  setdomainname: { x86_64: 171, aarch64: 162 },
  sethostname: { x86_64: 170, aarch64: 161 },
  setns: { x86_64: 308, aarch64: 268 },
  settimeofday: { x86_64: 164, aarch64: 170 },
  swapoff: { x86_64: 168, aarch64: 225 },
  swapon: { x86_64: 167, aarch64: 224 },
  syslog: { x86_64: 103, aarch64: 116 },
  umount2: { x86_64: 166, aarch64: 39 },
  unshare: { x86_64: 272, aarch64: 97 },
  uselib: { x86_64: 134, aarch64: null },
  userfaultfd: { x86_64: 323, aarch64: 282 },
  vhangup: { x86_64: 153, aarch64: 58 },
};

/**
 * Answered as if the kernel did not have them, so that libraries take their older path: `clone3` passes its flags
 * in memory, where a filter cannot look; io_uring does system calls that no filter sees.
 */
export const absent: Readonly<Record<string, number>> = {
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
  clone3: 435,
};
