import type { Event, LiveFrame, Run } from '@berth/client';

/** Where a followed run is shown. */
export interface View {
  /** The run as the server sees it; called now and then. */
  run(run: Run): void;
  /** A command that began before the first event that is shown. */
  before(event: Event): void;
  event(event: Event): void;
  frame(frame: LiveFrame): void;
  connection(state: 'lost' | 'back', isHost: boolean): void;
  /** Puts the terminal back as it was. */
  end(): void;
}
