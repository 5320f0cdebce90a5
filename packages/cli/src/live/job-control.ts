/** Stopping and going on, as a shell asks for it (Ctrl-Z, `fg`). */
export class JobControl {
  readonly #leave: () => void;
  readonly #enter: () => void;

  /** `leave` gives the terminal back, `enter` takes it again; both may be called more than once. */
  constructor(leave: () => void, enter: () => void) {
    this.#leave = leave;
    this.#enter = enter;
    process.on('SIGTSTP', this.suspend);
    process.on('SIGCONT', this.#onContinue);
  }

  end(): void {
    process.off('SIGTSTP', this.suspend);
    process.off('SIGCONT', this.#onContinue);
  }

  /** Gives the terminal back and stops this process, with those it was started together with. */
  readonly suspend = (): void => {
    this.#leave();
    process.off('SIGTSTP', this.suspend);
    process.kill(0, 'SIGTSTP');
    // Reached when somebody continues it, or at once where no shell could (an orphaned process group).
    setImmediate(() => {
      process.on('SIGTSTP', this.suspend);
      this.#enter();
    });
  };

  /** Stopped without being asked (SIGSTOP), and continued: the shell may have changed the terminal meanwhile. */
  readonly #onContinue = (): void => {
    this.#leave();
    this.#enter();
  };
}
