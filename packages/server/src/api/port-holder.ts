import { readdir, readFile, readlink } from 'node:fs/promises';

const listening = '0A';

/** The process that listens on a TCP port of this machine, where the system tells (Linux, own processes or root). */
export async function portHolder(port: number): Promise<{ pid: number; command: string } | null> {
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = await readFile(table, 'utf8').catch(() => '');
    for (const inode of listenersOf(text, port)) inodes.add(inode);
  }
  if (inodes.size === 0) return null;
  for (const pid of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const descriptor of descriptors) {
      const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '');
      if (!inodes.has(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? '')) continue;
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return { pid: Number(pid), command: line.replaceAll('\0', ' ').trim() };
    }
  }
  return null;
}

/** Inodes of the sockets that listen on `port`, from a table as the kernel prints it. Pure. */
export function listenersOf(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return table.split('\n').flatMap((line) => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    return state === listening && local?.endsWith(`:${wanted}`) === true && inode !== undefined
      ? [inode]
      : [];
  });
}
