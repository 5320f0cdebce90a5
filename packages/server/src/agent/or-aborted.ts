/**
 * The promise, or the signal's reason as soon as it is aborted: what does not listen to the signal (a wedged
 * channel, a model that ignores it) is left behind instead of being waited for.
 */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  // First of all: also what was left behind before it was looked at must not end the process when it fails.
  promise.catch(() => undefined);
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
