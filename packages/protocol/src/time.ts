/** The time a channel needs; the server's `Clock` fits. */
export interface ChannelTime {
  /** Milliseconds since an arbitrary point; never decreases. */
  monotonicMs(): number;
  /** Resolves after `ms` milliseconds; rejects when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The process's own time. Its timers do not keep the process alive. */
export const processTime: ChannelTime = {
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const stop = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }, ms);
      timer.unref();
      signal?.addEventListener('abort', stop, { once: true });
    }),
};
