import { closeSync, readdirSync, readFileSync } from 'node:fs';

/** `O_CLOEXEC` of fcntl.h, as `/proc/self/fdinfo` prints it (octal). */
const closeOnExec = 0o2000000;

/**
 * Closes every descriptor that the worker's own parent left open (a database socket, a log, a secret file): they
 * would be handed on to the sandbox. Node opens its own with close-on-exec, so what lacks it was inherited.
 */
export function closeInheritedDescriptors(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const descriptor = Number(name);
    if (descriptor <= 2) continue;
    try {
      const flags = /^flags:\s*([0-7]+)/m.exec(
        readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1'),
      )?.[1];
      if (flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0) closeSync(descriptor);
    } catch {
      // The directory's own descriptor is closed by now.
    }
  }
}
