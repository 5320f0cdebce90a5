import type { Event, Run } from '@berth/client';
import type { Interrupt, Interruption } from '../interrupt.ts';
import { inPager } from '../output/pager.ts';
import type { Io } from '../io.ts';
import type { Session } from '../session.ts';
import type { SteerMode } from './steer-box.ts';

/** What the keys of the live view can do with the run. */
export interface LiveControl {
  /** Whether this process carries the run, so that leaving means pausing. */
  isHost(): boolean;
  /** Answers the message's id. */
  steer(text: string, mode: SteerMode): Promise<string>;
  pause(): Promise<void>;
  goOn(): Promise<void>;
  cancel(): Promise<void>;
  diff(): Promise<string>;
  events(): Promise<Event[]>;
  /** Shows a text in a pager; false when there is none. */
  page(text: string): Promise<boolean>;
  leave(cause: Interruption): void;
}

/** Events asked for at once. */
const pageSize = 500;

/** Every event of a run. */
export async function allEvents(session: Session, id: string): Promise<Event[]> {
  const all: Event[] = [];
  for (let after = 0; ;) {
    const { events } = await session.client.listEvents(id, { after, limit: pageSize });
    all.push(...events);
    after = events.at(-1)?.seq ?? after;
    if (events.length < pageSize) return all;
  }
}

export function liveControl(io: Io, session: Session, run: Run, interrupt: Interrupt): LiveControl {
  const { id } = run;
  return {
    isHost: () => session.isHost,
    steer: async (text, mode) => (await session.client.steer(id, text, mode)).messageId,
    pause: async () => void (await session.client.pause(id, 'Held in the live view')),
    goOn: async () => void (await session.client.resume(id, {})),
    cancel: async () => void (await session.client.cancel(id)),
    diff: async () => session.client.runDiff(id),
    events: async () => allEvents(session, id),
    page: async (text) =>
      interrupt.ignoringCtrlC(async () =>
        inPager(text, { env: io.env, terminal: 2, less: 'R', signal: interrupt.signal }),
      ),
    leave: (cause) => interrupt.raise(cause),
  };
}
