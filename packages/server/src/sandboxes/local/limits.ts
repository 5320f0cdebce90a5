/** Processes that are ours, not the commands': the isolation's own two, the supervisor, Node with its threads. */
export const ownProcesses = 32;

/** Reads the hard limits of this process. */
export function hardLimits(text: string): { readonly openFiles: number; readonly processes: number } {
  const read = (name: string): number => {
    const value = new RegExp(`^${name}\\s+\\S+\\s+(\\S+)`, 'm').exec(text)?.[1];
    return value === undefined || value === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(value);
  };
  return { openFiles: read('Max open files'), processes: read('Max processes') };
}
