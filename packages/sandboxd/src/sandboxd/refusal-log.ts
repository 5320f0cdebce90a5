const everyMs = 10_000;

/** Tells refused connections to the log: each reason at most once in ten seconds, with how often it was meant. */
export function refusalLog(
  write: (line: string) => void,
  nowMs = () => performance.now(),
): (why: string) => void {
  const reasons = new Map<string, { saidMs: number; unsaid: number }>();
  return (why) => {
    const known = reasons.get(why);
    if (known !== undefined && nowMs() - known.saidMs < everyMs) {
      known.unsaid += 1;
      return;
    }
    const more = known !== undefined && known.unsaid > 0 ? ` (and ${known.unsaid} more before)` : '';
    reasons.set(why, { saidMs: nowMs(), unsaid: 0 });
    write(`sandboxd: a connection was refused: ${why}${more}\n`);
  };
}
